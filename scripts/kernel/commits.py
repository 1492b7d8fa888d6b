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


class Commit:
    def __init__(self, number, subject):
        self.number = number
        self.subject = subject

    @property
    def short(self):
        return self.number[:12]


class Series:
    """What is between @base and @tip in the git tree at @path."""

    def __init__(self, path, base, tip):
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_dir():
            raise usage("KSRC=%s: no such folder" % path)
        objects = self._git("rev-parse", "--path-format=absolute", "--git-path", "objects")
        if objects is None:
            raise usage("KSRC=%s: not a git tree; a series is commits of one" % path)
        self.objects = Path(objects)
        self.base = self._commit("BASE", base)
        self.tip = self._commit("TIP", tip)
        numbers = (self._git("rev-list", "--reverse", "--topo-order", "--no-merges",
                             "%s..%s" % (self.base.number, self.tip.number)) or "").split()
        if not numbers:
            raise usage("BASE=%s TIP=%s: no commits between them in %s (BASE is the older one)"
                        % (base, tip, self.path))
        self.commits = [self._commit("TIP", n) for n in numbers]

    def _git(self, *argv):
        code, out, _ = command.output(["git", "-C", self.path, *argv])
        return out.strip() if code == 0 else None

    def _commit(self, variable, revision):
        number = self._git("rev-parse", "--verify", "--quiet", revision + "^{commit}")
        if not number:
            raise usage("%s=%s: no such commit in %s" % (variable, revision, self.path))
        return Commit(number, self._git("show", "-s", "--format=%s", number))


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
            raise lacking("%s: git %s: %s" % (self.path, argv[0],
                                              (error.strip().splitlines() or ["failed"])[-1]))

    def at(self, commit, force):
        """The Tree as of @commit."""
        step = Step("check out %s" % commit.short, loud=False)
        self._git("checkout", "--quiet", "--force", "--detach", commit.number)
        self._git("clean", "--quiet", "-d", "-f", "-x")
        step.done()
        return source.check(self.path, force)
