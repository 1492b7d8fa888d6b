# SPDX-License-Identifier: GPL-2.0
"""Chooses QEMU's acceleration by trying it.

Knows /dev/kvm and how to see whether a guest gets VMX; must not know what the
guest is for. A /dev/kvm that opens proves little: a guest has to boot there.
"""

import json
import os
import tempfile
from pathlib import Path

from common import cache
from common.say import Step, lacking
from qemu import machine, watch
from qemu.cpio import Archive

_INIT = """#!/bin/busybox sh
/bin/busybox mkdir /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec 9>/dev/ttyS1
echo "@boot 0" >&9
echo "@vmx $(/bin/busybox grep -qw vmx /proc/cpuinfo && echo real || echo none)" >&9
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


def choose(wanted, kernel):
    """The acceleration to use: @wanted, or the best that works if that is auto."""
    if wanted == "tcg":
        return Choice("tcg", "ACCEL=tcg")
    if wanted == "auto":
        if not os.path.exists("/dev/kvm"):
            return Choice("tcg", "no /dev/kvm")
        if not os.access("/dev/kvm", os.R_OK | os.W_OK):
            return Choice("tcg", "/dev/kvm: no permission")
        if not _host_has_vmx():
            return Choice("tcg", "this machine's CPU shows no VMX, so no guest could have it")
    elif not os.access("/dev/kvm", os.R_OK | os.W_OK):
        raise lacking("ACCEL=kvm: /dev/kvm is missing or not accessible (ACCEL=tcg works "
                      "without)")
    result = _probe(kernel)
    if wanted == "kvm":
        if result not in ("real", "none"):
            raise lacking("ACCEL=kvm: no guest boots with it: %s (ACCEL=tcg works without)" %
                          result)
        return Choice("kvm", "ACCEL=kvm; the guest has %s VMX" %
                      ("nested" if result == "real" else "no"))
    if result == "real":
        return Choice("kvm", "nested VMX works")
    if result == "none":
        return Choice("tcg", "KVM works here, but its guests have no VMX")
    return Choice("tcg", "a guest does not boot with KVM: %s" % result)


def _host_has_vmx():
    try:
        return " vmx " in Path("/proc/cpuinfo").read_text().replace("\n", " ")
    except OSError:
        return False


def _probe(kernel):
    """"real" or "none": a KVM guest boots and has VMX or not; else what went wrong.

    Remembered until this machine, QEMU or the kernel changes.
    """
    memory = cache.folder() / "accel.json"
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot_id = ""
    key = "%s %s %s" % (boot_id, machine.version(), kernel.stamp)
    try:
        known = json.loads(memory.read_text())
        if known["key"] == key:
            return known["result"]
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
        outcome = watch.run(machine.argv("kvm", 2, 512, kernel.image, folder / "initrd",
                                         "file:console.log", "file:results"),
                            folder, watch.Limits(15, 15, 20, 5))
    if outcome.end == "finished" and outcome.words("vmx"):
        result = outcome.words("vmx")[0]
    else:
        result = outcome.why
    step.done({"real": "boots, with VMX", "none": "boots, without VMX"}.get(result, result))
    memory.write_text(json.dumps({"key": key, "result": result}))
    return result
