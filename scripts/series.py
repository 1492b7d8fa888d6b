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

from blame import history, verdict
from common import cache, command, packages
from common.say import EXIT_USAGE, Problem, main, say, usage
from common.settings import Values
from kernel import commits
from mutants import tiers

_TIERS = ["kunit", "uml"]
_SECONDS = 20
_FORMAT = 2
#: cases of KUnit that are tried alone: each of them takes a boot, or a build and a boot
_ALONE = 3
#: variables that mean something here; the tiers get theirs
_USED = tiers.FORWARDED + ("BASE", "TIP", "TIERS", "TIME", "RESUME", "RUNDIR", "V")
#: what says the same here
_INSTEAD = {"DURATION": "TIME", "WHERE": "TIERS", "BACKEND": "TIERS"}


class Book:
    """What is known of each commit, kept in results.json after each test."""

    def __init__(self, folder, values, wanted):
        self.path = folder / "results.json"
        self.commits = {}
        old = self._old() if values.resume else {}
        # a random one is not meant to be another
        self.seed = values.seed if "SEED" in values.given else old.get("seed", values.seed)
        self.key = {"format": _FORMAT, "revision": command.revision(), "seed": self.seed,
                    "tiers": wanted, "seconds": values.time}
        others = [k for k in self.key if old and old.get(k) != self.key[k]]
        if others:
            say("  RESUME=1: %s has results of another %s; they are tested again" % (
                self.path, ", ".join(others)))
        else:
            self.commits = old.get("commits", {})

    def _old(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def known(self, commit, tier):
        said = self.commits.get(commit.number, {}).get("tiers", {}).get(tier)
        return said if said and said["word"] != tiers.NOT_RUN else None

    def take(self, commit, tier, said):
        one = self.commits.setdefault(commit.number, {"subject": commit.subject, "tiers": {}})
        one["tiers"][tier] = said
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({**self.key, "commits": self.commits}, indent=1) + "\n")
        os.replace(new, self.path)


class Run:
    """All commits, one after the other."""

    def __init__(self, values, series, runner, book):
        self.values = values
        self.series = series
        self.runner = runner
        self.book = book
        self.histories = {tier: history.History(tier) for tier in runner.tiers}
        self.verdict = verdict.Verdict(series.base, values)
        self.took = []          # seconds, of each commit that was tested

    def _test(self, commit, tier, checkout):
        known = self.book.known(commit, tier)
        if known:
            return known
        try:
            checkout.at(commit, self.values.force)
        except Problem as problem:
            # of a base that nobody can test there is no series
            if problem.code != EXIT_USAGE or commit is self.series.base:
                raise
            said = tiers.not_run(problem.line)
        else:
            said = self.runner.unchanged(tier, commit.short)
        self.book.take(commit, tier, said)
        return said

    def _own(self, commit, said, cases, checkout):
        """Those of @cases that fail alone with @commit, and pass alone without it."""
        if "own" not in said:
            fail = self._fail_alone(commit, cases[:_ALONE], True, checkout)
            said["own"] = self._fail_alone(self.series.before(commit), fail, False, checkout)
            self.book.take(commit, "kunit", said)
        return said["own"]

    def _fail_alone(self, commit, cases, wanted, checkout):
        if cases:
            checkout.at(commit, self.values.force)
        return [c for c in cases if self.runner.case_fails(c, commit.short) is wanted]

    def _judge(self, commit, tier, said, checkout):
        """What @tier said of @commit, in words."""
        of_tier = self.histories[tier]
        if commit is self.series.base:
            judged = of_tier.base(commit, said)
        else:
            judged = of_tier.take(commit, said,
                                  lambda cases: self._own(commit, said, cases, checkout))
        self.verdict.take(commit, tier, judged)
        return "%s %s" % (tier, judged.text(self.verdict.name))

    def commit(self, commit, title, checkout, left):
        start = time.monotonic()
        # each of them: what one cannot build, another one can
        words = [self._judge(commit, tier, self._test(commit, tier, checkout), checkout)
                 for tier in self.runner.tiers]
        self.took.append(time.monotonic() - start)
        later = max(self.took[1:]) if self.took[1:] else None
        estimate = "; about %d s left" % (later * left) if later and left else ""
        say("  [%s] %s %.50s: %s, %.0f s%s" % (title, commit.short, commit.subject,
                                              "; ".join(words), self.took[-1], estimate))
        if commit.merged and commit is not self.series.base:
            say("    a merge, tested as one; each of its %d commits: %s" % (commit.merged,
                                                                          commit.inside()))

    def all(self, checkout):
        """Test them and say what was found, whatever ends it; the exit code."""
        count = len(self.series.commits)
        try:
            # what fails here already is no commit's
            self.commit(self.series.base, "base", checkout, count)
            for number, commit in enumerate(self.series.commits, 1):
                self.commit(commit, "%d/%d" % (number, count), checkout, count - number)
        except BaseException:
            say("  not at its end: %d of %d commits were tested; RESUME=1 goes on; so far:" % (
                max(0, len(self.took) - 1), count))
            self.verdict.say()
            raise
        return self.verdict.say()


def _check(values):
    """Refuse what would be ignored."""
    if not values.ksrc or not values.base:
        raise usage("make series takes KSRC=<a git tree of a kernel> BASE=<commit>; TIP=<commit> "
                    "is its HEAD unless you say otherwise")
    others = [n + "=" + (" (here it is %s=)" % _INSTEAD[n] if n in _INSTEAD else "")
              for n in values.given if n not in _USED]
    if others:
        raise usage("make series has no use for %s" % ", ".join(others))


def series():
    values = Values()
    _check(values)
    if "TIME" not in values.given:
        values.time = _SECONDS
    wanted = values.tiers or _TIERS
    packages.have({"git": "git"})
    found = commits.Series(values.ksrc, values.base, values.tip)
    packages.need(boot=any(t not in ("kunit", "uml") for t in wanted))
    folder = cache.results(values, "series")
    checkout = commits.Checkout(found)
    book = Book(folder, values, wanted)
    values.seed = book.seed
    say("tdp_stress: series of %d commits on %s, SEED=%d, %s, %d s each" % (
        len(found.commits), found.base.short, values.seed, ",".join(wanted), values.time))
    for note in found.notes:
        say("  " + note)
    values.ksrc = str(checkout.path)
    run = Run(values, found, tiers.Runner(values, folder, wanted), book)
    with checkout.mine():
        code = run.all(checkout)
    say("  results: %s" % book.path)
    return code


if __name__ == "__main__":
    main(series)
