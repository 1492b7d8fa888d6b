# SPDX-License-Identifier: GPL-2.0
"""Where things are kept between runs, and who may write there at a time.

Knows folders and locks; must not know what is built in them.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import time
from pathlib import Path

from common.say import lacking, say

REPO = Path(__file__).resolve().parents[2]


def root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "tdp_stress"


def folder(*parts):
    path = root().joinpath(*parts)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise lacking("%s: cannot make this folder: %s (set XDG_CACHE_HOME to a folder "
                      "of your own)" % (path, e.strerror)) from e
    return path


def results(values, name):
    """Where a batch keeps its results, so that it can go on there: RUNDIR or run/@name."""
    path = Path(values.rundir).expanduser().absolute() if values.rundir else REPO / "run" / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise lacking("%s: cannot make this folder: %s" % (path, e.strerror)) from e
    return path


@contextlib.contextmanager
def lock(path):
    """One user of a folder at a time; says who waits for what."""
    with open(Path(path) / ".lock", "w", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            if e.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            start = time.monotonic()
            say("  another tdp_stress uses %s; waiting" % path)
            fcntl.flock(f, fcntl.LOCK_EX)
            say("  waited %.0f s" % (time.monotonic() - start))
        yield f


def need_space(path, mib, what):
    free = shutil.disk_usage(path).free >> 20
    if free < mib:
        raise lacking("%s: %d MiB free, %s needs about %d MiB (make room, or set "
                      "XDG_CACHE_HOME to a folder on a larger disk)" % (path, free, what, mib))
