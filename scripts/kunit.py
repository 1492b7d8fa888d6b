# SPDX-License-Identifier: GPL-2.0
"""make kunit: from a tree to the parsed result of the KUnit suites.

Knows the order of things and what a user may combine; each is done elsewhere.
"""

import fnmatch
import re
import sys

from common import cache, packages
from common.say import EXIT_ENVIRONMENT, Problem, main, say, usage
from common.settings import Values
from kunit import boot, change, ktap, report, uml
from qemu import session
import run as front

_SUITE = re.compile(r"\bBED_SUITE\((\w+),|\.name = \"(\w+)\"")


def suites():
    """Names of the suites, as their sources have them."""
    found = set()
    for path in sorted((cache.REPO / "kunit/suites").glob("*.c")):
        for m in _SUITE.finditer(path.read_text()):
            found.add(m.group(1) or m.group(2))
    return sorted(found)


def pattern(text):
    """A FILTER as KUnit takes it: frozen.* is short for tdp_mmu_frozen.*"""
    if not text:
        return None
    suite, dot, case = text.partition(".")
    known = suites()
    if not fnmatch.filter(known, suite):
        if not fnmatch.filter(known, "*" + suite):
            raise usage("FILTER=%s: no such suite; there are: %s" % (text, ", ".join(known)))
        suite = "*" + suite
    return suite + (dot + case if dot else "")


def check(values):
    """Combinations that mean nothing."""
    if values.kernel == "debian":
        raise usage("KERNEL=debian: the suites are compiled into a kernel that is built here")
    if values.kver == "6.12":
        raise usage("KVER=6.12: has no mirror roots; the suites need 7.2 or newer")
    if (values.where or "uml") == "uml" and values.flavour != "lockdep":
        raise usage("FLAVOUR=%s: in UML the suites are run with lockdep" % values.flavour)


def build(values, replaced=None):
    """A UML kernel of the tree in question; @replaced: see uml.build()."""
    tree = front.get_tree(values)
    if values.variant and replaced is None:
        what = change.find(values.variant)
        replaced = change.files(tree, what)
    return uml.build(uml.Uml(tree, values.config_name()), values.jobs, replaced)


def in_uml(kernel, folder, wanted=None):
    """Boot @kernel and read what it says: (Boot, Report)."""
    raw = folder / "raw.log"
    booted = boot.run(kernel, folder, raw, wanted)
    with open(raw, encoding="utf-8", errors="replace") as f:
        result = ktap.read(f)
    if not result.complete:
        _name_the_crashed(kernel, folder, wanted, result)
    return booted, result


def _name_the_crashed(kernel, folder, wanted, result):
    """KUnit says a case's name behind it: ask for the list, if it never got there."""
    crashed = next((c for c in result.cases if c.status == ktap.CRASHED), None)
    if not crashed or crashed.name != "?":
        return
    raw = folder / "list.log"
    boot.run(kernel, folder, raw, wanted, ("kunit.action=list",), what="ask for the list of cases")
    cases = re.findall(r"^%s\.(\S+)" % re.escape(crashed.suite), raw.read_text(errors="replace"),
                       re.M)
    if result.done_in_suite < len(cases):
        crashed.name = cases[result.done_in_suite]


def _uml(values, folder):
    wanted = pattern(values.filter)
    packages.need(boot=False, mutants=bool(values.variant))
    kernel = build(values)
    say("  kernel: UML, Linux %s, %s%s, %s (%.1f s)" % (
        kernel.release, kernel.config_name,
        ", VARIANT=%s" % values.variant if values.variant else "", kernel.how, kernel.seconds))
    booted, result = in_uml(kernel, folder, wanted)
    raw = folder / "raw.log"
    if not result.started:
        lines = raw.read_text(errors="replace").splitlines()[-15:]
        raise Problem(EXIT_ENVIRONMENT, "UML does not come up on this machine (%s); log: %s" %
                      (booted.why or "exit code %d" % booted.code, raw), lines)
    if result.complete and not result.cases:
        raise usage("FILTER=%s: no case has such a name" % values.filter)
    report.parsed(kernel.folder / "tools/testing/kunit/kunit.py", raw, folder / "parsed",
                  values.v or bool(values.filter))
    if booted.why:
        say("  %s: ended" % booted.why)
    return kernel, result, {"build": round(kernel.seconds, 1), "run": round(booted.seconds, 1)}


def kunit():
    values = Values()
    check(values)
    folder = session.new_folder(values, "kunit-")
    say("tdp_stress: KUnit suites in %s" % (values.where or "uml"))
    if values.where == "qemu":
        from kunit import qemu      # what it takes is not needed in UML
        kernel, result, timings = qemu.run(values, folder, pattern(values.filter))
    else:
        kernel, result, timings = _uml(values, folder)
    report.suites(result)
    report.skips(result)
    report.failures(result, folder / "raw.log")
    data = {"where": values.where or "uml", "kernel": kernel.release,
            "tree": str(kernel.tree.path), "config": kernel.config_name,
            "variant": values.variant, "filter": values.filter}
    say("  files: %s" % folder)
    return report.close(result, folder, data, timings)


if __name__ == "__main__":
    if sys.argv[1:]:
        print("usage: make kunit VARIABLE=value ... (make help lists the variables)")
        sys.exit(2)
    main(kunit)
