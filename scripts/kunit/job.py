# SPDX-License-Identifier: GPL-2.0
"""A KUnit run from a tree to the parsed result, in either home.

Knows the order of things and what a user may combine; each is done elsewhere.
"""

import copy
import fnmatch
import re

from common import cache, packages, versions
from common.say import EXIT_ENVIRONMENT, Problem, say, usage
from kunit import boot, change, ktap, qemu, report, uml
from mutants import mutant
from qemu import session, setup

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
    if values.scenario:
        raise usage("SCENARIO=%s goes with make run" % values.scenario)
    if values.kernel == "debian":
        raise usage("KERNEL=debian: the suites are compiled into a kernel that is built here")
    if values.kver in versions.DIRECT_ONLY:
        raise usage("KVER=%s: has no mirror roots; the suites need %s or newer" % (
            values.kver, versions.WITH_MIRROR[-1]))
    if (values.where or "uml") == "uml" and values.flavour != "lockdep":
        raise usage("FLAVOUR=%s: in UML the suites are run with lockdep" % values.flavour)
    _planted(values)


def _changed(values):
    """The variant or planted bug that is asked for."""
    return values.variant or values.mutant


def _planted(values):
    if not _changed(values):
        return None
    found = mutant.find(_changed(values))
    if found.in_tdx:
        raise usage("MUTANT=%s: the suites have nothing to do with tdx.c; make run MUTANT=%s" %
                    (found.id, found.id))
    return found


def build(values, folder):
    """A UML kernel of the tree in question, in @folder."""
    tree = setup.get_tree(values)
    planted = _planted(values)
    replaced = change.files(tree, planted) if planted else None
    return uml.build(uml.Uml(tree, values.config_name()), values.jobs, replaced, folder)


def in_uml(kernel, folder, wanted=None, planted=False):
    """Boot @kernel and read what it says: (list of Boots, Report)."""
    patterns = (wanted,) if wanted else boot.parts(suites())
    boots = boot.run_parts(kernel, folder, patterns, planted)
    whole = None
    for booted, part in zip(boots, patterns):
        with open(booted.raw, encoding="utf-8", errors="replace") as f:
            result = ktap.read(f)
        if not result.complete and booted.why != boot.ENOUGH:
            _name_the_crashed(kernel, folder, part, result)
        if whole:
            whole.add(result)
        else:
            whole = result
    return boots, whole


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


def _uml(values, folder, wanted):
    packages.need(boot=False, mutants=bool(_changed(values)))
    kernel = build(values, folder)
    say("  kernel: UML, Linux %s, %s%s, %s (%.1f s)" % (
        kernel.release, kernel.config_name,
        ", with %s" % _changed(values) if _changed(values) else "", kernel.how, kernel.seconds))
    boots, result = in_uml(kernel, folder, wanted, bool(values.mutant))
    if not result.started:
        booted = next((b for b in boots if b.code), boots[0])
        lines = booted.raw.read_text(errors="replace").splitlines()[-15:]
        raise Problem(EXIT_ENVIRONMENT, "UML does not come up on this machine (%s); log: %s" %
                      (booted.why or "exit code %d" % booted.code, booted.raw), lines)
    if result.complete and not result.cases:
        raise usage("FILTER=%s: no case has such a name" % values.filter)
    report.parsed(kernel.folder / "tools/testing/kunit/kunit.py", [b.raw for b in boots],
                  folder / "parsed", values.v or bool(values.filter))
    for booted in boots:
        if booted.why:
            say("  %s: ended" % booted.why)
    return kernel, result, {"build": round(kernel.seconds, 1),
                            "run": round(max(b.seconds for b in boots), 1)}


def _tidy(values, folder, code):
    """A kernel that was all right can be built again."""
    if not code and not values.keep:
        (folder / "linux").unlink(missing_ok=True)


def run(values):
    """All of it; returns the exit code."""
    check(values)
    folder = session.new_folder(values, "kunit-")
    say("tdp_stress: KUnit suites in %s" % (values.where or "uml"))
    wanted = pattern(values.filter)
    home = qemu.run if values.where == "qemu" else _uml
    kernel, result, timings = home(values, folder, wanted)
    report.suites(result)
    report.skips(result)
    report.failures(result, folder)
    data = {"where": values.where or "uml", "kernel": kernel.release,
            "tree": str(kernel.tree.path), "config": kernel.config_name,
            "variant": _changed(values), "filter": values.filter}
    say("  files: %s" % folder)
    code = report.close(result, folder, data, timings)
    _tidy(values, folder, code)
    return code


# --- as a part of make check ---

def part(values, results, where, wanted=None, edit=None):
    """The suites in one home, as results of a larger test; @edit: a harmless one to be made."""
    values = copy.copy(values)
    values.where, values.filter, values.variant, values.mutant = where, None, None, edit
    name = "%s, %s" % (where, edit) if edit else where
    folder = session.new_folder(values, "check-kunit-%s-" % name.replace(", ", "-"))
    home = qemu.run if where == "qemu" else _uml
    _, result, timings = home(values, folder, wanted)
    failed = len(results.failed)
    report.take(result, results, "kunit (%s)" % name)
    _tidy(values, folder, len(results.failed) - failed)
    say("  the suites took %s s; files: %s" % (timings["run"], folder))


def mutants(values, results):
    """A bug planted in the TDP MMU is caught by the case that is there for it; what is no
    bug by none."""
    tree = setup.get_tree(values)
    for bug in mutant.chosen(mutant.in_kunit(), values.full):
        title = "kunit: planted %s (%s) is caught" % (bug.id, bug.title)
        folder = session.new_folder(values, "check-kunit-%s-" % bug.id)
        kernel = uml.build(uml.Uml(tree, values.config_name()), values.jobs,
                           change.files(tree, bug), folder)
        seen = []
        for case in bug.case:
            _, result = in_uml(kernel, folder, case, planted=True)
            seen += result.failed()
        results.check(title, any("%s.%s" % (c.suite, c.name) in bug.case for c in seen),
                      "no failure of %s; %s" % (" or ".join(bug.case), folder))
        _tidy(values, folder, 0)
    for edit in mutant.chosen([m for m in mutant.harmless() if not m.in_tdx], values.full):
        part(values, results, "uml", edit=edit.id)
