# SPDX-License-Identifier: GPL-2.0
"""make kselftest: the programs of selftests/kselftest in a guest, on each backend.

Knows which programs there are and what a boot leaves behind; must not know what
they test. Each boot runs the variants that are for its backend.
"""

import copy
import fnmatch
import os
import re
import time

from common import cache, command, packages, repeat, signature
from common.say import EXIT_FAILURE, EXIT_PASS, main, say, usage
from common.settings import Values
from kernel import ours
from mutants import mutant
from qemu import dmesg, judge, report, session, setup, stale

_FOLDER = cache.REPO / "selftests/kselftest"
#: last: it unloads what the others need, and takes their counters with it
_LAST = ("module_unload",)
_RESULT = re.compile(r"(not )?ok \d+ -? ?(.*)$")
#: a program's exit code if all of its tests were skipped
_ALL_SKIPPED = 4
_PLAN = re.compile(r"1\.\.(\d+)")
#: what tests ask for on purpose is refused in so many words; violations are counted
_ASKED_FOR = re.compile(r"tdp_stress: |tdx_stub: this CPU has no VMX, only VMs of type ")
_GRACE = 60
_PATIENCE = 8
#: what the programs take from the environment, handed on to the guest
_WISHES = ("TDP_STRESS_FUZZ_CALLS", "TDP_STRESS_KILLS", "TDP_STRESS_RACE_MS",
           "TDP_STRESS_RELOADS")
#: what the variants begin with that are for the machine that a backend is booted on
_VARIANTS = {"tdx": "emulated", "external": "external"}
#: what a program takes, roughly
_SECONDS_EACH = 60
#: for huge_1g: a page, and more than one whole GiB for it that neither initrd nor kernel is in
_GIANT_PAGE, _GIANT_MIB = " hugepagesz=1G hugepages=1", 4096
#: a thread is held until the test lets it go, however long this machine is elsewhere:
#: neither F1 and P1 nor the kernel's watchdogs are to end that
_PATIENT = " frozen_max_ms=60000 progress_ms=60000"
_PATIENT_KERNEL = " rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60"
#: unless CPUS= says otherwise: a held thread, one that spins for it, one that looks, one more
_CPUS = 4


def programs():
    """Names of all programs, in the order in which they are run."""
    names = sorted(p.stem for p in _FOLDER.glob("*.c"))
    return [n for n in names if n not in _LAST] + [n for n in names if n in _LAST]


def timeout():
    """What kselftest's own runner gives a program, in seconds."""
    return int(re.search(r"^timeout=(\d+)$", (_FOLDER / "settings").read_text(), re.M).group(1))


def listed(program):
    """([variant], [test]) of a built program."""
    _, _, text = command.output([program, "-l"])
    # three columns, each of which may be empty
    rows = [line for line in text.splitlines() if not line.startswith(("#", "-"))]
    return tuple([row[at].strip() for row in rows if row[at].strip()]
                 for at in (slice(21, 46), slice(47, None)))


def tests(program):
    """Names of a built program's tests."""
    return listed(program)[1]


def choose(pattern, built):
    """{program: its arguments} for a FILTER."""
    if not pattern:
        return {name: "" for name in programs()}
    program, _, test = pattern.partition(".")
    names = fnmatch.filter(programs(), program)
    if not names:
        raise usage("FILTER=%s: no such program; there are: %s" % (pattern, ", ".join(programs())))
    if not test:
        return {name: "" for name in names}
    chosen = {name: fnmatch.filter(tests(built[name]), test) for name in names}
    if not any(chosen.values()):
        known = sorted(t for name in names for t in tests(built[name]))
        raise usage("FILTER=%s: no such test; there are: %s" % (pattern, ", ".join(known)))
    return {name: " ".join("-t " + t for t in found) for name, found in chosen.items() if found}


class Result:
    """One test on one backend."""

    def __init__(self, backend_name, program, text, bad):
        title, _, self.reason = text.partition(" # SKIP ")
        self.title = "%s: %s" % (program, title.strip())
        self.program = program
        self.backend = backend_name
        self.word = "not ok" if bad else "skip" if " # SKIP " in text else "ok"


    @property
    def filter(self):
        """FILTER= that runs it, None: it is about all of them."""
        if self.program not in programs():
            return None
        # fixture.variant.test, or a sentence about the program
        m = re.fullmatch(r"[^:]+: (?:[\w-]+\.)+(\w+)", self.title)
        return "%s.%s" % (self.program, m.group(1)) if m else self.program

    def repeated(self, values, release):
        """The variables by which it is run again."""
        found = dict(repeat.of_said(values, release), BACKEND=self.backend)
        if self.filter:
            found["FILTER"] = self.filter
        return found


def read(backend_name, program, code, tap):
    """[Result] of a program's TAP; what it did not come to is a failure, too."""
    found = [Result(backend_name, program, m.group(2), m.group(1))
             for m in map(_RESULT.match, tap.splitlines()) if m]
    planned = [int(m.group(1)) for m in map(_PLAN.match, tap.splitlines()) if m]
    why = ""
    if code == 124:
        why = "it did not end in time"
    elif not planned:
        why = "no plan, exit code %d" % code
    elif planned[0] != len(found):
        why = "%d results, %d were planned; exit code %d" % (len(found), planned[0], code)
    elif code == _ALL_SKIPPED and all(r.word == "skip" for r in found):
        pass
    elif code and not any(r.word == "not ok" for r in found):
        why = "exit code %d although every test passed" % code
    if why:
        found.append(Result(backend_name, program, why, True))
    return found


def _judged(log):
    """A kernel log without what tests expect between their marks (ks_expect_warnings())."""
    lines, expecting = [], False
    for line in log.splitlines():
        if "tdp_stress run: expected warnings: " in line:
            expecting = line.endswith("begin")
        elif not expecting:
            lines.append(line)
    return "\n".join(lines)


def _whole(outcome, backend_name):
    """What is wrong with the boot as a whole."""
    wrong = ["step failed: " + f for f in outcome.words("fail")]
    if outcome.end != "finished":
        wrong.append("the guest %s: %s" % (outcome.end, outcome.why))
    verdict = outcome.files.get("stress.verdict", "").strip()
    if not verdict.startswith(("SUCCESS", "UNSUPPORTED")):
        wrong.append("tdp_stress: %s" % (verdict or "no verdict"))
    log = outcome.files.get("dmesg", "")
    # modules that a test unloads have their last word in the log
    wrong += sorted({"tdp_stress: " + m for m in
                     re.findall(r"tdp_stress: --- End of test: (FAILURE.*)", log)})
    strange = [l for l in dmesg.unexplained(_judged(log)) if not _ASKED_FOR.match(l)]
    wrong += ["unexplained kernel message: " + line for line in strange[:5]]
    if outcome.end == "finished" and not log:
        wrong.append("the kernel log did not arrive")
    return [Result(backend_name, "boot", line, True) for line in wrong]


def wishes():
    """The programs' own variables that are set, as the guest's shell wants them."""
    found = {n: v for n, v in os.environ.items() if n in _WISHES and v}
    for name, value in found.items():
        if not re.fullmatch(r"[0-9]{1,9}", value):
            raise usage("%s=%s: must be a number" % (name, value))
    return " ".join("%s=%s" % pair for pair in sorted(found.items()))


def not_here(program, backend_name):
    """The harness's arguments that leave out variants of other backends."""
    return "".join("-V %s " % v for v in listed(program)[0]
                   if v.partition("_")[0] != _VARIANTS[backend_name])


def boot(guest, values, chosen, on_text, replace=None):
    """Run the programs on one backend; [Result], outcome.

    @replace: modules of KVM to take instead of the kernel's own
    """
    what = setup.get_backend(values)
    # nothing fails but what a test makes fail, unless that is asked for
    if "BUSY" not in values.given:
        values.busy = 0
    params = what.params(values)
    if what.name == "external":
        params["STRESS_PARAMS"] += " vms=0 duration=0 huge_1g=1"
    params["STRESS_PARAMS"] += _PATIENT
    # who asks for a thousand times as much has the time
    limit = timeout() * (_PATIENCE if wishes() else 1)
    params.update({"ARGS_" + name: not_here(guest.ours.programs["kselftest/" + name], what.name) +
                   args for name, args in chosen.items()},
                  LOAD=what.name, PROGRAMS=" ".join(chosen), LIMIT=limit + _GRACE,
                  WISHES=wishes())
    outcome = guest.boot("kselftest", params, _SECONDS_EACH * len(chosen) + limit,
                         on_text=on_text, replace=replace,
                         extra=what.kernel_args(values) + _GIANT_PAGE + _PATIENT_KERNEL)
    results = []
    codes = {name: int(code) for name, code, _ in ended(outcome)}
    for name in chosen:
        if name in codes:
            results += read(what.name, name, codes[name], outcome.files.get("%s.tap" % name, ""))
        else:
            results.append(Result(what.name, name, "it was not run", True))
    return results + _whole(outcome, what.name), outcome


def ended(outcome):
    """[[program, its exit code, how long it took in seconds]], as it said itself."""
    return [line.split() for line in outcome.words("program")]


def merge(results):
    """{title: Result}, over all boots: a failure anywhere, else a pass anywhere."""
    order = ("skip", "ok", "not ok")
    merged = {}
    for r in results:
        old = merged.get(r.title)
        if not old or order.index(r.word) > order.index(old.word):
            merged[r.title] = r
    return merged


def say_durations(took):
    """@took: {backend: {program: seconds}}; the slowest first."""
    names = {n: sum(t.get(n, 0) for t in took.values()) for t in took.values() for n in t}
    for name in sorted(names, key=names.get, reverse=True):
        say("# took: %-26s %s" % (name, ", ".join(
            "%s %5.1f s" % (b, t[name]) for b, t in took.items() if name in t)))


def _again(result, values, release):
    return repeat.command("kselftest", result.repeated(values, release),
                          repeat.environment(_WISHES))


def summary(results, folders, seconds, values, release):
    merged = merge(results)
    count = {w: [t for t, r in merged.items() if r.word == w] for w in ("ok", "not ok", "skip")}
    reasons = {}
    for title in count["skip"]:
        reasons.setdefault(merged[title].reason, []).append(title)
    for reason, titles in sorted(reasons.items()):
        say("# skipped: %s: %d test(s), %s%s" % (reason, len(titles), titles[0],
                                                ", ..." if titles[1:] else ""))
    for r in results:
        if r.word == "not ok":
            say("# failed: %s (BACKEND=%s)" % (r.title, r.backend))
            say("#     again: %s" % _again(r, values, release))
    for folder in folders:
        say("  files: %s" % folder)
    say("%d passed, %d failed, %d skipped, %.0f s" % (
        len(count["ok"]), len(count["not ok"]), len(count["skip"]), seconds))
    return EXIT_FAILURE if count["not ok"] or not count["ok"] else EXIT_PASS


def backends(values):
    """Values for each backend that is asked for."""
    asked = os.environ.get("BACKEND", "auto").strip()
    names = [asked] if asked in ("tdx", "external") else ["tdx", "external"]
    if values.variant:
        names = ["external"]
    every = []
    for name in names:
        one = values.external() if name == "external" else copy.copy(values)
        one.backend = name
        one.cpus = one.cpus if "CPUS" in values.given else _CPUS
        one.mem = one.mem if "MEM" in values.given else 16
        one.more_mib = _GIANT_MIB
        every.append(one)
    return every


def check(values):
    """Combinations that mean nothing."""
    if values.kernel == "debian":
        raise usage("KERNEL=debian: the harness comes with a kernel tree: KSRC= or KVER=")
    if values.where == "uml":
        raise usage("WHERE=uml: there is no user space in that User Mode Linux")
    wishes()


def build(values, kernel):
    """{name: path} of the programs."""
    return ours.kselftests(kernel, values.jobs, programs())


def everything(values, kernel, results, folder_of, on_text=say, took=None, only=None):
    """All backends asked for, results to @results; returns folders.

    @folder_of(values): where a boot leaves its files; @on_text: sees each line of TAP;
    @took: gets {program: seconds} of each backend; @only: programs to run, None: those
    that FILTER= names.
    """
    built = build(values, kernel)
    chosen = {name: "" for name in only} if only else choose(values.filter, built)
    folders = []
    for one in backends(values):
        what = setup.get_backend(one)
        modules = ours.modules(kernel, one.jobs, what.modules)
        machine = setup.get_machine(one, kernel)
        folder = folder_of(one)
        folders.append(folder)
        say("  BACKEND=%s: %d program(s) on %s with %d CPUs, acceleration %s" % (
            one.backend, len(chosen), machine.kind, machine.cpus, machine))
        guest = session.Session(one, kernel, ours.Ours(modules, {
            # all of them: teardown kills any
            "kselftest/" + name: path for name, path in built.items()}), machine, folder)
        found, outcome = boot(guest, one, chosen, on_text, setup.get_variant(one, kernel))
        seconds = {name: float(s) for name, _, s in ended(outcome)}
        if took is not None:
            took[one.backend] = seconds
        if outcome.end != "finished":
            for line in guest.last_console_lines():
                say("    | " + line)
        results += found
        failed = [r for r in found if r.word == "not ok"]
        report.write_json(folder / "summary.json", {
            "door": "kselftest", "verdict": judge.FAILURE if failed else judge.SUCCESS,
            "repeat_variables": failed[0].repeated(values, kernel.release) if failed else
            dict(repeat.of_said(values, kernel.release), BACKEND=one.backend),
            "repeat_environment": repeat.environment(_WISHES),
            "signatures": [signature.Signature("KSELFTEST", r.filter or r.title).data()
                           for r in failed],
            "backend": one.backend, "seed": one.seed, "kernel": kernel.release, "end": outcome.end,
            "variant": one.variant, "seconds": seconds, "stale_int3s": stale.healed(outcome),
            "results": [{"title": r.title, "result": r.word, "reason": r.reason}
                        for r in found]})
    return folders


def kselftest():
    start = time.monotonic()
    values = Values()
    check(values)
    packages.need(bochs=values.machine == "bochs",
                  mutants=bool(values.variant or values.mutant))
    if values.variant:
        # one that does not exist is refused now
        mutant.variant(values.variant)
    kernel = setup.get_kernel(values)
    say("tdp_stress: kselftest, SEED=%d, Linux %s, %s%s" % (
        values.seed, kernel.release, kernel.config_name,
        ", VARIANT=%s" % values.variant if values.variant else ""))
    results, took = [], {}
    folders = everything(values, kernel, results,
                         lambda v: session.new_folder(v, "kselftest-%s-" % v.backend), took=took)
    say_durations(took)
    return summary(results, folders, time.monotonic() - start, values, kernel.release)


if __name__ == "__main__":
    main(kselftest)
