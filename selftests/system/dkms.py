# SPDX-License-Identifier: GPL-2.0
"""dkms.conf with Debian's dkms: add, build, install, remove.

dkms.py KDIR KSRC SCRATCH: for the kernel whose build folder is KDIR, in a dkms
tree of its own below SCRATCH; the machine's own is not touched. Prints TAP.
Must not know how the modules are built.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import cache                # noqa: E402
from common.say import Problem          # noqa: E402
from kernel.apt import Apt              # noqa: E402
from said import plan, result          # noqa: E402

_NAME = "tdp_stress"


def find_dkms():
    """The program, this machine's or out of Debian's package, which is only unpacked."""
    if shutil.which("dkms"):
        return shutil.which("dkms")
    folder = cache.folder("dkms")
    program = folder / "usr/sbin/dkms"
    if not program.exists():
        apt = Apt(("trixie", "bookworm"))
        deb, = apt.download("dkms", ["dkms"], apt.find("dkms"), folder)
        subprocess.run(["dpkg", "-x", deb, folder], check=True)
        deb.unlink()
    return program


class Dkms:
    """One dkms tree in @scratch, for one kernel."""

    def __init__(self, program, kdir, ksrc, scratch):
        self.kver = (kdir / "include/config/kernel.release").read_text().strip()
        self.version = re.search(r'^PACKAGE_VERSION="(.*)"', (REPO / "dkms.conf").read_text(),
                                 re.M).group(1)
        shutil.rmtree(scratch, ignore_errors=True)
        self.tree, self.installed = scratch / "tree", scratch / "installed"
        self.sources = scratch / "sources"
        self.source = self.sources / ("%s-%s" % (_NAME, self.version))
        for folder in (self.tree, self.installed / self.kver, scratch / "bin"):
            folder.mkdir(parents=True)
        shutil.copytree(REPO, self.source,
                        ignore=shutil.ignore_patterns("run", "build", ".git", "__pycache__"))
        # dkms would call it for this machine's own modules
        depmod = scratch / "bin/depmod"
        depmod.write_text("#!/bin/sh\nexit 0\n")
        depmod.chmod(0o755)
        self.env = dict(os.environ, KSRC=str(ksrc), LC_ALL="C.UTF-8",
                        PATH="%s:%s:/usr/sbin:/sbin" % (scratch / "bin", os.environ["PATH"]))
        self.argv = ["bash", str(program)]
        self.where = ["--dkmstree", self.tree, "--installtree", self.installed,
                      "--sourcetree", self.sources, "--kernelsourcedir", kdir,
                      "-k", self.kver, "-m", _NAME, "-v", self.version]

    def run(self, action, **env):
        p = subprocess.run(self.argv + [action] + [str(w) for w in self.where], text=True,
                           env=dict(self.env, **env), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                           check=False)
        return p.returncode, p.stdout

    def log(self):
        found = sorted(self.tree.rglob("make.log"))
        return found[-1].read_text(errors="replace") if found else ""

    def modules(self, folder):
        return sorted(p.name.partition(".ko")[0] for p in folder.rglob("*.ko*"))


def main():
    if len(sys.argv) != 4:
        print("usage: dkms.py KDIR KSRC SCRATCH")
        return 2
    kdir, ksrc, scratch = (Path(a) for a in sys.argv[1:])
    try:
        program = find_dkms()
    except Problem as problem:
        print("ok 1 - dkms # SKIP %s" % problem.line)
        print("1..1")
        return 0
    dkms = Dkms(program, kdir, ksrc, scratch)
    code, said = dkms.run("add")
    result(code == 0, "dkms add", said)
    code, said = dkms.run("build", KSRC=str(scratch))
    result(code != 0 and "KSRC=%s: not a kernel tree" % scratch in dkms.log(),
           "dkms build without KVM's headers fails and says why", said, dkms.log())
    code, said = dkms.run("build")
    result(code == 0 and _NAME in dkms.modules(dkms.tree), "dkms build", said, dkms.log())
    code, said = dkms.run("install")
    result(code == 0 and _NAME in dkms.modules(dkms.installed), "dkms install", said)
    code, said = dkms.run("remove")
    result(code == 0 and not dkms.modules(dkms.installed) and not dkms.modules(dkms.tree),
           "dkms remove leaves nothing", said)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
