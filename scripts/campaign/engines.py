# SPDX-License-Identifier: GPL-2.0
"""Who starts the jobs: GNU parallel, here and over ssh, or Slurm.

An engine is given jobs that are not done and says when it has none left; it promises
nothing else. What is done is seen from the campaign's folder alone, so that an engine
may be killed at any time, and another may take over. Knows the engines' commands; must
not know what a job does.
"""

import json
import re
import shutil
import subprocess
import time
from collections import Counter

from campaign import job as jobs_
from common import command, packages
from common.say import lacking, say, usage

SLURM = "slurm"
#: exit code of ssh, if it is not that of what it ran
_SSH_FAILED = "255"
#: seconds between a request to end and the end by force
_TERM_SECONDS = 10


def choose(plan, hosts, options, lock):
    """The engine for HOSTS=@hosts. @options: the user's own, of sbatch; @lock: a file that
    stays locked as long as something of the campaign runs here.
    """
    names = hosts.split(",")
    if any(name.rpartition("/")[2] == SLURM for name in names):
        if len(names) > 1:
            raise usage("HOSTS=%s: slurm has hosts of its own, it goes alone" % hosts)
        return Slurm(plan, hosts.rpartition("/")[0], options or "")
    if options:
        raise usage("SLURM=%s goes with HOSTS=slurm" % options)
    return Parallel(plan, names, lock)


def _memory_mib(plan):
    """What the largest guest takes."""
    most = 0
    for kit in plan.data["kits"]:
        try:
            said = json.loads((plan.kit_folder(kit) / "kit.json").read_text())
            most = max(most, said["memory_mib"])
        except (OSError, ValueError, KeyError):
            pass
    return most


def _ending(code, sig, host):
    """How a job ended that could not say so itself."""
    if code == _SSH_FAILED and host != ":":
        return "the connection to %s was lost" % host
    return "%s on %s" % ("signal " + sig if sig != "0" else "exit code " + code, host)


#: a job that died has had its try in this round: it is no failure to GNU parallel. Of sh, for a
#: host's own shell may be another
_NO_FAILURE = ["sh", "-c", """'"$@" || echo "$0: exit code $? on $(uname -n)"'""", "{}"]


class Parallel:
    """GNU parallel: a job per CPU, or as many as HOSTS= says."""

    def __init__(self, plan, hosts, lock):
        self.plan = plan
        self.hosts = hosts
        self.lock = lock
        self.process = None
        self.log_start = 0
        self.log = plan.folder / "log/parallel.log"
        self.remote = [h for h in hosts if h.rpartition("/")[2] != ":"]
        #: the campaign's folder on an ssh host, from its home folder
        self.away = "tdp_stress-campaign-" + plan.data["id"]
        packages.have({"parallel": "parallel", **({"rsync": "rsync", "openssh-client": "ssh"}
                                                  if self.remote else {})})

    def _where(self):
        """Options that say on which hosts, and what these have to have."""
        if not self.remote:
            slots = self.hosts[-1].rpartition("/")[0]
            return ["--jobs", slots or "100%"]
        if len(self.hosts) > len(self.remote):
            # this machine is one of them: there the folder is the campaign's own
            here = self.plan.folder / self.away
            if not here.is_symlink():
                here.symlink_to(".")
        words = ["--jobs", "100%", "--filter-hosts", "--workdir", self.away]
        for host in self.hosts:
            words += ["--sshlogin", host]
        for name in ("plan.json", "tool", "kits"):
            words += ["--basefile", name]
        for name in ("tries/{}", "results/{}"):
            words += ["--return", name]
        if len(self.hosts) > 1:
            # if the connection is lost, on another host: one that is gone would be the
            # quickest to take the next
            words += ["--retries", str(min(3, len(self.hosts)))]
        return words

    def start(self, jobs, number):
        """Have @jobs run; returns True."""
        names = self.plan.folder / ("log/round-%d.jobs" % number)
        names.write_text("".join(job.name + "\n" for job in jobs))
        memory = _memory_mib(self.plan)
        argv = ["parallel", "--plain", "--will-cite", "--arg-file", names,
                "--joblog", self.plan.folder / ("log/round-%d.joblog" % number),
                "--termseq", "TERM,%d,KILL,25" % (1000 * _TERM_SECONDS), *self._where()]
        if memory:
            argv += ["--memfree", "%dM" % memory]
        argv += _NO_FAILURE + jobs_.command_line(self.plan, "{}", number)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("+ %s\n" % command.shown(argv))
            log.flush()
            self.log_start = log.tell()
            # it ends with its starter, and its jobs with it; until then they hold the lock
            self.process = subprocess.Popen(
                command.ends_with_us([str(a) for a in argv]), cwd=self.plan.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, env=command.environment(),
                pass_fds=[self.lock.fileno()])
        return True

    def running(self):
        """Whether it still has jobs."""
        return self.process.poll() is None

    def state(self):
        """In a few words, or ""."""
        return ""

    def _said(self):
        """What GNU parallel and the jobs have said in this round."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(self.log_start)
            return log.read()

    def complaint(self):
        """What went wrong with hosts, or with GNU parallel itself."""
        said = self._said()
        gone = re.findall(r"^parallel: Warning: Removed (\S+)\.$", said, re.M)
        if gone:
            return "no login by ssh without a question, or no answer: %s" % ", ".join(gone)
        if self.process.returncode in range(0, 102):
            return ""           # so many jobs have failed
        lines = [line for line in said.splitlines() if not line.startswith("+ ")]
        return "GNU parallel ended with %d: %s" % (self.process.returncode,
                                                   lines[-1] if lines else "it said nothing")

    def finish(self):
        """Leave nothing on the hosts."""
        if self.remote:
            argv = ["parallel", "--plain", "--will-cite", "--nonall"]
            for host in self.remote:
                argv += ["--sshlogin", host]
            command.logged(argv + ["rm", "-rf", "./" + self.away], self.log, timeout=300)

    def why(self, number):
        """{job: why it died} of what the engine knows of round @number."""
        found = dict(re.findall(r"^(\S+): (exit code \d+ on \S+)$", self._said(), re.M))
        try:
            lines = (self.plan.folder / ("log/round-%d.joblog" % number)).read_text().splitlines()
        except OSError:
            return found
        for line in lines[1:]:
            cells = line.split("\t")
            job = re.search(r" job \. (\S+) ", cells[-1])
            if len(cells) == 9 and job and (cells[6] != "0" or cells[7] != "0"):
                found[job.group(1)] = _ending(cells[6], cells[7], cells[1])
        return found

    def stop(self):
        """End what runs."""
        if not self.process:
            return
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout=_TERM_SECONDS + 10)
        except subprocess.TimeoutExpired:
            command.stop(self.process)


#: Slurm's word for a job of a node that came back with rests of it: it waits for an administrator.
#: The next round takes it, if it is not done
_STUCK = "launch failed requeued held"


class Slurm:
    """A job array; Slurm itself starts a job again whose node has failed."""

    #: seconds between questions to slurmctld
    PERIOD = 2.0

    def __init__(self, plan, slots, options):
        self.plan = plan
        self.slots = slots
        self.options = options.split()
        self.name = "tdp_stress-" + plan.data["id"]
        self.states = Counter()
        self.asked = 0.0
        self.silent = ""
        for program in ("sbatch", "squeue", "scancel", "scontrol"):
            if not shutil.which(program):
                raise lacking("HOSTS=slurm: %s: not found; this is no machine to submit jobs "
                              "from (Debian: slurm-client, and the farm's slurm.conf)" % program)
        code, said, error = command.output(["scontrol", "show", "config"])
        m = re.search(r"^MaxArraySize\s*=\s*(\d+)", said, re.M)
        if code or not m:
            raise lacking("HOSTS=slurm: slurmctld does not answer: %s" %
                          (error.strip().splitlines() or ["it said nothing"])[-1])
        #: the largest index is one less
        self.most = int(m.group(1)) - 1

    def _look(self):
        """How many jobs of ours Slurm still has; None if it does not answer."""
        code, said, error = command.output(
            ["squeue", "--noheader", "--array", "--name", self.name, "--format", "%i %T %r"])
        if code:
            self.silent = (error.strip().splitlines() or ["slurmctld does not answer"])[-1]
            return None
        self.silent = ""
        self.states = Counter()
        for line in said.splitlines():
            number, state, reason = (line.split(None, 2) + ["", ""])[:3]
            if reason.strip("()") == _STUCK:
                command.output(["scancel", "--quiet", number])
            if reason.strip("()") in ("None", "Resources", "Priority", "JobArrayTaskLimit"):
                reason = ""
            self.states[state.lower() + (" " + reason if reason else "")] += 1
        return sum(self.states.values())

    def start(self, jobs, number):
        """Have @jobs run; False if those of before are not over yet, which comes first."""
        there = self._look()
        if there is None:
            raise lacking("HOSTS=slurm: %s" % self.silent)
        if there:
            say("  %d jobs of before are still with Slurm" % there)
            return False
        names = self.plan.folder / ("log/round-%d.jobs" % number)
        names.write_text("".join(job.name + "\n" for job in jobs))
        for first in range(0, len(jobs), self.most):
            self._submit(names, number, first, min(len(jobs) - first, self.most))
        return True

    def _submit(self, names, number, first, count):
        script = names.with_suffix(".%d.sh" % first)
        name = '"$(sed -n "$((SLURM_ARRAY_TASK_ID + %d))p" %s)"' % (first + 1, "log/" + names.name)
        argv = jobs_.command_line(self.plan, name, number)
        script.write_text("#!/bin/sh\nexec %s\n" % " ".join(argv))
        memory = _memory_mib(self.plan)
        argv = ["sbatch", "--parsable", "--job-name", self.name, "--chdir", self.plan.folder,
                "--array", "0-%d%s" % (count - 1, "%" + self.slots if self.slots else ""),
                "--requeue", "--open-mode=append",
                "--output", self.plan.folder / "log/slurm-%A_%a.log",
                "--time", str(self.plan.limit // 60 + 5)]
        # a guest has this much
        argv += ["--mem", "%dM" % (memory + 512), "--cpus-per-task", "2"] if memory else []
        code, said, error = command.output(argv + self.options + [script])
        if code:
            raise lacking("HOSTS=slurm: %s (SLURM= has more options for sbatch)" %
                          (error.strip().splitlines() or ["sbatch failed"])[-1])
        say("  Slurm array %s: %d jobs" % (said.strip(), count))

    def running(self):
        """Whether it still has jobs; while slurmctld is silent, it has."""
        now = time.monotonic()
        if now - self.asked >= self.PERIOD:
            self.asked = now
            return self._look() != 0
        return True

    def state(self):
        """In a few words."""
        return self.silent or ", ".join("%d %s" % (n, s) for s, n in self.states.most_common(3))

    def complaint(self):
        """Slurm has taken the jobs, or start() said so."""
        return ""

    def finish(self):
        """Nothing is left anywhere."""

    def why(self, number):
        """The logs that Slurm writes say nothing that the job's own does not."""
        return {}

    def stop(self):
        """End what runs and what waits."""
        command.output(["scancel", "--quiet", "--name", self.name])
