# SPDX-License-Identifier: GPL-2.0
"""check.sh and job.sh on this machine: what they say, and an end to them.

Knows their variables; must not know what a result means.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import backend
from common import command
from common.say import Step, say

_HERE = Path(__file__).resolve().parent
#: for the driver to end, a VM to go and the module to be unloaded
_LEAVE_SECONDS = 180
_GRACE = 60
#: what ends us
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def check(values, built=None):
    """[what is missing], after a line for each prerequisite."""
    # all of them: it must not take one that the user has for something else
    more = {"OTHERS_OK": str(int(values.others_ok)), "ROOT": "", "DRIVER": "", "MODULE": "",
            "KDIR": os.path.expanduser(values.kdir or "")}
    if built:
        more.update(DRIVER=str(built.driver), MODULE=str(built.module))
    code, said, error = command.output(["sh", _HERE / "check.sh"], env=command.environment(more))
    lines = said.splitlines()
    for line in lines:
        say("  " + line)
    missing = [l for l in lines if l.startswith("not ok")]
    if code and not missing:
        missing = ["check.sh: exit code %d: %s" % (code, error.strip())]
    return missing


def variables(values, built, folder):
    """What job.sh wants to know."""
    return {"DRIVER": str(built.driver), "MODULE": str(built.module), "OUT": str(folder),
            "SEED": str(values.seed), "DURATION": str(values.duration), "GRACE": str(_GRACE),
            "DRIVER_ARGS": backend.driver_args(values), "STRESS_ARGS": values.stress or ""}


def run(env, folder, job=_HERE / "job.sh"):
    """The exit code of one run; what it leaves is in @folder. A run that is interrupted
    has the time to unload what it has loaded.
    """
    log = folder / "driver.log"
    log.write_text("")
    if command.verbose():
        say("+ sh %s" % job)
    # before it is known to us nothing may end us: it would go on alone
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    p = subprocess.Popen(["sh", str(job)], env=command.environment(env), start_new_session=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before))
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        with open(log, encoding="utf-8", errors="replace") as text:
            rest = ""
            while p.poll() is None:
                rest = _show(rest + text.read())
                time.sleep(0.3)
            _show(rest + text.read() + "\n")
    finally:
        _end(p)
    return p.returncode


def _show(text):
    """Say the lines of @text; what has no end yet is returned."""
    *lines, rest = text.split("\n")
    for line in lines:
        if line:
            say("  " + line)
    return rest


def _end(p):
    if p.poll() is not None:
        return
    step = Step("end the run, unload tdp_stress")
    p.terminate()
    try:
        p.wait(timeout=_LEAVE_SECONDS)
        step.done()
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        # it goes on by itself, and needs nobody for that
        step.failed()
        say("  job.sh (process %d) still unloads tdp_stress; do not kill it" % p.pid)
