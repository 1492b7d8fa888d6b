# SPDX-License-Identifier: GPL-2.0
"""make metal where there is no TDX: what a host lacks, what a run left, and the whole way.

metal.py            seconds: check.sh on made-up hosts, the judge on made-up runs, the front
                    door on this machine
metal.py --guest    the whole way in QEMU (metal.sh): a step loads the emulated TDX module,
                    then the scripts of make metal do on that machine what they do on any
metal.py --full     the same, and wrong uses, signals at bad moments, VMs of others

Prints TAP.
"""

import contextlib
import gzip
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "scripts"
sys.path.insert(0, str(SCRIPTS))

from common import cache                        # noqa: E402
from common.say import Problem                  # noqa: E402
from kernel import installed                    # noqa: E402
from html_page import Page                      # noqa: E402
from metal import build, host, judge            # noqa: E402
from said import all_of, result, skip           # noqa: E402
import backend                                  # noqa: E402

_RELEASE = "7.3.4-test"
_CONFIG = "CONFIG_INTEL_TDX_HOST=y\nCONFIG_KVM_INTEL_TDX=y\n"
_WATCHABLE = "CONFIG_KALLSYMS_ALL=y\nCONFIG_KPROBES=y\nCONFIG_FPROBE=y\n"
_BOOT = "Linux version " + _RELEASE
_CPU = "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx ept tdx_host_platform lm\n"
#: of td_payload_draw(), and another one
_MULTIPLIER = ((6364136223846793005).to_bytes(8, "little"),
               (6364136223846793013).to_bytes(8, "little"))
_DEBUGFS = "debugfs /sys/kernel/debug debugfs rw,nosuid 0 0\n"
_DRIVER = "#!/bin/sh\necho 'tdp-stress: UNSUPPORTED: KVM offers no TDX VMs: with X'\nexit %d\n"


# --- check.sh on hosts that are made up ---

class Host:
    """A good one; what a case changes is a file, or a program, at @folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.env = {"DRIVER": str(self.folder / "bin/driver"),
                    "MODULE": str(self.folder / "tdp_stress.ko")}
        self.file("proc/cpuinfo", _CPU)
        self.file("sys/module/kvm_intel/parameters/tdx", "Y\n")
        self.file("sys/module/module/parameters/sig_enforce", "N\n")
        self.file("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        self.file("boot/config-" + _RELEASE, _CONFIG + _WATCHABLE)
        self.file("lib/modules/%s/build/Module.symvers" % _RELEASE, "")
        self.file("sys/module/kvm/refcnt", "0")
        self.file("sys/kernel/debug/kvm/vm", "")
        self.file("proc/mounts", "proc /proc proc rw 0 0\n" + _DEBUGFS)
        self.file("tdp_stress.ko", "code")
        self.program("driver", _DRIVER % 0)
        self.program("id", "#!/bin/sh\necho 0\n")
        self.program("uname", "#!/bin/sh\necho %s\n" % _RELEASE)
        self.dmesg(_BOOT, "virt/tdx: TDX-Module initialized")

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def program(self, name, text):
        self.file("bin/" + name, text)
        (self.folder / "bin" / name).chmod(0o755)

    def dmesg(self, *lines):
        self.program("dmesg", "#!/bin/sh\n" + "".join("echo '[    0.8] %s'\n" % l for l in lines))

    def without(self, name):
        path = self.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    def check(self):
        env = dict(self.env, ROOT=str(self.folder),
                   PATH="%s:%s" % (self.folder / "bin", os.environ["PATH"]))
        p = subprocess.run(["sh", SCRIPTS / "metal/check.sh"], env=env, text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        return p.returncode, p.stdout.splitlines()


def _no_flag(word):
    return lambda h: h.file("proc/cpuinfo", _CPU.replace(word, ""))


def _no_tdx(h):
    h.file("proc/cpuinfo", _CPU.replace("tdx_host_platform", ""))
    h.dmesg("virt/tdx: initialization failed: Hibernation support is enabled")


def _not_built_in(h):
    h.without("sys/module/kvm_intel")
    h.file("boot/config-" + _RELEASE, "CONFIG_INTEL_TDX_HOST=y\n" + _WATCHABLE)


def _config_in_proc(*options):
    def change(h):
        h.without("sys/module/kvm_intel")
        h.without("boot")
        (h.folder / "proc/config.gz").write_bytes(
            gzip.compress((_WATCHABLE + "".join(o + "=y\n" for o in options)).encode()))
    return change


def _no_config(h):
    h.without("sys/module/kvm_intel")
    h.without("boot")


def _stays_n(h):
    h.file("sys/module/kvm_intel/parameters/tdx", "N\n")
    h.dmesg("kvm_intel: APICv is required for TDX")


def _unwatched(*names):
    def change(h):
        config = _CONFIG + _WATCHABLE
        for name in names:
            config = config.replace("CONFIG_%s=y" % name, "# CONFIG_%s is not set" % name)
        h.file("boot/config-" + _RELEASE, config)
    return change


def _unreadable(h):
    # a good one: of a configuration that cannot be read nothing is known
    h.without("boot")
    h.file("proc/config.gz", "not compressed")


def _said(*lines, tdx="N", flag=True):
    """The kernel's log, after tdx=1."""
    def change(h):
        if tdx:
            h.file("sys/module/kvm_intel/parameters/tdx", tdx + "\n")
        else:
            h.without("sys/module/kvm_intel")
        if not flag:
            _no_flag("tdx_host_platform")(h)
        h.dmesg(*lines)
    return change


_NOT_LOADED = ("virt/tdx: module not loaded", "virt/tdx: TDX-Module initialization failed (-19)")


def _old_kvm(h):
    h.without("sys/module/kvm_intel/parameters/tdx")


def _unloaded(h):
    h.without("sys/module/kvm_intel")


def _enforced(h):
    h.file("sys/module/module/parameters/sig_enforce", "Y\n")


def _signed(h):
    _enforced(h)
    h.file("tdp_stress.ko", "code~Module signature appended~\n")


def _locked(word):
    def change(h):
        h.file("sys/kernel/security/lockdown",
               "none integrity confidentiality".replace(word, "[%s]" % word))
    return change


def _no_headers(h):
    del h.env["MODULE"]
    h.without("lib")


def _locked_signed(h):
    _signed(h)
    _locked("integrity")(h)


def _not_root(h):
    h.program("id", "#!/bin/sh\necho 1000\n")
    # as one who may not look into debugfs sees it
    h.without("sys/kernel/debug")


def _built_in(h):
    h.file("sys/module/kvm_intel/parameters/tdx", "N\n")
    h.file("boot/config-" + _RELEASE, "CONFIG_KVM_INTEL=y\n" + _CONFIG + _WATCHABLE)


def _no_debugfs(h):
    h.without("sys/kernel/debug")
    h.file("proc/mounts", "proc /proc proc rw 0 0\n")


def _another(others_ok):
    def change(h):
        # one process, two VMs
        for name in ("4711-12", "4711-13"):
            h.file("sys/kernel/debug/kvm/%s/x" % name, "")
        h.env["OTHERS_OK"] = others_ok
    return change


#: what is wrong with the host, what is said about it: one line each, or none
_CASES = (
    ("a host that has all", lambda h: None, None),
    ("not root", _not_root, "root: .*run it as root"),
    # the kernel's word counts, not the vendor's
    ("a CPU of another make", _no_flag("GenuineIntel"), None),
    ("no TDX: an AMD CPU", lambda h: h.file("proc/cpuinfo", "vendor_id : AuthenticAMD\nflags : "
                                            "svm\n"), "no Intel CPU; TDX takes a Xeon"),
    ("no TDX: VMX is off", lambda h: h.file("proc/cpuinfo", "vendor_id : GenuineIntel\nflags : "
                                            "fpu\n"), "no VMX: switch it on in the BIOS"),
    ("no TDX: the BIOS, or hibernation", _no_tdx,
     "no key IDs.*Hibernation support is enabled.*in the BIOS switch on.*nohibernate"),
    ("a kernel without CONFIG_KVM_INTEL_TDX", _not_built_in,
     ("built without it; boot one that has CONFIG_INTEL_TDX_HOST=y", "kvm_intel is not loaded")),
    ("a kernel without it, by /proc/config.gz", _config_in_proc("CONFIG_INTEL_TDX_HOST"),
     ("built without it; boot one", "kvm_intel is not loaded")),
    ("not loaded, and configured in /proc/config.gz",
     _config_in_proc("CONFIG_INTEL_TDX_HOST", "CONFIG_KVM_INTEL_TDX"), "kvm_intel is not loaded"),
    ("no configuration at all", _no_config,
     ("no configuration of Linux 7.3.4-test to look at .*/proc/config.gz",
      "kvm_intel is not loaded")),
    ("tdx=1, and KVM cannot", _stays_n,
     "tdx=N .*APICv is required for TDX.*; modprobe -r kvm_intel && modprobe kvm_intel tdx=1"),
    ("tdx=0, and kvm_intel is built in", _built_in, "tdx=N; boot with kvm_intel.tdx=1$"),
    ("no TDX module", _said(_BOOT, *_NOT_LOADED),
     ("TDX module is initialised: the firmware has loaded none .*BIOS.* SEAM loader.* boot again",
      "tdx=N, for want of the TDX module; see the line above$")),
    ("no TDX module, the log has lost its beginning", _said(*_NOT_LOADED),
     ("the firmware has loaded none", "for want of the TDX module")),
    ("no TDX module, kvm_intel is not loaded", _said(_BOOT, *_NOT_LOADED, tdx=""),
     ("the firmware has loaded none", "kvm_intel is not loaded")),
    ("the TDX module failed", _said(_BOOT, "virt/tdx: SEAMCALL (0x21) failed: 0xc0000100",
                                    "virt/tdx: TDX-Module initialization failed (-5)"),
     ("TDX module is initialised: the kernel could not .*initialization failed .-5.* boot again",
      "for want of the TDX module")),
    ("the TDX module failed while CPUs came", _said(
        _BOOT, "virt/tdx: SEAMCALL (0x21) failed: 0xc0000100"),
     ("the kernel could not .*SEAMCALL .0x21. failed", "for want of the TDX module")),
    ("the TDX module failed, in an older kernel", _said(
        _BOOT, "virt/tdx: module initialization failed (-22)"),
     ("the kernel could not .*module initialization failed", "for want of the TDX module")),
    ("a CPU that TDX cannot do with", _said(_BOOT, "virt/tdx: XSAVE is required for TDX"),
     ("the kernel could not .*XSAVE is required for TDX", "for want of the TDX module")),
    ("the TDX module is initialised, tdx=0", _said(_BOOT, "virt/tdx: TDX-Module initialized"),
     "kvm_intel runs with tdx=1: .*modprobe -r kvm_intel && modprobe kvm_intel tdx=1$"),
    ("the TDX module is initialised, which KVM tells", _said(*_NOT_LOADED, tdx="Y"), None),
    ("tdx=0, the log has no word on the TDX module", _said(
        _BOOT, "virt/tdx: TDX not supported by the host platform"),
     "kvm_intel runs with tdx=1: it runs with tdx=N; modprobe -r kvm_intel"),
    ("tdx=0, a log without a beginning", _said("eth0: link up"),
     "kvm_intel runs with tdx=1: it runs with tdx=N; modprobe -r kvm_intel"),
    ("tdx=0, and no TDX in the CPU", _said(
        _BOOT, "virt/tdx: TDX not supported by the host platform", flag=False),
     ("no key IDs", "kvm_intel runs with tdx=1: it runs with tdx=N; modprobe -r")),
    ("a kernel without KALLSYMS_ALL", _unwatched("KALLSYMS_ALL"),
     "built without; boot one that has CONFIG_KALLSYMS_ALL=y$"),
    ("a kernel without KPROBES", _unwatched("KPROBES"), "boot one that has CONFIG_KPROBES=y$"),
    ("a kernel without FPROBE", _unwatched("FPROBE"), "boot one that has CONFIG_FPROBE=y$"),
    ("a kernel without all three", _unwatched("KALLSYMS_ALL", "KPROBES", "FPROBE"),
     "CONFIG_KALLSYMS_ALL=y CONFIG_KPROBES=y CONFIG_FPROBE=y$"),
    ("a configuration that cannot be read", _unreadable, None),
    ("a kvm_intel of before TDX", _old_kvm, "the kvm_intel that is loaded knows no TDX"),
    ("kvm_intel is not loaded", _unloaded, "kvm_intel is not loaded: modprobe kvm_intel tdx=1"),
    ("KVM offers no TDs all the same", lambda h: h.program("driver", _DRIVER % 3),
     "KVM offers TDX VMs .*: KVM offers no TDX VMs; the lines above say why"),
    ("tdp_stress is loaded", lambda h: h.file("sys/module/tdp_stress/refcnt", "0"),
     "tdp_stress is not loaded: .*rmmod tdp_stress"),
    ("only signed modules", _enforced, "only signed ones .*sign-file.*mokutil"),
    ("lockdown, and it is signed", _locked_signed, "debugfs is closed; boot without lockdown="),
    ("only signed modules, and it is signed", _signed, None),
    ("lockdown: integrity", _locked("integrity"), "locked down .integrity.*Secure Boot off"),
    ("lockdown: confidentiality", _locked("confidentiality"), "boot without lockdown="),
    ("no modules at all any more", lambda h: h.file("proc/sys/kernel/modules_disabled", "1\n"),
     "kernel.modules_disabled is 1, until the next boot"),
    ("no headers", _no_headers, "no Module.symvers; install them .*linux-headers-7.3.4-test"),
    ("a module that was not built", lambda h: h.without("tdp_stress.ko"),
     "tdp_stress.ko is built: there is no "),
    ("no debugfs", _no_debugfs, "mount -t debugfs none /sys/kernel/debug"),
    ("other VMs", _another("0"),
     "VMs of process 4711, .*OTHERS_OK=1: they are watched as well, and left alone"),
    ("other VMs, OTHERS_OK=1", _another("1"), None),
)


#: what cannot be told of it, and is no pass
_SKIPPED = {
    "no debugfs": "no other VM runs here # SKIP",
    "not root": "no other VM runs here # SKIP",
    "tdx=1, and KVM cannot": ".*is initialised # SKIP unknown: .*lost its beginning",
    "tdx=0, a log without a beginning": ".*SKIP unknown: .*cannot be read or has lost its "
                                        "beginning; look at: journalctl -k -b",
    "tdx=0, the log has no word on the TDX module": ".*SKIP unknown: the kernel's log has no word",
    "tdx=0, and no TDX in the CPU": ".*is initialised # SKIP there is none without TDX",
    "a configuration that cannot be read": "the kernel's symbols .* # SKIP no configuration",
    "no configuration at all": "the kernel's symbols .* # SKIP no configuration",
}


def prerequisites():
    for title, change, words in _CASES:
        with tempfile.TemporaryDirectory() as folder:
            made_up = Host(folder)
            change(made_up)
            code, lines = made_up.check()
        words = () if words is None else (words,) if isinstance(words, str) else words
        bad = [l for l in lines if l.startswith("not ok")]
        good = len(bad) == len(words) and code == (3 if words else 0) and \
            lines[-1] == "1..%d" % (len(lines) - 2) and \
            all(re.search(w, b) for w, b in zip(words, bad))
        skipped = [l.partition(" - ")[2] for l in lines if "# SKIP" in l]
        good = good and len(skipped) == (title in _SKIPPED) and \
            all(re.match(_SKIPPED[title], s) for s in skipped)
        result(good, "prerequisites: " + title, "exit code %d" % code, *lines)


# --- the judge on runs that are made up ---

_STATS = "check.F1 10\nviolation.F1 0\ncheck.X1 0\nviolation.X1 0\ncheck.S1 0\nviolation.S1 0\n" \
    "check.L1 5\nviolation.L1 0\n"
_GOOD = {
    "stress.verdict": "SUCCESS\n", "stress.violations": "", "stress.stats": _STATS,
    "stress.not_checked": "X1 (needs tdx_stub, which is not loaded), S1 (nothing was split)\n",
    "driver.code": "0\n", "driver.log": "tdp-stress: SUCCESS\n", "driver.json": "{}",
    "dmesg": "<6>[    1.0] tdp_stress run: begin 1-2\n<6>[    2.0] tdp_stress: watching KVM\n",
}
_WARN = "<4>[    3.0] WARNING: CPU: 0 PID: 1 at arch/x86/kvm/vmx/tdx.c:1 f+0x1\n"
_X3 = "X3: TDH.MEM.PAGE.REMOVE returned 0xc0000b0800000001, in unmap, gfn 0xa32 level 1, by " \
    "w1:convert/94 (mmu_lock write)"
_NET = "<4>[    3.0] eth0: link down\n"


def _judged(code=0, **changes):
    """(word, exit code, reason, what is shown) of a run that left that."""
    with tempfile.TemporaryDirectory() as folder:
        left = {**_GOOD, **{n.replace("__", "."): t for n, t in changes.items()}}
        for name, text in left.items():
            if text is not None:
                (Path(folder) / name).write_text(text)
        said = judge.Result(Path(folder), code)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        judge.show(said)
    return said.verdict.word, said.verdict.exit_code, said.verdict.reason, shown.getvalue()


#: in its KTAP what is not ok; of the others nothing is said to be wrong there
_KTAP = {"a violation": "X3: 1 violation(s) in 4 checks",
         "a failure of the driver": "the driver, and every guest followed its script",
         "a driver that hangs": "the driver, and every guest followed its script",
         "no TDX after all": "the driver, and every guest followed its script",
         "a warning of KVM's": "the kernel log", "a module that stays": "tdp_stress is unloaded"}


def judged():
    word, code, _, shown = _judged()
    result((word, code) == ("SUCCESS", 0) and "ok 1 F1: checked 10 times\n" in shown,
           "a good run", word, *shown.splitlines())
    result("\nok 2 X1 # SKIP a real TDX module lets nobody read" in shown and
           "\nok 3 S1 # SKIP nothing was split" in shown and
           "ok 4 L1: checked 5 times, in part\n" in shown and "\n    X1: " in shown and
           "\n    L1, in part: " in shown, "what nobody can see is no pass, and said",
           *shown.splitlines())
    for title, wanted, words, change in (
            ("a violation", ("FAILURE", 1), "violated: X3",
             {"stress__verdict": "FAILURE: X3\n", "stress__violations": "X3: status\n",
              "stress__stats": _STATS + "check.X3 4\nviolation.X3 1\n"}),
            ("one at the very end", ("FAILURE", 1), "at its end",
             {"dmesg": _GOOD["dmesg"] + "<1>[    9.0] tdp_stress: --- End of test: FAILURE: A1\n"}),
            ("a failure of the driver", ("FAILURE", 1), "left its script",
             {"driver__code": "1\n",
              "driver__log": "tdp-stress: FAILURE: the guest left its script"}),
            ("a driver that hangs", ("FAILURE", 1), "did not end in time",
             {"driver__code": "124\n"}),
            ("a warning of KVM's", ("FAILURE", 1), "unexplained kernel message",
             {"dmesg": _GOOD["dmesg"] + _WARN}),
            ("a module that stays", ("FAILURE", 1), "cannot be unloaded",
             {"problem": "tdp_stress cannot be unloaded: in use\n"}),
            ("no verdict", ("FAILURE", 1), "gave no verdict", {"stress__verdict": None}),
            ("no check", ("FAILURE", 1), "checked nothing", {"stress__stats": "check.F1 0\n"}),
            ("no log", ("FAILURE", 1), "log is empty", {"dmesg": None}),
            ("no driver", ("FAILURE", 1), "driver was not run", {"driver__code": None}),
            ("no TDX after all", ("UNSUPPORTED", 3), "no TDX VMs",
             {"driver__code": "3\n", "driver__log": "tdp-stress: UNSUPPORTED: no TDX VMs\n"})):
        word, code, reason, shown = _judged(**change)
        lines = [l for l in shown.splitlines() if l.startswith("not ok ")]
        good = any(_KTAP[title] in l for l in lines) if title in _KTAP else not lines
        result((word, code) == wanted and words in reason and good, "judged: " + title,
               "%s %d: %s" % (word, code, reason), *shown.splitlines())
    _, _, _, shown = _judged(stress__stats=_STATS.replace("check.X1 0", "check.X1 9"))
    result("\nok 2 X1 # SKIP a real" in shown, "judged: what it thinks to have checked, and cannot",
           *shown.splitlines())
    word, code, _, shown = _judged(dmesg=_GOOD["dmesg"] + _NET)
    result(word == "SUCCESS" and "1 other kernel message(s) meanwhile, not judged" in shown,
           "judged: a message of others'", word, *shown.splitlines())
    # as busybox has it, and as kmod has
    for errno in ("can't insert 't.ko': Invalid argument",
                  "ERROR: could not insert module t.ko: Invalid parameters"):
        word, code, reason, _ = _judged(3, driver__code=None, problem="insmod: %s: tdp_stress: "
                                        "oracles=Q9: unknown \n" % errno)
        result((word, code) == ("UNSUPPORTED", 2) and "Q9" in reason,
               "judged: a parameter that is wrong", word, code, reason)
    word, code, reason, _ = _judged(dmesg=_GOOD["dmesg"].replace("begin 1-2", "begin lost"))
    result((word, code) == ("UNSUPPORTED", 3) and "log_buf_len" in reason,
           "judged: a log that has gone round", word, code, reason)
    word, code, reason, _ = _judged(1)
    result(word == "FAILURE" and "job.sh ended with 1" in reason, "judged: a job that fails",
           reason)


# --- the front door, here ---

def _door(timeout=120, program=(), **variables):
    env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
    p = subprocess.run([*program, "sh", SCRIPTS / "python.sh", "metal"], env={**env, **variables},
                       text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.returncode, p.stdout


def front_door():
    def refused(title, code, words, **kw):
        got, said = _door(**kw)
        lines = [l for l in said.splitlines() if l.startswith("tdp_stress: ")]
        result(got == code and len(lines) == 1 and words in lines[0] and "Traceback" not in said,
               "make metal: " + title, "exit code %s" % got, *said.splitlines()[-6:])

    refused("CHECK=2", 2, "CHECK=2: must be 0 or 1", CHECK="2")
    refused("BACKEND=external", 2, "make metal is about real TDs", BACKEND="external")
    refused("MEM=4G", 2, "MEM=4096M: must be a size from 4M to 2G", MEM="4G")
    refused("BUSY=20", 2, "BUSY=20: make metal takes the machine, ", BUSY="20")
    refused("WHERE=uml", 2, "WHERE=uml: make metal takes the machine, ", WHERE="uml")
    refused("KDIR that does not exist", 2, "no such folder", KDIR="/nonexistent")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        (made / "include/config").mkdir(parents=True)
        (made / "include/config/kernel.release").write_text("7.3.99-other\n")
        (made / "Module.symvers").touch()
        refused("KDIR of another kernel", 2, "is of Linux 7.3.99-other, but this machine runs",
                KDIR=folder)
    if "tdx_host_platform" in Path("/proc/cpuinfo").read_text():
        skip("make metal: a machine without TDX", "this one has it")
    else:
        refused("a machine without TDX", 3, "this machine is not ready")
        refused("a machine without TDX, CHECK=1", 3, "this machine is not ready", CHECK="1")
        result(not Path("/sys/module/tdp_stress").exists(), "make metal: nothing was loaded")
    nobody = ("setpriv", "--reuid=65534", "--clear-groups")
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        skip("make metal: not root", "takes root and setpriv to become somebody else")
    elif subprocess.run([*nobody, "test", "-r", SCRIPTS / "python.sh"], check=False).returncode:
        skip("make metal: not root", "nobody else may read %s" % REPO)
    else:
        # its cache is in a folder that all may read
        _, said = _door(program=nobody, CHECK="1", HOME="/nonexistent")
        result("not ok 1 - root: " in said, "make metal: not root", *said.splitlines()[-6:])


def _front_door():
    """scripts/metal.py; scripts/metal/ is what import would find."""
    spec = importlib.util.spec_from_file_location("front_door_of_metal", SCRIPTS / "metal.py")
    door = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(door)
    return door


def taken_on(title, run, *words):
    """What the other doors make of a folder that make metal has left: a page, which has @words;
    nothing can be booted again.
    """
    def call(door):
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
        p = subprocess.run(["sh", SCRIPTS / "python.sh", door], env=dict(env, RUN=str(run)),
                           text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return p.returncode, p.stdout

    code, said = call("report")
    path = run / "report.html"
    page = Page(path.read_text(encoding="utf-8") if path.exists() else "")
    missing = [w for w in words if w not in page.text]
    result(code == 0 and not missing and not page.wrong and (run / "perfetto.json").exists(),
           "make report of %s: a page" % title, "exit code %d" % code, said, *missing,
           *page.wrong[:5])
    result("make replay" not in page.text, "make report of %s: promises no replay" % title)
    again = json.loads((run / "summary.json").read_text())["repeat"]
    for door in ("replay", "minimise"):
        code, said = call(door)
        lines = said.splitlines()
        result(code == 2 and len(lines) == 1 and str(run) in said and
               lines[0].endswith("there, as root: " + again),
               "make %s of %s: refused, with the command that repeats it" % (door, title),
               "exit code %d" % code, said)


def whole(missing=(), then=lambda run: None, **changes):
    """make metal from its first line to its last, on a machine that is made up and whose job
    leaves what a good one does, but for @changes: (exit code, what it said, summary.json).
    @missing: on the machine, to what is built; @then: called with the run's folder.
    """
    door = _front_door()

    def job(env, folder):
        for name, text in {**_GOOD, **changes}.items():
            (folder / name).write_text(text)
        # as it was told
        (folder / "told").write_text(json.dumps(env))
        return 0

    built = build.Built(_RELEASE, Path("tdp_stress.ko"), Path("tdp-stress"))
    shown = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(shown), \
            mock.patch.dict(os.environ, {"RUNDIR": folder, "SEED": "7", "VCPUS": "4",
                                         "DURATION": "3", "WORKERS": "0", "OPS": "punch=3",
                                         "STRESS": "audit_ms=50"}), \
            mock.patch.object(host, "check", lambda values, built=None: missing if built else []), \
            mock.patch.object(host, "run", job), \
            mock.patch.object(build, "kernel", lambda values: None), \
            mock.patch.object(build, "get", lambda values, kernel: built):
        code = door.metal()
        data = json.loads((Path(folder) / "metal/summary.json").read_text())
        data["told"] = json.loads((Path(folder) / "metal/told").read_text())
        with contextlib.redirect_stdout(sys.__stdout__):
            then(Path(folder) / "metal")
    return code, shown.getvalue(), data


def from_end_to_end():
    code, said, data = whole(then=lambda run: taken_on(
        "a good run of make metal", run, "SUCCESS", "Linux " + _RELEASE, "Not checked in this run"))
    result(code == 0 and "\n--- End of test: SUCCESS\n" in said and "\nKTAP version 1\n" in said and
           "    again: make metal DURATION=3 SEED=7 VCPUS=4 WORKERS=0 OPS=punch=3 "
           "STRESS=audit_ms=50\n" in said,
           "make metal, all of it: a good run", code, *said.splitlines())
    told = data["told"]
    result((data["verdict"], data["exit_code"], data["versions"]["kernel"],
            data["parameters"]["seed"]) == ("SUCCESS", 0, _RELEASE, 7) and
           any("X1" in l for l in data["not_possible"]),
           "and its summary.json", repr(data))
    result({n: told[n] for n in ("SEED", "DURATION", "DRIVER_ARGS", "STRESS_ARGS")} ==
           {"SEED": "7", "DURATION": "3", "STRESS_ARGS": "audit_ms=50", "DRIVER_ARGS":
            "--vcpus 4 --mem 16M --tds 1 --ops punch=3 --workers 0"},
           "and the job is told all of it", repr(told))
    left = {"stress.verdict": "FAILURE: X3\n", "stress.violations": _X3 + "\n",
            "stress.stats": _STATS + "check.X3 4\nviolation.X3 1\n",
            "dmesg": _GOOD["dmesg"] + _WARN}
    code, said, data = whole(then=lambda run: taken_on(
        "one that has failed", run, "FAILURE", _X3, "kvm_tdp_mmu_unmap_gfn_range()",
        "make metal DURATION=3"), **left)
    result(code == 1 and "--- End of test: FAILURE: violated: X3" in said and
           data["verdict"] == "FAILURE" and data["violation_lines"] == [_X3] and
           data["violations"] == {"X3": 1} and len(data["unexplained_messages"]) == 1,
           "make metal, all of it: a violation", code, *said.splitlines())
    try:
        code, _, _ = whole(["not ok 5 - KVM offers TDX VMs"])
    except Problem as problem:
        code = problem.code
    result(code == 3, "make metal, all of it: what is missing to what was built", code)


#: 60 seconds at most, should nobody end it
_JOB = """trap 'sleep 1; echo left > $OUT/left; exit 130' TERM
echo working > $OUT/driver.log
for i in $(seq 600); do sleep 0.1; done
"""


def interrupted():
    """Ctrl-C: job.sh gets the time to clean up."""
    def waits_for(working):
        while not working():
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    def in_its_midst(folder, shown):
        threading.Thread(target=waits_for, args=(lambda: "working" in shown.getvalue(),),
                         daemon=True).start()
        return contextlib.nullcontext()

    def at_its_start(folder, shown):
        start = subprocess.Popen

        def started(*args, **kwargs):
            p = start(*args, **kwargs)
            waits_for(lambda: (folder / "driver.log").stat().st_size)
            return p

        return mock.patch.object(host.subprocess, "Popen", started)

    # whoever is started in the background ignores it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for title, when in (("", in_its_midst), (" when it has just begun", at_its_start)):
        with tempfile.TemporaryDirectory() as name, \
                contextlib.redirect_stdout(io.StringIO()) as shown:
            folder = Path(name)
            (folder / "job").write_text(_JOB)
            try:
                with when(folder, shown):
                    host.run({"OUT": name}, folder, folder / "job")
                ended = "not interrupted"
            except KeyboardInterrupt:
                ended = "interrupted"
            left = (folder / "left").exists()
        result(ended == "interrupted" and left, "Ctrl-C%s: the job cleans up first" % title, ended)


def told():
    """What check.sh and job.sh get of ours, and what of the user's they must not get."""
    class Wanted:
        others_ok, kdir = False, "~/tree"

    with mock.patch.dict(os.environ, {"ROOT": "/nonexistent", "MODULE": "/nonexistent.ko",
                                      "HOME": "/home/nobody"}), \
            mock.patch.object(host.command, "output", lambda argv, env: (0, repr(env), "")), \
            contextlib.redirect_stdout(io.StringIO()) as shown:
        host.check(Wanted)
    said = shown.getvalue()
    result("'ROOT': ''" in said and "'MODULE': ''" in said and "'OTHERS_OK': '0'" in said and
           "'KDIR': '/home/nobody/tree'" in said, "check.sh takes no variable that is not for it",
           *[w for w in said.split(", ") if re.match("'(ROOT|MODULE|KDIR|OTHERS_OK)'", w)])
    try:
        backend.check_parameters("STRESS", "audit_ms=5 audit_sm=5", "tdp_stress",
                                 ["audit_ms", "oracles"])
        line = "not refused"
    except Problem as problem:
        line = problem.line
    result(line == "STRESS=audit_sm=5: tdp_stress has no parameter 'audit_sm'; there are: audit_ms, "
           "oracles", "a parameter that there is not is refused, not ignored", line)
    class NoTdx:
        tdx, release = False, "7.3.4-no-tdx"

    try:
        build.get(Wanted, NoTdx)
        code = 0
    except Problem as problem:
        code, line = problem.code, problem.line
    result(code == 3 and "7.3.4-no-tdx is built without CONFIG_KVM_INTEL_TDX" in line,
           "headers of a kernel without TDX", code, line)
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        rest = host._show(host._show("one\ntw") + "o\nthree")
    result((shown.getvalue(), rest) == ("  one\n  two\n", "three"),
           "a line of the driver's that comes in pieces is one", repr(shown.getvalue()), rest)


def headers():
    """The driver compiles with what a source tree has, whatever the C library is."""
    tree = next((t for t in sorted((cache.root() / "src").glob("linux-source-*"), reverse=True)
                 if (t / "include/uapi/linux/kvm.h").exists()), None)
    if not tree:
        skip("the driver compiles with a source tree's headers", "no kernel source in the cache")
        return
    with tempfile.TemporaryDirectory() as name:
        class Bare:
            kdir = Path(name)
        found = installed.program_headers(Bare, tree, Path(name) / "uapi")
        p = subprocess.run(["gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                            "-pthread", "-isystem", found,
                            *sorted((REPO / "selftests/lib").glob("td*.c"))],
                           text=True, check=False, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    result(p.returncode == 0, "the driver compiles with a source tree's headers",
           *p.stdout.splitlines()[:6])


# --- the whole way, in QEMU ---

def _patched(path, target, old, new):
    data = path.read_bytes()
    if len(old) != len(new) or old not in data:
        raise Problem(1, "fixture: %s does not contain %r" % (path, old))
    target.write_bytes(data.replace(old, new))
    return target


def guest(wrong_uses):
    """A machine that an emulated TDX module makes one with TDX, in a step before."""
    from common.settings import Values
    from qemu import judge as words
    from qemu import session, setup
    values = Values()
    if "DURATION" not in values.given:
        values.duration = 10
    with contextlib.redirect_stdout(sys.stderr):
        kernel, built = setup.prepare(values)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "console.log").touch()
        # as on a machine with real TDX: there is no emulated module whose view it could take
        blind = _patched(built.modules["tdp_stress"], folder / "blind.ko", b"tdx_stub_view\0",
                         b"tdx_stub_vieX\0")
        other = _patched(blind, folder / "other.ko", b"vermagic=%d" % int(kernel.release[0]),
                         b"vermagic=4")
        modules = dict(built.modules, tdp_stress=blind, other=other)
        # its guests draw other random numbers than it expects
        astray = _patched(built.driver, folder / "astray", *_MULTIPLIER)
        built.programs = dict(built.programs, astray=astray)
        machine = session.Session(values, kernel, built, setup.get_machine(values, kernel), folder)
        params = setup.job_params(values)
        params["WRONG_USES"] = "1" if wrong_uses else ""
        with contextlib.redirect_stdout(sys.stderr):
            outcome = machine.boot("metal", params, values.duration + 900, modules=modules)
        _report(outcome, folder, words, values, kernel.release)
        if outcome.end != "finished":
            for line in machine.last_console_lines():
                print("# | " + line)


def _report(outcome, folder, words, values, release):
    for line in outcome.words("case"):
        title, what, why = line.split("|", 2)
        result(what == "ok", title, why)
    for failed in outcome.words("fail"):
        result(False, "step", failed)
    run = folder / "run"
    run.mkdir()
    for name, text in outcome.files.items():
        if name.startswith("metal."):
            (run / name[len("metal."):]).write_text(text)
    said = judge.Result(run, 0)
    result(said.verdict.word == "SUCCESS", "the verdict on the run is SUCCESS",
           said.verdict.reason)
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        _front_door().finish(values, release, said, values.duration, run)
    taken_on("what it has left", run, "SUCCESS", "Linux " + release, "frozen windows", "SEAMCALL")
    result(" X1 # SKIP a real TDX module" in shown.getvalue(),
           "it could not see into the TDX module, and says so", *shown.getvalue().splitlines())
    log = said.files.get("driver.log", "")
    result("tdx_stub n/a" in log, "nor could the driver", *log.splitlines()[:2])
    summary = words.driver_summary(said.files)
    exits = summary.get("exits", {})
    result(exits.get("progress", 0) > 0 and exits.get("map_gpa", 0) > 0,
           "the guests followed their script, conversions too", repr(exits))
    stub = words.counters(outcome.files.get("stub.stats"))
    result(stub.get("guest.payload.act", 0) > 0 and not stub.get("guest.stay.short", 1),
           "the emulated TDX module played the payload, and nothing else", repr(stub)[:300])
    left = [n for n in ("td.live", "vcpu.live") if stub.get(n)]
    result(stub and not left, "nothing is left of the TDs", *left)
    result(outcome.end == "finished" and outcome.words("case"), "the guest finishes", outcome.why)


def main():
    if sys.argv[1:] not in ([], ["--guest"], ["--full"]):
        print("usage: metal.py [--guest | --full]")
        return 2
    if sys.argv[1:]:
        all_of(lambda: guest(sys.argv[1] == "--full"))
    else:
        all_of(prerequisites, judged, told, headers, interrupted, from_end_to_end, front_door)
    return 0


if __name__ == "__main__":
    sys.exit(main())
