# SPDX-License-Identifier: GPL-2.0
"""make matrix: scenario after scenario, a line for each, and what it came to.

Each scenario is a make run of its own, so that one that cannot be configured, built
or booted does not end the others. Knows scenarios and exit codes; must not know what
is run. AGAIN=FOLDER boots the guests of an earlier matrix again, without a build.
"""

import json
import time
from pathlib import Path

from common import command, packages, versions
from common.say import (EXIT_BUILD, EXIT_CONFIG, EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS,
                        EXIT_USAGE, Step, main, say, usage)
from common.settings import Values, matches
from qemu import again, judge, session, watch

#: what a run's exit code means, and how bad that is
_WORDS = {
    EXIT_PASS: "SUCCESS", EXIT_FAILURE: "FAILURE", EXIT_USAGE: "BAD USAGE",
    EXIT_ENVIRONMENT: "NOT RUN", EXIT_BUILD: "BUILD FAILED", EXIT_CONFIG: "CONFIG FAILED",
}
_WORST_FIRST = (EXIT_FAILURE, EXIT_BUILD, EXIT_CONFIG, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_PASS)
_SECONDS = 20
#: seconds, as for a first run; a guest that takes longer hangs
_LIMITS = {"boot": 90, "silence": 60, "grace": 200, "power_off": 20}


class Line:
    """What came of a scenario."""

    def __init__(self, name, code, seconds, folder, said=""):
        self.name = name
        self.code = code
        self.seconds = seconds
        self.folder = folder
        self.said = said
        self.data = {}
        try:
            self.data = json.loads((folder / "summary.json").read_text())
        except (OSError, ValueError):
            pass

    @property
    def word(self):
        word = self.data.get("verdict") if self.code in (EXIT_PASS, EXIT_FAILURE,
                                                         EXIT_ENVIRONMENT) else None
        return word or _WORDS.get(self.code, "exit code %d" % self.code)

    def text(self):
        d = self.data
        figures = ["%.0f s" % self.seconds]
        seconds = d.get("seconds", {})
        if "prepare" in seconds:
            figures.append("prepared in %.0f s" % seconds["prepare"])
        if self.code:
            figures.append(d.get("reason") or self.said or "see %s" % (self.folder / "log"))
        return "%-14s %-13s %s" % (self.name, self.word, ", ".join(figures))


def _last_said(log):
    """The line that says why it ended, of a run that did not get to its verdict."""
    said = [line for line in command.tail(log, 40).splitlines()
            if line.startswith("tdp_stress: ")]
    return said[-1][len("tdp_stress: "):] if said else ""


def _run(values, one, folder):
    folder.mkdir()
    log = folder / "log"
    step = Step("%s (%s)" % (one.name, one.about))
    variables = dict(values.said(), SCENARIO=one.name, RUNDIR=folder, SEED=values.seed,
                     DURATION=values.duration)
    # what is said wins over the scenario, which has a version of its own
    variables.pop("KVER", None)
    code = command.script("run", log, variables, step)
    line = Line(one.name, code, step.done(_WORDS.get(code, "exit code %d" % code)), folder,
                _last_said(log))
    return line


def _again(folder):
    """The guest of an earlier run once more; the kernel, the modules, the seed are as they were."""
    step = Step("%s, again" % folder.name)
    start = time.monotonic()
    data = json.loads((folder / "summary.json").read_text())
    seconds = data["parameters"]["duration"] + _LIMITS["grace"]
    outcome = again.boot(folder, watch.Limits(_LIMITS["boot"], _LIMITS["silence"], seconds,
                                              _LIMITS["power_off"]),
                         lambda text: step.progress(text[:60]))
    verdict = judge.judge(outcome)
    step.done(verdict.word)
    line = Line(folder.name, verdict.exit_code, time.monotonic() - start, folder)
    line.data = {"verdict": verdict.word, "reason": verdict.reason}
    return line


def _again_all(values):
    base = Path(values.again)
    folders = sorted(f for f in base.iterdir() if again.can(f)) if base.is_dir() else []
    if not folders:
        raise usage("AGAIN=%s: must be the folder of an earlier make matrix, with the guests "
                    "it has run" % values.again)
    return [_again(folder) for folder in folders if matches(values.only, folder.name)]


def _first_run_all(values):
    chosen = values.scenarios()
    if values.ksrc:
        # a tree has one version: what is about another of Debian's says nothing about it
        left_out = [s for s in chosen if s.variables.get("KVER") != versions.NEWEST or
                    "KERNEL" in s.variables]
        chosen = [s for s in chosen if s not in left_out]
        say("  KSRC=%s: without %s" % (values.ksrc, ", ".join(s.name for s in left_out)))
    base = session.new_folder(values, "matrix-")
    lines = []
    began = time.monotonic()
    for number, one in enumerate(chosen):
        if number:
            left = (time.monotonic() - began) / number * (len(chosen) - number)
            say("  %d of %d, about %.0f min left" % (number, len(chosen), left / 60))
        lines.append(_run(values, one, base / one.name))
        say("  " + lines[-1].text())
    say("  files: %s (again, without a build: make matrix AGAIN=%s)" % (base, base))
    return lines


def matrix():
    values = Values()
    if "DURATION" not in values.given:
        values.duration = _SECONDS
    packages.need(mutants=True, binary=True)
    say("tdp_stress: matrix, %d s each, SEED=%d" % (values.duration, values.seed))
    lines = _again_all(values) if values.again else _first_run_all(values)
    say()
    for line in lines:
        say(line.text())
    for code in _WORST_FIRST:
        if any(line.code == code for line in lines):
            return code
    return EXIT_FAILURE


if __name__ == "__main__":
    main(matrix)
