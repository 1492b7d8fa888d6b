# SPDX-License-Identifier: GPL-2.0
"""What a tier says from commit to commit: which of them broke something?

A case of KUnit fails or not, the same each time: one that fails for the first time is the
commit's. But if others fail already it may be their fault: a kernel that has RCU or locks in
a mess says so once, to whichever case comes first. What a stress run names is which oracle
came by first, and that varies: while it fails, another name proves nothing. Knows what tiers
say; must not know how they are asked, nor what a commit is.
"""

import re

from mutants import tiers

#: suite.case, as opposed to what the kernel said
_CASE = re.compile(r"\w+\.\S+")


class Judgement:
    """Of one commit by one tier. @new: names that are the commit's fault; @also: names that
    were not seen before, of which nobody knows whose fault they are; @since: the commit with
    which it began, if that is an earlier one; @again: it was clean in between; @blind: it fails,
    or is not built, for what was there before, and so says nothing of the commit; @maybe:
    commits right before this one of which the tier said nothing, whose fault it may be as well.
    """

    def __init__(self, said, maybe):
        self.said = said
        self.new, self.also, self.maybe = [], [], list(maybe)
        self.since = None
        self.again = self.blind = False

    def text(self, name):
        """In some words; @name(commit): how that is called."""
        word = {tiers.CAUGHT: "fails"}.get(self.said["word"], self.said["word"])
        if self.since is not None:
            word = ("%s again, as since %s" if self.again else "still %s since %s") % (
                word, name(self.since))
        if self.said["word"] == tiers.CAUGHT:
            word += " (%s)" % ", ".join(self.said["by"][:2] or ["?"])
        if self.also:
            word += ", also %s" % ", ".join(self.also)
        return word + (", new" if self.new else "")


class History:
    """What @tier has said so far, of one commit after the other."""

    def __init__(self, tier):
        self.tier = tier
        self.seen = {}          # name: the commit with which it began; the oldest first
        self.failed = None      # the commit with which it began to fail, if it still does
        self.not_built = None   # likewise
        self.unknown = []       # commits since the last of which something was said

    def base(self, commit, said):
        """The Judgement of what is before all commits: nothing is its fault."""
        judged = self.take(commit, said)
        judged.new = []
        return judged

    def take(self, commit, said, own=lambda cases: cases):
        """The Judgement of @commit. @own: asked which of the cases that fail here, and did not
        where others failed already, really are this commit's.
        """
        judged = Judgement(said, self.unknown)
        if said["word"] == tiers.NOT_RUN:
            self.unknown.append(commit)
        elif said["word"] == tiers.NOT_BUILT:
            judged.since = self.not_built
            judged.blind = bool(self.not_built)
            judged.new = [] if self.not_built else [said["word"]]
            self.not_built = self.not_built or commit
            self.unknown.append(commit)
        else:
            by = (said["by"] or ["?"]) if said["word"] == tiers.CAUGHT else []
            self.not_built, self.unknown = None, []
            if by:
                self._judge(by, judged, own)
            self._remember(commit, by, judged)
        return judged

    def _is_exact(self, name):
        return self.tier == "kunit" and _CASE.fullmatch(name)

    def _judge(self, by, judged, own):
        others = [n for n in by if not self._is_exact(n)]
        strange = [n for n in others if n not in self.seen]
        cases = [n for n in by if self._is_exact(n) and n not in self.seen]
        judged.new = own(cases) if cases and self.failed else cases
        judged.also = [n for n in cases if n not in judged.new]
        # a race that a short run has missed is not repaired
        judged.again = not self.failed and len(strange) < len(others)
        if self.failed or judged.again:
            judged.also += strange
        else:
            judged.new += strange
        if not judged.new:
            judged.since = next((c for n, c in self.seen.items() if n in by), self.failed)
            judged.blind = bool(others)

    def _remember(self, commit, by, judged):
        # a case that passes is repaired
        self.seen = {n: c for n, c in self.seen.items() if n in by or not self._is_exact(n)}
        self.seen.update({n: commit for n in judged.new})
        self.seen.update({n: judged.since or self.failed or commit for n in judged.also})
        self.failed = (self.failed or judged.since or commit) if by else None
