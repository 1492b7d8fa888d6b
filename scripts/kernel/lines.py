# SPDX-License-Identifier: GPL-2.0
"""From a function of KVM and an offset in it to lines of the source.

Kernels are built without debug information. So the one object is compiled once more, into a
scratch folder, by the command that kbuild has left beside it and -g, which changes no
instruction; if the function is not as large as the one that ran, nothing is said. Knows
kbuild's .cmd files and addr2line; must not know who asks, or why.
"""

import os
import re
import shlex
import tempfile
from collections import namedtuple
from pathlib import Path

from common import command

#: "tdp_mmu_set_spte_atomic+0x5a/0x1d0 [kvm]", as the kernel prints an address of a module
SYMBOL = re.compile(r"(?P<function>[A-Za-z_][\w.]*)\+(?P<offset>0x[0-9a-f]+)/(?P<size>0x[0-9a-f]+)"
                    r"(?: \[(?P<module>kvm(?:_intel|_amd)?)\])")
_KVM = ("arch/x86/kvm", "virt/kvm")
_COMMAND = re.compile(r"(?:saved)?cmd_(\S+) := (.*)")
#: modules as a whole, and what kbuild itself puts into them
_WHOLE = ("kvm.o", "kvm-intel.o", "kvm-amd.o")
#: whose objects are in a folder of their own; all others are kvm's
_FOLDERS = {"vmx": "kvm_intel", "svm": "kvm_amd"}
#: bytes; functions begin at multiples of it, or of less
_GAP = 64
#: seconds for one object on a busy machine
_LIMIT = 300


class Line(namedtuple("Line", "file number function")):
    """A line of the source: @file in the tree, @function that it is in, inlined or not."""

    __slots__ = ()

    def __str__(self):
        return "%s:%d %s()" % (self.file, self.number, self.function)


class Lines:
    """Lines of the KVM that kbuild has left in @out, whose source is in @source.

    @tick: called now and then, for an object may take a while.
    """

    def __init__(self, out, source, tick=None):
        self.out = Path(out)
        self.source = Path(source)
        self._tick = tick
        self._objects = None        # {(module, function, size): object, or None if several}
        self._compiled = {}         # {object: (the same with -g or None, its symbols)}
        self._scratch = tempfile.TemporaryDirectory(prefix="tdp_stress-")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._scratch.cleanup()

    def of(self, symbol, called_from=True):
        """[Line] of @symbol, what is inlined first; [] if they cannot be found.

        @called_from: it is a return address, so the line is that of the call before it.
        """
        m = SYMBOL.fullmatch(symbol)
        if not m:
            return []
        obj, key = self._find(m.group("module"), m.group("function"), int(m.group("size"), 16))
        compiled, symbols = self._compile(obj) if obj else (None, {})
        if key not in symbols:
            return []
        section, start = symbols[key]
        return self._lines(compiled, section,
                           start + int(m.group("offset"), 16) - int(called_from))

    def _find(self, module, name, size):
        """(object, (function, size) in it) of that function of @module, or (None, None): it is
        not there, or it may be either of two. What fills the gap to the next function counts for
        the kernel, and not in the object.
        """
        if self._objects is None:
            self._objects = self._all()
        near = [k for k in self._objects if k[:2] == (module, name) and k[2] <= size < k[2] + _GAP]
        return (self._objects[near[0]], near[0][1:]) if len(near) == 1 else (None, None)

    def _all(self):
        found = {}
        for part in _KVM:
            for obj in sorted((self.out / part).rglob("*.o")):
                if obj.name in _WHOLE or obj.name.endswith(".mod.o"):
                    continue
                module = _FOLDERS.get(obj.parent.name, "kvm")
                for key in _symbols(obj):
                    key = (module,) + key
                    found[key] = None if key in found else obj
        return found

    def _compile(self, obj):
        if obj not in self._compiled:
            made = self._make(obj)
            self._compiled[obj] = (made, _symbols(made) if made else {})
        return self._compiled[obj]

    def _make(self, obj):
        try:
            first = (obj.parent / (".%s.cmd" % obj.name)).read_text().splitlines()[0]
        except (OSError, IndexError, UnicodeDecodeError):
            return None
        m = _COMMAND.fullmatch(first)
        # the kernel's own build is in its top folder, one of modules alone in theirs
        base = [b for b in (self.out, self.out / _KVM[0])
                if m and os.path.normpath(b / m.group(1)) == os.path.normpath(obj)]
        if not base:
            return None
        # make's own escapes; objtool comes behind the first semicolon
        text = m.group(2).replace("$$", "$").replace("\\#", "#").partition(" ; ")[0]
        to = Path(self._scratch.name) / ("%d-%s" % (len(self._compiled), obj.name))
        argv = [w for w in shlex.split(text) if not w.startswith(("-Wp,-MMD", "-Wp,-MD"))]
        if "-o" not in argv or "-c" not in argv:
            return None
        argv[argv.index("-o") + 1] = str(to)
        # DWARF 4: an addr2line may be older than the compiler
        code = command.logged(argv + ["-g", "-gdwarf-4", "-gz=none"], to.with_suffix(".log"),
                              tick=self._tick, timeout=_LIMIT, cwd=base[0])
        return to if code == 0 and to.exists() else None

    def _lines(self, compiled, section, address):
        code, said, _ = command.output(["addr2line", "-e", compiled, "-j", section, "-f", "-i",
                                        "0x%x" % address])
        words = said.splitlines() if code == 0 else []
        found = []
        for function, place in zip(words[::2], words[1::2]):
            path, _, number = place.partition(" ")[0].rpartition(":")
            if not number.isdigit() or not int(number):
                return found
            found.append(Line(self._in_tree(path), int(number), function))
        return found

    def _in_tree(self, path):
        path = os.path.normpath(path)
        base = str(self.source)
        return path[len(base) + 1:] if path.startswith(base + "/") else path

    def text(self, line, around):
        """{number: text} of the source around @line."""
        try:
            lines = (self.source / line.file).read_text(errors="replace").splitlines()
        except OSError:
            return {}
        first, last = max(1, line.number - around), min(len(lines), line.number + around)
        return {n: lines[n - 1] for n in range(first, last + 1)}


def _symbols(obj):
    """{(function, size): (section, address)} of an object."""
    code, said, _ = command.output(["objdump", "-t", obj])
    found = {}
    for line in said.splitlines() if code == 0 else []:
        m = re.fullmatch(r"([0-9a-f]+) .{6}F (\S+)\s+([0-9a-f]+)(?: \.hidden)? (\S+)", line)
        if m:
            found[m.group(4), int(m.group(3), 16)] = (m.group(2), int(m.group(1), 16))
    return found
