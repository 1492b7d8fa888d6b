# SPDX-License-Identifier: GPL-2.0
"""The Bochs machine: a CPU with real VMX and EPT, in software, slow.

Knows Bochs's configuration and its boot medium; must not know what runs in
the guest. Bochs has no SEAM: SEAMCALL is #UD there as everywhere.
"""

import os
import shutil

from common import command
from common.say import build_failed, lacking
from qemu.machine import KERNEL_ARGS

_ISOLINUX = "/usr/lib/ISOLINUX/isolinux.bin"
_LDLINUX = "/usr/lib/syslinux/modules/bios/ldlinux.c32"
_VGABIOS = ("/usr/share/bochs/VGABIOS-lgpl-latest", "/usr/share/vgabios/vgabios.bin")

# haswell: newer models of 2.7 have an XSAVE layout that Linux refuses, and TDX
# needs XSAVE. No display plugin of Debian's package is headless but rfb, which
# need not be looked at.
_CONFIG = """\
cpu: model=corei7_haswell_4770, count={cpus}, ips=100000000, reset_on_triple_fault=0, \
ignore_bad_msrs=1
memory: guest={memory}, host={memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file={vgabios}
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
clock: sync=none
display_library: rfb, options="timeout=0"
com1: enabled=1, mode=file, dev=console.log
com2: enabled=1, mode=file, dev=results
log: bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
"""


class Bochs:
    """A machine, see qemu.machine.Qemu for what each member means."""

    kind = "bochs"
    title = "Bochs"
    name = "none"
    reason = "Bochs interprets every instruction"
    #: everything takes this many times as long as in QEMU
    slow = 12
    #: a guest that powers off is a fatal error to Bochs
    clean_exits = (0, 1)

    def __init__(self, cpus):
        self.cpus = cpus
        self.program = shutil.which("bochs")
        if not self.program:
            raise lacking("bochs: not found; apt-get install bochs bochsbios vgabios")

    def __str__(self):
        return "%s (%s)" % (self.name, self.reason)

    def version(self):
        code, out, _ = command.output(["dpkg-query", "-W", "-f", "bochs ${Version}", "bochs"])
        return out.strip() if not code else "bochs, unknown version"

    def prepare(self, folder, memory_mib, extra=""):
        """Write the boot medium and the configuration; returns the command line."""
        iso = folder / "iso"
        shutil.rmtree(iso, ignore_errors=True)
        (iso / "isolinux").mkdir(parents=True)
        for path in (_ISOLINUX, _LDLINUX):
            if not os.path.exists(path):
                raise lacking("%s: missing; apt-get install isolinux syslinux-common" % path)
            shutil.copy(path, iso / "isolinux")
        shutil.copy(folder / "bzImage", iso / "bzimage")
        shutil.copy(folder / "initrd", iso / "initrd")
        (iso / "isolinux/isolinux.cfg").write_text(
            "default linux\nprompt 0\ntimeout 0\nlabel linux\n  kernel /bzimage\n"
            "  append initrd=/initrd %s\n" % (KERNEL_ARGS + " " + extra).strip())
        code, _, error = command.output(
            ["xorriso", "-as", "mkisofs", "-quiet", "-o", "boot.iso", "-b",
             "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
             "-boot-load-size", "4", "-boot-info-table", "iso"], cwd=folder)
        if code:
            raise build_failed("xorriso: %s" % error.strip())
        shutil.rmtree(iso)
        vgabios = next((p for p in _VGABIOS if os.path.exists(p)), _VGABIOS[0])
        (folder / "bochsrc").write_text(_CONFIG.format(
            cpus=self.cpus, memory=min(memory_mib, 2048), vgabios=vgabios))
        # Debian builds Bochs with its debugger, which wants to be told to go on
        (folder / "bochs-rc").write_text("c\n")
        words = [self.program, "-q", "-f", "bochsrc", "-rc", "bochs-rc"]
        (folder / "qemu-cmd").write_text(
            "#!/bin/sh\n# Boots the guest of this run again, in Bochs; its console goes to\n"
            "# console.log here, its results to results.\n"
            'cd "$(dirname "$0")" || exit 3\nexec %s "$@"\n' % " ".join(words))
        os.chmod(folder / "qemu-cmd", 0o755)
        return words
