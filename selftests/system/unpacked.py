# SPDX-License-Identifier: GPL-2.0
"""Debian packages for a test to have, only unpacked: nothing is installed, no daemon starts.

They come from the machine's own sources of apt, with what they depend on and the machine lacks,
into a folder of the cache, by an apt state of our own there. Knows apt and dpkg; must not know
what the packages are for.
"""

import hashlib
import os
import shlex
import shutil

from common import cache, command
from common.say import Step, lacking


class Packages:
    """@names, unpacked. @root: where; @programs: a folder for PATH; @suffix: of programs that
    Debian's alternatives would name without it.
    """

    def __init__(self, names, suffix=None):
        digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:8]
        self.names = names
        self.suffix = suffix
        self.folder = cache.folder("unpacked", digest)
        self.root = self.folder / "root"
        self.programs = self.folder / "programs"
        self.log = self.folder / "log"

    def get(self):
        """Have them; a Problem if that cannot be."""
        with cache.lock(self.folder):
            if not self.programs.exists():
                self._unpack(self._download())
                self._wrap()
        return self

    def _apt(self, *argv):
        """The exit code of apt-get, with the machine's sources and status and our own lists."""
        for part in ("lists", "archives"):
            (self.folder / part / "partial").mkdir(parents=True, exist_ok=True)
        options = {"Dir::State::lists": self.folder / "lists", "Dir::Cache": self.folder,
                   "Debug::NoLocking": "true", "Acquire::Languages": "none",
                   # our folders are ours, not user _apt's
                   "APT::Sandbox::User": "root" if os.geteuid() == 0 else ""}
        words = [w for name, value in options.items() for w in ("-o", "%s=%s" % (name, value))]
        return command.logged(["apt-get", *words, *argv], self.log, timeout=900)

    def _download(self):
        if not shutil.which("apt-get"):
            raise lacking("%s: not installed, and this is no Debian to get them from" %
                          " ".join(self.names))
        step = Step("download %s" % " ".join(self.names))
        self.log.write_text("")
        shutil.rmtree(self.folder / "archives", ignore_errors=True)
        wanted = ["install", "--download-only", "--yes", "--no-install-recommends"]
        if self._apt("update") or self._apt(*wanted, *self.names):
            step.failed()
            raise lacking("%s cannot be downloaded (network?); log: %s" %
                          (" ".join(self.names), self.log),
                          *command.tail(self.log, 3).splitlines())
        found = sorted((self.folder / "archives").glob("*.deb"))
        step.done("%d packages" % len(found))
        return found

    def _unpack(self, files):
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        for path in files:
            if command.logged(["dpkg", "-x", path, self.root], self.log):
                raise lacking("%s cannot be unpacked; log: %s" % (path, self.log),
                              *command.tail(self.log, 3).splitlines())
        for part in ("archives", "lists"):
            shutil.rmtree(self.folder / part)

    def _wrap(self):
        """A program of each name, that finds the libraries which are here."""
        libraries = ":".join(sorted({str(p.parent) for p in self.root.rglob("lib*.so*")}))
        new = self.programs.with_name("programs.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        for place in ("usr/sbin", "usr/bin", "sbin", "bin"):
            for path in (self.root / place).glob("*"):
                (new / path.name).write_text(
                    "#!/bin/sh\nLD_LIBRARY_PATH=%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "
                    "exec %s \"$@\"\n" % (shlex.quote(libraries), shlex.quote(str(path))))
                (new / path.name).chmod(0o755)
                if self.suffix and path.name.endswith(self.suffix):
                    (new / path.name.removesuffix(self.suffix)).symlink_to(path.name)
        new.rename(self.programs)

    def find(self, name):
        """The path of the file or folder @name, or None."""
        return next(iter(sorted(self.root.rglob(name))), None)
