# SPDX-License-Identifier: GPL-2.0
"""QEMU= that names no QEMU, and one that names another than the machine's; and what the
guest makes of its kernel's command line.

QEMUs that are shell scripts. Prints TAP. Runs the same commands as a user would,
and what they leave: qemu-cmd.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from said import plan, result

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "scripts"

_QEMU = """#!/bin/sh
case "$*" in
*--version*) echo "QEMU emulator version %s (a fake)" ;;
*"-L help"*) echo "%s" ;;
*"-cpu help"*) echo "  %s" ;;
esac
"""
_PREPARE = """
import sys
from pathlib import Path
from qemu import accel, machine, program
guest = machine.Qemu(2, accel.Choice("tcg", "a test"), "svm", program.get(sys.argv[1] or None))
guest.prepare(Path(sys.argv[2]), 512)
print(guest.title)
"""


def _script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _run(argv, **env):
    """(exit code, output), with @env on top of a clean environment."""
    base = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
    p = subprocess.run(argv, env={**base, "PYTHONDONTWRITEBYTECODE": "1", **env}, cwd=SCRIPTS,
                       text=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.returncode, p.stdout


def chosen(folder):
    """The command that is left for repeating names the QEMU that was taken."""
    path = "%s:%s" % (folder / "bin", os.environ["PATH"])
    own, theirs = folder / "bin/qemu-system-x86_64", folder / "theirs/qemu"
    _script(own, _QEMU % ("7.2.22", folder / "nothing", "EPYC"))
    _script(theirs, _QEMU % ("9.0.1", folder / "theirs", "EPYC"))
    (folder / "theirs/qboot.rom").touch()
    for title, wanted, program, release, fast in (
            ("the machine's QEMU", "", own, "7.2.22", False),
            ("QEMU= comes first, with its own firmware", str(theirs), theirs, "9.0.1", True)):
        _, text = _run([sys.executable, "-B", "-c", _PREPARE, wanted, folder], PATH=path)
        written = (folder / "qemu-cmd").read_text()
        result("exec %s " % program in written and "QEMU %s" % release in written and
               text.strip() == "QEMU %s" % release and ("qboot.rom" in written) == fast, title,
               *text.splitlines(), *written.splitlines())
        (folder / "qemu-cmd").unlink()


def refused(folder):
    """One line, exit code 2, before anything is built."""
    path = folder / "theirs/bad"
    for title, text, words in (
            ("another program", "#!/bin/sh\necho 'ls (GNU coreutils) 9.1'\n",
             "does not say a version of QEMU"),
            ("one for another machine", _QEMU % ("9.0.1", "", "cortex-a57"),
             "emulates no x86_64"),
            ("one that does not start", "#!/nonexistent\n", "does not start"),
            ("one that fails", "#!/bin/sh\necho 'out of luck' >&2; exit 1\n",
             "does not start: out of luck")):
        _script(path, text)
        for target, more in (("run", {}), ("kunit", {"WHERE": "qemu"})):
            code, said = _run(["sh", SCRIPTS / "python.sh", target], QEMU=str(path),
                              RUNDIR=str(folder / "run"), **more)
            last = (said.splitlines() or [""])[-1]
            result(code == 2 and last.startswith("tdp_stress: QEMU=%s: " % path) and
                   words in last and "Traceback" not in said,
                   "make %s, QEMU= is %s" % (target, title), "exit code %s" % code,
                   *said.splitlines()[-5:])


def boot_parameters():
    """Those of a module are the module's, as modprobe has it."""
    line = "quiet kvm.nx_huge_pages=force kvm-intel.pml=0 root=/dev/x.kvm kvm_intel.ept=1 kvm=2"
    for module, wanted in (("kvm", "nx_huge_pages=force"), ("kvm-intel", "pml=0 ept=1"),
                           ("tdp_stress", "")):
        p = subprocess.run(["sh", "-c", '. "$0"; boot_params "$1"',
                            SCRIPTS / "qemu/guest/lib.sh", module], input=line, text=True,
                           check=False, capture_output=True)
        result(" ".join(p.stdout.split()) == wanted, "boot parameters of %s" % module,
               p.stdout, p.stderr)


def main():
    boot_parameters()
    with tempfile.TemporaryDirectory() as folder:
        chosen(Path(folder))
        refused(Path(folder))
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
