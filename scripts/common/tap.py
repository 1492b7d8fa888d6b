# SPDX-License-Identifier: GPL-2.0
"""Counts test results and prints them in TAP's words.

Knows ok, not ok and SKIP; must not know what is tested.
"""

import re

from common.say import EXIT_FAILURE, EXIT_PASS, say


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = 0

    def _number(self):
        return self.passed + len(self.failed) + self.skipped

    def ok(self, title):
        self.passed += 1
        say("ok %d - %s" % (self._number(), title))

    def not_ok(self, title, *why):
        self.failed.append(title)
        say("not ok %d - %s" % (self._number(), title))
        for line in why:
            say("# %s" % line)

    def skip(self, title, reason):
        self.skipped += 1
        say("ok %d - %s # SKIP %s" % (self._number(), title, reason))

    def check(self, title, good, *why):
        if good:
            self.ok(title)
        else:
            self.not_ok(title, *why)

    def take(self, name, code, text):
        """Take over the results of a program that prints TAP of its own.

        Where there are subtests (indented), they are what counts; the line
        above them only if it is the one that failed.
        """
        lines = [m for m in (re.match(r"( *)(not )?ok\b[ \d]*-? *(.*)", line)
                             for line in text.splitlines()) if m]
        subtests = any(m.group(1) for m in lines)
        failures = len(self.failed)
        for indent, bad, title in (m.groups() for m in lines):
            title, _, reason = re.sub(r"#\s*skip\b", "#SKIP", title, flags=re.I).partition("#SKIP")
            title = "%s: %s" % (name, title.strip() or "the rest")
            if reason:
                self.skip(title, reason.strip())
            elif bad:
                self.not_ok(title)
            elif indent or not subtests:
                self.ok(title)
        if not lines:
            self.not_ok(name, "no test result; exit code %d" % code, *text.splitlines()[-5:])
        elif code and len(self.failed) == failures:
            self.not_ok(name, "exit code %d although every test passed" % code)

    def close(self):
        """The closing line; returns the exit code."""
        for title in self.failed:
            say("# failed: %s" % title)
        say("%d passed, %d failed, %d skipped" % (self.passed, len(self.failed), self.skipped))
        return EXIT_FAILURE if self.failed or not self.passed else EXIT_PASS
