# SPDX-License-Identifier: GPL-2.0
"""Reads what a kernel with KUnit suites says: results, and splats between them.

Knows KTAP and the kernel's log; must not know what is tested or how it ran.

A case's messages come before its result. So a splat belongs to the case whose
result comes next, and a kernel that dies does so in the case after the last one.
"""

import re

from qemu import dmesg

PASSED, FAILED, SKIPPED, CRASHED = "passed", "failed", "skipped", "crashed"

_TIME = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
_RESULT = re.compile(r"^( *)(not )?ok (\d+)(?: -)? ?(.*)$")
_SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
_PLAN = re.compile(r"^( *)1\.\.(\d+)")
#: only at the beginning of a line: KUnit's messages may quote anything
_SPLAT = re.compile(
    r"WARNING: |BUG: |\[ BUG: |kernel BUG at |KFENCE: |UBSAN: |INFO: task |INFO: rcu|rcu: INFO: |"
    r"INFO: trying to register non-static key|watchdog: BUG: |list_(add|del) corruption|Oops: |"
    r"general protection fault|Invalid SPTE change|Unexpected SPTE change|"
    r"pagealloc: memory corruption|refcount_t: |Kernel panic - ")
#: what a busy machine may say
_KNOWN = dmesg.known()
#: KUnit of 7.2 cannot suppress warnings that a case expects
_EXPECT_BEGIN, _EXPECT_END = "expected warnings: begin", "expected warnings: end"
_EXPECTED = re.compile(r"WARNING: .*:\d+ at |WARNING: CPU: .* at |Unexpected SPTE change")


class Case:
    """The result of one case, or of one parameter of a case."""

    def __init__(self, suite, name, param, status, reason, said):
        self.suite = suite
        self.name = name
        self.param = param
        self.status = status
        self.reason = reason        # of a skip
        self.said = said            # what was printed before the result

    @property
    def title(self):
        """As a FILTER has it, and the parameter."""
        return "%s.%s" % (self.suite, self.name) + (": " + self.param if self.param else "")


class Report:
    """All that one boot has said."""

    def __init__(self):
        self.cases = []
        self.splats = []            # (Case or None: between suites, first line)
        self.started = False        # KTAP was seen
        self.complete = False       # every suite has a result
        self.suite = ""             # in which it ended, if it is not complete
        self.done_in_suite = 0      # cases of that one that have a result

    def count(self, status):
        return sum(case.status == status for case in self.cases)

    def add(self, other):
        """Another boot of the same suites."""
        self.cases += other.cases
        self.splats += other.splats
        self.started = self.started and other.started
        self.complete = self.complete and other.complete

    def failed(self):
        return [c for c in self.cases if c.status in (FAILED, CRASHED)]


class _Reader:
    def __init__(self):
        self.report = Report()
        self.planned = None
        self.suites = 0
        self.suite = self.case = ""
        self.params = []            # results of the case under way
        self.said = []
        self.splats = []            # since the last result
        self.expecting = False

    def line(self, text):
        text = _TIME.sub("", text.rstrip("\r\n"))
        if not self.report.started:
            self.report.started = bool(re.match(r"(K?TAP) version", text))
            return
        for pattern, what in ((_RESULT, self._result), (_SUBTEST, self._subtest),
                              (_PLAN, self._plan)):
            m = pattern.match(text)
            if m and len(m.group(1)) % 4 == 0:
                what(m)
                return
        self._message(text)

    def _plan(self, m):
        if not m.group(1):
            self.planned = int(m.group(2))

    def _subtest(self, m):
        if len(m.group(1)) == 4:
            self.suite, self.case = m.group(2), ""
            self.report.suite, self.report.done_in_suite = m.group(2), 0
        elif len(m.group(1)) == 8:
            self.case, self.params = m.group(2), []

    def _message(self, text):
        if _EXPECT_BEGIN in text or _EXPECT_END in text:
            self.expecting = _EXPECT_BEGIN in text
        elif _SPLAT.match(text) and not (self.expecting and _EXPECTED.match(text)) and \
                not any(rule.search(text) for rule, _ in _KNOWN):
            self.splats.append(text)
        if text.strip() and not re.match(r" *(KTAP version|# module:|# [\w]+: pass:|# Totals:)",
                                         text):
            self.said.append(text)

    def _take(self, case):
        if self.splats:
            self.report.splats += [(case, text) for text in self.splats]
            if case.status in (PASSED, SKIPPED):
                case.status = FAILED
        self.splats, self.said, self.expecting = [], [], False
        self.report.cases.append(case)
        return case

    def _result(self, m):
        name, _, directive = m.group(4).partition(" # ")
        status = FAILED if m.group(2) else PASSED
        skip = re.match(r"SKIP\b:? ?(.*)", directive)
        if skip and not m.group(2):
            status = SKIPPED
        reason = skip.group(1) if skip else directive
        depth = len(m.group(1)) // 4
        if depth == 2 and self.case:
            self.params.append(self._take(Case(self.suite, self.case, name or m.group(3), status,
                                               reason, self.said)))
        elif depth == 1:
            self._end_case(name, status, reason)
        elif depth == 0:
            self._end_suite(name, status)

    def _end_case(self, name, status, reason):
        mine = self.params if name == self.case else []
        bad = [c for c in mine if c.status == FAILED]
        # a case with parameters counts by them, unless it failed for something else
        if not mine or (status == FAILED and not bad) or self.splats:
            self._take(Case(self.suite, name, "", status, reason, self.said))
        self.case, self.params, self.said = "", [], []
        self.report.done_in_suite += 1

    def _end_suite(self, name, status):
        mine = [c for c in self.report.cases if c.suite == name]
        bad = [c for c in mine if c.status == FAILED]
        if not mine or (status == FAILED and not bad) or self.splats:
            self._take(Case(name, "(suite)", "", FAILED if self.splats else status, "",
                            self.said))
        self.suite, self.said = "", []
        self.suites += 1
        self.report.suite = ""

    def end(self):
        self.report.complete = self.suites == self.planned
        if not self.report.complete and self.report.started:
            # the case that was under way; whoever knows the list of cases can name it
            case = Case(self.report.suite or "(none)", self.case or "?", "", CRASHED, "",
                        self.said)
            self._take(case)
        else:
            self.report.splats += [(None, text) for text in self.splats]
        return self.report


def read(lines):
    """The Report of a kernel's output."""
    reader = _Reader()
    for line in lines:
        reader.line(line)
    return reader.end()
