# SPDX-License-Identifier: GPL-2.0
"""Debian's linux-source packages.

Knows suites and the form of the package; must not know how packages are
fetched (apt.py) or kernels are built (build.py).
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from common import cache, command, versions
from common.say import Problem, Step, say
from kernel.apt import Apt, unpack_failed

#: where a linux-source-7.x may be found, smallest index first
_SUITES = ("trixie-backports", "forky", "sid")
_NEED_MIB = 2600


def get(version=None):
    """Folder of Debian's linux-source of @version, or of the newest supported.

    What was unpacked or installed before is used as it is. An older version
    that is there serves where the newest cannot be fetched.
    """
    wanted = [version] if version else list(versions.WITH_MIRROR)
    base = cache.folder("src")
    with cache.lock(base):
        here = [v for v in wanted if _unpacked(base, v).is_dir() or _installed(v).exists()]
        newer = wanted[:wanted.index(here[0])] if here else wanted
        if newer:
            try:
                return _fetch(base, newer)
            except Problem as problem:
                if not here:
                    raise
                say("  %s" % problem.line)
                say("  Linux %s, which is here, is used instead" % here[0])
        if _unpacked(base, here[0]).is_dir():
            return _unpacked(base, here[0])
        return _unpack(base, here[0], _installed(here[0]))


def _unpacked(base, version):
    return base / ("linux-source-" + version)


def unpacked(version, package):
    """The tree of @version that is here, if it is of this package version; or None."""
    base = cache.folder("src")
    try:
        same = _note(base, version).read_text() == package
    except OSError:
        return None
    return _unpacked(base, version) if same and _unpacked(base, version).is_dir() else None


def _note(base, version):
    """Remembers which package a tree is from."""
    return base / ("linux-source-%s.package" % version)


def _installed(version):
    """What the package leaves if somebody installed it on this machine."""
    return Path("/usr/src/linux-source-%s.tar.xz" % version)


def _fetch(base, wanted):
    cache.need_space(base, _NEED_MIB, "unpacking a kernel source")
    apt = Apt(_SUITES)
    found = None
    for v in wanted:
        found = apt.find("linux-source-" + v)
        if found:
            break
    if not found:
        raise apt.not_found(["linux-source-" + v for v in wanted])
    with tempfile.TemporaryDirectory(dir=base, prefix="fetch-") as folder:
        deb, = apt.download("linux-source-" + v, ["linux-source-" + v], found, Path(folder))
        step = Step("unpack the package")
        log = cache.folder("log") / "unpack.log"
        log.write_text("")
        code = command.logged(["dpkg", "-x", deb, folder], log,
                              tick=lambda: step.progress("unpacking"))
        if code:
            step.failed()
            raise unpack_failed(base, log, deb.name)
        step.done()
        package = re.sub(r"^[^_]*_|_[^_]*$", "", deb.name).replace("%3a", ":")
        deb.unlink()
        tree = _unpack(base, v, Path(folder) / ("usr/src/linux-source-%s.tar.xz" % v))
        _note(base, v).write_text(package)
        return tree


def _unpack(base, version, tarball):
    """Unpack under another name, then rename: a folder of that name is complete."""
    cache.need_space(base, _NEED_MIB - 200, "unpacking a kernel source")
    target = _unpacked(base, version)
    name = target.name
    log = cache.folder("log") / "unpack.log"
    log.write_text("")
    folder = tempfile.mkdtemp(dir=base, prefix="unpack-")
    try:
        step = Step("unpack %s into %s" % (tarball.name, target))
        code = command.logged(["tar", "-xf", tarball, "-C", folder], log,
                              tick=lambda: step.progress("unpacking"))
        if code or not (Path(folder) / name / "Makefile").exists():
            step.failed()
            raise unpack_failed(base, log, tarball.name)
        os.rename(Path(folder) / name, target)
        step.done()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target
