# SPDX-License-Identifier: GPL-2.0
"""Campaigns: jobs that die, hang and fail; a stop at any time; what is made of results.

The jobs are those of a program of this test (PROGRAM=), so that none boots anything.
Prints TAP. Knows the promises of Documentation/campaign.rst, and the files there.
"""

import base64
import concurrent.futures
import contextlib
import gzip
import html.parser
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from campaign import engines, merge, page, signature        # noqa: E402
from campaign import job as jobs_                           # noqa: E402
from campaign import plan as plans                          # noqa: E402
from common import packages                                 # noqa: E402
from common.say import Problem                              # noqa: E402
from common.signature import FUNCTIONS                      # noqa: E402
from fake_jobs import Place, tail                           # noqa: E402
from said import plan, result, skip                         # noqa: E402

_X2 = "X2: leaf removed twice, gfn 0x%x level 1, by w0:recover/109 (mmu_lock read)"
_Z1 = "Z1: 7 leaves left behind, in zap_all, gfn 0x2 level 1, by w1:run/9 (mmu_lock write)"


def refused(title, code, words, place, **variables):
    """One line, an exit code, and nothing made."""
    got, said = place.run(**variables)
    lines = [line for line in said.splitlines() if line.startswith("tdp_stress: ") and
             not line.startswith("tdp_stress: campaign,")]
    result(got == code and len(lines) == 1 and re.search(words, lines[0]) and
           "Traceback" not in said and not place.starts(), title,
           "exit code %s, wanted %d and: %s" % (got, code, words), *tail(said))


def bad_input(folder):
    place = Place(folder / "bad", {})
    for name, value, words in (
            ("SEEDS", "0", "SEEDS=0: must be a number from 1"),
            ("HOSTS", "alice bob", "HOSTS=alice bob: must be names"),
            ("HOSTS", "-oProxyCommand=x", "HOSTS=-oProxyCommand=x: must be names"),
            ("HOSTS", "slurm,alice", "it goes alone"),
            ("SLURM", "--mem=4G", "SLURM=--mem=4G goes with HOSTS=slurm"),
            ("SLURM", "x; reboot", "SLURM=x; reboot: must be options"),
            ("TRIES", "0", "TRIES=0: must be a number from 1"),
            ("LIMIT", "0", "LIMIT=0: must be a number from 1"),
            ("ONLY", "NONE*", "ONLY=NONE.: no such scenario; there are: .*UML73"),
            ("KERNELS", "7.2,,7.3", "KERNELS=7.2,,7.3: must be versions and paths"),
            ("SCENARIO", "UML73", "SCENARIO=UML73: make campaign takes ONLY="),
            ("PROGRAM", "/nonexistent", "PROGRAM=/nonexistent: must be a program"),
            ("CAMPAIGN", str(place.folder / "how"), "CAMPAIGN=.*: "),
            ("CAMPAIGN", str(place.folder), "CAMPAIGN=.*: is there, and is no campaign's")):
        refused("%s=%s" % (name, Path(value).name), 2, words, place, **{name: value})
    for twice in ("7.3,7.2,7.3", "%s,%s/../bad/" % (place.folder, place.folder)):
        refused("a kernel twice: %s" % twice[:3], 2, r"KERNELS=.*: \S+ is there twice", place,
                KERNELS=twice)
    refused("KERNELS with KVER", 2, "goes without KSRC or KVER", place, KERNELS="7.2", KVER="7.3")
    refused("a scenario about another version", 2, "nothing is left to be run", place,
            ONLY="EXT72", KERNELS="7.3")
    refused("a tree that is not there", 2, "KERNELS=/nonexistent: no such folder", place,
            KERNELS="7.3,/nonexistent", PROGRAM="")
    empty = folder / "no-slurm"
    empty.mkdir()
    for name in ("python3", "sh", "dirname", "env"):
        path = subprocess.run(["sh", "-c", "command -v " + name], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()
        (empty / name).symlink_to(os.path.realpath(path))
    refused("HOSTS=slurm where there is none", 3, "sbatch: not found", place, HOSTS="slurm",
            PATH=str(empty))
    p = subprocess.run(["sh", str(REPO / "scripts/python.sh"), "campaign", "job", str(folder),
                        "x-1"], text=True, stdout=subprocess.PIPE, check=False)
    result(p.returncode == 2 and "is not the folder of a campaign" in p.stdout,
           "a job of no campaign", p.stdout)


class Checker(html.parser.HTMLParser):
    """Whether a page is whole, and what it loads."""

    _VOID = ("meta", "br", "input", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.wrong = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in self._VOID:
            self.open.append(tag)
        if tag in ("link", "img", "iframe") or "src" in attrs or \
                re.match(r"\w+:|//", attrs.get("href") or ""):
            self.loads.append((tag, attrs))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def logic(folder):
    """All that can become of a job, in one campaign."""
    place = Place(folder / "logic", {
        "UML73-1": ["killed", "ok"], "UML73-2": ["hangs", "ok"], "UML73-3": ["silent"],
        "UML73-4": ["fails 3.5 " + _X2 % 1], "UML73-5": ["memory", "ok"],
        "UML73-6": ["half", "ok"], "EXT73-1": ["fails 0.5 " + _X2 % 77],
        "EXT73-2": ["killed", "fails 1 " + _Z1], "EXT73-3": ["slow", "ok"],
    }, SEEDS="6", TRIES="2", LIMIT="15")
    code, said = place.run()
    result(code == 1, "a campaign with failures: exit code 1", str(code), *tail(said))
    every = ["%s-%d" % (s, n) for s in ("EXT73", "UML73") for n in range(1, 7)]
    result(place.results() == [j for j in every if j != "UML73-3"],
           "every job is done but the one that never ends well", *place.results())
    wanted = {j: 2 if j in ("UML73-1", "UML73-2", "UML73-3", "UML73-5", "UML73-6", "EXT73-2",
                      "EXT73-3") else 1 for j in every}
    result(place.starts() == wanted, "what died was tried again, nothing else, TRIES times",
           repr(place.starts()))
    data = place.data()
    result(data["jobs"] == {"planned": 12, "success": 8, "failure": 3, "unsupported": 0,
                            "not_done": 1, "deaths": 8}, "numbers of jobs", repr(data["jobs"]))
    groups = data["groups"]
    result([(g["count"], g["invariant"], g["function"], g["operations"]) for g in groups] == [
        (2, "X2", "-", ["recover", "-"]), (1, "Z1", "kvm_tdp_mmu_zap_all", ["run", "-"])],
           "failures by signature", repr(groups))
    result(groups[0]["shortest"] == {"job": "EXT73-1", "seconds": 0.5,
                                     "command": "make run SEED=1"},
           "... the shortest reproduction", repr(groups[0]["shortest"]))
    first = json.loads((place.campaign / "results" / groups[0]["first"]["job"]).read_text())
    result(first["began"] == groups[0]["first"]["time"] == min(
        json.loads((place.campaign / "results" / j).read_text())["began"]
        for j in groups[0]["jobs"]), "... and first seen", repr(groups[0]["first"]))
    why = {d["job"]: d["why"] for d in data["deaths"]}
    for job, words in (("UML73-1", "killed by signal 9"), ("UML73-2", "did not end within 15 s"),
                       ("UML73-3", "exit code 1 without"), ("UML73-5", "out of memory"),
                       ("UML73-6", "exit code 0 without"), ("EXT73-3", "did not boot")):
        result(words in why.get(job, ""), "why a job died: %s" % words, why.get(job, "nothing"))
    rates = {s["name"]: s["failures_per_run"] for s in data["scenarios"]}
    result(rates == {"EXT73": round(2 / 6, 4), "UML73": round(1 / 5, 4)},
           "rates per scenario", repr(rates))
    logs = said + "".join(p.read_text() for p in (place.campaign / "log").iterdir())
    result(not re.search(r"citation|will-cite\b(?! --arg)|Tange", logs),
           "nothing asks for a citation", *[l for l in logs.splitlines() if "cit" in l][:3])
    checker = Checker((place.campaign / "campaign.html").read_text())
    result(not checker.open and not checker.wrong and not checker.loads,
           "the page is whole and loads nothing", repr(checker.open), repr(checker.wrong),
           repr(checker.loads))
    resumed(place)


def resumed(place):
    """The same command: what is done is not run again, the rest is."""
    before = place.starts()
    how = json.loads((place.folder / "how").read_text())
    (place.folder / "how").write_text(json.dumps(dict(how, **{"UML73-3": ["ok"]})))
    # of a writer that was killed
    (place.campaign / "results/.UML73-3.1234").write_text("{")
    with open(place.campaign / "log/deaths.jsonl", "a", encoding="utf-8") as f:
        f.write('{"time": 12')
    code, said = place.run()
    result(code == 1 and place.starts() == {**before, "UML73-3": 3} and
           place.data()["jobs"]["not_done"] == 0,
           "the same command: only what is not done is run", str(code), *tail(said))
    code, said = place.run()
    result(code == 1 and place.starts()["UML73-3"] == 3 and "12 of 12 jobs are done" in said,
           "... and nothing at all after that", str(code), *tail(said))
    code, said = place.run(SEEDS="7")
    result(code == 2 and "a campaign of other SEEDS" in said, "another campaign in its folder",
           str(code), *tail(said))
    broken = place.campaign / "results/UML73-4"
    broken.write_text("nonsense")
    code, said = place.run()
    result(code == 3 and "results/UML73-4: cannot be read; remove it" in said,
           "a result that cannot be read is named", str(code), *tail(said))
    broken.unlink()
    code, said = place.run()
    result(code == 1 and place.starts()["UML73-4"] == 2, "... and its job run again, if asked to",
           str(code), *tail(said))


def _wait(what, seconds=60):
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.1)
    return what()


def _parallel_of(place):
    """Process ids of the GNU parallel of a campaign."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--joblog" in words and any(str(place.campaign).encode() in w for w in words):
            found.append(int(path.parent.name))
    return found


def killed(folder, title, kill):
    """End a campaign in the middle, and give the same command again."""
    place = Place(folder / re.sub(r"\W", "-", title), {}, SEEDS="5", DURATION="16")
    process = place.begin()
    _wait(lambda: len(place.results()) >= 2)
    done = set(place.results())
    kill(place, process)
    process.communicate()
    result(done and len(place.results()) < 10, "%s: stopped in the middle" % title,
           "%d were done" % len(place.results()))
    code, said = place.run()
    starts = place.starts()
    result(code == 0 and len(place.results()) == 10 and
           place.data()["jobs"]["success"] == 10, "%s: the same command goes on" % title,
           str(code), *tail(said))
    result(all(starts[j] == 1 for j in done), "%s: what was done is not run again" % title,
           repr({j: starts[j] for j in done}))


def _kill_parallel(place, process):
    """And the jobs, as if all of the machine had gone but this."""
    for pid in _parallel_of(place):
        os.kill(pid, signal.SIGKILL)
    process.kill()


def once(folder):
    """A result is written once, whoever else is at it."""
    path = folder / "one"
    with concurrent.futures.ProcessPoolExecutor(4) as pool:
        ours = list(pool.map(plans.write_once, [path] * 40, map(str, range(40))))
    result(sum(ours) == 1 and path.read_text() == str(ours.index(True)),
           "of 40 that write a result one does", repr(ours))
    result(len(list(folder.glob(".one*"))) == 0, "... and none leaves anything")
    place = Place(folder / "twice", {"UML73-1": ["meets"]}, SEEDS="1", ONLY="UML73",
                  DURATION="20")
    place.campaign.mkdir()
    plans.make(_made(place.campaign, duration=20, program=place.variables["PROGRAM"]))
    argv = ["sh", place.campaign / "tool/scripts/python.sh", "campaign", "job", place.campaign,
            "UML73-1"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate()[0] for p in both]
    result([p.returncode for p in both] == [0, 0] and place.starts() == {"UML73-1": 2} and
           sum("somebody else" in s for s in said) == 1 and place.results() == ["UML73-1"],
           "a job that runs twice at a time has one result", *said)


def _made(folder, **others):
    """A Plan of this test's own, of one scenario."""
    return plans.Plan(folder, {
        "format": 2, "seed": 1, "seeds": 1, "duration": 20, "variables": {}, "program": "",
        "id": "x", "made": 0, "revision": "x",
        "kits": [{"name": "UML73", "scenario": "UML73", "about": "", "kernel": "",
                  "variables": {"SCENARIO": "UML73"}}], **others})


def _front():
    """scripts/campaign.py; its name is that of a package, too."""
    spec = importlib.util.spec_from_file_location("front_door_of_campaign",
                                                  REPO / "scripts/campaign.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _why(place):
    """{job: why it died at last}, of all that died."""
    return {d["job"]: d["why"] for d in place.data()["deaths"]}


def of_the_call(folder):
    """LIMIT= and KEEP= are those of the call that goes on, not of the first one."""
    place = Place(folder / "call", {"UML73-1": ["hangs", "hangs", "ok"]}, SEEDS="1",
                  ONLY="UML73", TRIES="1")
    for limit in ("2", "4"):
        place.run(LIMIT=limit)
        why = _why(place)["UML73-1"]
        result("did not end within %s s" % limit in why, "LIMIT=%s is heeded" % limit, why)
    code, said = place.run(KEEP="1", LIMIT="60")
    last = jobs_.tries(plans.load(place.campaign), plans.load(place.campaign).jobs[0])[-1]
    kept = last / "console.log"
    result(code == 0 and kept.exists() and kept.read_text() == "KEEP=1",
           "KEEP=1 reaches the job, and keeps what it leaves", str(code), *tail(said))
    place = Place(folder / "no-keep", {}, SEEDS="1", ONLY="UML73")
    place.run()
    result(sorted(p.name for p in place.campaign.glob("tries/*/*/*")) == ["log", "summary.json"],
           "without it there are the log and the numbers")
    slurm(folder)


def slurm(folder):
    """What sbatch is told is what its jobs are told."""
    (folder / "log").mkdir()
    made = _made(folder)
    made.told(3600, True)
    asked = []

    def output(argv, **_):
        asked.append([str(a) for a in argv])
        return 0, "MaxArraySize = 1001\n" if argv[0] == "scontrol" else "", ""

    with mock.patch.object(engines.command, "output", output), \
            mock.patch.object(engines.shutil, "which", lambda name: name), \
            contextlib.redirect_stdout(io.StringIO()):
        engines.Slurm(made, "", "").start(made.jobs, 7)
    script = Path(asked[-1][-1]).read_text()
    minutes = asked[-1][asked[-1].index("--time") + 1]
    result(minutes == "65" and "env LIMIT=3600 KEEP=1 " in script and
           script.rstrip().endswith(" 7"), "Slurm's limit is above the job's", minutes, script)


def _killed_while(place, where, name, after):
    """make campaign, killed by kill -9 in or just after the call of @where.@name."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    was = getattr(where, name)

    def dies(*args, **kwargs):
        if after:
            was(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    os.environ.update(place.variables)
    setattr(where, name, dies)
    with open(os.devnull, "w", encoding="utf-8") as null, contextlib.redirect_stdout(null):
        _front().campaign()
    os._exit(0)


def half_made(folder):
    """A campaign that ended while its folder was made."""
    for where, name, after, when in ((plans.shutil, "copytree", True, "tool/ is copied"),
                                     (plans.os, "fsync", True, "plan.json is written"),
                                     (plans, "write", True, "plan.json is there")):
        place = Place(folder / ("half-" + name), {}, SEEDS="1", ONLY="UML73")
        _killed_while(place, where, name, after)
        there = sorted(os.listdir(place.campaign))
        code, said = place.run()
        result("tool" not in there and "results" not in there and code == 0 and
               place.results() == ["UML73-1"],
               "kill -9 while %s: the same command goes on" % when, repr(there), *tail(said))
        result(not list(place.campaign.glob(".tool*")), "... and nothing half done stays")
    full = folder / "full"
    full.mkdir()

    def copies_half(_, there, **__):
        there.mkdir(parents=True)
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")])

    with mock.patch.object(plans.shutil, "copytree", copies_half):
        try:
            plans.make(_made(full))
            why = "nothing was said"
        except Problem as problem:
            why = problem.line
    result("cannot write there: [Errno 28] No space" in why and not os.listdir(full),
           "a full disk is said, and nothing stays", why, *os.listdir(full))


_TRACED = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from qemu import trace
class Outcome:
    end, files = "finished", {"trace.b64": sys.argv[2]}
class Values:
    jobs = 1
trace.judged(Outcome, Path(sys.argv[3]), Values)
"""


def traces(folder):
    """A job's trace is judged where there are no sources and no compiler."""
    made = _made(folder / "traced", variables={"TRACE": "1"})
    made.folder.mkdir()
    front = _front()
    values = mock.Mock(program=None, jobs=2)
    plans.make(made, lambda: front.judge_for(made, values))
    text = (REPO / "selftests/judge/traces/bad-X2-no-track.txt").read_bytes()
    empty = folder / "no-compiler"
    empty.mkdir()
    p = subprocess.run([sys.executable, "-B", "-c", _TRACED, made.folder / "tool/scripts",
                        base64.b64encode(gzip.compress(text)).decode(), made.folder],
                       env={"PATH": str(empty)}, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    judged = made.folder / "trace.judged"
    result(p.returncode == 0 and judged.exists() and "X2" in judged.read_text() and
           "trace: --- tdp-judge: FAILURE: X2" in p.stdout, "TRACE=: a job's trace is judged",
           *tail(p.stdout))
    none = _made(folder / "untraced")
    result(front.judge_for(none, values) is None, "... and without it nothing is built")


def hosts(folder):
    """On several hosts: what is a try, and why there was none."""
    place = Place(folder / "hosts", {"UML73+7.3-1": ["silent"], "UML73+7.3-2": ["silent", "ok"],
                                     "UML73+7.3-3": ["lost", "ok"]},
                  SEEDS="3", ONLY="UML73", KERNELS="7.3", TRIES="1").with_hosts()
    code, said = place.run(HOSTS="1/alice,1/bob")
    result(code == 3 and place.starts() == {"UML73+7.3-1": 1, "UML73+7.3-2": 1, "UML73+7.3-3": 2},
           "what dies is tried TRIES times on two hosts; a lost connection is no death",
           repr(place.starts()), *tail(said))
    deaths = place.data()["jobs"]["deaths"]
    result(deaths == 2 and place.results() == ["UML73+7.3-3"], "... and each death is counted",
           str(deaths), *place.results())
    code, said = place.run(HOSTS="1/gone")
    why = _why(place)
    result(code == 3 and "no answer: gone" in said and place.starts()["UML73+7.3-1"] == 1 and
           all("if it was started" in w for w in why.values()),
           "a job that was not started did not die of what it died of before", repr(why),
           *tail(said))
    code, said = place.run(HOSTS="1/carol")
    tries = {r["job"]: r["tries"] for r in place.data()["runs"]}
    result(place.starts()["UML73+7.3-2"] == 2 == tries.get("UML73+7.3-2"),
           "tries are counted over all hosts", repr(tries), *tail(said))
    result("exit code 1 without" in _why(place)["UML73+7.3-1"],
           "... and the last one's reason kept", repr(_why(place)))
    result("2 job(s) died, 5 times in all; done now: 1:" in
           (place.campaign / "campaign.txt").read_text() and "tried again" not in
           (place.campaign / "campaign.html").read_text(), "TRIES=1: nothing was tried again",
           *tail((place.campaign / "campaign.txt").read_text()))


def stressed(folder):
    """Rates are per second of stress, not per DURATION that was asked for."""
    (folder / "state").mkdir()
    (folder / "state/stress.state").write_text("running 3\n")
    guest = {"guest": {"end": "died", "vmx": "none", "cpu": "unknown"},
             "seconds": {"boot": 5.0, "guest": 12.0}}
    nothing = {"guest": {"end": "finished", "vmx": "unknown", "cpu": "unknown"},
               "seconds": {"boot": 5.0, "guest": 12.0}}
    for title, where, verdict, said, wanted in (
            ("the driver", "", "FAILURE", {"counters": {"driver": {"elapsed": 1.5}}}, 1.5),
            ("the workers in the kernel", "state", "FAILURE", {"found_after_seconds": 0.2}, 3),
            ("a guest that died of what was found", "", "FAILURE",
             dict(guest, found_after_seconds=2.5), 2.5),
            ("a guest that died", "", "FAILURE", guest, 7.0),
            ("modules that were not loaded", "", "FAILURE", nothing, 0),
            ("UNSUPPORTED", "", "UNSUPPORTED", guest, 0),
            ("another program", "", "SUCCESS", {}, 20)):
        one = jobs_.result(_made(folder).jobs[0], dict(said, verdict=verdict), 0, 33.0,
                           folder / where, 20)
        result(one["stressed"] == wanted, "seconds of stress: %s" % title, repr(one["stressed"]))
    made = _made(folder, seeds=4, duration=3600)
    (folder / "results").mkdir()
    for job, (verdict, seconds, calls) in zip(made.jobs, (
            ("FAILURE", 10, 100), ("SUCCESS", 30, 300), ("UNSUPPORTED", 0, 50),
            ("FAILURE", 0, 0))):
        one = jobs_.result(job, {"verdict": verdict}, 0, 1.0, folder, 3600)
        one.update(stressed=seconds, did={"operations": calls, "seamcalls": 2 * calls, "met": 4})
        made.result_path(job).write_text(json.dumps(one))
    merged = merge.Results(made)
    merged.look()
    said = merged.data({}, True)["scenarios"][0]
    got = [said[n] for n in ("stressed_seconds", "failures_per_hour", "operations_per_second",
                             "seamcalls_per_second", "met_per_second")]
    result(got == [40, 90, 10, 20, 0.2], "rates are those of the seconds of stress", repr(got))


class _Clock:
    """The time is what the test says."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def progress(folder):
    """What is said while jobs run, and how long it will take."""
    front, clock = _front(), _Clock()
    made = _made(folder / "progress", seeds=10)
    (folder / "progress/results").mkdir(parents=True)
    engine = mock.Mock(state=lambda: "2 pending")
    step = mock.Mock()

    def looks(title, words):
        # what is new is said as well
        with contextlib.redirect_stdout(io.StringIO()):
            one._look(step, engine)
        got = step.progress.call_args[0][0]
        result(got == words, "progress: " + title, "%s, wanted: %s" % (got, words))

    def comes(first, last, verdict="SUCCESS"):
        for job in made.jobs[first:last]:
            said = jobs_.result(job, {"verdict": verdict}, 0, 1.0, folder, 20)
            made.result_path(job).write_text(json.dumps(said))

    comes(0, 2)
    with mock.patch.object(front, "time", clock):
        one = front.Campaign(made, mock.Mock(tries=1))
        one.merged.look()
        one.done_before = 2
        one.paged = clock.now
        looks("before the first", "2 of 10 done, 2 pending, about 35 s per job")
        clock.now += 20
        comes(2, 6)
        # of eight jobs four took 20 s
        looks("as fast as those before", "6 of 10 done, 2 pending, about 20 s left")
        clock.now += 5
        looks("... and time goes on", "6 of 10 done, 2 pending, about 15 s left")
        clock.now += 20
        looks("slower than that", "6 of 10 done, 2 pending, longer than those before")
        comes(6, 9, "FAILURE")
        looks("failures", "9 of 10 done, 3 failed, 2 pending, about 6 s left")
        one.goal = 9
        looks("the rest was given up", "9 of 10 done, 3 failed, 2 pending")
        one.goal = 10
        comes(9, 10)
        looks("all are done", "10 of 10 done, 3 failed, 2 pending")


def kernels(folder):
    """Scenarios x seeds x kernels."""
    tree = folder / "my tree" / "linux"
    place = Place(folder / "kernels", {}, SEEDS="2", ONLY="UML73,EXT72,DEB73,UML73",
                  KERNELS="7.2," + str(tree).replace("my tree", "mine"))
    code, said = place.run()
    names = {re.sub(r"-[0-9a-f]{4}(?=-\d+$)", "-xxxx", n) for n in place.results()}
    result(code == 0 and names == {"UML73+7.2-1", "UML73+7.2-2", "DEB73+7.2-1", "DEB73+7.2-2",
                                   "UML73+linux-xxxx-1", "UML73+linux-xxxx-2"},
           "kernels: versions and trees", *sorted(names))
    result("without EXT72 on 7.2: it is about Linux 7.2" in said and
           re.search(r"without DEB73 on .*linux: it takes Debian's binary", said),
           "... and what does not go together is said", *tail(said, 20))


def signatures(folder):
    """By which runs belong together: those of make run, with all that a group needs."""
    line = _X2 % 7
    record = "tdp_stress: %s\ntdp_stress:   9 us ago: split begins gfn 0x7 (end 0x9) read\n" \
        "tdp_stress:   8 us ago by pid 21: zap_leafs begins gfn 0x7 (end 0x9) write\n" % line
    (folder / "dmesg").write_text(record)
    got = signature.of({"verdict": "FAILURE", "violation_lines": [line]}, folder)
    result(got == {"invariant": "X2", "function": "kvm_tdp_mmu_try_split_huge_pages",
                   "operations": ["recover", "zap_leafs"], "line": line},
           "a signature, with the line that says most", repr(got))
    (folder / "dmesg").unlink()
    one, two = (signature.of({"verdict": "FAILURE", "violation_lines": [_X2 % n]}, folder)
                for n in (1, 2))
    result(signature.key(one) == signature.key(two), "another place is the same failure")
    got = signature.of({"verdict": "FAILURE"}, folder)
    result(got["line"] and signature.title(got), "a summary that says nothing has one, too",
           repr(got))
    oracle = "".join(p.read_text() for p in (REPO / "tdp_stress/oracle").glob("*.[ch]"))
    names = set(re.findall(r'TDPS_OP_\w+(?:\] =|,) "(\w+)"', oracle)) - {"nothing"}
    result(names == set(FUNCTIONS), "every operation has its KVM function",
           repr(names ^ set(FUNCTIONS)))
    hooks = (REPO / "tdp_stress/kvm/hooks.c").read_text()
    listed = set(re.findall(r'^\t\{ "(\w+)", TDPS_OP_', hooks, re.M))
    result(len(listed) > 15 and listed <= set(FUNCTIONS.values()), "... as tdp_stress hooks it",
           repr(listed - set(FUNCTIONS.values())))


def spans():
    result([merge.span(s) for s in (5, 65, 3660, 90000)] ==
           ["5 s", "1 min 05 s", "1 h 01 min", "1 d 01 h"], "times in words")


def pages(folder):
    """Whatever a run says, it is text on the page."""
    place = Place(folder / "page", {"UML73-1": [
        "fails 1 " + _X2 % 1 + "<script>alert(1)</script>\"'&"]},
                  SEEDS="1", ONLY="UML73")
    place.run()
    text = page.html(place.data())
    result("<script>alert" not in text and "&lt;script&gt;alert" in text,
           "the page has what a run says as text")


def _with_rsync(part, folder):
    try:
        packages.have({"rsync": "rsync", "openssh-client": "ssh"})
    except Problem as problem:
        skip("campaigns on several hosts", str(problem))
        return
    part(folder)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        signatures(folder)
        spans()
        for part in (stressed, progress, traces):
            (folder / part.__name__).mkdir()
            part(folder / part.__name__)
        try:
            packages.have({"parallel": "parallel"})
        except Problem as problem:
            skip("campaigns", str(problem))
            plan()
            return
        bad_input(folder)
        once(folder)
        of_the_call(folder)
        half_made(folder)
        _with_rsync(hosts, folder)
        kernels(folder)
        logic(folder)
        pages(folder)
        killed(folder, "kill -9 of make campaign", lambda place, p: p.kill())
        killed(folder, "kill -9 of GNU parallel and make campaign", _kill_parallel)
        killed(folder, "Ctrl-C", lambda place, p: p.send_signal(signal.SIGINT))
    plan()


if __name__ == "__main__":
    main()
