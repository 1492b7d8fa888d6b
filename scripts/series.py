# SPDX-License-Identifier: GPL-2.0
"""make series: every commit of a branch has to pass, not only its tip.

As git rebase --exec would, but the user's tree is not touched, nothing is built that a
commit does not change, and what was broken before a commit is not blamed on it. Knows
the order of things and the table; commits are kernel/commits.py's, the tests are the
doors of mutants/tiers.py.
"""

import json
import os
import time

from common import cache, command, packages
from common.say import EXIT_BUILD, EXIT_FAILURE, EXIT_PASS, main, say, usage
from common.settings import Values
from kernel import commits
from mutants import tiers

_TIERS = ["kunit", "uml"]
_SECONDS = 20
_FORMAT = 1


def in_words(said):
    """What a tier said, in a word or two."""
    if said["word"] == tiers.CAUGHT:
        return "fails (%s)" % ", ".join(said["by"][:2] or ["?"])
    return said["word"]


def breaks(said, before):
    """What a tier says of a commit that it did not say @before: names, [] if nothing new."""
    if said["word"] in (tiers.CLEAN, tiers.NOT_RUN):
        return []
    if before is None or before["word"] != said["word"]:
        return said["by"] or [said["word"]]
    return [name for name in said["by"] if name not in before["by"]]


class Book:
    """What is known of each commit, kept in results.json after each test."""

    def __init__(self, folder, values, wanted):
        self.path = folder / "results.json"
        self.key = [wanted, values.time]
        self.commits = {}
        if values.resume and self.path.exists():
            old = json.loads(self.path.read_text())
            if old.get("format") == _FORMAT and old.get("key") == self.key:
                self.commits = old["commits"]

    def known(self, commit, tier):
        said = self.commits.get(commit.number, {}).get("tiers", {}).get(tier)
        return said if said and said["word"] != tiers.NOT_RUN else None

    def take(self, commit, tier, said):
        one = self.commits.setdefault(commit.number, {"subject": commit.subject, "tiers": {}})
        one["tiers"][tier] = said
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"format": _FORMAT, "key": self.key,
                                   "revision": command.revision(),
                                   "commits": self.commits}, indent=1) + "\n")
        os.replace(new, self.path)


class Run:
    """All commits, one after the other."""

    def __init__(self, values, series, runner, book):
        self.values = values
        self.series = series
        self.runner = runner
        self.book = book
        self.before = {}        # tier: what it said of the last commit that could be tested
        self.blamed = []        # (commit, tier, what is new)
        self.missing = []       # (commit, tier, why)
        self.took = []

    def _test(self, commit, tier, checkout):
        known = self.book.known(commit, tier)
        if known:
            return known
        checkout.at(commit, self.values.force)
        said = self.runner.unchanged(tier, commit.short)
        self.book.take(commit, tier, said)
        return said

    def commit(self, commit, title, checkout, left, blame=True):
        start = time.monotonic()
        words = []
        for tier in self.runner.tiers:
            said = self._test(commit, tier, checkout)
            new = breaks(said, self.before.get(tier)) if blame else []
            words.append("%s %s" % (tier, in_words(said)))
            if new:
                self.blamed.append((commit, tier, new, said))
                words[-1] += ", new"
            if said["word"] == tiers.NOT_RUN:
                self.missing.append((commit, tier, said["why"]))
            else:
                self.before[tier] = said
            if said["word"] == tiers.NOT_BUILT:
                break           # nobody can test it
        self.took.append(time.monotonic() - start)
        later = max(self.took[1:]) if self.took[1:] else None
        estimate = "; about %d s left" % (later * left) if later and left else ""
        say("  [%s] %s %.50s: %s, %.0f s%s" % (title, commit.short, commit.subject,
                                              "; ".join(words), self.took[-1], estimate))

    def all(self, checkout):
        count = len(self.series.commits)
        # what fails here already is no commit's
        self.commit(self.series.base, "base", checkout, count, blame=False)
        for number, commit in enumerate(self.series.commits, 1):
            self.commit(commit, "%d/%d" % (number, count), checkout, count - number)

    def verdict(self):
        for commit, tier, why in self.missing:
            say("  not tested: %s by %s: %s" % (commit.short, tier, why))
        for commit, tier, new, said in self.blamed:
            say("  %s (%s) %s" % (commit.short, commit.subject,
                                  "does not build: " + said["why"]
                                  if said["word"] == tiers.NOT_BUILT
                                  else "breaks %s: %s" % (tier, ", ".join(new))))
            say("    log: %s" % said["log"])
        if not self.blamed:
            say("no commit of the series breaks anything that was tested")
        if any(said["word"] != tiers.NOT_BUILT for *_, said in self.blamed):
            return EXIT_FAILURE
        return EXIT_BUILD if self.blamed or self.missing else EXIT_PASS


def series():
    values = Values()
    if not values.ksrc or not values.base:
        raise usage("make series takes KSRC=<a git tree of a kernel> BASE=<commit>; TIP=<commit> "
                    "is its HEAD unless you say otherwise")
    for name in ("MUTANT", "VARIANT", "WHERE", "BACKEND", "KERNEL"):
        if name in values.given:
            raise usage("make series takes TIERS=, not %s=" % name)
    if "TIME" not in values.given:
        values.time = _SECONDS
    wanted = values.tiers or _TIERS
    found = commits.Series(values.ksrc, values.base, values.tip)
    packages.need(boot=any(t not in ("kunit", "uml") for t in wanted))
    folder = cache.results(values, "series")
    checkout = commits.Checkout(found)
    say("tdp_stress: series of %d commits on %s, SEED=%d, %s, %d s each" % (
        len(found.commits), found.base.short, values.seed, ",".join(wanted), values.time))
    values.ksrc = str(checkout.path)
    run = Run(values, found, tiers.Runner(values, folder, wanted), Book(folder, values, wanted))
    with checkout.mine():
        run.all(checkout)
    code = run.verdict()
    say("  results: %s" % run.book.path)
    return code


if __name__ == "__main__":
    main(series)
