# SPDX-License-Identifier: GPL-2.0
"""make kunit WHERE=qemu: the suites as a module, on the real kvm.ko.

Knows what is built and booted, in which order; must not know how results are read
or shown. kvm_amd has to run, whose nested paging QEMU emulates: a kvm_intel that is
built with TDX would take the suites' VMs for TDs of its own.
"""

import time

from common import cache, packages
from common.say import EXIT_ENVIRONMENT, Problem, Step, say, usage
from kernel import ours
from kunit import ktap, report
from mutants import mutant
from qemu import program, session, setup

_MODULE = "tdp_stress_kunit"
_SUITES = ours.Part("kunit", ("kunit", "tdp_stress"), "the suites do not build")
#: threads of a script spin: each wants a CPU of its own, and one is the script's
_CPUS = 4
#: until the suites have to be done, in seconds; KUnit gives each case 300
_LONGEST = 900
#: a busy machine is no stall, no lockup
_ARGS = "rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60"
_BEGIN = "tdp_stress run: begin"


def _config():
    """What Kconfig would say if this were not out of tree: all suites."""
    return ["CONFIG_TDP_STRESS_KUNIT_%s=y" % path.stem.upper()
            for path in sorted((cache.REPO / "kunit/suites").glob("*.c"))]


def build(kernel, jobs):
    """The module with the suites, for @kernel."""
    return _SUITES.build(
        kernel, _MODULE, {_MODULE: _MODULE + ".ko"},
        lambda out: ["make", "-C", kernel.out, "M=%s" % (cache.REPO / "kunit"), "MO=%s" % out,
                     *kernel.make_args, *_config(), "-j%d" % jobs, "modules"])[_MODULE]


def prepare(values):
    """(kernel, {name: path} of modules to load, modules of KVM to take instead)."""
    if values.flavour != "lockdep":
        raise usage("FLAVOUR=%s: that kernel is built without KUnit" % values.flavour)
    packages.need(qemu=values.qemu, mutants=bool(values.variant or values.mutant))
    if values.qemu:
        program.get(values.qemu)
    kernel = setup.get_kernel(values)
    change = setup.get_change(values)
    replace = mutant.build_modules(
        kernel, change, values.jobs,
        also=lambda theirs: {_MODULE: build(theirs, values.jobs)}) if change else {}
    suites = replace.get(_MODULE) or build(kernel, values.jobs)
    return kernel, {"kunit": kernel.module("kunit"), _MODULE: suites}, replace


def boot(values, kernel, modules, replace, folder, wanted):
    """Boot the guest for its job; returns the Outcome."""
    machine = setup.get_qemu(values, kernel, ("svm",), max(values.cpus, _CPUS))
    setup.say_machine(machine)
    step = Step("run the suites")
    guest = session.Session(values, kernel, ours.Ours(modules, {}), machine, folder)
    longest = _LONGEST * machine.slow * (2 if values.kasan else 1)
    params = {"DURATION": longest,
              "KUNIT_PARAMS": "filter_glob=%s" % wanted if wanted else ""}
    outcome = guest.boot("kunit", params, longest, extra=_ARGS, replace=replace,
                         on_text=lambda text: step.progress(text.strip()[:70]))
    step.done(outcome.end)
    return outcome


def read(folder):
    """The Report; raw.log is the kernel's log from where the job begins."""
    text = (folder / "console.log").read_text(errors="replace")
    text = text[text.find(_BEGIN):] if _BEGIN in text else text
    (folder / "raw.log").write_text(text)
    return ktap.read(text.splitlines())


def run(values, folder, wanted):
    """(kernel, Report, timings) of the suites that match @wanted."""
    start = time.monotonic()
    kernel, modules, replace = prepare(values)
    built = time.monotonic() - start
    say("  kernel: Linux %s, %s%s, %s (%.1f s)" % (
        kernel.release, kernel.config_name,
        ", VARIANT=%s" % values.variant if values.variant else "", kernel.how, built))
    outcome = boot(values, kernel, modules, replace, folder, wanted)
    result = read(folder)
    if not result.started:
        why = outcome.words("fail") or [outcome.why or "no suite has begun"]
        raise Problem(EXIT_ENVIRONMENT, "%s; console: %s" % (why[0], folder / "console.log"))
    if result.complete and not result.cases:
        raise usage("FILTER=%s: no case has such a name" % values.filter)
    if outcome.end != "finished":
        say("  the guest %s: %s" % (outcome.end, outcome.why))
    # what it says belongs to no case, but a module that does not unload is wrong
    result.splats += [(None, "cannot " + text) for text in outcome.words("fail")]
    report.parsed(kernel.tree.path / "tools/testing/kunit/kunit.py", [folder / "raw.log"],
                  folder / "parsed", values.v or bool(values.filter))
    return kernel, result, {"build": round(built, 1), "run": round(outcome.seconds, 1)}
