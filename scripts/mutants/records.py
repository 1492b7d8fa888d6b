# SPDX-License-Identifier: GPL-2.0
"""What became of each mutant: kept as JSON after each, shown as tables.

Knows results; must not know how they came about.
"""

import datetime
import hashlib
import json
import os
import platform
import re
import statistics

from common import command
from common.say import say
from common.settings import TIERS
from mutants import tiers

_FORMAT = 1
_STATES = ("killed", "survived", "equivalent", "killed, equivalent", "clean", "reported",
           "not built", "not run")
_NAMES = {"kunit": "KUnit in UML", "uml": "stress in UML", "tdx": "stress, tdx.c in QEMU",
          "external": "stress, external in QEMU", "kselftest": "kselftests in QEMU"}


def _by(record):
    """(tier, what it said) of the one who reported something, or None."""
    return next(((t, r) for t, r in record.items() if r["word"] == tiers.CAUGHT), None)


def in_words(record):
    caught = _by(record)
    if caught:
        tier, said = caught
        seconds = " after %.1f s" % said["seconds"] if said["seconds"] is not None else ""
        return "%s reports it (%s%s)" % (tier, ", ".join(said["by"][:3]) or "?", seconds)
    bad = [(t, r) for t, r in record.items() if r["word"] in (tiers.NOT_BUILT, tiers.NOT_RUN)]
    if bad:
        return "%s: %s (%s)" % (bad[0][0], bad[0][1]["word"], bad[0][1]["why"])
    return "nobody reports it"


def state(change, record):
    """One of _STATES."""
    words = [r["word"] for r in record.values()]
    if tiers.NOT_BUILT in words:
        return "not built"
    if tiers.CAUGHT in words:
        return "reported" if change.benign else \
            "killed, equivalent" if change.equivalent else "killed"
    if tiers.NOT_RUN in words or not words:
        return "not run"
    return "clean" if change.benign else "equivalent" if change.equivalent else "survived"


def _machine():
    model = re.search(r"^model name\s*: (.*)", _read("/proc/cpuinfo"), re.M)
    return {"cpu": model.group(1) if model else platform.machine(),
            "cpus": len(os.sched_getaffinity(0)), "load": round(os.getloadavg()[0], 1)}


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def _digest(change, data):
    """What a result depends on, but for the project itself."""
    digest = hashlib.sha256(repr(data).encode())
    for patch in change.chain():
        body = [l for l in patch.path.read_text().splitlines() if not l.startswith("//")]
        digest.update("\n".join(body).encode())
    return digest.hexdigest()[:16]


class Book:
    """results.json in a folder, and what is printed of it."""

    def __init__(self, folder, values, tree, wanted):
        self.path = folder / "results.json"
        self.key = [tree.release, values.time]
        old = {}
        if values.resume and self.path.exists():
            old = json.loads(self.path.read_text())
            old = old if old.get("format") == _FORMAT else {}
        self.data = {
            "format": _FORMAT, "date": datetime.date.today().isoformat(),
            "machine": _machine(), "kernel": tree.release, "revision": command.revision(),
            "tiers": wanted, "seconds": values.time, "at_a_time": values.jobs,
            "seed": values.seed, "baseline": {}, "mutants": old.get("mutants", {}),
        }
        self.states = {}

    def known(self, change):
        """What tiers have said of it before, {} if it was another bug then."""
        old = self.data["mutants"].get(change.id)
        return old["tiers"] if old and old["digest"] == _digest(change, self.key) else {}

    def asked(self, record):
        """The part of @record that is about what was asked for."""
        return {t: record[t] for t in self.data["tiers"] if t in record}

    def take(self, change, record):
        self.states[change.id] = state(change, self.asked(record))
        self.data["mutants"][change.id] = {
            "title": change.title, "class": change.kind, "root": change.root,
            "benign": bool(change.benign), "state": self.states[change.id],
            "digest": _digest(change, self.key), "tiers": record}
        self._save()

    def baseline(self, when, found):
        self.data["baseline"][when] = found
        self._save()

    def _save(self):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.data, indent=1) + "\n")
        os.replace(new, self.path)

    def counts(self):
        return {s: sum(1 for v in self.states.values() if v == s) for s in _STATES}

    def close(self, chosen):
        """Tables on the terminal and as reST."""
        ids = {m.id: m for m in chosen if m.id in self.states}
        tables = Tables(self, ids)
        for line in tables.text():
            say(line)
        self.path.with_suffix(".rst").write_text("\n".join(tables.rest()) + "\n")
        self._save()


def _rate(killed, count):
    return "%d %%" % (100 * killed // count) if count else "-"


class Tables:
    """Kill rates and survivors of one Book."""

    def __init__(self, book, changes):
        self.book = book
        self.bugs = {i: m for i, m in changes.items()
                     if m.is_bug and book.states[i] in ("killed", "survived")}
        self.changes = changes

    def _record(self, ident):
        return self.book.asked(self.book.data["mutants"][ident]["tiers"])

    def _of_class(self):
        rows = []
        for kind in sorted({m.kind for m in self.bugs.values()}):
            ids = [i for i, m in self.bugs.items() if m.kind == kind]
            killed = [i for i in ids if self.book.states[i] == "killed"]
            rows.append((kind, len(ids), len(killed), _rate(len(killed), len(ids))))
        killed = sum(r[2] for r in rows)
        return rows + [("all", len(self.bugs), killed, _rate(killed, len(self.bugs)))]

    def _of_tier(self):
        rows = []
        for tier in TIERS:
            said = [self._record(i)[tier] for i in self.bugs if tier in self._record(i)]
            caught = [r for r in said if r["word"] == tiers.CAUGHT]
            times = [r["seconds"] for r in caught if r["seconds"] is not None]
            if said:
                rows.append((_NAMES[tier], len(said), len(caught), _rate(len(caught), len(said)),
                             "%.1f" % statistics.median(times) if times else "-",
                             "%.1f" % max(times) if times else "-"))
        return rows

    def _list(self, word):
        return [m for i, m in sorted(self.changes.items()) if self.book.states[i] == word]

    def _misnamed(self):
        """Bugs that a stress run calls by a name that their header does not have."""
        found = []
        for ident, change in sorted(self.bugs.items()):
            caught = _by(self._record(ident))
            if caught and caught[0] in ("uml", "tdx", "external") and change.expect and \
                    not set(caught[1]["by"]) & set(change.expect):
                found.append((change, caught[1]["by"]))
        return found

    def text(self):
        yield "  class            bugs  killed"
        for kind, count, killed, rate in self._of_class():
            yield "  %-15s %5d  %6d  %s" % (kind, count, killed, rate)
        yield "  tier                      looked for  found        median, s  worst, s"
        for name, count, caught, rate, median, worst in self._of_tier():
            yield "  %-25s %10d  %5d %5s  %9s  %8s" % (name, count, caught, rate, median, worst)
        for word in ("survived", "reported", "killed, equivalent", "not built", "not run"):
            for m in self._list(word):
                yield "  %s: %s (%s)" % (word, m.id, m.title)
        for m, by in self._misnamed():
            yield "  named otherwise: %s, as %s (its header: %s)" % (
                m.id, " ".join(by), " ".join(m.expect))
        yield "  " + ", ".join("%d %s" % (n, s) for s, n in self.book.counts().items() if n)

    def rest(self):
        d = self.book.data
        machine = d["machine"]
        yield ".. SPDX-License-Identifier: GPL-2.0"
        yield ".. made by make mutants (results.rst)"
        yield ""
        yield "%s, Linux %s, revision %s, %s, %d CPUs, load %s at the beginning; %d at a time, " \
            "stress of %d s at most, SEED=%d; tiers: %s." % (
                d["date"], d["kernel"], d["revision"], machine["cpu"], machine["cpus"],
                machine["load"], d["at_a_time"], d["seconds"], d["seed"], ", ".join(d["tiers"]))
        for when, found in sorted(d["baseline"].items(), reverse=True):
            yield "Baseline %s: %s." % (when, ", ".join(
                "%s %s" % (t, f["word"]) for t, f in found.items()))
        counts = self.book.counts()
        yield "Of all: %s." % ", ".join("%d %s" % (n, s) for s, n in counts.items() if n)
        yield ""
        yield from _table("Kill rate by class", ("class", "bugs", "killed", "rate"),
                          self._of_class())
        yield from _table("Kill rate by tier", ("tier", "looked for", "found", "rate",
                                                "median, s", "worst, s"), self._of_tier())
        yield from _table("Each bug",
                          ("bug", "what is wrong", "class", "found by", "as", "after, s"),
                          [self._row(m) for m in self._list("killed")])
        yield from _table("Not found", ("bug", "what is wrong", "class", "reached by"),
                          [("``%s``" % m.id, m.title, m.kind, m.reach)
                           for m in self._list("survived")])
        yield from _table("Harmless edits", ("edit", "what is changed", "reported"),
                          [("``%s``" % m.id, m.title, "no") for m in self._list("clean")] +
                          [("``%s``" % m.id, m.title, "**yes**") for m in self._list("reported")])
        yield from _table("Equivalent", ("bug", "what is changed", "why it is none"),
                          [("``%s``" % m.id, m.title, m.equivalent)
                           for m in self._list("equivalent")])

    def _row(self, change):
        tier, said = _by(self._record(change.id))
        by = ", ".join(said["by"][:2]) + (", ..." if len(said["by"]) > 2 else "")
        return ("``%s``" % change.id, change.title, change.kind, tier, by,
                "%.1f" % said["seconds"] if said["seconds"] is not None else "-")


def _table(title, heads, rows):
    """A list-table, or nothing if it had no rows."""
    if not rows:
        return
    yield ".. list-table:: %s" % title
    yield "   :header-rows: 1"
    yield ""
    for row in [heads] + list(rows):
        for n, cell in enumerate(row):
            yield "   %s - %s" % ("*" if n == 0 else " ", str(cell).replace("*", "\\*")
                                  if not str(cell).startswith("*") else cell)
    yield ""
