# SPDX-License-Identifier: GPL-2.0
"""make run: from nothing to a verdict.

Knows the order of things; each of them is done elsewhere.
"""

import sys
import time

from common import command, packages
from common.say import main, say, usage
from common.settings import Values
from kernel import build, debian, ours, source
from qemu import accel, initramfs, judge, report, session
from qemu.bochs import Bochs
from qemu.machine import Qemu


def get_tree(values):
    """The kernel tree to test."""
    if values.ksrc:
        return source.check(values.ksrc, values.force)
    return source.check(debian.get(values.kver))


def get_kernel(values, config_name=None):
    return build.build(build.Kernel(get_tree(values), config_name or values.config_name()),
                       values.jobs)


def check_parameters(text, module, path):
    """Refuse a parameter the module does not have before anything is booted."""
    for word in (text or "").split():
        names = initramfs.parameters(path)
        name = word.partition("=")[0]
        if name not in names:
            raise usage("%s has no parameter '%s'; there are: %s" %
                        (module, name, ", ".join(names)))


def check_ops(values, driver):
    """The driver knows its operations; it refuses others before -h is answered."""
    if values.ops:
        code, _, error = command.output([driver, "--ops", values.ops, "-h"])
        if code:
            raise usage("OPS=%s: %s" % (values.ops, error.strip().partition(": ")[2]))


def job_params(values):
    """Shell variables of the job "run"."""
    stub = ["seed=%d" % values.seed, "busy=%d" % values.busy, "hold_ns=%d" % values.delay]
    driver = ["--vcpus", values.vcpus, "--mem", "%dM" % values.mem, "--tds", values.tds]
    if values.ops:
        driver += ["--ops", values.ops]
    if values.workers is not None:
        driver += ["--workers", values.workers]
    return {
        "SEED": values.seed,
        "DURATION": values.duration,
        "STUB_PARAMS": " ".join(stub + [values.stub or ""]).strip(),
        "STRESS_PARAMS": values.stress or "",
        "DRIVER_ARGS": " ".join(str(w) for w in driver),
    }


def prepare(values, config_name=None):
    """Everything before the boot: packages, kernel, modules, driver."""
    packages.need(bochs=values.machine == "bochs")
    kernel = get_kernel(values, config_name)
    built = ours.both(kernel, values.jobs)
    check_parameters(values.stub, "tdx_stub", built.modules["tdx_stub"])
    check_parameters(values.stress, "tdp_stress", built.modules["tdp_stress"])
    check_ops(values, built.driver)
    return kernel, built


def get_machine(values, kernel):
    if values.machine == "bochs":
        return Bochs(values.cpus)
    return Qemu(values.cpus, accel.choose(values.accel, kernel))


def run():
    start = time.monotonic()
    values = Values()
    say("tdp_stress: SEED=%d, %d s, %d TD(s) of %d MiB with %d vCPU(s)" %
        (values.seed, values.duration, values.tds, values.mem, values.vcpus))
    kernel, built = prepare(values)
    say("  kernel: Linux %s, %s, %s (%.1f s)" % (kernel.tree.release, kernel.config_name,
                                                kernel.how, kernel.seconds))
    machine = get_machine(values, kernel)
    say("  machine: %s with %d CPUs, acceleration: %s" % (machine.kind, machine.cpus, machine))
    folder = session.new_folder(values)
    say("  run folder: %s" % folder)

    prepared = time.monotonic()
    guest = session.Session(values, kernel, built, machine, folder)
    outcome = guest.boot("run", job_params(values), values.duration,
                         on_text=lambda text: say("  " + text))
    verdict = judge.judge(outcome)
    timings = {"prepare": round(prepared - start, 1),
               "boot": outcome.boot_seconds and round(outcome.boot_seconds, 1),
               "guest": round(outcome.seconds, 1),
               "total": round(time.monotonic() - start, 1)}
    data = report.summary(values, kernel, machine, outcome, verdict, timings)
    report.write_json(folder / "summary.json", data)
    if outcome.end != "finished":
        say("  the guest %s: %s; its last console lines:" % (outcome.end, outcome.why))
        for line in guest.last_console_lines():
            say("    | " + line)
    say("  prepared in %.1f s, booted in %s s, guest ran %.1f s" %
        (timings["prepare"], timings["boot"], timings["guest"]))
    report.table(data)
    report.verdict_line(data)
    say("    files: %s" % folder)
    return verdict.exit_code


if __name__ == "__main__":
    if sys.argv[1:]:
        print("usage: make run VARIABLE=value ... (make help lists the variables)")
        sys.exit(2)
    main(run)
