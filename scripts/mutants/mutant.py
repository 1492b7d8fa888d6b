# SPDX-License-Identifier: GPL-2.0
"""Changes made to a copy of the kernel's KVM, and the modules built from it.

A change is a Coccinelle semantic patch (NAME.cocci), or an edit where that cannot
say it (NAME.edit, mutants.edit), with a header: a variant (scripts/variants, what a
coming kernel might do), a planted bug or a harmless edit (scripts/mutants). Only
arch/x86/kvm and virt/kvm are copied, and KVM is built from the copy as external
modules against the kernel that is built already, so that a change costs a
compilation of KVM once and of one file afterwards. tdp_stress.ko is built from the
tree's own headers: it fits whatever was changed, unless that is what it shares with
KVM, a header of _HEADERS; then it is built from the copy, too.
Knows patches and copies; must not know how a change is run or judged.
"""

import difflib
import filecmp
import os
import re
import shutil
from copy import copy as copy_of
from pathlib import Path

from common import cache, command, versions
from common.say import Step, build_failed, usage
from kernel import ours
from kernel.failure import failure
from mutants import edit

HERE = Path(__file__).resolve().parent
VARIANTS = HERE.parent / "variants"
_COPIED = ("arch/x86/kvm", "virt/kvm")
#: of KVM and of its modules only: nothing else of a kernel has to be built again
_HEADERS = ("arch/x86/include/asm/kvm_host.h", "arch/x86/include/asm/kvm-x86-ops.h")
MODULES = ("kvm", "kvm-intel", "kvm-amd")
_OURS = ("tdx_stub", "tdp_stress")
_SUFFIXES = (".cocci", ".edit")
_LISTS = ("file", "expect", "other", "case")
_ROOTS = ("D", "M", "B")
_HEAD = re.compile(r"// (Id|Title|Class|Root|Base|Kernel|Benign|Quick|File|Ops|Case|Expect|Other|"
                   r"History|Reach|Equivalent): (.*)")
#: headers that others than the copied files include
_SHARED = "arch/x86/kvm/mmu/mmu_internal.h"


class Mutant:
    """One change, as its header describes it."""

    def __init__(self, path):
        self.path = path
        self.id = self.title = self.base = self.reach = self.history = ""
        self.root = ""          # D: direct, M: mirror, B: both
        self.kernel = ""        # 7.2 or 7.3, if it applies to one of them only
        self.ops = ""           # ops= of a run that is to meet it often, "" for any
        self.quick = ""         # "yes": of make check; "full": of make check FULL=1
        self.benign = ""        # "yes": nobody may report it
        self.equivalent = ""    # why it is no bug after all; "" if it is one
        self.kind = ""          # Class: what was broken
        self.file = []          # what it changes, paths in the tree
        self.case = []          # KUnit cases that fail by it
        self.expect = []        # what a stress run calls it: any of these
        self.other = []         # and these may come with it
        self._read(path.read_text(encoding="utf-8").splitlines())
        self._check()

    def _read(self, lines):
        last = None
        for line in lines:
            m = _HEAD.match(line)
            if m:
                last = m.group(1).lower()
                last = "kind" if last == "class" else last
                value = m.group(2).strip()
                setattr(self, last, value.split() if last in _LISTS else value)
            elif line.startswith("//   ") and last and last not in _LISTS:
                setattr(self, last, getattr(self, last) + " " + line[5:].strip())
            else:
                last = None

    def _check(self):
        for key in ("id", "title", "file") + (("kind", "root", "reach") if self.is_bug else ()):
            if not getattr(self, key):
                raise usage("%s: its header has no '%s:' line" % (
                    self.path, {"kind": "Class"}.get(key, key.capitalize())))
        if self.is_bug and not self.case and not self.expect:
            raise usage("%s: its header has neither 'Case:' nor 'Expect:'" % self.path)
        if self.quick not in ("", "yes", "full"):
            raise usage("%s: Quick: '%s' must be yes or full, or the line left out" % (
                self.path, self.quick))
        if self.benign not in ("", "yes"):
            raise usage("%s: Benign: '%s' must be yes, or the line left out" % (
                self.path, self.benign))
        if self.root and self.root not in _ROOTS:
            raise usage("%s: Root: '%s' must be D, M or B" % (self.path, self.root))
        if self.kernel and self.kernel not in versions.WITH_MIRROR:
            raise usage("%s: Kernel: '%s' must be %s, or the line left out" % (
                self.path, self.kernel, versions.either(versions.WITH_MIRROR)))
        if self.id != self.path.stem:
            raise usage("%s: its Id is '%s', which is not the file's name" % (self.path, self.id))
        for name in self.file:
            if name not in _HEADERS and (not name.startswith(_COPIED) or
                                         not name.endswith((".c", ".h")) or name == _SHARED):
                raise usage("%s: File: '%s' is no file of KVM's own" % (self.path, name))

    @property
    def is_bug(self):
        return VARIANTS not in self.path.parents and not self.benign

    @property
    def in_tdx(self):
        """Only the real tdx.c shows it."""
        return all(name.startswith("arch/x86/kvm/vmx/") for name in self.file)

    @property
    def is_shared(self):
        """What our modules share with KVM is not what it was."""
        return any(name in _HEADERS for patch in self.chain() for name in patch.file)

    def applies(self, release):
        """Whether it is meant for a kernel of that release."""
        return not self.kernel or release.startswith(self.kernel + ".")

    def chain(self):
        """What is applied, first to last."""
        return (variant(self.base).chain() if self.base else []) + [self]


def _changes(folder):
    found = [Mutant(p) for p in sorted(folder.glob("**/*")) if p.suffix in _SUFFIXES]
    seen = {}
    for m in found:
        if m.id in seen:
            raise usage("%s and %s have one Id" % (seen[m.id].path, m.path))
        seen[m.id] = m
    return found


def every():
    """All planted bugs and harmless edits, by folder and name."""
    return _changes(HERE)


def bugs():
    return [m for m in every() if m.is_bug]


def harmless():
    return [m for m in every() if m.benign]


def in_run():
    """Bugs for which there is no case of the suites: a run on the real tdx.c finds them."""
    return [m for m in bugs() if not m.base and not m.case]


def in_kunit():
    """Bugs for which there is a case of the KUnit suites."""
    return [m for m in bugs() if m.case]


def in_variants():
    """Bugs planted in a variant for which there is no case: a run finds them."""
    return [m for m in bugs() if m.base and not m.case]


def variants():
    """What a coming kernel might do."""
    return _changes(VARIANTS)


def chosen(changes, full):
    """Those of @changes that are worth their time in make check; @full: with FULL=1."""
    return [c for c in changes if c.quick == "yes" or full and c.quick]


def variant(name):
    """The one of that name; bad usage if there is none."""
    known = variants()
    for v in known:
        if v.id == name:
            return v
    raise usage("no variant '%s'; there are: %s" % (name, ", ".join(v.id for v in known)))


def find(name):
    """The variant, planted bug or harmless edit of that name, or bad usage."""
    known = {m.id: m for m in variants() + every()}
    if name not in known:
        near = difflib.get_close_matches(name, known, 5, 0.4)
        raise usage("no variant or mutant '%s'%s; scripts/variants/ and scripts/mutants/ have them"
                    % (name, ", did you mean %s?" % " or ".join(near) if near else ""))
    return known[name]


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
    for name in _HEADERS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if not (copy / name).exists() or \
                not filecmp.cmp(tree.path / name, copy / name, shallow=False):
            shutil.copyfile(tree.path / name, copy / name)


def home(kernel):
    """The folder with the copy of @kernel's KVM, source/, and what is built from it, out/."""
    return cache.folder("build", kernel.folder.name, "mutants")


def _first(source):
    """What has make look into the copy's headers first."""
    return "NOSTDINC_FLAGS=-nostdinc -I%s" % (source / "arch/x86/include")


def _as_copied(kernel, change):
    """@kernel as ours is built for it where @change is in the copy."""
    source = home(kernel) / "source"
    theirs = copy_of(kernel)
    theirs.folder = home(kernel)
    theirs.make_args = kernel.make_args + ["KVM_SRC=%s" % source, _first(source)]
    theirs.interface = repr([kernel.interface] + [patch.path.read_text(encoding="utf-8")
                                                  for patch in change.chain()])
    return theirs


def build_modules(kernel, mutant, jobs, keep=None, also=None):
    """Make the change @mutant (None: none); returns {name: path of the .ko}: KVM's, and ours
    if they have to be others for it.

    One copy and one build folder serve all changes of a kernel, one after the
    other: what the last one changed is put back first, and make sees only the
    files that differ. @keep: a folder for the modules, which the next change
    would overwrite. @also(kernel): builds what is wanted of ours, {name: path}; else it is
    what a run takes.
    """
    room = home(kernel)
    copy, out = room / "source", room / "out"
    log = room / "build.log"
    what = "plant" if mutant and mutant.is_bug else "make"
    step = Step("%s %s" % (what, mutant.id) if mutant else "build KVM from the copy")
    with cache.lock(room):
        _refresh(kernel.tree, copy)
        for patch in mutant.chain() if mutant else []:
            apply(patch, copy, log)
        # MO mirrors the copy's depth: Makefile.kvm names ../../../virt/kvm
        mo = out / "arch/x86/kvm"
        mo.mkdir(parents=True, exist_ok=True)
        argv = ["make", "-C", kernel.out, "M=%s" % (copy / "arch/x86/kvm"), "MO=%s" % mo,
                "LOCALVERSION=", _first(copy), "-j%d" % jobs, "modules"]
        if command.logged(argv, log, tick=lambda: step.progress("building")):
            step.failed()
            raise failure(room, log, "%s does not build" % (mutant.id if mutant else "the copy"))
        step.done()
        built = {name: mo / (name + ".ko") for name in MODULES}
        built = {name: path for name, path in built.items() if path.exists()}
        if mutant and mutant.is_shared:
            theirs = _as_copied(kernel, mutant)
            built.update(also(theirs) if also else ours.modules(theirs, jobs, _OURS))
        if not keep:
            return built
        keep.mkdir(parents=True, exist_ok=True)
        return {name: Path(shutil.copy2(path, keep)) for name, path in built.items()}


def fits(mutant, path, folder):
    """Make the change to a copy, in @folder, of what it names of the tree at @path.

    Raises a Problem if it no longer fits that tree. Nothing is built.
    """
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    for name in {n for patch in mutant.chain() for n in patch.file}:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path / name, copy / name)
    for patch in mutant.chain():
        apply(patch, copy, folder / "log")


def apply(mutant, copy, log):
    """Patch the files of @mutant in @copy, which has them at their places in a tree."""
    for name in mutant.file:
        target = copy / name
        before = target.read_bytes()
        if mutant.path.suffix == ".edit":
            edit.apply(mutant.path, target, name)
            code = 0
        else:
            code = command.logged(["spatch", "--very-quiet", "--in-place", "--sp-file",
                                   mutant.path, target], log)
        if code or target.read_bytes() == before:
            raise build_failed("%s: it changes nothing in %s of this tree; log: %s" %
                               (mutant.path.name, name, log))
