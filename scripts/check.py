# SPDX-License-Identifier: GPL-2.0
"""make check: everything by which tdp_stress is known to work.

Knows the list of suites and their order (quick ones first); each is elsewhere.
"""

import collections
import concurrent.futures
import copy
import functools
import json
import re
import sys
import time
from pathlib import Path

from common import cache, command, lane, packages, tap, versions
from common.say import Step, main, say
from common.settings import Values
from kernel import ours, source
from kunit import job
from qemu import judge, session, setup, trace
from reproduce import regressions
from uml import stress as in_uml
import kselftest
import selfcheck

_CLEAN_SECONDS = 20
_FULL_CLEAN_SECONDS = 30
_OPERATIONS_SECONDS = 40
#: at most: where the host gives little time it takes longer to come to each of them
_OPERATIONS_RUNS = 6
_SPLIT_SECONDS = 10
_DEBIAN_SECONDS = 10
_UML_SECONDS = 10
#: if nobody has met in that time
_UML_LONGER_SECONDS = 60
_TRACE_SECONDS = 4
#: what a few seconds of any run give cause for
_TRACE_CHECKS = ("F2", "F4", "X2", "X3", "X4", "Z1", "T1", "P1")
#: every command of the documentation, some of which build kernels
_DOCS_SECONDS = 6 * 3600
#: two systems are made, and a build in one of them
_PACKAGE_SECONDS = 3600
#: two guests, a minute or two each, on an idle machine
_TRACERS_SECONDS = 5400
#: two kernels for User Mode Linux and five commits, one for QEMU and one
_SERIES_SECONDS = 9000
#: one that is named before KVM comes to harm by it, and what is none
_UML_BUG = "zap-without-rcu"
_UML_HARMLESS = "extra-flush"
#: of the kselftests without FULL=1
_QUICK_PROGRAMS = ("td_lifecycle", "mirror_map_zap", "busy_injection", "frozen_window")
#: on the real kvm.ko without FULL=1: what UML cannot say as well (frozen, race, live)
_QUICK_SUITES = "tdp_mmu_[frl]*"
_SYSTEM = cache.REPO / "selftests/system"
#: test programs there that need nothing but Python, the longest first
_PROGRAMS = ("campaign", "replay", "verdict", "package", "report", "docs", "qemu", "series",
             "rebuild", "syzlang", "mutants", "kunit", "versions", "metal", "ci", "tracers",
             "values")
#: those of them that get what they lack with FULL=1
_LACKING = ("report",)
#: most memory that two guests take, one of them with 1G pages
_LANE_MIB = 14 << 10


def _sub_folder(folder, name):
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def _uml_stress(values, mutant):
    """(Outcome, Verdict) of a run in User Mode Linux."""
    step = Step("stress in User Mode Linux, %s, %d s" % (mutant or "nothing planted",
                                                         values.duration))
    outcome, verdict = in_uml.one(values, setup.get_tree(values),
                                  cache.folder("log", "uml-%s" % (mutant or "clean")))
    step.done(verdict.word)
    return outcome, verdict


def uml_stress(values, results):
    """The stress tester in User Mode Linux: clean as it is, and a planted bug is found."""
    for mutant, word in ((None, judge.SUCCESS), (_UML_HARMLESS, judge.SUCCESS),
                         (_UML_BUG, judge.FAILURE)):
        v = values.external(where="uml", duration=_UML_SECONDS, mutant=mutant, variant=None,
                            ops=None, stress=None)
        outcome, verdict = _uml_stress(v, mutant)
        if not mutant and verdict.word == judge.SUCCESS and not judge.met(outcome.files):
            # a busy machine takes longer
            v.duration = _UML_LONGER_SECONDS
            outcome, verdict = _uml_stress(v, mutant)
        results.check("stress in User Mode Linux, %s: %s" % (mutant or "nothing planted", word),
                      verdict.word == word and (word != judge.FAILURE or verdict.ids),
                      verdict.reason or "no violation was named")
        if not mutant:
            results.check("stress in User Mode Linux: threads met",
                          judge.met(outcome.files) > 0, "nobody met in %d s" % v.duration)


def _program(results, name, argv, timeout=1800, **kwargs):
    """A test program that prints TAP."""
    results.take(*_run(name, argv, timeout, **kwargs))


def _programs(results, names, full):
    """Those of selftests/system, two at a time: they often wait, and know nothing of each other."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        started = [pool.submit(_run, name, [sys.executable, "-B", _SYSTEM / (name + ".py"),
                                            *["--full"] * (full and name in _LACKING)])
                   for name in names]
        for one in started:
            results.take(*one.result())


def _run(name, argv, timeout=1800, **kwargs):
    """Run a test program that prints TAP: its name, exit code, what it said."""
    log = cache.folder("log") / ("check-%s.log" % re.sub(r"\W+", "-", name).strip("-"))
    log.write_text("")
    step = Step(name)
    code = command.logged(argv, log, tick=lambda: step.progress("running"),
                          timeout=timeout, **kwargs)
    step.done("exit code %d" % code)
    lines = log.read_text(errors="replace").splitlines()
    return name, code, "\n".join(l for l in lines if not l.startswith("+ "))


def core(values, kernel, results):
    """Unit tests of the emulated TDX module, in user space."""
    out = ours.home(kernel) / "core"
    out.mkdir(exist_ok=True)
    _program(results, "core", ["make", "-s", "-C", cache.REPO / "selftests/core",
                               "KSRC=%s" % kernel.tree.path, "O=%s" % out,
                               "-j%d" % values.jobs, "run"])


def recorded(values, results):
    """tdp-judge, on traces that runs have left."""
    _program(results, "tdp-judge", [sys.executable, "-B", cache.REPO / "selftests/judge/test.py",
                                    ours.judge(values.jobs)])


def driver(kernel, results):
    """The driver's command line, which needs no KVM."""
    _program(results, "driver", ["make", "-s", "-C", cache.REPO / "selftests",
                                 "KHDR=%s" % kernel.headers,
                                 "O=%s" % (ours.home(kernel) / "driver"), "check"])


def installed(kernel, values, results, folder):
    """Modules for a kernel that is there already: make modules, and dkms."""
    step = Step("make modules")
    env = command.environment({"KDIR": str(kernel.out), "JOBS": str(values.jobs)})
    code, said, error = command.output(["sh", cache.REPO / "scripts/python.sh", "modules"],
                                       env=env)
    step.done("exit code %d" % code)
    built = re.findall(r"^built: (.*\.ko)$", said, re.M)
    results.check("make modules for Linux %s" % kernel.release,
                  code == 0 and built and all(Path(p).exists() for p in built) and
                  "insmod %s" % built[-1] in said, *(said + error).splitlines()[-5:])
    if not values.full:
        return
    _program(results, "dkms", [sys.executable, "-B", _SYSTEM / "dkms.py", kernel.out,
                               kernel.tree.path, folder / "dkms"])


def debian(values, results, folder, kver):
    """Debian's own kernel, as in make try; 6.12 has direct roots only."""
    values = values.external(kernel="debian", kver=kver, duration=_DEBIAN_SECONDS)
    kernel, built = setup.prepare(values)
    guest = session.Session(values, kernel, built, setup.get_machine(values, kernel), folder)
    selfcheck.ends_with(guest, values, results,
                        "clean run of %d s on Debian's Linux %s is a SUCCESS" %
                        (_DEBIAN_SECONDS, kver), judge.SUCCESS)
    selfcheck.keep(folder, "debian-%s" % kver)
    if kver == versions.NEWEST:
        installed(kernel, values, results, folder)


def traced(guest, values, results):
    """A run that keeps its trace, which has to be a good one to tdp-judge, too."""
    values = copy.copy(values)
    values.duration, values.trace = _TRACE_SECONDS, 2
    title = "the trace of a run (%s) " % values.backend
    outcome = selfcheck.ends_with(guest, values, results,
                                  "%s, traced: clean run of %d s is a SUCCESS" %
                                  (values.backend, values.duration), judge.SUCCESS)
    path = trace.keep(outcome, guest.folder)
    results.check(title + "comes out of the guest", path, "files: %s" % guest.folder)
    if not path:
        return
    code, said, error = command.output([ours.judge(values.jobs), "--json", "--last=1", path])
    results.check(title + "is a SUCCESS to tdp-judge", code == 0, error, said[:400])
    checked = json.loads(said)["checked"] if code == 0 else {}
    results.check(title + "is judged by what does not need the live kernel",
                  all(checked.get(i, 0) > 0 for i in _TRACE_CHECKS), repr(checked))


def operations(guest, values, results):
    """Every operation that applies is reached, on every kind of root it applies to."""
    values = values.external(huge_1g=True, hugetlb=True)
    rows, met = {}, 0
    for _ in range(_OPERATIONS_RUNS):
        outcome = selfcheck.clean(guest, values, results, _OPERATIONS_SECONDS)
        selfcheck.keep(guest.folder, "external")
        not_run = judge.not_run(outcome.files)
        for key, row in judge.operations(outcome.files).items():
            rows.setdefault(key, collections.Counter()).update(row)
        met += judge.met(outcome.files)
        if outcome.end != "finished" or all(row["ok"] or " ".join(key) in not_run
                                            for key, row in rows.items()):
            break
        # not this seed's luck again
        values.seed += 1
    for key, row in rows.items():
        title = "operation %s (%s root, level %s) is reached" % key
        why = not_run.get(" ".join(key))
        if why == "weight 0":
            results.skip(title, "not done unless OPS= asks for it")
        else:
            results.check(title, row["calls"] > 0 and row["ok"] > 0, why or repr(row))
    results.check("some operation had to yield", sum(r["yield"] for r in rows.values()) > 0,
                  "no yield in %d s" % values.duration)
    results.check("threads met in frozen windows", met > 0, "nobody met in %d s" % values.duration)


def refuses_to_split(guest, values, results):
    """The kernel as it is has no page for a split: not its bug, and not a success."""
    selfcheck.ends_with(guest, values.external(split="strict", duration=_SPLIT_SECONDS), results,
                     "split=strict on this kernel is UNSUPPORTED", judge.UNSUPPORTED)
    selfcheck.keep(guest.folder, "strict")


def _patched(path, target, old, new):
    """A copy of a module in which one symbol has another name of the same length."""
    data = path.read_bytes()
    if len(old) != len(new) or old not in data:
        return False
    target.write_bytes(data.replace(old, new))
    return True


def kselftests(values, kernel, results, folder):
    """Programs of selftests/kselftest, on both backends."""
    step = Step("kselftests")
    found = []
    kselftest.everything(values, kernel, found,
                         lambda one: _sub_folder(folder, "kselftest-" + one.backend),
                         on_text=lambda text: step.progress(text[:70]),
                         only=None if values.full else _QUICK_PROGRAMS)
    step.done("%d results" % len(found))
    for title, result in kselftest.merge(found).items():
        if result.word == "skip":
            results.skip("kselftest %s" % title, result.reason)
        else:
            results.check("kselftest %s" % title, result.word == "ok",
                          "BACKEND=%s, files: %s" % (result.backend, folder))


def refusals(guest, values, results):
    """Wrong uses inside the guest: selftests/system/*.sh."""
    modules = dict(guest.ours.modules)
    folder = guest.folder
    fixtures = {
        "fake_kvm_intel": (guest.kernel.module("irqbypass"), b"irqbypass", b"kvm_intel"),
        "tdx_stub_nohost": (modules["tdx_stub"], b"\0tdx_get_sysinfo\0", b"\0tdx_get_sysinfX\0"),
        "tdp_stress_nosym": (modules["tdp_stress"], b"kvm_tdp_mmu_map\0", b"kvm_tdp_mmu_maX\0"),
    }
    for name, (path, old, new) in fixtures.items():
        if not _patched(path, folder / (name + ".ko"), old, new):
            results.not_ok("fixture %s" % name, "%s does not contain %r" % (path, old))
            return
        modules[name] = folder / (name + ".ko")
    params = setup.job_params(values)
    params["MISSING_SYMBOL"] = "kvm_tdp_mmu_maX"
    for job, extra in (("refuse", ""), ("realtdx", "setcpuid=tdx_host_platform")):
        _cases(guest, job, params, results, modules, extra)


def external_refusals(guest, values, results):
    """The same on the external backend, and VMs that it adopts."""
    params = setup.job_params(values.external())
    _cases(guest, "refuse-external", params, results)
    _cases(guest, "refuse-external", params, results, extra="clearcpuid=svm")
    _cases(guest, "adopt", params, results)


def _cases(guest, job, params, results, modules=None, extra=""):
    """A job in the guest that says @case NAME|ok, not ok or skip|WHY."""
    step = Step("wrong uses in the guest (%s)" % " ".join([job] + extra.split()))
    outcome = guest.boot(job, params, 120, modules=modules, extra=extra,
                         on_message=lambda word, rest: word == "case" and
                         step.progress(rest.partition("|")[0]))
    step.done(outcome.end)
    for line in outcome.words("case"):
        title, what, why = line.split("|", 2)
        if what == "skip":
            results.skip(title, why)
        else:
            results.check(title, what == "ok", why)
    for failed in outcome.words("fail"):
        results.not_ok("%s: step" % job, failed)
    results.check("%s: the guest finishes" % job,
                  outcome.end == "finished" and bool(outcome.words("case")), outcome.why)


def metal(kernel, values, results):
    """What a machine with TDX does: the guest's code, and the whole way on an emulated one."""
    _program(results, "payload", [sys.executable, "-B", cache.REPO / "selftests/payload/test.py",
                                  kernel.headers])
    _program(results, "metal in a guest", [sys.executable, "-B", _SYSTEM / "metal.py",
                                           "--full" if values.full else "--guest"])


def _host_lane(values, kernel, built, folder, results):
    """What mostly computes: user space, User Mode Linux, builds."""
    core(values, kernel, results)
    driver(kernel, results)
    recorded(values, results)
    _programs(results, _PROGRAMS, values.full)
    _program(results, "host", [sys.executable, "-B", _SYSTEM / "host.py", kernel.tree.path])
    _program(results, "calls through pointers", ["sh", _SYSTEM / "ibt.sh",
                                                 built.modules["tdp_stress"]])
    if values.full:
        _program(results, "packages in chroots", [sys.executable, "-B", _SYSTEM / "package.py",
                                                  "--chroot", cache.folder("package")],
                 timeout=_PACKAGE_SECONDS)
        _program(results, "documented commands", [sys.executable, "-B", _SYSTEM / "docs.py", "--run",
                                                  cache.folder("docs")], timeout=_DOCS_SECONDS)
        _program(results, "from a failure to a file", [sys.executable, "-B", _SYSTEM / "chain.py",
                                                       cache.folder("chain")])
        _program(results, "a series on Linux", [sys.executable, "-B", _SYSTEM / "series.py",
                                                kernel.tree.path], timeout=_SERIES_SECONDS)
        _program(results, "campaign_hosts", [sys.executable, "-B", _SYSTEM / "campaign_hosts.py",
                                             "--full"])
        _program(results, "a CI's job in QEMU", [sys.executable, "-B", _SYSTEM / "ci.py",
                                                 "--qemu"])
        _program(results, "run_tests", [sys.executable, "-B", _SYSTEM / "run_tests.py",
                                        kernel.tree.path, kernel.headers])
    job.part(values, results, "uml")
    job.part(values, results, "qemu", None if values.full else _QUICK_SUITES)
    job.mutants(values, results)
    uml_stress(values, results)
    regressions.check(values, results)
    # here, for both lanes to take about as long; ours is built for each
    for kver in versions.BINARIES if values.full else versions.BINARIES[:1]:
        debian(values, results, _sub_folder(folder, "debian"), kver)


def _guest_lane(guest, values, results):
    """What mostly waits: guests. The longest stress last, which is alone then."""
    refusals(guest, values, results)
    selfcheck.plants(guest, values, results)
    selfcheck.mutants(guest, values, results)
    selfcheck.clean(guest, values, results,
                    _FULL_CLEAN_SECONDS if values.full else _CLEAN_SECONDS)
    selfcheck.keep(guest.folder, "tdx")
    traced(guest, values, results)
    metal(guest.kernel, values, results)
    if values.full:
        _program(results, "tracers in guests", [sys.executable, "-B", _SYSTEM / "tracers.py",
                                                "--guest"], timeout=_TRACERS_SECONDS)
    kselftests(values, guest.kernel, results, guest.folder)

    external = guest.on(setup.get_machine(values.external(), guest.kernel), values.external())
    external_refusals(external, values, results)
    selfcheck.external_plants(external, values, results)
    refuses_to_split(external, values, results)
    if values.full:
        traced(external, values.external(), results)
    selfcheck.variants(external, values, results)
    operations(external, values, results)


def check():
    start = time.monotonic()
    values = Values()
    packages.need(qemu=values.qemu, mutants=True, binary=True)
    if values.full:
        # not in one of several tests at a time: the other's apt would have the lock
        packages.have({"chromium": "chromium"})
    say("tdp_stress: check%s, SEED=%d" % (" FULL=1" if values.full else "", values.seed))
    results = tap.Results()
    kernel, built = setup.prepare(values)
    before = source.scan(kernel.tree)
    machine = setup.get_machine(values, kernel)
    setup.say_machine(machine)
    folder = session.new_folder(values, "check-")
    guest = session.Session(values, kernel, built, machine, _sub_folder(folder, "guests"))
    work = functools.partial(_guest_lane, guest, values)
    host = functools.partial(_host_lane, values, kernel, built, folder, results)

    if lane.room_for_two(_LANE_MIB):
        with lane.Lane("the guests", work, results) as guests:
            host()
            guests.wait()
    else:
        say("  one thing after the other: a second one beside it needs two CPUs and %d MiB" %
            _LANE_MIB)
        host()
        work(results)
    results.check("the kernel tree was not written to",
                  not source.changes(before, source.scan(kernel.tree)))
    if not values.full:
        say("  a selection; FULL=1 for all planted violations and bugs, all suites on the real "
            "kvm.ko, all kselftests, trace-cmd, perf and bpftrace, Debian %s, dkms" %
            " and ".join(versions.BINARIES[1:]))
    say("  check took %.0f s; files: %s" % (time.monotonic() - start, folder))
    return results.close()


if __name__ == "__main__":
    main(check)
