# SPDX-License-Identifier: GPL-2.0
"""Runs a UML kernel until its suites are done, or it is of no use to wait longer.

Knows UML's command line; must not know how results are read.
"""

import concurrent.futures
import fnmatch
import os
import re
import resource
import shutil
import time

from common import cache, command
from common.say import Step

#: races need more than one CPU, and those need seccomp; each case waits for RCU a few
#: times, whose threads otherwise look every 30 ms or so
_ARGS = ("mem=1G", "ncpus=4", "seccomp=on", "console=tty", "kunit_shutdown=halt",
         "kunit.enable=1", "rcutree.jiffies_till_first_fqs=0", "rcutree.jiffies_till_next_fqs=1")
#: all suites in parts of about the same length, side by side: cases mostly wait
_PARTS = ("tdp_mmu_[!s-z]*", "tdp_mmu_[s-z]*", "td[px]_s*")
_NEED_MIB = 1200
#: of a CPU's thread, which with its guard page is 8 MiB then, and aligned by the host:
#: UML walks a stack up to the next multiple of its own stacks' size, mapped or not
STACK = (8 << 20) - resource.getpagesize()
#: a case that prints nothing for so long hangs; KUnit itself gives one 300 s
_SILENT = 400
_LONGEST = 3600
#: with a bug planted: it is here to do harm, and one failure is enough
_PLANTED_SILENT = 120
_PLANTED_LONGEST = 600
_PLANTED_GRACE = 8
#: why of a Boot that was ended then
ENOUGH = "a case has failed"
_FAILED = re.compile(r" {4,}not ok ")


class Boot:
    """What came of one boot."""

    def __init__(self, raw, code, seconds, why):
        self.raw = raw              # what it has printed
        self.code = code
        self.seconds = seconds
        self.why = why              # it was ended by force: why; else ""


def command_line(uml, pattern=None, more=()):
    argv = [str(uml.binary), *_ARGS, *more]
    if pattern:
        argv.append("kunit.filter_glob=%s" % pattern)
    return argv


def environment(folder):
    """UML keeps its memory in a file: where there is room for it."""
    for where in ("/dev/shm", os.environ.get("TMPDIR", "/tmp"), str(cache.root())):
        try:
            if os.access(where, os.W_OK) and not os.statvfs(where).f_flag & os.ST_NOEXEC and \
                    shutil.disk_usage(where).free >> 20 > _NEED_MIB:
                break
        except OSError:
            pass
    return command.environment({"TMPDIR": where, "HOME": str(folder)})


def limit_stack():
    """Called in the child that becomes UML."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    if hard == resource.RLIM_INFINITY or hard >= STACK:
        resource.setrlimit(resource.RLIMIT_STACK, (STACK, hard))


def parts(suites):
    """Patterns that together are all @suites, each once."""
    if all(sum(fnmatch.fnmatchcase(s, p) for p in _PARTS) == 1 for s in suites):
        return _PARTS
    return (None,)


def run_parts(uml, folder, patterns, planted=False):
    """Boot @uml once for each pattern, all at the same time; a list of Boots.

    @planted: there is a bug in it; not all has to be run once something has failed.
    """
    step = Step("run the suites")
    ending, halt = [] if planted else None, []
    with concurrent.futures.ThreadPoolExecutor(len(patterns)) as pool:
        try:
            boots = list(pool.map(lambda n: run(uml, folder, folder / ("raw-%d.log" % n),
                                                patterns[n], step=step, ending=ending, halt=halt),
                                  range(len(patterns))))
        except BaseException:
            # the pool waits for all of them: Ctrl-C has to reach them, too
            halt.append(True)
            raise
    step.done("; ".join(sorted({b.why or "exit code %d" % b.code for b in boots})))
    return boots


def run(uml, folder, raw, pattern=None, more=(), what="run the suites", step=None, ending=None,
        halt=()):
    """Boot @uml, its console into the file @raw; returns a Boot.

    @step: somebody else's. @ending: a list, with a bug planted: gets the time of the first
    failure, by which all who share it end. @halt: not empty: nobody waits for this any more.
    """
    silent = _SILENT if ending is None else _PLANTED_SILENT
    longest = _LONGEST if ending is None else _PLANTED_LONGEST
    shared = step
    step = shared or Step(what)
    start = time.monotonic()
    seen = [start, ""]          # when something was printed last, and by which suite

    def line(text):
        seen[0] = time.monotonic()
        if "# Subtest: " in text and text.startswith("    #"):
            seen[1] = text.split(": ", 1)[1]
        if ending is not None and not ending and _FAILED.match(text):
            ending.append(seen[0])

    class Silent(Exception):
        pass

    class Enough(Exception):
        pass

    def tick():
        if halt:
            raise KeyboardInterrupt
        step.progress(seen[1] or "booting")
        if time.monotonic() - seen[0] > silent:
            raise Silent
        if ending and time.monotonic() - ending[0] > _PLANTED_GRACE:
            raise Enough

    raw.write_text("")
    why = ""
    try:
        code = command.logged(command_line(uml, pattern, more), raw, line, tick, longest,
                              env=environment(folder), cwd=folder,
                              preexec_fn=limit_stack)
        if code == -1:
            why = "not finished after %d s" % longest
    except Silent:
        code, why = -1, "nothing printed for %d s" % silent
    except Enough:
        code, why = -1, ENOUGH
    seconds = time.monotonic() - start
    if not shared:
        step.done(why or "exit code %d" % code)
    return Boot(raw, code, seconds, why)
