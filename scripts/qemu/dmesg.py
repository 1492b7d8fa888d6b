# SPDX-License-Identifier: GPL-2.0
"""Judges the guest's kernel log: every warning needs an explanation.

Knows the log's format and known-messages; must not know verdicts.
"""

import re
from pathlib import Path

_KNOWN = Path(__file__).resolve().parent / "known-messages"
_LINE = re.compile(r"^<(\d+)>\[\s*([\d.]+)\](?:\[[^]]*\])? (.*)")
_WARNING = 4
_BEGIN = "tdp_stress run: begin"
#: KVM_BUG_ON: the external page table did not take a change that cannot be undone
_REFUSED = re.compile(r"WARNING: .* at (?:handle_changed_spte|__handle_changed_spte)\+")


def known():
    rules = []
    for line in _KNOWN.read_text().splitlines():
        if line and not line.startswith("#"):
            expression, _, reason = line.partition(" # ")
            rules.append((re.compile(expression.strip()), reason.strip()))
    return rules


def lines(text):
    """(level, text) of every line of `dmesg -r`."""
    for line in text.splitlines():
        m = _LINE.match(line)
        if m:
            yield int(m.group(1)) & 7, m.group(3)


def unexplained(text, refused=0):
    """Lines of warning level or worse since the modules were loaded, unknown ones.

    @refused: tdp_stress refused what this KVM cannot do, and saw so many WARNs of
    KVM's answer to that; those explain themselves.
    """
    rules = known()
    found = []
    begun = excused = False
    for level, line in lines(text):
        if _BEGIN in line:
            begun = True
            continue
        if excused and "cut here" not in line:
            excused = "end trace" not in line
            continue
        # its end may be lost
        excused = False
        if not begun or level > _WARNING or not line.strip():
            continue
        explained = any(rule.search(line) for rule, _ in rules)
        if refused and _REFUSED.search(line):
            refused -= 1
            explained = True
        if not explained:
            found.append(line)
        elif line.startswith("WARNING: "):
            # so is its trace, and the line above it says no more than "cut here"
            excused = True
            if found and "cut here" in found[-1]:
                found.pop()
    return found
