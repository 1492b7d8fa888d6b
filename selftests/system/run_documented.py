# SPDX-License-Identifier: GPL-2.0
"""The commands of the documentation, run: each once, in a clone of the project.

Knows the table docs-commands and how to make a home folder as the documentation
supposes one. What is right about a command before it runs is documented.py's, whether a
test does run what the table says it does is done_by.py's.
"""

import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import time
from collections import namedtuple
from pathlib import Path

from common import cache, settings
from common import command as command_
from common.say import Problem
from kernel import binary, debian, source
from said import result, skip
import done_by

REPO = cache.REPO
TABLE = Path(__file__).resolve().with_name("docs-commands")
#: a kernel that is built, a guest that is slow, on a machine that is busy
_LIMIT = 5400
#: in tdp_mmu.c; the same as scripts/mutants/mmu/leaf-not-frozen.cocci
_BUG = ("__tdp_mmu_set_spte_atomic(kvm, iter, FROZEN_SPTE)",
        "__tdp_mmu_set_spte_atomic(kvm, iter, new_spte)")

Row = namedtuple("Row", "number how pattern more")


def rows():
    found = []
    for number, line in enumerate(TABLE.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = [p.strip() for p in line.split("|", 2)]
        parts += [""] * (3 - len(parts))
        if "||" in line or parts[0] not in ("run", "by", "not") or not parts[1]:
            raise Problem(1, "%s:%d: must be run, by or not | COMMAND | MORE" % (TABLE, number))
        found.append(Row(number, *parts))
    return found


def fits(pattern, text):
    """Whether a pattern of the table is about the command @text."""
    # * alone: a command may have brackets
    return fnmatch.fnmatchcase(text, re.sub(r"([\[?])", r"[\1]", pattern))


def _takes(row, command):
    return fits(row.pattern, command.text) or \
        fits(row.pattern, "%s: %s" % (Path(command.path).name, command.text))


def todo(table, pages):
    """[(command, row or None)] of all that stand in blocks, in the order of their page."""
    return [(c, next((r for r in table if _takes(r, c)), None)) for page in pages
            for c in sorted(page.commands + page.sessions, key=lambda c: c.line) if not c.inline]


def _options(row):
    """What MORE of a "run" row says: {name: value}."""
    more, instead, text = (" " + row.more).partition(" as=")
    options = dict(word.partition("=")[::2] for word in shlex.split(more))
    if instead:
        options["as"] = text
    return options


def wrong(row, taken=()):
    """What is wrong with a row, or nothing; @taken: the commands that it is about."""
    if row.how == "not" and len(row.more.split()) < 3:
        return "line %d: why not?" % row.number
    if row.how == "by":
        found = done_by.wrong(row.more, taken)
        return found and "line %d: %s" % (row.number, found)
    if row.how == "run":
        bad = [n for n in _options(row) if n not in settings.NAMES and
               n not in ("exit", "says", "in", "as", "INSTALL_PATH")]
        if bad:
            return "line %d: %s: no such variable" % (row.number, " ".join(bad))
    return None


class Home:
    """A home folder as the documentation supposes one."""

    def __init__(self, scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self.folder = scratch.resolve()
        self.clone = self.folder / "tdp_stress"
        subprocess.run(["git", "clone", "-q", REPO, self.clone], check=True)
        self.debian = binary.get()
        # the binary's tree has no more than its modules take
        tree = source.check(debian.get())
        self.tree = tree.path.resolve()
        for name in ("linux", "linux-" + tree.release):
            (self.folder / name).symlink_to(self.tree)
        self.kernel = self.folder / "kernel"
        self.git = self.folder / "series"
        self.env = {k: v for k, v in os.environ.items() if k in ("PATH", "TMPDIR", "APT_CONFIG")}
        self.env.update(HOME=str(self.folder), XDG_CACHE_HOME=str(cache.root().parent),
                        EDITOR="true", LC_ALL="C.UTF-8")
        for who in ("AUTHOR", "COMMITTER"):
            self.env.update({"GIT_%s_NAME" % who: "test", "GIT_%s_EMAIL" % who: "test@localhost"})

    def copy(self):
        """The folder of a kernel tree that may be written to."""
        if not self.kernel.exists():
            shutil.copytree(self.tree, self.kernel, symlinks=True)
        return self.kernel

    def series(self):
        """Such a copy in git: v7.3, a good series on it, and branch "buggy" further on."""
        if self.git.exists():
            return self.git
        shutil.copytree(self.tree, self.git, symlinks=True)
        changed = self.git / "arch/x86/kvm/mmu/tdp_mmu.c"
        good = changed.read_text(encoding="utf-8")

        def commit(text, words):
            changed.write_text(text, encoding="utf-8")
            for argv in (["add", "-f", "arch/x86/kvm"], ["commit", "-q", "-m", words]):
                subprocess.run(["git", "-C", self.git, *argv], check=True, env=self.env)

        subprocess.run(["git", "-C", self.git, "init", "-q", "-b", "series"], check=True,
                       env=self.env)
        commit(good, "the base")
        subprocess.run(["git", "-C", self.git, "tag", "v7.3"], check=True, env=self.env)
        commit(good + "\n/* one */\n", "one")
        commit(good + "\n/* two */\n", "two")
        subprocess.run(["git", "-C", self.git, "checkout", "-q", "-b", "buggy"], check=True,
                       env=self.env)
        bad = good.replace(*_BUG)
        assert bad != good, "the kernel has no line any more that the bug is in"
        commit(bad, "the bug")
        commit(bad + "\n/* four */\n", "four")
        subprocess.run(["git", "-C", self.git, "checkout", "-q", "series"], check=True,
                       env=self.env)
        return self.git

    def line(self, command, row):
        """(what the shell is given, its folder, right exit code, words that it prints)."""
        options = _options(row)
        code, words = int(options.pop("exit", "0")), options.pop("says", "")
        folder = {"linux": self.copy, "series": self.series}.get(options.pop("in", ""),
                                                                 lambda: self.clone)()
        # in brackets: what may be left out
        text = options.pop("as", None) or re.sub(r"\[([^\]]*=[^\]]*)\]", "", command.text)
        for name, value in options.items():
            value = value.replace("@debian", str(self.debian.out))
            text = re.sub(r"\s%s=('[^']*'|\S+)" % name, "", text) + \
                " %s=%s" % (name, shlex.quote(value))
        return text, folder, code, words


def every(commands_, scratch):
    """Run what is to be run; say what is not, and why."""
    home = Home(scratch)
    done = set()
    for command, row in commands_:
        if row.how != "run":
            title = "%s:%d: %s" % (command.path, command.line, command.text)
            skip(title, row.more if row.how == "not" else "is done by " + row.more.split()[0])
            continue
        text, folder, code, words = home.line(command, row)
        # of another row it is another command: what is in run/latest by then, say
        if (row.number, text) in done:
            continue
        done.add((row.number, text))
        _one(home, command, text, folder, code, words)
    shutil.rmtree(home.folder, ignore_errors=True)


def script_code(code, said):
    """The exit code of a script behind make, which has one of its own; by its last line."""
    failed = re.search(r"Error (\d+)\n*$", said)
    return int(failed.group(1)) if failed and code == 2 else code


def _one(home, command, text, folder, code, words):
    start = time.monotonic()
    log = home.folder / "command.log"
    log.write_text("")
    # by the house's own: nothing of it goes on when this ends, or after the limit
    got = command_.logged(["bash", "-c", text], log, timeout=_LIMIT, cwd=folder, env=home.env)
    said = log.read_text(encoding="utf-8", errors="replace").partition("\n")[2]
    got = script_code(got, said)
    title = "%s:%d: %s (%.0f s)" % (command.path, command.line, text, time.monotonic() - start)
    result(got == code and words in said, title, "exit code %s, wanted %d%s" % (
        got, code, words and " and '%s'" % words), *said.splitlines()[-15:])
