# SPDX-License-Identifier: GPL-2.0
"""The syzkaller description of /dev/tdp_stress against the header that it describes.

syzlang.py [DESCRIPTION HEADER]: reads the part of syzlang that the description uses, and
has a C compiler say what the header says. Prints TAP. Must not know what any field means.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
DESCRIPTION = REPO / "selftests/kselftest/syzkaller/dev_tdp_stress.txt"
HEADER = REPO / "tdp_stress/uapi/tdp_stress.h"

COUNT = 0
FAILED = 0

#: bytes of a type that is no structure; resources of other descriptions, too
SIZES = {"int8": 1, "int16": 2, "int32": 4, "int64": 8, "fd": 4, "fd_kvmvm": 4}
#: sets of flags of other descriptions
KNOWN_FLAGS = {"open_flags"}
#: sets of flags that have all members of an enum, or all macros with a prefix
WHOLE = {"tdp_stress_op_nr": "enum", "tdp_stress_inject_kind": "enum",
         "tdp_stress_inject_mode": "enum", "tdp_stress_point": "enum",
         "tdp_stress_op_flags": "TDP_STRESS_OP_FLAG_", "tdp_stress_roots": "TDP_STRESS_ROOTS_",
         "tdp_stress_walk_flags": "TDP_STRESS_WALK_"}


def result(good, title, *why):
    global COUNT, FAILED
    COUNT += 1
    FAILED += not good
    print("%s %d - %s" % ("ok" if good else "not ok", COUNT, title), flush=True)
    for line in () if good else why:
        print("# %s" % line, flush=True)


class Wrong(Exception):
    """A line that is no syzlang."""


def split(text):
    """'a, b[c, d], e' at the commas outside of brackets."""
    parts, depth, at = [], 0, 0
    for i, c in enumerate(text):
        depth += {"[": 1, "]": -1}.get(c, 0)
        if depth < 0:
            raise Wrong("']' without '[': %s" % text)
        if c == "," and not depth:
            parts.append(text[at:i].strip())
            at = i + 1
    if depth:
        raise Wrong("'[' without ']': %s" % text)
    return [p for p in parts + [text[at:].strip()] if p]


def take_apart(text):
    """(name, [options]) of a type."""
    m = re.fullmatch(r"(\w+)(?:\[(.*)\])?", text)
    if not m:
        raise Wrong("no type: %s" % text)
    return m.group(1), split(m.group(2) or "")


class Description:
    """A file of syzlang."""

    def __init__(self, text):
        self.resources, self.structs, self.flags, self.calls = dict(SIZES), {}, {}, {}
        struct = None
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            try:
                if not line or line.startswith("#"):
                    continue
                if struct is not None:
                    struct = None if line == "}" else self._field(struct, line)
                else:
                    struct = self._line(line)
            except Wrong as wrong:
                raise Wrong("line %d: %s" % (number, wrong)) from None

    def _field(self, struct, line):
        m = re.fullmatch(r"(\w+)\t(.*?)(?:\t\((in|out|inout)\))?", line)
        if not m:
            raise Wrong("no field (name, tab, type): %s" % line)
        struct.append((m.group(1), m.group(2)))
        return struct

    def _line(self, line):
        m = re.fullmatch(r"include <(\S+)>", line)
        if m:
            return None
        m = re.fullmatch(r"resource (\w+)\[(\w+)\]", line)
        if m:
            if m.group(2) not in self.resources:
                raise Wrong("resource of an unknown type: %s" % m.group(2))
            self.resources[m.group(1)] = self.resources[m.group(2)]
            return None
        m = re.fullmatch(r"(\w+) = (.*)", line)
        if m:
            self.flags[m.group(1)] = split(m.group(2))
            return None
        m = re.fullmatch(r"(\w+(?:\$\w+)?)\((.*)\)(?: (\w+))?", line)
        if m:
            args = [a.split(" ", 1) for a in split(m.group(2))]
            if any(len(a) != 2 for a in args):
                raise Wrong("argument without a type: %s" % line)
            self.calls[m.group(1)] = (args, m.group(3))
            return None
        m = re.fullmatch(r"(\w+) \{", line)
        if m:
            self.structs[m.group(1)] = []
            return self.structs[m.group(1)]
        raise Wrong("not understood: %s" % line)

    def size(self, text, fields=()):
        """Bytes of a type; what it names has to be there."""
        name, options = take_apart(text)
        if name in ("const", "flags", "len", "bytesize"):
            if len(options) != 2:
                raise Wrong("%s takes a value and a type: %s" % (name, text))
            if name == "flags" and options[0] not in self.flags and \
                    options[0] not in KNOWN_FLAGS:
                raise Wrong("no such flags: %s" % options[0])
            if name in ("len", "bytesize") and options[0] not in [*fields, "parent"]:
                raise Wrong("no such field: %s" % options[0])
            return self.size(options[1])
        if name == "ptr64":
            if len(options) != 2 or options[0] not in ("in", "out", "inout"):
                raise Wrong("ptr64 takes a direction and a type: %s" % text)
            self.size(options[1])
            return 8
        if name == "array":
            if len(options) == 1:
                return self.size(options[0])
            return self.size(options[0]) * int(options[1])
        if name in self.resources:
            if options and not re.fullmatch(r"\d+:\d+", options[0]):
                raise Wrong("no range: %s" % text)
            return self.resources[name]
        if name in self.structs:
            names = [f for f, _ in self.structs[name]]
            return sum(self.size(t, names) for _, t in self.structs[name])
        raise Wrong("no such type: %s" % text)


class Header:
    """What a C compiler says of the header."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        self.structs = {m.group(1): re.findall(r"(\w+)(?:\[\d+\])?;", m.group(2)) for m in
                        re.finditer(r"\nstruct (\w+) \{\n(.*?)\n\};", self.text, re.S)}
        self.commands = re.findall(r"#define (TDP_STRESS_\w+)\s+_IO\(", self.text)

    def enum(self, name):
        m = re.search(r"\nenum %s \{(.*?)\};" % name, self.text, re.S)
        return re.findall(r"(\w+) =", m.group(1)) if m else []

    def macros(self, prefix):
        return re.findall(r"#define (%s\w+)\s+_BIT" % prefix, self.text)

    def ask(self, expressions):
        """[value] of C expressions."""
        program = "#include <stddef.h>\n#include <stdio.h>\n#include \"%s\"\nint main(void)\n{\n" \
            % self.path
        program += "".join("\tprintf(\"%%lld\\n\", (long long)(%s));\n" % e for e in expressions)
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "ask.c", Path(folder) / "ask"
            source.write_text(program + "\treturn 0;\n}\n")
            done = subprocess.run(["cc", "-o", out, source], capture_output=True, text=True)
            if done.returncode:
                raise Wrong("the header, or a name in the description: " +
                            done.stderr.strip().replace("\n", " ")[:400])
            return [int(v) for v in subprocess.run([out], capture_output=True, check=True,
                                                   text=True).stdout.split()]


def check_structs(description, header):
    for name, fields in header.structs.items():
        if name not in description.structs:
            result(False, "struct %s" % name, "it is not described")
            continue
        mine = [f for f, _ in description.structs[name]]
        if mine != fields:
            result(False, "struct %s" % name, "fields are %s" % " ".join(fields),
                   "described are %s" % " ".join(mine))
            continue
        asked = ["sizeof(struct %s)" % name] + \
            ["offsetof(struct %s, %s)" % (name, f) for f in fields]
        size, *offsets = header.ask(asked)
        at, wrong = 0, []
        for (field, text), offset in zip(description.structs[name], offsets):
            if at != offset:
                wrong.append("%s is at %d, described at %d" % (field, offset, at))
            at += description.size(text, mine)
        if at != size:
            wrong.append("it has %d bytes, described are %d" % (size, at))
        result(not wrong, "struct %s" % name, *wrong)
    for name in description.structs:
        if name not in header.structs:
            result(False, "struct %s" % name, "the header has none")


def check_calls(description, header):
    for name in header.commands:
        args, _ = description.calls.get("ioctl$" + name, ([], None))
        want = [["fd", "fd_tdp_stress"], ["cmd", "const[%s]" % name]]
        if name != "TDP_STRESS_ABI":
            want.append(["arg", "ptr[inout, %s]" % name.lower()])
        result(args == want, "ioctl$%s" % name, "wanted: %s" % want, "described: %s" % args)
    extra = [c for c in description.calls if c.startswith("ioctl$") and
             c[len("ioctl$"):] not in header.commands]
    result(not extra, "no other ioctls", "the header has no %s" % ", ".join(extra))
    _, made = description.calls.get("openat$tdp_stress", ([], None))
    result(made == "fd_tdp_stress", "openat$tdp_stress makes an fd_tdp_stress")


def check_flags(description, header):
    for name, whole in WHOLE.items():
        want = header.enum(name) if whole == "enum" else header.macros(whole)
        have = description.flags.get(name, [])
        result(want and sorted(want) == sorted(have), "flags %s" % name,
               "the header has %s" % " ".join(want), "described are %s" % " ".join(have))
    others = set(description.flags) - set(WHOLE)
    result(not others, "no other flags", "not in the header: %s" % " ".join(others))


def main(argv):
    if len(argv) not in (0, 2):
        print("usage: syzlang.py [DESCRIPTION HEADER]", file=sys.stderr)
        return 2
    paths = [Path(a).resolve() for a in argv] or [DESCRIPTION, HEADER]
    for path in paths:
        if not path.is_file():
            print("syzlang.py: %s: no such file" % path, file=sys.stderr)
            return 2
    try:
        description, header = Description(paths[0].read_text()), Header(paths[1])
        check_structs(description, header)
        check_calls(description, header)
        check_flags(description, header)
    except Wrong as wrong:
        result(False, "the description can be read", str(wrong))
    print("1..%d" % COUNT)
    return bool(FAILED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
