# SPDX-License-Identifier: GPL-2.0
"""The variables by which a run is repeated, and the command that has them.

Knows the variables of the front door and their defaults; must not know what is
run. What a run has said of itself here is what make replay and make minimise read.
"""

import os
import re
import shlex

from common import scenario, settings

#: in the order in which they are said
_RUN = ("SCENARIO", "WHERE", "KERNEL", "BACKEND", "KSRC", "KVER", "FORCE", "VARIANT", "MUTANT",
        "FLAVOUR", "KASAN", "DURATION", "CPUS", "VCPUS", "TDS", "MEM", "WORKERS", "OPS", "BUSY",
        "DELAY", "SCHEDULE", "SPLIT", "STUTTER", "HUGE_1G", "HUGETLB", "STUB", "STRESS",
        "MACHINE", "ACCEL", "QEMU")
#: what says where files go and how much is shown, and what is about other doors
_NOT_REPEATED = ("RUNDIR", "KEEP", "TRACE", "JOBS", "V", "KIT", "RUN", "LIKE", "STOP_EARLY",
                 "LINES", "TRIES", "TIME", "RESUME", "FULL", "AGAIN", "ONLY", "TIERS", "FILTER")


def _text(name, value):
    """@value as one says it, or None."""
    if value is None or value is False:
        return None
    if name == "MEM":
        return "%dM" % value
    return "1" if value is True else str(value)


def _default(name, values):
    if name == "MEM":
        return "%dM" % settings.default_mem(values.backend)
    if name == "BACKEND":
        implied = values.where == "uml" or values.kernel == "debian" or values.variant
        return "external" if implied else "tdx"
    if name == "WHERE":
        return "qemu"
    default = settings.ALL[name].default
    return None if default == "0" and name not in ("STUTTER", "DELAY", "BUSY") else default


def _version(values, release):
    """KVER= of the kernel that was run: what is newest may be another one tomorrow."""
    short = ".".join((release or "").split(".")[:2])
    return None if values.ksrc or not settings.ALL["KVER"].parse(short) else short


def of_run(values, release=None):
    """{variable: text} of a make run with @values, on a kernel of that @release."""
    found = {"SEED": str(values.seed)}
    said = scenario.find(values.scenario).variables if values.scenario else {}
    for name in _RUN:
        text = _text(name, getattr(values, name.lower()))
        if name == "KVER":
            text = text or _version(values, release)
        # what a scenario sets is said even if it is the default again
        if text is not None and (text != _default(name, values) or name in said):
            found[name] = text
        elif name in said and name in values.given:
            found[name] = text or "0"
    return found


def of_said(values, release=None):
    """{variable: text} of another door: what the user has said, and the seed."""
    found = {n: t for n, t in values.said().items() if n not in _NOT_REPEATED}
    found["SEED"] = str(values.seed)
    version = _version(values, release)
    if version:
        found["KVER"] = version
    return found


def command(door, variables, more=None):
    """The line that does it; @more: of the environment, no variables of make."""
    words = ["%s=%s" % pair for pair in (more or {}).items()] + ["make", door]
    return " ".join([shlex.quote(w) if not re.fullmatch(r"\w+=.*", w) else _assignment(w)
                     for w in words + ["%s=%s" % pair for pair in variables.items()]])


def _assignment(word):
    name, _, value = word.partition("=")
    return "%s=%s" % (name, shlex.quote(value) if value else "''")


def environment(names):
    """Those of @names that are set."""
    return {n: os.environ[n] for n in names if os.environ.get(n)}
