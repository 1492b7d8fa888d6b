# SPDX-License-Identifier: GPL-2.0
"""A campaign whose jobs boot nothing: they do what a test says, and count themselves.

Knows make campaign's variables and PROGRAM=; must not know what is tested.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

#: what it does is in a file next to it: {job: [how, in the first try, in the second, ...]}
_PROGRAM = """#!%(python)s
import json, os, signal, sys, time
from pathlib import Path
here = Path(%(here)r)
run = Path(os.environ["RUNDIR"])
job = run.parent.name
with open(here / "starts", "a") as f:
    f.write(job + "\\n")
tries = (here / "starts").read_text().split().count(job)
how = json.loads((here / "how").read_text()).get(job, ["ok"])
how = how[min(tries, len(how)) - 1]
time.sleep(float(os.environ.get("DURATION", "1")) / 20)
data = {"verdict": "SUCCESS", "repeat": "make run SEED=" + os.environ["SEED"]}
if how == "meets":
    # the other one has to have begun before this one is done
    for _ in range(600):
        if (here / "starts").read_text().split().count(job) >= 2:
            break
        time.sleep(0.1)
if how == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "hangs":
    time.sleep(1000)
if how == "silent":
    sys.exit(1)
if how == "memory":
    data = {"verdict": "UNSUPPORTED", "guest": {"end": "killed", "why": "out of memory?"}}
if how == "slow":
    data = {"verdict": "FAILURE", "seconds": {"boot": None},
            "guest": {"end": "hung", "why": "it did not boot within 90 s"}}
if how.startswith("fails"):
    _, seconds, line = how.split(" ", 2)
    data.update(verdict="FAILURE", reason="violated", violation_lines=[line],
                found_after_seconds=float(seconds))
if how == "half":
    (run / "summary.json").write_text('{"verdict": "SUCC')
    sys.exit(0)
(run / "summary.json").write_text(json.dumps(data))
"""


class Place:
    """A campaign of @folder: its program, what that does, and the command."""

    def __init__(self, folder, how, **variables):
        folder.mkdir()
        self.folder = folder
        self.campaign = folder / "campaign"
        (folder / "how").write_text(json.dumps(how))
        (folder / "starts").touch()
        program = folder / "program"
        program.write_text(_PROGRAM % {"python": sys.executable, "here": str(folder)})
        program.chmod(0o755)
        self.variables = {"PROGRAM": str(program), "CAMPAIGN": str(self.campaign),
                          "ONLY": "UML73,EXT73", "DURATION": "1", "HOSTS": "4/:", **variables}

    def environment(self, **variables):
        env = {k: v for k, v in os.environ.items()
               if k in ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR", "PARALLEL_SSH", "SLURM_CONF")}
        env.update(self.variables, **variables)
        return env

    def begin(self, **variables):
        """make campaign, under way."""
        return subprocess.Popen(["sh", str(REPO / "scripts/python.sh"), "campaign"],
                                env=self.environment(**variables), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                start_new_session=True)

    def run(self, **variables):
        """(exit code, what it said)."""
        process = self.begin(**variables)
        try:
            said, _ = process.communicate(timeout=600)
        except subprocess.TimeoutExpired:
            # as Ctrl-C, so that its jobs end with it
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate()
            return None, said
        return process.returncode, said

    def starts(self):
        """{job: how often it was started}."""
        words = (self.folder / "starts").read_text().split()
        return {job: words.count(job) for job in words}

    def results(self):
        """Names of the jobs that are done."""
        folder = self.campaign / "results"
        return sorted(p.name for p in folder.glob("[!.]*")) if folder.is_dir() else []

    def data(self):
        return json.loads((self.campaign / "campaign.json").read_text())


def tail(text, count=8):
    return text.splitlines()[-count:]
