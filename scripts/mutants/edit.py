# SPDX-License-Identifier: GPL-2.0
"""Edits of functions or macros, for what a semantic patch cannot say.

Below the header, hunks:

  @@ NAME
   a line that stays
  -a line that goes
  +a line that comes

NAME is a function defined in the file, or a macro; without a name it is all of the
file. What stays and goes has to be there once, word for word but for white space at a
line's ends. Of several files each has its hunks behind a line with its path:

  +++ arch/x86/kvm/mmu/tdp_mmu.c

Knows text; must not know what it means.
"""

import re

from common.say import build_failed


def _hunks(path, wanted):
    """[(name, lines)] of the file @wanted, a path in the tree."""
    found, of = [], None
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("+++ "):
            of = line[4:].strip()
        elif of and of != wanted:
            continue
        elif line.startswith("@@ ") or line == "@@":
            found.append((line[3:].strip(), []))
        elif found and line[:1] in (" ", "-", "+"):
            found[-1][1].append(line)
        elif found and not line:
            found[-1][1].append(" ")
    return found


def _body(lines, name):
    """(first, behind the last) line of the definition of @name, or None."""
    if not name:
        return 0, len(lines)
    macro = re.compile(r"#define[ \t]+%s\b" % re.escape(name))
    function = re.compile(r"[A-Za-z_].*\b%s\(" % re.escape(name))
    for first, line in enumerate(lines):
        if macro.match(line):
            last = first
            while lines[last].endswith("\\"):
                last += 1
            return first, last + 1
        if function.match(line):
            for last in range(first, len(lines)):
                if lines[last].startswith("}"):
                    return first, last + 1
                # a prototype
                if lines[last].endswith(";") and not lines[last].startswith("\t") or \
                        last > first and lines[last].endswith(");") and \
                        not any(l.startswith("{") for l in lines[first:last]):
                    break
    return None


def _strip(lines):
    # a blank line at either end is the file's layout, not the hunk's
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def apply(path, target, name=None):
    """Change the file @target, @name in the tree, by the edit @path; a build failure if it
    does not fit.
    """
    lines = target.read_text(encoding="utf-8").split("\n")
    for place, hunk in _hunks(path, name):
        hunk = _strip(hunk) if hunk and hunk[-1] == " " else hunk
        body = _body(lines, place)
        if not body:
            raise build_failed("%s: %s is not in %s of this tree" % (path.name, place,
                                                                     target.name))
        old = [l[1:].strip() for l in hunk if l[0] in " -"]
        places = [n for n in range(body[0], body[1] - len(old) + 1)
                  if [l.strip() for l in lines[n:n + len(old)]] == old]
        if len(places) != 1:
            raise build_failed("%s: what it changes in %s is there %d times in this tree" %
                               (path.name, place + "()" if place else target.name,
                                len(places)))
        new, at = [], places[0]
        for line in hunk:
            if line[0] == "+":
                new.append(line[1:])
                continue
            if line[0] == " ":
                new.append(lines[at])
            at += 1
        lines[places[0]:at] = new
    target.write_text("\n".join(lines), encoding="utf-8")
