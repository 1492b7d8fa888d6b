# SPDX-License-Identifier: GPL-2.0
"""make mutants: every planted bug has to be found, no harmless edit may be reported.

For each of scripts/mutants/ the front doors that a user has are called, the quickest
first, until one of them reports something; before and after that, all of them with
nothing planted. Knows the order of things; what a bug is, who runs what and how it
is shown are elsewhere (mutants/).
"""

import concurrent.futures
import threading
import time

from common import cache, packages, versions
from common.say import EXIT_BUILD, EXIT_FAILURE, EXIT_PASS, main, say, usage
from common.settings import TIERS, Values, matches
from mutants import mutant, records, tiers
from qemu import setup


def choose(values, release):
    """The mutants that are asked for, of those that are for this kernel."""
    known = [m for m in mutant.every() if m.applies(release)]
    # bugs first: they are what one waits for
    known.sort(key=lambda m: bool(m.benign))
    if not values.only:
        return known
    key, colon, name = values.only.partition(":")
    chosen = [m for m in known if matches(name if colon else key, m.kind if colon else m.id)]
    if not chosen:
        raise usage("ONLY=%s: no such mutant; %s" % (values.only, "classes: " + ", ".join(
            sorted({m.kind for m in known})) if colon else "scripts/mutants/ has them"))
    return chosen


def _duration(seconds):
    return "%d s" % seconds if seconds < 100 else "%d min" % round(seconds / 60)


class Batch:
    """All chosen mutants, some at a time."""

    def __init__(self, values, runner, book):
        self.values = values
        self.runner = runner
        self.book = book
        self.lock = threading.Lock()
        self.done = 0
        self.took = 0.0

    def all(self, chosen):
        todo = []
        for m in chosen:
            known = self.book.known(m)
            if list(self.runner.missing(m, known)):
                todo.append(m)
            else:
                self.book.take(m, known)
        if len(todo) < len(chosen):
            say("  %d of %d are known from before" % (len(chosen) - len(todo), len(chosen)))
        workers = max(1, min(self.values.jobs, len(todo)))
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            waiting = [pool.submit(self._one, m, len(todo), workers) for m in todo]
            try:
                for one in concurrent.futures.as_completed(waiting):
                    one.result()
            except BaseException:
                self.runner.stop = True
                for one in waiting:
                    one.cancel()
                raise

    def _one(self, change, count, workers):
        start = time.monotonic()
        record = self.runner.mutant(change, self.book.known(change))
        with self.lock:
            self.done += 1
            self.took += time.monotonic() - start
            self.book.take(change, record)
            left = self.took / self.done * (count - self.done) / workers
            say("  [%d/%d] %s: %s, %.0f s; about %s left" % (
                self.done, count, change.id, records.in_words(record),
                time.monotonic() - start, _duration(left)))


def _baseline(runner, book, when, wanted):
    """Nothing planted: nobody may report anything; whether that is so."""
    found = {}
    for tier in wanted:
        found[tier] = runner.unchanged(tier, "baseline-" + when)
        say("  baseline %s, %s: %s" % (when, tier, found[tier]["word"]))
    book.baseline(when, found)
    return all(f["word"] == tiers.CLEAN for f in found.values())


def _exit_code(book, clean):
    counts = book.counts()
    if counts["survived"] or counts["reported"] or not clean or counts["killed, equivalent"]:
        return EXIT_FAILURE
    if counts["not built"] or counts["not run"]:
        return EXIT_BUILD
    return EXIT_PASS


def mutants():
    values = Values()
    if values.mutant or values.variant:
        raise usage("make mutants takes ONLY=, not MUTANT= or VARIANT=")
    if values.kernel == "debian" or values.kver in versions.DIRECT_ONLY:
        raise usage("make mutants: what is planted is built here, for %s or newer" %
                    versions.WITH_MIRROR[-1])
    tree = setup.get_tree(values)
    chosen = choose(values, tree.release)
    wanted = values.tiers or list(TIERS)
    applying = [t for t in wanted if any(tiers.applies(t, m) for m in chosen)]
    if not applying:
        raise usage("TIERS=%s: none of them can show any of ONLY=%s" % (",".join(wanted),
                                                                       values.only))
    others = len(chosen)
    chosen = [m for m in chosen if any(tiers.applies(t, m) for t in applying)]
    others -= len(chosen)
    packages.need(boot=any(t not in ("kunit", "uml") for t in applying), mutants=True)
    folder = cache.results(values, "mutants")
    bugs = sum(m.is_bug for m in chosen)
    say("tdp_stress: mutants: %d bugs and %d harmless edits, Linux %s, SEED=%d, %s, %d at a time" %
        (bugs, len(chosen) - bugs, tree.release, values.seed, ",".join(applying), values.jobs))
    if others:
        say("  %d more are for other tiers" % others)
    book = records.Book(folder, values, tree, applying)
    runner = tiers.Runner(values, folder, applying)
    clean = _baseline(runner, book, "before", applying)
    try:
        if clean:
            Batch(values, runner, book).all(chosen)
            clean = _baseline(runner, book, "after", applying)
        else:
            say("  nothing is planted: the baseline is not clean, see %s" % folder)
    finally:
        # what is known so far, of a batch that was interrupted, too
        book.close(chosen)
    say("  results: %s, results.rst beside it" % (folder / "results.json"))
    return _exit_code(book, clean)


if __name__ == "__main__":
    main(mutants)
