# SPDX-License-Identifier: GPL-2.0
"""scripts/regressions/ as a part of make check.

A recipe with a planted bug has to trip what it expects, within as many runs as it
says; one that expects nothing has to be clean. With FULL=1 the planted bug is also left
out, when nothing may be seen. Knows recipes and results; must not know how they are run.
"""

import copy
import os

from common import cache
from common.say import Problem, Step
from reproduce import again, trial
from reproduce import recipe as recipes

#: what is said of the kernel and of the machine holds for all of them
_SAID = ("KSRC", "KVER", "FORCE", "ACCEL", "QEMU")


def _take(recipe, folder, jobs, results, title):
    """Run @recipe until it is known whether it does what it expects."""
    trials = trial.Trials(recipe, folder, recipe.like or "function", jobs=jobs)
    enough = trial.SAME if recipe.expect else trial.OTHER
    step = Step(title)
    try:
        count = again.run(recipe, trials, recipe.tries or 1, enough, quiet=True)
    except Problem as problem:
        step.failed()
        results.not_ok(title, problem.line)
        return
    said = count.text() if recipe.expect else count.text_of_nothing()
    step.done(said)
    words = count.words
    seen = words[trial.SAME] or words[trial.OTHER]
    missing = count.last.word == trial.NOT_RUN if recipe.expect else not count.clean
    if missing and not seen:
        results.skip(title, "%s: %s" % (said, count.not_run))
        return
    good = words[trial.SAME] if recipe.expect else count.clean
    results.check(title, good, said, count.last.text(), again.command(recipe),
                  "files: %s" % folder)


def _without_bug(recipe):
    """The same with nothing planted."""
    other = copy.copy(recipe)
    other.variables = {n: t for n, t in recipe.variables.items() if n != "MUTANT"}
    other.expect, other.tries = None, 1
    # few operations do not give cause for every check: the bug's has to be made
    other.checks = recipe.expect.invariant
    return other


def check(values, results):
    """All that are worth their time; those for UML first, which is quick."""
    said = {n: os.environ[n].strip() for n in _SAID if os.environ.get(n, "").strip()}
    chosen = [r for r in recipes.kept() if r.quick or values.full]
    chosen.sort(key=lambda r: r.variables.get("WHERE") != "uml")
    for recipe in chosen:
        again.change(recipe, said)
        folder = cache.folder("log", "regression-%s" % recipe.name)
        _take(recipe, folder, values.jobs, results, "regression %s: %s" % (
            recipe.name, "trips %s" % recipe.expect if recipe.expect else "nothing to be seen"))
        if values.full and recipe.expect and recipe.variables.get("MUTANT"):
            _take(_without_bug(recipe), folder, values.jobs, results,
                  "regression %s: nothing without the bug" % recipe.name)
