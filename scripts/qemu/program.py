# SPDX-License-Identifier: GPL-2.0
"""Which QEMU is run: the user's or the machine's.

Knows how to ask a QEMU what it is; must not know what is booted.
"""

import functools
import os
import re
import shutil
import subprocess

from common import command
from common.say import Problem, lacking, usage

_NAME = "qemu-system-x86_64"


class Program:
    """A QEMU that starts. @path; @line: what it says of itself; @release: its version."""

    def __init__(self, path):
        self.path = path
        self.line = _say(path, "--version").partition("\n")[0]
        m = re.match(r"QEMU emulator version ([\d.]+)", self.line)
        if not m:
            raise lacking("%s: does not say a version of QEMU" % path)
        self.release = m.group(1)

    def __str__(self):
        return "QEMU %s" % self.release

    def has_file(self, name):
        """Whether -bios @name would be found."""
        return any(os.path.exists(os.path.join(folder, name))
                   for folder in _say(self.path, "-L", "help").splitlines())


def _say(*argv):
    """What a QEMU prints that boots nothing."""
    try:
        code, out, error = command.output(argv, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as e:
        code, out, error = 126, "", getattr(e, "strerror", None) or "no answer within a minute"
    if code:
        raise lacking("%s: does not start: %s" % (argv[0], (error.strip() or "exit code %d" % code)
                                                  .splitlines()[-1]))
    return out


@functools.cache
def get(wanted):
    """The Program to run guests with. @wanted: the user's choice, or None."""
    if wanted:
        return _users(wanted)
    path = shutil.which(_NAME)
    if not path:
        raise lacking("%s: not found; apt-get install qemu-system-x86" % _NAME)
    return Program(path)


def _users(wanted):
    """The user's QEMU, if it is one that emulates what is needed."""
    try:
        program = Program(wanted)
        models = _say(wanted, "-cpu", "help")
    except Problem as problem:
        raise usage("QEMU=%s" % problem) from problem
    if not re.search(r"\bEPYC\b", models):
        raise usage("QEMU=%s: emulates no x86_64" % wanted)
    return program
