# SPDX-License-Identifier: GPL-2.0
"""One job of a campaign, wherever it runs: a try, and its result, once.

A run that was judged is a result, FAILURE or not. Whatever ends without a verdict
(killed, out of memory, a machine that lacks something, too slow) has died: there is
no result, the exit code is not 0, and it is for others to try it again. Knows the
campaign's folder and summary.json; must not know who has called.
"""

import json
import re
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from campaign import plan as plans
from campaign import signature
from common import command, settings
from common.say import EXIT_ENVIRONMENT, say

VERDICTS = ("SUCCESS", "FAILURE", "UNSUPPORTED")
#: files of a run that are worth their place if nothing was found
_KEPT = ("summary.json", "log", "trace.judged")
#: never: they are in the kit, or made from it
_LARGE = ("bzImage", "initrd", "linux", "modules", "results", "machine.log")


def _died(data, code, limit):
    """Why this is no result, or ""."""
    if code == -1:
        return "it did not end within %d s" % limit
    if not isinstance(data, dict) or data.get("verdict") not in VERDICTS:
        return "%s without a verdict" % ("killed by signal %d" % -code if code < 0 else
                                         "exit code %d" % code)
    guest = data.get("guest", {})
    # by something outside of what is tested, most of all for want of memory
    if guest.get("end") == "killed":
        return guest.get("why", "killed")
    # on a machine with too much to do, guests hang or panic before anything of ours is in them
    if guest.get("end") in ("hung", "died") and data.get("seconds", {}).get("boot", 0) is None:
        return guest.get("why", "it did not boot")
    return ""


def _argv(plan, variables):
    """The command, as its log has it, so that it can be repeated by hand."""
    program = [plan.folder / "tool/program"] if plan.data["program"] else \
        [sys.executable, "-B", plan.folder / "tool/scripts/run.py"]
    return ["env"] + ["%s=%s" % pair for pair in sorted(variables.items())] + program


def _operations(data):
    """How much a run has done."""
    counters = data.get("counters", {})
    calls = sum(row.get("calls", 0) for row in data.get("operations", []))
    module = counters.get("tdx_module", {})
    return {"operations": calls,
            "seamcalls": sum(n for name, n in module.items()
                             if name.startswith("leaf.") and name.endswith(".calls")),
            "met": sum(n for name, n in counters.get("tdp_stress", {}).items()
                       if name.startswith("meet."))}


def _worked(data, folder):
    """Seconds for which the driver, or the workers in the kernel, were at it; None: unknown."""
    elapsed = data.get("counters", {}).get("driver", {}).get("elapsed")
    if elapsed is not None:
        return elapsed
    try:
        m = re.match(r"(?:running|done) (\d+)", (folder / "stress.state").read_text())
    except OSError:
        return None
    return int(m.group(1)) if m else None


def _stressed(data, folder, seconds, duration):
    """Seconds of stress in a run of @seconds, which may have ended early; 0: it came to none."""
    if data["verdict"] == "UNSUPPORTED":
        return 0
    worked, found = _worked(data, folder), data.get("found_after_seconds")
    # found, and no other number: what hung or died of it is no stress
    if worked is not None or found is not None:
        return max(worked or 0, found or 0)
    guest, times = data.get("guest"), data.get("seconds", {})
    if guest:
        begun = any(guest.get(n, "unknown") != "unknown" for n in ("vmx", "cpu"))
        seconds = times.get("guest", 0) - (times.get("boot") or 0) if begun else 0
    return round(min(seconds, duration), 1)


def result(job, data, begun, seconds, folder, duration):
    """What is kept of a run, as JSON."""
    said = {
        "job": job.name, "scenario": job.scenario, "kit": job.kit["name"], "seed": job.seed,
        "host": socket.gethostname(), "began": begun, "seconds": round(seconds, 1),
        "verdict": data["verdict"], "reason": str(data.get("reason", "")),
        "repeat": str(data.get("repeat", "")),
        "found_after_seconds": data.get("found_after_seconds"),
        "versions": data.get("versions", {}), "folder": folder.name,
        "did": _operations(data), "stressed": _stressed(data, folder, seconds, duration),
    }
    if data["verdict"] == "FAILURE":
        said["signature"] = signature.of(data, folder)
    return said


def _tidy(folder, data):
    """Leave of a run's files what somebody may want to read."""
    for path in folder.iterdir():
        if path.name in _LARGE or data["verdict"] == "SUCCESS" and path.name not in _KEPT or \
                path.name.startswith("."):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _new_try(plan, job, number):
    base = plan.folder / "tries" / job.name
    base.mkdir(parents=True, exist_ok=True)
    prefix = time.strftime("%Y%m%d-%H%M%S-") + "r%s-" % number + socket.gethostname()[:32] + "-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    folder.chmod(0o755)
    return folder


def tries(plan, job, number="*"):
    """The folders of tries of @job that are here, the last one at the end; those of round
    @number.
    """
    return sorted((plan.folder / "tries" / job.name).glob("*-*-r%s-*" % number))


def run(folder, name, number="0"):
    """Run the job @name of the campaign in @folder, in round @number, unless it is done; 0 if
    it is now. LIMIT and KEEP are in the environment.
    """
    plan = plans.load(folder)
    plan.told(settings.ALL["LIMIT"].value(), settings.ALL["KEEP"].value())
    job = plan.job(name)
    if plan.is_done(job):
        say("%s: is done" % name)
        return 0
    where = _new_try(plan, job, number)
    variables = dict(plan.variables(job), RUNDIR=where)
    begun, start = time.time(), time.monotonic()
    code = command.logged(command.ends_with_us(_argv(plan, variables)), where / "log",
                          timeout=plan.limit)
    seconds = time.monotonic() - start
    try:
        data = json.loads((where / "summary.json").read_text())
    except (OSError, ValueError):
        data = None
    why = _died(data, code, plan.limit)
    if why:
        last = [line for line in command.tail(where / "log", 20).splitlines()
                if line.strip() and not line.startswith("+ ")]
        why = "%s on %s: %s" % (why, socket.gethostname(), last[-1].strip()[:200] if last else
                                "it said nothing")
        # for whoever asks later; a host that is gone leaves none
        plans.write(where / "died", why + "\n")
        say("%s: %s" % (name, why))
        return EXIT_ENVIRONMENT
    text = json.dumps(result(job, data, begun, seconds, where, plan.data["duration"]),
                      indent=1) + "\n"
    if not plan.keep:
        _tidy(where, data)
    plan.result_path(job).parent.mkdir(exist_ok=True)
    if plans.write_once(plan.result_path(job), text):
        say("%s: %s, %.0f s" % (name, data["verdict"], seconds))
    else:
        say("%s: somebody else has done it meanwhile" % name)
        shutil.rmtree(where, ignore_errors=True)
    return 0


def command_line(plan, job_name, number):
    """How a job is started for round @number in the campaign's folder, wherever that is."""
    # said here: the environment does not come to other hosts
    return ["env", "LIMIT=%d" % plan.limit, "KEEP=%d" % plan.keep,
            "sh", "tool/scripts/python.sh", "campaign", "job", ".", job_name, str(number)]
