# SPDX-License-Identifier: GPL-2.0
"""The Bochs machine: a CPU with VMX and EPT in software, slow.

Knows Bochs and its boot medium; must not know what runs in the guest. Here
kvm_intel runs on (emulated) real VMX, the path that QEMU's TCG cannot take.
"""

import glob
import os
import shutil
from pathlib import Path

from common import command
from common.say import lacking

PACKAGES = ("bochs", "bochsbios", "vgabios", "bochs-term", "isolinux", "syslinux-common", "xorriso")
#: newer models make Debian's Bochs 2.7 and Linux disagree about XSAVE
_CPU_MODEL = "corei7_haswell_4770"
#: it ends a simulation with 1 also when the guest powered off
GOOD_CODES = (0, 1)
#: how much slower than QEMU's TCG everything is allowed to be
SLOWNESS = 8

_BOCHSRC = """\
megs: {memory}
romimage: file={bios}
vgaromimage: file={vgabios}
cpu: model={model}, count={cpus}, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none
display_library: rfb, options="timeout=0"
com1: enabled=1, mode=file, dev=console.log
com2: enabled=1, mode=file, dev=results
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
mouse: enabled=0
log: bochs.log
debug: action=ignore
info: action=ignore
error: action=ignore
panic: action=fatal
"""

_ISOLINUX = """\
default tdp_stress
prompt 0
label tdp_stress
 kernel /bzImage
 initrd /initrd
 append {append}
"""


def _file(what, *patterns):
    for pattern in patterns:
        found = sorted(glob.glob(pattern))
        if found:
            return found[0]
    raise lacking("%s: not found; apt-get install %s" % (what, " ".join(PACKAGES)))


def version():
    _, out, err = command.output(["bochs", "--help", "cpu"])
    for line in (out + err).splitlines():
        if "Bochs x86 Emulator" in line:
            return line.strip()
    return "unknown"


def prepare(folder, cpus, memory_mib, append):
    """Write boot medium and configuration into @folder, which has bzImage and initrd."""
    for program in ("bochs", "xorriso"):
        if not shutil.which(program):
            raise lacking("%s: not found; apt-get install %s" % (program, " ".join(PACKAGES)))
    folder = Path(folder)
    iso = folder / "iso"
    (iso / "isolinux").mkdir(parents=True, exist_ok=True)
    for name in ("bzImage", "initrd"):
        shutil.copyfile(folder / name, iso / name)
    shutil.copy(_file("isolinux.bin", "/usr/lib/ISOLINUX/isolinux.bin"), iso / "isolinux")
    shutil.copy(_file("ldlinux.c32", "/usr/lib/syslinux/modules/bios/ldlinux.c32"),
                iso / "isolinux")
    (iso / "isolinux/isolinux.cfg").write_text(_ISOLINUX.format(append=append))
    code, _, err = command.output(
        ["xorriso", "-as", "mkisofs", "-quiet", "-o", folder / "boot.iso",
         "-b", "isolinux/isolinux.bin", "-c", "isolinux/boot.cat", "-no-emul-boot",
         "-boot-load-size", "4", "-boot-info-table", iso])
    shutil.rmtree(iso)
    if code:
        raise lacking("%s: xorriso made no boot medium: %s" % (folder, err.strip()[-200:]))
    (folder / "bochsrc").write_text(_BOCHSRC.format(
        memory=memory_mib, cpus=cpus, model=_CPU_MODEL,
        bios=_file("bochs' BIOS", "/usr/share/bochs/BIOS-bochs-latest"),
        vgabios=_file("bochs' VGA BIOS", "/usr/share/bochs/VGABIOS-lgpl-latest*",
                      "/usr/share/vgabios/vgabios.bin")))
    # Debian builds Bochs with its debugger, which wants to be told to go on
    (folder / "bochs.rc").write_text("c\n")


def argv():
    return ["bochs", "-q", "-f", "bochsrc", "-rc", "bochs.rc"]


def write_command(path):
    """A script next to the run's log that boots the same guest again."""
    path.write_text("#!/bin/sh\n"
                    "# Boots the guest of this run again; console.log and results are rewritten.\n"
                    'cd "$(dirname "$0")" || exit 3\n'
                    "exec %s\n" % " ".join(argv()))
    os.chmod(path, 0o755)
