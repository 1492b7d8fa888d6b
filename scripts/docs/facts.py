# SPDX-License-Identifier: GPL-2.0
"""What the source says of itself: parameters, operations, options, files, targets.

Knows the form of these tables, and refuses what it cannot read: a table that has
another form, or an entry without a description, must not become an empty page. Must
not know how the documentation shows it.
"""

import functools
import re
from collections import namedtuple

from common import cache, settings
from common.say import build_failed

MODULES = ("tdp_stress", "tdx_stub")

Parameter = namedtuple("Parameter", "module name writable text")
File = namedtuple("File", "folder name mode text")
TortureOp = namedtuple("TortureOp", "name root level entry kind need weight span")
DriverOp = namedtuple("DriverOp", "name text weight by")
Option = namedtuple("Option", "name arg text")
Leaf = namedtuple("Leaf", "name busy flags")
Target = namedtuple("Target", "name text")

_STRING = r'"(?:[^"\\]|\\.)*"'
_STRINGS = r"((?:%s\s*)+)" % _STRING


def read(path):
    return (cache.REPO / path).read_text(encoding="utf-8")


def _joined(text):
    """C's string constants in @text, joined."""
    return "".join(s[1:-1].replace('\\"', '"') for s in re.findall(_STRING, text))


def _all(path, pattern, what, text=None):
    found = re.findall(pattern, read(path) if text is None else text)
    if not found:
        raise build_failed("%s: no %s that can be read; has the table another form? then "
                           "scripts/docs/facts.py has to follow" % (path, what))
    return found


def _sources(module):
    """C files in which a module has parameters and files."""
    rooms = ("stub",) if module == "tdx_stub" else ("stress", "torture", "oracle", "kvm")
    return [p.relative_to(cache.REPO) for room in rooms
            for p in sorted((cache.REPO / "tdp_stress" / room).glob("*.c"))]


@functools.cache
def parameters(module):
    """Of tdp_stress or tdx_stub, in the order of the source."""
    made, told = {}, {}
    for path in _sources(module):
        text = read(path)
        for name, rest in re.findall(r"^module_param\w*\((\w+),([^;]*)\);", text, re.M):
            made[name] = re.search(r"\b(0\d{3})\s*$", rest).group(1)
        for name, strings in re.findall(r"^MODULE_PARM_DESC\((\w+),\s*%s\);" % _STRINGS, text,
                                        re.M):
            told[name] = _joined(strings)
    if not made or set(made) != set(told):
        raise build_failed("%s: parameters and descriptions do not match: %s" % (
            module, " ".join(sorted(set(made) ^ set(told))) or "none found"))
    return [Parameter(module, n, int(mode, 8) & 0o200 != 0, told[n]) for n, mode in made.items()]


@functools.cache
def debugfs(module):
    """Its files in debugfs; what each is for says the comment before it."""
    found = []
    for path in _sources(module):
        text = read(path)
        calls = re.findall(r'debugfs_create_\w+\("(\w+)", (0\d{3})', text)
        told = re.findall(r'/\* ([^/]*?) \*/\n\tdebugfs_create_\w+\("(\w+)", (0\d{3})', text)
        if len(calls) != len(told):
            raise build_failed("%s: a comment before each debugfs file has to say what it is "
                               "for; there is none before: %s" % (path, " ".join(sorted(
                                   {n for n, _ in calls} - {n for _, n, _ in told}))))
        found += [File("/sys/kernel/debug/" + module, name, mode,
                       re.sub(r"\s*\n\s*\* ", " ", comment)) for comment, name, mode in told]
    return found


@functools.cache
def torture_ops():
    """The in-kernel operations, a row for each root and level."""
    path = "tdp_stress/torture/ops.c"
    rows = _all(path, r'\{ "(\w+)", "(\w+)", "([^"]+)", (\w+),\s*TORTURE_(\w+),\s*NEED_(\w+),\s*'
                r'(\d+),\s*SPAN_(\w+),', "operations")
    if len(rows) != len(re.findall(r'^\t\{ "', read(path), re.M)):
        raise build_failed("%s: some operations cannot be read; scripts/docs/facts.py has to "
                           "follow" % path)
    return [TortureOp(n, root, level, None if entry == "NULL" else entry, kind, need, int(weight),
                      span) for n, root, level, entry, kind, need, weight, span in rows]


@functools.cache
def driver_ops():
    path = "selftests/driver/ops.c"
    rows = _all(path, r'\[OP_\w+\] = \{\s*"(\w+)",\s*"([^"]+)",\s*(\d+),\s*(?:/\*.*?\*/\s*)?'
                r'([^,]+),', "operations")
    if len(rows) != len(re.findall(r"\[OP_\w+\] = \{", read(path))):
        raise build_failed("%s: some operations cannot be read; scripts/docs/facts.py has to "
                           "follow" % path)
    return [DriverOp(n, text, int(weight), re.findall(r"OP_BY_(\w+)", by))
            for n, text, weight, by in rows]


@functools.cache
def driver_options():
    path = "selftests/driver/options.c"
    rows = _all(path, r'\[OPT_\w+\] = \{ "([\w-]+)", \w+, [^"]*?(?:"(\w+)"|NULL),\s*%s \}' %
                _STRINGS, "options")
    if len(rows) != len(re.findall(r"\[OPT_\w+\] =", read(path))):
        raise build_failed("%s: some options cannot be read; scripts/docs/facts.py has to "
                           "follow" % path)
    return [Option(n, arg, _joined(text)) for n, arg, text in rows]


@functools.cache
def judge_options():
    """Of tdp-judge, whose help is one text; name as in "-j, --json"."""
    text = re.search(r"static const char help\[\] =\s*%s;" % _STRINGS,
                     read("selftests/judge/main.c"))
    if not text:
        raise build_failed("selftests/judge/main.c: no help that can be read; "
                           "scripts/docs/facts.py has to follow")
    lines = _joined(text.group(1)).replace("\\n", "\n")
    rows = re.findall(r"^  (-\w, --[\w-]+)(?:=(\w+))?  +(.*(?:\n {10,}.*)*)", lines, re.M)
    if len(rows) != len(re.findall(r"^  -\w,", lines, re.M)) or not rows:
        raise build_failed("selftests/judge/main.c: some options cannot be read; "
                           "scripts/docs/facts.py has to follow")
    return [Option(n, arg, " ".join(about.split())) for n, arg, about in rows]


@functools.cache
def leaves():
    """SEAMCALL leaves that the emulated TDX module answers."""
    rows = _all("tdp_stress/core/leaf.c",
                r'LEAF\(TDH_\w+,\s*"([\w.]+)",\s*\w+,\s*(\w+),\s*([\w\s|]+)\)', "leaves")
    return [Leaf(name, busy, re.findall(r"LEAF_\w+", flags.replace(
        "MEM_LEAF", "LEAF_TDR_RDX | LEAF_EXT_INFO"))) for name, busy, flags in rows]


@functools.cache
def invariants():
    """Ids of the checks, in the order of the source."""
    enum = re.search(r"enum tdps_check \{(.*?)\}", read("tdp_stress/oracle/oracle.h"), re.S)
    if not enum:
        raise build_failed("tdp_stress/oracle/oracle.h: no enum tdps_check; scripts/docs/facts.py "
                           "has to follow")
    return re.findall(r"^\tTDPS_([A-Z]+\d?),", enum.group(1), re.M)


@functools.cache
def messages():
    """What the oracles can say, as regular expressions."""
    found = []
    for path in sorted((cache.REPO / "tdp_stress/oracle").glob("*.c")):
        for text in re.findall(_STRINGS, path.read_text(encoding="utf-8")):
            parts = re.split(r"%[-+ #0-9.*]*(?:l|ll|z|h)?[a-zA-Z]+", _joined(text))
            if sum(map(len, parts)) > 8:
                found.append(".*".join(map(re.escape, parts)))
    return found


@functools.cache
def operations():
    """Entry points of the TDP MMU, as violations name them."""
    return re.findall(r'EM\(TDPS_OP_\w+, "(\w+)"\)', read("tdp_stress/oracle/names.h"))


@functools.cache
def targets():
    """Of the front door."""
    return [Target(*t) for t in re.findall(r"^([a-z]+):.*?## (.*)$", read("Makefile"), re.M)]


def variables():
    """Of the front door: settings.Setting, in the order of make help."""
    return list(settings.ALL.values())


@functools.cache
def environment():
    """Variables that programs of the kselftests read."""
    found = set()
    for path in sorted((cache.REPO / "selftests/kselftest").rglob("*.[ch]")):
        found.update(re.findall(r'"(TDP_STRESS_[A-Z_]+)"', path.read_text(encoding="utf-8")))
    return found
