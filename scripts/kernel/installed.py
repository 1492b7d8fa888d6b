# SPDX-License-Identifier: GPL-2.0
"""A kernel that is installed somewhere: its headers, and the source that fits.

Knows build folders as distributions and kbuild make them; must not know what is
built with them. Writes to neither the build folder nor the source.
"""

import os
import re
from pathlib import Path

from common import cache, command, versions
from common.say import Step, lacking, usage
from kernel import config, source

#: what programs take of a kernel that the C library's headers may be too old for
_UAPI = ("include/uapi/linux/kvm.h", "include/uapi/linux/kvm_para.h", "include/uapi/linux/bits.h",
         "arch/x86/include/uapi/asm/kvm.h", "arch/x86/include/uapi/asm/kvm_para.h")
#: KVM's private headers, and where stress.mk and the version look
_HEADERS = ("*/arch/x86/kvm/*.h", "*/arch/x86/include/asm/kvm*.h", "*/virt/kvm/*.h",
            "linux-source-*/Makefile") + tuple("linux-source-*/" + path for path in _UAPI)
_PROOF = "arch/x86/kvm/mmu/tdp_mmu.h"


class Installed:
    """@kdir: its build folder; @release: as uname -r says it; @tdx: has a TDX host."""

    def __init__(self, kdir):
        self.kdir = kdir
        self.release = _release(kdir)
        options = config.read(kdir / ".config") if (kdir / ".config").exists() else {}
        self.tdx = "CONFIG_INTEL_TDX_HOST" in options and "CONFIG_KVM_INTEL_TDX" in options
        self.numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", self.release).groups("0")
        self.version = "%s.%s" % self.numbers[:2]
        if options and "CONFIG_KVM" not in options:
            raise usage("KDIR=%s: Linux %s is built without CONFIG_KVM" % (kdir, self.release))


def _release(kdir):
    for name, pattern in (("include/config/kernel.release", r"(.*)"),
                          ("include/generated/utsrelease.h", r'#define UTS_RELEASE "(.*)"')):
        try:
            return re.search(pattern, (kdir / name).read_text()).group(1).strip()
        except (OSError, AttributeError):
            continue
    raise usage("KDIR=%s: not the build folder of a kernel: it has no "
                "include/config/kernel.release (a built tree has, and so have a "
                "distribution's kernel headers)" % kdir)


def get(kdir=None, force=False):
    """The Installed at @kdir, or the running kernel's; refused if it cannot be used."""
    path = Path(kdir or "/lib/modules/%s/build" % os.uname().release).expanduser()
    if not path.is_dir():
        raise usage("KDIR=%s: no such folder%s" % (
            path, "" if kdir else " (the running kernel's headers are not installed; give "
            "KDIR= or, on Debian: apt-get install linux-headers-%s)" % os.uname().release))
    kernel = Installed(path.resolve())
    if kernel.version not in versions.BINARIES and not force:
        raise usage("KDIR=%s: this is Linux %s; tdp_stress supports %s (FORCE=1 tries anyway)" %
                    (path, kernel.release, ", ".join(versions.BINARIES)))
    if not (kernel.kdir / "Module.symvers").exists():
        raise usage("KDIR=%s: it has no Module.symvers, so the kernel was never built there" %
                    path)
    return kernel


def _numbers(tree):
    v = source.makefile_version(tree)
    return tuple(v.get(n, "0") for n in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def private_headers(kernel, ksrc, scratch):
    """The tree whose KVM headers fit @kernel: @ksrc, or one that is found here.

    Headers out of a tarball go to @scratch.
    """
    if ksrc:
        tree = Path(ksrc).expanduser()
        if not (tree / _PROOF).exists():
            raise usage("KSRC=%s: not a kernel tree with KVM's private headers (no %s)" %
                        (ksrc, _PROOF))
        tree = tree.resolve()
        if _numbers(tree) != kernel.numbers:
            raise usage("KSRC=%s: this is Linux %s, but KDIR=%s is of Linux %s; their versions "
                        "have to be the same" % (ksrc, ".".join(_numbers(tree)), kernel.kdir,
                                                 kernel.release))
        return tree
    name = "linux-source-" + kernel.version
    for tree in (kernel.kdir, kernel.kdir / "source", Path("/usr/src") / name,
                 cache.root() / "src" / name,
                 cache.root() / "binary" / kernel.release / name):
        if (tree / _PROOF).exists() and _numbers(tree) == kernel.numbers:
            return tree.resolve()
    tarball = Path("/usr/src/%s.tar.xz" % name)
    if tarball.exists() and _numbers(_extract(tarball, scratch) / name) == kernel.numbers:
        return scratch / name
    raise lacking("no source of Linux %s found, and KVM's private headers are only there; give "
                  "it with KSRC= (on Debian: apt-get install %s)" %
                  (".".join(kernel.numbers), name))


def program_headers(kernel, tree, folder):
    """A folder for -isystem in which programs find @kernel's KVM; @tree: its source."""
    if (kernel.kdir / "usr/include/linux/kvm.h").exists():
        return kernel.kdir / "usr/include"
    for path in _UAPI:
        # as the kernel's headers_install has it, of what there is in these
        text = re.sub(r"#include <linux/compiler.h>\n|__user ", "", (tree / path).read_text())
        target = folder / path.rpartition("uapi/")[2]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
    return folder


def _extract(tarball, scratch):
    scratch.mkdir(parents=True, exist_ok=True)
    log = scratch / "unpack.log"
    step = Step("unpack KVM's headers from %s" % tarball)
    if command.logged(["tar", "-I", "xz -T0", "-xf", tarball, "-C", scratch, "--wildcards",
                       *_HEADERS], log, tick=lambda: step.progress("unpacking")):
        step.failed()
        raise lacking("%s cannot be unpacked; log: %s" % (tarball, log))
    step.done()
    return scratch
