# SPDX-License-Identifier: GPL-2.0
"""Builds the kernel under test in a folder of its own, and no more of it than
what changed.

Knows kbuild and the build folder; must not know what boots the result. The
source tree is only read.

What has to be built is decided by comparing a scan of the tree with the scan
of the last build:

  nothing changed            nothing is run at all
  only KVM's own files       make modules: no vmlinux, no image
  anything else              make headers bzImage modules

Kbuild's single targets (make arch/x86/kvm/kvm.ko) would save another second,
but write a Module.symvers that lists nothing else.
"""

import errno
import json
import os
import re
import time

from common import cache, command
from common.say import Step
from kernel import config, source
from kernel.failure import disk_full, failure

#: roughly how many lines a full build prints, until one has been counted
_FULL_BUILD_LINES = 2950
_NEED_MIB = {"lockdep": 600, "plain": 600, "kasan": 900, "gcov": 600}

#: everything below here ends up in modules and nowhere else
_KVM_FILES = re.compile(r"(arch/x86/kvm|virt/kvm)/.*\.[chS]$")
#: objects whose lines are counted in the configuration of that name, as kbuild has them
_COUNTED = ("mmu/tdp_mmu", "mmu/tdp_iter", "mmu/spte", "vmx/tdx")
_KVM_MODULES = ("arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-intel.ko", "arch/x86/kvm/kvm-amd.ko")


class Kernel:
    """One tree in one configuration, and where its build is."""

    #: the fragments set CONFIG_INTEL_TDX_HOST
    tdx = True

    def __init__(self, tree, config_name):
        self.tree = tree
        self.release = tree.release
        self.config_name = config_name
        self.make_args = ["LOCALVERSION="]
        if config_name == "gcov":
            self.make_args += ["GCOV_PROFILE_%s.o=y" % name for name in _COUNTED]
        self.folder = cache.folder("build", "%s-%s" % (tree.name(), config_name))
        self.out = self.folder / "kernel"
        self.log = self.folder / "kernel.log"
        self.image = self.out / "arch/x86/boot/bzImage"
        self.headers = self.out / "usr/include"
        self.dot_config = self.out / ".config"
        #: changes whenever something was built
        self.stamp = ""
        #: changes whenever our modules may have to be built anew
        self.interface = ""
        self.how = ""
        self.seconds = 0.0

    def digest(self):
        """What the build depends on besides the tree's files."""
        # LOCALVERSION= alone is as old as the cache
        return " ".join([config.digest(self.config_name), *self.make_args[1:]])

    def module(self, name):
        """Path of the in-tree module @name (as in insmod), or None if built in."""
        for spelling in (name, name.replace("_", "-")):
            for ko in self.out.glob("*/**/%s.ko" % spelling):
                return ko
        return None


class _State:
    """What the last build was made from."""

    def __init__(self, path):
        self.path = path
        self.files = {}
        self.digest = ""
        self.lines = _FULL_BUILD_LINES
        self.stamp = ""
        self.interface = ""
        try:
            data = json.loads(path.read_text())
            self.files = {k: tuple(v) for k, v in data["files"].items()}
            self.digest = data["digest"]
            self.lines = data["lines"]
            self.stamp = data["stamp"]
            self.interface = data["interface"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def save(self):
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"files": self.files, "digest": self.digest,
                                         "lines": self.lines, "stamp": self.stamp,
                                         "interface": self.interface}))
        os.replace(temporary, self.path)


def build(kernel, jobs):
    """Bring the build of @kernel up to date; returns @kernel."""
    start = time.monotonic()
    with cache.lock(kernel.folder):
        state = _State(kernel.folder / "state.json")
        now = source.scan(kernel.tree)
        changed = source.changes(state.files, now)
        digest = kernel.digest()
        complete = state.stamp and kernel.image.exists() and kernel.dot_config.exists() and \
            kernel.headers.exists() and all((kernel.out / m).exists() for m in _KVM_MODULES)
        if complete and not changed and state.digest == digest:
            kernel.how = "up to date"
        else:
            try:
                _build(kernel, jobs, state, now, changed, digest, complete)
            except OSError as e:
                if e.errno == errno.ENOSPC:
                    raise disk_full(kernel.folder, kernel.log) from e
                raise
        kernel.stamp, kernel.interface = state.stamp, state.interface
    kernel.seconds = time.monotonic() - start
    return kernel


def _build(kernel, jobs, state, now, changed, digest, complete):
    reconfigure = not kernel.dot_config.exists() or state.digest != digest
    only_kvm = complete and not reconfigure and \
        all(_KVM_FILES.match(n) and n in now for n in changed)
    if not complete:
        flavour = kernel.config_name.partition("+")[0]
        cache.need_space(kernel.folder, _NEED_MIB[flavour], "a kernel build")
    _rotate(kernel.log)
    if complete:
        _drop_stale_objects(kernel, state, now, changed)
    # until this build succeeds, what changed stays changed
    state.files = {n: v for n, v in state.files.items() if n not in set(changed)}
    state.save()

    if reconfigure:
        step = Step("configure the kernel (%s, %s)" % (kernel.tree.release, kernel.config_name))
        kernel.out.mkdir(exist_ok=True)
        config.make(kernel.tree, kernel.out, kernel.config_name, kernel.log)
        step.done("%d wanted options verified" % len(config.wanted(kernel.config_name)))
    elif any(os.path.basename(n).startswith("Kconfig") for n in changed):
        config.refresh(kernel.tree, kernel.out, kernel.config_name, kernel.log)

    if only_kvm:
        kernel.how = "KVM modules rebuilt (%s)" % _few(changed)
        _make(kernel, jobs, "build the KVM modules (changed: %s)" % _few(changed),
              ["modules"], None)
    else:
        what = "build the kernel"
        if complete:
            what += " (changed: %s)" % (_few(changed) or "its configuration")
        kernel.how = "built"
        full = not complete or reconfigure
        lines = _make(kernel, jobs, what, ["headers", "bzImage", "modules"],
                      state.lines if full else None)
        if full:
            state.lines = lines
    state.files, state.digest = now, digest
    state.stamp = "%.6f" % time.time()
    if not only_kvm or any(n.endswith(".h") for n in changed):
        state.interface = state.stamp
    state.save()


def _few(names):
    return ", ".join(names[:2]) + (" and %d more" % (len(names) - 2) if len(names) > 2 else "")


def _rotate(log):
    if log.exists():
        os.replace(log, log.with_suffix(".log.old"))


def _drop_stale_objects(kernel, state, now, changed):
    """Make goes by time alone, and would keep the object of a file that was put
    back with its old time (cp -p, mv, tar). Remove the objects that depend on
    such a file.
    """
    built = int(float(state.stamp) * 1e9)
    names = {os.path.basename(n) for n in changed if n in now and now[n][0] <= built}
    if not names:
        return
    pattern = re.compile("/(?:%s)\\b" % "|".join(re.escape(n) for n in names))
    for cmd in kernel.out.glob("**/.*.cmd"):
        if pattern.search(cmd.read_text(errors="replace")):
            (cmd.parent / cmd.name[1:-len(".cmd")]).unlink(missing_ok=True)


def _make(kernel, jobs, what, targets, expected_lines):
    """Run make; returns the number of lines that stand for a built file."""
    step = Step(what)
    count = [0]

    def on_line(line):
        if re.match(r"  [A-Z][A-Z0-9_ \[\]]* +\S", line):
            count[0] += 1

    def tick():
        if expected_lines:
            step.progress("%d %%" % min(99, 100 * count[0] // expected_lines))
        else:
            step.progress("%d files" % count[0])

    argv = ["make", "-C", kernel.tree.path, "O=%s" % kernel.out, *kernel.make_args,
            "-j%d" % jobs] + targets
    if command.logged(argv, kernel.log, on_line, tick):
        step.failed()
        raise failure(kernel.folder, kernel.log, "the kernel does not build")
    step.done("%d files" % count[0])
    return count[0]
