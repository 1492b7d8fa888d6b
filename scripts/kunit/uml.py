# SPDX-License-Identifier: GPL-2.0
"""A UML kernel with the suites in it, and no more built than what changed.

Knows kbuild and the shadow tree's build folders; must not know what a run says.

Make goes by time. What was put back with its old time, or replaced by a file that
is older, it would miss: objects that depend on such a file are removed first.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import time

from common import cache, command
from common.say import Step, build_failed
from kernel import source
from kernel.failure import disk_full, failure
from kunit import shadow

KUNIT = cache.REPO / "kunit"
_LAYERS = {
    "lockdep": (".kunitconfig",),
    "kasan": (".kunitconfig", "kasan.config"),
    "noprove": (".kunitconfig", "noprove.config"),
    # no suites but the stress tester: make run WHERE=uml
    "stress": (".kunitconfig", "um/stress/stress.config"),
    "stress-plain": (".kunitconfig", "um/stress/stress.config", "um/stress/plain.config"),
    "stress-kasan": (".kunitconfig", "um/stress/stress.config", "kasan.config"),
}
#: folders of the project that are compiled here
_OURS = ("kunit", "tdp_stress")
_NEED_MIB = 500
_FULL_BUILD_LINES = 1150


def configuration(name):
    """The lines of configuration @name; later layers win."""
    options = {}
    for layer in _LAYERS[name]:
        for line in (KUNIT / layer).read_text().splitlines():
            m = re.fullmatch(r"(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set", line)
            if m:
                options[m.group(1) or m.group(3)] = m.group(2)
    return options


def _text(options):
    return "".join("%s=%s\n" % (o, v) if v else "# %s is not set\n" % o
                   for o, v in options.items())


class Uml:
    """One tree in one configuration as UML."""

    def __init__(self, tree, config_name):
        self.tree = tree
        self.config_name = config_name
        self.release = tree.release
        self.folder = cache.folder("uml", tree.name())
        #: below the shadow, as kunit.py has it: all paths in it are relative
        self.out = self.folder / (".kunit" if config_name == "lockdep"
                                  else ".kunit-" + config_name)
        self.log = self.folder / ("build-%s.log" % config_name)
        self.binary = self.out / "linux"
        self.how = ""
        self.seconds = 0.0


class _State:
    """What the last build was made from."""

    def __init__(self, path):
        self.path = path
        self.files = {}
        self.replaced = {}
        self.config = ""
        self.stamp = 0.0
        try:
            data = json.loads(path.read_text())
            self.files = {k: tuple(v) for k, v in data["files"].items()}
            self.replaced, self.config = data["replaced"], data["config"]
            self.stamp = data["stamp"]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    def save(self):
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps({"files": self.files, "replaced": self.replaced,
                                         "config": self.config, "stamp": self.stamp}))
        os.replace(temporary, self.path)


def _scan(tree):
    found = source.scan(tree)
    for part in _OURS:
        for folder, _, names in os.walk(cache.REPO / part):
            for name in names:
                path = os.path.join(folder, name)
                s = os.stat(path, follow_symlinks=False)
                # another clone has the same files
                found["%s/%s" % (shadow.PLACE, os.path.relpath(path, cache.REPO))] = (
                    s.st_mtime_ns, s.st_size, s.st_ino)
    return found


def _drop_stale_objects(uml, names):
    pattern = re.compile("/(?:%s)\\b" % "|".join(re.escape(n) for n in names))
    for cmd in uml.out.glob("**/.*.cmd"):
        if pattern.search(cmd.read_text(errors="replace")):
            (cmd.parent / cmd.name[1:-len(".cmd")]).unlink(missing_ok=True)


def _stale(state, now, digests):
    """Names (FOLDER/NAME) of files that differ from those of the last build, but are no newer."""
    built = int(state.stamp * 1e9)
    changed = [n for n in source.changes(state.files, now) if n in now and now[n][0] <= built]
    changed += [n for n in state.replaced.keys() | digests.keys()
                if state.replaced.get(n) != digests.get(n)]
    # with its folder: a basename alone is that of many
    return {"/".join(n.split("/")[-2:]) for n in changed}


def _unsettle(state, now, digests):
    """Until this build succeeds, what changed stays changed: objects may be of either."""
    state.files = {n: v for n, v in state.files.items() if now.get(n) == v}
    state.replaced = {n: digests[n] if state.replaced.get(n) == digests.get(n) else ""
                      for n in state.replaced.keys() | digests.keys()}


def build(uml, jobs, replaced=None, folder=None):
    """Bring @uml up to date, with @replaced files of the tree; returns @uml.

    @replaced: {path in the tree: content}, see shadow.make().
    @folder: where to put a copy of the kernel, which is then @uml.binary: others may
    build theirs while it runs.
    """
    start = time.monotonic()
    digests = {n: hashlib.sha256(data).hexdigest() for n, data in (replaced or {}).items()}
    with cache.lock(uml.folder):
        try:
            _build(uml, jobs, replaced, digests)
            if folder:
                uml.binary = shutil.copy2(uml.binary, folder / "linux")
        except OSError as e:
            if e.errno == errno.ENOSPC:
                raise disk_full(uml.folder, uml.log) from e
            raise
    uml.seconds = time.monotonic() - start
    return uml


def _seed(uml):
    """Begin with the objects of the suites' kernel: most of them are the same."""
    like = [uml.folder / ".kunit"]
    if "kasan" in uml.config_name:
        like.insert(0, uml.folder / ".kunit-kasan")
    other = next((o for o in like if (o / "linux").exists()), None)
    if uml.out.exists() or not other:
        return
    new = uml.folder / (uml.out.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    # ours may be those of a planted bug
    shutil.copytree(other, new, symlinks=True, copy_function=shutil.copy2,
                    ignore=lambda folder, names: [n for n in names if n in (
                        "linux", "vmlinux", "tdp_stress", "tdp_stress.json")])
    new.rename(uml.out)


def _build(uml, jobs, replaced, digests):
    _seed(uml)
    uml.out.mkdir(exist_ok=True)
    state = _State(uml.out / "tdp_stress.json")
    now = _scan(uml.tree)
    options = configuration(uml.config_name)
    wanted = hashlib.sha256(_text(options).encode()).hexdigest()
    shadow.make(uml.tree.path, uml.folder, replaced)
    if uml.binary.exists() and state.stamp:
        if state.files == now and state.replaced == digests and state.config == wanted:
            uml.how = "up to date"
            return
        stale = _stale(state, now, digests)
        if stale:
            _drop_stale_objects(uml, stale)
        _unsettle(state, now, digests)
    else:
        cache.need_space(uml.folder, _NEED_MIB, "a UML kernel")
    if uml.log.exists():
        os.replace(uml.log, uml.log.with_suffix(".log.old"))
    # a new symbol would have to be asked for
    kconfig = any(os.path.basename(n).startswith("Kconfig")
                  for n in source.changes(state.files, now))
    if state.config != wanted or kconfig or not (uml.out / ".config").exists():
        state.config = ""
        state.save()
        _configure(uml, options)
        state.config = wanted
    state.save()
    started = time.time()
    uml.how = _make(uml, jobs)
    state.files, state.replaced, state.stamp = now, digests, started
    state.save()


def _argv(uml):
    return ["make", "-C", uml.folder, "ARCH=um", "O=%s" % uml.out.name, "LOCALVERSION="]


def _configure(uml, options):
    step = Step("configure UML (%s, %s)" % (uml.release, uml.config_name), loud=False)
    (uml.out / ".config").write_text(_text(options))
    if command.logged(_argv(uml) + ["olddefconfig"], uml.log):
        step.failed()
        raise failure(uml.folder, uml.log, "make olddefconfig failed")
    got = (uml.out / ".config").read_text().splitlines()
    missing = [o for o, v in options.items() if v and "%s=%s" % (o, v) not in got]
    unwanted = [o for o, v in options.items() if not v and "%s=y" % o in got]
    if missing or unwanted:
        step.failed()
        raise build_failed("%s: UML cannot be configured as wanted: %s" % (
            uml.tree.path, ", ".join(["no " + o for o in missing] + unwanted)))
    step.done()


def _make(uml, jobs):
    """Run make; says what was built."""
    full = not uml.binary.exists()
    step = Step("build UML (Linux %s, %s)" % (uml.release, uml.config_name))
    count = [0]

    def on_line(line):
        if re.match(r"  (CC|AS|LD|AR|EXTRACT) ", line):
            count[0] += 1

    def tick():
        done = "%d %%" % min(99, 100 * count[0] // _FULL_BUILD_LINES) if full else \
            "%d files" % count[0]
        step.progress(done)

    # what is tested first: a tree that does not fit says so before all of it is built
    for target in ([shadow.PLACE + "/kunit/"] if full else []) + ["linux"]:
        if command.logged(_argv(uml) + ["-j%d" % jobs, target], uml.log, on_line, tick):
            step.failed()
            raise failure(uml.folder, uml.log, "UML does not build")
    step.done("%d files" % count[0])
    return "built"
