# SPDX-License-Identifier: GPL-2.0
"""What a kernel tree defines, and in which shape: functions, structures, macros, variables.

Read off the source by its layout, which the kernel's coding style fixes: definitions begin
in the first column and end there; and what C files name, to the compiler or as a string. Knows
C that far; must not know who uses what.
"""

import re
from pathlib import Path

#: where what tdp_stress uses is defined: KVM, TDX host support, what both share
_FOLDERS = ("arch/x86/kvm", "virt/kvm", "arch/x86/virt")
_FILES = ("arch/x86/include/asm/kvm_host.h", "arch/x86/include/asm/kvm-x86-ops.h",
          "arch/x86/include/asm/tdx.h", "arch/x86/include/asm/shared/tdx.h",
          "arch/x86/include/asm/shared/tdx_errno.h", "include/linux/kvm_host.h",
          "include/linux/kvm_types.h", "arch/x86/include/asm/virt.h",
          "include/trace/events/kvm.h", "include/trace/events/kmem.h")
#: of these only functions and variables count, which are looked up by name
_ELSEWHERE = ("arch/x86/kernel/ftrace.c", "arch/x86/kernel/kprobes/ftrace.c", "kernel/kallsyms.c",
              "kernel/rcu/tree.c", "kernel/sched/core.c", "kernel/trace/fprobe.c",
              "kernel/trace/ftrace.c", "mm/madvise.c", "mm/memblock.c", "mm/mmap.c")

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(?!define)[a-z]+\b(?:[^\n\\]|\\\n|\\.)*$", re.M)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:\\\n|[^\n])*)$", re.M)
_RECORD = re.compile(r"^(?:typedef )?(struct|union|enum) (\w+)[ \t]*\{", re.M)
_UNNAMED_ENUM = re.compile(r"^(?:typedef )?enum[ \t]*\{", re.M)
_FUNCTION = re.compile(r"^((?!typedef|struct \w+ \{|union \w+ \{|enum \w+ \{)[A-Za-z_][^;{}#=()]*?"
                       r"\b(\w+)\(([^;{}]*?)\))\s*\{", re.M)
#: but no "struct x;", which declares nothing but a name
_VARIABLE = re.compile(r"^(?!(?:struct|union|enum) \w+\s*;)"
                       r"((?:static |extern |const |unsigned |struct |union |enum )*\w[\w \t*]*?"
                       r"[ \t*](\w+))(?:\[[^\]]*\])*\s*(?:=|;)", re.M)
_EVENT = re.compile(r"^(?:TRACE_EVENT\w*\(|DEFINE_EVENT\w*\(\s*(\w+),)\s*(\w+),\s*"
                    r"TP_PROTO\((.*?)\),\s*TP_ARGS", re.M | re.S)
_EVENT_CLASS = re.compile(r"^DECLARE_EVENT_CLASS\(\s*(\w+),\s*TP_PROTO\((.*?)\),\s*TP_ARGS",
                          re.M | re.S)
#: of no meaning to a caller
_STORAGE = re.compile(r"\b(static|inline|__always_inline|noinline|extern|__init|__must_check|"
                      r"noinstr|__read_mostly|__ro_after_init)\b[ \t]*")
_DEFINED = re.compile(r"^(?:DEFINE_(?!EVENT)[A-Z_]+|LIST_HEAD)\((\w+)", re.M)
#: a string that is nothing but a name, perhaps of a module's
_NAME = re.compile(r'(?<!#include )"(?:\w+:)?([A-Za-z_]\w+)"')


class Shape:
    """@kind: function, struct, union, enum, enumerator (of an enum without a name), macro,
    variable, tracepoint; @text: to be compared.
    """

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


def _text(path):
    return _COMMENT.sub(" ", path.read_text(encoding="utf-8", errors="replace"))


def _events(text):
    """[(name, what a probe is called with)]; an event of a class has the class's, too."""
    classes = {m.group(1): _plain(m.group(2)) for m in _EVENT_CLASS.finditer(text)}
    for m in _EVENT.finditer(text):
        own = _plain(m.group(3))
        of_class = classes.get(m.group(1), own)
        yield m.group(2), own if own == of_class else "%s; its class: %s" % (own, of_class)


def _of_file(path, name, found, kinds=None):
    text = _text(path)

    def take(kind, ident, shape, members=None):
        # a header's prototype and the definition say the same; the first one counts
        if not kinds or kind in kinds:
            found.setdefault(ident, Shape(kind, ident, name, shape, members))

    for m in _MACRO.finditer(text):
        take("macro", m.group(1), _plain(m.group(2)))
    text = _STORAGE.sub("", _DIRECTIVE.sub("", _MACRO.sub("", text)))
    for event, arguments in _events(text):
        for prefix in ("__tracepoint_", "trace_"):
            take("tracepoint", prefix + event, arguments)
    for m in _RECORD.finditer(text):
        body = _body(text, m.end())
        take(m.group(1), m.group(2), "", _members(m.group(1), body))
    for m in _UNNAMED_ENUM.finditer(text):
        for member in _members("enum", _body(text, m.end())):
            take("enumerator", member, "")
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
    for name in _ELSEWHERE:
        if (tree.path / name).exists():
            _of_file(tree.path / name, name, found, ("function", "variable"))
    return found


def _texts(folders):
    """(path, text) of the C files of @folders."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.[chS]")) + sorted(Path(folder).rglob("*.mk")):
            yield path, _text(path)


def names_in(folders):
    """{name: set of files} of every word in the C files of @folders, strings included."""
    found = {}
    for path, text in _texts(folders):
        for word in set(re.findall(r"[A-Za-z_]\w+", text)):
            found.setdefault(word, set()).add(path)
    return found


def copies_in(folders):
    """Names of the structures that the C files of @folders define."""
    return {m.group(2) for _, text in _texts(folders) for m in _RECORD.finditer(text)
            if m.group(1) != "enum"}


def _made_strings(text):
    """{macro: [number of each argument of which it makes a string]}"""
    found = {"__stringify": [0]}
    for m in re.finditer(r"^#[ \t]*define[ \t]+(\w+)\(([^)]*)\)((?:\\\n|[^\n])*)$", text, re.M):
        for number, parameter in enumerate(p.strip() for p in m.group(2).split(",")):
            if re.search(r"(?<!#)#%s\b|__stringify\(%s\)" % ((re.escape(parameter),) * 2),
                         m.group(3)):
                found.setdefault(m.group(1), []).append(number)
    return found


def strings_in(folders):
    """{name: set of files} of what is a string, or made one: no compiler sees if it is there."""
    texts = dict(_texts(folders))
    every = "\n".join(texts.values())
    made = _made_strings(every)
    calls = re.compile(r"\b(%s)\(([^()]*)\)" % "|".join(map(re.escape, made)))
    other_names = {}
    for m in re.finditer(r"^#[ \t]*define[ \t]+([A-Z]\w+)[ \t]+(\w+)$", every, re.M):
        other_names.setdefault(m.group(1), set()).add(m.group(2))
    found = {}
    for path, text in texts.items():
        names = set(_NAME.findall(text))
        for m in calls.finditer(text):
            arguments = [a.strip() for a in m.group(2).split(",")]
            for name in [arguments[n] for n in made[m.group(1)] if n < len(arguments)]:
                names |= other_names.get(name, {name})
        for name in names:
            found.setdefault(name, set()).add(path)
    return found
