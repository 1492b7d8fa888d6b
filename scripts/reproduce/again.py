# SPDX-License-Identifier: GPL-2.0
"""What the user has said of a recipe, and runs of it as it is.

Knows recipes and trials; must not know how a recipe is made smaller.
"""

import os

from common import repeat, settings
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


class Count:
    """How often what came."""

    def __init__(self):
        self.words = {w: 0 for w in (trial.SAME, trial.OTHER, trial.NONE, trial.NOT_RUN)}
        self.last = None

    def add(self, result):
        self.words[result.word] += 1
        self.last = result

    def text(self):
        w = self.words
        tries = sum(w.values())
        parts = ["the same %d of %d" % (w[trial.SAME], tries)]
        for word, said in ((trial.OTHER, "another one %d"), (trial.NONE, "no failure %d"),
                           (trial.NOT_RUN, "not run %d")):
            if w[word]:
                parts.append(said % w[word])
        return ", ".join(parts)


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
