# SPDX-License-Identifier: GPL-2.0
"""Events of a run, from whatever kept them: the flight recorder's text, the record
behind a violation in the log, or tdp-judge's JSON of a trace.

Knows the words of tdp_stress/oracle/recorder.c and the fields of its tracepoints; must
not know how events are drawn. A line that is not understood stays as it is: "other".
"""

import errno
import re

from qemu import places

BEGIN, END, INSTANT = "begin", "end", "instant"
#: external operations under mmu_lock held for read freeze their SPTE; this one has none
_NO_WINDOW = "free table"

_LOCK = r"(?: (?P<lock>read|write|unlocked))?"
_AT = r"(?: gfn (?P<gfn>0x[0-9a-f]+)(?: level (?P<level>\d))?)?"
_FORMS = (
    ("ext", BEGIN, r"external (?P<name>[a-z ]+?) begins" + _AT +
     r" (?P<old>0x[0-9a-f]+) -> (?P<new>0x[0-9a-f]+)" + _LOCK),
    ("ext", END, r"external (?P<name>[a-z ]+?) ends" + _AT +
     r": (?P<ret>-?\d+) after (?P<took>\d+) us" + _LOCK),
    ("op", BEGIN, r"(?P<name>\w+) begins" + _AT + r" \(end (?P<end>0x[0-9a-f]+)\)" + _LOCK),
    ("op", END, r"(?P<name>\w+) ends" + _AT + r": (?P<ret>-?\d+) after (?P<took>\d+) us" + _LOCK),
    ("seamcall", INSTANT, r"(?P<name>TDH[\w.]+)" + _AT + r": (?P<status>0x[0-9a-f]+)" + _LOCK),
    ("spte", INSTANT, r"(?P<name>SPTE)" + _AT + r" (?P<old>0x[0-9a-f]+) -> (?P<new>0x[0-9a-f]+)"),
    ("table", INSTANT, r"(?P<name>table (?:made|zapped|freed))" + _AT + r", (?P<page>[0-9a-f]+)"),
    ("violation", INSTANT, r"violation (?P<name>\w+)" + _AT),
    ("audit", INSTANT, r"(?P<name>audit) of (?P<sptes>\d+) SPTEs, (?P<took>\d+) us"),
    ("flush", INSTANT, r"(?P<name>TLB flush)"),
    ("kick", INSTANT, r"(?P<name>vCPUs kicked out)"),
)
_FORMS = [(kind, phase, re.compile(form)) for kind, phase, form in _FORMS]
_LINE = re.compile(r"(\d+)\.(\d{6}) pid (\d+) (.*)")
#: ahead of the event of that time and thread: where in KVM it was
_CALLS = re.compile(r"# calls (\d+\.\d{6} pid \d+) (.*)")
_NAME = re.compile(r"# pid (\d+) (.+)")
#: no GFN is as large, but the tracepoints' word for none is
_NO_GFN = 1 << 52
#: w1:punch is thread w1 in its operation punch
_WORKER = re.compile(r"([a-z]+\d+):\w+")


class Event:
    """@us: microseconds, of any clock; @kind: as in _FORMS, or "other"; @phase: whether
    it begins something; @text: as it was kept. What else is known is an attribute or None.
    """

    def __init__(self, us, pid, kind, phase, text, **known):
        self.us = us
        self.pid = pid
        self.kind = kind
        self.phase = phase
        self.text = text
        self.name = known.get("name") or text
        self.gfn = _int(known.get("gfn"))
        self.level = _int(known.get("level"))
        self.end = _int(known.get("end"))
        self.old = _int(known.get("old"))
        self.new = _int(known.get("new"))
        self.ret = _int(known.get("ret"))
        #: microseconds, of what ends
        self.took = _int(known.get("took"))
        self.status = _int(known.get("status"))
        self.lock = known.get("lock")
        self.root = known.get("root")
        #: functions of KVM that the thread was in, if that was kept
        self.calls = []

    @property
    def freezes(self):
        """It is an external operation with a frozen window around it."""
        return self.kind == "ext" and self.lock == "read" and self.name != _NO_WINDOW


def _int(text):
    return text if text is None or isinstance(text, int) else int(text, 0)


def of_text(us, pid, text):
    """The Event that recorder.c has put into the words @text."""
    for kind, phase, form in _FORMS:
        m = form.fullmatch(text)
        if m:
            return Event(us, pid, kind, phase, text, **m.groupdict())
    return Event(us, pid, "other", INSTANT, text)


def of_flight(text):
    """([Event], {pid: thread}) of the file stress.flight or stress.flight.first."""
    found, names, calls = [], {}, None
    for line in (text or "").splitlines():
        m = _LINE.fullmatch(line)
        if m:
            event = of_text(int(m.group(1)) * 10**6 + int(m.group(2)), int(m.group(3)),
                            m.group(4))
            if calls and line.startswith(calls.group(1) + " "):
                event.calls = places.symbols(calls.group(2))
            calls = None
            found.append(event)
            continue
        calls = _CALLS.fullmatch(line)
        m = _NAME.fullmatch(line)
        if m:
            names[int(m.group(1))] = thread(m.group(2))
    return found, names


def thread(comm):
    """A thread's name without the operation that it was named after at that moment."""
    m = _WORKER.fullmatch(comm)
    return m.group(1) if m else comm


#: tracepoint without its system: kind, phase, the field that names it
_TRACED = {
    "op_begin": ("op", BEGIN, "op"), "op_end": ("op", END, "op"),
    "ext_begin": ("ext", BEGIN, "kind"), "ext_end": ("ext", END, "kind"),
    "seamcall": ("seamcall", INSTANT, "call"), "spte": ("spte", INSTANT, None),
    "flush": ("flush", INSTANT, None), "kick": ("kick", INSTANT, None),
    "violation": ("violation", INSTANT, "check"), "audit": ("audit", INSTANT, None),
    "audit_root": ("audit", INSTANT, None), "audit_counts": ("audit", INSTANT, None),
}


def of_judge(data):
    """([Event], {pid: thread}) of tdp-judge's --json."""
    found, names = [], {}
    for e in data.get("events", ()):
        name = re.sub(r"^tdps_", "", e["kind"])
        names.setdefault(e["pid"], thread(e["thread"]))
        fields = e.get("fields") or {}
        if name not in _TRACED:
            if not e["kind"].startswith("tdps_"):
                continue
            found.append(Event(_us(e["time"]), e["pid"], "other", INSTANT, name))
            continue
        kind, phase, named = _TRACED[name]
        words = " ".join("%s=%s" % pair for pair in fields.items())
        event = Event(_us(e["time"]), e["pid"], kind, phase, "%s %s" % (name, words))
        event.name = fields.get(named, name) if named else name
        if kind == "ext":
            event.name = EXT_NAMES.get(event.name, event.name)
        event.root = e.get("root")
        for key in ("gfn", "level", "end", "old", "new", "ret", "status", "lock"):
            if key in fields:
                setattr(event, key, fields[key] if key == "lock" else _number(fields[key]))
        if kind == "op" and phase == END and fields.get("verdict") in _VERDICTS:
            event.ret = _VERDICTS.index(fields["verdict"])
        if (fields.get("ns") or "").isdigit():
            event.took = int(fields["ns"]) // 1000
        if event.gfn is not None and event.gfn >= _NO_GFN:
            event.gfn = None
        found.append(event)
    return found, names


#: of a fault, in the order of the recorder's numbers
_VERDICTS = ("done", "retry", "error")
#: what the tracepoints call them, and what the recorder does
EXT_NAMES = {"map": "map leaf", "link": "link table", "remove": "remove leaf",
             "free": "free table"}


def _us(seconds):
    return round(float(seconds) * 1e6)


def _number(text):
    try:
        return int(text, 0)
    except ValueError:
        return None


class Slice:
    """What lasts: an operation, an external operation, a frozen window.

    @begin, @end: microseconds; @first, @last: its Events, None: not in the record.
    """

    def __init__(self, kind, name, pid, depth, first, begin):
        self.kind = kind
        self.name = name
        self.pid = pid
        self.depth = depth
        self.first = first
        self.last = None
        self.begin = begin
        self.end = None
        self.gfn = first.gfn if first else None
        self.level = first.level if first else None


def slices(found):
    """[Slice] of each thread, those inside of others after them; each is inside of the
    one before it or behind it, whatever the record has lost.
    """
    out = []
    for pid in dict.fromkeys(e.pid for e in found):
        out += _of_thread([e for e in found if e.pid == pid], pid, found)
    return out


def _of_thread(mine, pid, found):
    first, last = min(e.us for e in found), max(e.us for e in found)
    done, stack = [], []

    def close(upto, event, us):
        while len(stack) > upto:
            one = stack.pop()
            one.end = max(us, one.begin)
            if len(stack) == upto:
                one.last = event

    def open_(kind, name, event, us):
        one = Slice(kind, name, pid, len(stack), event, us)
        done.append(one)
        stack.append(one)

    for e in mine:
        if e.phase == BEGIN:
            # nothing is in itself: the record has lost an end
            again = [n for n, s in enumerate(stack) if (s.kind, s.name) == (e.kind, e.name)]
            if again:
                close(again[0], None, e.us)
            if e.freezes:
                open_("frozen", "FROZEN", e, e.us)
            open_(e.kind, e.name, e, e.us)
        elif e.phase == END:
            at = [n for n, s in enumerate(stack) if s.kind == e.kind and s.name == e.name]
            if at:
                close(at[-1], e, e.us)
            elif not stack:
                _put_around(done, e, first)
        if stack and stack[-1].kind == "frozen" and e.phase != BEGIN and \
                _ends_window(e, stack[-1]):
            close(len(stack) - 1, e, e.us)
    close(0, None, last)
    return done


def _put_around(done, e, first):
    """@e ends what is not seen to begin: it is around what was done since."""
    begin = max(first, e.us - e.took if e.took is not None else first)
    begin = max([begin] + [s.end for s in done if s.begin < begin])
    inside = [s for s in done if s.begin >= begin]
    for s in inside:
        s.depth += 1
    one = Slice(e.kind, e.name, e.pid, 0, None, begin)
    one.gfn, one.level, one.end, one.last = e.gfn, e.level, e.us, e
    done.insert(len(done) - len(inside), one)


def _ends_window(e, window):
    """The SPTE has its new value; or the operation has failed and the old one is back."""
    return (e.kind == "spte" and e.gfn == window.gfn and e.level == window.level) or \
        (e.kind == "ext" and e.ret not in (0, None)) or e.kind == "op"


def spte(value, level=1):
    """What an SPTE is, for people: the bits are KVM's (arch/x86/kvm/mmu/spte.h)."""
    if value is None:
        return "?"
    if value & 0xfff in (0x1a0, 0x5a0):
        return "FROZEN"
    if not value & 1 << 11:
        return "absent"
    return "leaf" if level == 1 or value & 1 << 7 else "table"


def status(value):
    """What a SEAMCALL returned, for people."""
    if not value:
        return "success"
    return "BUSY" if value >> 32 == 0x80000200 else "0x%x" % value


def label(e):
    """The Event @e in a few words; its place is said elsewhere."""
    if e.kind == "op":
        return "%s %ss%s" % (e.name, e.phase, "" if e.phase == BEGIN else _result(e))
    if e.kind == "ext" and e.phase == BEGIN:
        return "external %s: %s" % (e.name, _change(e))
    if e.kind == "ext":
        return "external %s ends%s" % (e.name, _result(e))
    if e.kind == "seamcall":
        return "%s → %s" % (e.name, status(e.status))
    if e.kind == "spte":
        return "SPTE: " + _change(e)
    if e.kind == "violation":
        return "violation of " + e.name
    return e.text if e.kind == "other" else _WORDS.get(e.kind, e.name)


def _change(e):
    old, new = spte(e.old, e.level), spte(e.new, e.level)
    if old == new and e.old is not None and e.new is not None:
        old, new = "%s 0x%x" % (old, e.old), "0x%x" % e.new
    return "%s → %s" % (old, new)


#: as the recorder has them; a tracepoint has its name only
_WORDS = {"kick": "vCPUs kicked out", "flush": "TLB flush"}
#: enum in struct tdps_op_end: what a fault has come to
_FAULT = {0: "done", 1: "to be tried again", 2: "error"}


def _result(e):
    """What something returned, for people; of an operation, whether a TLB flush is due."""
    if e.ret is None:
        return ""
    if e.kind == "op":
        said = _FAULT.get(e.ret) if e.name == "map" else "flush" if e.ret else ""
        return ": " + said if said else ""
    return ": %s" % result(e.ret)


def result(ret):
    """An error number with its name."""
    name = errno.errorcode.get(-ret) if ret < 0 else None
    return "%d (%s)" % (ret, name) if name else "%d" % ret
