# SPDX-License-Identifier: GPL-2.0
"""Campaigns over ssh and by Slurm, while hosts and daemons are killed.

An sshd and a Slurm of this test's own (farm.py), and jobs that boot nothing
(fake_jobs.py). Knows the promises of Documentation/campaign.rst.

  campaign_hosts.py           with what is installed; the rest is skipped
  campaign_hosts.py --full    what is missing is got and unpacked; what cannot be is a failure

Prints TAP.
"""

import os
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

import farm
from fake_jobs import Place, tail
from said import plan, result, skip
from common.say import Problem

#: nothing is skipped
_FULL = "--full" in sys.argv[1:]
#: of the array that has to survive
_JOBS = 50


def _cannot(what, *why):
    """@what is not tested here."""
    if _FULL:
        result(False, what, *why)
    else:
        skip(what, why[0])


def _sessions(sshd):
    """Process ids of connections to @sshd."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if re.search(r"^Name:\s+sshd", text, re.M) and \
                re.search(r"^PPid:\s+%d$" % sshd.daemon.process.pid, text, re.M):
            found.append(int(path.parent.name))
    return found


def _wait_for_some(place, process, count):
    return farm.wait_for(lambda: len(place.results()) >= count or process.poll() is not None,
                         300)


def _complete(title, place, code, said, count):
    """Every job has one result, and the merged numbers say so."""
    data = place.data()
    result(code == 0 and len(place.results()) == count and
           data["jobs"]["success"] == count == len({r["job"] for r in data["runs"]}),
           "%s: %d results of %d jobs" % (title, len(place.results()), count), str(code),
           *tail(said))


def _left_at_home():
    return [p for p in Path.home().glob("tdp_stress-campaign-*")]


def over_ssh(folder):
    sshd = farm.Sshd(folder / "sshd")
    before = _left_at_home()
    try:
        if not sshd.start():
            _cannot("campaigns over ssh", "no sshd of one's own can be started here: %s" %
                    (tail((folder / "sshd/log").read_text(), 1) or ["it says nothing"])[0])
            return
        os.environ.update(sshd.environment())
        place = Place(folder / "two", {"UML73-2": ["killed", "ok"]}, SEEDS="6",
                      HOSTS="2/alice,1/bob")
        code, said = place.run()
        _complete("two hosts", place, code, said, 12)
        hosts = {line.split("\t")[1] for line in
                 (place.campaign / "log/round-1.joblog").read_text().splitlines()[1:]}
        result(hosts == {"alice", "bob"}, "two hosts: both have worked", repr(hosts))
        kept = place.campaign / "tries/UML73-1"
        result(kept.is_dir() and list(kept.glob("*/summary.json")), "two hosts: files are brought",
               repr(kept))
        result(_left_at_home() == before, "two hosts: nothing is left on them")
        host_gone(folder, sshd)
        nobody(folder)
    finally:
        sshd.stop()
        os.environ.pop("PARALLEL_SSH", None)


def host_gone(folder, sshd):
    """Every connection is cut, and nobody answers for a while."""
    place = Place(folder / "gone", {}, SEEDS="8", DURATION="20", HOSTS="2/alice,1/:", TRIES="5")
    process = place.begin()
    _wait_for_some(place, process, 3)
    cut = _sessions(sshd)
    sshd.daemon.kill()
    for pid in cut:
        os.kill(pid, signal.SIGKILL)
    there = place.results()
    time.sleep(3)
    sshd.daemon.start()
    said, _ = process.communicate(timeout=600)
    result(cut and len(there) < 16, "a host is gone in the middle", "%d connections, %d results" %
           (len(cut), len(there)))
    _complete("a host is gone", place, process.returncode, said, 16)
    starts = place.starts()
    result(all(starts[j] == 1 for j in there), "a host is gone: what was done is not run again",
           repr(starts))


def nobody(folder):
    """No host answers: said, and no job is lost."""
    place = Place(folder / "nobody", {}, SEEDS="1", ONLY="UML73", HOSTS="nowhere.invalid",
                  TRIES="1")
    code, said = place.run()
    result(code == 3 and "nowhere.invalid" in said and not place.starts(),
           "no host answers: exit code 3, and it is named", str(code), *tail(said))
    code, said = place.run(HOSTS="1/:")
    _complete("no host answers: the same campaign elsewhere", place, code, said, 1)


def by_slurm(folder):
    """Its node daemon is killed with all that it has started, and make campaign, too."""
    slurm = farm.Slurm(folder / "slurm", 4, 4000)
    try:
        if not slurm.start():
            _cannot("campaigns by Slurm", "no Slurm of one's own can be started here: node %s, %s" %
                    (slurm.node_state(), (tail((folder / "slurm/slurmctld.out").read_text(), 1) or
                                          ["slurmctld says nothing"])[0]))
            return
        os.environ.update(slurm.environment())
        _node_killed(folder, slurm)
        _all_killed(folder, slurm)
    finally:
        slurm.stop()
        os.environ.pop("SLURM_CONF", None)


def _node_killed(folder, slurm):
    # farm.py's only partition
    place = Place(folder / "node", {}, SEEDS=str(_JOBS // 2), DURATION="20", HOSTS="20/slurm",
                  SLURM="--partition=test")
    process = place.begin()
    _wait_for_some(place, process, _JOBS // 5)
    there = place.results()
    slurm.node.kill()
    time.sleep(3)
    slurm.node.start()
    said, _ = process.communicate(timeout=900)
    result(0 < len(there) < _JOBS, "slurmd is killed in the middle of an array of %d" % _JOBS,
           "%d results" % len(there))
    _complete("slurmd is killed", place, process.returncode, said, _JOBS)
    starts = place.starts()
    result(all(starts[j] == 1 for j in there), "slurmd is killed: what was done is not run again",
           repr(starts))
    result("Slurm array" in said, "slurmd is killed: it is an array", *tail(said))


def _all_killed(folder, slurm):
    """As if the node had lost its power, and who waits for it, too."""
    place = Place(folder / "power", {}, SEEDS=str(_JOBS // 2), DURATION="20", HOSTS="slurm",
                  TRIES="5")
    process = place.begin()
    _wait_for_some(place, process, _JOBS // 5)
    process.kill()
    process.communicate()
    # some have just ended, and none are there for a moment
    farm.wait_for(slurm.children, 30)
    slurm.node.kill()
    keepers = slurm.children()
    for pid in keepers:
        os.kill(pid, signal.SIGKILL)
    there = place.results()
    slurm.node.start()
    code, said = place.run()
    result(keepers and len(there) < _JOBS, "slurmd, its jobs and make campaign are killed",
           "%d jobs ran, %d results" % (len(keepers), len(there)))
    _complete("slurmd and its jobs are killed", place, code, said, _JOBS)
    starts = place.starts()
    result(all(starts[j] == 1 for j in there) and max(starts.values()) <= 5,
           "slurmd and its jobs are killed: what was done is not run again", repr(starts))
    again = place.begin(SEEDS="500", CAMPAIGN=str(place.folder / "stopped"))
    farm.wait_for(lambda: "tdp_stres" in slurm.ask("squeue"))
    again.send_signal(signal.SIGINT)
    again.communicate()
    result(farm.wait_for(lambda: not slurm.ask("squeue", "--noheader").strip()),
           "Ctrl-C takes the array from Slurm", slurm.ask("squeue"))


def _missing(what, packages):
    """Whether packages are missing, which is said."""
    try:
        if _FULL:
            farm.have(packages)
    except Problem as problem:
        _cannot(what, problem.line, *problem.more)
        return True
    missing = farm.missing(packages)
    if missing:
        _cannot(what, "missing packages: %s (not installed here: that would start their daemons; "
                "--full unpacks them)" % " ".join(missing))
    return bool(missing)


def main():
    if sys.argv[1:] not in ([], ["--full"]):
        print("usage: campaign_hosts.py [--full]")
        return 2
    for what, function, packages in (("campaigns over ssh", over_ssh, farm.SSH),
                                     ("campaigns by Slurm", by_slurm, farm.SLURM)):
        if _missing(what, packages):
            continue
        # ssh and munge look at who may write to the folders above
        with tempfile.TemporaryDirectory(prefix="tdp_stress-") as folder:
            os.chmod(folder, 0o755)
            function(Path(folder))
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
