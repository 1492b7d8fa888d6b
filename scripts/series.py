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

from blame import again, history
from common import cache, command, packages
from common.say import EXIT_BUILD, EXIT_FAILURE, EXIT_PASS, main, say, usage
from common.settings import Values
from kernel import commits
from mutants import tiers

_TIERS = ["kunit", "uml"]
_SECONDS = 20
_FORMAT = 1


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
        self.histories = {tier: history.History(tier) for tier in runner.tiers}
        self.blamed = []        # (commit, tier, Judgement)
        self.also = []          # likewise: what is nobody's fault that one can name
        self.blind = {}         # (tier, since which commit): of how many it said nothing
        self.missing = []       # (commit, tier, why)
        self.took = []

    def _name(self, commit):
        return "the base" if commit is self.series.base else commit.short

    def _test(self, commit, tier, checkout):
        known = self.book.known(commit, tier)
        if known:
            return known
        checkout.at(commit, self.values.force)
        said = self.runner.unchanged(tier, commit.short)
        self.book.take(commit, tier, said)
        return said

    def _judge(self, commit, tier, said):
        """What @tier said of @commit, in words."""
        of_tier = self.histories[tier]
        judge = of_tier.base if commit is self.series.base else of_tier.take
        judged = judge(commit, said)
        if judged.new:
            self.blamed.append((commit, tier, judged))
        if judged.also or judged.again:
            self.also.append((commit, tier, judged))
        if judged.blind:
            key = (tier, judged.since)
            self.blind[key] = self.blind.get(key, 0) + 1
        if said["word"] == tiers.NOT_RUN:
            self.missing.append((commit, tier, said["why"]))
        return "%s %s" % (tier, judged.text(self._name))

    def commit(self, commit, title, checkout, left):
        start = time.monotonic()
        words, asked = [], list(self.runner.tiers)
        while asked:
            said = self._test(commit, asked[0], checkout)
            words.append(self._judge(commit, asked.pop(0), said))
            if said["word"] == tiers.NOT_BUILT:
                break           # nobody can test it
        for tier in asked:
            self.histories[tier].skip(commit)
        self.took.append(time.monotonic() - start)
        later = max(self.took[1:]) if self.took[1:] else None
        estimate = "; about %d s left" % (later * left) if later and left else ""
        say("  [%s] %s %.50s: %s, %.0f s%s" % (title, commit.short, commit.subject,
                                              "; ".join(words), self.took[-1], estimate))
        if commit.merged and commit is not self.series.base:
            say("    a merge, tested as one; each of its %d commits: %s" % (commit.merged,
                                                                          commit.inside()))

    def all(self, checkout):
        count = len(self.series.commits)
        # what fails here already is no commit's
        self.commit(self.series.base, "base", checkout, count)
        for number, commit in enumerate(self.series.commits, 1):
            self.commit(commit, "%d/%d" % (number, count), checkout, count - number)

    def _say_blame(self, commit, tier, judged):
        said = judged.said
        text = "does not build: " + said["why"] if said["word"] == tiers.NOT_BUILT else \
            "breaks %s: %s" % (tier, ", ".join(judged.new))
        if judged.maybe:
            text += " (or %s, of which %s said nothing)" % (
                ", ".join(map(self._name, judged.maybe)), tier)
        say("  %s (%s) %s" % (commit.short, commit.subject, text))
        if commit.merged:
            say("    a merge of %d commits; which of them: %s" % (commit.merged, commit.inside()))
        say("    again: %s" % again.command(tier, said, judged.new, commit, self.values))
        say("    log: %s" % said["log"])

    def _say_also(self, commit, tier, judged):
        text = "fails again, clean in between, as" if judged.again else "still fails"
        shown = "; %s may be of that, or this commit's" % ", ".join(judged.also)
        say("  %s (%s) %s %s since %s%s" % (commit.short, commit.subject, tier, text,
                                           self._name(judged.since), shown if judged.also else ""))

    def verdict(self):
        for commit, tier, why in self.missing:
            say("  not tested: %s by %s: %s" % (commit.short, tier, why))
        for one in self.also:
            self._say_also(*one)
        for (tier, since), count in self.blind.items():
            say("  %s fails since %s: it says nothing of %d commit%s after that; repair that "
                "first" % (tier, self._name(since), count, "s"[:count > 1]))
        for one in self.blamed:
            self._say_blame(*one)
        if not self.blamed:
            say("no commit of the series breaks anything that was tested")
        if any(judged.said["word"] != tiers.NOT_BUILT for *_, judged in self.blamed):
            return EXIT_FAILURE
        return EXIT_BUILD if self.blamed or self.missing or self.blind else EXIT_PASS


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
    packages.have({"git": "git"})
    found = commits.Series(values.ksrc, values.base, values.tip)
    packages.need(boot=any(t not in ("kunit", "uml") for t in wanted))
    folder = cache.results(values, "series")
    checkout = commits.Checkout(found)
    say("tdp_stress: series of %d commits on %s, SEED=%d, %s, %d s each" % (
        len(found.commits), found.base.short, values.seed, ",".join(wanted), values.time))
    for note in found.notes:
        say("  " + note)
    values.ksrc = str(checkout.path)
    run = Run(values, found, tiers.Runner(values, folder, wanted), Book(folder, values, wanted))
    with checkout.mine():
        run.all(checkout)
    code = run.verdict()
    say("  results: %s" % run.book.path)
    return code


if __name__ == "__main__":
    main(series)
