# SPDX-License-Identifier: GPL-2.0
"""Scenarios: kernels and runs worth trying, one file each, as rcutorture has them.

scripts/scenarios/NAME is a fragment of kernel configuration, on top of the flavour's;
its first lines say what it is for and, after #RUN#, which variables of make run it
sets. scripts/scenarios/NAME.boot has parameters for the kernel's command line.
Knows these files; must not know what is built or run.
"""

import re
from pathlib import Path

from common.say import usage

FOLDER = Path(__file__).resolve().parents[1] / "scenarios"
_OPTION = re.compile(r"(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set")
_RUN = re.compile(r"#RUN# (.+)")


class Scenario:
    """One file, read."""

    def __init__(self, path):
        self.name = path.name
        self.path = path
        self.about = ""
        self.variables = {}     # of make run
        self.options = {}       # of kconfig: value, or None for "not set"
        boot = path.with_name(path.name + ".boot")
        self.boot = " ".join(boot.read_text().split()) if boot.exists() else ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            self._take(line, number)

    def _take(self, line, number):
        option, run = _OPTION.fullmatch(line), _RUN.fullmatch(line)
        if option:
            self.options[option.group(1) or option.group(3)] = option.group(2)
        elif run:
            for word in run.group(1).split():
                name, equals, value = word.partition("=")
                if not equals:
                    raise usage("%s:%d: '%s' must be VARIABLE=value" % (self.path, number, word))
                self.variables[name] = value
        elif line.startswith("# ") and not self.about and "SPDX" not in line:
            self.about = line[2:].strip()
        elif line and not line.startswith("#"):
            raise usage("%s:%d: cannot read '%s'" % (self.path, number, line))


def every():
    """All scenarios, by name."""
    return [Scenario(p) for p in sorted(FOLDER.iterdir()) if p.suffix != ".boot"]


def find(name):
    """The scenario of that name; bad usage if there is none."""
    path = FOLDER / name
    if path.suffix == ".boot" or not path.is_file():
        raise usage("SCENARIO=%s: there is no such scenario; there are: %s" %
                    (name, ", ".join(s.name for s in every())))
    return Scenario(path)


def kernel_of(one):
    """The first scenario whose kernel is configured as that of @one: they share a build."""
    return next(s for s in every() if s.options == one.options)
