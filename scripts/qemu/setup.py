# SPDX-License-Identifier: GPL-2.0
"""What a job in a machine takes: the tree, a kernel, our modules, the machine itself.

Knows in which order they are made of the user's values; each of them is made elsewhere,
and what becomes of the job is for whoever asked.
"""

import backend
from common import packages
from common.say import say, usage
from kernel import binary, build, debian, kit, ours, source
from mutants import mutant
from qemu import accel, program
from qemu.bochs import Bochs
from qemu.machine import Qemu

#: for a MiB of each CPU's trace to come out of a slow guest
_TRACE_SECONDS = 30


def get_tree(values):
    """The kernel tree to test."""
    if values.ksrc:
        return source.check(values.ksrc, values.force)
    return source.check(debian.get(values.kver))


def get_kernel(values, config_name=None):
    if values.kernel == "debian":
        return binary.get(values.kver)
    return build.build(build.Kernel(get_tree(values), config_name or values.config_name()),
                       values.jobs)


def get_backend(values):
    return backend.ALL[values.backend]


def job_params(values):
    """Shell variables of the backend's job."""
    return get_backend(values).params(values)


def prepare(values, config_name=None):
    """Everything before the boot: packages, kernel, modules, driver."""
    packages.need(qemu=values.qemu, bochs=values.machine == "bochs",
                  mutants=bool(values.variant or values.mutant),
                  binary=values.kernel == "debian", build=not values.kit)
    if values.qemu:
        # one that is no QEMU is refused now
        program.get(values.qemu)
    change = get_change(values)
    if change:
        # one that does not exist is refused now; it says what it is about
        values.ops = values.ops or change.ops or None
    what = get_backend(values)
    if values.kit:
        kernel, built = kit.take(values.kit)
    else:
        kernel = get_kernel(values, config_name)
        built = ours.build(kernel, values.jobs, what.modules, what.programs)
    what.check(values, built)
    return kernel, built


def get_change(values):
    """The variant or mutant that is asked for, or None."""
    if values.variant:
        return mutant.variant(values.variant)
    if not values.mutant:
        return None
    found = mutant.find(values.mutant)
    if found.base and values.backend == "tdx":
        raise usage("MUTANT=%s is one in VARIANT=%s, which goes with BACKEND=external" %
                    (found.id, found.base))
    if found.in_tdx and values.backend != "tdx":
        raise usage("MUTANT=%s is one in tdx.c, which goes with BACKEND=tdx" % found.id)
    return found


def get_variant(values, kernel, keep=None):
    """Modules of KVM to take instead of the kernel's own; @keep: a folder for them."""
    change = get_change(values)
    if not change:
        return None
    if values.kit:
        return kernel.replaced
    return mutant.build_modules(kernel, change, values.jobs, keep)


def stress(guest, values, replace=None, on_text=lambda text: None, **more):
    """Boot @guest for the job of the backend; @more: further variables of the job."""
    what = get_backend(values)
    guest = guest.on(guest.machine, values)
    return guest.boot(what.job, dict(what.params(values), TRACE=values.trace, **more),
                      values.duration + _TRACE_SECONDS * values.trace,
                      replace=replace, on_text=on_text,
                      extra=" ".join([what.kernel_args(values), values.boot]).strip())


def get_machine(values, kernel):
    if values.machine == "bochs":
        return Bochs(values.cpus)
    return get_qemu(values, kernel, get_backend(values).cpu, values.cpus)


def get_qemu(values, kernel, features, cpus):
    """A machine whose CPU has one of @features, the first if it is emulated."""
    choice = accel.choose(values.accel, kernel, features, values.qemu)
    return Qemu(cpus, choice, features[0], program.get(values.qemu))


def say_machine(machine):
    say("  machine: %s with %d CPUs, acceleration: %s" % (machine.title, machine.cpus, machine))
