# SPDX-License-Identifier: GPL-2.0
"""Wrong uses of the front door: each gets one clear line and its exit code.

host.py TREE: TREE is a kernel source to make bad copies of. Prints TAP. Runs
the same commands as a user would; must not know how they are implemented.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from said import plan, result, skip

REPO = Path(__file__).resolve().parents[2]


def front_door(target="run", timeout=120, **variables):
    """(exit code, output) of make's recipe, with a clean environment."""
    env = {k: v for k, v in os.environ.items()
           if k in ("PATH", "HOME", "XDG_CACHE_HOME", "APT_CONFIG", "TMPDIR")}
    env.update(variables)
    try:
        p = subprocess.run(["sh", str(REPO / "scripts/python.sh"), target], env=env, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as e:
        return None, str(e.output or "")
    return p.returncode, p.stdout


def refused(title, code, words, timeout=120, target="run", **variables):
    """One line with @words, exit code @code, and no Python traceback."""
    got, text = front_door(target, timeout=timeout, **variables)
    said = [l for l in text.splitlines() if l.startswith("tdp_stress: ") and "SEED=" not in l[:18]]
    said += [l for l in text.splitlines() if l.startswith("tdp_stress: SEED=") and "must be" in l]
    good = got == code and len(said) == 1 and re.search(words, said[0]) and \
        "Traceback" not in text
    result(good, title, "exit code %s, wanted %d; wanted words: %s; it said:" % (got, code, words),
           *text.splitlines()[-6:])


def variables():
    for name, value, words in (
            ("SEED", "abc", "SEED=abc: must be a number"),
            ("SEED", "0", "SEED=0: must be a number from 1"),
            ("SEED", str(1 << 64), "SEED=.*: must be a number"),
            ("DURATION", "0", "DURATION=0: must be a number from 1"),
            ("DURATION", "1m", "DURATION=1m: must be a number"),
            ("VCPUS", "9", "VCPUS=9: must be a number from 1 to 8"),
            ("MEM", "16", "MEM=16: must be a size"),
            ("MEM", "1M", "MEM=1M: must be a size"),
            ("TDS", "-1", "TDS=-1: must be a number"),
            ("BUSY", "2000000", "BUSY=2000000: must be 0, or a whole number from 2 to 1000000"),
            ("BUSY", "1", "BUSY=1: must be 0, or a whole number from 2 to 1000000"),
            ("DELAY", "100001", "DELAY=100001: must be a number from 0 to 100000"),
            ("OPS", "punch", "OPS=punch: must be a list"),
            ("KASAN", "yes", "KASAN=yes: must be 0 or 1"),
            ("FLAVOUR", "debug", "FLAVOUR=debug: must be one of"),
            ("ACCEL", "hvf", "ACCEL=hvf: must be one of"),
            ("MACHINE", "pc", "MACHINE=pc: must be one of"),
            ("QEMU", "nonsense", "QEMU=nonsense: must be a program that exists"),
            ("CPUS", "1", "CPUS=1: must be a number from 2"),
            ("KVER", "6.1", "KVER=6.1: must be 7.2 or 7.3"),
            ("STUB", "busy", "STUB=busy: must be a list"),
            ("BACKEND", "amd", "BACKEND=amd: must be one of"),
            ("KERNEL", "ubuntu", "KERNEL=ubuntu: must be one of"),
            ("SCHEDULE", "fifo", "SCHEDULE=fifo: must be one of"),
            ("SPLIT", "1", "SPLIT=1: must be one of"),
            ("STUTTER", "3601", "STUTTER=3601: must be a number from 0"),
            ("HUGE_1G", "yes", "HUGE_1G=yes: must be 0 or 1"),
            ("HUGETLB", "2", "HUGETLB=2: must be 0 or 1"),
            ("VARIANT", "../x", "VARIANT=../x: must be a name"),
            ("VARIANT", "nonsense", "no variant 'nonsense'; there are: .*mirror-split")):
        refused("%s=%s" % (name, value), 2, words, **{name: value})
    refused("KASAN=1 with FLAVOUR=plain", 2, "KASAN=1 goes with", KASAN="1", FLAVOUR="plain")
    backends()
    refused("more vCPUs than CPUs", 2, "VCPUS=4: KVM refuses", VCPUS="4", CPUS="2")
    refused("misspelt variable", 2, "DURATON: no such variable; did you mean DURATION",
            TDP_STRESS_MAKE_OVERRIDES="DURATON")
    p = subprocess.run(["make", "-C", str(REPO), "run", "DURATON=3"], text=True, check=False,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT,
                       env={k: v for k, v in os.environ.items() if k != "MAKEFLAGS"})
    result(p.returncode and "DURATON: no such variable" in p.stdout,
           "misspelt variable on make's command line", p.stdout)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").touch()
        refused("RUNDIR that is a file", 2, "RUNDIR=.*: cannot write there", timeout=900,
                RUNDIR=folder + "/file")
    refused("operation the driver does not know", 2, "OPS=.*'nonsense' is no operation",
            timeout=900, OPS="nonsense=1")
    refused("parameter the stub does not have", 2, "tdx_stub has no parameter 'nonsense'",
            timeout=900, STUB="nonsense=1")
    refused("KVM where there is none", 3, "ACCEL=kvm: ", timeout=900, ACCEL="kvm") \
        if not os.path.exists("/dev/kvm") else skip("KVM where there is none",
                                                   "this machine has /dev/kvm")


def backends():
    """Variables that do not go together."""
    for words, variables_ in (
            ("VCPUS=9: .* with BACKEND=tdx", {"VCPUS": "9"}),
            ("SPLIT=strict goes with BACKEND=external", {"SPLIT": "strict"}),
            ("SCHEDULE=pct goes with BACKEND=external", {"SCHEDULE": "pct", "BACKEND": "tdx"}),
            ("VARIANT=mirror-split goes with BACKEND=external",
             {"VARIANT": "mirror-split", "BACKEND": "tdx"}),
            ("STUB=plant=x3 goes with BACKEND=tdx", {"STUB": "plant=x3", "BACKEND": "external"}),
            ("TDS=5: .* from 1 to 4", {"TDS": "5", "BACKEND": "external"}),
            ("MEM=8192M: .* to 4G", {"MEM": "8G", "BACKEND": "external"}),
            ("BACKEND=tdx: Debian's kernel", {"KERNEL": "debian", "BACKEND": "tdx"}),
            ("FLAVOUR=plain goes with a kernel that is built",
             {"KERNEL": "debian", "FLAVOUR": "plain"}),
            ("VARIANT=mirror-split goes with a kernel that is built",
             {"KERNEL": "debian", "VARIANT": "mirror-split"}),
            ("QEMU=.*/sh goes with MACHINE=qemu", {"QEMU": "/bin/sh", "MACHINE": "bochs"}),
            ("QEMU: there is no machine with WHERE=uml", {"QEMU": "/bin/sh", "WHERE": "uml"}),
            ("KVER=6.12: a kernel that is built here", {"KVER": "6.12"})):
        refused(" ".join("%s=%s" % v for v in variables_.items()), 2, words, **variables_)


def modules(tree):
    """make modules for a kernel that is not there, or not the source's."""
    def refused_(title, code, words, **variables_):
        refused(title, code, words, target="modules", **variables_)

    refused_("KDIR that does not exist", 2, "KDIR=/nonexistent: no such folder",
             KDIR="/nonexistent")
    with tempfile.TemporaryDirectory() as folder:
        kdir = Path(folder)
        refused_("KDIR that is no build folder", 2, "not the build folder of a kernel",
                 KDIR=folder)
        (kdir / "include/config").mkdir(parents=True)
        release = kdir / "include/config/kernel.release"
        release.write_text("6.11.1\n")
        refused_("KDIR of an unsupported version", 2, "this is Linux 6.11.1; tdp_stress supports",
                 KDIR=folder)
        release.write_text("7.3.99-custom\n")
        refused_("KDIR that was never built", 2, "no Module.symvers", KDIR=folder)
        (kdir / "Module.symvers").touch()
        refused_("KSRC of another version than KDIR", 2, "their versions have to be the same",
                 KDIR=folder, KSRC=str(tree))
        refused_("KSRC without KVM's headers", 2, "not a kernel tree with KVM's private headers",
                 KDIR=folder, KSRC=folder)
        refused_("no source for KDIR", 3, "no source of Linux 7.3.99 found.*KSRC=", KDIR=folder)
        (kdir / ".config").write_text("CONFIG_64BIT=y\n")
        refused_("KDIR without KVM", 2, "built without CONFIG_KVM", KDIR=folder)


def _small_tree(tree, folder, version="7.3"):
    """The few files by which a tree is known."""
    kernel = Path(folder) / "linux"
    (kernel / "arch/x86/kvm").mkdir(parents=True)
    shutil.copy(tree / "Kbuild", kernel)
    major, minor = version.split(".")
    (kernel / "Makefile").write_text("VERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = 0\n" %
                                     (major, minor))
    return kernel


def trees(tree):
    refused("KSRC that does not exist", 2, "KSRC=/nonexistent: no such folder",
            KSRC="/nonexistent")
    with tempfile.TemporaryDirectory() as folder:
        refused("KSRC that is no kernel tree", 2, "not a kernel tree", KSRC=folder)
        refused("KSRC and KVER together", 2, "give one of them", KSRC=folder, KVER="7.3")
        kernel = _small_tree(tree, folder, "6.12")
        refused("KSRC of an unsupported version", 2, "this is Linux 6.12; tdp_stress supports",
                KSRC=str(kernel))
    with tempfile.TemporaryDirectory() as folder:
        kernel = _small_tree(tree, folder)
        (kernel / ".config").touch()
        refused("KSRC built in place", 2, "built in place.*mrproper", KSRC=str(kernel))
    with tempfile.TemporaryDirectory() as folder:
        kernel = _small_tree(tree, folder + "/with blank")
        refused("KSRC with a blank in its path", 2, "blanks or colons", KSRC=str(kernel))


def no_network():
    """An empty cache, and an apt that reaches nobody."""
    if Path("/usr/src/linux-source-7.3.tar.xz").exists() or \
            Path("/usr/src/linux-source-7.2.tar.xz").exists():
        skip("no network", "linux-source is installed on this machine")
        return
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "apt.conf"
        config.write_text('Acquire::http::Proxy "http://127.0.0.1:9";\n'
                          'Acquire::https::Proxy "http://127.0.0.1:9";\n')
        refused("no network", 3, "no network: .*KSRC=", XDG_CACHE_HOME=folder,
                APT_CONFIG=str(config))
        refused("no network, Debian's kernel", 3, "no network: .*a binary Linux",
                XDG_CACHE_HOME=folder, APT_CONFIG=str(config), KERNEL="debian")


def _mounted(size_mib, function):
    """Call @function with a file system of @size_mib; False if that cannot be had."""
    folder = tempfile.mkdtemp()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dM" % size_mib, "tmpfs", folder],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        os.rmdir(folder)
        return False
    try:
        function(Path(folder))
    finally:
        for _ in range(20):
            if not subprocess.run(["umount", folder], stderr=subprocess.DEVNULL,
                                  check=False).returncode:
                break
            time.sleep(0.5)
        os.rmdir(folder)
    return True


def disk_full(tree):
    def too_small(folder):
        refused("disk too small for a build", 3, "MiB free, a kernel build needs about",
                XDG_CACHE_HOME=str(folder), KSRC=str(tree))

    def fills_up(folder):
        env = dict(os.environ, XDG_CACHE_HOME=str(folder), KSRC=str(tree))
        p = subprocess.Popen(["sh", str(REPO / "scripts/python.sh"), "run"], text=True,
                             env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        # once the build has begun somebody else takes the space
        for _ in range(600):
            if list(folder.glob("tdp_stress/build/*/kernel/.config")) or p.poll() is not None:
                break
            time.sleep(0.1)
        with open(folder / "ballast", "wb") as f:
            try:
                while True:
                    f.write(b"\0" * (1 << 20))
            except OSError:
                pass
        try:
            text, _ = p.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            p.kill()
            text, _ = p.communicate()
        result(p.returncode == 3 and re.search(r"^tdp_stress: .*disk full while building", text,
                                               re.M) and "Traceback" not in text,
               "disk full while building", "exit code %s" % p.returncode,
               *text.splitlines()[-6:])

    for title, size, function in (("disk too small for a build", 64, too_small),
                                  ("disk full while building", 700, fills_up)):
        if not _mounted(size, function):
            skip(title, "mounting a small file system takes root")


def main():
    if len(sys.argv) != 2:
        print("usage: host.py TREE (a kernel source)")
        return 2
    tree = Path(sys.argv[1])
    variables()
    trees(tree)
    modules(tree)
    no_network()
    disk_full(tree)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
