# SPDX-License-Identifier: GPL-2.0
"""make versions: what a kernel that tdp_stress was not written for has changed.

Of everything in KVM and in the TDX host support that tdp_stress names: what is gone, what
has another shape, who uses it; which planted bugs and variants no longer fit. Then it is
built. Knows the order of things and the report; what a tree defines is kernel/shapes.py's.
"""

import tempfile
from pathlib import Path

from common import cache, packages
from common.say import EXIT_FAILURE, EXIT_PASS, Problem, Step, main, say, usage
from common.settings import Values
from kernel import build, debian, ours, shapes, source
from mutants import mutant
import backend

#: who is affected: folder, what is made of it
_USERS = (("tdp_stress/kvm", "tdp_stress.ko"), ("tdp_stress/stub", "tdx_stub.ko"),
          ("kunit/um", "KUnit in UML"), ("kunit/qemu", "KUnit in QEMU"), ("kunit", "KUnit"))
_SHOWN = 12


def _users(paths):
    """Who @paths are a part of."""
    found = []
    for path in sorted(str(p.relative_to(cache.REPO)) for p in paths):
        user = next(what for folder, what in _USERS if path.startswith(folder + "/"))
        found.append((user, Path(path).name))
    return "; ".join("%s: %s" % (user, ", ".join(n for u, n in found if u == user))
                     for user in dict.fromkeys(u for u, _ in found))


def compare(old, new, used):
    """[(what, was, is)] of what is @used and differs between two trees' shapes."""
    found = []
    for name in sorted(n for n in old if n in used):
        was, now = old[name], new.get(name)
        if now is None:
            found.append((name, "%s of %s" % (was.kind, was.path), None))
        elif was.members is None or now.members is None:
            if (was.kind, was.text) != (now.kind, now.text):
                found.append((name, was.text or was.kind, now.text or now.kind))
        else:
            found += [("%s.%s" % (name, member), text or "enumerator",
                       now.members.get(member))
                      for member, text in was.members.items()
                      if member in used and now.members.get(member) != text]
    return found


def _short(text):
    return text if len(text) <= 160 else text[:157] + "..."


def say_shapes(known, tree, used):
    """What has changed, line by line; how much."""
    old, new = shapes.of_tree(known), shapes.of_tree(tree)
    changed = compare(old, new, used)
    say("%d things of KVM and of TDX host support are used; %d differ from Linux %s" % (
        sum(name in used for name in old), len(changed), known.release))
    for name, was, now in changed:
        say("  %s %s" % (name, "is gone" if now is None else "is another"))
        say("      was  %s" % _short(was))
        if now is not None:
            say("      is   %s" % _short(now))
        say("      used by  %s" % _users(used[name.partition(".")[2] or name]))
    return len(changed)


def _say_changes(tree):
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
            except (Problem, OSError):
                bad.append(change.id)
    step.done("%d of %d fit" % (len(every) - len(bad), len(every)))
    for ident in bad[:_SHOWN]:
        say("  does not fit: %s" % ident)
    if len(bad) > _SHOWN:
        say("  and %d more" % (len(bad) - _SHOWN))
    return len(bad)


def _build(values, tree):
    """The kernel, the modules, the driver; what does not build says why and ends it."""
    kernel = build.build(build.Kernel(tree, values.config_name()), values.jobs)
    for one in backend.ALL.values():
        ours.build(kernel, values.jobs, one.modules, one.programs)


def versions():
    values = Values()
    if not values.ksrc:
        raise usage("make versions takes KSRC=<the kernel tree to look at>")
    tree = source.check(values.ksrc, force=True)
    packages.need(boot=False, mutants=True)
    known = source.check(debian.get(None))
    say("tdp_stress: Linux %s in %s, against %s" % (tree.release, tree.path, known.release))
    used = shapes.names_in(cache.REPO / folder for folder in ("tdp_stress/kvm",
                                                              "tdp_stress/stub", "kunit"))
    count = say_shapes(known, tree, used)
    count += _say_changes(tree)
    _build(values, tree)
    say("it builds%s" % ("" if count else ", and nothing that is used has changed"))
    return EXIT_FAILURE if count else EXIT_PASS


if __name__ == "__main__":
    main(versions)
