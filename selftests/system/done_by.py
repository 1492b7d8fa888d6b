# SPDX-License-Identifier: GPL-2.0
"""Whether a test does run the commands that docs-commands says are run by it.

Each is looked for in what the test says to others: its strings and the names of its
arguments, never a comment or a docstring. Knows how programs are called; must not know
what comes of it.
"""

import ast
import functools
import re

from common import cache
from docs import commands

REPO = cache.REPO
#: who calls the tests
_CHECK = "scripts/check.py"
#: where a test's neighbours may be, which it imports, or sources in the guest
_ROOMS = ("selftests/system", "scripts/qemu/guest")
#: a path says nothing of what is called
_PATH = re.compile(r"(?<![\w.])/?(?:sys|proc|modules)/\S*")


class _Python(ast.NodeVisitor):
    """Of a program in Python: @strings, @names of arguments, @neighbours: modules."""

    def __init__(self, text):
        self.strings, self.names, self.neighbours = [], set(), []
        self.visit(ast.parse(text))

    def visit_Expr(self, node):
        # a string that nobody takes is a docstring
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str):
            self.strings.append(node.value)

    def visit_keyword(self, node):
        self.names.add(node.arg)
        self.generic_visit(node)

    def visit_Import(self, node):
        self.neighbours += [name.name for name in node.names]

    def visit_ImportFrom(self, node):
        self.neighbours.append(node.module)


class _Shell:
    """The same of a script."""

    def __init__(self, text):
        self.strings = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        self.names = set()
        self.neighbours = re.findall(r"^\. /([\w-]+)\.sh$", text, re.M)


@functools.cache
def _said(name):
    """(strings, names) of the file @name, and of those next to it that it takes."""
    path = REPO / name
    read = (_Python if path.suffix == ".py" else _Shell)(path.read_text(encoding="utf-8"))
    strings, names = list(read.strings), set(read.names)
    for other in read.neighbours:
        found = ["%s/%s%s" % (room, other, path.suffix) for room in _ROOMS]
        # what scripts/ has comes first, and is no test
        if not list((REPO / "scripts").glob(other + "*")):
            for more in (_said(f) for f in found if (REPO / f).is_file() and f != name):
                strings += more[0]
                names |= more[1]
    return strings, names


def _calls(command):
    """What a test has to say that runs @command: [(what it is, pattern)]."""
    program = commands.program(command.text)
    before, words = commands.words(command.text)
    words = words[1:]
    found = [(n, r"\b%s\b" % n) for n in before]
    if program == "make":
        words = [w for at, w in enumerate(words) if w != "-C" and words[at - 1:at] != ["-C"]]
        variables = [w.partition("=")[0] for w in words if re.match(r"\w+=", w)]
        targets = [w for w in words if re.fullmatch(r"[a-z]\w*", w)]
        # called, not talked about: alone, as a script, or behind make
        return found + [(n, r"(?<!\w)%s(?!\w)" % n) for n in variables] + [
            ("make " + t, r"\A%s\Z|scripts/%s\.py\Z|\bmake (-\S+ )*%s\b" % (t, t, t))
            for t in targets]
    if program in ("insmod", "modprobe", "rmmod"):
        # modprobe takes either; tdp-stress is a program
        module = re.sub("^kvm[-_]", "kvm[-_]", words[0].partition(".ko")[0])
        return found + [(words[0], r"(?<![\w.-])%s(?![\w-])" % module)] + [
            (p, r"\b%s\b" % p) for p in (w.partition("=")[0] for w in words[1:])]
    if program in ("tdp-stress", "tdp-judge"):
        words = [w.partition("=")[0] for w in words if w.startswith("--")]
        return found + [(w, r"(?<![\w-])%s(?![\w-])" % re.escape(w)) for w in [program] + words]
    if program in ("dkms", "apt", "apt-get", "dpkg-buildpackage", "trace-cmd", "perf"):
        kept = words[:1] + [w for at, w in enumerate(words) if words[at - 1:at] == ["-t"]]
        kept += [re.sub(r"-[\d$].*", "", w) for w in words[1:] if w.startswith("linux-")]
        return found + [(w, r"(?<![\w-])%s(?!\w)" % re.escape(w)) for w in kept]
    if program == "sh":
        return found + [(w.rpartition("/")[2], r"\b%s\b" % re.escape(w.rpartition("/")[2]))
                        for w in words if re.fullmatch(r"[\w./-]*\w", w)]
    if program in ("echo", "cat"):
        # what is written, and into which file
        return found + [(w, r"(?<!\w)%s(?!\w)" % re.escape(w.rpartition("/")[2]))
                        for w in words if w not in (">", ">>")]
    return found + [(program, r"\b%s\b" % re.escape(program))]


def _lacks(files, command):
    """What of @command none of @files says."""
    strings, names = [], set()
    for name in files:
        more = _said(name)
        strings += [_PATH.sub(" ", s) if command.text.startswith(("insmod", "modprobe", "rmmod"))
                    else s for s in more[0]]
        names |= more[1]
    # it takes the commands from the page
    if command.path in strings:
        return []
    return [what for what, pattern in _calls(command)
            if what not in names and not any(re.search(pattern, s) for s in strings)]


def _is_called(name):
    """Whether make check gets to the test @name."""
    path = REPO / name
    if name == _CHECK or not name.startswith("selftests/") or path.suffix != ".py":
        return True             # or it is what a run itself does, or a CI
    return any(s in (path.stem, path.name) or name.endswith(s) and "/" in s
               for s in _said(_CHECK)[0])


def wrong(more, taken):
    """What is wrong with FILE[,FILE...], which are to run the commands @taken; or nothing."""
    files = more.split(",")
    lost = [name for name in files if not (REPO / name).is_file()]
    if lost:
        return "%s: no such file" % " ".join(lost)
    idle = [name for name in files if not _is_called(name)]
    if idle:
        return "%s: make check does not run it" % " ".join(idle)
    for command in taken:
        lacks = _lacks(files, command)
        if lacks:
            return "%s:%d: %s: there is no %s in %s" % (
                command.path, command.line, command.text, ", ".join(lacks), more)
    return None
