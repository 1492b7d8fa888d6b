# SPDX-License-Identifier: GPL-2.0
"""The commands that the documentation shows: found, and taken apart.

Knows the literal blocks of reST, of Markdown and of a README.Debian, and enough of the shell to
read a command. A block whose first line is a command is a block of commands: each of its lines
has to be one. One whose first line begins with "$ " is a session: such lines are commands, the
others what they print. Must not know which commands are right.
"""

import re
import shlex
from collections import namedtuple

from common import cache

#: @text: as a shell reads it; @inline: in running text, where it may be cut short
Command = namedtuple("Command", "path line text inline")

#: what the documentation may tell people to run
PROGRAMS = ("make", "sh", "python3", "git", "cp", "ln", "echo", "cat", "cd", "ulimit", "insmod",
            "modprobe", "rmmod", "modinfo", "dmesg", "dkms", "apt", "apt-get", "dpkg-buildpackage",
            "dpkg-source", "lintian", "man", "mmdebstrap", "debootstrap", "sudo", "tdp-stress",
            "tdp-judge", "trace-cmd", "perf", "bpftrace", "perfetto", "kunit.py", "mount", "grep",
            "tar", "mkdir", "ls", "tail", "sbatch", "scancel", "squeue", "parallel", "xdg-open",
            "$EDITOR", "quilt", "b4")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=\S*\s+")
_COMMENT = re.compile(r"(^|\s)#(?!\w*#).*$")
_PROMPT = "$ "
#: what would be a literal if running text had marks for it: commands, variables, modules, what
#: is printed
_PLAIN = re.compile(r"""(?:^|(?<=[\s(]))
                        (?:((?:make|dkms)[ ]\w+|apt(?:-get)?[ ][a-z]+(?:[ ]-t[ ]\S+)?)|
                        ([A-Z][A-Z0-9_]+=\w*|\w+\.ko)|"([^"]+)")""", re.X)


def program(text):
    """The program that the line @text would run, or None if it is no command."""
    while _ASSIGNMENT.match(text):
        text = _ASSIGNMENT.sub("", text, count=1)
    word = text.split(None, 1)[0] if text.split() else ""
    name = word.rpartition("/")[2]
    if word in PROGRAMS or "/" in word and name in PROGRAMS and not word.startswith("/"):
        return name
    return word if re.fullmatch(r"(\./)?(scripts|selftests|\.ci|debian)/[\w./-]+", word) else None


def _strip(line):
    return _COMMENT.sub("", line).rstrip()


def _joined(lines):
    """Lines of a block, [(number, text)], with those that end in a backslash joined."""
    out = []
    for number, text in lines:
        if out and out[-1][1].endswith("\\"):
            out[-1] = (out[-1][0], out[-1][1][:-1].rstrip() + " " + text.strip())
        else:
            out.append((number, text))
    return out


def _rst_blocks(text):
    """Literal blocks of a reST file: lists of (line number, text)."""
    lines = text.splitlines()
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        begins = line.rstrip().endswith("::") and not line.lstrip().startswith("..") or \
            re.match(r"\s*\.\. code-block::|\s*::$", line)
        if not begins:
            continue
        outer = len(line) - len(line.lstrip())
        block = []
        while i < len(lines) and (not lines[i].strip() or
                                  len(lines[i]) - len(lines[i].lstrip()) > outer):
            if lines[i].strip() and not re.match(r"\s*:\w+:", lines[i]):
                block.append((i + 1, lines[i].strip()))
            i += 1
        yield block


def _markdown_blocks(text):
    block, fence = [], False
    for number, line in enumerate(text.splitlines() + [""], 1):
        if line.startswith("```"):
            fence = not fence
            if not fence:
                yield block
                block = []
        elif fence or line.startswith("    "):
            block.append((number, line.strip()))
        elif block and line.strip():
            yield block
            block = []
    yield block


def _inline(text, marks):
    """(line number, text) of the literals in running text."""
    for m in re.finditer(r"(?<![`\w])%s([^`]+)%s(?!`)" % (marks, marks), text):
        yield text.count("\n", 0, m.start()) + 1, " ".join(m.group(1).split())


def _plain(text):
    """The same where there are no marks: (line number, text) of what looks like one."""
    for m in _PLAIN.finditer(text):
        yield text.count("\n", 0, m.start()) + 1, " ".join(next(filter(None, m.groups())).split())


class Page:
    """One file of the documentation."""

    def __init__(self, path):
        self.path = path
        self.name = str(path.relative_to(cache.REPO))
        text = path.read_text(encoding="utf-8")
        markdown, plain = path.suffix == ".md", path.suffix == ".Debian"
        self.commands, self.bad = [], []
        #: commands that are shown with what they print
        self.sessions = []
        blocks = list(_markdown_blocks(text) if markdown or plain else _rst_blocks(text))
        for block in blocks:
            self._take(_joined([(n, t) for n, t in block if t]))
        #: each block as one line
        self.blocks = [" ".join(t for _, t in block) for block in blocks]
        literal = {n for block in blocks for n, _ in block}
        found = _plain(text) if plain else _inline(text, "`" if markdown else "``")
        self.literals = [(n, t) for n, t in found if n not in literal]
        for number, said in self.literals:
            if program(said) and (" " in said):
                self.commands.append(Command(self.name, number, said, True))

    def _take(self, lines):
        lines = [(n, _strip(t)) for n, t in lines]
        lines = [(n, t) for n, t in lines if t]
        if lines and lines[0][1].startswith(_PROMPT):
            for number, text in lines:
                if text.startswith(_PROMPT):
                    text = text[len(_PROMPT):]
                    (self.sessions.append(Command(self.name, number, text, False))
                     if program(text) else self.bad.append((number, text)))
            return
        if not lines or not program(lines[0][1]) or _is_picture(lines):
            return
        for number, text in lines:
            if program(text):
                self.commands.append(Command(self.name, number, text, False))
            else:
                self.bad.append((number, text))


def _is_picture(lines):
    return any(re.search("[─│►┌┐└┘]|──", t) for _, t in lines)


def words(text):
    """(variables before it, words) of a command; what is optional is taken."""
    text = re.sub(r"\[([^\]]*=[^\]]*)\]", r"\1", text)
    # something to fill in may have blanks
    text = re.sub(r"<[^<>]*>", "FILL-IN", text)
    parts = shlex.split(text)
    before = {}
    while parts and re.match(r"[A-Za-z_]\w*=", parts[0]):
        name, _, value = parts.pop(0).partition("=")
        before[name] = value
    return before, parts


def pages():
    """README.md, all of Documentation/, and what the packages say of themselves."""
    found = [cache.REPO / "README.md"]
    found += sorted((cache.REPO / "Documentation").rglob("*.rst"))
    found += sorted((cache.REPO / "debian").glob("*README.Debian"))
    return [Page(p) for p in found]
