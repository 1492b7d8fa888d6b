# SPDX-License-Identifier: GPL-2.0
"""From what a guest left behind to one verdict.

Knows the files of Documentation/architecture.rst ("Interfaces") and what each
of them has to say in a good run; must not know how the guest was run. Whatever
is missing counts against the run: silence is never success.
"""

import json
import re

from common import signature
from common.say import EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS, EXIT_USAGE
from qemu import dmesg

SUCCESS, FAILURE, UNSUPPORTED = "SUCCESS", "FAILURE", "UNSUPPORTED"

#: so much memory may be in slabs of the kernel's own after a run; 1 MiB is usual
_LEAK_KIB = 4 << 10
#: how insmod and tdp_stress say that a parameter's value is wrong
BAD_PARAMETER = re.compile(r"Invalid (?:argument|parameters): (tdp_stress: [a-z0-9_]+(?:=\S*)?: .*)")

_TIME = re.compile(r"^(?:<\d+>)?\[\s*([\d.]+)\]\S* (.*)", re.M)
#: what says that something was found
_FOUND = re.compile(signature.SAID.pattern + r"|^WARNING: |^BUG: |Kernel panic")


class Verdict:
    """@word and, best first, the @reasons for it."""

    def __init__(self):
        self.reasons = []
        self.unsupported = []
        self.ids = []
        self.unexplained = []
        self.usage = False

    @property
    def word(self):
        if self.reasons:
            return FAILURE
        return UNSUPPORTED if self.unsupported else SUCCESS

    @property
    def exit_code(self):
        if self.usage:
            return EXIT_USAGE
        return {SUCCESS: EXIT_PASS, FAILURE: EXIT_FAILURE,
                UNSUPPORTED: EXIT_ENVIRONMENT}[self.word]

    @property
    def reason(self):
        return "; ".join(self.reasons or self.unsupported)


def counters(text):
    """{name: number} of a stats file."""
    found = {}
    for line in (text or "").splitlines():
        name, _, value = line.partition(" ")
        try:
            found[name] = int(value.strip().split()[0], 0)
        except (ValueError, IndexError):
            continue
    return found


def driver_summary(files):
    try:
        return json.loads(files.get("driver.json", ""))
    except ValueError:
        return {}


def stress(verdict, files):
    """What tdp_stress says, and whether it looked at anything at all."""
    words = files.get("stress.verdict", "").strip()
    m = re.match(r"FAILURE: (.*)", words)
    if m:
        verdict.ids = re.findall(r"[A-Z]+[0-9]*", m.group(1))
        first = files.get("stress.violations", "").strip().splitlines()
        verdict.reasons.append("violated: %s%s" % (m.group(1), " (%s)" % first[0] if first else ""))
    elif words.startswith("UNSUPPORTED"):
        verdict.unsupported.append(words.partition(": ")[2])
    elif words != "SUCCESS":
        verdict.reasons.append("tdp_stress gave no verdict")
    if words == "SUCCESS":
        stats = counters(files.get("stress.stats"))
        checks = {n: v for n, v in stats.items() if n.startswith("check.")}
        if not any(checks.values()):
            verdict.reasons.append("tdp_stress checked nothing")


def driver(verdict, outcome):
    codes = outcome.words("driver")
    if not codes:
        verdict.reasons.append("the driver was not run")
        return
    code = int(codes[0])
    log = [l for l in outcome.files.get("driver.log", "").splitlines() if l.strip()]
    last = log[-1] if log else "no output"
    if code == 124:
        verdict.reasons.append("the driver did not end in time")
    elif code == 2:
        verdict.usage = True
        verdict.reasons.append("bad usage of the driver: %s" % last)
    elif code == 3:
        verdict.unsupported.append("the driver: %s" % last)
    elif code:
        verdict.reasons.append("the driver ended with %d: %s" % (code, last))


def met(files):
    """How often two threads were in each other's way."""
    return sum(n for name, n in counters(files.get("stress.stats")).items()
               if name.startswith("meet."))


def operations(files):
    """The rows of the table of operations: {(name, root, level): {column: number}}."""
    lines = files.get("stress.ops", "").splitlines()
    columns = lines[0].lstrip("# ").split() if lines else []
    rows = {}
    for line in lines[1:]:
        if line.strip() and not line.startswith("#"):
            row = dict(zip(columns, line.split()))
            key = tuple(row.pop(n, "-") for n in ("name", "root", "level"))
            rows[key] = {n: int(v) for n, v in row.items() if v.isdigit()}
    return rows


def not_run(files):
    """Operations that this run could not do: {"name root level": why}."""
    found = re.findall(r"^# not run: (\S+ \S+ \S+): (.*)$", files.get("stress.ops", ""), re.M)
    return dict(found)


def module_counters(files):
    """Counters of the emulated TDX module, whichever backend it was part of."""
    stub = counters(files.get("stub.stats"))
    return stub or {n[len("tdx."):]: v for n, v in counters(files.get("stress.stats")).items()
                    if n.startswith("tdx.")}


def _judge_torture(verdict, outcome):
    """The workers inside the kernel: did they work, and did they come to an end?"""
    codes = outcome.words("torture")
    if not codes:
        verdict.reasons.append("the workers were never waited for")
    elif codes[0] != "0":
        verdict.reasons.append("the workers did not end in time (%s)" %
                               outcome.files.get("stress.state", "no state").strip())
    if not any(row.get("calls") for row in operations(outcome.files).values()):
        verdict.reasons.append("no operation was run")
    for line in outcome.words("memory"):
        before, after = map(int, line.split())
        if before - after > _LEAK_KIB:
            verdict.reasons.append("%d MiB less are free than before the test" %
                                   ((before - after) >> 10))


def _judge_module(verdict, files):
    """Every page that a TD owned has to be back."""
    stats = module_counters(files)
    if not stats:
        verdict.reasons.append("the emulated TDX module left no statistics")
        return
    if stats.get("td.live", 0) or stats.get("vcpu.live", 0):
        verdict.reasons.append("%d TD(s) and %d vCPU(s) of the TDX module outlive the test" %
                               (stats.get("td.live", 0), stats.get("vcpu.live", 0)))
    left = ["%s %d" % (n, v) for n, v in stats.items()
            if n.startswith("pamt.") and v]
    if left:
        verdict.reasons.append("the PAMT is not empty at the end: " + ", ".join(left))


def judge(outcome):
    """The Verdict on a guest that ran the job of one of the backends."""
    verdict = Verdict()
    if outcome.end == "killed":
        verdict.unsupported.append(outcome.why)
        return verdict
    if outcome.end != "finished":
        verdict.reasons.append("the guest %s: %s" % (outcome.end, outcome.why))
    failed = outcome.words("fail")
    tdx, external = outcome.words("vmx"), outcome.words("cpu")
    if tdx or external:                 # sent once everything is loaded
        stress(verdict, outcome.files)
        if tdx:
            driver(verdict, outcome)
        else:
            _judge_torture(verdict, outcome)
        if outcome.end == "finished":
            _judge_module(verdict, outcome.files)
        verdict.reasons += ["step failed: " + f for f in failed]
    elif outcome.end == "finished":
        bad = [m.group(1).strip() for m in map(BAD_PARAMETER.search, failed) if m]
        verdict.usage = bool(bad)
        verdict.unsupported += bad or failed or ["the modules were not loaded"]
    if "dmesg" in outcome.files:
        stats = counters(outcome.files.get("stress.stats"))
        verdict.unexplained = dmesg.unexplained(outcome.files["dmesg"],
                                                stats.get("refused.splats", 0))
        if not (tdx or external) and verdict.unsupported:
            verdict.unexplained = []    # a module that refuses says so at error level
        if verdict.unexplained:
            verdict.reasons.append("%d unexplained kernel message(s), first: %s" %
                                   (len(verdict.unexplained), verdict.unexplained[0]))
    elif outcome.end == "finished":
        verdict.reasons.append("the kernel log did not arrive")
    return verdict


def console(folder):
    """What a machine's console said."""
    return (folder / "console.log").read_text(errors="replace").replace("\r", "")


def found_after(verdict, outcome, folder):
    """Seconds from the beginning to the first sign of a bug; None: there was none."""
    if verdict.word != FAILURE:
        return None
    begun = None
    for seconds, line in _TIME.findall(outcome.files.get("dmesg") or console(folder)):
        if "watching KVM" in line:
            begun = float(seconds)
        elif begun is not None and _FOUND.search(line):
            return round(float(seconds) - begun, 2)
    return None
