# SPDX-License-Identifier: GPL-2.0
"""Builds what is ours against a built kernel: the two modules and the programs.

Knows our own build files; must not know the kernel's.
"""

import hashlib
import shutil

from common import cache, command
from common.say import Step
from kernel.failure import failure

_MODULE_SOURCES = ("Kbuild", "tdp_stress")
_DRIVER_SOURCES = ("selftests", "tdp_stress/uapi")


def home(kernel):
    """Where ours is built for @kernel: a folder for each checkout of tdp_stress."""
    name = "ours-" + hashlib.sha256(str(cache.REPO).encode()).hexdigest()[:8]
    path = kernel.folder / name
    path.mkdir(exist_ok=True)
    return path


class Ours:
    """What was built: {name: path} of modules and of programs."""

    def __init__(self, modules_, programs_):
        self.modules = modules_
        self.programs = programs_

    @property
    def driver(self):
        return self.programs["tdp-stress"]


def digest_of(names, *extra):
    h = hashlib.sha256(repr(extra).encode())
    for name in names:
        path = cache.REPO / name
        for p in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if p.is_file() and p.suffix not in (".o", ".cmd", ".pyc"):
                h.update(str(p.relative_to(cache.REPO)).encode() + b"\0" + p.read_bytes())
    return h.hexdigest()


def up_to_date(stamp, digest, products):
    try:
        return stamp.read_text() == digest and all(p.exists() for p in products)
    except OSError:
        return False


def where(tree, out):
    """What tells make where our sources are and where to build; before Linux 6.13
    that is one folder, so @out gets a copy.
    """
    if "KBUILD_EXTMOD_OUTPUT" in (tree / "Makefile").read_text():
        return ["M=%s" % cache.REPO, "MO=%s" % out]
    for name in _MODULE_SOURCES:
        source = cache.REPO / name
        if source.is_dir():
            shutil.copytree(source, out / name, dirs_exist_ok=True)
        else:
            shutil.copy2(source, out / name)
    return ["M=%s" % out]


def modules(kernel, jobs, names):
    """{name: path} of our modules @names for @kernel."""
    out = home(kernel) / "modules"
    out.mkdir(exist_ok=True)
    log = home(kernel) / "modules.log"
    stamp = home(kernel) / "modules.stamp"
    products = {n: out / "tdp_stress" / (n + ".ko") for n in names}
    with cache.lock(out):
        digest = digest_of(_MODULE_SOURCES, kernel.interface)
        if not up_to_date(stamp, digest, products.values()):
            log.write_text("")
            step = Step("build " + " and ".join(names))
            argv = ["make", "-C", kernel.out, *where(kernel.tree.path, out), *kernel.make_args,
                    "-j%d" % jobs, "modules"]
            if command.logged(argv, log, tick=lambda: step.progress("building")):
                step.failed()
                raise failure(out, log, "the modules do not build")
            step.done()
            stamp.write_text(digest)
    return products


def programs(kernel, jobs):
    """{name: path} of our static programs, built with @kernel's headers."""
    out = home(kernel) / "driver"
    out.mkdir(exist_ok=True)
    log = home(kernel) / "driver.log"
    stamp = home(kernel) / "driver.stamp"
    products = {n: out / n for n in ("tdp-stress", "adopt")}
    with cache.lock(out):
        digest = digest_of(_DRIVER_SOURCES, kernel.interface)
        if not up_to_date(stamp, digest, products.values()):
            log.write_text("")
            step = Step("build the driver")
            argv = ["make", "-C", cache.REPO / "selftests", "KHDR=%s" % kernel.headers,
                    "O=%s" % out, "-j%d" % jobs]
            if command.logged(argv, log, tick=lambda: step.progress("building")):
                step.failed()
                raise failure(out, log, "the driver does not build")
            step.done()
            stamp.write_text(digest)
    return products


def build(kernel, jobs, names, with_programs):
    return Ours(modules(kernel, jobs, names), programs(kernel, jobs) if with_programs else {})
