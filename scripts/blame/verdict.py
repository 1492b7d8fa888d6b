# SPDX-License-Identifier: GPL-2.0
"""What is said at the end of a series, whether or not it came to its end.

Knows judgements and exit codes; must not know how a tier is asked, nor in which order.
"""

from blame import again
from common.say import EXIT_BUILD, EXIT_FAILURE, EXIT_PASS, say
from mutants import tiers


def _is_unbuilt(judged):
    return judged.said["word"] == tiers.NOT_BUILT


class Verdict:
    """On the commits of a series upon @base; @values: of its own tree."""

    def __init__(self, base, values):
        self.base = base
        self.values = values
        self.unbuilt = []       # (commit, tier, Judgement): with which it began, the base too
        self.blamed = []        # likewise: what breaks something
        self.also = []          # likewise: what is nobody's fault that one can name
        self.blind = {}         # (tier, word, since which commit): of how many it said nothing
        self.missing = []       # (commit, tier, why)

    def name(self, commit):
        return "the base" if commit is self.base else commit.short

    def take(self, commit, tier, judged):
        """What @tier said of @commit."""
        if _is_unbuilt(judged) and judged.since is None:
            self.unbuilt.append((commit, tier, judged))
        elif judged.new:
            self.blamed.append((commit, tier, judged))
        if judged.also or judged.again:
            self.also.append((commit, tier, judged))
        if judged.blind:
            key = (tier, judged.said["word"], judged.since)
            self.blind[key] = self.blind.get(key, 0) + 1
        if judged.said["word"] == tiers.NOT_RUN:
            self.missing.append((commit, tier, judged.said["why"]))

    def code(self):
        if self.blamed:
            return EXIT_FAILURE
        return EXIT_BUILD if self.unbuilt or self.missing or self.blind else EXIT_PASS

    def say(self):
        """All that was found; the exit code."""
        for commit, tier, why in self.missing:
            say("  not tested: %s by %s: %s" % (self.name(commit), tier, why))
        for one in self.also:
            self._say_also(*one)
        for (tier, word, since), count in self.blind.items():
            say("  %s %s since %s: it says nothing of %d commit%s after that; repair that "
                "first" % (tier, "is not built" if word == tiers.NOT_BUILT else "fails",
                           self.name(since), count, "s"[:count > 1]))
        for one in self.unbuilt + self.blamed:
            self._say_blame(*one)
        if not self.blamed:
            say("no commit of the series breaks anything that was tested%s" % (
                "; not everything could be, see above" if self.code() else ""))
        return self.code()

    def _say_blame(self, commit, tier, judged):
        text = "does not build in %s: %s" % (tier, judged.said["why"]) if _is_unbuilt(judged) \
            else "breaks %s: %s" % (tier, ", ".join(judged.new))
        if judged.maybe:
            text += " (or %s, of which %s said nothing)" % (
                ", ".join(map(self.name, judged.maybe)), tier)
        say("  %s (%s) %s" % (self.name(commit), commit.subject, text))
        if commit.merged:
            say("    a merge of %d commits; which of them: %s" % (commit.merged, commit.inside()))
        say("    again: %s" % again.command(tier, judged.said, judged.new, commit, self.values))
        say("    log: %s" % judged.said["log"])

    def _say_also(self, commit, tier, judged):
        text = "fails again, clean in between, as" if judged.again else "still fails"
        shown = "; %s may be of that, or this commit's" % ", ".join(judged.also)
        say("  %s (%s) %s %s since %s%s" % (commit.short, commit.subject, tier, text,
                                           self.name(judged.since), shown if judged.also else ""))
