# SPDX-License-Identifier: GPL-2.0
"""What the user has said of a recipe, and runs of it as it is.

Knows recipes and trials; must not know how a recipe is made smaller.
"""

import os

from common import repeat, scenario, settings
from common.say import say, usage
from reproduce import recipe as recipes
from reproduce import trial

#: about make replay and make minimise themselves; all else is the recipe's
_OURS = ("RUN", "TRIES", "LIKE", "TIME", "RESUME", "RUNDIR", "JOBS", "KEEP", "PROGRAM", "V")


def asked(what):
    """(Recipe of RUN=, Values): what is said besides takes the place of what the recipe says."""
    path = settings.ALL["RUN"].value()
    if not path:
        raise usage("make %s RUN=folder: RUN= must be the folder of a run that failed, or a file "
                    "of scripts/regressions/" % what)
    found = recipes.read(path)
    said = {n: os.environ[n].strip() for n in settings.ALL
            if n not in _OURS and os.environ.get(n, "").strip()}
    change(found, said)
    if found.like and "LIKE" not in os.environ:
        os.environ["LIKE"] = found.like
    # whatever is wrong with a value is said now
    for name, text in found.variables.items():
        os.environ[name] = text
    return found, settings.Values()


def change(recipe, said):
    """Put the variables that are @said into @recipe; a tree takes a version's place."""
    for name, other in (("KSRC", "KVER"), ("KVER", "KSRC")):
        if name in said and other not in said:
            recipe.variables.pop(other, None)
    recipe.variables.update(said)


def spell_out(recipe, values):
    """Say in @recipe what its scenario sets, so that it can be taken away; and leave the scenario
    out if that is all there is to it. PROGRAM= has been promised its name.
    """
    if not values.scenario:
        return
    one, said = scenario.find(values.scenario), values.said()
    recipe.variables.update({n: said[n] for n in one.variables if n in said})
    if not (one.boot or one.options or values.program):
        del recipe.variables["SCENARIO"]


class Count:
    """How often what came."""

    def __init__(self):
        self.words = {w: 0 for w in (trial.SAME, trial.OTHER, trial.NONE, trial.NOT_RUN)}
        self.last = None
        self.not_run = ""           # why, of the last that was not

    def add(self, result):
        self.words[result.word] += 1
        self.last = result
        if result.word == trial.NOT_RUN:
            self.not_run = result.why

    @property
    def tries(self):
        return sum(self.words.values())

    @property
    def clean(self):
        """Every run was made, and has shown nothing."""
        return 0 < self.words[trial.NONE] == self.tries

    def _text(self, word, first, others):
        parts = [first % (self.words[word], self.tries)]
        parts += [said % self.words[other] for other, said in others if self.words[other]]
        return ", ".join(parts)

    def text(self):
        return self._text(trial.SAME, "the same %d of %d", (
            (trial.OTHER, "another one %d"), (trial.NONE, "no failure %d"),
            (trial.NOT_RUN, "not run %d")))

    def text_of_nothing(self):
        """The same, if nothing was to be seen."""
        return self._text(trial.NONE, "%d of %d clean", (
            (trial.OTHER, "%d failed"), (trial.NOT_RUN, "not run %d")))


def run(recipe, trials, tries, enough=None, title="try", quiet=False):
    """Run @recipe up to @tries times; the Count. @enough: end at the first of that word."""
    count = Count()
    for number in range(1, tries + 1):
        result = trials.run(recipe.variables, "%s %d of %d" % (title, number, tries))
        count.add(result)
        if not quiet:
            say("  %s %d of %d: %s, %.0f s" % (title, number, tries, result.text(),
                                              result.seconds))
        if result.word == enough:
            break
    return count


def command(recipe):
    return repeat.command(recipe.door, recipe.variables, recipe.environment)
