# SPDX-License-Identifier: GPL-2.0
"""The documentation: it builds without a warning, and its commands are right.

docs.py [--run SCRATCH [PATTERN...]]: without --run, seconds: Sphinx, and whether all that the
commands and literals name exists. With it every command is also run, in a clone of the
project below SCRATCH, as docs-commands says; with patterns only those that fit. Prints TAP.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import command                      # noqa: E402
from common.say import Problem                  # noqa: E402
from docs import commands, reference            # noqa: E402
import done_by                                  # noqa: E402
import documented                               # noqa: E402
import ranges                                   # noqa: E402
import run_documented                           # noqa: E402
from said import plan, result, skip             # noqa: E402

#: commands that are wrong, and a word of what is said about each
_WRONG = (
    ("make runn", "no such target"),
    ("make run DURATON=5", "no such variable"),
    ("make run DURATION=5m", "must be a number"),
    ("make run BUSY=1", "must be 0, or"),
    ("make run SPLIT=strict BACKEND=tdx", "goes with BACKEND=external"),
    ("make run OPS=punsh=3", "is no operation"),
    ("make run BACKEND=external OPS=punch=3,madvise=1", "is no operation"),
    ("make run STRESS=audit=5", "no parameter 'audit'"),
    ("make run STUB=busi=5", "no parameter 'busi'"),
    ("make run MUTANT=zap-without-rcus", "did you mean"),
    ("make run VARIANT=mirror-splitt", "no variant"),
    ("make run SCENARIO=TDX99", "no such scenario"),
    ("make kunit FILTER=frosen.*", "no such suite"),
    ("make kunit FILTER=frozen.nonsense", "no such case"),
    ("make kselftest FILTER=teardowns", "no such program"),
    ("make kselftest FILTER=teardown.by_kil", "no such test"),
    ("make matrix ONLY=TDX99*", "names nothing"),
    ("make mutants ONLY=class:nonsense", "names nothing"),
    ("make -C selftests KSRC=~/linux run_testz", "no such target"),
    ("make -C selftest run_tests", "no Makefile"),
    ("TDP_STRESS_KILL=20 make kselftest", "no such variable"),
    ("insmod tdp_stress.ko audit=5", "no parameter 'audit'"),
    ("insmod tdp_stress.ko plant=Q9", "is no invariant"),
    ("insmod tdpstress.ko", "no module"),
    ("tdp-stress --durations 60", "no option"),
    ("tdp-stress --duration 60 --ops punsh=1", "is no operation"),
    ("tdp-judge --jason trace.txt", "no option"),
    ("cat /sys/kernel/debug/tdp_stress/verdicts", "no such file"),
    ("dkms add tdp_stress/0.0", "the version is"),
    ("apt-get install ../tdp-stress-dkms_0.0_all.deb", "the version is"),
    ("sh selftests/system/nonsense.sh", "no such file"),
    ("git rebase -x 'make -C ~/tdp_stress kunitt KSRC=$PWD' v7.3", "no such target"),
    ("git bisect run sh -c 'KSRK=$PWD sh ~/tdp_stress/scripts/python.sh kunit'",
     "no such variable"),
    ("git bisect run sh -c 'sh ~/tdp_stress/scripts/python.sh kunitt'", "no such script"),
    ("tools/testing/kunit/kunit.py run --kunitconfig=lib/tdp_stress/kunits", "not there"),
    ("dkms instal tdp_stress", "no action"),
    ("dkms install tdp-stress/%s" % documented.version(), "is of tdp_stress"),
    ("apt instal linux-source-7.3", "no action"),
    ("apt install linux-headers-$(uname -r) linux-source-6.1", "not supported"),
    ("apt install -t trixie-backport linux-source-7.3", "in that suite"),
    ("tdp-judge selftests/judge/traces/nonsense.txt", "no such file"),
)
_WRONG_LITERALS = (
    ("DURATON=", "no such variable"),
    ("torture/opps.c", "no such file"),
    ("nonsense.rst", "no such file"),
    ("/sys/kernel/debug/tdx_stub/stat", "no such file"),
    ("tdpstress.ko", "no module"),
    ("--- End of tests: SUCCESS", "no such line"),
)
#: tests, what they are said to run, and a word of why they do not
_WRONG_ROWS = (
    ("selftests/system/nonsense.py", "make report RUN=run/latest", "no such file"),
    ("selftests/system/png.py", "make report RUN=run/latest", "make check does not run it"),
    # it speaks of it, and calls a function of it
    ("selftests/system/versions.py", "make versions KSRC=~/linux", "no make versions in"),
    ("selftests/system/campaign_hosts.py", "make campaign SEEDS=2 KERNELS=7.2", "no KERNELS in"),
    ("scripts/qemu/guest/run.sh", "insmod tdx_stub.ko", "no tdx_stub.ko in"),
    ("scripts/qemu/guest/lib.sh", "modprobe kvm-intel tdx=1 ept=0", "no ept in"),
    ("selftests/system/package.py", "tdp-judge --json trace.txt", "no --json in"),
    ("selftests/system/package.py", "dkms remove tdp_stress/0.3", "no remove in"),
)


def _is_caught():
    """These checks can fail."""
    for text, words in _WRONG:
        said = documented.wrong(commands.Command("here", 1, text, False))
        result(any(words in s for s in said), "refused: %s" % text,
               "wanted: %s; said: %s" % (words, said))
    for text, words in _WRONG_LITERALS:
        said = documented.wrong_literal(text)
        result(any(words in s for s in said), "refused: ``%s``" % text,
               "wanted: %s; said: %s" % (words, said))
    for name, text, words in _WRONG_ROWS:
        said = done_by.wrong(name, [commands.Command("page.rst", 1, text, False)])
        result(said and words in said, "refused: %s | %s" % (text, name),
               "wanted: %s; said: %s" % (words, said))
    for good, text in ((True, "F1: FROZEN_SPTE at rest in a mirror root, gfn 0x18 level 1"),
                       (False, "F1: FROZEN_SPTE at peace in a mirror root, gfn 0x18 level 1")):
        _, unsaid = documented.examples("tdp_stress: %s, by w0:map/1 (mmu_lock read)" % text)
        result(good != bool(unsaid), "%s: %s" % ("a message" if good else "refused", text), unsaid)
    rows = ranges.numbers('\t.depth = 3,\n\t[DEPTH] = { "depth", "pages", &p.depth, 0, 9 },\n')
    for good, text in ((True, "in pages, 0 to 9 (default 3)"), (True, "1 to 9; 0: no (default 3)"),
                       (False, "0 to 99 (default 3)"), (False, "2 to 9; 0: no (default 3)"),
                       (False, "0 to 9 (default 30)"), (False, "0 to 9")):
        said = ranges.differences(rows, {"depth": text})
        result(good != bool(said), "%s: depth: %s" % ("a description" if good else "refused", text),
               *said)
    said = ranges.of_judge('limit("retry-max", optarg, 10, 99)', {"retry_max": (("10", "9"), "1")})
    result(any("retry-max" in s for s in said), "refused: a limit that is not tdp_stress's", *said)
    with tempfile.TemporaryDirectory(dir=REPO / "build") as folder:
        page = Path(folder) / "page.rst"
        page.write_text("Do::\n\n  make help   # a comment\n  mkae run\n\n"
                        "and ``make run DURATION=5``::\n\n  a picture\n  make nothing of it\n")
        read = commands.Page(page)
        result([c.text for c in read.commands] == ["make help", "make run DURATION=5"] and
               read.bad == [(4, "mkae run")], "commands are found, and what is none among them",
               read.commands, read.bad)
        page.write_text("It does::\n\n  $ make help\n  make what it prints\n  $ mkae run\n")
        read = commands.Page(page)
        result([c.text for c in read.sessions] == ["make help"] and not read.commands and
               read.bad == [(5, "mkae run")], "commands are found among what they print",
               read.sessions, read.commands, read.bad)
        page = page.with_name("README.Debian")
        page.write_text("It says \"--- End: X\" (make runn),\nKSRK=FOLDER or a.ko. As root:\n\n"
                        "    dkms install tdp_stress\n\nSupported are Linux 2.6.1 and 7.3.\n")
        read = commands.Page(page)
        result([c.text for c in read.commands] == ["dkms install tdp_stress", "make runn"] and
               [t for _, t in read.literals] == ["--- End: X", "make runn", "KSRK=FOLDER", "a.ko"],
               "commands and literals are found where nothing marks them", read.commands,
               read.literals)
        result(documented.supported(page.read_text()), "refused: kernels that are not supported")


def _builds():
    """Sphinx, by make's own command: a warning fails."""
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
    p = subprocess.run(["make", "-C", str(REPO), "docs"], env=env, text=True, timeout=600,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    bad = subprocess.run(["make", "-C", str(REPO), "docs", "KSRC=/nonexistent"], env=env, text=True,
                         timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, check=False)
    result("KSRC=/nonexistent: not a kernel tree" in bad.stdout or p.returncode == 3,
           "make docs refuses a KSRC that is no kernel tree", *bad.stdout.splitlines()[-4:])
    if p.returncode == 3:
        skip("make docs, without a warning", p.stdout.splitlines()[-2])
    else:
        result(p.returncode == 0, "make docs, without a warning", *p.stdout.splitlines()[-12:])


def _pages(pages):
    """One result for each page."""
    for page in pages:
        said = ["%s:%d: no command, among commands: %s" % (page.name, n, t) for n, t in page.bad]
        for command in page.commands + page.sessions:
            said += ["%s:%d: %s: %s" % (page.name, command.line, command.text, w)
                     for w in documented.wrong(command)]
        for number, text in page.literals:
            said += ["%s:%d: ``%s``: %s" % (page.name, number, text, w)
                     for w in documented.wrong_literal(text)]
        lines, unsaid = documented.examples(" ".join(page.blocks))
        said += ["%s: %s" % (page.name, u) for u in unsaid]
        if page.path.suffix == ".Debian":
            said += documented.supported(page.path.read_text(encoding="utf-8"))
        result(not said, "%s: %d commands, %d literals, %d messages are as in the source" % (
            page.name, len(page.commands + page.sessions), len(page.literals), lines), *said)
    said = ranges.wrong()
    result(not said, "descriptions of parameters have their range and default", *said)
    lost = documented.missing()
    result(not lost, "all invariants and operations of the source are told of", *lost)


def _kernel_doc():
    """What is said of functions and structures is about those that there are."""
    title = "kernel-doc has no complaint"
    program = reference.kernel_doc(None)
    if not program:
        skip(title, "no kernel tree, which has kernel-doc, is in the cache")
        return
    with tempfile.NamedTemporaryFile("w", suffix=".c") as wrong:
        wrong.write("/**\n * f() - nothing\n * @b: what it has not\n */\nvoid f(int a)\n{\n}\n")
        wrong.flush()
        result(_complaints(program, [wrong.name]), "kernel-doc sees what is not described")
    files = [p for room in ("tdp_stress", "kunit", "selftests")
             for p in sorted((REPO / room).rglob("*.[ch]"))]
    found = _complaints(program, files)
    result(files and not found, title, *found[:20])


def _complaints(program, files):
    _, _, said = command.output([*program, "-none", "-Wall", *files])
    return [l for l in said.splitlines() if "arning" in l or "rror" in l]


def _table(pages):
    """Every command is run, or the table says why not; every line is about some command."""
    rows = run_documented.rows()
    todo = run_documented.todo(rows, pages)
    lost = ["%s:%d: %s" % (c.path, c.line, c.text) for c, row in todo if row is None]
    result(not lost, "docs-commands says how each command is run", *lost)
    used = {row for _, row in todo}
    idle = ["line %d: %s" % (r.number, r.pattern) for r in rows if r not in used]
    result(not idle, "docs-commands has no line for what is not there any more", *idle)
    wrong = [run_documented.wrong(r, [c for c, row in todo if row is r]) for r in rows]
    result(not any(wrong), "docs-commands names tests that do it, variables and reasons that there "
           "are", *filter(None, wrong))
    return [(c, row) for c, row in todo if row]


def main():
    if sys.argv[1:] and (sys.argv[1] != "--run" or len(sys.argv) < 3):
        print("usage: docs.py [--run SCRATCH [PATTERN...]]")
        return 2
    (REPO / "build").mkdir(exist_ok=True)
    try:
        _is_caught()
        pages = commands.pages()
        _pages(pages)
        todo = _table(pages)
        _kernel_doc()
        _builds()
        if sys.argv[1:]:
            wanted = sys.argv[3:] or ["*"]
            run_documented.every([t for t in todo if any(run_documented.fits(w, t[0].text)
                                                         for w in wanted)], Path(sys.argv[2]))
    except Problem as problem:
        result(False, "what the source says can be read", problem.line)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
