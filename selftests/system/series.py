# SPDX-License-Identifier: GPL-2.0
"""make series: whose fault is it?

A repository of a few files with some commits, and tiers that find "bug" in its sources.
With a tree of Linux as argument the repository is that, commits break an invariant, and
the tiers are the real ones (an hour: kernels are built for User Mode Linux and for QEMU).
Prints TAP. Knows the promises of scripts/series.py, not its ways.
"""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from blame import again, history                         # noqa: E402
from common import cache, command, packages             # noqa: E402
from common.say import (EXIT_CONFIG, EXIT_FAILURE, EXIT_PASS, Problem,   # noqa: E402
                        lacking)
from mutants import mutant, tiers                       # noqa: E402
from said import plan, result, skip                     # noqa: E402
import series                                           # noqa: E402

_KVM = "arch/x86/kvm/mmu/tdp_mmu.c"
_MAKEFILE = "VERSION = 7\nPATCHLEVEL = %d\nSUBLEVEL = 0\n"
#: of a user that nobody is
_STRANGER = 54321
_REAL_RUNNER = tiers.Runner


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
        # the .gitignore of Debian's tree leaves nothing
        self.git("add", "-A", "--force")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")


def kernel(folder, text="fine\n"):
    """(A repository in the folder of that name, its first commit)."""
    user = Repository(folder / "linux")
    return user, user.commit("a kernel", {"Makefile": _MAKEFILE % 3, "Kbuild": "\n", _KVM: text})


class Tiers:
    """Stand in for those of mutants/tiers.py; find what the sources say."""

    calls = []

    def __init__(self, values, folder, names):
        self.values = values
        self.folder = folder
        self.tiers = names

    def unchanged(self, tier, name):
        text = (Path(self.values.ksrc) / _KVM).read_text()
        Tiers.calls.append((name, tier))
        if "Ctrl-C in %s" % tier in text:
            raise KeyboardInterrupt
        if "disk full in %s" % tier in text:
            raise lacking("disk full")
        by = [w for w in ("R1", "X2", "one.case", "two.case", "three.case") if "%s in %s" % (w, tier) in text]
        word = tiers.NOT_BUILT if re.search(r"syntax(?! in)|syntax in " + tier, text) else \
            tiers.CAUGHT if by else tiers.CLEAN
        return {"word": word, "by": by, "why": "x.c:1: error", "seconds": None,
                "log": self._log("%s-%s" % (name, tier), by)}

    def case_fails(self, case, name):
        Tiers.calls.append((name, case))
        return "%s alone" % case in (Path(self.values.ksrc) / _KVM).read_text()

    def _log(self, name, by):
        """As the doors end theirs."""
        path = self.folder / name
        text = "".join("    again: make run SEED=5 KSRC=%s FILTER=%s\n" % (self.values.ksrc, w)
                       for w in by)
        path.write_text("%s    does it come again: make replay RUN=%s\n" % (text, path))
        return str(path)


def series_of(repository, folder, **variables):
    """(exit code, what was said) of make series on it."""
    env = dict({"KSRC": str(repository.path), "RUNDIR": str(folder / "results")}, **variables)
    before = dict(os.environ)
    # without variables of whoever tests
    inside = command.environment(env)
    said = io.StringIO()
    Tiers.calls = []
    try:
        os.environ.clear()
        os.environ.update(inside)
        with contextlib.redirect_stdout(said):
            code = series.series()
    except Problem as p:
        return p.code, said.getvalue() + p.line
    except KeyboardInterrupt:
        return 130, said.getvalue()
    finally:
        os.environ.clear()
        os.environ.update(before)
    return code, said.getvalue()


def whose_fault(folder):
    user, base = kernel(folder)
    user.commit("harmless", {_KVM: "fine, too\n"})
    bad = user.commit("the culprit", {_KVM: "R1 in uml\n"})
    user.commit("innocent", {_KVM: "R1 in uml\n\n"})
    worse = user.commit("another", {_KVM: "R1 in uml, X2 in uml, one.case in kunit\n"})
    tip = user.commit("repaired", {_KVM: "fine\n"})
    status = user.git("status", "--porcelain")

    code, text = series_of(user, folder, BASE=base)
    blamed = [l for l in text.splitlines() if " breaks " in l]
    result(code == 1 and len(blamed) == 2 and bad[:12] in blamed[0] and "uml: R1" in blamed[0] and
           "the culprit" in blamed[0], "the commit that breaks something is named", text)
    result(worse[:12] in blamed[1] and "kunit: one.case" in blamed[1],
           "a case of KUnit that was fine is the fault of who breaks it", text)
    result(re.search(r"%s .*uml still fails since %s; X2 may be" % (worse[:12], bad[:12]), text) and
           "uml fails since %s: it says nothing of 2 commits" % bad[:12] in text,
           "what a stress run that fails already names as well is nobody's fault", text)
    shown_again(user, text, blamed, bad)
    result(len(Tiers.calls) == 12, "each commit and the base, by each tier", Tiers.calls)
    result(user.git("rev-parse", "HEAD") == tip and user.git("status", "--porcelain") == status
           and not user.git("for-each-ref", "--format=%(refname)", "refs/remotes"),
           "the user's repository is as it was")

    code, text = series_of(user, folder, BASE=base, TIP=base[:12] + "", RESUME="1")
    result(code == 2 and "no commits" in text, "an empty series is refused", text)
    code, text = series_of(user, folder, BASE=bad, TIERS="uml")
    result(code == 4 and "breaks uml" not in text and
           "uml fails since the base: it says nothing of 2 commits" in text, "a base that fails already is no commit's fault, nor a success", text)
    code, text = series_of(user, folder, BASE=worse)
    result(code == 0, "a series that only repairs is fine", text)
    for variables, word in (({"BASE": "nobody"}, "BASE=nobody"), ({"BASE": "--all"}, "BASE"),
                            ({}, "BASE="), ({"BASE": base, "TIP": "nobody"}, "TIP=nobody")):
        code, text = series_of(user, folder, **variables)
        result(code == 2 and word in text, "refused: %s" % variables, text)
    shutil.rmtree(user.path / ".git")
    code, text = series_of(user, folder, BASE=base)
    result(code == 2 and "fatal: not a git repository" in text, "refused: no repository", text)


def in_a_mess(folder):
    """Where a case fails already, another one that fails has to be tried by itself."""
    user, base = kernel(folder)
    mess = "one.case in kunit, two.case alone, "
    user.commit("the culprit", {_KVM: mess})
    user.commit("innocent", {_KVM: mess + "two.case in kunit"})
    user.commit("innocent, too", {_KVM: mess + "three.case in kunit"})
    worse = user.commit("another", {_KVM: mess + "three.case in kunit, three.case alone"})
    code, text = series_of(user, folder, BASE=base, TIERS="kunit")
    blamed = [l for l in text.splitlines() if " breaks " in l]
    result(code == 1 and len(blamed) == 1 and "the culprit" in blamed[0],
           "a case that fails with and without a commit is not its fault", text)
    result("also two.case" in text and "two.case may be of that, or this commit's" in text,
           "... but is told of", text)
    user.git("checkout", "-q", "-B", "other", worse + "~2")
    user.commit("another", {_KVM: mess + "three.case in kunit, three.case alone"})
    for title, variables_ in (("... it is, if it fails with it only", {}),
                              ("... also with RESUME=1, without a test", {"RESUME": "1"})):
        code, text = series_of(user, folder, BASE=base, TIERS="kunit", **variables_)
        result(code == 1 and re.search(r"\(another\) breaks kunit: three\.case$", text, re.M) and
               bool(Tiers.calls) != bool(variables_), title, Tiers.calls, text)


def variables(folder):
    """None is accepted and ignored."""
    user, base = kernel(folder)
    user.commit("harmless", {_KVM: "fine, too\n"})
    for name, value, word in (("MUTANT", "x", "MUTANT="), ("KASAN", "1", "KASAN="),
                              ("DURATION", "300", "DURATION= (here it is TIME=)"),
                              ("FILTER", "a.*", "FILTER="), ("BUSY", "7", "BUSY="),
                              ("OPS", "punch=3", "OPS="), ("WHERE", "uml", "TIERS="),
                              ("BACKEND", "tdx", "TIERS=")):
        code, text = series_of(user, folder, BASE=base, **{name: value})
        result(code == 2 and word in text and not Tiers.calls, "refused: %s=" % name, text)
    code, text = series_of(user, folder, BASE=base, SEED="7", TIME="5", JOBS="1", ACCEL="tcg",
                           FORCE="1", V="0")
    result(code == 0 and "SEED=7, kunit,uml, 5 s" in text, "taken: what it has a use for", text)


def resumed(folder):
    """What of an earlier series is tested again."""
    user, base = kernel(folder)
    user.commit("the culprit", {_KVM: "R1 in uml\n"})
    series_of(user, folder, BASE=base, SEED="7")
    code, text = series_of(user, folder, BASE=base, RESUME="1")
    result(code == 1 and not Tiers.calls and "SEED=7" in text and "again;" not in text,
           "RESUME=1: what is known is not tested again", Tiers.calls, text)
    code, text = series_of(user, folder, BASE=base, RESUME="1", SEED="8")
    result(len(Tiers.calls) == 4 and "another seed;" in text, "... but with another seed", text)
    revision = series.command.revision
    try:
        series.command.revision = lambda: "another"
        code, text = series_of(user, folder, BASE=base, RESUME="1")
    finally:
        series.command.revision = revision
    result(code == 1 and len(Tiers.calls) == 4 and "another revision;" in text,
           "... but by another revision of tdp_stress", text)


def not_built(folder):
    user, first = kernel(folder, "syntax\n")
    user.commit("still", {_KVM: "syntax \n"})
    code, text = series_of(user, folder, BASE=first)
    result(code == 4 and "the base (a kernel) does not build in kunit: x.c:1: error" in text and
           "uml is not built since the base: it says nothing of 1 commit" in text and
           "not everything could be" in text, "nothing that builds is no success", text)
    base = user.commit("corrected", {_KVM: "fine\n"})
    code, text = series_of(user, folder, BASE=first)
    result(code == 4 and " breaks " not in text.replace("breaks anything", ""),
           "nor is a base that does not", text)
    wrong = user.commit("typing error", {_KVM: "syntax\n"})
    user.commit("corrected", {_KVM: "fine\n"})
    code, text = series_of(user, folder, BASE=base)
    result(code == 4 and re.search(r"%s .* does not build in uml: x.c:1: error" % wrong[:12], text)
           and not re.search(r"the base .* does not build", text),
           "a commit that does not build is named", text)
    base = user.git("rev-parse", "HEAD")
    wrong = user.commit("of KUnit's", {_KVM: "syntax in kunit\n"})
    bad = user.commit("of the rest", {_KVM: "syntax in kunit, R1 in tdx\n"})
    code, text = series_of(user, folder, BASE=base, TIERS="kunit,uml,tdx,external")
    result(code == 1 and len(Tiers.calls) == 12 and
           re.search(r"%s .* does not build in kunit" % wrong[:12], text) and
           re.search(r"%s .* breaks tdx: R1" % bad[:12], text) and "build in uml" not in text,
           "what one tier cannot build, others test", text)


def stopped(folder):
    """What is known is said, whatever ends it; and one commit does not end it."""
    user, base = kernel(folder)
    user.commit("another version", {"Makefile": _MAKEFILE % 9})
    bad = user.commit("the culprit", {"Makefile": _MAKEFILE % 3, _KVM: "R1 in uml\n"})
    code, text = series_of(user, folder, BASE=base)
    result(code == 1 and re.search(r"not tested: \w+ by uml: .*this is Linux 7.9", text) and
           re.search(r"%s .* breaks uml: R1 \(or " % bad[:12], text),
           "a commit that tdp_stress does not support does not end a series", text)
    for why, wanted in (("Ctrl-C", 130), ("disk full", 3)):
        user.commit("the end", {_KVM: "R1 in uml, %s in uml\n" % why})
        code, text = series_of(user, folder, BASE=base)
        result(code == wanted and "not at its end: 2 of 3 commits" in text and
               re.search(r"%s .* breaks uml: R1" % bad[:12], text),
               "%s: it says what it has found so far" % why, text)
        user.git("reset", "-q", "--hard", bad)


class Door:
    """Stands in for make run WHERE=uml, which says what its tree's source says."""

    def __init__(self):
        self.calls = []

    def script(self, name, log, env, **_):
        self.calls.append((name, {k: v for k, v in env.items() if k not in ("KSRC", "RUNDIR")}))
        text = (Path(env["KSRC"]) / _KVM).read_text()
        code = EXIT_CONFIG if "options" in text else EXIT_FAILURE if "R1" in text else EXIT_PASS
        log.write_text("%s: options above\n" % log)
        (log.parent / "summary.json").write_text(json.dumps({
            "violations": {"R1": 1} if code else {}, "reason": "", "found_after_seconds": None}))
        return code


def configuration(folder):
    """The real Runner, and doors that are none."""
    user, base = kernel(folder)
    wrong = user.commit("options", {_KVM: "options\n"})
    bad = user.commit("the culprit", {_KVM: "R1\n"})
    series.tiers.Runner, stand_in = _REAL_RUNNER, series.tiers.Runner
    door = Door()
    tiers.command.script, script = door.script, tiers.command.script
    try:
        code, text = series_of(user, folder, BASE=base, TIERS="uml", SEED="7", TIME="9", JOBS="1")
    finally:
        tiers.command.script, series.tiers.Runner = script, stand_in
    result(code == 1 and
           re.search(r"%s .* does not build in uml: .*options above" % wrong[:12], text) and
           re.search(r"%s .* breaks uml: R1" % bad[:12], text),
           "a kernel that cannot be configured is not built, and does not end a series", text)
    given = {"SEED": "7", "DURATION": "9", "JOBS": "1", "FORCE": "0", "WHERE": "uml"}
    result(door.calls == [("run", given)] * 3, "a door gets the user's variables", door.calls)


def branches(folder):
    """What is compared with what, where history is no line."""
    user, fork = kernel(folder, "R1 in uml\n")
    repaired = user.commit("repaired", {_KVM: "fine\n"})
    user.git("checkout", "-q", "-b", "feature", fork)
    user.commit("innocent", {_KVM: "R1 in uml \n"})
    code, text = series_of(user, folder, BASE=repaired)
    result(code == 4 and " breaks uml" not in text and
           "the base is what both have, %s (a kernel)" % fork[:12] in text,
           "a BASE that is no ancestor: what both have is the base", text)
    user.git("checkout", "-q", "-b", "main", repaired)
    user.git("checkout", "-q", "-b", "side")
    bad = user.commit("the culprit", {_KVM: "R1 in uml\n"})
    user.commit("innocent", {_KVM: "R1 in uml \n"})
    user.git("checkout", "-q", "main")
    user.commit("beside", {_KVM: "fine, beside\n"})
    user.git("merge", "-q", "--no-ff", "--no-commit", "-s", "ours", "side")
    merge = user.commit("Merge side", {_KVM: "R1 in uml\n"})
    code, text = series_of(user, folder, BASE=repaired, TIERS="uml")
    inside = "BASE=%s^1 TIP=%s^2" % (merge[:12], merge[:12])
    result(code == 1 and len(Tiers.calls) == 3 and
           re.search(r"%s \(Merge side\) breaks uml: R1\n +a merge of 2 commits; .*%s" % (
               merge[:12], re.escape(inside)), text),
           "a merge is one commit, and the tip is tested though it is one", text)
    variables = dict(word.split("=") for word in inside.split())
    code, text = series_of(user, folder, TIERS="uml", **variables)
    result(code == 1 and re.search(r"%s .* breaks uml: R1" % bad[:12], text),
           "... which one can look into", text)


def trees_of(folder):
    """Whatever state the user's tree is in."""
    user, base = kernel(folder)
    user.commit("harmless", {_KVM: "fine, too\n"})
    code, text = series_of(user, folder, BASE=base)
    result(code == 0 and "uncommitted" not in text, "a clean tree", text)
    (user.path / _KVM).write_text("R1 in uml\n")
    (user.path / "notes").write_text("of mine\n")
    index = (user.path / ".git/index").read_bytes()
    code, text = series_of(user, folder, BASE=base)
    result(code == 0 and "KSRC has uncommitted changes (%s), which are not tested" % _KVM in text
           and (user.path / ".git/index").read_bytes() == index,
           "uncommitted changes are said to be left out", text)
    empty = folder / "empty"
    empty.mkdir()
    code, text = series_of(user, folder, BASE=base, PATH=str(empty))
    result(code == 3 and "missing: git" in text, "a git that is missing is asked for", text)
    if os.geteuid():
        skip("the tree of another user", "only root has that")
        return
    for path in [user.path, *user.path.rglob("*")]:
        os.chown(path, _STRANGER, _STRANGER)
    code, text = series_of(user, folder, BASE=base, GIT_CONFIG_GLOBAL="/dev/null", SUDO_UID="0")
    result(code == 0 and "uncommitted" in text and
           all(p.stat().st_uid == _STRANGER for p in user.path.rglob("*")),
           "the tree of another user", text)


def shown_again(user, text, blamed, bad):
    """The command below the first of @blamed has the tree at @bad, and is the tier's own."""
    lines = text.splitlines()
    line = lines[lines.index(blamed[0]) + 1].strip()
    shell = line.removeprefix("again: ").partition(" && ")
    tree = re.search(r"KSRC=(\S+)", shell[2]).group(1)
    subprocess.run(shell[0], shell=True, check=True)
    head = subprocess.run(["git", "-C", tree, "rev-parse", "HEAD"], check=True, text=True,
                          capture_output=True).stdout.strip()
    result(head == bad and (Path(tree) / _KVM).read_text() == "R1 in uml\n" and
           tree != str(user.path) and shell[2] == "make run SEED=5 KSRC=%s FILTER=R1" % tree,
           "the command that repeats it is the tier's own, on a tree that has the commit", line)


def commands(folder):
    """What repeats a failure, whatever is left of it."""
    values = SimpleNamespace(ksrc="/a b/linux", seed=7, time=20, force=True)
    commit = SimpleNamespace(short="0123456789ab")
    log = folder / "log"
    log.write_text("# failed: one.case (BACKEND=tdx)\n#     again: make kunit FILTER=one.case\n"
                   "      again: make kunit FILTER=two.case\n"
                   "    does it come again: make replay RUN=x\n")
    at = "git -C '/a b/linux' checkout -q 0123456789ab && "
    for names, wanted in ((["two.case"], "FILTER=two.case"), (["R1"], "FILTER=one.case")):
        said = again.command("kunit", {"log": str(log)}, names, commit, values)
        result(said == at + "make kunit " + wanted, "again, of %s: %s" % (names[0], wanted), said)
    for tier, wanted in (
            ("kunit", "make kunit KSRC='/a b/linux' WHERE=uml FORCE=1"),
            ("uml", "make run KSRC='/a b/linux' WHERE=uml SEED=7 DURATION=20 FORCE=1"),
            ("tdx", "make run KSRC='/a b/linux' BACKEND=tdx SEED=7 DURATION=20 FORCE=1"),
            ("kselftest", "make kselftest KSRC='/a b/linux' FORCE=1")):
        said = again.command(tier, {"log": str(folder / "gone")}, [], commit, values)
        result(said == at + wanted, "again, of what said nothing: %s" % tier, said)


#: what a tier says of one commit after the other: names, or one of these words
_NOTHING, _UNBUILT = "not run", "not built"
#: title: tier, what it says (of the base first), what each commit breaks, is said to show as
#: well, and since which of them it fails
_COURSES = {
    "a stress run names other things from run to run": (
        "uml", ["", "R1", "X2 R1", "Z1", "R1"], [[], ["R1"], [], [], []],
        [[], [], ["X2"], ["Z1"], []], [None, None, 1, 1, 1]),
    "it fails on the base already": (
        "tdx", ["R1", "X2", "", "X2"], [[], [], [], []], [[], ["X2"], [], []],
        [None, "base", None, "base"]),
    "a short run misses a race once": (
        "external", ["", "R1 X2", "", "X2 Z1"], [[], ["R1", "X2"], [], []],
        [[], [], [], ["Z1"]], [None, None, None, 1]),
    "after a clean run another thing altogether": (
        "uml", ["", "R1", "", "F1", "R1"], [[], ["R1"], [], ["F1"], []], [[], [], [], [], []],
        [None, None, None, None, 1]),
    "kselftests are stress, too": (
        "kselftest", ["", "zap.one", "zap.two"], [[], ["zap.one"], []], [[], [], ["zap.two"]],
        [None, None, 1]),
    "KUnit is the same every time": (
        "kunit", ["a.b", "a.b c.d", "c.d", "c.d e.f", "", "c.d"],
        [[], ["c.d"], [], ["e.f"], [], ["c.d"]], [[], [], [], [], [], []],
        [None, None, 1, None, None, None]),
    "but not what the kernel says in it": (
        "kunit", ["", "WARNING at 0x1", "WARNING at 0x2", "a.b"],
        [[], ["WARNING at 0x1"], [], ["a.b"]], [[], [], ["WARNING at 0x2"], []],
        [None, None, 1, None]),
    "not to be built in between": (
        "uml", ["", "R1", _UNBUILT, _UNBUILT, "R1"], [[], ["R1"], [_UNBUILT], [], []],
        [[], [], [], [], []], [None, None, None, 2, 1]),
    "a base that is not built": (
        "uml", [_UNBUILT, _UNBUILT, ""], [[], [], []], [[], [], []],
        [None, "base", None]),
    "not to be run in between": (
        "uml", ["", "R1", _NOTHING, "X2"], [[], ["R1"], [], []], [[], [], [], ["X2"]],
        [None, None, None, 1]),
}


def _said(text):
    words = {"": tiers.CLEAN, _NOTHING: tiers.NOT_RUN, _UNBUILT: tiers.NOT_BUILT}
    by = [] if text in words else [text] if "WARNING" in text else text.split()
    return {"word": words.get(text, tiers.CAUGHT), "by": by}


def _judged(tier, course):
    one = history.History(tier)
    return [one.take(number, _said(text)) if number else one.base("base", _said(text))
            for number, text in enumerate(course)]


def blame():
    """Whose fault it is, by what tiers are made to say."""
    for title, (tier, course, *wanted) in _COURSES.items():
        found = _judged(tier, course)
        found = [[j.new for j in found], [j.also for j in found], [j.since for j in found]]
        result(found == wanted, "%s: %s" % (tier, title), "wanted %s" % wanted, "found %s" % found)
    found = _judged("uml", ["", _NOTHING, _UNBUILT, "R1", "R1"])
    result([j.maybe for j in found] == [[], [], [1], [1, 2], []],
           "it may be the fault of those before that could not be tested", [j.maybe for j in found])
    found = _judged("uml", ["R1", "R1", "", "R1"])
    result([j.blind for j in found] == [False, True, False, True] and found[3].again and
           not any(j.blind for j in _judged("kunit", ["a.b", "a.b"])),
           "a stress run that fails already says nothing of a commit; KUnit's other cases do")
    found = _judged("uml", [_UNBUILT, _UNBUILT, ""])
    result([j.blind for j in found] == [False, True, False], "nor does what is not built")
    found = [j.text("commit {}".format) for j in _judged("uml", ["", "R1", "R1 X2", "", "X2"])]
    result(found == ["clean", "fails (R1), new", "still fails since commit 1 (R1, X2), also X2",
                     "clean", "fails again, as since commit 1 (X2)"], "in words", found)


@contextlib.contextmanager
def _scratch():
    """A folder on the cache's disk, for gigabytes: what one that was killed has left goes, too."""
    top = cache.folder("test-series")
    with cache.lock(top):
        work = top / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


class OnLinux:
    """make series as a user calls it, on a copy of a tree of Linux."""

    def __init__(self, tree, folder):
        self.folder = folder
        self.user = Repository(folder / "linux")
        print("# copying and committing %s" % tree, flush=True)
        shutil.copytree(tree, self.user.path, symlinks=True, dirs_exist_ok=True)
        self.base = self.user.commit("Linux", {})
        # the tree of the series and its kernels are of no use to anybody else
        self.env = command.environment({"XDG_CACHE_HOME": str(folder / "cache")})

    def plant(self, *names):
        """A commit of each, on the base; each fits the tree that the ones before have left."""
        self.user.git("checkout", "-q", "--detach", self.base)
        for name in names:
            mutant.apply(mutant.find(name), self.user.path, self.folder / "log")
            self.user.commit(name, {})

    def series(self, name, **variables):
        """(exit code, lines, {subject: {tier: what it said}}); @name: of the results' folder."""
        results = self.folder / name
        done = subprocess.run(
            ["make", "-C", str(REPO), "series"], check=False, text=True, capture_output=True,
            env=dict(self.env, KSRC=str(self.user.path), BASE=self.base, RUNDIR=str(results),
                     **variables))
        path = results / "results.json"
        known = json.loads(path.read_text())["commits"] if path.exists() else {}
        return done.returncode, done.stdout.splitlines(), {c["subject"]: c["tiers"]
                                                           for c in known.values()}

    def again(self, lines):
        """The commands below those that blame a commit."""
        for number, line in enumerate(lines):
            if " breaks " not in line or " breaks anything" in line:
                continue
            line = lines[number + 1].strip().removeprefix("again: ")
            done = subprocess.run(line, shell=True, cwd=REPO, env=self.env, check=False, text=True,
                                  capture_output=True)
            result(done.returncode == 2 and "--- End of test: FAILURE" in done.stdout,
                   "the command that repeats it does", line, *done.stdout.splitlines()[-5:])


def _blamed(lines):
    return [l for l in lines if " breaks " in l and " breaks anything" not in l]


def in_uml(linux):
    """Five commits, the third is one of the planted bugs."""
    linux.plant("rename-static", "reorder-checks", "zap-without-rcu", "extra-flush", "nested-rcu")
    code, lines, said = linux.series("results", TIERS="kunit,uml", TIME="20")
    blamed = _blamed(lines)
    result(code == 2 and blamed and all("(zap-without-rcu)" in l for l in blamed),
           "of five commits on Linux the one that breaks an invariant is named", *lines, said)
    linux.again(lines)


def in_qemu(linux):
    """One commit, a bug of tdx.c: one backend names it within a second, the other has none."""
    bug = mutant.find("no-track-before-remove")
    linux.plant(bug.id)
    code, lines, said = linux.series("results-qemu", TIERS="tdx,external", TIME="10")
    words = {subject: {t: s["word"] for t, s in of.items()} for subject, of in said.items()}
    result(words == {"Linux": {"tdx": tiers.CLEAN, "external": tiers.CLEAN},
                     bug.id: {"tdx": tiers.CAUGHT, "external": tiers.CLEAN}},
           "in QEMU: a bug of tdx.c on Linux, by both backends", words, *lines)
    blamed = _blamed(lines)
    result(code == 2 and len(blamed) == 1 and "(%s) breaks tdx: " % bug.id in blamed[0] and
           set(said.get(bug.id, {}).get("tdx", {"by": ()})["by"]) & set(bug.expect),
           "... under its name: %s" % " or ".join(bug.expect), *lines)
    heads = {t: Path(s["log"]).read_text(errors="replace").partition("\n")[0]
             for t, s in said.get(bug.id, {}).items()}
    result(sorted(heads) == ["external", "tdx"] and
           all("BACKEND=%s " % t in head and "DURATION=10 " in head for t, head in heads.items()),
           "... each by its own door", heads)
    linux.again(lines)


def main():
    series.tiers.Runner = Tiers
    series.packages.need, need = (lambda **_: None), packages.need
    with tempfile.TemporaryDirectory() as name:
        os.environ["XDG_CACHE_HOME"], cached = name + "/cache", os.environ.get("XDG_CACHE_HOME")
        blame()
        commands(Path(name))
        for part in (whose_fault, in_a_mess, variables, resumed, not_built, stopped, configuration, branches,
                     trees_of):
            folder = Path(name) / part.__name__
            folder.mkdir()
            part(folder)
    if cached is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = cached
    series.tiers.Runner, series.packages.need = _REAL_RUNNER, need
    for tree in sys.argv[1:]:
        with _scratch() as name:
            linux = OnLinux(Path(tree), name)
            in_uml(linux)
            in_qemu(linux)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
