# SPDX-License-Identifier: GPL-2.0
"""make run WHERE=uml: the stress tester on the tree's tdp_mmu.c in User Mode Linux.

The same parameters, verdict and files as in a virtual machine (qemu.judge,
qemu.report); what differs is how the kernel is built and started. Knows the order
of things; each of them is done elsewhere.
"""

import re
import time

import backend
from common import packages, signature
from common.say import say, usage
from common.settings import memory_mib
from kernel import kit
from kunit import boot, change
from kunit import uml as build
from mutants import mutant
from qemu import judge, report, session, watch
from uml import machine

#: seconds, as for a virtual machine: a busy machine is no hang
_BOOT, _SILENCE, _GRACE, _POWER_OFF = 90, 60, 200, 20
#: to come to an end with a violation that is all one wants to know
_LAST_WORDS = 20


def _config_name(values):
    return {"lockdep": "stress", "plain": "stress-plain", "kasan": "stress-kasan"}[
        values.config_name()]


def prepare(values, tree, folder=None):
    """A kernel with the tester in it; with values.mutant or values.variant planted.

    @folder: where to put a copy of it.
    """
    packages.need(boot=not values.kit, mutants=bool(values.variant or values.mutant),
                  build=not values.kit)
    name = values.mutant or values.variant
    replaced = None
    if name:
        what = mutant.find(name)
        if what.in_tdx:
            raise usage("MUTANT=%s: there is no tdx.c in User Mode Linux; it goes with WHERE=qemu"
                        % name)
        replaced = None if values.kit else change.files(tree, what)
        values.ops = values.ops or what.ops or None
    if values.kit:
        kernel = kit.take(values.kit)[0]
    else:
        kernel = build.build(build.Uml(tree, _config_name(values)), values.jobs, replaced, folder)
    backend.check_parameters("STRESS", values.stress, "tdp_stress", _parameters(kernel))
    return kernel


def _parameters(kernel):
    """Names of the tester's."""
    info = (kernel.out / "modules.builtin.modinfo").read_bytes().split(b"\0")
    return sorted({m.group(1).decode() for m in
                   (re.match(rb"tdp_stress\.parm=(\w+):", i) for i in info) if m})


def start(values, kernel, folder, on_text=lambda text: None, stop_early=False):
    """Run @kernel in @folder; returns the watch.Outcome."""
    params = backend.ALL["external"].params(values)["STRESS_PARAMS"].split()
    args = ["tdp_stress.%s" % p for p in params]
    if stop_early:
        args.append("tdp_stress_stop_early")
    argv = machine.Uml(values.cpus).prepare(folder, kernel.binary, memory_mib(values), args)
    slow = 2 if values.kasan else 1
    limits = watch.Limits(_BOOT * slow, _SILENCE * slow, values.duration + _GRACE * slow,
                          _POWER_OFF * slow)
    began = time.monotonic()

    def heard(text):
        on_text(text)
        # a broken KVM may never come to its end: it has RCU or locks in a mess
        if stop_early and signature.VIOLATION.search(text):
            limits.total = min(limits.total, time.monotonic() - began + _LAST_WORDS * slow)

    outcome = watch.run(argv, folder, limits, heard, output="console.log",
                        env=boot.environment(folder))
    for name, text in outcome.files.items():
        (folder / name).write_text(text)
    if not values.keep:
        (folder / "results").unlink(missing_ok=True)
    return outcome


def _tidy(values, folder, verdict):
    """A kernel in which nothing was found can be built again."""
    if not values.keep and verdict.word != judge.FAILURE:
        (folder / "linux").unlink(missing_ok=True)


def verdict_of(outcome, folder):
    """The judge's, and what a kernel that died had to say before that."""
    verdict = judge.judge(outcome)
    if outcome.end != "finished" and "stress.violations" not in outcome.files:
        lines = signature.violations(judge.console(folder))
        verdict.ids = sorted({line.partition(":")[0] for line in lines})
        outcome.files["stress.violations"] = "\n".join(lines)
        if lines:
            verdict.reasons.insert(0, "violated: %s (%s)" % (", ".join(verdict.ids), lines[0]))
    return verdict


def one(values, tree, folder):
    """Build and run, for those who look for themselves: (Outcome, Verdict)."""
    outcome = start(values, prepare(values, tree), folder, stop_early=_stops_early(values))
    verdict = verdict_of(outcome, folder)
    _tidy(values, folder, verdict)
    return outcome, verdict


def _stops_early(values):
    return bool(values.mutant or values.stop_early)


def run(values, tree):
    times = report.Times()
    what = backend.ALL["external"]
    say("tdp_stress: SEED=%d, %d s, WHERE=uml, %s" %
        (values.seed, values.duration, what.title(values)))
    kernel = prepare(values, tree)
    say("  kernel: Linux %s, %s, %s (%.1f s)" % (kernel.release, kernel.config_name,
                                                kernel.how, kernel.seconds))
    here = machine.Uml(values.cpus)
    say("  machine: %s with %d CPUs, %s" % (here.kind, here.cpus, here))
    folder = session.new_folder(values)
    say("  run folder: %s" % folder)

    times.prepared()
    outcome = start(values, kernel, folder, on_text=lambda text: say("  " + text),
                    stop_early=_stops_early(values))
    verdict = verdict_of(outcome, folder)
    _tidy(values, folder, verdict)
    report.end(values, kernel, here, outcome, verdict, times, folder)
    return verdict.exit_code
