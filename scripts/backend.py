# SPDX-License-Identifier: GPL-2.0
"""The two ways to stress KVM, and what each of them takes.

  tdx        the real tdx.c on tdx_stub.ko, driven from user space
  external   tdp_stress.ko alone: its own VM, its own workers, any KVM

Knows modules, their parameters and the guest's jobs; must not know how a kernel
is built, a guest booted or a run judged.
"""

from common import command
from common.say import usage
from common.settings import hugetlb_mib
from qemu import initramfs


class Tdx:
    name = "tdx"
    #: the CPU feature without which KVM does not load; the stub brings VMX if need be
    cpu = ("vmx",)
    modules = ("tdx_stub", "tdp_stress")
    programs = True
    #: the guest's job, guest/<job>.sh
    job = "run"

    def title(self, v):
        return "%d TD(s) of %d MiB with %d vCPU(s)" % (v.tds, v.mem, v.vcpus)

    def check(self, values, built):
        """Refuse what the driver or a module does not know, before anything is booted."""
        _check_module("STUB", values.stub, "tdx_stub", built)
        _check_module("STRESS", values.stress, "tdp_stress", built)
        if values.ops:
            code, _, error = command.output([built.driver, "--ops", values.ops, "-h"])
            if code:
                raise usage("OPS=%s: %s" % (values.ops, error.strip().partition(": ")[2]))

    def params(self, values):
        """Shell variables of the job."""
        stub = ["seed=%d" % values.seed, "busy=%d" % values.busy, "hold_ns=%d" % values.delay]
        return {
            "SEED": values.seed,
            "DURATION": values.duration,
            "STUB_PARAMS": " ".join(stub + [values.stub or ""]).strip(),
            "STRESS_PARAMS": values.stress or "",
            "DRIVER_ARGS": driver_args(values),
        }

    def kernel_args(self, values):
        return ""


class External:
    name = "external"
    cpu = ("svm", "vmx")
    modules = ("tdp_stress",)
    programs = False
    job = "external"

    def title(self, v):
        return "%d VM(s) of %d MiB with %d vCPU(s), made in the kernel" % (v.tds, v.mem, v.vcpus)

    def check(self, values, built):
        _check_module("STRESS", values.stress, "tdp_stress", built)

    def params(self, values):
        stress = {
            "backend": "external", "seed": values.seed, "duration": values.duration,
            "busy": values.busy, "hold_ns": values.delay, "vms": values.tds,
            "vcpus": values.vcpus, "mem_mib": values.mem, "split": values.split,
            "schedule": values.schedule, "stutter": values.stutter,
            "stat_interval": 5 if values.duration <= 60 else 15,
            "huge_1g": int(values.huge_1g), "hugetlb": int(values.hugetlb),
        }
        if values.mutant or values.stop_early:
            stress["stop_early"] = 1
        if values.workers is not None:
            stress["mmu_workers"] = values.workers
        if values.ops:
            stress["ops"] = values.ops
        words = ["%s=%s" % pair for pair in stress.items()] + [values.stress or ""]
        return {
            "SEED": values.seed,
            "DURATION": values.duration,
            "STRESS_PARAMS": " ".join(words).strip(),
        }

    def kernel_args(self, values):
        mib = hugetlb_mib(values)
        return "hugepages=%d" % (mib // 2) if mib else ""


ALL = {b.name: b for b in (Tdx(), External())}


def driver_args(values):
    """What the driver is to do, on its command line."""
    words = ["--vcpus", values.vcpus, "--mem", "%dM" % values.mem, "--tds", values.tds]
    if values.ops:
        words += ["--ops", values.ops]
    if values.workers is not None:
        words += ["--workers", values.workers]
    return " ".join(str(w) for w in words)


def check_parameters(variable, text, module, names):
    """Refuse what @variable's @text has and @module does not know: the kernel would only
    warn of it.
    """
    for word in (text or "").split():
        name = word.partition("=")[0]
        if name not in names:
            raise usage("%s=%s: %s has no parameter '%s'; there are: %s" %
                        (variable, word, module, name, ", ".join(names)))


def _check_module(variable, text, name, built):
    if text:
        check_parameters(variable, text, name, initramfs.parameters(built.modules[name]))
