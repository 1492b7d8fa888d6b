# SPDX-License-Identifier: GPL-2.0
"""Counts test results and prints them in TAP's words.

Knows ok, not ok and SKIP; must not know what is tested.
"""

import re
import threading

from common.say import EXIT_FAILURE, EXIT_PASS, say


_SAID = 12      # lines of a failure that are shown


class _Line:
    """A result of another program's, and what that has said about it, before or after."""

    def __init__(self, m, said):
        self.indent, self.bad, self.title = m.groups()
        self.said = said


def _lines(text):
    line, said, behind = None, [], False
    for part in text.splitlines():
        m = re.match(r"( *)(not )?ok\b[ \d]*-? *(.*)", part)
        if m:
            if line:
                yield line
            line, said, behind = _Line(m, said[-_SAID:]), [], True
        elif re.match(r" *# +RUN ", part):
            # the harness: what comes now is the next one's, before its result
            said, behind = [], False
        elif re.match(r" *#", part):
            said.append(part.strip(" #"))
            if behind and len(line.said) < _SAID:
                line.said.append(said[-1])
    if line:
        yield line


class Results:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = 0
        self._lock = threading.Lock()       # lanes say theirs meanwhile

    def _number(self):
        return self.passed + len(self.failed) + self.skipped

    def ok(self, title):
        with self._lock:
            self.passed += 1
            say("ok %d - %s" % (self._number(), title))

    def not_ok(self, title, *why):
        with self._lock:
            self.failed.append(title)
            say("not ok %d - %s" % (self._number(), title))
            for line in why:
                say("# %s" % line)

    def skip(self, title, reason):
        with self._lock:
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
        lines = list(_lines(text))
        subtests = any(line.indent for line in lines)
        failures = len(self.failed)
        for line in lines:
            title, _, reason = re.sub(r"#\s*skip\b", "#SKIP", line.title,
                                      flags=re.I).partition("#SKIP")
            title = "%s: %s" % (name, title.strip() or "the rest")
            if reason:
                self.skip(title, reason.strip())
            elif line.bad:
                self.not_ok(title, *line.said)
            elif line.indent or not subtests:
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
