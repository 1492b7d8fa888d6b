# SPDX-License-Identifier: GPL-2.0
"""Campaigns: jobs that die, hang and fail; a stop at any time; what is made of results.

The jobs are those of a program of this test (PROGRAM=), so that none boots anything.
Prints TAP. Knows the promises of Documentation/campaign.rst, and the files there.
"""

import concurrent.futures
import html.parser
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from campaign import merge, page, signature                 # noqa: E402
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
    made = plans.Plan(place.campaign, {
        "format": 1, "seed": 1, "seeds": 1, "duration": 20, "limit": None, "variables": {},
        "program": place.variables["PROGRAM"], "id": "x", "made": 0, "revision": "x",
        "kits": [{"name": "UML73", "scenario": "UML73", "about": "", "kernel": "",
                  "variables": {"SCENARIO": "UML73"}}]})
    place.campaign.mkdir()
    plans.make(made)
    argv = ["sh", place.campaign / "tool/scripts/python.sh", "campaign", "job", place.campaign,
            "UML73-1"]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [p.communicate()[0] for p in both]
    result([p.returncode for p in both] == [0, 0] and place.starts() == {"UML73-1": 2} and
           sum("somebody else" in s for s in said) == 1 and place.results() == ["UML73-1"],
           "a job that runs twice at a time has one result", *said)


def kernels(folder):
    """Scenarios x seeds x kernels."""
    tree = folder / "my tree" / "linux"
    place = Place(folder / "kernels", {}, SEEDS="2", ONLY="UML73,EXT72,DEB73",
                  KERNELS="7.2," + str(tree).replace("my tree", "mine"))
    code, said = place.run()
    names = {re.sub(r"-[0-9a-f]{4}(?=-\d+$)", "-xxxx", n) for n in place.results()}
    result(code == 0 and names == {"UML73@7.2-1", "UML73@7.2-2", "DEB73@7.2-1", "DEB73@7.2-2",
                                   "UML73@linux-xxxx-1", "UML73@linux-xxxx-2"},
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


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        signatures(folder)
        spans()
        try:
            packages.have({"parallel": "parallel"})
        except Problem as problem:
            skip("campaigns", str(problem))
            plan()
            return
        bad_input(folder)
        once(folder)
        kernels(folder)
        logic(folder)
        pages(folder)
        killed(folder, "kill -9 of make campaign", lambda place, p: p.kill())
        killed(folder, "kill -9 of GNU parallel and make campaign", _kill_parallel)
        killed(folder, "Ctrl-C", lambda place, p: p.send_signal(signal.SIGINT))
    plan()


if __name__ == "__main__":
    main()
