# SPDX-License-Identifier: GPL-2.0
"""What the variables come to: defaults, and what was said is kept.

Prints TAP. Knows what `make help` promises of them.
"""

import os
import sys
from pathlib import Path
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import repeat                   # noqa: E402
from common.settings import Values          # noqa: E402
from said import all_of, result             # noqa: E402
import kselftest                            # noqa: E402

_KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR")


def _said(function, **variables):
    """@function's answer with only @variables said."""
    env = {k: v for k, v in os.environ.items() if k in _KEPT}
    with mock.patch.dict(os.environ, {**env, **variables}, clear=True):
        return function(Values())


def _is(title, wanted, found):
    result(found == wanted, title, "wanted %s, it is %s" % (wanted, found))


def memory():
    """MEM= by backend, if nothing is said."""
    _is("MEM= of tdx.c is 16M", 16, _said(lambda v: v.mem))
    _is("MEM= of the external backend is 32M", 32, _said(lambda v: v.mem, BACKEND="external"))
    _is("another backend's default in its place", 32, _said(lambda v: v.external().mem))
    _is("MEM= that was said is kept for another backend", 64,
        _said(lambda v: v.external().mem, MEM="64M"))
    _is("make kselftest's own default", [("tdx", 16), ("external", 16)], _said(_kselftest))
    _is("MEM= goes to both backends of make kselftest", [("tdx", 64), ("external", 64)],
        _said(_kselftest, MEM="64M"))
    for variables, wanted in (({}, None), ({"MEM": "32M"}, None), ({"MEM": "16M"}, "16M")):
        _is("a run is repeated with %s" % (variables or "the default"), wanted,
            _said(lambda v: repeat.of_run(v, "7.3.1").get("MEM"), BACKEND="external",
                  **variables))


def _kselftest(values):
    return [(v.backend, v.mem) for v in kselftest.backends(values)]


if __name__ == "__main__":
    all_of(memory)
