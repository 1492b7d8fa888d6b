# SPDX-License-Identifier: GPL-2.0
"""make selfcheck: the tester tests itself.

Every planted violation, and every bug planted in a copy of KVM, has to turn
the verdict to FAILURE under its own name; a clean run has to be a SUCCESS.
Knows what is planted and what it has to be called; must not know how.
"""

import os
import re

from common import packages, tap
from common.say import Step, main, say
from common.settings import Values
from mutants import mutant
from qemu import judge, session, setup

PLANTS = ("F1", "F2", "F4", "X1", "X2", "X3", "X4", "Z1", "Z2", "T1", "R1", "L1", "A1", "H1",
          "H2", "P1", "SPLAT")
#: what follows when KVM gives up a VM: it leaks what it can no longer take back
_GIVEN_UP = ("SPLAT", "Z1", "A1")
#: the stub's own, {name: (the ids it has to be caught as, ids that may follow)};
#: x3 comes last, for KVM then frees pages that the TDX module still holds
STUB_PLANTS = {
    "l1_private": (("L1",), ()),
    "l1_shared": (("L1",), ()),
    "x1": (("X1",), ("X3",)),
    "canary": (("X1",), ()),
    "x3": (("X3",), ("X2",) + _GIVEN_UP),
}
#: one of each kind, for make check without FULL=1
_QUICK_PLANTS = ("F1", "X2", "Z1", "R1", "L1", "SPLAT")
_QUICK_STUB_PLANTS = ("l1_private", "x3")
#: what is caught ends at once; a busy machine takes its time to get there
_PLANT_SECONDS = 60
_VARIANT_BUG_SECONDS = 60
_MUTANT_SECONDS = 20
_CLEAN_SECONDS = 10
_VARIANT_SECONDS = 20
#: splits, and promotions, of a run; a busy machine gets to a tenth of an idle one's
_VARIANT_CALLS = 20


def _ids(verdict):
    m = re.match(r"FAILURE: (.*)", verdict.strip())
    return re.findall(r"[A-Z]+[0-9]*", m.group(1)) if m else []


def _wrong(verdict, violations, expect, other):
    """Why @verdict does not name what was planted, or an empty string.

    The verdict has to name one of @expect, that has to be what was seen first,
    and only @other may follow from it.
    """
    ids = _ids(verdict)
    if not ids:
        return "not caught: %s" % (verdict.strip() or "no verdict")
    if not set(ids) & set(expect):
        return "caught as %s, wanted %s" % (" ".join(ids), " or ".join(expect))
    surplus = set(ids) - set(expect) - set(other)
    if surplus:
        return "caught, but also named: %s" % " ".join(sorted(surplus))
    first = violations.partition(":")[0].strip()
    if first not in expect:
        return "caught, but what was named first is %s" % (first or "nothing")
    return ""


#: what only the external backend can show; {id: ids that may follow}
EXTERNAL_PLANTS = {"F3": (), "S1": (), "S2": (), "D1": ()}


def _params(values, **more):
    params = setup.job_params(values)
    params.update(more)
    return params


def plants(guest, values, results):
    """One boot, one load of tdp_stress for each planted violation."""
    ours = PLANTS if values.full else _QUICK_PLANTS
    stubs = STUB_PLANTS if values.full else _QUICK_STUB_PLANTS
    expected = {"oracle " + i: ((i,), ()) for i in ours}
    expected.update({"stub " + n: STUB_PLANTS[n] for n in stubs})
    _plants(guest, "selfcheck", expected, results,
            _params(values, PLANTS=" ".join(ours), STUB_PLANTS=" ".join(stubs),
                    PLANT_SECONDS=_PLANT_SECONDS))


def external_plants(guest, values, results):
    """The same for what only the external backend can show."""
    values = values.external(duration=_PLANT_SECONDS)
    expected = {"external " + i: ((i,), other) for i, other in EXTERNAL_PLANTS.items()}
    _plants(guest, "selfcheck-external", expected, results,
            _params(values, PLANTS=" ".join(EXTERNAL_PLANTS)))


def _plants(guest, job, expected, results, params):
    step = Step("boot a guest for %d planted violations" % len(expected))
    outcome = guest.boot(job, params, len(expected) * (_PLANT_SECONDS + 10),
                         on_message=lambda word, rest: word == "plant" and
                         step.progress(rest.partition("|")[0]))
    step.done(outcome.end)
    seen = {}
    for line in outcome.words("plant"):
        name, verdict, code, seconds = line.split("|")
        seen[name] = (verdict, code, seconds)
    for name, (expect, other) in expected.items():
        title = "plant %s caught as %s" % (name, expect[0])
        if name not in seen:
            failed = [f for f in outcome.words("fail") if name.split()[-1] in f]
            results.not_ok(title, failed[0] if failed else
                           "the guest %s before it: %s" % (outcome.end, outcome.why))
            continue
        verdict, _, seconds = seen[name]
        why = _wrong(verdict, outcome.files.get(name.replace(" ", ".") + ".violations", ""),
                     expect, other)
        title += " (%s s)" % seconds
        if why:
            results.not_ok(title, why)
        else:
            results.ok(title)
    unloads = [f for f in outcome.words("fail") if f.startswith("unload")]
    title = "everything unloads after planted violations"
    if outcome.end == "finished" and not unloads:
        results.ok(title)
    else:
        results.not_ok(title, *(unloads or ["the guest %s: %s" % (outcome.end, outcome.why)]))


def clean(guest, values, results, seconds):
    """Nothing planted: the tester must not cry wolf."""
    values.duration = seconds
    title = "clean run of %d s (%s) is a SUCCESS" % (seconds, values.backend)
    return ends_with(guest, values, results, title, judge.SUCCESS)


def ends_with(guest, values, results, title, word, replace=None):
    """A run that has to end with @word; returns its Outcome."""
    step = Step("stress for %d s" % values.duration)
    outcome = setup.stress(guest, values, replace, on_text=lambda text: step.progress(text[:70]))
    verdict = judge.judge(outcome)
    step.done(verdict.word)
    results.check(title, verdict.word == word, verdict.word, verdict.reason,
                  "files: %s" % guest.folder)
    return outcome


def _bug(guest, values, results, bug, seconds):
    """A bug in a copy of KVM has to be caught under its name."""
    title = "bug %s caught as %s" % (bug.id, " or ".join(bug.expect))
    modules = mutant.build_modules(guest.kernel, bug, values.jobs)
    values.duration = seconds
    step = Step("stress with %s" % bug.id)
    outcome = setup.stress(guest, values, modules, STOP_EARLY=1,
                           on_text=lambda text: step.progress(text[:70]))
    verdict = judge.judge(outcome)
    said = outcome.files.get("stress.verdict", "")
    step.done(said.strip() or verdict.word)
    why = _wrong(said, outcome.files.get("stress.violations", ""), bug.expect, bug.other)
    if verdict.word == judge.FAILURE and not why:
        results.ok(title)
    else:
        results.not_ok(title, why or verdict.word, "files: %s" % guest.folder)
    keep(guest.folder, bug.id)


def _passes(guest, values, results, change, title):
    """What is no bug in a copy of KVM has to be a SUCCESS; returns the run's Outcome."""
    modules = mutant.build_modules(guest.kernel, change, values.jobs)
    outcome = ends_with(guest, values, results, title, judge.SUCCESS, modules)
    keep(guest.folder, change.id)
    return outcome


def mutants(guest, values, results):
    """A bug in a copy of KVM, or what is none, one boot each."""
    for bug in mutant.chosen(mutant.in_run(), values.full):
        _bug(guest, values, results, bug, _MUTANT_SECONDS)
    for edit in mutant.chosen([m for m in mutant.harmless() if m.in_tdx], values.full):
        values.duration = _CLEAN_SECONDS
        _passes(guest, values, results, edit, "harmless %s is not reported" % edit.id)


def variants(guest, values, results):
    """What KVM may become: each variant is stressed, each bug in it caught."""
    for change in mutant.chosen(mutant.variants() + mutant.in_variants(), values.full):
        v = values.external(duration=_VARIANT_SECONDS, ops=change.ops or None)
        if change.is_bug:
            _bug(guest, v, results, change, _VARIANT_BUG_SECONDS)
        else:
            _variant(guest, v, results, change)


def _variant(guest, values, results, variant):
    outcome = _passes(guest, values, results, variant, "variant %s is a SUCCESS" % variant.id)
    counters = judge.module_counters(outcome.files)
    for leaf in ("TDH.MEM.PAGE.DEMOTE", "TDH.MEM.PAGE.PROMOTE"):
        calls = counters.get("leaf.%s.calls" % leaf, 0)
        results.check("variant %s: %s, %d times" % (variant.id, leaf, calls),
                      calls >= _VARIANT_CALLS, "at least %d in %d s are wanted" %
                      (_VARIANT_CALLS, values.duration))


def keep(folder, name):
    """The next boot writes over these."""
    for kept in ("console.log", "stress.violations", "stress.verdict", "stress.flight",
                 "stress.stats", "stress.ops"):
        if (folder / kept).exists():
            os.replace(folder / kept, folder / (name + "." + kept))


def everything(values, kernel, built, machine, results):
    folder = session.new_folder(values, "selfcheck-")
    guest = session.Session(values, kernel, built, machine, folder)
    plants(guest, values, results)
    keep(folder, "plants")
    mutants(guest, values, results)
    clean(guest, values, results, _CLEAN_SECONDS)
    guest = guest.on(setup.get_machine(values.external(), kernel), values.external())
    external_plants(guest, values, results)
    keep(folder, "external-plants")
    variants(guest, values, results)


def selfcheck():
    values = Values()
    values.full = True
    packages.need(qemu=values.qemu, mutants=True)
    say("tdp_stress: selfcheck, SEED=%d" % values.seed)
    kernel, built = setup.prepare(values)
    machine = setup.get_machine(values, kernel)
    setup.say_machine(machine)
    results = tap.Results()
    everything(values, kernel, built, machine, results)
    return results.close()


if __name__ == "__main__":
    main(selfcheck)
