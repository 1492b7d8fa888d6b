# SPDX-License-Identifier: GPL-2.0
"""The variables of the front door: names, units, ranges, defaults.

Knows what the user may say; must not know what is done with it. Every value
is checked here, before anything is fetched, built or booted.
"""

import copy
import difflib
import fnmatch
import os
import re
import secrets
import shutil

from common import scenario, versions
from common.say import usage

ALL = {}
#: who looks for planted bugs, quickest first
TIERS = ("kunit", "uml", "tdx", "external", "kselftest")


class Setting:
    def __init__(self, name, default, parse, what, rule):
        self.name = name
        self.default = default
        self.parse = parse
        self.what = what
        self.rule = rule
        assert name not in ALL, name
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


def _flag(name, what, default="0"):
    Setting(name, default, lambda t: {"0": False, "1": True}.get(t), what, "0 or 1")


def _path(name, what, default=None):
    Setting(name, default, lambda t: None if "\n" in t or ":" in t else t, what,
            "a path without colon or line break")


def _program(text):
    path = shutil.which(os.path.expanduser(text))
    return path and os.path.abspath(path)


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


def _glob(text):
    return text if re.fullmatch(r"[\w*?\[\]-]+(\.[\w*?\[\]-]+)?", text) else None


def _tiers(text):
    words = text.split(",")
    known = all(w in TIERS for w in words) and len(set(words)) == len(words)
    return words if known else None


#: [slots/][user@]host, as GNU parallel's --sshlogin has it, or : for this machine
_HOST = r"(?:[0-9]{1,4}/)?(?::|(?:[\w.-]+@)?[\w.-]+)"


def _revision(text):
    # git takes what begins with - for an option
    return text if re.fullmatch(r"[\w@^~{}./+][\w@^~{}./+-]*", text) else None


def _name(text):
    return text if re.fullmatch(r"[a-z0-9][a-z0-9-]*", text) else None


_choice("BACKEND", "auto", ("auto", "tdx", "external"),
        "who answers for the external page tables: tdx (the real tdx.c on the emulated TDX "
        "module) or external (tdp_stress itself, on any KVM); auto: tdx if the kernel has it")
_choice("KERNEL", "own", ("own", "debian"),
        "own (a debug kernel, built) or debian (Debian's binary, nothing is compiled)")
_path("KSRC", "kernel tree to test; never written to (default: Debian's linux-source)")
Setting("KVER", None, lambda t: t if t in versions.BINARIES else None,
        "version of Debian's kernel, when KSRC is not given",
        "%s, or with KERNEL=debian also %s" % (
            versions.either(versions.WITH_MIRROR), versions.either(versions.DIRECT_ONLY)))
Setting("VARIANT", None, _name,
        "build KVM with this change, one of scripts/variants/ (mirror-split, ...)",
        "a name from scripts/variants/")
Setting("MUTANT", None, _name,
        "plant this bug, one of scripts/mutants/: make run (tdx.c's: not WHERE=uml), make "
        "kunit, make kselftest",
        "a name from scripts/mutants/")
Setting("WHERE", None, lambda t: t if t in ("qemu", "uml") else None,
        "where it runs: qemu (make run: the default), or uml (make kunit: the default)",
        "one of: qemu, uml")
Setting("FILTER", None, _glob, "make kunit: only these cases, suite.case with * and ?; make "
        "kselftest: only these tests, program.test",
        "a pattern like frozen.* or tdp_mmu_split.*yield*")
_number("DURATION", "60", 1, 86400, "time to stress, in seconds", "seconds")
Setting("SEED", lambda: str(1 + secrets.randbits(32)), _seed,
        "seed of every random choice (default: random, printed)",
        "a number from 1 to 2^64-1, decimal or 0x hexadecimal")
_number("VCPUS", "2", 1, 32, "vCPUs of each VM")
Setting("MEM", None, _size_mib, "private memory of each VM (default: 16M; 32M if external)",
        "a size from 4M to 8G, like 16M")
_number("TDS", "1", 1, 8, "VMs that live at the same time")
_number("WORKERS", None, 0, 64, "worker threads besides the vCPUs' (default: 2, or one for each "
        "CPU if external)")
Setting("OPS", None, _ops, "operations and weights, like punch=3,convert=1 (default: all)",
        "a list like punch=3,convert=1")
Setting("BUSY", "50", lambda t: None if t == "1" else _integer(0, 1000000)(t),
        "inject BUSY into one SEAMCALL in BUSY; 0: never",
        "0, or a whole number from 2 to 1000000")
_number("DELAY", "500", 0, 100000,
        "how long a SEAMCALL keeps its locks beyond its work, in nanoseconds", "nanoseconds")
_choice("SCHEDULE", "random", ("none", "random", "pct"),
        "external: how threads are made to wait at schedule points")
_choice("SPLIT", "lenient", ("lenient", "strict"),
        "external: a split for which KVM brings no page; strict: refused as by tdx.c")
_number("STUTTER", "0", 0, 3600, "external: run and pause alternately, in seconds; 0: never",
        "seconds")
_flag("HUGE_1G", "external: 1: 1G mirror leafs, too (5 GiB more memory)")
_flag("HUGETLB", "external: 1: a slot of hugetlb pages, too")
Setting("STUB", None, _parameters, "more parameters of tdx_stub.ko, like guest_accesses=8",
        "a list like name=value name=value")
Setting("STRESS", None, _parameters, "more parameters of tdp_stress.ko, like audit_ms=50",
        "a list like name=value name=value")
Setting("SCENARIO", None, lambda t: t if re.fullmatch(r"[A-Z0-9][A-Z0-9-]*", t) else None,
        "make run: as one of scripts/scenarios/ has it: variables, kernel configuration, boot "
        "parameters", "the name of a file in scripts/scenarios/")
_path("AGAIN", "make matrix: boot the guests of that earlier matrix again, nothing is built")
_choice("FLAVOUR", "lockdep", ("lockdep", "plain"), "kernel: lockdep (every check) or plain")
_flag("KASAN", "1: KASAN on top of FLAVOUR=lockdep (slow)")
_flag("GCOV", "1: count the lines of the TDP MMU and of tdx.c that are executed (make coverage)")
_choice("ACCEL", "auto", ("auto", "kvm", "tcg"), "QEMU's acceleration; auto: found by trying")
Setting("QEMU", None, _program, "a qemu-system-x86_64 of yours (default: the machine's)",
        "a program that exists")
_choice("MACHINE", "qemu", ("qemu", "bochs"),
        "qemu, or bochs (a CPU with VMX in software; slow)")
_number("CPUS", "2", 2, 8, "CPUs of the machine that KVM runs on")
_number("JOBS", lambda: str(len(os.sched_getaffinity(0))), 1, 512, "parallel build jobs")
_path("KDIR", "make modules: the build folder of the kernel they are for "
      "(default: /lib/modules/`uname -r`/build)")
_path("RUNDIR", "folder for the run's files (default: run/<date>-<seed>)")
_path("KIT", "make kernel: leave there all that a run takes; make run: take it from there, "
      "nothing is built")
_path("CAMPAIGN", "make campaign: its folder (default: run/campaign-<what it is>)")
_number("SEEDS", "10", 1, 100000, "make campaign: how many seeds, from SEED on (there: 1)")
Setting("KERNELS", None, lambda t: None if re.search(r"[\s:]", t) or "" in t.split(",") else
        t.split(","), "make campaign: versions of Debian's kernel, and trees (default: each "
        "scenario's own)", "versions and paths, separated by commas, like 7.2,7.3,../linux")
Setting("HOSTS", ":", lambda t: t if re.fullmatch(_HOST + "(," + _HOST + ")*", t) else None,
        "make campaign: where: : (this machine), ssh hosts, or slurm; N/ before one: N jobs at a "
        "time", "names separated by commas, like 2/:,8/alice,root@bob, or slurm, or 20/slurm")
_number("TRIES", "3", 1, 100, "make campaign: how often a job that dies is tried; make replay, "
        "make minimise: how often to run it")
_number("LIMIT", None, 1, 864000, "make campaign: a job that takes longer is ended and tried "
        "again, in seconds (default: DURATION and 15 minutes)", "seconds")
Setting("SLURM", None, lambda t: t if re.fullmatch(r"(--?[\w-]+(=[\w.,:/@%+-]+)?)( +--?[\w-]+"
        r"(=[\w.,:/@%+-]+)?)*", t) else None,
        "make campaign HOSTS=slurm: more options of sbatch, like '--partition=long --mem=4G'",
        "options like --partition=long --mem=4G")
Setting("PROGRAM", None, _program, "make campaign, replay, minimise: run this instead of make "
        "run; it finds "
        "SCENARIO, SEED, DURATION in its environment and leaves summary.json in RUNDIR",
        "a program that exists")
_number("TRACE", "0", 0, 64, "make run: keep what the tracepoints tell, trace.txt: the last that "
        "fit into so many MiB for each CPU, up to the first violation; 0: nothing", "MiB")
_flag("KEEP", "1: keep the intermediate files of a run (initramfs tree, channels)")
_flag("LINES", "make run: 1: say after a failure which lines of KVM's source it was in; 0: do not, "
      "which is some seconds quicker", "1")
_flag("STOP_EARLY", "make run: 1: end soon after the first violation (with MUTANT=: always)")
_path("RUN", "make replay, make minimise: the folder of a run that failed, or a file that make "
      "minimise has made (scripts/regressions/); make report: the folder of any run")
_choice("LIKE", "function", ("any", "invariant", "function", "operations"),
        "make replay, make minimise: how far a failure has to be like the first one to count as "
        "the same; any: not at all, for a bug that shows itself in many ways")
_flag("FORCE", "1: use a KSRC of a version that tdp_stress was not tried on")
Setting("ONLY", None, lambda t: t if re.fullmatch(r"(class:)?[\w*?\[\]-]+(,[\w*?\[\]-]+)*", t)
        else None,
        "make mutants: only these, by id or as class:NAME; make matrix, make campaign: only these "
        "scenarios",
        "names with * and ?, separated by commas, like split-* or TDX73*,DEB*")
Setting("TIERS", None, _tiers, "make mutants: who looks for them, in that order until one finds it "
        "(default: all that apply, the quickest first); make series: what each commit has to "
        "pass (there: kunit,uml)", "a list of: " + ",".join(TIERS))
_number("TIME", "60", 5, 86400, "make mutants, make series: how long a stress run looks, in "
        "seconds (series: 20); make minimise: how long to look for less (there: 600)", "seconds")
Setting("BASE", None, _revision, "make series: the commit that a series of KSRC is based on",
        "a revision of git's, like v7.3")
Setting("TIP", "HEAD", _revision, "make series: the last commit of the series",
        "a revision of git's, like my-branch")
_flag("RESUME", "make mutants, make minimise, make series: 1: go on where the last one ended")
_flag("CHECK", "make metal: 1: only say what this machine lacks; 0: run")
_flag("OTHERS_OK", "make metal: 1: other VMs may run here: they are watched as well, and left alone")
_flag("FULL", "make check: 1: all there is; 0: the selection for every day, in about 15 minutes")
_flag("V", "1: show the commands")

NAMES = frozenset(ALL)


#: variables that mean something with one backend only
_ONLY = {
    "external": ("VARIANT", "SCHEDULE", "SPLIT", "STUTTER", "HUGE_1G", "HUGETLB"),
    "tdx": ("STUB",),
}


def default_mem(backend):
    """MiB of guest memory."""
    return 32 if backend == "external" else 16


class Values:
    """The checked values, as attributes in lower case."""

    def __init__(self):
        _check_names()
        self.boot, configured = _take_scenario(os.environ.get("SCENARIO", "").strip())
        for setting in ALL.values():
            setattr(self, setting.name.lower(), setting.value())
        self.given = [name for name in ALL if os.environ.get(name, "").strip()]
        #: what a job needs of the machine's memory besides VMs and the kernel, in MiB
        self.more_mib = 0
        if self.backend == "auto":
            self.backend = "external" if self.kernel == "debian" or self.variant or \
                self.where == "uml" else "tdx"
        if self.mem is None:
            self.mem = default_mem(self.backend)
        self._check_kernel()
        self._check_backend()
        self._check_machine()
        self._check_where()
        if configured and (self.where == "uml" or self.kernel == "debian" or self.gcov):
            raise usage("SCENARIO=%s: configures a kernel, which is none of WHERE=uml, "
                        "KERNEL=debian or GCOV=1" % self.scenario)
        self._overlay = "+" + configured if configured else ""

    def _check_kernel(self):
        if self.gcov and (self.kasan or self.flavour != "lockdep"):
            raise usage("GCOV=1 goes with FLAVOUR=lockdep, without KASAN=1")
        if self.gcov and (self.kernel == "debian" or self.where == "uml"):
            raise usage("GCOV=1: lines are counted in a kernel that is built for QEMU, none of "
                        "WHERE=uml or KERNEL=debian")
        if self.kasan and self.flavour != "lockdep":
            raise usage("KASAN=1 goes with FLAVOUR=lockdep, not with FLAVOUR=%s" % self.flavour)
        if self.ksrc and self.kver:
            raise usage("KSRC=%s and KVER=%s: give one of them" % (self.ksrc, self.kver))
        if self.kernel == "debian":
            for name in ("KSRC", "VARIANT", "FLAVOUR", "KASAN"):
                if name in self.given and getattr(self, name.lower()):
                    raise usage("%s=%s goes with a kernel that is built here, not with "
                                "KERNEL=debian" % (name, getattr(self, name.lower())))
            if self.backend == "tdx":
                raise usage("BACKEND=tdx: Debian's kernel is built without TDX host support; "
                            "KERNEL=debian goes with BACKEND=external")
        elif self.kver in versions.DIRECT_ONLY:
            raise usage("KVER=%s: a kernel that is built here has to be %s" % (
                self.kver, versions.either(versions.WITH_MIRROR)))

    def _check_backend(self):
        for backend, names in _ONLY.items():
            for name in names:
                if backend != self.backend and name in self.given and getattr(self, name.lower()):
                    raise usage("%s=%s goes with BACKEND=%s, not with BACKEND=%s" % (
                        name, getattr(self, name.lower()), backend, self.backend))
        if self.backend == "tdx" and self.vcpus > 8:
            raise usage("VCPUS=%d: must be a number from 1 to 8 with BACKEND=tdx" % self.vcpus)
        if self.backend == "tdx" and self.vcpus > self.cpus:
            raise usage("VCPUS=%d: KVM refuses a TD with more vCPUs than the machine has CPUs "
                        "(CPUS=%d)" % (self.vcpus, self.cpus))
        if self.backend == "external" and self.tds > 4:
            raise usage("TDS=%d: must be a number from 1 to 4 with BACKEND=external" % self.tds)
        if self.backend == "external" and self.mem > 4096:
            raise usage("MEM=%dM: must be a size from 4M to 4G with BACKEND=external" % self.mem)

    def _check_machine(self):
        if self.machine == "bochs" and self.accel != "auto":
            raise usage("ACCEL=%s: bochs knows no acceleration" % self.accel)
        if self.machine == "bochs" and self.qemu:
            raise usage("QEMU=%s goes with MACHINE=qemu" % self.qemu)
        if self.machine == "bochs" and (self.cpus > 4 or memory_mib(self) > 2048):
            raise usage("MACHINE=bochs: at most 4 CPUs and 2048 MiB; this takes CPUS=%d, %d MiB"
                        % (self.cpus, memory_mib(self)))

    def _check_where(self):
        if self.mutant and self.variant:
            raise usage("MUTANT=%s and VARIANT=%s: give one of them" % (self.mutant,
                                                                        self.variant))
        if self.where != "uml":
            return
        if self.backend == "tdx":
            raise usage("BACKEND=tdx: there is no tdx.c in User Mode Linux; WHERE=uml goes with "
                        "BACKEND=external")
        if self.kernel == "debian" or self.kver in versions.DIRECT_ONLY:
            raise usage("WHERE=uml: the TDP MMU is compiled into a kernel that is built here, of "
                        "%s or newer" % versions.WITH_MIRROR[-1])
        if self.trace:
            raise usage("TRACE=%d: there is no user space in User Mode Linux that could take the "
                        "trace out; it goes with WHERE=qemu" % self.trace)
        for name in ("MACHINE", "ACCEL", "QEMU"):
            if name in self.given:
                raise usage("%s: there is no machine with WHERE=uml" % name)

    def external(self, **others):
        """The same values for the external backend, but for @others."""
        values = copy.copy(self)
        values.backend = "external"
        if "MEM" not in self.given:
            values.mem = default_mem("external")
        vars(values).update(others)
        return values

    def scenarios(self):
        """Those that ONLY= names."""
        every = scenario.every()
        chosen = [s for s in every if matches(self.only, s.name)]
        if not chosen:
            raise usage("ONLY=%s: no such scenario; there are: %s" %
                        (self.only, ", ".join(s.name for s in every)))
        return chosen

    def said(self):
        """What the user has said, as variables for another of the scripts."""
        return {name: os.environ[name] for name in self.given}

    def config_name(self):
        if self.gcov:
            return "gcov"
        return ("kasan" if self.kasan else self.flavour) + self._overlay


def matches(only, name):
    """Whether ONLY= names @name: patterns, separated by commas; without it everything."""
    return not only or any(fnmatch.fnmatchcase(name, p) for p in only.split(","))


def _take_scenario(name):
    """What SCENARIO= says, where nothing else is said: (boot parameters, the scenario whose
    kernel it shares, or "" if it has none of its own)."""
    if not name:
        return "", ""
    one = scenario.find(name)
    for variable, value in one.variables.items():
        if variable not in ALL:
            raise usage("%s: sets %s, which is no variable" % (one.path, variable))
        if variable == "KVER" and os.environ.get("KSRC", "").strip():
            continue
        if not os.environ.get(variable, "").strip():
            os.environ[variable] = value
    return one.boot, scenario.kernel_of(one).name if one.options else ""


def memory_mib(values):
    """The machine's memory: its VMs, their shared half, and room for the kernel."""
    # a trace is packed in the guest's memory
    mib = 1024 + 3 * values.mem * values.tds + values.more_mib + 2 * values.trace * values.cpus
    if values.backend == "external":
        # memory of a huge leaf is contiguous: more than what is used has to be there,
        # and a whole aligned GiB is free only above what the boot takes
        mib += 512 + (5120 if values.huge_1g else 0) + hugetlb_mib(values)
    return mib * (2 if values.kasan else 1)


def hugetlb_mib(values):
    """What has to be set aside for hugetlb at boot."""
    return values.mem * values.tds + 64 if values.hugetlb else 0


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
