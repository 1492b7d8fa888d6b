# SPDX-License-Identifier: GPL-2.0
"""Debian packages that a job needs: named, installed, or asked for.

Knows package names and apt; must not know what the programs are used for.
"""

import os
import shutil
from pathlib import Path

from common import cache, command
from common.say import Step, lacking

#: package: a program or file that shows it is there
_BUILD = {
    "gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc",
    "binutils": "ld", "kmod": "modinfo", "xz-utils": "xz", "perl": "perl",
    "findutils": "find", "diffutils": "cmp",
    "libc6-dev": "/usr/include/stdio.h", "libelf-dev": "/usr/include/libelf.h",
}
_BOOT = {"qemu-system-x86": "qemu-system-x86_64", "busybox-static": "/bin/busybox",
         "kmod": "modinfo"}
#: kconfig drops BTF, and with it members of structures, where there is no pahole
_BINARY = {"dwarves": "pahole"}
_MUTANTS = {"coccinelle": "spatch"}
_COVERAGE = {"lcov": "genhtml"}
_DOCS = {"python3-sphinx": "sphinx-build", "graphviz": "dot"}
_TRACERS = {"trace-cmd": "trace-cmd", "linux-perf": "perf", "bpftrace": "bpftrace",
            "libtraceevent1-plugin":
            "/usr/lib/x86_64-linux-gnu/traceevent/plugins/plugin_kvm.so"}
_PACKAGE = {"mmdebstrap": "mmdebstrap", "lintian": "lintian"}
_BOCHS = {
    "bochs": "bochs", "bochsbios": "/usr/share/bochs/BIOS-bochs-latest",
    "vgabios": "/usr/share/vgabios/vgabios.bin",
    "xorriso": "xorriso", "isolinux": "/usr/lib/ISOLINUX/isolinux.bin",
    "syslinux-common": "/usr/lib/syslinux/modules/bios/ldlinux.c32",
}


def _missing(wanted):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [package for package, proof in wanted.items()
            if not (Path(proof).exists() if proof.startswith("/")
                    else shutil.which(proof, path=path))]


def need(boot=True, qemu=None, bochs=False, mutants=False, binary=False, coverage=False,
         docs=False, package=False, tracers=False, build=True, install=True):
    """Have everything installed that building and booting take.

    @qemu: the user's own, if there is one. Not @build: nothing is compiled. Not
    @install: only say what is missing.
    """
    wanted = {**(_BUILD if build else {}), **(_BOOT if boot else {})}
    if qemu:
        wanted.pop("qemu-system-x86", None)
    if binary and build:
        wanted.update(_BINARY)
    if bochs:
        wanted.update(_BOCHS)
    if mutants and build:
        wanted.update(_MUTANTS)
    if coverage:
        wanted.update(_COVERAGE)
    if docs:
        wanted.update(_DOCS)
    if package:
        wanted.update(_PACKAGE)
    if tracers:
        wanted.update(_TRACERS)
    have(wanted, install)


def have(wanted, install=True):
    """Have the packages @wanted installed, {package: a program or file of it}."""
    missing = _missing(wanted)
    if not missing:
        return
    argv = ["apt-get", "install", "-y", "--no-install-recommends"] + missing
    by_hand = "apt-get update && " + " ".join(argv)
    if not shutil.which("apt-get"):
        raise lacking("missing: %s (this is no Debian; install what corresponds)" %
                      ", ".join(missing))
    if not install:
        raise lacking("missing packages: %s; install them as root: %s" %
                      (", ".join(missing), by_hand))
    if os.geteuid() != 0:
        if command.output(["sudo", "-n", "true"])[0]:
            raise lacking("missing packages: %s; install them as root: %s" %
                          (", ".join(missing), by_hand))
        argv.insert(0, "sudo")
    _install(argv, missing, wanted, by_hand)


def _install(install, missing, wanted, by_hand):
    log = cache.folder("log") / "packages.log"
    log.write_text("")
    env = command.environment({"DEBIAN_FRONTEND": "noninteractive"})
    prefix = install[:1] if install[0] == "sudo" else []
    step = Step("install packages: " + " ".join(missing))

    def last_line():
        line = command.tail(log, 1).strip()
        step.progress(line[:60] if line else "waiting")

    # lists that are there may be enough; if not, fetch them and try again
    for update in (False, True):
        if update and command.logged(prefix + ["apt-get", "update"], log, tick=last_line, env=env):
            break
        if not command.logged(install, log, tick=last_line, env=env):
            break
    still = _missing(wanted)
    if still:
        step.failed()
        text = command.tail(log, 200)
        why = "no network or no mirror reachable" if looks_offline(text) else "apt-get failed"
        if "No space left" in text or "enough free space" in text:
            why = "disk full"
        raise lacking("could not install %s: %s; by hand: %s (log: %s)" %
                      (" ".join(still), why, by_hand, log), *text.splitlines()[-5:])
    step.done()


def looks_offline(text):
    return any(s in text for s in ("Temporary failure resolving", "Could not resolve",
                                   "Could not connect", "Cannot initiate the connection",
                                   "Failed to fetch", "Unable to connect"))
