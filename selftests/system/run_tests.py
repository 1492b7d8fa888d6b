# SPDX-License-Identifier: GPL-2.0
"""The kselftests as a kernel CI runs them: run_tests, install, run_kselftest.sh, kunit.py.

run_tests.py TREE [HEADERS]: @TREE is a kernel's source, @HEADERS its headers for user
space (usr/include after "make headers"). On a machine without /dev/tdp_stress, as most
are, every test has to be a SKIP with its reason. Prints TAP. Knows what kselftest's own
tools print; must not know what is tested.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from said import plan, result, skip

REPO = Path(__file__).resolve().parents[2]
PROGRAMS = sorted(p.stem for p in (REPO / "selftests/kselftest").glob("*.c"))
#: what a machine lacks, in the programs' words
REASONS = ("not root", "tdp_stress.ko is not loaded")
COLLECTION = "tdp_stress"


def run(*argv, cwd=None, text=None):
    """(exit code, what it printed)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "TDP_"))
           and k not in ("KSRC", "KVER", "O", "V")}
    p = subprocess.run([str(a) for a in argv], cwd=cwd, input=text, env=env, timeout=900,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


def last(text, count=5):
    return text.splitlines()[-count:]


def tops(text):
    """{program: how it went} of what runner.sh says."""
    return {m.group(2): (m.group(1) or "") + "ok" + (m.group(3) or "") for m in re.finditer(
        r"^(not )?ok \d+ selftests: \S+: (\w+)( # SKIP)?$", text, re.M)}


def within(text):
    """{program: [results]} of what runner.sh repeats of each program."""
    found, name = {}, None
    for line in text.splitlines():
        m = re.match(r"# selftests: \S+: (\w+)$", line)
        if m:
            name = m.group(1)
            found[name] = []
        elif name and re.match(r"# (not )?ok \d+ ", line):
            found[name].append(line[2:])
    return found


def all_skipped(text, title):
    """Every program, and every test in it, is a SKIP that says why."""
    results = tops(text)
    result(sorted(results) == PROGRAMS and set(results.values()) == {"ok # SKIP"},
           "%s: each of %d programs is a SKIP" % (title, len(PROGRAMS)),
           *("%s: %s" % (n, results.get(n, "not there")) for n in PROGRAMS
             if results.get(n) != "ok # SKIP"))
    strange = [line for lines in within(text).values() for line in lines
               if not re.match(r"ok \d+ \S+ # SKIP (%s)$" % "|".join(map(re.escape, REASONS)),
                               line)]
    count = sum(map(len, within(text).values()))
    result(count > len(PROGRAMS) and not strange,
           "%s: each of %d tests is a SKIP with its reason" % (title, count), *strange[:5])


def kunit(tree, text):
    """(its exit code, {what: how many}) of kunit.py parse."""
    code, said = run(sys.executable, "-B", tree / "tools/testing/kunit/kunit.py", "parse",
                     text=text)
    m = re.search(r"Testing complete\. Ran (\d+) tests: (.*)", re.sub(r"\x1b\[[\d;]*m", "", said))
    if not m:
        return code, {"said": said[-300:]}
    return code, {**{w: int(n) for w, n in re.findall(r"(\w+): (\d+)", m.group(2))},
                  "ran": int(m.group(1))}


def install(tree, make, top):
    """What is installed, beside kselftest's own runner."""
    code, said = run(*make, "INSTALL_PATH=%s" % (top / COLLECTION), "install")
    result(not code and all((top / COLLECTION / n).exists() for n in
                            (*PROGRAMS, "config", "settings")),
           "install: programs, config and settings are there", *last(said))
    code, said = run("make", "-s", "-C", REPO / "selftests/kselftest", "COLLECTION=" + COLLECTION,
                     "KSRC=%s" % tree, "OUTPUT=%s" % (top / "nothing"), "emit_tests")
    (top / "kselftest-list.txt").write_text(said)
    result(not code and sorted(said.split()) == ["%s:%s" % (COLLECTION, n) for n in PROGRAMS],
           "emit_tests: the list for run_kselftest.sh", *last(said))
    shutil.copy(tree / "tools/testing/selftests/run_kselftest.sh", top)
    shutil.copytree(tree / "tools/testing/selftests/kselftest", top / "kselftest")
    return run("sh", top / "run_kselftest.sh", "-c", COLLECTION, cwd=top)


def parsed(tree, top):
    """A program's TAP is what kunit.py reads; one failure in it is a failure."""
    for name in PROGRAMS:
        code, said = run(top / COLLECTION / name)
        if code != 4:
            result(False, "%s: exit code 4" % name, "%d" % code, *last(said))
            return
        tests = len(re.findall(r"^ok \d+ ", said, re.M))
        code, count = kunit(tree, said)
        if count != {"skipped": tests, "ran": tests}:
            result(False, "kunit.py parse: %s" % name, "%d tests, it counts %r" % (tests, count))
            return
    result(True, "kunit.py parse: it counts as many tests in each program as that has run")
    code, count = kunit(tree, re.sub(r"^ok (1 \S+) # SKIP .*$", r"not ok \1", said, flags=re.M))
    result(code and count.get("failed") == 1 and count.get("ran") == tests,
           "kunit.py parse: a failure is one", "exit code %d, it counts %r" % (code, count))


def main():
    if len(sys.argv) not in (2, 3) or not Path(sys.argv[1], "tools/testing/selftests").is_dir():
        print("usage: run_tests.py TREE [HEADERS]: a kernel's source", file=sys.stderr)
        sys.exit(2)
    tree = Path(sys.argv[1]).resolve()
    titles = ["run_tests", "install, run_kselftest.sh, kunit.py"]
    if Path("/dev/tdp_stress").exists():
        for title in titles:
            skip(title, "this machine has /dev/tdp_stress: the tests would be run")
        plan()
        return
    with tempfile.TemporaryDirectory() as top:
        top = Path(top)
        make = ["make", "-s", "-C", REPO / "selftests", "KSRC=%s" % tree, "O=%s" % (top / "out")]
        make += ["KHDR=%s" % Path(sys.argv[2]).resolve()] if sys.argv[2:] else []
        code, said = run(*make, "-j%d" % len(os.sched_getaffinity(0)), "run_tests")
        result(not code, "run_tests: exit code 0", "%d" % code, *last(said))
        all_skipped(said, "run_tests")
        if not shutil.which("rsync"):
            skip(titles[1], "kselftest's lib.mk installs with rsync, which is not here")
        else:
            code, said = install(tree, make, top)
            result(not code, "run_kselftest.sh: exit code 0", "%d" % code, *last(said))
            all_skipped(said, "run_kselftest.sh")
            code, count = kunit(tree, said)
            result(count == {"skipped": len(PROGRAMS), "ran": len(PROGRAMS)},
                   "kunit.py parse: run_kselftest.sh's own results", "it counts %r" % count)
            parsed(tree, top)
    plan()


if __name__ == "__main__":
    main()
