# SPDX-License-Identifier: GPL-2.0
"""Where in KVM's source a violation was seen, and where an external operation had failed
before at the same place: the functions that the threads were in, and the lines around.

Knows a Run's places, events and HTML; must not know how a place was found.
"""

from common import html
from common.html import Markup
from picture import events, lanes

#: lines of the source on either side; failed operations that are shown, the newest
_AROUND, _FAILED = 9, 2
#: functions of a chain whose source is shown without being asked for
_OPEN = 2
#: of those, what is said at the head of the page
_LOOK = 3


def _esc(text):
    return html.escape(str(text))


def _source(run, line):
    """The source around @line, that line marked; nothing if it was not kept."""
    rows = ["<span%s><i>%6d</i>  %s\n</span>" % (' class="at"' if n == line.number else "", n,
                                              _esc(text.expandtabs(8)))
            for n, text in run.places.text(line, _AROUND).items()]
    return Markup('<pre class="source">%s</pre>' % "".join(rows)) if rows else Markup("")


def _chain(run, calls, opened=_OPEN):
    """A chain of functions, the innermost first; @opened: how many of them."""
    parts = []
    for line, words in run.places.of(calls):
        source = _source(run, line) if line else ""
        title = words if not parts else "called from " + words
        parts.append(html.details(title, source, opened=len(parts) < opened) if source else
                     Markup('<p class="mono">%s</p>' % _esc(title)))
    return Markup('<div class="code">%s</div>' % "".join(parts))


def failed_before(run, violation):
    """Events of external operations that failed at the violation's place, newest first; each
    thread's last one of a kind.
    """
    found = {}
    for e in run.events:
        if e.kind == "ext" and e.phase == events.END and e.ret and e.gfn is not None and \
                e.gfn == violation.gfn and e.calls:
            found[e.pid, e.name, tuple(e.calls)] = e
    return sorted(found.values(), key=lambda e: -e.us)


def _begun(run, end):
    """The event with which @end's operation began, or None."""
    for e in sorted((e for e in run.events if e.us <= end.us), key=lambda e: -e.us):
        if (e.kind, e.phase, e.pid, e.name, e.gfn, e.level) == \
                ("ext", events.BEGIN, end.pid, end.name, end.gfn, end.level):
            return e
    return None


def stayed(run, end):
    """Whether the mirror SPTE was later seen to be what failed operation @end was to store,
    and nobody had stored that since: then KVM has not taken it back. (Event begun, or None).
    """
    begun = _begun(run, end)
    if not begun or begun.new is None or begun.new == begun.old:
        return None
    for e in run.events:
        if e.us <= end.us or e.gfn != end.gfn or e.level != end.level or e is end:
            continue
        # what is tried again begins with the old one
        if e.kind in ("ext", "spte") and e.old is not None:
            return begun if e.old == begun.new else None
    # an audit has told of it
    said = [v for v in run.violations[:1] if v.gfn == end.gfn and "0x%x" % begun.new in v.what]
    return begun if said else None


def section(run, at):
    """[Markup] for the page: nothing if the log does not say where in KVM it was."""
    first = run.violations[0] if run.violations else None
    if not first:
        return []
    failed = [_failure(run, e, at) for e in failed_before(run, first)[:_FAILED]]
    # what was not taken back is the cause; who has met it later is only a witness
    cause = any(stayed(run, e) for e in failed_before(run, first)[:_FAILED])
    seen = []
    if first.calls:
        seen.append(Markup("<h3>Where it was seen</h3>"))
        seen.append(_chain(run, first.calls, 0 if cause else _OPEN))
        seen += _seamcalls(run, at)
    failed = [part for parts in failed for part in parts]
    parts = failed + seen if cause else seen + failed
    if not parts:
        return []
    about = "The functions of KVM that the thread was in, the innermost first; the marked line " \
        "is the call that it was in."
    if not run.places.known():
        about += " Lines of the source are not known: a kernel that was not built here, or a " \
            "bug that is no longer planted."
    return [Markup('<p class="dim">%s</p>' % _esc(about))] + parts


def seamcalls(run, at):
    """Events of the SEAMCALLs of the external operation that the thread was in, oldest first, if
    it is known where each came from.
    """
    own = [e for e in run.events if at and e.pid == at.pid and e.us <= at.us]
    begun = [n for n, e in enumerate(own) if e.kind == "ext" and e.phase == events.BEGIN]
    inside = own[begun[-1]:] if begun else []
    if any(e.kind == "ext" and e.phase == events.END for e in inside):
        return []
    return [e for e in inside if e.kind == "seamcall" and e.calls]


def _seamcalls(run, at):
    """Each of them with the line that it came from; those of other functions than the one that
    was seen are open: what is missing may be missing there.
    """
    found = seamcalls(run, at)
    if not found:
        return []
    seen = run.places.of(run.violations[0].calls)[0][0]
    parts = [Markup("<h3>SEAMCALLs of this operation, in their order</h3>")]
    for e in found:
        line, words = run.places.of(e.calls)[0]
        title = "%s: from %s" % (events.label(e), words)
        source = _source(run, line) if line else ""
        parts.append(html.details(title, source, opened=bool(
            seen and line.function != seen.function)) if source else
            Markup('<p class="mono">%s</p>' % _esc(title)))
    return [Markup('<div class="code">%s</div>' % "".join(parts))]


def _failure(run, e, at):
    who = run.threads.get(e.pid)
    when = "" if at is None else ", %s before" % lanes.ago(at.us - e.us).lstrip("−")
    parts = [Markup("<h3>%s</h3>" % _esc("What had failed there%s: external %s: %s, by %s" % (
        when, e.name, events.result(e.ret), "%s (pid %d)" % (who, e.pid) if who else
        "pid %d" % e.pid)))]
    begun = stayed(run, e)
    if begun:
        parts.append(Markup(
            '<p class="stayed">%s</p>' % _esc(
                "What failed was to change the SPTE from 0x%x (%s) to 0x%x (%s). It failed, but "
                "0x%x is what was found in the SPTE later, and nothing in the record has put it "
                "there since: KVM has not taken it back." % (
                    begun.old, events.spte(begun.old, begun.level), begun.new,
                    events.spte(begun.new, begun.level), begun.new))))
    return parts + [_chain(run, e.calls)]


def look_at(run):
    """The lines to begin with, [text]: what had failed and was not taken back, or else where it
    was seen; empty if nothing is known.
    """
    first = run.violations[0] if run.violations else None
    bad = [e for e in failed_before(run, first) if stayed(run, e)] if first else []
    calls = bad[0].calls if bad else first.calls if first else []
    return [str(line) for line, _ in run.places.of(calls)[:_LOOK] if line]


def lines(run):
    """The same for a terminal: [text]."""
    first = run.violations[0] if run.violations else None
    if not first:
        return []
    out = _words("in KVM", run, first.calls)
    for e in seamcalls(run, lanes.moment(run)):
        out.append("SEAMCALL before: %s: from %s" % (events.label(e), run.places.of(e.calls)[0][1]))
    for e in failed_before(run, first)[:1]:
        out.append("had failed there: external %s: %s%s" % (
            e.name, events.result(e.ret), ", and was not taken back" if stayed(run, e) else ""))
        out += _words("in KVM", run, e.calls)
    return out


def _words(title, run, calls):
    return ["%s: %s" % (title if not n else " " * (len(title) - 4) + "from", words)
            for n, (_, words) in enumerate(run.places.of(calls))]


STYLE = """
pre.source { white-space: pre; overflow-x: auto; overflow-wrap: normal; line-height: 1.35;
  display: grid; grid-template-columns: minmax(100%, max-content); }
pre.source span { min-height: 1.35em; }
pre.source i { font-style: normal; color: var(--dim); }
pre.source .at { background: var(--mark); font-weight: 600; }
pre.source { margin: .2rem 0 .8rem; }
.code summary { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 14px; }
.stayed { border-left: 5px solid var(--bad); padding-left: .7rem; font-weight: 600; }
"""
