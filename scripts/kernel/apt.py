# SPDX-License-Identifier: GPL-2.0
"""Debian's packages, fetched through an apt state of our own.

Knows suites, apt and dpkg; must not know what is in a package. Nothing of the
machine's own apt configuration is changed: its mirror, proxy and keys are
used, its lists and sources are not.
"""

import os
import re
from pathlib import Path

from common import cache, command, packages
from common.say import Step, lacking

_KEYRINGS = ("/usr/share/keyrings/debian-archive-keyring.gpg",
             "/usr/share/keyrings/debian-archive-keyring.pgp")


def unpack_failed(base, log, name):
    """The Problem behind a package or archive that did not unpack below @base."""
    if command.out_of_space(base, log):
        return lacking("%s: disk full while unpacking %s (make room, or set XDG_CACHE_HOME "
                       "to a folder on a larger disk)" % (base, name))
    return lacking("%s cannot be unpacked; log: %s" % (name, log),
                   *command.tail(log, 5).splitlines())


class Apt:
    """A private apt: own sources, lists and archive; the machine's mirror and keys."""

    def __init__(self, suites):
        self.suites = suites
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
        for suite in suites:
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

    def _update(self, suite):
        if suite in self.updated:
            return
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

    def versions(self, expression):
        """(suite, {package: its newest version}) of the packages whose whole name
        matches @expression, from the first suite that has any; (None, {}) if none has.
        """
        for suite in self.suites:
            self._update(suite)
            _, out, _ = command.output(self._argv("apt-cache", suite) + ["pkgnames"])
            names = [n for n in out.split() if re.fullmatch(expression, n)]
            if not names:
                continue
            _, out, _ = command.output(self._argv("apt-cache", suite) + ["madison"] + names)
            found = {}
            for line in out.splitlines():
                name, version, _ = [word.strip() for word in line.split("|")]
                found.setdefault(name, version)
            if found:
                return suite, found
        return None, {}

    def find(self, package):
        """The first suite that has @package, or None."""
        return self.versions(re.escape(package))[0]

    def download(self, what, wanted, suite, folder):
        """The files of the packages @wanted (names, or name=version)."""
        step = Step("download %s from Debian %s" % (what, suite))
        got = lambda: sum(f.stat().st_size for f in folder.iterdir()) >> 20
        code = command.logged(self._argv("apt-get", suite) + ["download", *wanted], self.log,
                              tick=lambda: step.progress("%d MiB" % got()), cwd=folder)
        debs = sorted(folder.glob("*.deb"))
        if code or len(debs) != len(wanted):
            step.failed()
            if command.out_of_space(folder, self.log):
                raise lacking("%s: disk full while downloading %s" % (folder, what))
            raise lacking("%s cannot be downloaded (network?); log: %s, or give a kernel tree "
                          "with KSRC=" % (what, self.log),
                          *command.tail(self.log, 3).splitlines())
        step.done("%d MiB" % got())
        return debs

    def not_found(self, wanted):
        """The Problem that none of @wanted was found."""
        names = " or ".join(wanted)
        if self.errors:
            lines = [l for l in self.errors.splitlines() if re.match(r"[EW]: |Err:", l)]
            return lacking("no network: Debian's package lists cannot be read, so %s cannot be "
                           "fetched; connect, or give a kernel tree with KSRC= (log: %s)" %
                           (names, self.log), *lines[-3:])
        return lacking("Debian's %s have no %s; give a kernel tree with KSRC=" %
                       (", ".join(self.suites), names))


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
