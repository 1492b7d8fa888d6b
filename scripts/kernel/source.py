# SPDX-License-Identifier: GPL-2.0
"""The kernel tree under test: is it one, is it ours to build, what changed.

Knows the layout of a kernel source tree, which it never writes to; must not
know where trees come from (debian.py) or how they are built (build.py).
"""

import hashlib
import os
import re
from pathlib import Path

from common import versions
from common.say import lacking, usage

#: where KVM is
_TESTED = ("arch/x86/kvm", "virt/kvm")
#: parts of a tree that no x86 build reads
_IGNORED = {".git", "Documentation", "LICENSES", "samples"}
#: what editors and patch leave behind
_LITTER = re.compile(r"~$|^\..*\.sw[a-p]$|\.(orig|rej)$|^\.?#")


class Tree:
    """A checked kernel tree."""

    def __init__(self, path, version, release):
        self.path = path
        self.version = version      # "7.3"
        self.release = release      # "7.3.4"

    def name(self):
        """A folder name: one per tree, readable."""
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:8]
        return "%s-%s" % (self.release, digest)


def number(text):
    """A version as something that can be compared: "7.3.10" is more than "7.3.9"."""
    return [int(n) for n in re.findall(r"\d+", text)]


def makefile_version(path):
    found = {}
    try:
        with open(path / "Makefile", encoding="utf-8", errors="replace") as f:
            for _, line in zip(range(40), f):
                m = re.match(r"(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)\s*=\s*(\S*)", line)
                if m:
                    found[m.group(1)] = m.group(2)
    except OSError:
        pass
    return found


def check(path, force=False):
    """The Tree at @path, or a Problem that says why it is none."""
    path = Path(path).expanduser()
    if not path.is_dir():
        raise usage("KSRC=%s: no such folder" % path)
    path = path.resolve()
    v = makefile_version(path)
    if not v.get("VERSION") or not v.get("PATCHLEVEL") or not (path / "Kbuild").exists() or \
            not (path / "arch/x86/kvm").is_dir():
        raise usage("KSRC=%s: not a kernel tree (its Makefile names no VERSION, or "
                    "arch/x86/kvm is missing)" % path)
    if re.search(r"[\s:]", str(path)):
        raise usage("KSRC=%s: the kernel's build cannot cope with blanks or colons in a path"
                    % path)
    version = "%s.%s" % (v["VERSION"], v["PATCHLEVEL"])
    release = version + ("." + v["SUBLEVEL"] if v.get("SUBLEVEL", "0") != "0" else "") + \
        v.get("EXTRAVERSION", "")
    if version not in versions.WITH_MIRROR and not force:
        raise usage("KSRC=%s: this is Linux %s; tdp_stress supports %s (FORCE=1 tries anyway)" %
                    (path, release, " and ".join(versions.WITH_MIRROR)))
    for relic in (".config", "include/config", "arch/x86/include/generated"):
        if (path / relic).exists():
            raise usage("KSRC=%s: this tree was built in place (%s exists), so it cannot be "
                        "built in a folder of its own; `make -C %s mrproper` cleans it (and "
                        "deletes its .config), or give a clean `git worktree`" %
                        (path, relic, path))
    if not os.access(path, os.R_OK | os.X_OK):
        raise lacking("KSRC=%s: not readable" % path)
    return Tree(path, version, release)


def scan(tree):
    """What the tree looks like now: {relative path: (mtime_ns, size, inode)}.

    Used to know what changed since a build. mtime alone would miss a file that
    was moved back with its old time, which make misses too; the inode or the
    size tells.
    """
    found = {}
    root = str(tree.path)
    stack = [""]
    while stack:
        rel = stack.pop()
        with os.scandir(os.path.join(root, rel) if rel else root) as entries:
            for e in entries:
                name = rel + "/" + e.name if rel else e.name
                if e.is_dir(follow_symlinks=False):
                    if name in _IGNORED:
                        continue
                    if rel == "arch" and e.name not in ("x86", "um"):
                        continue
                    stack.append(name)
                elif not _LITTER.search(e.name):
                    s = e.stat(follow_symlinks=False)
                    found[name] = (s.st_mtime_ns, s.st_size, s.st_ino)
    return found


def fingerprint(tree):
    """Of what is tested: two trees with the same have the same KVM."""
    digest = hashlib.sha256()
    for part in _TESTED:
        for path in sorted((tree.path / part).rglob("*.[ch]")):
            digest.update(str(path.relative_to(tree.path)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def changes(old, new):
    """Names added, removed or changed between two scans, sorted."""
    return sorted(n for n in old.keys() | new.keys() if old.get(n) != new.get(n))
