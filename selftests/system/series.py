# SPDX-License-Identifier: GPL-2.0
"""make series: whose fault is it?

A repository of a few files with some commits, and tiers that find "bug" in its sources.
With a tree of Linux as argument the repository is that, one commit breaks an invariant,
and the tiers are the real ones (half an hour). Prints TAP. Knows the promises of
scripts/series.py, not its ways.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import packages                             # noqa: E402
from common.say import Problem                          # noqa: E402
from mutants import mutant, tiers                       # noqa: E402
from said import plan, result                           # noqa: E402
import series                                           # noqa: E402

_KVM = "arch/x86/kvm/mmu/tdp_mmu.c"


class Repository:
    """The user's."""

    def __init__(self, path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q")

    def git(self, *argv):
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false",
             *argv], cwd=self.path, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, subject, files):
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


class Tiers:
    """Stand in for those of mutants/tiers.py; find what the sources say."""

    calls = []

    def __init__(self, values, _folder, names):
        self.values = values
        self.tiers = names

    def unchanged(self, tier, name):
        text = (Path(self.values.ksrc) / _KVM).read_text()
        Tiers.calls.append((name, tier))
        by = [w for w in ("R1", "X2") if "%s in %s" % (w, tier) in text]
        word = tiers.NOT_BUILT if "syntax" in text else tiers.CAUGHT if by else tiers.CLEAN
        return {"word": word, "by": by, "why": "x.c:1: error", "log": "log", "seconds": None}


def series_of(repository, folder, **variables):
    """(exit code, what was said) of make series on it."""
    env = dict({"KSRC": str(repository.path), "RUNDIR": str(folder / "results")}, **variables)
    before = dict(os.environ)
    os.environ.update(env)
    said = io.StringIO()
    Tiers.calls = []
    try:
        with contextlib.redirect_stdout(said):
            code = series.series()
    except Problem as p:
        code, text = p.code, p.line
        return code, text
    finally:
        os.environ.clear()
        os.environ.update(before)
    return code, said.getvalue()


def whose_fault(folder):
    user = Repository(folder / "linux")
    base = user.commit("a kernel", {
        "Makefile": "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 0\n", "Kbuild": "\n",
        _KVM: "fine\n"})
    user.commit("harmless", {_KVM: "fine, too\n"})
    bad = user.commit("the culprit", {_KVM: "R1 in uml\n"})
    user.commit("innocent", {_KVM: "R1 in uml\n\n"})
    worse = user.commit("another", {_KVM: "R1 in uml, X2 in uml, X2 in kunit\n"})
    tip = user.commit("repaired", {_KVM: "fine\n"})
    status = user.git("status", "--porcelain")

    code, text = series_of(user, folder, BASE=base)
    blamed = [l for l in text.splitlines() if " breaks " in l]
    result(code == 1 and len(blamed) == 3 and bad[:12] in blamed[0] and "R1" in blamed[0] and
           "the culprit" in blamed[0], "the commit that breaks something is named", text)
    result(all(worse[:12] in l and "X2" in l and "R1" not in l for l in blamed[1:]),
           "what was broken before is not blamed on a later commit", text)
    result(len(Tiers.calls) == 12, "each commit and the base, by each tier", Tiers.calls)
    result(user.git("rev-parse", "HEAD") == tip and user.git("status", "--porcelain") == status
           and not user.git("for-each-ref", "--format=%(refname)", "refs/remotes"),
           "the user's repository is as it was")

    code, text = series_of(user, folder, BASE=base, RESUME="1")
    result(code == 1 and not Tiers.calls, "RESUME=1: what is known is not tested again",
           Tiers.calls)
    code, text = series_of(user, folder, BASE=base, TIP=base[:12] + "", RESUME="1")
    result(code == 2 and "no commits" in text, "an empty series is refused", text)
    code, text = series_of(user, folder, BASE=bad, TIERS="uml")
    result(code == 1 and worse[:12] in text and "R1" not in
           "".join(l for l in text.splitlines() if " breaks " in l),
           "a base that fails already is no commit's fault", text)
    code, text = series_of(user, folder, BASE=worse)
    result(code == 0, "a series that only repairs is fine", text)
    user.commit("typing error", {_KVM: "syntax\n"})
    user.commit("corrected", {_KVM: "fine\n"})
    code, text = series_of(user, folder, BASE=tip)
    result(code == 4 and "does not build" in text and "x.c:1: error" in text,
           "a commit that does not build is named", text)
    for variables, word in (({"BASE": "nobody"}, "BASE=nobody"), ({"BASE": "--all"}, "BASE"),
                            ({}, "BASE="), ({"BASE": base, "TIP": "nobody"}, "TIP=nobody"),
                            ({"BASE": base, "MUTANT": "x"}, "MUTANT")):
        code, text = series_of(user, folder, **variables)
        result(code == 2 and word in text, "refused: %s" % variables, text)
    shutil.rmtree(user.path / ".git")
    code, text = series_of(user, folder, BASE=base)
    result(code == 2 and "not a git tree" in text, "refused: no repository", text)


def on_linux(tree, folder):
    """Five commits on Linux, the third is one of the planted bugs."""
    user = Repository(folder / "linux")
    print("# copying and committing %s" % tree, flush=True)
    shutil.copytree(tree, user.path, symlinks=True, dirs_exist_ok=True)
    base = user.commit("Linux", {})
    # each fits the tree that the ones before have left
    edits = ["rename-static", "reorder-checks", "zap-without-rcu", "extra-flush", "nested-rcu"]
    for name in edits:
        mutant.apply(mutant.find(name), user.path, folder / "log")
        user.commit(name, {})
    env = dict(os.environ, KSRC=str(user.path), BASE=base, RUNDIR=str(folder / "results"),
               TIERS="kunit,uml")
    done = subprocess.run(["make", "-C", str(REPO), "series"], env=env, check=False, text=True,
                          capture_output=True)
    known = json.loads((folder / "results/results.json").read_text())["commits"]
    words = {c["subject"]: [t["word"] for t in c["tiers"].values()] for c in known.values()}
    blamed = [l for l in done.stdout.splitlines() if " breaks " in l]
    result(done.returncode == 2 and blamed and all("zap-without-rcu" in l for l in blamed),
           "of five commits on Linux the one that breaks an invariant is named",
           done.stdout, words)


def main():
    series.tiers.Runner, runner = Tiers, series.tiers.Runner
    series.packages.need, need = (lambda **_: None), packages.need
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"], cache = name + "/cache", os.environ.get("XDG_CACHE_HOME")
        whose_fault(Path(name))
    if cache is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = cache
    series.tiers.Runner, series.packages.need = runner, need
    for tree in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as name:
            on_linux(Path(tree), Path(name))
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
