# SPDX-License-Identifier: GPL-2.0
"""Both page tables on the way to a GFN: KVM's mirror, the TDX module's, where they differ.

Knows a violation's Entries, or else what the record of events says of the same entries;
must not know how they were found.
"""

from common import html
from common.html import Markup
from picture import events

_PAGE = 0x000ffffffffff000
_FROZEN = 0x80000000000001a0
#: what a mirror entry has beside it if all is well
_FITS = {"absent": ("FREE", "REMOVED", "nothing"), "mmio": ("FREE", "REMOVED", "nothing"),
         "nothing": ("FREE", "REMOVED", "nothing"), "table": ("NL_MAPPED",),
         "leaf": ("MAPPED", "PENDING")}
#: SEAMCALLs that change an entry: what it is afterwards
_AFTER = {"TDH.MEM.PAGE.AUG": "PENDING", "TDH.MEM.PAGE.ADD": "MAPPED",
          "TDH.MEM.SEPT.ADD": "NL_MAPPED", "TDH.MEM.RANGE.BLOCK": "BLOCKED",
          "TDH.MEM.PAGE.REMOVE": "REMOVED", "TDH.MEM.SEPT.REMOVE": "FREE",
          "TDH.MEM.PAGE.DEMOTE": "NL_MAPPED", "TDH.MEM.PAGE.PROMOTE": "MAPPED"}


def differs(kind, spte, state, page):
    """Why the two do not agree, or None: they do, or one of them is being changed."""
    if state is None or kind == "frozen":
        return None
    if state not in _FITS.get(kind, (state,)):
        return "KVM: %s, TDX module: %s" % (kind, state)
    if kind == "leaf" and spte and page and spte & _PAGE != page & _PAGE:
        return "another page"
    return None


def _said(kind, spte):
    if kind == "nothing":
        return "no table of this level"
    return "%s  0x%016x" % ("FROZEN" if kind == "frozen" else kind, spte or 0)


def _outside(state, page):
    if state is None:
        return ""
    if state == "nothing":
        return "no table of this level"
    return "%s  page 0x%x" % (state, page) if page else state


def _row(level, kind, spte, state, page, where):
    why = differs(kind, spte, state, page)
    agree = Markup('<strong class="differs">≠ differs</strong><br>%s' % html.escape(why)) if why \
        else "being changed" if kind == "frozen" else "=" if state is not None else ""
    size = {1: "4K", 2: "2M", 3: "1G"}.get(level, "root" if where else "-")
    name = "%d (%s)" % (level, size)
    return name, _code(_said(kind, spte)), _code(_outside(state, page)), agree, bool(why)


def _code(text):
    return Markup("<code>%s</code>" % html.escape(text))


def _table(rows):
    head = "".join('<th scope="col">%s</th>' % h for h in
                   ("level", "mirror: KVM's SPTE", "external: the TDX module's entry", "agree?"))
    body = "".join('<tr%s><th scope="row">%s</th><td>%s</td><td>%s</td><td>%s</td></tr>' % (
        ' class="diff"' if r[4] else "", html.escape(r[0]), r[1], r[2], html.markup(r[3]))
        for r in rows)
    return Markup('<div class="scroll"><table class="paths"><thead><tr>%s</tr></thead>'
                  '<tbody>%s</tbody></table></div>' % (head, body))


def seen(violation):
    """Both paths as they were when the violation was seen, or None: it was not kept."""
    if not violation.tables:
        return None
    parts = []
    mirror = [e for e in violation.tables if "mirror" in e.root]
    if mirror:
        top = max(e.level for e in mirror)
        parts.append(_table([_row(e.level, e.kind, e.spte, e.state, e.page, e.level == top)
                             for e in mirror]))
    direct = [e for e in violation.tables if "direct" in e.root]
    if direct:
        rows = [(e.level, e.root, _code(_said(e.kind, e.spte))) for e in direct]
        parts.append(html.details("the same GFN in the direct roots (shared memory)",
                                  html.table(("level", "root", "SPTE"), rows),
                                  opened=not mirror))
    return Markup("".join(parts))


def _span(level):
    return 1 << 9 * (level - 1)


class _Known:
    def __init__(self):
        self.spte = self.old = self.state = None


def _stored(e, one):
    """The SPTE after @e: under mmu_lock held for write KVM stores it before it calls."""
    if e.kind == "spte":
        return e.new
    if e.phase == events.BEGIN:
        return e.new if e.lock == "write" else _FROZEN
    return one.old if e.ret else one.spte


def recorded(run, violation, upto):
    """The same, as far as the events before @upto tell; None: they tell nothing."""
    if violation.gfn is None:
        return None
    known = {}
    for e in run.events:
        if e.us > upto or not e.level or e.gfn is None or \
                e.gfn & -_span(e.level) != violation.gfn & -_span(e.level):
            continue
        one = known.setdefault(e.level, _Known())
        if e.kind == "ext" or (e.kind == "spte" and one.state is not None):
            # an SPTE that has no external operation is a direct root's
            one.spte = _stored(e, one)
            one.state = one.state or "?"
            one.old = e.old if e.old is not None else one.old
        if e.kind == "seamcall" and not e.status and e.name in _AFTER:
            one.state = _AFTER[e.name]
    known = {n: k for n, k in known.items() if k.spte is not None}
    if not known:
        return None
    rows = []
    for level in sorted(known, reverse=True):
        one = known[level]
        state = None if one.state == "?" else one.state
        rows.append(_row(level, events.spte(one.spte, level).lower(), one.spte, state, None,
                         False))
    return _table(rows)


STYLE = """
.paths code { white-space: pre; }
.paths th { white-space: nowrap; }
tr.diff > * { background: var(--mark); }
.differs { color: var(--bad); white-space: nowrap; }
"""
