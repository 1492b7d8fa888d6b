# SPDX-License-Identifier: GPL-2.0
"""How much of a kernel, and of our own programs, is built again after which change.

The kernel is a tree of a few files and a `make` that only notes what it was
asked for.  Prints TAP. Knows the promises of scripts/kernel/build.py, not its ways.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common.say import EXIT_BUILD, Problem      # noqa: E402
from kernel import build, source                # noqa: E402
from said import plan, result          # noqa: E402

_MAKE = r"""#!/bin/sh
# notes its targets; makes what a build would leave
for word; do
	case "$word" in
	O=*) out=${word#O=} ;;
	tinyconfig) targets="$targets $word"; : > "$out/.config" ;;
	headers|bzImage|modules|olddefconfig) targets="$targets $word" ;;
	esac
done
echo "${targets# }" >> "$FAKE_LOG"
[ -e "$FAKE_LOG.fail" ] && { echo "x.c:1: error: no"; exit 2; }
mkdir -p "$out/arch/x86/boot" "$out/arch/x86/kvm/mmu" "$out/usr/include"
touch "$out/arch/x86/boot/bzImage"
for m in kvm kvm-intel kvm-amd; do touch "$out/arch/x86/kvm/$m.ko"; done
touch "$out/arch/x86/kvm/mmu/tdp_mmu.o"
echo "deps := $PWD/arch/x86/kvm/mmu/tdp_mmu.c" > "$out/arch/x86/kvm/mmu/.tdp_mmu.o.cmd"
"""


class World:
    """A tree, a cache and a make in a temporary folder."""

    def __init__(self, folder):
        self.root = Path(folder)
        self.log = self.root / "make.log"
        (self.root / "bin").mkdir()
        (self.root / "bin/make").write_text(_MAKE)
        (self.root / "bin/make").chmod(0o755)
        os.environ["PATH"] = "%s:%s" % (self.root / "bin", os.environ["PATH"])
        os.environ["FAKE_LOG"] = str(self.log)
        os.environ["XDG_CACHE_HOME"] = str(self.root / "cache")
        self.linux = self.root / "linux"
        self.write("Makefile", "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 0\n")
        for name in ("Kbuild", "mm/slub.c", "mm/Kconfig", "arch/x86/kvm/mmu/tdp_mmu.c",
                     "arch/x86/kvm/mmu/spte.h", "virt/kvm/kvm_main.c", "Documentation/x.rst"):
            self.write(name, "1\n")

    def write(self, name, text):
        path = self.linux / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def targets(self, *more):
        """Build, with @more for make; what make was asked for since the last call."""
        self.log.write_text("")
        kernel = build.Kernel(source.check(self.linux), "plain")
        kernel.make_args += more
        kernel = build.build(kernel, 1)
        return self.log.read_text().split("\n")[:-1], kernel


FULL = "headers bzImage modules"


def _header_gone(folder):
    """selftests/Makefile builds a file, and again after its header was moved away."""
    # with what it includes, from wherever in the project
    for path in [REPO / "selftests/Makefile", *REPO.glob("selftests/**/*.mk"),
                 *REPO.glob("tdp_stress/**/*.mk")]:
        (folder / path.relative_to(REPO)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.relative_to(REPO))
    folder = folder / "selftests"
    (folder / "lib").mkdir()
    source_file, header = folder / "lib/gone.c", folder / "lib/gone.h"
    source_file.write_text('#include "gone.h"\nint gone = GONE;\n')
    header.write_text("#define GONE 1\n")
    make = ["make", "-C", str(folder), "O=%s" % (folder / "out"), "LIB=gone", "DRIVER=",
            str(folder / "out/lib/gone.o")]
    subprocess.run(make, check=True, capture_output=True)
    header.unlink()
    source_file.write_text("int gone = 2;\n")
    return subprocess.run(make, check=False, capture_output=True, text=True)


def main():
    stdout, silent = sys.stdout, open(os.devnull, "w", encoding="utf-8")

    def check(good, title, *why):
        sys.stdout = stdout
        result(good, title, *why)
        sys.stdout = silent

    sys.stdout = silent     # the steps' own lines
    with tempfile.TemporaryDirectory() as folder:
        done = _header_gone(Path(folder))
        check(done.returncode == 0 and "CC" in done.stdout,
              "a header of ours is gone: what included it is built again", done.stderr)

    with tempfile.TemporaryDirectory() as folder:
        w = World(folder)
        got, kernel = w.targets()
        check(got == ["tinyconfig", "olddefconfig", FULL], "the first build configures and "
              "builds everything", got)
        interface = kernel.interface

        got, kernel = w.targets()
        check(got == [], "nothing changed: make is not run", got)

        w.write("Documentation/x.rst", "22\n")
        got, kernel = w.targets()
        check(got == [], "documentation is not built", got)

        time.sleep(0.02)
        w.write("arch/x86/kvm/mmu/tdp_mmu.c", "22\n")
        got, kernel = w.targets()
        check(got == ["modules"], "a file of KVM changed: modules only", got)
        check(kernel.interface == interface, "our modules need no new build after it")

        w.write("arch/x86/kvm/mmu/spte.h", "22\n")
        got, kernel = w.targets()
        check(got == ["modules"] and kernel.interface != interface,
              "a header of KVM changed: our modules are built again", got)

        w.write("mm/slub.c", "22\n")
        got, kernel = w.targets()
        check(got == [FULL], "another file changed: everything is visited", got)

        w.write("mm/Kconfig", "22\n")
        got, kernel = w.targets()
        check(got == ["olddefconfig", FULL], "Kconfig changed: options are verified again", got)

        got, kernel = w.targets("GCOV_PROFILE_mmu/spte.o=y")
        check(got == ["tinyconfig", "olddefconfig", FULL],
              "other words for make: everything is visited", got)
        got, kernel = w.targets()
        check(got == ["tinyconfig", "olddefconfig", FULL], "and without them again", got)

        (w.linux / "virt/kvm/kvm_main.c").unlink()
        got, kernel = w.targets()
        check(got == [FULL], "a file of KVM is gone: everything is visited", got)

        old = w.linux / "arch/x86/kvm/mmu/tdp_mmu.c"
        os.utime(old, ns=(10 ** 18, 10 ** 18))
        made = kernel.out / "arch/x86/kvm/mmu/tdp_mmu.o"
        before = made.stat().st_ino
        made.with_suffix(".kept").touch()
        os.link(made, made.with_suffix(".link"))      # else the inode is used again
        got, kernel = w.targets()
        check(got == ["modules"] and made.stat().st_ino != before,
              "a file put back with an old time: its objects are made anew", got)

        w.write("arch/x86/kvm/mmu/tdp_mmu.c", "333\n")
        Path(str(w.log) + ".fail").touch()
        try:
            w.targets()
            code, line = 0, ""
        except Problem as p:
            code, line = p.code, " ".join(p.more)
        check(code == EXIT_BUILD and "x.c:1: error: no" in line,
              "a build that fails says its first error", code, line)
        Path(str(w.log) + ".fail").unlink()
        got, kernel = w.targets()
        check(got == ["modules"], "what failed is built the next time", got)
    sys.stdout = stdout
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
