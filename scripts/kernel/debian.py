# SPDX-License-Identifier: GPL-2.0
"""Debian's linux-source packages, fetched through an apt state of our own.

Knows suites, apt and the form of the package; must not know how kernels are
built. Nothing of the machine's own apt configuration is changed: its mirror,
proxy and keys are used, its lists and sources are not.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

from common import cache, command, packages
from common.say import Problem, Step, lacking, say
from kernel import source

#: where a linux-source-7.x may be found, smallest index first
_SUITES = ("trixie-backports", "forky", "sid")
_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg",
             "/usr/share/keyrings/debian-archive-keyring.pgp")
_NEED_MIB = 2600


def get(version=None):
    """Folder of Debian's linux-source of @version, or of the newest supported.

    What was unpacked or installed before is used as it is. An older version
    that is there serves where the newest cannot be fetched.
    """
    wanted = [version] if version else list(source.SUPPORTED)
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


def _installed(version):
    """What the package leaves if somebody installed it on this machine."""
    return Path("/usr/src/linux-source-%s.tar.xz" % version)


def _fetch(base, wanted):
    cache.need_space(base, _NEED_MIB, "unpacking a kernel source")
    apt = _Apt()
    found = None
    for v in wanted:
        found = apt.find("linux-source-" + v)
        if found:
            break
    if not found:
        raise apt.not_found(wanted)
    with tempfile.TemporaryDirectory(dir=base, prefix="fetch-") as folder:
        deb = apt.download("linux-source-" + v, found, Path(folder))
        step = Step("unpack the package")
        log = cache.folder("log") / "unpack.log"
        log.write_text("")
        code = command.logged(["dpkg", "-x", deb, folder], log,
                              tick=lambda: step.progress("unpacking"))
        if code:
            step.failed()
            raise _unpack_failed(base, log, deb.name)
        step.done()
        deb.unlink()
        return _unpack(base, v, Path(folder) / ("usr/src/linux-source-%s.tar.xz" % v))


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
            raise _unpack_failed(base, log, tarball.name)
        os.rename(Path(folder) / name, target)
        step.done()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return target


def _unpack_failed(base, log, name):
    if command.out_of_space(base, log):
        return lacking("%s: disk full while unpacking %s (make room, or set XDG_CACHE_HOME "
                       "to a folder on a larger disk)" % (base, name))
    return lacking("%s cannot be unpacked; log: %s" % (name, log),
                   *command.tail(log, 5).splitlines())


class _Apt:
    """A private apt: own sources, lists and archive; the machine's mirror and keys."""

    def __init__(self):
        self.folder = cache.folder("apt")
        self.log = cache.folder("log") / "apt.log"
        self.log.write_text("")
        self.updated = []
        self.errors = ""
        mirror = _mirror()
        if not mirror:
            raise lacking("no Debian mirror found in this machine's apt configuration; give a "
                          "kernel tree with KSRC=")
        keyring = next((k for k in _KEYRINGS if Path(k).exists()), None)
        signed = "[signed-by=%s] " % keyring if keyring else ""
        for sub in ("lists/partial", "cache/archives/partial"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        for suite in _SUITES:
            (self.folder / (suite + ".list")).write_text(
                "deb %s%s %s main\n" % (signed, mirror, suite))

    def _argv(self, program, suite):
        options = {
            "Dir::State": self.folder, "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status", "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / (suite + ".list"),
            "Dir::Etc::sourceparts": "-", "APT::Get::List-Cleanup": "0",
            "Acquire::Languages": "none", "Acquire::Retries": "2",
            # our folders are ours, not user _apt's
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        }
        argv = [program]
        for name, value in options.items():
            argv += ["-o", "%s=%s" % (name, value)]
        return argv

    def find(self, package):
        """The suite that has @package, or None; updates one suite after the other."""
        for suite in _SUITES:
            if suite not in self.updated:
                step = Step("read Debian's package list of %s" % suite)
                code = command.logged(self._argv("apt-get", suite) + ["update"], self.log,
                                      tick=lambda: step.progress("fetching"), timeout=600)
                text = command.tail(self.log, 100)
                if code or packages.looks_offline(text):
                    step.failed()
                    self.errors += text
                else:
                    step.done()
                self.updated.append(suite)
            _, out, _ = command.output(self._argv("apt-cache", suite) + ["madison", package])
            if re.search(r"^\s*%s \|" % re.escape(package), out, re.M):
                return suite
        return None

    def download(self, package, suite, folder):
        step = Step("download %s from Debian %s" % (package, suite))
        got = lambda: sum(f.stat().st_size for f in folder.iterdir()) >> 20
        code = command.logged(self._argv("apt-get", suite) + ["download", package], self.log,
                              tick=lambda: step.progress("%d MiB" % got()), cwd=folder)
        debs = list(folder.glob("*.deb"))
        if code or len(debs) != 1:
            step.failed()
            if command.out_of_space(folder, self.log):
                raise lacking("%s: disk full while downloading %s" % (folder, package))
            raise lacking("%s cannot be downloaded (network?); log: %s, or give a kernel tree "
                          "with KSRC=" % (package, self.log),
                          *command.tail(self.log, 3).splitlines())
        step.done("%d MiB" % got())
        return debs[0]

    def not_found(self, wanted):
        names = " or ".join("linux-source-" + v for v in wanted)
        if self.errors:
            lines = [l for l in self.errors.splitlines() if re.match(r"[EW]: |Err:", l)]
            return lacking("no network: Debian's package lists cannot be read, so %s cannot be "
                           "fetched; connect, or give a kernel tree with KSRC= (log: %s)" %
                           (names, self.log), *lines[-3:])
        return lacking("Debian's %s have no %s; give a kernel tree with KSRC=" %
                       (", ".join(_SUITES), names))


def _mirror():
    """The mirror this machine uses for its own Debian release (not security)."""
    codename = ""
    try:
        m = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
        codename = m.group(1) if m else ""
    except OSError:
        pass
    found = []
    _, out, _ = command.output(["apt-get", "indextargets", "--format", "$(SITE) $(RELEASE)"])
    found += [line.split() for line in out.splitlines()]
    # before the first `apt-get update` there are no targets; the plan has them
    _, out, _ = command.output(["apt-get", "--print-uris", "update"])
    found += re.findall(r"^'(\S+?)/dists/(\S+?)/(?:In)?Release'", out, re.M)
    for pair in found:
        if len(pair) == 2 and pair[1] == codename and "security" not in pair[0]:
            return pair[0]
    return next((p[0] for p in found if len(p) == 2 and p[0].rstrip("/").endswith("/debian")),
                None)
