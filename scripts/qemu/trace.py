# SPDX-License-Identifier: GPL-2.0
"""The trace of a run: from what the guest has packed to trace.txt, and to tdp-judge.

Knows how guest/lib.sh packs it and what tdp-judge's exit codes mean; must not know
what is in a trace.
"""

import base64
import binascii
import gzip
import shutil

from common import command
from common.say import say
from kernel import ours

_PACKED = "trace.b64"
TEXT = "trace.txt"
JUDGED = "trace.judged"
JSON = "trace.json"
#: in the JSON, for a page that shows them
_EVENTS = 20000
#: of tdp-judge
_JUDGED = (0, 1)


def keep(outcome, folder):
    """Leave trace.txt in @folder; returns its path, or None if the guest brought none out."""
    packed = outcome.files.pop(_PACKED, None)
    (folder / _PACKED).unlink(missing_ok=True)
    if packed is None:
        return None
    try:
        text = gzip.decompress(base64.b64decode(packed))
    except (binascii.Error, OSError, EOFError) as e:
        say("  trace: what came out of the guest is damaged: %s" % e)
        return None
    (folder / TEXT).write_bytes(text)
    return folder / TEXT


def judged(outcome, folder, values):
    """Keep the trace of a run, have it judged, and say so."""
    path = keep(outcome, folder)
    if not path:
        say("  trace: none came out of the guest%s" % (
            "" if outcome.end == "finished" else ", which did not get to its end"))
        return
    say("  trace: %s, %.1f MiB" % (path, path.stat().st_size / 2**20))
    if not ours.JUDGE.exists() and not shutil.which("cc") and not shutil.which("gcc"):
        say("  trace: not judged: there is no compiler for tdp-judge")
        return
    program = ours.judge(values.jobs)
    code, said, error = command.output([program, path])
    if code not in _JUDGED:
        say("  trace: " + (error or said).strip())
        return
    (folder / JUDGED).write_text(said)
    lines = said.splitlines()
    # the first violation, if there is one, and the verdict
    for line in (lines[:2] if code else []) + lines[-1:]:
        say("  trace: " + line)
    _, text, _ = command.output([program, "--json", "--last=%d" % _EVENTS, path])
    (folder / JSON).write_text(text)
