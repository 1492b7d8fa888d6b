# SPDX-License-Identifier: GPL-2.0
"""From what job.sh left to a verdict, and what there was no way to check.

Knows the files of job.sh, and what a real TDX module lets nobody see. What is missing
counts against the run: silence is never success. Must not know how it was run.
"""

import re

from common.say import say
from qemu import dmesg, judge, watch

#: what takes the emulated TDX module, by check; True: nothing is left of it
BLIND = {
    "X1": (True, "a real TDX module lets nobody read its tables: mirror and external entries "
           "are not compared"),
    "X2": (False, "the order of its calls is followed; that it had no other page in use is its "
           "own business"),
    "X3": (False, "each status is seen where KVM gets it; the module reports nothing of itself"),
    "L1": (False, "KVM's flushes are followed; what the guest's TLBs have kept nobody sees"),
    "A1": (False, "KVM's counts are compared with its tables; the module's own (PAMT) are not, "
           "so a page that it was never given back is not noticed"),
}
#: not a check, but no less missing
NOT_DONE = ("BUSY and delays are not injected: what makes KVM retry is real contention alone",)
_FILES = ("driver.json", "driver.log", "stress.verdict", "stress.violations", "stress.stats",
          "stress.not_checked", "dmesg")
#: on a host others have warnings, too
_OURS = re.compile(r"tdp_stress|kvm|tdx|SEAM|WARNING: |BUG: |Oops|cut here|Call Trace|lockdep|"
                   r"suspicious RCU|possible |hung task|soft lockup|general protection", re.I)
_NOT_CHECKED = re.compile(r"(\w+) \(([^()]*)\)")
#: job.sh's word for a log that has gone round
_LOST = "tdp_stress run: begin lost"
_LAST_WORD = re.compile(r"tdp_stress: --- End of test: (\w+)")


class Result:
    """@verdict: judge.Verdict; @files: {name: text}; @others: kernel messages that are
    none of ours; @not_checked: {check: why}.
    """

    def __init__(self, folder, code):
        self.files = {n: (folder / n).read_text(errors="replace")
                      for n in _FILES if (folder / n).exists()}
        self.others = []
        self.verdict = judge.Verdict()
        problem = _text(folder / "problem")
        self.not_checked = dict(_NOT_CHECKED.findall(self.files.get("stress.not_checked", "")))
        self.not_checked.update({i: why for i, (all_of_it, why) in BLIND.items() if all_of_it})
        self.driver_code = _text(folder / "driver.code")
        self.unloaded = "cannot be unloaded" not in problem
        if code == 3:
            self._could_not(problem)
        else:
            self._judge(code, problem)

    def _could_not(self, problem):
        self.verdict.usage = bool(judge.BAD_PARAMETER.search(problem))
        self.verdict.unsupported.append(problem or "job.sh could not, and did not say why")

    def _judge(self, code, problem):
        verdict = self.verdict
        if code:
            verdict.reasons.append("job.sh ended with %s" % code)
        if problem:
            verdict.reasons.append(problem)
        outcome = watch.Outcome()
        outcome.files = self.files
        outcome.messages = [("driver", self.driver_code)] if self.driver_code else []
        judge.stress(verdict, self.files)
        judge.driver(verdict, outcome)
        self._judge_log()

    def _judge_log(self):
        log = self.files.get("dmesg", "")
        if not log.strip():
            self.verdict.reasons.append("the kernel log is empty")
        if _LOST in log:
            self.verdict.unsupported.append("the kernel log has gone round: what it said first is "
                                            "lost; boot with log_buf_len=16M")
        found = dmesg.unexplained(log)
        self.verdict.unexplained = [l for l in found if _OURS.search(l)]
        self.others = [l for l in found if not _OURS.search(l)]
        if self.verdict.unexplained:
            self.verdict.reasons.append("%d unexplained kernel message(s), first: %s" % (
                len(self.verdict.unexplained), self.verdict.unexplained[0]))
        # it looks once more while it is unloaded
        words = _LAST_WORD.findall(log)
        if words[-1:] == ["FAILURE"] and not self.verdict.ids:
            self.verdict.reasons.append("tdp_stress found something at its end, see dmesg")

    def stats(self):
        return judge.counters(self.files.get("stress.stats"))

    def ktap(self):
        """A line for each check; what was not checked is a SKIP, never an ok."""
        stats = self.stats()
        lines = []
        for name in [n[len("check."):] for n in stats if n.startswith("check.")]:
            made, bad = stats["check." + name], stats.get("violation." + name, 0)
            if bad:
                lines.append((False, "%s: %d violation(s) in %d checks" % (name, bad, made)))
            elif name in self.not_checked or not made:
                lines.append((True, "%s # SKIP %s" % (name, self.not_checked.get(
                    name, "nothing gave cause for it"))))
            else:
                lines.append((True, "%s: checked %d times%s" % (
                    name, made, ", in part" if name in BLIND else "")))
        lines.append((self.driver_code == "0", "the driver, and every guest followed its script"))
        lines.append((not self.verdict.unexplained, "the kernel log"))
        lines.append((self.unloaded, "tdp_stress is unloaded"))
        return ["KTAP version 1", "1..%d" % len(lines)] + [
            "%s %d %s" % ("ok" if good else "not ok", i + 1, text)
            for i, (good, text) in enumerate(lines)]

    def not_possible(self):
        """What this says nothing about, for people."""
        return ["%s%s: %s" % (i, "" if all_of_it else ", in part", why)
                for i, (all_of_it, why) in BLIND.items()] + list(NOT_DONE)


def _text(path):
    return path.read_text(errors="replace").strip() if path.exists() else ""


def show(result):
    """KTAP, and what a real TDX module keeps to itself."""
    if result.driver_code:
        for line in result.ktap():
            say(line)
        say("  not possible without an emulated TDX module, and not checked:")
        for line in result.not_possible():
            say("    " + line)
    if result.others:
        say("  %d other kernel message(s) meanwhile, not judged, first: %s" % (
            len(result.others), result.others[0]))
