# SPDX-License-Identifier: GPL-2.0
"""A kit: all that a run takes besides the machine, built once, in one folder.

make kernel KIT=folder leaves it, make run KIT=folder takes it: no tree, no compiler
and no cache are needed where it runs. Knows what a run takes; must not know how it
is built or booted.
"""

import json
import os
import shutil
from pathlib import Path

from common.say import usage
from kernel import ours, source

_FORMAT = 1
#: members of a kernel that are said of it
_SAID = ("release", "config_name", "stamp", "interface")
_BINARY = "debian"


class Kernel:
    """A kernel from a kit; the members that others use are those of build.Kernel."""

    def __init__(self, folder, said):
        for name in _SAID:
            setattr(self, name, said[name])
        self.folder = folder
        self.out = folder
        self.image = folder / "bzImage"
        self.dot_config = folder / "config"
        self.binary = folder / "linux"
        self.how = "from the kit %s" % folder.name
        self.seconds = 0.0
        #: source.fingerprint() of its tree
        self.kvm = said["kvm"]
        #: modules of KVM that a variant or mutant replaces
        self.replaced = _paths(folder, said["replaced"])
        #: what tdp_tcg.ko is for a guest in an emulator
        self.tcg = _paths(folder, said["tcg"])
        self._modules = _paths(folder, said["kernel_modules"])

    def module(self, name):
        """Path of the kernel's module @name, or None."""
        return self._modules.get(name.replace("-", "_"))


def _paths(folder, names):
    return {name: folder / path for name, path in names.items()}


def _copied(new, room, files):
    """Copy @files, {name: path}, to @new/@room; returns {name: path in the kit}."""
    (new / room).mkdir()
    for path in files.values():
        shutil.copy2(path, new / room)
    return {name: "%s/%s" % (room, Path(path).name) for name, path in files.items()}


def _leave(folder, fill):
    """Make @folder, all of it or nothing; fill(new folder) returns (kernel, what is to be said)."""
    folder = Path(folder).expanduser().absolute()
    new = folder.with_name("%s.new-%d" % (folder.name, os.getpid()))
    try:
        new.mkdir(parents=True)
        kernel, parts = fill(new)
        said = {"format": _FORMAT, "kernel_modules": {}, "replaced": {}, "tcg": {},
                "modules": {}, "programs": {}, **parts}
        said.update({name: getattr(kernel, name, "") for name in _SAID})
        # of a binary, nobody knows the source
        said["kvm"] = None if kernel.config_name == _BINARY else source.fingerprint(kernel.tree)
        (new / "kit.json").write_text(json.dumps(said, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except OSError as e:
        raise usage("KIT=%s: cannot be written: %s" % (folder, e.strerror)) from e
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return folder


def leave(folder, kernel, built, kernel_modules, replaced, tcg, mib):
    """Put what a run in a virtual machine of @mib takes in @folder; the rest as the run has
    it.
    """
    def fill(new):
        shutil.copy2(kernel.image, new / "bzImage")
        shutil.copy2(kernel.dot_config, new / "config")
        named = {n.replace("-", "_"): path for n, path in kernel_modules.items()}
        return kernel, {"memory_mib": mib,
                        "kernel_modules": _copied(new, "kernel", named),
                        "replaced": _copied(new, "replaced", replaced or {}),
                        "tcg": _copied(new, "tcg", tcg),
                        "modules": _copied(new, "modules", built.modules),
                        "programs": _copied(new, "programs", built.programs)}

    return _leave(folder, fill)


def leave_uml(folder, build, mib):
    """Put what a run in User Mode Linux of @mib takes in @folder: build(folder) leaves linux
    there.
    """
    def fill(new):
        kernel = build(new)
        shutil.copy2(kernel.out / "modules.builtin.modinfo", new)
        return kernel, {"memory_mib": mib}

    return _leave(folder, fill)


def take(folder):
    """(Kernel, ours.Ours) of the kit in @folder."""
    folder = Path(folder).expanduser().absolute()
    try:
        said = json.loads((folder / "kit.json").read_text())
        if said["format"] != _FORMAT:
            raise ValueError
        return Kernel(folder, said), ours.Ours(_paths(folder, said["modules"]),
                                               _paths(folder, said["programs"]))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise usage("KIT=%s: must be a folder that make kernel KIT=... of this version has "
                    "made" % folder) from e
