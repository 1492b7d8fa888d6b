# SPDX-License-Identifier: GPL-2.0
"""Builds what is ours against a built kernel: the two modules and the programs.

Knows our own build files; must not know the kernel's.
"""

import hashlib
import shutil

from common import cache, command
from common.say import Step
from kernel.failure import failure


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


def _digest_of(names, *extra):
    h = hashlib.sha256(repr(extra).encode())
    for name in names:
        path = cache.REPO / name
        for p in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if p.is_file() and p.suffix not in (".o", ".cmd", ".pyc"):
                h.update(str(p.relative_to(cache.REPO)).encode() + b"\0" + p.read_bytes())
    return h.hexdigest()


def _up_to_date(stamp, digest, products):
    try:
        return stamp.read_text() == digest and all(p.exists() for p in products)
    except OSError:
        return False


class Part:
    """Something of ours that is built from @sources, in a folder @name of its own."""

    def __init__(self, name, sources, complaint):
        self.name = name
        self.sources = sources
        #: what is said if it does not build
        self.complaint = complaint

    def build(self, kernel, label, products, argv):
        """{name: path} of @products, {name: path in the folder}, for @kernel; made by
        the command argv(folder), unless nothing has changed.
        """
        out = home(kernel) / self.name
        out.mkdir(exist_ok=True)
        log = home(kernel) / (self.name + ".log")
        stamp = home(kernel) / (self.name + ".stamp")
        products = {name: out / path for name, path in products.items()}
        with cache.lock(out):
            digest = _digest_of(self.sources, kernel.interface)
            if not _up_to_date(stamp, digest, products.values()):
                log.write_text("")
                step = Step("build " + label)
                if command.logged(argv(out), log, tick=lambda: step.progress("building")):
                    step.failed()
                    raise failure(out, log, self.complaint)
                step.done()
                stamp.write_text(digest)
        return products


_MODULES = Part("modules", ("Kbuild", "tdp_stress"), "the modules do not build")
_DRIVER = Part("driver", ("selftests", "tdp_stress/uapi"), "the driver does not build")
_KSELFTESTS = Part("kselftest", ("selftests/kselftest", "selftests/lib", "tdp_stress/uapi"),
                   "the kselftests do not build")


def where(tree, out):
    """What tells make where our sources are and where to build; before Linux 6.13
    that is one folder, so @out gets a copy.
    """
    if "KBUILD_EXTMOD_OUTPUT" in (tree / "Makefile").read_text():
        return ["M=%s" % cache.REPO, "MO=%s" % out]
    for name in _MODULES.sources:
        source = cache.REPO / name
        if source.is_dir():
            shutil.copytree(source, out / name, dirs_exist_ok=True)
        else:
            shutil.copy2(source, out / name)
    return ["M=%s" % out]


def modules(kernel, jobs, names):
    """{name: path} of our modules @names for @kernel."""
    return _MODULES.build(
        kernel, " and ".join(names), {n: "tdp_stress/%s.ko" % n for n in names},
        lambda out: ["make", "-C", kernel.out, *where(kernel.tree.path, out),
                     *kernel.make_args, "-j%d" % jobs, "modules"])


def programs(kernel, jobs):
    """{name: path} of our static programs, built with @kernel's headers."""
    return _DRIVER.build(
        kernel, "the driver", {n: n for n in ("tdp-stress", "adopt")},
        lambda out: ["make", "-C", cache.REPO / "selftests", "KHDR=%s" % kernel.headers,
                     "O=%s" % out, "-j%d" % jobs, *(out / n for n in ("tdp-stress", "adopt"))])


#: of a copy of the scripts alone, as a campaign's jobs have it: it comes with a tdp-judge
JUDGE = cache.REPO / "tdp-judge"


def judge(jobs):
    """Path of tdp-judge. It is static: a campaign takes it to other machines."""
    if JUDGE.exists():
        return JUDGE
    out = cache.folder("judge", "static") / \
        hashlib.sha256(str(cache.REPO).encode()).hexdigest()[:8]
    out.mkdir(exist_ok=True)
    log = out / "judge.log"
    with cache.lock(out):
        log.write_text("")
        if command.logged(["make", "-C", cache.REPO / "selftests", "O=%s" % out, "-j%d" % jobs,
                           "LDFLAGS=-static", "judge"], log):
            raise failure(out, log, "tdp-judge does not build")
    return out / "tdp-judge"


def kselftests(kernel, jobs, names):
    """{name: path} of the static programs @names, on the harness of @kernel's tree."""
    return _KSELFTESTS.build(
        kernel, "%d kselftests" % len(names), {n: n for n in names},
        lambda out: ["make", "-C", cache.REPO / "selftests/kselftest",
                     "KSRC=%s" % kernel.tree.path, "KHDR=%s" % kernel.headers,
                     "USERCFLAGS=-Werror",
                     "OUTPUT=%s" % out, "-j%d" % jobs])


def build(kernel, jobs, names, with_programs):
    return Ours(modules(kernel, jobs, names), programs(kernel, jobs) if with_programs else {})
