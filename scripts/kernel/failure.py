# SPDX-License-Identifier: GPL-2.0
"""Why a build failed: a full disk is not the tree's fault.

Knows build logs; must not know what was built.
"""

import re

from common import command
from common.say import build_failed, lacking


def disk_full(folder, log):
    return lacking("%s: disk full while building (make room, or set XDG_CACHE_HOME to a "
                   "folder on a larger disk); log: %s" % (folder, log))


def failure(folder, log, line):
    """The Problem behind a build in @folder that failed with @log."""
    if command.out_of_space(folder, log):
        return disk_full(folder, log)
    text = command.tail(log, 400).splitlines()
    errors = [n for n, l in enumerate(text) if re.search(r"\b(error|Error|undefined)\b", l)]
    first = max(0, errors[0] - 3) if errors else max(0, len(text) - 20)
    return build_failed("%s; full log: %s" % (line, log), *text[first:first + 20])
