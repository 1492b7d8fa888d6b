# SPDX-License-Identifier: GPL-2.0
"""What make kunit makes of kernels' words, and of changed trees.

Consoles that are no kernel's and a tree of a few files. Prints TAP. Knows the
promises of scripts/kunit, not its ways.
"""

import os
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common.say import EXIT_BUILD, Problem          # noqa: E402
from kunit import ktap, shadow, uml          # noqa: E402
from said import plan, result          # noqa: E402



def equal(got, wanted, title):
    result(got == wanted, title, "wanted %r" % (wanted,), "is     %r" % (got,))


# --- consoles ---

_HEAD = "Linux version 7.3\nWARNING: of the boot, before any suite\nKTAP version 1\n1..%d\n"
_SUITE = "    KTAP version 1\n    # Subtest: %s\n    # module: x\n    1..%d\n"


def console(*suites, planned=None, tail=""):
    """@suites: (name, result, text of its cases)."""
    text = _HEAD % (planned or len(suites))
    for n, (name, good, cases) in enumerate(suites, 1):
        text += _SUITE % (name, cases.count("ok ")) + cases
        text += "%s %d %s\n" % ("ok" if good else "not ok", n, name) if good is not None else ""
    return text + tail


def read(*args, **kwargs):
    return ktap.read(console(*args, **kwargs).splitlines(True))


def found(report):
    return [(c.title, c.status) for c in report.cases]


_PARAMS = """        KTAP version 1
        # Subtest: two
        ok 1 4K
%s        not ok 2 2M: odd
    # two: pass:1 fail:1 skip:0 total:2
    not ok 2 two
"""


def results():
    report = read(("a", True, "    ok 1 one\n    ok 2 two # SKIP no vault\n"))
    equal(found(report), [("a.one", "passed"), ("a.two", "skipped")], "passed and skipped")
    equal(report.cases[1].reason, "no vault", "a skip's reason")
    result(report.complete and not report.splats, "a run that ended well is complete")

    report = read(("a", False, "    ok 1 one\n" + _PARAMS % "        # two: EXPECTATION FAILED\n"))
    equal(found(report), [("a.one", "passed"), ("a.two: 4K", "passed"),
                          ("a.two: 2M: odd", "failed")], "parameters count, their case does not")
    result("EXPECTATION" in "".join(report.cases[2].said), "a failure keeps its messages")

    report = read(("a", False, "    ok 1 one\n"))
    equal(found(report)[-1], ("a.(suite)", "failed"), "a suite that fails by itself is a failure")
    report = ktap.read([])
    result(not report.started and not report.complete, "silence is no result")


_SPLATS = (
    "BUG: KASAN: slab-use-after-free in tdp_mmu_zap_root+0x1/0x2",
    "WARNING: arch/x86/kvm/mmu/tdp_mmu.c:1 at handle_changed_spte+0x1/0x2, CPU#0: kunit/1",
    "WARNING: possible circular locking dependency detected",
    "WARNING: suspicious RCU usage",
    "BUG: sleeping function called from invalid context at mm/slub.c:1",
    "[ BUG: Invalid wait context ]",
    "list_del corruption. next->prev should be",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks",
    "INFO: task kunit_try_catch:9 blocked for more than 120 seconds.",
    "[    1.250000][   T12] BUG: unable to handle",
)


def splats():
    for text in _SPLATS:
        report = read(("a", True, "    ok 1 one\n%s\n    ok 2 two\n    ok 3 three\n" % text))
        equal([c.title for c in report.failed()], ["a.two"],
              "fails the case it came in: %s" % text[:40])
    report = read(("a", True, "        # Subtest: p\n        ok 1 4K\nBUG: x\n        ok 2 2M\n"
                   "    ok 1 p\n"))
    equal([c.title for c in report.failed()], ["a.p: 2M"], "a parameter's splat is its own")
    report = read(("a", True, "    ok 1 one\nBUG: x\n"), ("b", True, "    ok 1 one\n"))
    equal([c.title for c in report.failed()], ["a.(suite)"], "a splat in suite_exit")
    report = read(("a", True, "    ok 1 one\n"), tail="BUG: x\n")
    equal(report.splats, [(None, "BUG: x")], "a splat after everything is not lost")
    report = read(("a", True, "    # one: a message may quote WARNING: and BUG: of others\n"
                   "    ok 1 one\n"))
    equal(report.failed(), [], "a message that quotes is no splat")
    report = read(("a", True, "    ok 1 one\nWARNING: kernel/time/hrtimer.c:1049 at "
                   "hrtimer_forward+0x119/0x130, CPU#1: x/7\n    ok 2 two\n"))
    equal(report.failed(), [], "what known-messages explains is no splat")
    expected = "    # one: expected warnings: begin\n%s\n    # one: expected warnings: end\n"
    warn = "WARNING: CPU: 1 PID: 9 at a/b.c:7 f+0x1/0x2"
    report = read(("a", True, expected % warn + "    ok 1 one\n"))
    equal(report.failed(), [], "a warning that is expected")
    report = read(("a", True, expected % "WARNING: suspicious RCU usage" + "    ok 1 one\n"))
    equal(len(report.failed()), 1, "but no other splat is, meanwhile")
    report = read(("a", True, expected % warn + warn + "\n    ok 1 one\n"))
    equal(len(report.failed()), 1, "nor that warning afterwards")


def crashes():
    report = read(("a", True, "    ok 1 one\n"), ("b", None, "    ok 1 one\n"), planned=3,
                  tail="Kernel panic - not syncing: Segfault with no mm\n")
    equal([(c.title, c.status) for c in report.failed()], [("b.?", "crashed")],
          "a kernel that dies does so in the next case")
    equal((report.complete, report.suite, report.done_in_suite), (False, "b", 1),
          "... and is not complete")
    report = read(("b", None, "        # Subtest: p\n        ok 1 4K\n"))
    equal([c.title for c in report.failed()], ["b.p"], "a case with parameters is known by name")


# --- trees ---

def names(folder):
    return {str(p.relative_to(folder)) for p in Path(folder).rglob("*")
            if not str(p.relative_to(folder)).startswith("lib/tdp_stress/")}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def trees():
    with tempfile.TemporaryDirectory() as folder:
        tree, home = Path(folder) / "tree", Path(folder) / "home"
        for name in ("Makefile", "lib/Makefile", "lib/a.c", "lib/kunit/Kconfig", "lib/kunit/t.c",
                     "tools/testing/kunit/kunit.py", "tools/testing/kunit/configs/x.config",
                     "tools/x/y.c", "arch/x86/kvm/mmu/tdp_mmu.c", "arch/x86/kvm/mmu/spte.c"):
            write(tree / name, name + "\n")
        before = {p: p.stat().st_mtime_ns for p in tree.rglob("*")}

        shadow.make(tree, home)
        equal((home / "lib/Makefile").read_text(),
              "lib/Makefile\nobj-y += tdp_stress/kunit/\n", "a line is added to a copy")
        result((home / "arch").is_symlink() and (home / "lib/a.c").is_symlink(),
               "what does not differ is a link")
        result(not (home / "tools/testing/kunit/kunit.py").is_symlink(), "kunit.py is a copy")
        result((home / "lib/tdp_stress/kunit/Kconfig").exists(), "the project is in it")

        old = (home / "lib/Makefile").stat().st_mtime_ns
        write(home / ".kunit/.config", "mine")
        write(home / ".lock", "mine")
        write(tree / "lib/new/b.c", "b")
        (tree / "lib/a.c").unlink()
        write(tree / "lib/Makefile2", "")
        write(tree / "tools/testing/kunit/configs/y.config", "y")
        (tree / "tools/testing/kunit/configs/x.config").unlink()
        shadow.make(tree, home)
        result((home / "lib/new/b.c").exists() and (home / "lib/Makefile2").exists() and
               (home / "tools/testing/kunit/configs/y.config").exists(), "added files are followed")
        result(not os.path.lexists(home / "lib/a.c") and
               not os.path.lexists(home / "tools/testing/kunit/configs/x.config"),
               "removed files are, too")
        equal((home / "lib/Makefile").stat().st_mtime_ns, old, "what is the same is not written")
        result((home / ".kunit/.config").read_text() == "mine" and
               (home / ".lock").read_text() == "mine", "build folders and locks are left alone")

        name = "arch/x86/kvm/mmu/tdp_mmu.c"
        shadow.make(tree, home, {name: b"changed\n"})
        equal((home / name).read_text(), "changed\n", "a file is replaced")
        result((home / "arch/x86/kvm/mmu/spte.c").is_symlink(), "... but not its neighbours")
        equal((tree / name).read_text(), name + "\n", "... nor the tree's own")
        shadow.make(tree, home)
        equal((home / name).read_text(), name + "\n", "and is back afterwards")
        result((home / "arch").is_symlink(), "... with its folders")

        (tree / "lib/kunit").rename(tree / "lib/elsewhere")
        write(tree / "lib/kunit/Kconfig", "other\n")
        shadow.make(tree, home)
        equal((home / "lib/kunit/Kconfig").read_text().splitlines()[0], "other",
              "a folder that was replaced")
        result(not os.path.lexists(home / "lib/kunit/t.c"), "... with nothing of the old one")
        result(all(p.stat().st_mtime_ns == t for p, t in before.items()
                   if p.is_file() and p.name not in ("Kconfig", "t.c")),
               "the tree is never written to")


class _Tree:
    """What a build has to know of a kernel tree."""

    release = "7.3.4"

    def __init__(self, path):
        self.path = path

    def name(self):
        return "stand-in"


def failed_builds():
    """A build that fails leaves objects of what it was to have: they are not used again."""
    name = "arch/x86/kvm/mmu/tdp_mmu.c"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder + "/cache"
        tree = _Tree(Path(folder) / "tree")
        for path in ("lib/Makefile", "lib/kunit/Kconfig", "tools/testing/kunit/kunit.py", name):
            write(tree.path / path, path + "\n")
        one = uml.Uml(tree, "lockdep")
        made = one.out / "tdp_mmu.o"
        there = []

        def make(_uml, _jobs):
            there.append(made.exists())
            write(made, "of this build\n")
            write(one.out / ".tdp_mmu.o.cmd", "deps := ../%s\n" % name)
            if len(there) == 2:
                raise Problem(EXIT_BUILD, "the second one fails")
            write(one.binary, "")
            return "built"

        uml._make, kept = make, uml._make           # pylint: disable=protected-access
        uml._configure = lambda _uml, _options: write(one.out / ".config", "")
        try:
            uml.build(one, 1)
            try:
                uml.build(one, 1, {name: b"changed\n"})
            except Problem:
                pass
            uml.build(one, 1)
        finally:
            uml._make = kept
        equal(there, [False, False, False],
              "objects of what was replaced in a build that failed are made anew")


for part in (results, splats, crashes, trees, failed_builds):
    part()
plan()
