# SPDX-License-Identifier: GPL-2.0
"""make bench: what the oracles, tracing and the debug kernel cost, and an edit.

Knows which figures are compared; the guest measures them. Figures of one run
are comparable with each other, those of two runs only if nothing else used
the machine: each table says what it was measured on.
"""

import copy
import json
import os
import time

from common import command
from common.say import EXIT_FAILURE, EXIT_PASS, Step, main, say
from common.settings import Values, memory_mib
from qemu import judge, machine, session, setup
from uml import stress as in_uml

FLAVOURS = ("plain", "lockdep")
#: runs of the driver in one guest: 2 numbers of vCPUs, without oracles, with, traced
_RUNS = 6
_MEMORY_MIB = (64, 512)
_TARGET_CYCLES = 8000
_TARGET_RATIO = 2.0
#: harmless edits of tdp_mmu.c: the first, not measured, finds all else built
_EDITS = ("rename-static", "reorder-checks")
#: what is asked for a verdict after an edit: script, its variables
_VERDICTS = {
    "KUnit in UML": ("kunit", {}),
    "KUnit in QEMU": ("kunit", {"WHERE": "qemu"}),
    "stress in UML": ("run", {"WHERE": "uml"}),
    "stress, tdx.c": ("run", {"BACKEND": "tdx"}),
    "stress, external": ("run", {"BACKEND": "external"}),
}
_STRESS_SECONDS = 20
#: where the clock counts instructions nothing varies, and a second takes several
_COUNTED_SECONDS = 2
_TARGET_EDIT = 60


def _boot(values, what, prepared, where, memory_mib):
    """Boot a guest for the job bench, read what it says of cycles."""
    kernel, built = prepared
    folder = session.new_folder(values, "bench-%s-" % what.replace(", ", "-"))
    guest = session.Session(values, kernel, built, where, folder)
    params = setup.job_params(values)
    # nothing injected, no lock held longer than its work: what KVM and we cost
    params.update(STUB_PARAMS=values.stub or "", MEMORY_MIB=" ".join(map(str, memory_mib)))
    seconds = (_RUNS + len(memory_mib)) * values.duration
    step = Step("measure tdx.c with the kernel %s (%d s of the guest's)" % (what, seconds))
    outcome = guest.boot("bench", params, seconds + 10 * _RUNS,
                         on_message=lambda word, rest: word in ("bench", "memory") and
                         step.progress(word + " " + rest))
    step.done(outcome.end)
    cycles, memory, bad = {}, {}, list(outcome.words("fail"))
    for line in outcome.words("bench"):
        oracles, vcpus, code = line.split()
        try:
            data = json.loads(outcome.files["bench.%s.%s" % (oracles, vcpus)])
            cycles[(oracles, int(vcpus))] = data["cycles_per_second"]
        except (KeyError, ValueError):
            pass
        if code != "0":
            bad.append("bench with oracles %s, %s vCPU(s): the driver ended with %s" %
                       (oracles, vcpus, code))
    for line in outcome.words("memory"):
        mib, stub, stress, code = map(int, line.split())
        if code == 0:
            memory[mib] = (stub, stress)
        else:
            bad.append("memory with %d MiB: the driver ended with %d" % (mib, code))
    verdict = outcome.files.get("stress.verdict", "").strip()
    if outcome.end != "finished":
        bad.append("the guest %s: %s (files: %s)" % (outcome.end, outcome.why, folder))
    elif verdict != "SUCCESS":
        bad.append("tdp_stress: %s" % (verdict or "no verdict"))
    return cycles, memory, ["%s: %s" % (what, b) for b in bad]


def measure(values, flavour, where):
    """{(oracles, vcpus): cycles per second}, the same by a clock that counts instructions,
    {MiB of a TD: bytes}, and what went wrong.
    """
    prepared = setup.prepare(values, flavour)
    where = where or setup.get_machine(values, prepared[0])
    cycles, memory, bad = _boot(values, flavour, prepared, where, _MEMORY_MIB)
    counted = {}
    if where.kind == "qemu":
        few = copy.copy(values)
        few.duration = _COUNTED_SECONDS
        counted, _, wrong = _boot(few, flavour + ", counted", prepared, where.counting(), ())
        bad += wrong
    return cycles, counted, memory, bad, where


def _rate(value):
    return "%.0f" % value if value else "n/a"


def _ratio(a, b):
    return "%.2f" % (a / b) if a and b else "n/a"


def _starter(values, where):
    """What boots the stress tester for (values, folder), built once; returns the Outcome."""
    if where == "uml":
        kernel = in_uml.prepare(values, setup.get_tree(values))
        return lambda one, folder: in_uml.start(one, kernel, folder)
    kernel, built = setup.prepare(values)
    place = setup.get_machine(values, kernel)
    return lambda one, folder: setup.stress(session.Session(one, kernel, built, place, folder), one)


def measure_operations(values, flavour, where):
    """{oracles: operations per second} on direct and mirror roots, and what went wrong;
    @where: "qemu" (the external backend) or "uml".
    """
    values = values.external(flavour=flavour, where=where)
    boot = _starter(values, where)
    rates, bad = {}, []
    for oracles, parameter in (("off", "oracles=none"), ("on", "oracles=all")):
        folder = session.new_folder(values, "bench-%s-%s-%s-" % (where, flavour, oracles))
        one = copy.copy(values)
        one.stress = " ".join(filter(None, (values.stress, parameter)))
        step = Step("measure operations, %s, %s kernel, oracles %s" % (where, flavour, oracles))
        outcome = boot(one, folder)
        step.done(outcome.end)
        calls = sum(row.get("calls", 0) for row in judge.operations(outcome.files).values())
        rates[oracles] = calls / one.duration
        if outcome.end != "finished" or not calls:
            bad.append("operations, %s, oracles %s: the guest %s: %s (files: %s)" % (
                where, oracles, outcome.end, outcome.why, folder))
    return rates, bad


def print_operations(rates):
    say("operations per second, direct and mirror roots (all of them, weights as they are)")
    say("  %-8s %-8s %12s %12s %10s" % ("where", "kernel", "oracles off", "oracles on", "off / on"))
    for (where, flavour), found in rates.items():
        off, on = (found.get(o) for o in ("off", "on"))
        say("  %-8s %-8s %12s %12s %10s" % (where, flavour, _rate(off), _rate(on), _ratio(off, on)))


def _print_by_vcpus(cycles, show, cost, cost_traced):
    """@show: of cycles per second; @cost, @cost_traced: what the ratios are called."""
    say("  %-8s %6s %12s %12s %10s %12s %12s" % (
        "kernel", "vCPUs", "oracles off", "oracles on", cost, "and traced", cost_traced))
    for flavour in FLAVOURS:
        for vcpus in (1, 2):
            off, on, traced = (cycles[flavour].get((o, vcpus)) for o in ("off", "on", "traced"))
            say("  %-8s %6d %12s %12s %10s %12s %12s" % (
                flavour, vcpus, show(off), show(on), _ratio(off, on), show(traced),
                _ratio(on, traced)))


def print_cycles(cycles):
    say("private map+unmap cycles per second, tdx.c")
    _print_by_vcpus(cycles, _rate, "off / on", "on / traced")
    for vcpus in (1, 2):
        say("  plain / lockdep, %d vCPU(s): oracles off %s, on %s" % (
            vcpus, *(_ratio(cycles["plain"].get((o, vcpus)), cycles["lockdep"].get((o, vcpus)))
                     for o in ("off", "on"))))


def _thousands(per_second):
    return "%.1f" % (machine.INSTRUCTIONS_PER_SECOND / per_second / 1000) if per_second else "n/a"


def print_counted(cycles):
    say("thousands of instructions per private map+unmap cycle, tdx.c (a clock that counts them: "
        "no other job changes it, no CPU waits for another)")
    _print_by_vcpus(cycles, _thousands, "on / off", "traced / on")


def print_memory(memory, machine_mib):
    small, large = _MEMORY_MIB
    if small not in memory or large not in memory:
        say("memory: n/a")
        return
    say("memory of the modules, machine of %d MiB" % machine_mib)
    for n, name in enumerate(("tdx_stub", "tdp_stress")):
        slope = (memory[large][n] - memory[small][n]) / (large - small)   # bytes per MiB of TD
        fixed = memory[small][n] - slope * small
        say("  %-11s fixed %.1f MiB, and %.2f MiB per GiB of TD (%.2f %%)" % (
            name, fixed / 2**20, slope * 1024 / 2**20, slope * 100 / 2**20))


def measure_edits(values):
    """{what: seconds from an edit of tdp_mmu.c to the verdict}, and what went wrong."""
    folder = session.new_folder(values, "bench-edit-")
    took, bad = {}, []
    for what, (script, own) in _VERDICTS.items():
        for edit in _EDITS:
            step = Step("edit tdp_mmu.c (%s), %s" % (edit, what))
            place = folder / what.replace(", ", "-").replace(" ", "-") / edit
            place.mkdir(parents=True)
            variables = dict(values.said(), MUTANT=edit, RUNDIR=place, SEED=values.seed, **own)
            variables["DURATION"] = _STRESS_SECONDS if script == "run" else ""
            start = time.monotonic()
            code = command.script(script, place / "log", variables, step)
            took[what] = time.monotonic() - start
            step.done("exit code %d" % code)
            if code:
                bad.append("%s after the edit %s: exit code %d; log: %s" %
                           (what, edit, code, place / "log"))
    return took, bad


def print_edits(took):
    say("seconds from an edit of tdp_mmu.c to the verdict; stress runs for %d of them" %
        _STRESS_SECONDS)
    for what, seconds in took.items():
        say("  %-18s %6.1f" % (what, seconds))


def bench():
    values = Values()
    if "DURATION" not in os.environ:
        values.duration = 10
    values.mem = max(values.mem, max(_MEMORY_MIB))
    cycles, counted, rates, bad, where = {}, {}, {}, [], None
    for flavour in FLAVOURS:
        cycles[flavour], counted[flavour], memory, wrong, where = measure(values, flavour, where)
        bad += wrong
        for home in ("qemu", "uml"):
            rates[(home, flavour)], wrong = measure_operations(values, flavour, home)
            bad += ["%s: %s" % (flavour, w) for w in wrong]
    edits, wrong = measure_edits(values)
    bad += wrong
    say()
    say("measured on %d CPUs of %s, acceleration %s; %d s each; load of this machine now %.1f" %
        (values.cpus, where.title, where, values.duration, os.getloadavg()[0]))
    print_cycles(cycles)
    print_counted(counted)
    print_operations(rates)
    print_memory(memory, memory_mib(values))
    print_edits(edits)
    cost = counted["plain"] or cycles["plain"]
    if cycles["plain"].get(("off", 2)) and cost.get(("off", 2)) and cost.get(("on", 2)):
        say("aims: %s cycles/s (>= %d) on 2 vCPUs plain: %s; oracles cost %s x (<= %.0f)%s: %s" % (
            _rate(cycles["plain"][("off", 2)]), _TARGET_CYCLES,
            "met" if cycles["plain"][("off", 2)] >= _TARGET_CYCLES else "missed",
            _ratio(cost[("off", 2)], cost[("on", 2)]), _TARGET_RATIO,
            ", in instructions" if counted["plain"] else "",
            "met" if cost[("off", 2)] <= _TARGET_RATIO * cost[("on", 2)] else "missed"))
    slowest = max(t for what, t in edits.items() if what.startswith("stress"))
    say("aim: from an edit to the verdict of %d s of stress in <= %d s: %.1f s, %s" % (
        _STRESS_SECONDS, _TARGET_EDIT, slowest,
        "met" if slowest <= _TARGET_EDIT else "missed"))
    for line in bad:
        say("  not measured as it should be: " + line)
    return EXIT_FAILURE if bad else EXIT_PASS


if __name__ == "__main__":
    main(bench)
