# SPDX-License-Identifier: GPL-2.0
"""What the user sees of a KUnit run, and the files that stay of it.

Knows results and the kernel's own parser; must not know how they came about.
"""

import json
import os
import sys

from common import command, repeat, settings, signature
from common.say import EXIT_FAILURE, EXIT_PASS, say
from kunit import ktap

#: variables that decide what is run
_REPEATED = ("WHERE", "KSRC", "KVER", "VARIANT", "MUTANT", "KASAN", "FORCE")


def parsed(tool, raws, out, everything):
    """The kernel's own view of the files @raws (kunit.py parse), kept in @out."""
    out.write_text("")
    for raw in raws:
        argv = [sys.executable, "-B", tool, "parse", raw]
        said = command.output(argv)[1]
        with open(out, "a", encoding="utf-8") as f:
            f.write(said)
        shown = said if everything else command.output(argv + ["--failed"])[1]
        for line in shown.splitlines():
            if everything or "[PASSED]" not in line:
                say("  " + line)


def _variables(case=None):
    """Those that run @case once more (KUnit cannot choose a parameter), or all cases."""
    found = {n: os.environ[n].strip() for n in _REPEATED
             if n in settings.NAMES and os.environ.get(n, "").strip()}
    if case:
        found["FILTER"] = "%s.%s" % (case.suite,
                                     "*" if case.name.startswith(("(", "?")) else case.name)
    return found


def again(case):
    """The command that runs one case once more."""
    return repeat.command("kunit", _variables(case))


def suites(report):
    """One line for each suite."""
    names = list(dict.fromkeys(c.suite for c in report.cases))
    for name in names:
        mine = [c for c in report.cases if c.suite == name]
        numbers = [(sum(c.status == s for c in mine), s)
                   for s in (ktap.PASSED, ktap.FAILED, ktap.CRASHED, ktap.SKIPPED)]
        say("  %-20s %s" % (name, ", ".join("%d %s" % n for n in numbers
                                            if n[0] or n[1] == ktap.PASSED)))


def skips(report):
    """The reasons, each once."""
    reasons = {}
    for c in report.cases:
        if c.status == ktap.SKIPPED:
            reasons.setdefault(c.reason or "no reason given", []).append(c)
    for reason, cases in reasons.items():
        say("  skipped: %d (%s%s): %s" % (len(cases), cases[0].title,
                                          ", ..." if len(cases) > 1 else "", reason))


def failures(report, folder):
    """Each failure, and how to see it again."""
    for case, text in report.splats:
        say("  the kernel complained in %s: %s" % (case.title if case else "no case", text))
    shown = set()
    for c in report.failed():
        say("  %s: %s" % (c.status, c.title))
        command_line = again(c)
        if command_line not in shown:
            say("      again: %s" % command_line)
        shown.add(command_line)
    if report.splats or report.failed():
        say("  everything that was said: %s/raw*.log" % folder)


def take(report, results, name):
    """The report as part of a larger test (common.tap): a line for each suite, and for
    whatever went wrong."""
    for suite in dict.fromkeys(c.suite for c in report.cases):
        mine = [c for c in report.cases if c.suite == suite]
        bad = [c for c in mine if c.status in (ktap.FAILED, ktap.CRASHED)]
        for c in bad:
            results.not_ok("%s: %s" % (name, c.title), *c.said[-8:])
        good = sum(c.status == ktap.PASSED for c in mine)
        if good:
            results.ok("%s: %s: %d cases pass" % (name, suite, good))
        elif not bad:
            results.skip("%s: %s" % (name, suite), mine[0].reason)
    results.check("%s: every suite ends" % name, report.complete and bool(report.cases))
    for case, text in report.splats:
        results.not_ok("%s: the kernel complains in %s" % (name, case.title if case else
                                                           "no case"), text)


def close(report, folder, data, timings):
    """The last line, and summary.json; returns the exit code."""
    bad = report.failed() or report.splats or not report.complete or \
        not report.count(ktap.PASSED)
    code = EXIT_FAILURE if bad else EXIT_PASS
    verdict = "FAILURE" if bad else "SUCCESS"
    counts = {s: report.count(s) for s in (ktap.PASSED, ktap.SKIPPED)}
    counts["failed"] = len(report.failed())
    failed = report.failed()
    # a splat between two cases is no case's
    failures = [("KUNIT", "%s.%s" % (c.suite, c.name)) for c in failed] or \
        [("KUNIT", text) for _, text in report.splats]
    data.update({
        "door": "kunit", "repeat_variables": _variables(failed[0] if failed else None),
        "signatures": [signature.Signature(*f).data() for f in failures],
        "verdict": verdict, "counts": counts, "timings": timings,
        "splats": [[c.title if c else None, text] for c, text in report.splats],
        "cases": [{"suite": c.suite, "case": c.name, "parameter": c.param, "status": c.status,
                   "reason": c.reason} for c in report.cases],
    })
    (folder / "summary.json").write_text(json.dumps(data, indent=1) + "\n")
    say("--- End of test: %s: %d passed, %d failed, %d skipped, %.1f s (%s)" % (
        verdict, counts[ktap.PASSED], counts["failed"], counts[ktap.SKIPPED],
        sum(timings.values()), ", ".join("%s %.1f" % t for t in timings.items())))
    return code
