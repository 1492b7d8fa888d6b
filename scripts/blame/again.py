# SPDX-License-Identifier: GPL-2.0
"""The one command that shows again what a tier has said of a commit.

It is the tier's own ("again:" in its log), with the tree of the series at that commit
first: by the end that is at the last one. Knows logs and variables of the front doors; must
not know who is to blame.
"""

import re
import shlex

from common import repeat

#: each door's way to say it; not "does it come again:", which is about a folder
_AGAIN = re.compile(r"[#\s]*again: (make .*)")


def _of_log(said, names):
    """The tier's own command, that of one of @names if it has several; or None."""
    try:
        with open(said["log"], encoding="utf-8", errors="replace") as log:
            found = [m.group(1) for m in map(_AGAIN.fullmatch, map(str.rstrip, log)) if m]
    except OSError:
        return None
    of_names = [c for c in found if any("FILTER=%s" % n in c.split() for n in names)]
    return (of_names or found or [None])[0]


def _of_tier(tier, values):
    """All that the tier does: what did not build had nothing to say."""
    variables = {"KSRC": values.ksrc}
    if tier in ("kunit", "uml"):
        variables["WHERE"] = "uml"
    elif tier != "kselftest":
        variables["BACKEND"] = tier
    if tier not in ("kunit", "kselftest"):
        variables.update(SEED=values.seed, DURATION=values.time)
    if values.force:
        variables["FORCE"] = 1
    return repeat.command(tier if tier in ("kunit", "kselftest") else "run", variables)


def command(tier, said, names, commit, values):
    """A line for a shell in this project's folder; @values.ksrc: the tree of the series."""
    return "git -C %s checkout -q %s && %s" % (shlex.quote(values.ksrc), commit.short,
                                               _of_log(said, names) or _of_tier(tier, values))
