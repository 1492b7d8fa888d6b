# SPDX-License-Identifier: GPL-2.0
"""One run of a recipe, and what came of it: the same failure, another, or none.

Knows the front doors, their exit codes and summary.json; must not know why somebody
wants to know.
"""

import json
import re
import shutil
import sys
import time

from common import cache, command, signature
from common.say import (EXIT_BUILD, EXIT_CONFIG, EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS,
                        EXIT_USAGE, Problem, Step)

SAME, OTHER, NONE, NOT_RUN = "same", "other", "none", "not run"
#: seconds beside DURATION=; a machine that is busy, a first kernel that is built
_BESIDE, _BUILD = 1800, 7200
#: files of a run that take room, and can be made again
_LARGE = ("bzImage", "initrd", "linux", "modules", "results", "machine.log")


class Result:
    """What came of a run: @word, why, and its signatures, the first sign first."""

    def __init__(self, word, why="", data=None):
        self.word = word
        self.why = why
        self.data = data or {}
        self.signatures = [signature.of_data(s) for s in self.data.get("signatures") or []]
        self.seconds = 0.0

    def text(self):
        return {SAME: "the same: %s" % self.why, OTHER: "another one: %s" % self.why,
                NONE: "no failure", NOT_RUN: "not run: %s" % self.why}[self.word]


class Trials:
    """Runs recipes of one door in folders below @folder.

    @level: how far signatures are compared; @program: instead of the door's script
    (PROGRAM=); @kit: where all runs take their kernel from.
    """

    def __init__(self, recipe, folder, level="function", program=None, jobs=1):
        self.recipe = recipe
        self.folder = folder
        self.level = level
        self.program = program
        self.jobs = jobs
        self.kit = None
        self.count = 0
        self.last_failure = None    # summary.json of the last run that tripped
        self._last_kept = None      # its folder

    def _argv(self, door, variables):
        argv = ["env"] + ["%s=%s" % pair for pair in sorted(variables.items())]
        if self.program:
            return argv + [self.program]
        return argv + [sys.executable, "-B", cache.REPO / "scripts" / (door + ".py")]

    def _call(self, door, log, variables, title, timeout):
        """The exit code of a front door; its last line is the progress."""
        last = [""]
        step = Step(title, loud=False)

        def on_line(line):
            last[0] = line.strip()[:60] or last[0]

        log.write_text("")
        return command.logged(self._argv(door, variables), log, on_line,
                              lambda: step.progress(last[0] or "running"), timeout)

    def build(self):
        """One kernel for all runs of this recipe: what changes in between does not matter."""
        if self.recipe.door != "run" or self.program:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        folder, log = self.folder / "kit", self.folder / "build.log"
        code = self._call("prepare", log, dict(self.recipe.variables, KIT=folder,
                                               JOBS=self.jobs), "build", _BUILD)
        if code == -1:
            raise Problem(EXIT_BUILD, "not built within %d s; log: %s" % (_BUILD, log))
        if code:
            raise _failed(code, log)
        self.kit = folder

    def drop_kit(self):
        if self.kit:
            shutil.rmtree(self.kit, ignore_errors=True)

    def run(self, variables, title, keep=True):
        """One run with @variables; a Result. Not @keep: its files stay only if another
        failure was seen, or until the next one that trips.
        """
        self.count += 1
        folder = self.folder / ("try-%03d" % self.count)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        said = dict(self.recipe.environment, **variables)
        said["RUNDIR"] = folder
        if self.recipe.door == "run":
            said["STOP_EARLY"] = 1
            said["LINES"] = 0
        if self.kit:
            said["KIT"] = self.kit
        else:
            said["JOBS"] = self.jobs
        seconds = int(variables.get("DURATION", 60))
        start = time.monotonic()
        code = self._call(self.recipe.door, folder / "log", said, title,
                          seconds + _BESIDE + (0 if self.kit else _BUILD))
        result = self._judge(code, folder)
        result.seconds = time.monotonic() - start
        if result.word == SAME:
            self.last_failure = result.data
            if self._last_kept and not keep:
                shutil.rmtree(self._last_kept, ignore_errors=True)
            self._last_kept = folder
        _tidy(folder, keep or result.word in (SAME, OTHER))
        return result

    def _is_enough(self, few):
        """Few operations do not give cause for every check: whether a run without these says that
        nothing is there.
        """
        if self.recipe.expect:
            return True
        return self.recipe.checks is not None and self.recipe.checks not in few

    def _judge(self, code, folder):
        log = folder / "log"
        if code == 130:
            raise KeyboardInterrupt
        if code == -1:
            return Result(NOT_RUN, "it did not end in time; log: %s" % log)
        if code == EXIT_ENVIRONMENT:
            few = _never_checked(folder)
            return Result(NONE) if few and self._is_enough(few) else Result(NOT_RUN, _last(log))
        if code not in (EXIT_PASS, EXIT_FAILURE):
            raise _failed(code, log)
        if code == EXIT_PASS:
            return Result(NONE)
        data = _summary(folder, "FAILURE")
        if not data.get("signatures"):
            return Result(NOT_RUN, "it left no summary.json with signatures; log: %s" % log)
        result = Result(OTHER, "", data)
        result.why = str(result.signatures[0])
        for found in result.signatures:
            if self.recipe.expect and found.like(self.recipe.expect, self.level):
                result.word, result.why = SAME, str(found)
                break
        return result


def _never_checked(folder):
    """Names of the checks that a run has not made, if that is all that it lacks."""
    m = re.fullmatch("never checked: ([^;]*)", str(_summary(folder, "UNSUPPORTED").get("reason")))
    return re.sub(r"\([^)]*\)", "", m.group(1)).split() if m else []


def _summary(folder, verdict):
    """Of a run in @folder that ended with @verdict; make kselftest and kunit make a folder
    for it in there.
    """
    for path in [folder / "summary.json"] + sorted(folder.glob("*/summary.json")):
        try:
            data = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(data, dict) and data.get("verdict") == verdict:
            return data
    return {}


def _last(log):
    lines = [line.strip() for line in command.tail(log, 20).splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("tdp_stress: ", "--- End of test: "))]
    return (said or lines or ["it said nothing; log: %s" % log])[-1]


def _failed(code, log):
    """What a front door refused or could not do is said as its own."""
    line = _last(log)
    if line.startswith("tdp_stress: "):
        line = line[len("tdp_stress: "):]
    known = code in (EXIT_USAGE, EXIT_BUILD, EXIT_CONFIG, EXIT_ENVIRONMENT)
    return Problem(code if known else EXIT_ENVIRONMENT, "%s (log: %s)" % (
        line if known else "exit code %d of a script: %s" % (code, line), log))


def _tidy(folder, keep):
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for name in _LARGE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
