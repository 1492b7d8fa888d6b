# SPDX-License-Identifier: GPL-2.0
"""Chooses QEMU's acceleration by trying it.

Knows /dev/kvm and how to see whether a guest gets VMX or SVM; must not know what
the guest is for. A /dev/kvm that opens proves little: a guest has to boot there.
"""

import json
import os
import tempfile
from pathlib import Path

from common import cache
from common.say import Step, lacking
from qemu import machine, program, watch
from qemu.cpio import Archive

_INIT = """#!/bin/busybox sh
/bin/busybox mkdir /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec 9>/dev/ttyS1
echo "@boot 0" >&9
echo "@cpu $(/bin/busybox grep -owE 'vmx|svm' /proc/cpuinfo | /bin/busybox head -n 1)" >&9
echo "@end 0" >&9
/bin/busybox sleep 0.2
/bin/busybox poweroff -f
"""


class Choice:
    def __init__(self, name, reason):
        self.name = name
        self.reason = reason

    def __str__(self):
        return "%s (%s)" % (self.name, self.reason)


def choose(wanted, kernel, features, qemu=None):
    """The acceleration to use: @wanted, or the best that works if that is auto.

    @features: one of them the guest's CPU needs ("vmx", "svm") to be of use; @qemu:
    the user's own QEMU.
    """
    names = " or ".join(f.upper() for f in features)
    if wanted == "tcg":
        return Choice("tcg", "ACCEL=tcg")
    if wanted == "auto":
        if not os.path.exists("/dev/kvm"):
            return Choice("tcg", "no /dev/kvm")
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            return Choice("tcg", "/dev/kvm: no permission")
        if not _host_has(features):
            return Choice("tcg", "this machine's CPU shows no %s, so no guest could have it" %
                          names)
    elif not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise lacking("ACCEL=kvm: /dev/kvm is missing or not accessible (ACCEL=tcg works "
                      "without)")
    booted, result = _probe(kernel, program.get(qemu))
    has = booted and result in features
    if wanted == "kvm":
        # where the stub stands in for VMX, a guest without it will do
        if not booted or not (has or features == ("vmx",)):
            raise lacking("ACCEL=kvm: %s (ACCEL=tcg works without)" %
                          ("its guests have no " + names if booted else
                           "no guest boots with it: " + result))
        return Choice("kvm", "ACCEL=kvm; the guest has %s" %
                      ("nested " + result.upper() if has else "no VMX"))
    if has:
        return Choice("kvm", "nested %s works" % result.upper())
    if booted:
        return Choice("tcg", "KVM works here, but its guests have no %s" % names)
    return Choice("tcg", "a guest does not boot with KVM: %s" % result)


def _host_has(features):
    try:
        words = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return any(f in words for f in features)


def _probe(kernel, qemu):
    """(True, "vmx", "svm" or ""): a KVM guest boots, and what its CPU has; or
    (False, what went wrong).

    Remembered until this machine, QEMU or the kernel changes.
    """
    memory = cache.folder() / "accel.json"
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    key = "%s %s %s" % (boot_id, qemu.line, kernel.stamp)
    try:
        known = json.loads(memory.read_text())
        if known["key"] == key:
            return known["booted"], known["result"]
    except (OSError, ValueError, KeyError):
        pass
    step = Step("try KVM with a small guest")
    with tempfile.TemporaryDirectory(prefix="tdp_stress-") as name:
        folder = Path(name)
        archive = Archive()
        archive.console()
        archive.file("init", _INIT, 0o755)
        archive.copy("bin/busybox", "/bin/busybox", 0o755)
        archive.write(folder / "initrd")
        outcome = watch.run(machine.argv(qemu, "kvm", "", 2, 512, kernel.image,
                                         folder / "initrd", "file:console.log",
                                         "file:results"),
                            folder, watch.Limits(15, 15, 20, 5))
    booted = outcome.end == "finished" and bool(outcome.words("cpu"))
    result = outcome.words("cpu")[0].strip() if booted else outcome.why
    step.done("boots, %s" % (result or "without VMX or SVM") if booted else result)
    memory.write_text(json.dumps({"key": key, "booted": booted, "result": result}))
    return booted, result
