# SPDX-License-Identifier: GPL-2.0
"""make metal: real TDs, on the machine that this is, under tdp_stress.ko's eyes.

Knows the order of things; each of them is done elsewhere. The way is the same whatever
answers KVM's SEAMCALLs.
"""

import os
import time

from common import command, repeat
from common.say import EXIT_PASS, lacking, main, say, usage
from common.settings import Values
from metal import build, host, judge
from qemu import judge as words
from qemu import report, session


#: of a machine, a kernel or a TDX module that is made for the run
_NOT_HERE = ("SCENARIO", "WHERE", "KERNEL", "KVER", "VARIANT", "MUTANT", "FLAVOUR", "KASAN", "GCOV",
             "KIT", "MACHINE", "ACCEL", "QEMU", "CPUS", "BUSY", "DELAY", "STUB", "TRACE",
             "STOP_EARLY")
#: the guest's code needs the addresses above
_MOST_MIB = 2048


def _values():
    """What is asked for; refused if this machine, as it is, has no way to do it."""
    for name in _NOT_HERE:
        text = os.environ.get(name, "").strip()
        if text not in ("", "0"):
            raise usage("%s=%s: make metal takes the machine, its kernel and its TDX module as they "
                        "are" % (name, text))
    # of the machine that it is, not of one that is made: the driver knows how many it has
    os.environ["CPUS"] = "8"
    values = Values()
    if values.backend != "tdx":
        raise usage("BACKEND=%s: make metal is about real TDs, which are BACKEND=tdx" %
                    values.backend)
    if values.mem > _MOST_MIB:
        raise usage("MEM=%dM: must be a size from 4M to 2G with make metal" % values.mem)
    return values


def _ready(missing):
    if missing:
        raise lacking("this machine is not ready: %d thing(s) missing, see \"not ok\" above" %
                      len(missing))


def summary(values, release, result, seconds, folder):
    """As make run has it, of what there is here."""
    again = {n: t for n, t in values.said().items() if n not in ("RUNDIR", "V", "JOBS", "CPUS")}
    again["SEED"] = str(values.seed)
    verdict = result.verdict
    return {
        "format": 1,
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "reason": verdict.reason,
        "violations": {i: result.stats().get("violation." + i, 0) for i in verdict.ids},
        "violation_lines": result.files.get("stress.violations", "").splitlines(),
        "unexplained_messages": verdict.unexplained,
        "not_possible": result.not_possible(),
        "not_checked": result.not_checked,
        "ktap": result.ktap(),
        "door": "metal",
        "repeat": repeat.command("metal", again),
        "repeat_variables": again,
        "parameters": {k: v for k, v in sorted(vars(values).items())},
        "versions": {"kernel": release, "tdp_stress": command.revision()},
        "seconds": {"total": round(seconds, 1)},
        "counters": {"driver": words.driver_summary(result.files), "tdp_stress": result.stats(),
                     "tdx_module": {}},
        "folder": str(folder),
    }


def finish(values, release, result, seconds, folder):
    """Show and write down all that is known; returns the exit code."""
    judge.show(result)
    data = summary(values, release, result, seconds, folder)
    report.write_json(folder / "summary.json", data)
    for line in (data["violation_lines"] + data["unexplained_messages"])[:10]:
        say("  " + line)
    say("--- End of test: %s%s" % (data["verdict"],
                                   ": " + data["reason"] if data["reason"] else ""))
    say("    again: %s" % data["repeat"])
    say("    files: %s" % folder)
    return result.verdict.exit_code


def metal():
    start = time.monotonic()
    values = _values()
    kernel = build.kernel(values) if values.kdir else None
    missing = host.check(values)
    _ready(missing)
    if values.check:
        say("tdp_stress: this machine is ready; make metal asks KVM as well")
        return EXIT_PASS
    say("tdp_stress: SEED=%d, %d s, %d TD(s) of %d MiB with %d vCPU(s) on this machine" % (
        values.seed, values.duration, values.tds, values.mem, values.vcpus))
    kernel = kernel or build.kernel(values)
    built = build.get(values, kernel)
    _ready(host.check(values, built))
    folder = session.new_folder(values, "metal-")
    say("  run folder: %s" % folder)
    code = host.run(host.variables(values, built, folder), folder)
    return finish(values, built.release, judge.Result(folder, code), time.monotonic() - start,
                  folder)


if __name__ == "__main__":
    main(metal)
