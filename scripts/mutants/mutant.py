# SPDX-License-Identifier: GPL-2.0
"""Bugs planted in a copy of the kernel: what they are, and their kvm modules.

A mutant is a Coccinelle semantic patch with a header; only arch/x86/kvm and
virt/kvm are copied, and KVM is built from the copy as external modules against
the kernel that is built already, so that a mutant costs a compilation of KVM
once and of one file afterwards. Knows patches and copies; must not know how a
mutant is run or judged.
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
_COPIED = ("arch/x86/kvm", "virt/kvm")
MODULES = ("kvm", "kvm-intel")


class Mutant:
    """One planted bug, as its header describes it."""

    def __init__(self, path):
        self.path = path
        self.id = self.title = self.file = ""
        self.expect = []        # any of these names it
        self.other = []         # and these may come with it
        for line in path.read_text(encoding="utf-8").splitlines():
            m = re.match(r"// (Id|Title|File|Expect|Other): (.*)", line)
            if m:
                key, value = m.group(1).lower(), m.group(2).strip()
                setattr(self, key, value.split() if key in ("expect", "other") else value)
        for key in ("id", "title", "file", "expect"):
            if not getattr(self, key):
                raise usage("%s: its header has no '%s:' line" % (path, key.capitalize()))
        if self.id != path.stem:
            raise usage("%s: its Id is '%s', which is not the file's name" % (path, self.id))


def every():
    return [Mutant(p) for p in sorted(HERE.glob("*.cocci"))]


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
    """Plant @mutant (None: plant nothing); returns {name: path of the .ko}.

    One copy and one build folder serve all mutants of a kernel, one after the
    other: what the last mutant changed is put back first, and make sees only
    the files that differ.
    """
    home = cache.folder("build", kernel.folder.name, "mutants")
    copy, out = home / "source", home / "out"
    log = home / "build.log"
    step = Step("plant %s" % mutant.id if mutant else "build KVM from the copy")
    with cache.lock(home):
        _refresh(kernel.tree, copy)
        if mutant:
            _apply(mutant, copy, log)
        # MO mirrors the copy's depth: Makefile.kvm names ../../../virt/kvm
        mo = out / "arch/x86/kvm"
        mo.mkdir(parents=True, exist_ok=True)
        argv = ["make", "-C", kernel.out, "M=%s" % (copy / "arch/x86/kvm"), "MO=%s" % mo,
                "LOCALVERSION=", "-j%d" % jobs, "modules"]
        if command.logged(argv, log, tick=lambda: step.progress("building")):
            step.failed()
            raise failure(home, log, "the mutant does not build")
        step.done()
        # the next mutant overwrites them: whoever runs these copies them first
        return {name: mo / (name + ".ko") for name in MODULES}


def _apply(mutant, copy, log):
    target = copy / mutant.file
    before = target.read_bytes()
    code = command.logged(["spatch", "--very-quiet", "--in-place", "--sp-file", mutant.path,
                           target], log)
    if code or target.read_bytes() == before:
        raise build_failed("%s: the semantic patch changes nothing in %s of this tree; log: %s" %
                           (mutant.path.name, mutant.file, log))
