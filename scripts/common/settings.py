# SPDX-License-Identifier: GPL-2.0
"""The variables of the front door: names, units, ranges, defaults.

Knows what the user may say; must not know what is done with it. Every value
is checked here, before anything is fetched, built or booted.
"""

import difflib
import os
import re
import secrets

from common.say import usage

ALL = {}


class Setting:
    def __init__(self, name, default, parse, what, rule):
        self.name = name
        self.default = default
        self.parse = parse
        self.what = what
        self.rule = rule
        ALL[name] = self

    def value(self):
        text = os.environ.get(self.name, "").strip()
        if text == "":
            text = self.default() if callable(self.default) else self.default
        if text is None:
            return None
        value = self.parse(text)
        if value is None:
            raise usage("%s=%s: must be %s" % (self.name, text, self.rule))
        return value


def _integer(low, high):
    def parse(text):
        if not re.fullmatch(r"[0-9]{1,20}", text):
            return None
        return int(text) if low <= int(text) <= high else None
    return parse


def _number(name, default, low, high, what, unit=""):
    rule = "a number from %d to %d%s" % (low, high, " (%s)" % unit if unit else "")
    Setting(name, default, _integer(low, high), what, rule)


def _choice(name, default, choices, what):
    Setting(name, default, lambda t: t if t in choices else None, what,
            "one of: " + ", ".join(choices))


def _flag(name, what):
    Setting(name, "0", lambda t: {"0": False, "1": True}.get(t), what, "0 or 1")


def _path(name, what, default=None):
    Setting(name, default, lambda t: None if "\n" in t or ":" in t else t, what,
            "a path without colon or line break")


def _seed(text):
    # 0 is the modules' word for "choose one"
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,16}|[0-9]{1,20}", text):
        return None
    value = int(text, 16 if text.startswith("0x") else 10)
    return value if 0 < value < 1 << 64 else None


def _size_mib(text):
    m = re.fullmatch(r"([0-9]{1,6})([MG])", text)
    if not m:
        return None
    mib = int(m.group(1)) << (10 if m.group(2) == "G" else 0)
    return mib if 4 <= mib <= 8192 else None


def _parameters(text):
    return text if re.fullmatch(r"[a-z0-9_]+=[\w.,:+-]+( +[a-z0-9_]+=[\w.,:+-]+)*", text) else None


def _ops(text):
    return text if re.fullmatch(r"[a-z0-9_]+=[0-9]+(,[a-z0-9_]+=[0-9]+)*", text) else None


_path("KSRC", "kernel tree to test; never written to (default: Debian's linux-source)")
Setting("KVER", None, lambda t: t if t in ("7.2", "7.3") else None,
        "version of Debian's linux-source, when KSRC is not given", "7.2 or 7.3")
_number("DURATION", "60", 1, 86400, "time to stress, in seconds", "seconds")
Setting("SEED", lambda: str(1 + secrets.randbits(32)), _seed,
        "seed of every random choice (default: random, printed)",
        "a number from 1 to 2^64-1, decimal or 0x hexadecimal")
_number("VCPUS", "2", 1, 8, "vCPUs of each TD")
Setting("MEM", "16M", _size_mib, "private memory of each TD", "a size from 4M to 8G, like 16M")
_number("TDS", "1", 1, 8, "TDs that live at the same time")
_number("WORKERS", None, 0, 64, "worker threads besides the vCPUs' (default: the driver's, 2)")
Setting("OPS", None, _ops, "operations and weights, like punch=3,convert=1 "
        "(default: the driver's)", "a list like punch=3,convert=1")
Setting("BUSY", "50", lambda t: None if t == "1" else _integer(0, 1000000)(t),
        "inject BUSY into one SEAMCALL in BUSY; 0: never",
        "0, or a whole number from 2 to 1000000")
_number("DELAY", "500", 0, 100000,
        "how long a SEAMCALL keeps its locks beyond its work, in nanoseconds", "nanoseconds")
Setting("STUB", None, _parameters, "more parameters of tdx_stub.ko, like guest_accesses=8",
        "a list like name=value name=value")
Setting("STRESS", None, _parameters, "more parameters of tdp_stress.ko, like audit_ms=50",
        "a list like name=value name=value")
_choice("FLAVOUR", "lockdep", ("lockdep", "plain"), "kernel: lockdep (every check) or plain")
_flag("KASAN", "1: KASAN on top of FLAVOUR=lockdep (slow)")
_choice("ACCEL", "auto", ("auto", "kvm", "tcg"), "QEMU's acceleration; auto: found by trying")
_choice("MACHINE", "qemu", ("qemu", "bochs"),
        "qemu, or bochs (a CPU with VMX in software; slow)")
_number("CPUS", "2", 2, 8, "CPUs of the machine that KVM runs on")
_number("JOBS", lambda: str(len(os.sched_getaffinity(0))), 1, 512, "parallel build jobs")
_path("RUNDIR", "folder for the run's files (default: run/<date>-<seed>)")
_flag("KEEP", "1: keep the intermediate files of a run (initramfs tree, channels)")
_flag("FORCE", "1: use a KSRC of a version that tdp_stress was not tried on")
_flag("V", "1: show the commands")

NAMES = frozenset(ALL)


class Values:
    """The checked values, as attributes in lower case."""

    def __init__(self):
        _check_names()
        for setting in ALL.values():
            setattr(self, setting.name.lower(), setting.value())
        if self.kasan and self.flavour != "lockdep":
            raise usage("KASAN=1 goes with FLAVOUR=lockdep, not with FLAVOUR=%s" % self.flavour)
        if self.ksrc and self.kver:
            raise usage("KSRC=%s and KVER=%s: give one of them" % (self.ksrc, self.kver))
        if self.vcpus > self.cpus:
            raise usage("VCPUS=%d: KVM refuses a TD with more vCPUs than the machine has CPUs "
                        "(CPUS=%d)" % (self.vcpus, self.cpus))
        if self.machine == "bochs" and self.accel != "auto":
            raise usage("ACCEL=%s: bochs knows no acceleration" % self.accel)
        if self.machine == "bochs" and (self.cpus > 4 or memory_mib(self) > 2048):
            raise usage("MACHINE=bochs: at most 4 CPUs and 2048 MiB; this takes CPUS=%d, %d MiB"
                        % (self.cpus, memory_mib(self)))

    def config_name(self):
        return "kasan" if self.kasan else self.flavour


def memory_mib(values):
    """The machine's memory: its TDs, their shared half, and room for the kernel."""
    return (1024 + 3 * values.mem * values.tds) * (2 if values.kasan else 1)


def _check_names():
    """A misspelt variable on make's command line would be ignored silently."""
    for name in os.environ.get("TDP_STRESS_MAKE_OVERRIDES", "").split():
        if name not in ALL:
            near = difflib.get_close_matches(name, ALL, 1, 0.5)
            raise usage("%s: no such variable%s (make help lists them)" %
                        (name, "; did you mean %s?" % near[0] if near else ""))


def help_text():
    lines = []
    for s in ALL.values():
        shown = s.default if isinstance(s.default, str) else ""
        lines.append("  %-9s %s%s" % (s.name, s.what, " [%s]" % shown if shown else ""))
    return "\n".join(lines)
