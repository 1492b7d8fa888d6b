# SPDX-License-Identifier: GPL-2.0
"""Whether a parameter's description has the range and the default of its source.

A table has what is accepted, an initialiser the default, MODULE_PARM_DESC() what people
read; tdp-judge takes some of them again. Knows the form of those tables.
"""

import re

from common.cache import REPO
from docs import facts

_MODULES = {"tdp_stress": "tdp_stress/stress/params.c", "tdx_stub": "tdp_stress/stub/params.c"}
#: name, where it is kept, least, greatest, and what else is said of it
_ROW = re.compile(r'\[[A-Z_\d]+\] = \{\s*"(\w+)",\s*(?:(?:"[^"]*"|[A-Z_]+)[ A-Z]*,\s*&\w+\.\w+,\s*)?'
                  r'(-?\d+),\s*(\d+|U64_MAX)(?:,\s*&\w+\.\w+)?([^}]*)\}')
_ROWS = re.compile(r"^\t\[[A-Z_\d]+\] = \{[^}]*\d[^}]*\}", re.M)
_DEFAULTS = re.compile(r"^\t\.(\w+)\s*= (-?\d+),", re.M)
_LIMIT = re.compile(r'limit\("([\w-]+)", optarg, (\d+), (\d+)\)')
_OF_JUDGE = ("progress-ms", "frozen-max-ms", "retry-max")
_U64 = "2^64-1"


def _range(least, greatest, more):
    """As it is said; None for one that is yes or no."""
    if (least, greatest) == ("0", "1"):
        return None
    not_one = "not_one = true" in more or ", true" in more
    first = "0" if least == "-1" else "2" if not_one else least
    return first, _U64 if greatest == "U64_MAX" else greatest


def numbers(text):
    """{name: (range as it is said, default)} of a params.c's @text."""
    defaults = dict(_DEFAULTS.findall(text))
    return {name: (_range(least, greatest, more), defaults.get(name, "0"))
            for name, least, greatest, more in _ROW.findall(text)}


def differences(found, told):
    """What @told, {name: description}, does not say of @found, as numbers() has it."""
    wrong = []
    for name, (span, default) in found.items():
        text = told.get(name, "")
        # "1 to N; 0: none" is one, too
        least = "[01]" if span and span[0] == "0" and "; 0: " in text else span and span[0]
        if span and not re.search(r"(?<![\d-])%s to %s(?!\d)" % (least, re.escape(span[1])), text):
            wrong.append("%s: accepted is %s to %s, said is: %s" % (name, *span, text))
        if "(default %s)" % default not in text:
            wrong.append("%s: the default is %s, said is: %s" % (name, default, text))
    return wrong


def of_judge(text, found):
    """How tdp-judge's limits, in its main()'s @text, differ from tdp_stress's, @found."""
    limits = {name: (least, greatest) for name, least, greatest in _LIMIT.findall(text)}
    return ["tdp-judge --%s: %s, tdp_stress %s" % (name, limits.get(name), span)
            for name in _OF_JUDGE
            for span, _ in [found.get(name.replace("-", "_"), (None, None))]
            if limits.get(name) != span]


def wrong():
    """All that do not agree, in words."""
    said = []
    every = {}
    for module, path in _MODULES.items():
        text = (REPO / path).read_text()
        every[module] = numbers(text)
        rows = len(_ROWS.findall(text))
        if not rows or len(every[module]) != rows:
            said.append("%s: %d of %d rows can be read" % (path, len(every[module]), rows))
        said += differences(every[module],
                            {p.name: p.text for p in facts.parameters(module)})
    return said + of_judge((REPO / "selftests/judge/main.c").read_text(), every["tdp_stress"])
