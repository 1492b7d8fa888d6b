# SPDX-License-Identifier: GPL-2.0
"""make minimise: a run that failed becomes the smallest one that fails in the same way.

RUN= is the folder of a make run that failed, or a file of an earlier make minimise.
What is left is a file of a few lines, which make replay runs and scripts/regressions/
can keep. TIME= is the budget in seconds; RESUME=1 goes on with a search that was ended.
Exit codes: 0 the file is there, 6 the failure did not come again. Knows what is asked
and what is said; steps and search are in reproduce/.
"""

import re
import shlex
import time
from pathlib import Path

from common import cache, repeat, settings, signature
from common.say import EXIT_NOT_SEEN, EXIT_PASS, Problem, main, say, usage
from mutants import mutant
from reproduce import again, recipe as recipes, search as searches, steps, trial

_SECONDS = 600
#: runs of what is left, to say how often it trips
_CONFIRM = 5
_NOT_SEEN = "%s: the failure (%s) did not come again in %d runs: %s"


def _folder(values, recipe):
    if values.rundir:
        folder = Path(values.rundir).expanduser().absolute()
    elif recipe.source.is_dir():
        folder = recipe.source / "minimise"
    else:
        folder = cache.REPO / "run" / ("minimise-" + recipe.name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise usage("RUNDIR=%s: cannot write there: %s" % (folder, e.strerror)) from e
    return folder


def _check(recipe):
    """What cannot be made smaller."""
    if recipe.door != "run":
        raise usage("RUN=%s: is of make %s, where one case is as small as it gets: %s" % (
            recipe.source, recipe.door, again.command(recipe)))
    if not recipe.expect:
        raise usage("RUN=%s: expects nothing, so there is nothing to keep" % recipe.source)


def _name(recipe):
    """What the file is called."""
    planted = recipe.variables.get("MUTANT") or recipe.variables.get("VARIANT")
    words = [planted] if planted else [recipe.expect.invariant, recipe.expect.function]
    where = "uml" if recipe.variables.get("WHERE") == "uml" else \
        recipe.variables.get("BACKEND", "tdx" if not recipe.variables.get("VARIANT") else "")
    words.append(where)
    return "-".join(re.sub(r"[^a-z0-9]+", "-", w.lower()).strip("-") for w in words if w)


def _about(recipe):
    """Lines of comment: what it is, and how it was found."""
    planted = recipe.variables.get("MUTANT")
    lines = ["planted: %s" % mutant.find(planted).title] if planted else []
    said = recipe.data.get("violation_lines") or []
    if said:
        lines.append("said: %s" % re.sub(r"/\d+ \(", " (", said[0]))
    lines += [line for line in recipe.about if line.startswith(("said: ", "found: "))]
    if recipe.data:
        versions = recipe.data.get("versions", {})
        lines.append("found: %s (Linux %s, %s)" % (again.command(recipe), versions.get("kernel"),
                                                   versions.get("kernel_config")))
    return list(dict.fromkeys(lines))


def _journal(recipe, values, folder):
    """What is known from before, if it is wanted; and what becomes of it."""
    path = folder / "state.json"
    journal = searches.Journal(path, {"variables": recipe.variables, "expect": str(recipe.expect),
                                      "LIKE": values.like}, values.resume)
    if journal.wrong:
        raise usage("RESUME=1: %s %s; say all that was said there, or leave out RESUME=1" % (
            path, journal.wrong))
    if journal.runs:
        say("  %d runs are known from before" % len(journal.runs))
    if journal.replaces:
        say("  an earlier search was here (RESUME=1 goes on): its runs are kept as %s" %
            journal.replaces)
    return journal


class Minimise:
    """One search with its files; @said: the user's variables."""

    def __init__(self, recipe, values, said):
        self.recipe = recipe
        self.said = said
        self.folder = _folder(values, recipe)
        self.file = self.folder / _name(recipe)
        self.trials = trial.Trials(recipe, self.folder / "tries", values.like, values.program,
                                   values.jobs)
        journal = _journal(recipe, values, self.folder)
        self.search = searches.Search(
            recipe.variables, self._run, values.time if "TIME" in values.given else _SECONDS,
            journal, self._on_step)
        self.backend = values.backend
        self.tries = values.tries
        self.said_like = "LIKE" in values.given
        self.begun = None           # without the build
        self.kept = 0

    def _run(self, variables, title):
        return self.trials.run(variables, title, keep=False)

    def _on_step(self, search, title, kept):
        hits, tries = search.count() if kept else (0, 0)
        self.kept += kept
        say("  %-34s %s; %d runs%s" % (
            title, "kept (%d of %d)" % (hits, tries) if kept else "needed", search.made,
            self._what_is_left()))
        if kept:
            self._write(hits, tries)

    def _what_is_left(self):
        more = self.search.runs_left()
        return ", %s left%s" % (steps.minutes(self.search.left()),
                                "" if more is None else ": about %d runs" % more)

    def _write(self, hits, tries):
        about = _about(self.recipe) + ["minimised in %s by %d runs; tripped in %d of %d" % (
            steps.minutes(time.monotonic() - self.begun), len(self.search.journal.runs), hits,
            tries)]
        recipes.write(self.file, about, self.recipe.expect,
                      searches.tries_to_see(hits, tries), self.search.current,
                      signature.ANY if self.trials.level == signature.ANY else None)

    def measure(self):
        """The recipe as it is: how often does it trip?"""
        self.begun = time.monotonic()
        if self.search.journal.facts.get("like"):
            self.trials.level = signature.ANY
        hits, tries = self.search.measure(self.tries, "as it was", not self.said_like)
        if self.search.others() and not self.said_like:
            say("  %d of %d tripped something else: one bug, as a rule, that shows itself in many "
                "ways; any failure counts (LIKE=function: none but that one)" % (
                    self.search.others(), tries))
            self.trials.level = self.search.journal.facts["like"] = signature.ANY
            hits, tries = self.search.take_others()
        if not hits:
            words = {}
            for run in self.search.journal.runs:
                words[run["word"]] = words.get(run["word"], 0) + 1
            raise Problem(EXIT_NOT_SEEN, _NOT_SEEN % (
                self.recipe.source, self.recipe.expect, sum(words.values()),
                ", ".join("%s %d" % pair for pair in words.items())))
        say("  as it was: tripped in %d of %d; a step gets up to %d runs%s" % (
            hits, tries, searches.tries_for(self.search.rate), self._what_is_left()))
        self._write(hits, tries)

    def _weights(self):
        """Of the run itself, or of one of this session: a file does not say them."""
        known = self.search.journal.facts
        if not known.get("weights"):
            data = self.recipe.data or self.trials.last_failure or {}
            known["weights"] = steps.weights(data, self.backend)
            self.search.journal.save()
        return known["weights"]

    def all(self):
        dimensions = steps.Steps(self.recipe.expect, self.search, self.backend, self._weights())
        out_of_time = False
        try:
            dimensions.all()
        except searches.OutOfTime:
            out_of_time = True
        # with no time left, what is known of it has to do
        hits, tries = self.search.count() if out_of_time and self.search.count()[0] else \
            self.search.confirm(_CONFIRM, "what is left")
        self._write(hits, tries)
        for line in steps.said(self.recipe.variables, self.search.current):
            say("    " + line)
        say("--- End of minimise: %s; trips in %d of %d; %d steps kept, %d runs, %s%s" % (
            self.recipe.expect, hits, tries, self.kept, self.search.made,
            steps.minutes(time.monotonic() - self.begun),
            "; out of time" if out_of_time else ""))
        say("    file: %s" % self.file)
        say("    again: %s; to keep it: cp %s scripts/regressions/" % (
            repeat.command("replay", {"RUN": self.file}), shlex.quote(str(self.file))))
        if out_of_time:
            self.say_go_on("    ")

    def say_go_on(self, before):
        """With all that was said: a search with other variables is another one."""
        words = dict({"RUN": ""}, **self.said)
        words.update(RUN=self.recipe.source, RESUME=1)
        say(before + "go on: " + repeat.command("minimise", words))


def minimise():
    said = repeat.environment(settings.ALL)
    recipe, values = again.asked("minimise")
    _check(recipe)
    again.spell_out(recipe, values)
    say("tdp_stress: minimise %s, LIKE=%s" % (recipe.source, values.like))
    say("  %s" % again.command(recipe))
    say("  to be kept: %s" % recipe.expect)
    work = Minimise(recipe, values, said)
    try:
        work.trials.build()
        work.measure()
        work.all()
    except KeyboardInterrupt:
        work.say_go_on("\n  ")
        raise
    finally:
        work.trials.drop_kit()
    return EXIT_PASS


if __name__ == "__main__":
    main(minimise)
