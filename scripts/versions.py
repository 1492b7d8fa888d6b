# SPDX-License-Identifier: GPL-2.0
"""make versions: what a kernel that tdp_stress was not written for has changed.

Of everything in KVM and in the TDX host support that tdp_stress names: what is gone, what
has another shape, who uses it; which planted bugs and variants no longer fit. Then all that
depends on the tree is built. A screen of it is shown, all of it is in a file. If it builds, a
change counts as a failure where no compiler sees it. Knows the order of things and the report;
what a tree defines is kernel/shapes.py's.
"""

import re
import tempfile
from pathlib import Path

from common import cache, packages
from common.say import (EXIT_BUILD, EXIT_CONFIG, EXIT_FAILURE, EXIT_PASS, Problem, Step, main,
                        say, usage)
from common.settings import Values
from kernel import build, debian, ours, shapes, source
from kunit import qemu, uml
from mutants import mutant
import backend

#: what names something of KVM or of the TDX host code
MODULES = [cache.REPO / "tdp_stress/kvm", cache.REPO / "tdp_stress/stub"]
KUNIT = [cache.REPO / "kunit"]
#: who is affected: folder, what is made of it
_USERS = (("tdp_stress/kvm", "tdp_stress.ko"), ("tdp_stress/stub", "tdx_stub.ko"),
          ("kunit/um/stress", "tdp_stress in UML"), ("kunit/um", "KUnit in UML"),
          ("kunit/qemu", "KUnit in QEMU"), ("kunit", "KUnit"))
#: its operations are static calls, which are found by name
_OPERATIONS = "kvm_x86_ops"
#: lines of each list on the screen; the longest, and where there are few
_SHOWN, _WIDTH, _FEW_WIDTH = 8, 100, 160


class Report:
    """All that there is to say goes to a file, what fits a screen is shown."""

    def __init__(self, path):
        self.path = path
        path.write_text("", encoding="utf-8")

    def note(self, *lines):
        with self.path.open("a", encoding="utf-8") as f:
            f.write("".join(line + "\n" for line in lines))

    def say(self, line):
        self.note(line)
        say(line)

    def each(self, entries):
        """@entries: (brief, [line]) of each thing: with its lines, or brief if there are many."""
        self.note(*(line for brief, more in entries for line in (brief, *more)))
        lines = [_short(line, _FEW_WIDTH) for brief, more in entries for line in (brief, *more)]
        if len(lines) > _SHOWN:
            lines = [_short(brief) for brief, _ in entries]
        for line in lines[:_SHOWN]:
            say(line)
        if len(lines) > _SHOWN:
            say("  and %d more" % (len(lines) - _SHOWN))


def _short(text, width=_WIDTH):
    return text if len(text) <= width else text[:width - 3] + "..."


def _users(paths):
    """Who @paths are a part of."""
    found = []
    for path in sorted(str(p.relative_to(cache.REPO)) for p in paths):
        user = next(what for folder, what in _USERS if path.startswith(folder + "/"))
        found.append((user, Path(path).name))
    return "; ".join("%s: %s" % (user, ", ".join(n for u, n in found if u == user))
                     for _, user in _USERS if any(u == user for u, _ in found))


def compare(old, new, used, copies=()):
    """[(what, was, is)] of what is @used and differs between two trees' shapes. Of @copies, the
    structures that are defined here once more, every member counts, and their order.
    """
    found = []
    for name in sorted(n for n in old if n in used):
        was, now = old[name], new.get(name)
        if now is None:
            found.append((name, "%s of %s" % (was.kind, was.path), None))
        elif was.members is None or now.members is None:
            if (was.kind, was.text) != (now.kind, now.text):
                found.append((name, was.text or was.kind, now.text or now.kind))
        elif name in copies:
            layouts = ["; ".join(s.members.values()) for s in (was, now)]
            if layouts[0] != layouts[1]:
                found.append((name, *layouts))
        else:
            found += [("%s.%s" % (name, member), text or "enumerator",
                       now.members.get(member))
                      for member, text in was.members.items()
                      if member in used and now.members.get(member) != text]
    return found


class Used:
    """What C files name: @words: to the compiler or not, @strings: not to it; @copies of the
    kernel's structures, of the modules' alone: those in kunit/ are for kernels of their own.
    """

    def __init__(self, modules=MODULES, kunit=KUNIT):
        self.words = shapes.names_in(modules + kunit)
        self.strings = shapes.strings_in(modules + kunit)
        self.copies = shapes.copies_in(modules)

    def unseen(self, what, kind):
        """Whether everything may build although @what has changed: it is found by its name."""
        name, _, member = what.partition(".")
        if member:
            return name == _OPERATIONS and member in self.strings
        return name in self.copies or (name in self.strings and kind != "macro")


def say_shapes(known, tree, used, report):
    """What has changed, first what no compiler sees, and what is gone: (how much, how much of
    it no compiler sees).
    """
    old, new = shapes.of_tree(known), shapes.of_tree(tree)
    changed = [(not used.unseen(what, old[what.partition(".")[0]].kind), now is not None, what,
                was, now) for what, was, now in compare(old, new, used.words, used.copies)]
    unseen = sum(not seen for seen, *_ in changed)
    report.say("%d things of KVM and of TDX host support are used; %d differ from Linux %s%s" % (
        sum(name in used.words for name in old), len(changed), known.release,
        ", %d of them where no compiler sees it" % unseen if unseen else ""))
    entries = []
    for seen, there, what, was, now in sorted(changed, key=lambda c: c[:3]):
        users = _users(used.words[what.partition(".")[2] or what])
        entries.append(("  %s is %s; used by %s%s" % (what, "another" if there else "gone",
                                                      "" if seen else "name in ", users),
                        ["      was  %s" % was] + (["      is   %s" % now] if there else [])))
    report.each(entries)
    return len(changed), unseen


def _so_what(changed, worse, builds):
    """What all that has @changed comes to: @worse of it is not the compiler's to tell."""
    if worse or builds.bad:
        return ""
    return "; no change keeps anything from running" if changed else \
        "; nothing that is used has changed"


def _say_changes(tree, report):
    """Planted bugs, harmless edits and variants that no longer fit; how many."""
    step = Step("try planted bugs and variants on it")
    bad, every = [], mutant.every() + mutant.variants()
    every = [m for m in every if not m.kernel or m.applies(tree.release)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, change in enumerate(every):
            step.progress("%d of %d" % (number, len(every)))
            try:
                mutant.fits(change, tree.path, folder)
            except (Problem, OSError) as why:
                bad.append(("  does not fit: %s" % change.id,
                            # (the log goes with the folder)
                            ["      %s" % str(why).partition("; log: ")[0]]))
    step.done("%d of %d fit" % (len(every) - len(bad), len(every)))
    report.each(bad)
    return len(bad)


class _Builds:
    """What is built, one after the other; what does not build does not end it."""

    def __init__(self, report):
        self.report = report
        self.good, self.bad = [], []
        self.code = EXIT_PASS

    def make(self, what, function, *args):
        """Whether @what is there now; else it is said why not."""
        try:
            function(*args)
        except Problem as problem:
            # a full disk is not the tree's fault
            if problem.code not in (EXIT_BUILD, EXIT_CONFIG):
                raise
            self.bad.append(what)
            self.code = self.code or problem.code
            self.report.say("  %s: %s" % (what, problem.line))
            self.report.note(*("      " + line for line in problem.more))
            for line in [l for l in problem.more if re.search(r"\berror\b", l, re.I)][:1]:
                say("      " + _short(line))
            return False
        self.good.append(what)
        return True


def _build(values, tree, report):
    """All that takes the tree's KVM: for a guest, and for User Mode Linux."""
    builds = _Builds(report)
    kernel = build.Kernel(tree, values.config_name())
    if builds.make("kernel", build.build, kernel, values.jobs):
        names = list(dict.fromkeys(n for b in backend.ALL.values() for n in b.modules))
        builds.make("modules and driver", ours.build, kernel, values.jobs, names, True)
        # the suites take a kernel with KUnit
        if values.flavour == "lockdep":
            builds.make("KUnit in QEMU", qemu.build, kernel, values.jobs)
        else:
            report.say("  KUnit in QEMU: not built: FLAVOUR=%s is without KUnit" % values.flavour)
    builds.make("KUnit in UML", uml.build, uml.Uml(tree, "lockdep"), values.jobs)
    builds.make("tdp_stress in UML", uml.build, uml.Uml(tree, "stress"), values.jobs)
    return builds


def versions():
    values = Values()
    if not values.ksrc:
        raise usage("make versions takes KSRC=<the kernel tree to look at>")
    tree = source.check(values.ksrc, force=True)
    packages.need(boot=False, mutants=True)
    known = source.check(debian.get(None))
    report = Report(cache.results(values, "versions") / "changes")
    report.say("tdp_stress: Linux %s in %s, against %s" % (tree.release, tree.path,
                                                           known.release))
    say("  all of it: %s" % report.path)
    changed, worse = say_shapes(known, tree, Used(), report)
    worse += _say_changes(tree, report)
    builds = _build(values, tree, report)
    if builds.good:
        report.say("it builds: %s%s" % (", ".join(builds.good), _so_what(changed, worse, builds)))
    if builds.bad:
        raise Problem(builds.code, "%s: does not build: %s; all of it: %s" % (
            tree.path, ", ".join(builds.bad), report.path))
    return EXIT_FAILURE if worse else EXIT_PASS


if __name__ == "__main__":
    main(versions)
