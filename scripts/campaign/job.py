# SPDX-License-Identifier: GPL-2.0
"""One job of a campaign, wherever it runs: a try, and its result, once.

A run that was judged is a result, FAILURE or not. Whatever ends without a verdict
(killed, out of memory, a machine that lacks something, too slow) has died: there is
no result, the exit code is not 0, and it is for others to try it again. Knows the
campaign's folder and summary.json; must not know who has called.
"""

import json
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from campaign import plan as plans
from campaign import signature
from common import command
from common.say import EXIT_ENVIRONMENT, say

VERDICTS = ("SUCCESS", "FAILURE", "UNSUPPORTED")
#: files of a run that are worth their place if nothing was found
_KEPT = ("summary.json", "log")
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


def result(job, data, begun, seconds, folder, tries):
    """What is kept of a run, as JSON."""
    said = {
        "job": job.name, "scenario": job.scenario, "kit": job.kit["name"], "seed": job.seed,
        "host": socket.gethostname(), "began": begun, "seconds": round(seconds, 1),
        "verdict": data["verdict"], "reason": str(data.get("reason", "")),
        "repeat": str(data.get("repeat", "")),
        "found_after_seconds": data.get("found_after_seconds"),
        "versions": data.get("versions", {}), "folder": folder.name, "tries": tries,
        "did": _operations(data),
    }
    if data["verdict"] == "FAILURE":
        said["signature"] = signature.of(data, folder)
    return said


def _tidy(folder, data):
    """Leave of a run's files what somebody may want to read."""
    if os.environ.get("KEEP", "") == "1":
        return
    for path in folder.iterdir():
        if path.name in _LARGE or data["verdict"] == "SUCCESS" and path.name not in _KEPT or \
                path.name.startswith("."):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _new_try(plan, job):
    base = plan.folder / "tries" / job.name
    base.mkdir(parents=True, exist_ok=True)
    prefix = time.strftime("%Y%m%d-%H%M%S-") + socket.gethostname()[:32] + "-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
    folder.chmod(0o755)
    return folder, sum(1 for _ in base.iterdir())


def run(folder, name):
    """Run the job @name of the campaign in @folder, unless it is done; 0 if it is now."""
    plan = plans.load(folder)
    job = plan.job(name)
    if plan.is_done(job):
        say("%s: is done" % name)
        return 0
    where, tries = _new_try(plan, job)
    variables = dict(plan.variables(job), RUNDIR=where)
    begun, start = time.time(), time.monotonic()
    code = command.logged(command.ends_with_us(_argv(plan, variables)), where / "log",
                          timeout=plan.limit())
    seconds = time.monotonic() - start
    try:
        data = json.loads((where / "summary.json").read_text())
    except (OSError, ValueError):
        data = None
    why = _died(data, code, plan.limit())
    if why:
        last = [line for line in command.tail(where / "log", 20).splitlines()
                if line.strip() and not line.startswith("+ ")]
        why = "%s on %s: %s" % (why, socket.gethostname(), last[-1].strip()[:200] if last else
                                "it said nothing")
        # for whoever asks later; a host that is gone leaves none
        plans.write(where / "died", why + "\n")
        say("%s: %s" % (name, why))
        return EXIT_ENVIRONMENT
    text = json.dumps(result(job, data, begun, seconds, where, tries), indent=1) + "\n"
    _tidy(where, data)
    plan.result_path(job).parent.mkdir(exist_ok=True)
    if plans.write_once(plan.result_path(job), text):
        say("%s: %s, %.0f s" % (name, data["verdict"], seconds))
    else:
        say("%s: somebody else has done it meanwhile" % name)
        shutil.rmtree(where, ignore_errors=True)
    return 0


def command_line(job_name):
    """How a job is started in the campaign's folder, wherever that is."""
    return ["sh", "tool/scripts/python.sh", "campaign", "job", ".", job_name]
