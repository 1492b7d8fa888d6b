# SPDX-License-Identifier: GPL-2.0
"""What may be less in a run, dimension after dimension, until nothing is any more.

Time, then operations, injected failures, VMs and threads, memory, schedule points, and
time again. Knows what the variables of make run mean and their lowest
values; a step is reproduce.search's.
"""

import math

from common import scenario, settings

_SECONDS = (1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
#: rows of the table of operations that are no names for ops=: what vCPUs come to
_NOT_NAMED = ("run", "guest_fault", "guest_convert")
#: what has to be there before anything else can happen to it, by backend
_FAULTS = {"tdx": ("run", "prefault"), "external": ("map", "map_craft", "prefault")}
#: parameters of tdp_stress.ko that make a run smaller
_LESS = ("slot_workers", "vcpus", "delay_us", "points")
#: where threads may be made to wait, as tdp_stress/torture/schedule.c names it
POINTS = ("op", "frozen", "unfreeze", "zap", "free", "change")
#: of these, what only User Mode Linux has
_UML_POINTS = ("change",)
#: what the driver's workers do not do
_BY_VCPU = {"run", "cycle", "map_gpa"}
#: of which there may be too many for a parameter of a module
_OPS_LENGTH = 470


class Steps:
    """All dimensions of a @search for what trips @expect.

    @backend: tdx or external; @weights: {operation: weight} of the recipe as it was run
    """

    def __init__(self, expect, search, backend, weights):
        self.expect = expect
        self.search = search
        self.backend = backend
        self.weights = weights

    def all(self):
        """Round after round; OutOfTime may end it."""
        self._shorter()
        while True:
            before = dict(self.search.current)
            # with fewer operations it trips more often, whatever else is taken away
            self._operations()
            self._injection()
            self._threads()
            self._memory()
            self._schedule()
            self._time()
            if self.search.current == before:
                return

    def _value(self, name):
        """The number that a variable has, said or by default."""
        text = self.search.current.get(name) or settings.ALL[name].default
        if name == "MEM":
            text = text or "%dM" % settings.default_mem(self.backend)
            return int(text[:-1]) << (10 if text.endswith("G") else 0)
        if name == "WORKERS" and text is None:
            return self._value("CPUS") if self.backend == "external" else 2
        return int(text)

    def _below(self, name, values):
        return [v for v in values if v < self._value(name)]

    # --- time ---

    def _shorter(self):
        """A first guess, by when it was found: whatever comes is quicker then."""
        found = self.search.found_after
        if found is not None:
            ladder = [s for s in self._below("DURATION", _SECONDS) if s >= 2 * found + 1]
            self.search.lowest("DURATION", ladder, "DURATION=%s")

    def _time(self):
        self.search.down("DURATION", reversed(self._below("DURATION", _SECONDS)), "DURATION=%s")

    # --- what is made to fail ---

    def _injection(self):
        for name, off in (("BUSY", "0"), ("DELAY", "0"), ("STUTTER", "0")):
            if self._value(name):
                self.search.attempt({name: off}, "%s=%s" % (name, off))
        for name in ("STUB", "STRESS"):
            self._words(name)

    def _words(self, name):
        """More parameters of a module: each may be too much."""
        words = (self.search.current.get(name) or "").split()
        less = [w for w in words if w.partition("=")[0] in _LESS]
        words = [w for w in words if w not in less]

        def left(some):
            return {name: " ".join(some + less) or None}

        all_may_go = words and (less or not self._put_back(name))
        if words and not (all_may_go and self.search.attempt(
                left([]), "%s without %s" % (name, words))):
            self.search.fewest(words, left, "%%d of %d words of %s" % (len(words), name))

    def _put_back(self, name):
        """A variable that is not said has the scenario's value, not the default."""
        one = self.search.current.get("SCENARIO")
        return one and name in scenario.find(one).variables

    def _with_word(self, parameter, value):
        """STRESS= with that parameter."""
        words = [w for w in (self.search.current.get("STRESS") or "").split()
                 if w.partition("=")[0] != parameter]
        return {"STRESS": " ".join(words + ["%s=%s" % (parameter, value)])}

    def _word(self, parameter):
        """What STRESS= says of it, or None; the last one counts."""
        said = dict(w.partition("=")[::2]
                    for w in (self.search.current.get("STRESS") or "").split())
        return said.get(parameter)

    def _has_word(self, parameter):
        return self._word(parameter) is not None

    # --- where it happens ---

    def _memory(self):
        for name in ("HUGE_1G", "HUGETLB"):
            if self._value(name):
                self.search.attempt({name: "0" if self._put_back(name) else None},
                                    "without %s" % name)
        sizes = [4 << n for n in range(12)]
        self.search.lowest("MEM", self._below("MEM", sizes), "MEM=%s", lambda m: "%dM" % m)

    # --- by whom ---

    def _threads(self):
        for name in ("TDS", "VCPUS"):
            self.search.lowest(name, self._below(name, (1, 2, 4, 8, 16)), name + "=%s")
        self.search.lowest("CPUS", self._below("CPUS", (2, 3, 4, 6)), "CPUS=%s")
        self.search.lowest("WORKERS", self._below("WORKERS", (0, 1, 2, 4, 8, 16, 32)),
                           "WORKERS=%s")
        if self.backend != "external":
            return
        for parameter in ("slot_workers", "vcpus"):
            if not self._has_word(parameter):
                self.search.attempt(self._with_word(parameter, 0), "%s=0" % parameter)

    # --- what they do ---

    def _ops(self, some, weights):
        """OPS= with only @some operations."""
        listed = ",".join("%s=%d" % (n, weights[n]) for n in some)
        if self.backend == "tdx":
            # the driver refuses workers that have nothing to do
            return {"OPS": listed, **({"WORKERS": "0"} if set(some) <= _BY_VCPU else {})}
        without = ",".join("%s=0" % n for n in weights if n not in some)
        return {"OPS": "all=0," + listed if len(listed) < _OPS_LENGTH else without}

    def _left(self, weights):
        """Operations that are still done, with their weights."""
        text = self.search.current.get("OPS")
        left = dict(weights)
        for word in (text or "").split(","):
            name, _, weight = word.partition("=")
            if name == "all":
                left = {}
            elif weight == "0":
                left.pop(name, None)
            elif name:
                left[name] = int(weight)
        if self.backend == "tdx" and text:
            # what is not in the driver's list is not done
            listed = [word.partition("=")[0] for word in text.split(",")]
            left = {n: w for n, w in left.items() if n in listed}
        return left

    def _operations(self):
        left = self._left(self.weights)
        title = "%%d of %d operations" % len(left)
        likely = [o for o in self.expect.operations if o in left]
        faults = [o for o in _FAULTS[self.backend] if o in left]
        for guess in (likely, likely + faults):
            guess = list(dict.fromkeys(guess))
            if guess and len(guess) < len(left) and \
                    self.search.attempt(self._ops(guess, left), title % len(guess)):
                break
        items = list(self._left(left))
        self.search.fewest(items, lambda some: self._ops(some, left), title)

    # --- when ---

    def _schedule(self):
        """Threads that wait at schedule points: nowhere, at fewer of them, not as long."""
        if self.backend != "external":
            return
        if self.search.current.get("SCHEDULE", "random") == "none" or \
                self.search.attempt({"SCHEDULE": "none"}, "SCHEDULE=none"):
            return
        self._points()
        if not self._has_word("delay_us"):
            for us in (5, 20):
                if self.search.attempt(self._with_word("delay_us", us), "delay_us=%d" % us):
                    break

    def _points(self):
        """Which of them have to wait."""
        points = self._word("points")
        if points in (None, "all"):
            # a point that is not there is not worth a run
            points = [p for p in POINTS if p not in _UML_POINTS or
                      self.search.current.get("WHERE") == "uml"]
        else:
            points = list(dict.fromkeys(points.split(",")))
        self.search.fewest(points, lambda some: self._with_word("points", ",".join(some)),
                           "waits at %%d of %d points" % len(points))


def weights(data, backend):
    """{operation: weight} of the run that left summary @data."""
    if backend == "tdx":
        said_by_driver = data.get("counters", {}).get("driver", {}).get("parameters", {})
        return {n: w for n, w in said_by_driver.get("ops", {}).items() if w}
    rows = {}
    not_run = data.get("operations_not_run", {})
    for row in data.get("operations", []):
        name = " ".join((row["name"], row["root"], row["level"]))
        if row["name"] not in _NOT_NAMED and row.get("weight") and name not in not_run:
            rows.setdefault(row["name"], []).append(row["weight"])
    return {n: max(1, round(sum(w) / len(w))) for n, w in rows.items()}


def said(before, after):
    """What became less, as lines."""
    lines = []
    for name in dict.fromkeys(list(before) + list(after)):
        old = before.get(name) or settings.ALL[name].default
        new = after.get(name) or settings.ALL[name].default
        if before.get(name) != after.get(name):
            shown = ["all" if v is None and name == "OPS" else
                     "by default" if v is None or callable(v) else v for v in (old, new)]
            lines.append("%-9s %s -> %s" % (name, *shown))
    return lines


def minutes(seconds):
    return "%d:%02d" % divmod(math.ceil(seconds), 60)
