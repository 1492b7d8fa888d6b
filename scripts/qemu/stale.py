# SPDX-License-Identifier: GPL-2.0
"""The guest's help against int3s that QEMU's emulator still sees: tdp_tcg.ko.

Knows how that module is built and when a guest needs it; what it does is said in
guest/tcg/tdp_tcg.c.
"""

import shutil

from common import cache
from kernel import kit, ours

_NAME = "tdp_tcg"
_PART = ours.Part("tcg", ("scripts/qemu/guest/tcg",), _NAME + " does not build")


def modules(machine, kernel, jobs):
    """{name: path} of what a guest with @kernel loads first on @machine."""
    # KVM and Bochs run what is in memory
    if machine.name != "tcg":
        return {}
    if isinstance(kernel, kit.Kernel):
        return kernel.tcg
    return build(kernel, jobs)


def build(kernel, jobs):
    """{name: path} of the same, for whatever machine it is booted on."""
    return _PART.build(kernel, _NAME, {_NAME: _NAME + ".ko"},
                       lambda out: ["make", "-C", kernel.out, "M=%s" % _copied(out),
                                    *kernel.make_args, "-j%d" % jobs, "modules"])


def _copied(out):
    """Before Linux 6.13 a module is built where its source is."""
    for source in _PART.sources:
        shutil.copytree(cache.REPO / source, out, dirs_exist_ok=True)
    return out


def ended(machine, outcome):
    """Did such an int3 end the guest while it booted, before it loaded anything?"""
    return machine.name == "tcg" and outcome.end == "died" and \
        outcome.boot_seconds is None and "Oops: int3" in outcome.why


def healed(outcome):
    """How many int3s a guest hit that were no longer there."""
    return sum(int(n) for n in outcome.words("stale"))
