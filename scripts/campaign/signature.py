# SPDX-License-Identifier: GPL-2.0
"""The signature of a failed run, as a campaign keeps it: with the line that says most.

Two failures of one signature are most likely one bug. The first violation decides: later
ones are what it did to the rest. What a signature is, is common.signature's; must not
know what a campaign is.
"""

from common import signature as signatures

NOTHING = "-"


def of(data, folder):
    """The signature of the failed run that left summary @data and its files in @folder:
    {"invariant", "function", "operations": [own, other], "line"}.
    """
    log = ""
    for name in ("dmesg", "console.log"):
        try:
            log += (folder / name).read_text(errors="replace").replace("\r", "")
        except OSError:
            pass
    found = signatures.of_run(data, log)[0]
    own, other, *_ = found.operations + (NOTHING, NOTHING)
    line = (data.get("violation_lines") or data.get("unexplained_messages") or
            [data.get("reason") or "no reason given"])[0]
    return {"invariant": found.invariant, "function": found.function or NOTHING,
            "operations": [own, other], "line": str(line)}


def key(signature):
    """What tells one group of failures from another."""
    return (signature["invariant"], signature["function"], *signature["operations"])


def title(signature):
    """In a few words, those of make run."""
    function, operations = signature["function"], signature["operations"]
    return str(signatures.Signature(signature["invariant"],
                                    "" if function == NOTHING else function,
                                    [o for o in operations if o != NOTHING]))
