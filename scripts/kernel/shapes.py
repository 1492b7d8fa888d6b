# SPDX-License-Identifier: GPL-2.0
"""What a kernel tree defines, and in which shape: functions, structures, macros, variables.

Read off the source by its layout, which the kernel's coding style fixes: definitions begin
in the first column and end there. Knows C that far; must not know who uses what.
"""

import re
from pathlib import Path

#: where what tdp_stress uses is defined: KVM, TDX host support, what both share
_FOLDERS = ("arch/x86/kvm", "virt/kvm", "arch/x86/virt", "include/trace/events")
_FILES = ("arch/x86/include/asm/kvm_host.h", "arch/x86/include/asm/kvm-x86-ops.h",
          "arch/x86/include/asm/tdx.h", "arch/x86/include/asm/shared/tdx.h",
          "arch/x86/include/asm/shared/tdx_errno.h", "include/linux/kvm_host.h",
          "include/linux/kvm_types.h", "arch/x86/include/asm/virt.h")

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?!define)[a-z]+\b(?:[^\n\\]|\\\n|\\.)*$", re.M)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:\\\n|[^\n])*)$", re.M)
_RECORD = re.compile(r"^(?:typedef )?(struct|union|enum) (\w+)[ \t]*\{", re.M)
_FUNCTION = re.compile(r"^((?!typedef|struct \w+ \{|union \w+ \{|enum \w+ \{)[A-Za-z_][^;{}#=()]*?"
                       r"\b(\w+)\(([^;{}]*?)\))\s*\{", re.M)
_VARIABLE = re.compile(r"^((?:static |extern |const |unsigned |struct |union |enum )*\w[\w \t*]*?"
                       r"[ \t*](\w+))(?:\[[^\]]*\])*\s*(?:=|;)", re.M)
_TRACEPOINT = re.compile(r"^TRACE_EVENT\(\s*(\w+),\s*TP_PROTO\((.*?)\),\s*TP_ARGS", re.M | re.S)
#: of no meaning to a caller
_STORAGE = re.compile(r"\b(static|inline|__always_inline|noinline|extern|__init|__must_check|"
                      r"noinstr|__read_mostly|__ro_after_init)\b[ \t]*")
_DEFINED = re.compile(r"^(?:DEFINE_[A-Z_]+|LIST_HEAD)\((\w+)", re.M)


class Shape:
    """@kind: function, struct, union, enum, macro, variable, tracepoint; @text: to be compared."""

    def __init__(self, kind, name, path, text, members=None):
        self.kind = kind
        self.name = name
        self.path = path
        self.text = text
        self.members = members      # {name: declaration} of a record, else None


def _plain(text):
    text = re.sub(r"\s+", " ", _STORAGE.sub("", text.replace("\\\n", " "))).strip()
    text = re.sub(r" ?, ?", ", ", text.replace("( ", "(").replace(" )", ")"))
    return re.sub(r"\* +", "*", text)


def _body(text, start):
    """What is between the brace before @start and the one that closes it."""
    depth = 1
    for at in range(start, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                return text[start:at]
    return text[start:]


def _members(kind, body):
    """{name: declaration}; those of unnamed records inside are the outer one's."""
    if kind == "enum":
        names = [re.match(r"\s*(\w+)", part) for part in body.split(",")]
        return {m.group(1): "" for m in names if m}
    found = {}
    for part in re.split(r"[;{}]", body):
        declaration = _plain(part)
        pointer = re.search(r"\(\*(\w+)\)", declaration)
        names = [pointer.group(1)] if pointer else \
            re.findall(r"(\w+)(?:\[[^\]]*\])?(?: ?: ?\w+)?(?=, |$)", declaration)
        for name in names:
            if declaration != name:
                found[name] = declaration
    return found


def _of_file(path, name, found):
    text = _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))

    def take(kind, ident, shape, members=None):
        # a header's prototype and the definition say the same; the first one counts
        found.setdefault(ident, Shape(kind, ident, name, shape, members))

    for m in _MACRO.finditer(text):
        take("macro", m.group(1), _plain(m.group(2)))
    text = _STORAGE.sub("", _DIRECTIVE.sub("", _MACRO.sub("", text)))
    for m in _TRACEPOINT.finditer(text):
        for prefix in ("__tracepoint_", "trace_"):
            take("tracepoint", prefix + m.group(1), _plain(m.group(2)))
    for m in _RECORD.finditer(text):
        body = _body(text, m.end())
        take(m.group(1), m.group(2), "", _members(m.group(1), body))
    for m in _FUNCTION.finditer(text):
        take("function", m.group(2), _plain(m.group(1)))
    for m in _DEFINED.finditer(text):
        take("variable", m.group(1), _plain(m.group()))
    for m in _VARIABLE.finditer(text):
        take("variable", m.group(2), _plain(m.group(1)))


def of_tree(tree):
    """{name: Shape} of all that the tree's KVM and TDX host support define."""
    found = {}
    paths = [tree.path / f for f in _FILES]
    for folder in _FOLDERS:
        paths += sorted((tree.path / folder).rglob("*.[ch]"))
    for path in paths:
        if path.exists():
            _of_file(path, str(path.relative_to(tree.path)), found)
    return found


def names_in(folders):
    """{name: set of files} of every word in the C files of @folders, strings included."""
    found = {}
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.[chS]")) + sorted(Path(folder).rglob("*.mk")):
            text = _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))
            for word in set(re.findall(r"[A-Za-z_]\w+", text)):
                found.setdefault(word, set()).add(path)
    return found
