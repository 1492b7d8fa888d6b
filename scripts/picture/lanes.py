# SPDX-License-Identifier: GPL-2.0
"""What led to a violation, or else what came last: each thread a lane, all of them on one
time axis.

Twice: to scale, to see what overlaps; and event by event, to read. Knows a Run's events
and HTML; must not know where they were kept.
"""

from html import escape

from common.html import Markup
from picture import events

#: events of the operation that was seen, of what its thread did before it, of each other
#: thread meanwhile, and of what all of them did at that GFN before
_OWN, _PRELUDE, _OTHERS, _HISTORY = 26, 2, 8, 8
#: operations of another thread that may have to do with it
_ABOUT = 4
_THREADS = 5
#: microseconds without an event that get a line of their own
_GAP = 1000
#: how far apart in a 2M range two places may be to have to do with each other
_NEAR = 511


VIOLATION, MESSAGE, END = "violation", "message", "end"


class Moment:
    """The end of the picture: @us, and the thread @pid that was seen.

    @words: what is said there, about @gfn; @what: VIOLATION, or what there is if no oracle has
    named the failure: a MESSAGE of the kernel's, or the END of the record.
    """

    def __init__(self, us, pid, words, gfn=None, exact=True, what=VIOLATION):
        self.us = us
        self.pid = pid
        self.words = words
        self.gfn = gfn
        #: it is the violation of the run's first line, not a later one like it
        self.exact = exact
        self.what = what


def moment(run):
    """Where in the record the first violation is, or what ends it if there is none, or None."""
    if not run.events:
        return None
    if run.violations:
        return _violation(run, run.violations[0])
    return _end(run) if run.verdict == "FAILURE" else None


def _end(run):
    """The kernel's first message if the record reaches back to it, or else the last event."""
    said = run.message
    known = said and run.events[0].us <= said.us
    before = [e for e in run.events if not known or e.us <= said.us]
    own = [e.pid for e in before if e.pid and e.kind != "audit"]
    last = own[-1] if own else before[-1].pid
    if not known:
        return Moment(before[-1].us, last, "the record ends here", what=END)
    return Moment(said.us, said.pid if said.pid in own else last, said.text, what=MESSAGE)


def _violation(run, first):
    """Where the @first one is, or None: it is not in the record."""
    own = "%s: %s" % (first.id, first.what)
    seen = [e for e in run.events if e.kind == "violation" and e.name == first.id]
    same = [e for e in seen if e.gfn == first.gfn]
    if first.events and run.events is first.events:
        return Moment(max(first.us or 0, run.events[-1].us), first.pid, own, first.gfn)
    if same or seen:
        event = (same or seen)[0]
        # what was printed is about a thread; who recorded it may be another
        pid = first.pid if same and any(e.pid == first.pid for e in run.events) else event.pid
        return Moment(event.us, pid, own if same else events.label(event), event.gfn, bool(same))
    # a trace ends with what the same audit has seen just before
    ahead = [e for e in run.events if e.kind == "violation" and e.pid == first.pid]
    return Moment(ahead[-1].us, first.pid, own, first.gfn) if ahead else None


def concerns(e, gfn):
    """@e may have to do with what is at @gfn: recorder.c's rule."""
    if gfn is None:
        return False
    first, last = gfn & ~_NEAR, gfn | _NEAR
    if e.kind == "op" and e.phase == events.BEGIN:
        return e.gfn is None or (e.gfn <= last and (e.end or e.gfn + 1) > first)
    if e.gfn == gfn:
        return True
    return bool(e.level and e.level > 1 and e.gfn is not None and first <= e.gfn <= last)


class Lanes:
    """What is shown: @pids, the one that was seen first; @rows: Events by time; @begin: when
    the operation began in which it was seen; @left_out: how many events of it are not shown,
    behind @cut.
    """

    def __init__(self, run, at):
        self.run = run
        self.at = at
        self.gfn = at.gfn
        before = [e for e in run.events if e.us <= at.us and e.kind != "violation"]
        self.slices = events.slices([e for e in run.events if e.us <= at.us])
        self.begin = at.us
        self.pids = [at.pid]
        #: who saw it did nothing there itself: an audit, or the watchdog
        self.bystander = False
        picked = self._led_to_it(before) if at.what == VIOLATION else self._last(before)
        self.pids += self._worth_a_lane(picked)
        self.rows = sorted({e for e in picked if e.pid in self.pids}, key=lambda e: e.us)

    def _last(self, before):
        """What this thread and all others did last, and how the operation of each began."""
        picked = self._own(before, self.at.pid)
        begun = {s.pid: [s.first] for s in self.slices if not s.depth and s.first}
        for pid in {e.pid for e in before if e.pid and e.pid != self.at.pid}:
            last = [e for e in before if e.pid == pid and e.kind != "audit"][-_OTHERS:]
            picked += last + begun.get(pid, [])
        self.begin = min([e.us for e in picked] + [self.begin])
        return picked

    def _led_to_it(self, before):
        """This thread's operation, what others did meanwhile, and at that place before."""
        at = self.at
        picked = self._own(before, at.pid)
        self.bystander = not picked
        until = at.us
        if self.bystander:
            suspects = [e for e in before if e.gfn == self.gfn is not None and e.pid]
            picked = self._own([e for e in before if e.us <= suspects[-1].us],
                               suspects[-1].pid) if suspects else []
            until = max([e.us for e in picked] + [until if not picked else 0])
        if self.gfn is not None:
            picked += [e for e in before if e.gfn == self.gfn][-_HISTORY:]
        for pid in dict.fromkeys(e.pid for e in before if e.pid and e.pid != at.pid):
            picked += [e for e in before
                       if e.pid == pid and self.begin <= e.us <= until][-_OTHERS:]
            about = [s for s in self.slices if s.pid == pid and s.first and s.begin <= until and
                     s.end >= self.begin and concerns(s.first, self.gfn)]
            picked += [e for s in about[-_ABOUT:] for e in (s.first, s.last) if e]
        return picked

    def _own(self, before, pid):
        """A thread's last operation, from its beginning, and a little of what came before."""
        own = [e for e in before if e.pid == pid and e.kind != "audit"]
        outer = [s for s in self.slices if s.pid == pid and not s.depth and s.first in own][-1:]
        first = own.index(outer[0].first) if outer else max(0, len(own) - _OWN)
        rest = own[first:]
        self.left_out = max(0, len(rest) - _OWN)
        self.cut = rest[0] if self.left_out else None
        if self.left_out:
            rest = rest[:1] + rest[1 - _OWN:]
        self.begin = min([e.us for e in rest] + [self.begin])
        return own[max(0, first - _PRELUDE):first] + rest

    def _worth_a_lane(self, picked):
        """Other threads: those at the place first, then those that did something lately."""
        score = {}
        for e in picked:
            if e.pid != self.at.pid:
                score[e.pid] = max(score.get(e.pid, (0, 0)), (e.gfn == self.gfn is not None, e.us))
        return sorted(sorted(score, key=score.get, reverse=True)[:_THREADS - 1])

    def name(self, pid):
        name = self.run.threads.get(pid)
        return "%s (pid %d)" % (name, pid) if name else "pid %d" % pid


def ago(us):
    """A time before what ends the picture, for people."""
    if us < 1000:
        return "−%d µs" % us
    return "−%.1f ms" % (us / 1e3) if us < 10**6 else "−%.2f s" % (us / 1e6)


def place(e):
    if e.gfn is None:
        return ""
    text = "gfn 0x%x" % e.gfn
    if e.kind == "op" and e.end and e.end > e.gfn + 1:
        return text + " to 0x%x" % e.end
    return text + (" level %d" % e.level if e.level else "")


def _slice_words(lanes, s):
    lasted = "%d µs" % (s.end - s.begin) if s.last else "not over"
    where = " at gfn 0x%x" % s.gfn if s.gfn is not None else ""
    return "%s: %s%s, %s" % (lanes.name(s.pid), s.name, where, lasted)


def scale(lanes):
    """The threads to scale: what overlaps."""
    width = max(1, lanes.at.us - lanes.begin)

    def x(us):
        return 100 * min(max(us - lanes.begin, 0), width) / width

    rows = []
    for pid in lanes.pids:
        bars = []
        for s in lanes.slices:
            if s.pid != pid or s.end < lanes.begin:
                continue
            bars.append('<i class="bar %s" style="left:%.3f%%;width:%.3f%%" title="%s"></i>' % (
                s.kind, x(s.begin), x(s.end) - x(s.begin), escape(_slice_words(lanes, s))))
        for e in lanes.run.events:
            if e.pid == pid and e.kind == "seamcall" and lanes.begin <= e.us <= lanes.at.us:
                bars.append('<i class="bar call" style="left:%.3f%%" title="%s"></i>' %
                            (x(e.us), escape(events.label(e))))
        rows.append('<div class="who%s">%s</div><div class="track">%s</div>' % (
            " seen" if pid == lanes.at.pid else "", escape(lanes.name(pid)), "".join(bars)))
    ticks = "".join('<span style="left:%d%%">%s</span>' % (
        n * 25, ago(round(width * (4 - n) / 4))) for n in range(3))
    return Markup("""<div class="scale" role="img" aria-label="%s">%s
<div></div><div class="ticks">%s<span class="now" style="left:100%%">%s</span></div></div>
""" % (escape("operations, external operations and frozen windows of %d threads in the %d "
              "microseconds before the %s" % (len(lanes.pids), width, lanes.at.what)),
       "\n".join(rows), ticks, lanes.at.what))


_LEGEND = """<p class="legend">
<span><i class="key op"></i>operation of KVM</span>
<span><i class="key ext"></i>external operation</span>
<span><i class="key frozen"></i>SPTE is FROZEN</span>
<span><i class="key call"></i>SEAMCALL</span>%s</p>"""
_HERE = "\n<span><mark>◆</mark> at the GFN of the violation</span>"


def legend(at):
    return Markup(_LEGEND % (_HERE if at.what == VIOLATION else ""))


_SIGNS = {"op": {"begin": "▶", "end": "◀"}, "ext": {"begin": "▷", "end": "◁"},
          "seamcall": {"instant": "●"}, "spte": {"instant": "✎"}}


def _event(lanes, e, row, column, inset):
    sign = _SIGNS.get(e.kind, {}).get(e.phase, "·")
    here = e.gfn is not None and e.gfn == lanes.gfn
    where = place(e)
    lock = " · mmu_lock %s" % e.lock if e.phase == events.BEGIN and e.lock in ("read", "write") \
        else ""
    root = " · %s root" % e.root if e.root else ""
    small = " · ".join(t for t in (where, ) if t) + lock + root
    return ('<div class="ev %s%s" style="grid-row:%d;grid-column:%d;margin-left:%.1frem" '
            'title="%s"><b>%s</b> %s%s%s</div>' % (
                e.kind, " here" if here else "", row, column, .3 + .45 * inset, escape(e.text),
                sign, escape(events.label(e)),
                " <mark>◆</mark>" if here else "",
                "<small>%s</small>" % escape(small.lstrip(" ·")) if small else ""))


def _lines(lanes):
    """[(None, Event)], with (words, None) where time passes or something is left out."""
    out, before = [], None
    for e in lanes.rows:
        if before is not None and e.us - before >= _GAP:
            out.append(("⋮ " + ago(e.us - before).lstrip("−"), None))
        out.append((None, e))
        if e is lanes.cut:
            out.append(("⋮ %d events of %s left out" % (lanes.left_out, lanes.name(e.pid)), None))
        before = e.us
    if before is not None and lanes.at.us - before >= _GAP:
        out.append(("⋮ " + ago(lanes.at.us - before).lstrip("−"), None))
    return out


def _boxes(lanes, row_of, last_row):
    """Where each Slice is drawn: [(Slice, first row, last row, inset)]."""
    boxes = []
    for s in lanes.slices:
        if s.pid not in lanes.pids:
            continue
        inside = [row for e, row in row_of.items() if e.pid == s.pid and s.begin <= e.us <= s.end
                  and (s.first is None or _order(e, s))]
        if not inside:
            continue
        during = [row for e, row in row_of.items() if s.begin <= e.us <= s.end]
        top = row_of.get(s.first) or min(during)
        bottom = row_of.get(s.last) or (last_row if not s.last else max(inside))
        boxes.append((s, top, max(top, bottom), s.depth))
    return boxes


def _order(e, s):
    """Events of the same microsecond: what is a slice's own, or strictly inside."""
    return e in (s.first, s.last) or s.begin < e.us < s.end or \
        (e.phase == events.INSTANT and s.begin <= e.us <= s.end)


def sequence(lanes):
    """The threads event by event, time runs down."""
    lines = _lines(lanes)
    parts, row_of, row = [], {}, 1
    heads = "".join('<div class="head%s" style="grid-column:%d">%s</div>' % (
        " seen" if pid == lanes.at.pid else "", n + 2, escape(lanes.name(pid)))
        for n, pid in enumerate(lanes.pids))
    for words, e in lines:
        row += 1
        if e is None:
            parts.append('<div class="gap%s" style="grid-row:%d">%s</div>' % (
                "" if words.endswith("s") else " out", row, escape(words)))
            continue
        row_of[e] = row
        parts.append('<div class="t" style="grid-row:%d">%s</div>' % (row, ago(lanes.at.us - e.us)))
    last = row + 1
    column = {pid: n + 2 for n, pid in enumerate(lanes.pids)}
    drawn = _boxes(lanes, row_of, last)
    under = ['<div class="box %s%s%s" style="grid-row:%d/%d;grid-column:%d;margin-left:%.1frem" '
             'title="%s"></div>' % (
                 s.kind, "" if s.first in row_of else " from-before",
                 "" if s.last in row_of else " not-over", top, bottom + 1, column[s.pid],
                 .45 * inset, escape(_slice_words(lanes, s)))
             for s, top, bottom, inset in drawn]
    for e, at in row_of.items():
        inset = max([i + 1 for s, top, bottom, i in drawn
                     if s.pid == e.pid and top <= at <= bottom], default=0)
        parts.append(_event(lanes, e, at, column[e.pid], inset))
    parts.append('<div class="t" style="grid-row:%d">0</div>' % last)
    parts.append('<div class="ev violation" style="grid-row:%d;grid-column:%d;margin-left:.3rem">'
                 '<b>✖</b> %s</div>' % (last, column[lanes.at.pid], escape(lanes.at.words)))
    return Markup('<div class="scroll seq-scroll" tabindex="0"><div class="seq" '
                  'style="--lanes:%d">%s%s%s</div></div>' %
                  (len(lanes.pids), heads, "".join(under), "".join(parts)))


STYLE = """
.scale { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .3rem .7rem;
  align-items: center; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; padding: .8rem 1.6rem .5rem .9rem; margin: .6rem 0; }
.scale .who { font-size: .9rem; }
.seen { font-weight: 700; }
.track { position: relative; height: 30px; background: var(--head); border-radius: 3px; }
.ticks { position: relative; height: 1.5rem; font-size: .82rem; color: var(--dim); }
.ticks span { position: absolute; border-left: 1px solid var(--dim); padding-left: 3px;
  white-space: nowrap; }
.ticks .now { transform: translateX(-100%); border-left: 0; border-right: 3px solid var(--bad);
  padding-right: 4px; color: var(--bad); font-weight: 600; }
.bar { position: absolute; min-width: 3px; border-radius: 2px; }
.bar.op { top: 2px; bottom: 2px; background: var(--op); border: 1px solid var(--op-line); }
.bar.ext { top: 9px; bottom: 9px; background: var(--ext); border: 1px solid var(--ext-line); }
.bar.frozen, .box.frozen, .key.frozen { border: 1px dashed var(--ice-line);
  background: repeating-linear-gradient(135deg, var(--ice) 0 5px, transparent 5px 9px); }
.bar.frozen { top: 5px; bottom: 5px; }
.bar.call { top: 12px; bottom: 12px; width: 2px; min-width: 2px; background: var(--text); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; color: var(--dim); font-size: .92rem;
  max-width: none; }
.key { display: inline-block; width: 1.3rem; height: .8rem; margin-right: .35rem;
  border-radius: 2px; }
.key.op { background: var(--op); border: 1px solid var(--op-line); }
.key.ext { background: var(--ext); border: 1px solid var(--ext-line); }
.key.call { width: 3px; background: var(--text); }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 0 .15rem; }
.seq-scroll { max-height: 85vh; overflow: auto; }
.seq { display: grid; grid-template-columns: 5.2rem repeat(var(--lanes), minmax(15rem, 1fr));
  column-gap: .5rem; row-gap: 2px; padding: 0 .6rem .8rem 0; }
.seq .head { position: sticky; top: 0; z-index: 3; background: var(--head); grid-row: 1;
  padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
.seq .t { grid-column: 1; position: sticky; left: 0; z-index: 2; background: var(--card);
  text-align: right; color: var(--dim); font-size: .84rem; padding: .2rem .3rem;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
.seq .gap { grid-column: 1; position: sticky; left: 0; z-index: 2; background: var(--card);
  color: var(--dim); font-size: .84rem; text-align: right; white-space: nowrap;
  padding: .1rem .3rem;
  border-top: 1px dotted var(--dim); border-bottom: 1px dotted var(--dim); }
.seq .gap.out { grid-column: 2; z-index: 1; background: none; border: 0; text-align: left; }
.box { border-radius: 5px; z-index: 0; }
.box.op { background: var(--op); border: 1px solid var(--op-line); }
.box.ext { background: var(--ext); border: 1px solid var(--ext-line); }
.from-before { border-top-style: none !important; border-top-left-radius: 0; }
.not-over { border-bottom-style: none !important; }
@media (max-width: 40rem) {
  .seq { grid-template-columns: 4.4rem repeat(var(--lanes), minmax(12.5rem, 1fr)); }
  .scale { grid-template-columns: 1fr; row-gap: .1rem; padding-left: .7rem; }
  .scale > :nth-last-child(2) { display: none; }
}
.ev { z-index: 1; font-size: .92rem; line-height: 1.35; padding: .16rem .4rem;
  max-width: 24rem; overflow-wrap: anywhere; }
.ev small { display: block; color: var(--dim); font-size: .84rem; padding-left: 1.15rem; }
.ev.violation { border: 2px solid var(--bad); border-radius: 5px; color: var(--bad);
  font-weight: 600; background: var(--card); margin-top: .3rem; }
"""
