# SPDX-License-Identifier: GPL-2.0
"""make check: everything by which tdp_stress is known to work.

Knows the list of suites and their order (quick ones first); each is elsewhere.
"""

import sys
import time

from common import cache, command, packages, tap
from common.say import Step, main, say
from common.settings import Values
from kernel import ours, source
from qemu import session
import run as front
import selfcheck

_CLEAN_SECONDS = 30
_SYSTEM = cache.REPO / "selftests/system"


def _program(results, name, argv, **kwargs):
    """A test program that prints TAP."""
    log = cache.folder("log") / "check.log"
    log.write_text("")
    step = Step(name)
    code = command.logged(argv, log, tick=lambda: step.progress("running"), timeout=1800, **kwargs)
    step.done("exit code %d" % code)
    lines = log.read_text(errors="replace").splitlines()
    results.take(name, code, "\n".join(l for l in lines if not l.startswith("+ ")))


def core(values, kernel, results):
    """Unit tests of the emulated TDX module, in user space."""
    out = ours.home(kernel) / "core"
    out.mkdir(exist_ok=True)
    _program(results, "core", ["make", "-s", "-C", cache.REPO / "selftests/core",
                               "KSRC=%s" % kernel.tree.path, "O=%s" % out,
                               "-j%d" % values.jobs, "run"])


def driver(kernel, results):
    """The driver's command line, which needs no KVM."""
    _program(results, "driver", ["make", "-s", "-C", cache.REPO / "selftests",
                                 "KHDR=%s" % kernel.headers,
                                 "O=%s" % (ours.home(kernel) / "driver"), "check"])


def _patched(path, target, old, new):
    """A copy of a module in which one symbol has another name of the same length."""
    data = path.read_bytes()
    if len(old) != len(new) or old not in data:
        return False
    target.write_bytes(data.replace(old, new))
    return True


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
    params = front.job_params(values)
    params["MISSING_SYMBOL"] = "kvm_tdp_mmu_maX"
    for job, extra in (("refuse", ""), ("realtdx", "setcpuid=tdx_host_platform")):
        step = Step("wrong uses in the guest (%s)" % job)
        outcome = guest.boot(job, params, 60, modules=modules, extra=extra,
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


def check():
    start = time.monotonic()
    values = Values()
    packages.need(mutants=True)
    say("tdp_stress: check, SEED=%d" % values.seed)
    results = tap.Results()
    kernel, built = front.prepare(values)
    before = source.scan(kernel.tree)
    machine = front.get_machine(values, kernel)
    folder = session.new_folder(values, "check-")
    guest = session.Session(values, kernel, built, machine, folder)

    core(values, kernel, results)
    driver(kernel, results)
    _program(results, "verdict", [sys.executable, "-B", _SYSTEM / "verdict.py"])
    _program(results, "rebuild", [sys.executable, "-B", _SYSTEM / "rebuild.py"])
    _program(results, "bad input", [sys.executable, "-B", _SYSTEM / "host.py", kernel.tree.path])
    refusals(guest, values, results)
    selfcheck.plants(guest, values, results)
    selfcheck.mutants(guest, values, results)
    selfcheck.clean(guest, values, results, _CLEAN_SECONDS)
    results.check("the kernel tree was not written to",
                  not source.changes(before, source.scan(kernel.tree)))
    say("  check took %.0f s; files: %s" % (time.monotonic() - start, folder))
    return results.close()


if __name__ == "__main__":
    main(check)
