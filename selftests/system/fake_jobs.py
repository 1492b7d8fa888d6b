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
if how == "lost":
    # its connection, and what there is at the other end
    Path(os.environ["CUT"]).touch()
    os.kill(os.getppid(), signal.SIGKILL)
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
(run / "console.log").write_text("KEEP=" + os.environ.get("KEEP", ""))
(run / "summary.json").write_text(json.dumps(data))
"""

#: in the place of ssh: hosts are folders, all but "gone" answer, and a connection whose file $CUT
#: is made is lost
_SSH = """#!/bin/sh
while :; do
	case "$1" in
	-[olpFiS]) shift 2 ;;
	-*) shift ;;
	*) break ;;
	esac
done
HOME=%(here)s/hosts/$1
CUT=$HOME/cut.$$
SHELL=/bin/sh
export HOME CUT SHELL
[ "$1" != gone ] && mkdir -p "$HOME" && cd || exit 255
shift
[ "$1" != -- ] || shift
sh -c "$*"
code=$?
[ ! -e "$CUT" ] || exit 255
exit $code
"""


class Place:
    """A campaign of @folder: its program, what that does, and the command."""

    def __init__(self, folder, how, **variables):
        folder.mkdir()
        self.folder = folder
        self.campaign = folder / "campaign"
        (folder / "how").write_text(json.dumps(how))
        (folder / "starts").touch()
        program = self._script("program", _PROGRAM)
        self.variables = {"PROGRAM": str(program), "CAMPAIGN": str(self.campaign),
                          "ONLY": "UML73,EXT73", "DURATION": "1", "HOSTS": "4/:", **variables}

    def _script(self, name, text):
        path = self.folder / name
        path.write_text(text % {"python": sys.executable, "here": str(self.folder)})
        path.chmod(0o755)
        return path

    def with_hosts(self):
        """Have ssh hosts that are folders."""
        (self.folder / "hosts").mkdir()
        self.variables["PARALLEL_SSH"] = str(self._script("ssh", _SSH))
        return self

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
