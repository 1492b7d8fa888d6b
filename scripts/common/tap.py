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
        """Take over the results of a program that prints TAP of its own."""
        found = 0
        for line in text.splitlines():
            m = re.match(r"(not )?ok\b\s*\d*\s*-?\s*(.*)", line)
            if not m:
                continue
            found += 1
            title = "%s: %s" % (name, m.group(2))
            if re.search(r"#\s*SKIP", line, re.I):
                self.skip(re.sub(r"\s*#\s*SKIP.*", "", title, flags=re.I),
                          re.sub(r".*#\s*SKIP\s*", "", line, flags=re.I))
            elif m.group(1):
                self.not_ok(title)
            else:
                self.ok(title)
        if not found:
            self.not_ok(name, "no test result; exit code %d" % code, *text.splitlines()[-5:])
        elif code and not self.failed:
            self.not_ok(name, "exit code %d although every test passed" % code)

    def close(self):
        """The closing line; returns the exit code."""
        for title in self.failed:
            say("# failed: %s" % title)
        say("%d passed, %d failed, %d skipped" % (self.passed, len(self.failed), self.skipped))
        return EXIT_FAILURE if self.failed or not self.passed else EXIT_PASS
