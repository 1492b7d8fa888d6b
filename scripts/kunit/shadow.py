# SPDX-License-Identifier: GPL-2.0
"""The shadow tree: a kernel tree that is not ours, with the project in it.

Kbuild builds what is in the tree, and the tree under test is never written to.
So there is a second one, of links into the first. A folder in which nothing
differs is one link, and so in step for ever; a folder on the way to something
that differs is a real one, whose links are compared with the tree's entries
every time. What differs: lib/tdp_stress (the project), a line in lib/Makefile and
in lib/kunit/Kconfig, a copy of tools/testing/kunit (kunit.py finds its kernel by
where it is itself), and files given as replaced (mutants, variants).

Knows links and files; must not know how the kernel is built or run.
"""

import filecmp
import os
import shutil

from common import cache

#: where the project is in the tree
PLACE = "lib/tdp_stress"
_ADDED = {
    "lib/Makefile": "obj-y += tdp_stress/kunit/\n",
    "lib/kunit/Kconfig": 'source "lib/tdp_stress/kunit/Kconfig"\n',
}
_COPIED = ("tools/testing/kunit",)


def _write(path, data):
    """Have @data in the real file @path; its time changes only if that does."""
    if path.is_symlink():
        path.unlink()
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def _remove(path):
    if path.is_symlink() or not path.is_dir():
        path.unlink()
    else:
        shutil.rmtree(path)


def _link(path, target):
    if path.is_symlink() and os.readlink(path) == str(target):
        return
    if os.path.lexists(path):
        _remove(path)
    path.symlink_to(target)


def _copy(source, target):
    """Make the folder @target equal to @source; what is the same is not touched."""
    if target.is_symlink():
        target.unlink()
    target.mkdir(exist_ok=True)
    there = {e.name: e for e in os.scandir(source) if e.name != "__pycache__"}
    for name in os.listdir(target):
        if name not in there:
            _remove(target / name)
    for name, e in there.items():
        to = target / name
        if e.is_dir():
            _copy(source / name, to)
        elif to.is_symlink() or not to.exists() or \
                not filecmp.cmp(source / name, to, shallow=False):
            if os.path.lexists(to):
                _remove(to)
            shutil.copyfile(source / name, to)
            shutil.copymode(source / name, to)


def _folder(source, target, real, special, top):
    """Bring one real folder in step; @real: names of folders in it that are real.

    @top: the topmost one, in which what is no link is somebody's.
    """
    if target.is_symlink():
        target.unlink()
    target.mkdir(parents=True, exist_ok=True)
    wanted = set(os.listdir(source)) - special - real
    for name in set(os.listdir(target)) - wanted - special - real:
        if top and not (target / name).is_symlink():
            continue            # build folders, their logs and locks
        _remove(target / name)
    for name in wanted:
        _link(target / name, source / name)


def _inside(folder, names):
    return {os.path.basename(n) for n in names if n and os.path.dirname(n) == folder}


def make(tree, home, replaced=None):
    """The shadow of @tree in the folder @home, with its @replaced files; returns @home.

    @replaced: {path in the tree: content}. Always called before a build: what was
    added to the tree, removed or replaced there is followed, and so is what the
    call before had replaced.
    """
    replaced = replaced or {}
    content = {name: (tree / name).read_bytes() + line.encode()
               for name, line in _ADDED.items()}
    content.update(replaced)
    special = set(content) | set(_COPIED) | {PLACE}
    real = {""}
    for name in special:
        while name:
            name = os.path.dirname(name)
            real.add(name)
    for folder in sorted(real):
        _folder(tree / folder, home / folder, _inside(folder, real), _inside(folder, special),
                not folder)
    for name in _COPIED:
        _copy(tree / name, home / name)
    for name, data in content.items():
        _write(home / name, data)
    _link(home / PLACE, cache.REPO)
    return home
