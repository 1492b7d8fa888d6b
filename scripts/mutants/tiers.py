# SPDX-License-Identifier: GPL-2.0
"""Who looks for a planted bug: each tier is one of the front doors.

Each is a process of its own with its own folder and log, so that what it says can
be repeated by the command at the head of the log, and several run side by side.
Knows the doors, their variables and summaries; must not know what is made of it.
"""

import json
import re
import shutil
import threading

from common import command
from common.say import (EXIT_BUILD, EXIT_CONFIG, EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS,
                        EXIT_USAGE, lacking, usage)

#: what a tier says of a mutant
CAUGHT, CLEAN, NOT_BUILT, NOT_RUN = "caught", "clean", "not built", "not run"

#: variables of the user that the doors get as they are
FORWARDED = ("SEED", "JOBS", "KVER", "KSRC", "FORCE", "QEMU", "ACCEL")
#: seconds that a door takes beside the stress: builds, boots, a machine that is busy
_BESIDE = {"kunit": 1500, "uml": 900, "tdx": 1800, "external": 1800, "kselftest": 3000}
_IN_UML = ("kunit", "uml")
#: programs that are about a class of bugs; any: of every class
_PROGRAMS = {
    "any": ("mirror_map_zap", "private_shared_conversion"),
    "boundary": ("huge_split_promote", "memslot_race"),
    "dirty": ("dirty_log_split",),
    "external": ("busy_injection",),
    "flush": ("mmu_notifier",),
    "freeze": ("frozen_window",),
    "leak": ("multi_td", "teardown"),
    "level": ("huge_split_promote", "dirty_log_split"),
    "list": ("nx_recovery", "tdp_fail_nth"),
    "lock": ("teardown",),
    "race-recheck": ("prefault_race", "memslot_race", "nx_recovery"),
    "rcu": ("nx_recovery", "teardown"),
    "refcount": ("td_lifecycle", "teardown"),
    "restore": ("busy_injection",),
    "retry": ("busy_injection", "prefault_race", "memslot_race", "teardown"),
    "root": ("mmu_notifier", "memslot_race"),
    "stat": ("huge_split_promote",),
}


def applies(tier, change):
    """Whether @tier can show @change at all."""
    if change.in_tdx:
        return tier in ("tdx", "kselftest")
    if change.base:
        return tier in ("kunit", "uml", "external")
    return True


def _failed_cases(summary):
    """Names of the cases that failed; those that only did not come to an end, if none did."""
    for status in ("failed", "crashed"):
        names = ["%s.%s" % (c["suite"], c["case"]) for c in summary["cases"]
                 if c["status"] == status]
        if names:
            return list(dict.fromkeys(names))
    return [text for _, text in summary["splats"]][:3]


def not_run(why, log=""):
    """What a tier says that could not be asked."""
    return {"word": NOT_RUN, "by": [], "seconds": None, "why": why, "log": str(log)}


class Runner:
    """Calls the doors; several threads may use it."""

    def __init__(self, values, folder, tiers):
        self.values = values
        self.folder = folder
        self.tiers = tiers
        self.stop = False
        # one machine at a time: each has several CPUs of its own
        self.qemu = threading.Lock()

    def unchanged(self, tier, name):
        """All that @tier does, with nothing planted; @name: of its folder."""
        if tier == "kselftest":
            return self._kselftests(None, name)
        return self._door(tier, None, name, {})

    def case_fails(self, case, name):
        """Whether one case of KUnit fails by itself; None: it did not run."""
        word = self._door("kunit", None, name, {"FILTER": case})["word"]
        return word == CAUGHT if word in (CAUGHT, CLEAN) else None

    def missing(self, change, known):
        """Tiers that still have to be asked, in their order, with what is @known."""
        for tier in self.tiers:
            word = known.get(tier, {}).get("word")
            if word == CAUGHT:
                return
            if applies(tier, change) and word != CLEAN:
                yield tier

    def mutant(self, change, known):
        """Each tier in turn until one reports something: {tier: what it said}."""
        found = dict(known)
        for tier in list(self.missing(change, known)):
            found[tier] = self._tier(tier, change)
            if found[tier]["word"] in (CAUGHT, NOT_BUILT):
                break
        return found

    def _tier(self, tier, change):
        if tier == "kselftest":
            return self._kselftests(change, change.id)
        if tier == "kunit":
            # the case that is there for it, then all of them
            for case in change.case:
                said = self._door(tier, change, change.id, {"FILTER": case})
                if said["word"] != CLEAN:
                    return said
        return self._door(tier, change, change.id, {})

    def _kselftests(self, change, name):
        kind = change.kind if change else "any"
        backends = ["tdx"] if change and change.in_tdx else \
            ["external"] if change and change.base else ["external", "tdx"]
        said = None
        for backend in backends:
            for program in dict.fromkeys(_PROGRAMS.get(kind, ()) + _PROGRAMS["any"]):
                said = self._door("kselftest", change, name, {"BACKEND": backend,
                                                              "FILTER": program})
                if said["word"] != CLEAN:
                    return said
        return said

    def _door(self, tier, change, name, more):
        if tier in _IN_UML:
            return self._call(tier, change, name, more)
        with self.qemu:
            return self._call(tier, change, name, more)

    def _call(self, tier, change, name, more):
        """One call of a door; what it said, as a dictionary."""
        v = self.values
        folder = self.folder / name / "-".join([tier] + [more[k].replace("*", "")
                                                         for k in sorted(more)])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        env = {name: getattr(v, name.lower()) for name in FORWARDED}
        env.update(RUNDIR=folder, DURATION=v.time, MUTANT=change.id if change else "",
                   FORCE=int(v.force))
        if tier == "uml":
            env.update(WHERE="uml", ACCEL="", QEMU="")
        elif tier == "kunit":
            env.update(WHERE="uml", ACCEL="", QEMU="", DURATION="")
        elif tier != "kselftest":
            env.update(BACKEND=tier, LINES=0)
        env.update(more)
        door = {"kunit": "kunit", "kselftest": "kselftest"}.get(tier, "run")
        env = {k: str(value) for k, value in env.items() if value not in (None, "")}
        code = command.script(door, folder / "log", env, tick=self._tick,
                              timeout=_BESIDE[tier] + v.time)
        return self._read(tier, folder, code)

    def _tick(self):
        if self.stop:
            raise KeyboardInterrupt

    def _read(self, tier, folder, code):
        log = folder / "log"
        said = not_run("", log)
        last = (command.tail(log, 5).splitlines() or [""])[-1]
        if code == EXIT_USAGE:
            raise usage("%s: %s" % (log, last))
        if code == 130:
            raise KeyboardInterrupt
        if code in (EXIT_BUILD, EXIT_CONFIG):
            said.update(word=NOT_BUILT, why=last)
        elif code == EXIT_ENVIRONMENT or code == -1:
            said.update(why=last if code != -1 else "not finished in time on this machine")
        elif code not in (EXIT_PASS, EXIT_FAILURE):
            raise lacking("%s: exit code %d of a script" % (log, code))
        else:
            said["word"] = CAUGHT if code == EXIT_FAILURE else CLEAN
            self._details(tier, folder, said)
        return said

    def _details(self, tier, folder, said):
        """Under which name, after how long."""
        path = {"kunit": folder / "kunit/summary.json"}.get(tier, folder / "summary.json")
        if tier == "kselftest":
            said["by"] = re.findall(r"^# failed: (.*?)(?: \(BACKEND.*)?$",
                                    (folder / "log").read_text(errors="replace"), re.M)
            return
        summary = json.loads(path.read_text())
        if tier == "kunit":
            said["by"] = _failed_cases(summary)
            said["seconds"] = summary["timings"]["run"]
        else:
            # a guest that died has said what led to it
            said["by"] = sorted(summary["violations"] or
                                {l.partition(":")[0] for l in summary.get("violation_lines", ())})
            said["why"] = summary["reason"]
            said["seconds"] = summary["found_after_seconds"]
            if said["word"] == CAUGHT and not said["by"]:
                said["by"] = ["SPLAT"] if "kernel message" in said["why"] else ["end of the run"]
