# SPDX-License-Identifier: GPL-2.0
"""A range of commits of a user's kernel tree, and a tree of our own to have each in.

The user's repository is only read: ours has its objects as alternates, so nothing is
copied, fetched or written there. Going from commit to commit changes the files that
differ, and only what depends on them is built again. Knows git; must not know what is
done with a commit.
"""

import contextlib
import hashlib
from pathlib import Path

from common import cache, command
from common.say import Step, lacking, usage
from kernel import source

#: of a kernel tree that is checked out
_TREE_MIB = 2048
#: git on the user's tree: it may be another user's, and nothing may be written or started there
_READ_ONLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_COUNT": "2",
              "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*",
              "GIT_CONFIG_KEY_1": "core.fsmonitor", "GIT_CONFIG_VALUE_1": "false"}
#: files that are named of many
_SHOWN = 3


def _words(error):
    """The line of git's that says what is wrong; hints may come after it."""
    lines = error.strip().splitlines() or ["it failed"]
    return next((l for l in lines if l.startswith(("fatal:", "error:"))), lines[-1])


class Commit:
    def __init__(self, number, subject, parents, merged):
        self.number = number
        self.subject = subject
        self.parents = parents      # their numbers; what it is compared with is the first
        self.merged = merged        # commits that it brings, if it is a merge

    @property
    def short(self):
        return self.number[:12]

    def inside(self):
        """How to look into a merge."""
        return "BASE=%s^1 %s" % (self.short, " or ".join(
            "TIP=%s^%d" % (self.short, n) for n in range(2, len(self.parents) + 1)))


class Series:
    """What is between @base and @tip in the git tree at @path, by first parents: each
    commit's is the one before it, and the first one's is the base.
    """

    def __init__(self, path, base, tip):
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_dir():
            raise usage("KSRC=%s: no such folder" % path)
        code, objects, error = self._ask("rev-parse", "--path-format=absolute", "--git-path",
                                         "objects")
        if code:
            raise usage("KSRC=%s: a series is commits of a git tree; git says: %s" % (
                path, _words(error)))
        self.objects = Path(objects)
        self.notes = []             # what the user has to know before
        asked, self.tip = self._commit("BASE", base), self._commit("TIP", tip)
        numbers = self._git("rev-list", "--reverse", "--topo-order", "--first-parent",
                            "%s..%s" % (asked.number, self.tip.number)).split()
        if not numbers:
            raise usage("BASE=%s TIP=%s: no commits between them in %s (BASE is the older one)"
                        % (base, tip, self.path))
        self.commits = [self._commit("TIP", n) for n in numbers]
        if not self.commits[0].parents:
            raise usage("BASE=%s TIP=%s: they have nothing in common in %s" % (base, tip,
                                                                              self.path))
        self.base = self._commit("BASE", self.commits[0].parents[0])
        if self.base.number != asked.number:
            self.notes.append("TIP=%s is not built upon BASE=%s: the base is what both have, %s "
                              "(%s)" % (tip, base, self.base.short, self.base.subject))
        self._note_uncommitted()

    def before(self, commit):
        """What @commit of the series is compared with."""
        return ([self.base] + self.commits)[self.commits.index(commit)]

    def _note_uncommitted(self):
        status = self._git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
        names = [entry[3:] for entry in status.split("\0") if entry]
        if names:
            self.notes.append("KSRC has uncommitted changes (%s%s), which are not tested" % (
                ", ".join(names[:_SHOWN]), ", ..." if names[_SHOWN:] else ""))

    def _ask(self, *argv):
        code, out, error = command.output(["git", "-C", self.path, *argv],
                                          env=command.environment(_READ_ONLY))
        return code, out.rstrip("\n"), error

    def _git(self, *argv):
        """What git says; "" if it has nothing to say, or fails."""
        return self._ask(*argv)[1]

    def _commit(self, variable, revision):
        number = self._git("rev-parse", "--verify", "--quiet", revision + "^{commit}")
        if not number:
            raise usage("%s=%s: no such commit in %s" % (variable, revision, self.path))
        parents, _, subject = self._git("show", "-s", "--no-show-signature", "--format=%P%n%s",
                                        number).partition("\n")
        parents = parents.split()
        merged = int(self._git("rev-list", "--count", number, "^" + parents[0])) - 1 \
            if parents[1:] else 0
        return Commit(number, subject, parents, merged)


class Checkout:
    """A tree of our own in the cache, one for each repository."""

    def __init__(self, series):
        self.series = series
        digest = hashlib.sha256(str(series.objects).encode()).hexdigest()[:8]
        self.path = cache.folder("series", digest) / "linux"

    @contextlib.contextmanager
    def mine(self):
        """Nobody else's while it lasts."""
        with cache.lock(self.path.parent):
            if not (self.path / ".git/HEAD").exists():
                cache.need_space(self.path.parent, _TREE_MIB, "a tree of the series")
                self._git("init", "--quiet", self.path, where=self.path.parent)
            (self.path / ".git/objects/info/alternates").write_text(
                "%s\n" % self.series.objects)
            # one that was killed in here
            (self.path / ".git/index.lock").unlink(missing_ok=True)
            yield

    def _git(self, *argv, where=None):
        code, _, error = command.output(["git", "-C", where or self.path, *argv])
        if code:
            raise lacking("%s: git %s: %s" % (self.path, argv[0], _words(error)))

    def at(self, commit, force):
        """The Tree as of @commit."""
        step = Step("check out %s" % commit.short, loud=False)
        self._git("checkout", "--quiet", "--force", "--detach", commit.number)
        self._git("clean", "--quiet", "-d", "-f", "-x")
        step.done()
        return source.check(self.path, force)
