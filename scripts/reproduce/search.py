# SPDX-License-Identifier: GPL-2.0
"""The search for a smaller recipe: steps that are kept only if the failure stays.

A race does not trip each time. So a recipe is tried more than once: how often is
computed from how often the first one tripped, in such a way that one which trips as
often as that is nearly always kept, and one that hardly ever does is not. Every run is
written down, so that a search that was ended can go on. Knows runs and their words;
must not know what the variables mean.
"""

import json
import math
import time

from common.say import EXIT_USAGE, Problem
from reproduce import trial

#: runs that have to trip for a step to be kept
_NEED = 2
#: how likely a step is kept that trips as often as the first recipe did
_SURE = 0.9
#: more tries than for this rate are not made
_LEAST_RATE = 0.2
#: runs by which the next ones are estimated: they get shorter
_LATELY = 6


class OutOfTime(Exception):
    """The budget is spent; what was found so far stands."""


def tries_for(rate):
    """How many runs a step gets to trip _NEED times, if its rate is @rate."""
    rate = min(max(rate, _LEAST_RATE), 0.95)
    n = _NEED
    while sum(math.comb(n, k) * rate ** k * (1 - rate) ** (n - k)
              for k in range(_NEED, n + 1)) < _SURE:
        n += 1
    return n


def tries_to_see(hits, tries):
    """How many runs it takes to see it once, but for one time in a thousand; at most 20."""
    rate = hits / (tries + 1)
    return max(1, min(20, math.ceil(math.log(0.001) / math.log(1 - rate)))) if rate else 20


def _key(variables):
    return json.dumps(variables, sort_keys=True)


def _differ(one, other):
    """Names that have not the same value in two dictionaries, and in those inside of them."""
    found = []
    for name in sorted({*one, *other}):
        a, b = one.get(name), other.get(name)
        if a != b:
            found += _differ(a, b) if isinstance(a, dict) and isinstance(b, dict) else [name]
    return found


class Journal:
    """Every run that was made, in a file; an earlier session's are there to be taken.

    @about: {word: what the runs are of}: another search's say nothing.
    """

    def __init__(self, path, about, resume):
        self.path = path
        self.about = about
        self.runs = []
        self.facts = {}         # what else has to be known again
        self.wrong = ""         # why the file's runs are not to be taken
        self.replaces = None    # where an earlier search is kept that is not gone on with
        self._left = {}         # of an earlier session: {key: [run]}
        if resume and path.exists():
            self._load()
        elif path.exists():
            self.replaces = path.with_suffix(".old")

    def _load(self):
        try:
            data = json.loads(self.path.read_text())
            others = _differ(data["about"], self.about)
            runs, facts = data["runs"], data["facts"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.wrong = "cannot be read"
            return
        if others:
            self.wrong = "is of another search (another %s)" % ", ".join(others)
            return
        self.runs, self.facts = runs, facts
        for run in self.runs:
            self._left.setdefault(_key(run["variables"]), []).append(run)

    def known(self, variables):
        """A run of these @variables that has not been taken yet, or None."""
        left = self._left.get(_key(variables))
        return left.pop(0) if left else None

    def add(self, run):
        self.runs.append(run)
        self.save()

    def save(self):
        """All that is known, in the file at once."""
        if self.replaces:
            self.path.replace(self.replaces)
            self.replaces = None
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"about": self.about, "facts": self.facts,
                                   "runs": self.runs}, indent=1) + "\n")
        new.replace(self.path)


class Search:
    """From @variables to fewer of them. @run(variables, title) makes a run: trial.Result.

    @seconds: the budget; @on_step(search, title, kept or None): something is known.
    """

    def __init__(self, variables, run, seconds, journal, on_step, clock=time.monotonic):
        self.current = dict(variables)
        self.journal = journal
        self.rate = 1.0
        self.made = 0               # runs of this session
        self.on_step = on_step
        self._run = run
        self._clock = clock
        self._seconds = seconds
        self._until = None          # set when the first run begins: a build is not the search's
        self._counts = {}           # {key: [hits, tries]}
        self._rejected = set()
        self._longest = 0.0
        self._hard = False          # the budget counts
        self.found_after = None     # seconds, the longest of all that tripped

    # --- runs ---

    def left(self):
        """Seconds of the budget."""
        if self._until is None:
            self._until = self._clock() + self._seconds
        return max(0.0, self._until - self._clock())

    def runs_left(self):
        """How many more runs the budget is enough for, about; None: nobody knows yet."""
        seconds = [run["seconds"] for run in self.journal.runs[-_LATELY:]]
        mean = sum(seconds) / len(seconds) if seconds else 0
        return int(self.left() / mean) if mean else None

    def count(self, variables=None):
        """(hits, tries) of @variables, or of the current ones."""
        return tuple(self._counts.get(_key(variables or self.current), (0, 0)))

    def _once(self, variables, title):
        """One run; whether it tripped."""
        run = self.journal.known(variables)
        if not run:
            if self.left() <= self._longest and self._hard:
                raise OutOfTime
            start = self._clock()
            result = self._run(variables, title)
            run = {"variables": dict(variables), "word": result.word,
                   "found_after": result.data.get("found_after_seconds"),
                   "seconds": round(self._clock() - start, 1)}
            self.made += 1
            self._longest = max(self._longest, run["seconds"])
            self.journal.add(run)
        hit = run["word"] == trial.SAME
        if run["word"] != trial.NOT_RUN:
            count = self._counts.setdefault(_key(variables), [0, 0])
            count[0] += hit
            count[1] += 1
        if hit and run["found_after"] is not None:
            self.found_after = max(self.found_after or 0.0, run["found_after"])
        return hit

    def measure(self, tries, title, or_others=False):
        """How often the current recipe trips: (hits, tries). Up to three times as many
        tries are made until it has tripped once, however long that takes; @or_others: or
        until something else has.
        """
        for number in range(1, 3 * tries + 1):
            self._once(self.current, "%s %d" % (title, number))
            if number >= tries and (self.count()[0] or or_others and self.others()):
                break
        hits, made = self.count()
        self.rate = hits / made if made else 0.0
        return hits, made

    def others(self):
        """How many runs so far tripped something else."""
        return sum(run["word"] == trial.OTHER for run in self.journal.runs)

    def take_others(self):
        """From now on those count as well: the rate, and what is known of each run."""
        for run in self.journal.runs:
            if run["word"] == trial.OTHER:
                run["word"] = trial.SAME
                if _key(run["variables"]) in self._counts:
                    self._counts[_key(run["variables"])][0] += 1
                self.found_after = max(self.found_after or 0.0, run["found_after"] or 0.0)
        self.journal.save()
        hits, made = self.count()
        self.rate = hits / made if made else 0.0
        return hits, made

    def confirm(self, tries, title):
        """Try the current recipe until it was tried @tries times, budget or not."""
        self._hard = False
        while sum(1 for _ in range(tries)) > self.count()[1]:
            before = self.count()[1]
            self._once(self.current, title)
            if self.count()[1] == before:
                break               # it cannot be run here
        return self.count()

    # --- steps ---

    def attempt(self, changes, title):
        """Take @changes ({name: text, None: drop it}) if the failure stays; whether it does."""
        self._hard = True
        new = {n: t for n, t in {**self.current, **changes}.items() if t is not None}
        key = _key(new)
        if new == self.current or key in self._rejected:
            return False
        kept = False
        try:
            kept = self._stays(new, title)
        except Problem as problem:
            # what does not go together is no step
            if problem.code != EXIT_USAGE:
                raise
        if kept:
            self.current = new
        else:
            self._rejected.add(key)
        self.on_step(self, title, kept)
        return kept

    def _stays(self, variables, title):
        limit = tries_for(self.rate)
        hits = 0
        for number in range(1, limit + 1):
            hits += self._once(variables, title)
            if hits == _NEED:
                return True
            if limit - number < _NEED - hits:
                return False
        return False

    def lowest(self, name, ladder, title, text=str):
        """Set @name to the first of @ladder with which it still trips."""
        for value in ladder:
            if self.attempt({name: text(value)}, title % text(value)):
                return True
        return False

    def down(self, name, ladder, title, text=str):
        """Go down @ladder for as long as it still trips."""
        moved = False
        for value in ladder:
            if not self.attempt({name: text(value)}, title % text(value)):
                break
            moved = True
        return moved

    def fewest(self, items, changes_of, title, least=1):
        """Delta debugging: the fewest @items, changes_of(items) to be attempted, that trip.

        Returns them. Halves first, then what is left without one part, finer each time.
        """
        def trips(some):
            return self.attempt(changes_of(some), title % len(some))

        parts = 2
        while len(items) > least:
            size = math.ceil(len(items) / parts)
            chunks = [items[i:i + size] for i in range(0, len(items), size)]
            rests = [[i for i in items if i not in chunk] for chunk in chunks]
            alone = next((c for c in chunks if least <= len(c) < len(items) and trips(c)), None)
            rest = None
            if alone is None:
                rest = next((r for r in rests if least <= len(r) < len(items) and trips(r)), None)
            if alone is not None:
                items, parts = alone, 2
            elif rest is not None:
                items, parts = rest, max(parts - 1, 2)
            elif size > 1:
                parts = min(len(items), 2 * parts)
            else:
                break
        return items
