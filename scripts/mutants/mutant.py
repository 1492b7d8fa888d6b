# SPDX-License-Identifier: GPL-2.0
"""Changes made to a copy of the kernel's KVM, and the modules built from it.

A change is a Coccinelle semantic patch with a header: a variant (scripts/variants,
what a coming kernel might do) or a planted bug (scripts/mutants, and those in
scripts/variants that have a base). Only arch/x86/kvm and virt/kvm are copied, and
KVM is built from the copy as external modules against the kernel that is built
already, so that a change costs a compilation of KVM once and of one file
afterwards. Headers stay as they are: tdp_stress.ko fits whatever was changed.
Knows patches and copies; must not know how a change is run or judged.
"""

import filecmp
import os
import re
import shutil
from pathlib import Path

from common import cache, command
from common.say import Step, build_failed, usage
from kernel.failure import failure

HERE = Path(__file__).resolve().parent
VARIANTS = HERE.parent / "variants"
KUNIT = HERE / "kunit"
_COPIED = ("arch/x86/kvm", "virt/kvm")
MODULES = ("kvm", "kvm-intel", "kvm-amd")
_LISTS = ("file", "expect", "other")


class Mutant:
    """One change, as its header describes it."""

    def __init__(self, path):
        self.path = path
        self.id = self.title = self.base = ""
        self.ops = ""           # ops= of a run that is to meet it often, "" for any
        self.quick = ""         # "yes": make check does it without FULL=1, too
        self.file = []          # what it changes, paths in the tree
        self.expect = []        # of a bug: any of these names it
        self.other = []         # and these may come with it
        for line in path.read_text(encoding="utf-8").splitlines():
            m = re.match(r"// (Id|Title|File|Base|Ops|Quick|Expect|Other): (.*)", line)
            if m:
                key, value = m.group(1).lower(), m.group(2).strip()
                setattr(self, key, value.split() if key in _LISTS else value)
        for key in ("id", "title", "file") + (("expect",) if self.is_bug else ()):
            if not getattr(self, key):
                raise usage("%s: its header has no '%s:' line" % (path, key.capitalize()))
        if self.quick not in ("", "yes"):
            raise usage("%s: Quick: '%s' must be yes, or the line left out" % (path, self.quick))
        if self.id != path.stem:
            raise usage("%s: its Id is '%s', which is not the file's name" % (path, self.id))
        for name in self.file:
            if not name.startswith(_COPIED) or not name.endswith(".c"):
                raise usage("%s: File: '%s' is no .c file of KVM's" % (path, name))

    @property
    def is_bug(self):
        return bool(self.base) or self.path.parent in (HERE, KUNIT)

    def chain(self):
        """What is applied, first to last."""
        return (variant(self.base).chain() if self.base else []) + [self]


def every():
    """Bugs planted in the kernel as it is, found by the main job."""
    return [Mutant(p) for p in sorted(HERE.glob("*.cocci"))]


def in_kunit():
    """Bugs planted in the TDP MMU, found by a case of the KUnit suites."""
    return [Mutant(p) for p in sorted(KUNIT.glob("*.cocci"))]


def variants():
    """Variants, and the bugs planted in them."""
    return [Mutant(p) for p in sorted(VARIANTS.glob("*.cocci"))]


def chosen(changes, full):
    """All of @changes, or those that are worth their time in every make check."""
    return [c for c in changes if full or c.quick]


def variant(name):
    """The one of that name; bad usage if there is none."""
    known = variants()
    for v in known:
        if v.id == name:
            return v
    raise usage("no variant '%s'; there are: %s" % (name, ", ".join(v.id for v in known)))


def _refresh(tree, copy):
    """Make @copy equal to the tree's KVM; touch only what differs."""
    kept = set()
    for part in _COPIED:
        for folder, _, names in os.walk(tree.path / part):
            to = copy / os.path.relpath(folder, tree.path)
            to.mkdir(parents=True, exist_ok=True)
            for name in names:
                source, target = Path(folder) / name, to / name
                kept.add(target)
                if not target.exists() or not filecmp.cmp(source, target, shallow=False):
                    shutil.copyfile(source, target)
    for part in _COPIED:
        for folder, _, names in os.walk(copy / part):
            for name in names:
                if Path(folder) / name not in kept:
                    (Path(folder) / name).unlink()


def build_modules(kernel, mutant, jobs):
    """Make the change @mutant (None: none); returns {name: path of the .ko}.

    One copy and one build folder serve all changes of a kernel, one after the
    other: what the last one changed is put back first, and make sees only the
    files that differ.
    """
    home = cache.folder("build", kernel.folder.name, "mutants")
    copy, out = home / "source", home / "out"
    log = home / "build.log"
    what = "plant" if mutant and mutant.is_bug else "make"
    step = Step("%s %s" % (what, mutant.id) if mutant else "build KVM from the copy")
    with cache.lock(home):
        _refresh(kernel.tree, copy)
        for patch in mutant.chain() if mutant else []:
            apply(patch, copy, log)
        # MO mirrors the copy's depth: Makefile.kvm names ../../../virt/kvm
        mo = out / "arch/x86/kvm"
        mo.mkdir(parents=True, exist_ok=True)
        argv = ["make", "-C", kernel.out, "M=%s" % (copy / "arch/x86/kvm"), "MO=%s" % mo,
                "LOCALVERSION=", "-j%d" % jobs, "modules"]
        if command.logged(argv, log, tick=lambda: step.progress("building")):
            step.failed()
            raise failure(home, log, "%s does not build" % (mutant.id if mutant else "the copy"))
        step.done()
        # the next one overwrites them: whoever runs these copies them first
        built = {name: mo / (name + ".ko") for name in MODULES}
        return {name: path for name, path in built.items() if path.exists()}


def apply(mutant, copy, log):
    """Patch the files of @mutant in @copy, which has them at their places in a tree."""
    for name in mutant.file:
        target = copy / name
        before = target.read_bytes()
        code = command.logged(["spatch", "--very-quiet", "--in-place", "--sp-file", mutant.path,
                               target], log)
        if code or target.read_bytes() == before:
            raise build_failed("%s: the semantic patch changes nothing in %s of this tree; log: %s"
                               % (mutant.path.name, name, log))
