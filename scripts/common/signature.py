# SPDX-License-Identifier: GPL-2.0
"""What tells one failure from another: invariant, KVM function, pair of operations.

Knows how the oracles put a violation into words, and the flight record behind it
in the log; must not know how a run is started or repeated.
"""

import re

#: what an operation of a flight record is in KVM (tdp_stress/kvm/hooks.c)
FUNCTIONS = {
    "map": "kvm_tdp_mmu_map",
    "unmap": "kvm_tdp_mmu_unmap_gfn_range",
    "zap_leafs": "kvm_tdp_mmu_zap_leafs",
    "zap_all": "kvm_tdp_mmu_zap_all",
    "zap_invalidated_roots": "kvm_tdp_mmu_zap_invalidated_roots",
    "zap_nx_huge_page": "kvm_tdp_mmu_zap_possible_nx_huge_page",
    "invalidate_roots": "kvm_tdp_mmu_invalidate_roots",
    "split": "kvm_tdp_mmu_try_split_huge_pages",
    "recover": "kvm_tdp_mmu_recover_huge_pages",
    "age": "kvm_tdp_mmu_age_gfn_range",
    "test_age": "kvm_tdp_mmu_test_age_gfn",
    "wrprot_slot": "kvm_tdp_mmu_wrprot_slot",
    "wrprot_gfn": "kvm_tdp_mmu_write_protect_gfn",
    "clear_dirty_slot": "kvm_tdp_mmu_clear_dirty_slot",
    "clear_dirty_masked": "kvm_tdp_mmu_clear_dirty_pt_masked",
    "walk": "kvm_tdp_mmu_get_walk",
    "last_sptep": "kvm_tdp_mmu_fast_pf_get_last_sptep",
    "alloc_root": "kvm_tdp_mmu_alloc_root",
    "mmu_notifier": "kvm_mmu_notifier_invalidate_range_start",
    "flush_memslot": "kvm_arch_flush_shadow_memslot",
    "convert": "kvm_arch_pre_set_memory_attributes",
    "uninit": "kvm_mmu_uninit_tdp_mmu",
    "destroy_vm": "kvm_arch_destroy_vm",
}
#: how much of two signatures is compared
LEVELS = ("invariant", "function", "operations")
#: any failure counts: one bug may show itself in many ways
ANY = "any"
#: lines of a run that are looked at; more tell nothing new
_LINES = 64
#: violations that one audit may have seen
_TOGETHER = 8

#: as the oracles put one into words
VIOLATION = re.compile(
    r"(?P<id>[A-Z]+\d?): (?P<what>.*?)(?:, in (?P<op>\w+))?(?:, gfn (?P<gfn>0x[0-9a-f]+)"
    r"(?: level (?P<level>\d+))?)?, by (?P<by>.+)/(?P<pid>\d+) \(mmu_lock (?P<lock>[^)]*)\)")
#: "at f+0x1/0x2", "in f+0x1/0x2", "RIP: 0010:f+0x1/0x2"
_AT = re.compile(r"(?:\bat |\bin |RIP: [0-9a-f]+:)([A-Za-z_][\w.]*)\+0x")
_PROGRESS = re.compile(r"(\w+) (?:(?:has )?made no progress|retried )")
#: one in a kernel log
SAID = re.compile(r"tdp_stress: (?P<line>%s)" % VIOLATION.pattern)
_EVENT = re.compile(r"tdp_stress:\s+\d+ us ago(?: by pid (\d+))?: (.*)")
_CALLS = re.compile(r"tdp_stress:\s+in KVM: ")
_DOES = re.compile(r"(\w+) (begins|ends)\b")
#: what a kernel says when something is wrong, and what that is called
_MESSAGES = (
    (re.compile(r"BUG: (KASAN|KCSAN): "), None),
    (re.compile(r"possible circular locking|possible recursive locking|inconsistent lock state|"
                r"suspicious RCU usage|bad unlock balance"), "LOCKDEP"),
    (re.compile(r"\b(BUG|Oops|WARNING|UBSAN|Kernel panic)\b"), None),
)
_COMM = re.compile(r"\bComm: (\S+)")
#: lines behind such a message in which the place is said
_NEAR = 12
_TEXT = re.compile(r"(\S+)(?: in (\S+))?(?: by (\S+?)(?: with (\S+))?)?")


class Signature:
    """One failure's. @function and @operations may be empty: it is not known."""

    def __init__(self, invariant, function="", operations=()):
        self.invariant = invariant
        self.function = function
        self.operations = tuple(o for o in operations if o)

    def _key(self, level):
        return (self.invariant, self.function, self.operations)[:LEVELS.index(level) + 1]

    def __eq__(self, other):
        return self._key("operations") == other._key("operations")

    def __hash__(self):
        return hash(self._key("operations"))

    def __str__(self):
        text = self.invariant
        if self.function:
            text += " in " + self.function
        if self.operations:
            text += " by " + " with ".join(self.operations)
        return text

    def like(self, other, level="function"):
        """Whether both are the same as far as @level; what one does not know may be anything."""
        if level == ANY:
            return True
        if self.invariant != other.invariant:
            return False
        if level == "invariant":
            return True
        if self.function and other.function and self.function != other.function:
            return False
        if level == "function":
            return True
        return all(a == b for a, b in zip(self.operations, other.operations))

    def data(self):
        """As summary.json has it."""
        return {"invariant": self.invariant, "function": self.function,
                "operations": list(self.operations)}


def of_data(data):
    return Signature(data["invariant"], data["function"], data["operations"])


def parse(text):
    """The Signature that str() made @text of, or None."""
    m = _TEXT.fullmatch(text.strip())
    return m and Signature(m.group(1), m.group(2) or "", (m.group(3), m.group(4)))


def _plain(function):
    """Without what a compiler adds to a name."""
    return re.sub(r"\.(?:part|isra|constprop|cold)\b.*", "", function)


def _who(by):
    """The operation that a thread is named after, or the thread."""
    m = re.match(r"[wv]\d+:(\w+)$", by)
    return m.group(1) if m else re.sub(r"/.*", "", by)


def _events(log, line):
    """The flight record behind @line: [(pid or None for its own, text)]."""
    at = log.find(line)
    found = []
    for text in log[at + len(line):].splitlines()[1:] if at >= 0 else []:
        m = _EVENT.search(text)
        if not m and _CALLS.search(text):
            continue
        if not m:
            break
        found.append(m.groups())
    return found


def _in_flight(events):
    """What has begun and not ended, of a thread's events; or what has ended last: some
    oracles judge an operation then.
    """
    stack, last = [], ""
    for pid, text in events:
        m = _DOES.match(text)
        if pid or not m or m.group(1) not in FUNCTIONS:
            continue
        last = m.group(1)
        if m.group(2) == "begins":
            stack.append(last)
        elif last in stack:
            del stack[stack.index(last):]
    return stack[-1] if stack else last


def _partner(events):
    """What another thread did last at the same place."""
    found = ""
    for pid, text in events:
        m = _DOES.match(text)
        # what is done to all of a VM is always under way
        if pid and m and m.group(1) in FUNCTIONS and " gfn " in text:
            found = m.group(1)
    return found


def violations(log):
    """The violations that a kernel log names."""
    return [m.group("line") for m in SAID.finditer(log)]


def of_violation(line, log=""):
    """The Signature of a violation's @line, or None if it is none; @log: what came with it."""
    m = VIOLATION.search(line)
    if not m:
        return None
    events = _events(log, line)
    op, at, stuck = m.group("op"), _AT.search(m.group("what")), _PROGRESS.match(m.group("what"))
    op = op or (stuck and stuck.group(1).replace("fault", "map")) or _in_flight(events)
    function = _plain(at.group(1)) if at else FUNCTIONS.get(op, "")
    return Signature(m.group("id"), function, (_who(m.group("by")), _partner(events)))


def _of_messages(messages):
    """What the kernel said, and nobody can explain; None: nothing that is known."""
    for number, line in enumerate(messages):
        for pattern, name in _MESSAGES:
            m = pattern.search(line)
            if m:
                near = " ".join(messages[number:number + _NEAR])
                place, who = _AT.search(near), _COMM.search(near)
                return Signature((name or m.group(1)).replace(" ", "-").upper(),
                                 _plain(place.group(1)) if place else "",
                                 [_who(who.group(1))] if who else ())
    return None


def _of_end(summary, log):
    """No violation was named: how it ended."""
    said = _of_messages(summary.get("unexplained_messages") or [])
    end = (summary.get("guest") or {}).get("end")
    if end in ("hung", "died"):
        # the messages have not always arrived
        return said or (end == "died" and _of_messages(log.splitlines())) or Signature(end.upper())
    if said:
        return said
    # the reason without what differs from run to run
    words = re.sub(r"0x[0-9a-f]+|\d+", "N", summary.get("reason") or "nothing said")
    return Signature("END", "-".join(re.findall(r"\w+", words)[:12]))


def in_order(lines):
    """Violations as they were seen; but if the first one is about a VM as a whole, what the
    same thread has seen next at a place of it comes before it: that says more.
    """
    lines = list(lines)
    first = lines and VIOLATION.search(lines[0])
    if first and " gfn 0x" not in lines[0]:
        for number, line in enumerate(lines[1:_TOGETHER], 1):
            m = VIOLATION.search(line)
            if m and m.group("pid") == first.group("pid") and " gfn 0x" in line:
                return [line] + lines[:number] + lines[number + 1:]
    return lines


def of_run(summary, log=""):
    """[Signature] of a make run's summary, the first sign first; @log: its console.

    Empty: it was no failure.
    """
    if summary.get("verdict") != "FAILURE":
        return []
    lines = in_order(summary.get("violation_lines") or violations(log))
    found = [of_violation(line, log) for line in lines[:_LINES]]
    found = list(dict.fromkeys(s for s in found if s))
    return found or [_of_end(summary, log)]
