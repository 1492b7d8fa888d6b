# SPDX-License-Identifier: GPL-2.0
"""What a run's numbers look like: rates, leaves, histograms, meetings.

Knows counters by their names, and what Chart.js is told (charts.js); must not know how
the page is put together. Every chart's numbers are there as a table as well.
"""

from common import html
from common.html import Markup

#: lines in one chart, bars in another; more cannot be told apart
_LINES, _BARS = 6, 16
#: of the rates that a run says, those that are not operations
_INSIDE = ("frozen", "busy", "violations", "meetings")
_NOT_SHOWN = ("audits",)


class Charts:
    """Charts as they are made: each is a place in the page and an entry of @specs."""

    def __init__(self):
        self.specs = []

    def add(self, title, kind, labels, series, about="", numbers=None, **more):
        """@series: [(name, values)]; @numbers: the table below it, if it has more than is
        drawn; @more: x, y (titles), log, flat, height.
        """
        ident = "chart%d" % len(self.specs)
        # one that is left of several still has to be named
        self.specs.append(dict({"id": ident, "type": kind, "labels": labels, "height": 280,
                                "legend": len(series) > 1,
                                "series": [{"name": n, "values": v} for n, v in series
                                           if any(v)]}, **more))
        if numbers is None:
            rows = [[label] + [v[n] for _, v in series] for n, label in enumerate(labels)]
            heads = [more.get("x") or ""] + [n for n, _ in series]
            numbers = html.details("the numbers", html.table(heads, rows, range(1, len(heads))))
        what = "%s: %s; the numbers are in the table below" % (
            title, ", ".join(n for n, _ in series))
        return Markup('<section class="chart"><h3>%s</h3>%s<div class="plot"><canvas id="%s" '
                      'role="img" aria-label="%s"></canvas></div>%s</section>' % (
                          html.escape(title), "<p class='dim'>%s</p>" % html.escape(about)
                          if about else "", ident, html.escape(what), numbers))


def rates(charts, run):
    """Operations per second over time, and what they did inside of KVM."""
    if not run.rates:
        return Markup("<p class='dim'>The run said nothing on its way: it ended before its first "
                      "statistics line.</p>")
    names = list(dict.fromkeys(n for _, row in run.rates for n in row))
    labels = [second for second, _ in run.rates]

    def series(wanted):
        return [(n, [round(row.get(n, 0.0), 1) for _, row in run.rates]) for n in wanted]

    outside = [n for n in names if n not in _INSIDE + _NOT_SHOWN]
    outside.sort(key=lambda n: -sum(row.get(n, 0) for _, row in run.rates))
    if len(run.rates) == 1:
        return _once(*run.rates[0], outside + [n for n in _INSIDE if n in names])
    parts = [charts.add("Operations", "line", labels, series(outside[:_LINES]),
                        "the %d most frequent of %d" % (_LINES, len(outside))
                        if len(outside) > _LINES else "", x="seconds", y="per second")]
    inside = [n for n in _INSIDE if any(row.get(n) for _, row in run.rates)]
    if inside:
        parts.append(charts.add("Inside KVM", "line", labels, series(inside), "frozen: windows; "
                                "busy: BUSY from the TDX module" if "frozen" in inside else
                                "meetings: two threads in each other's way", x="seconds",
                                y="per second"))
    return Markup("".join(parts))


def _once(second, row, names):
    """One point makes no line."""
    return Markup("<div class='once'><p class='dim'>%s</p>%s</div>" % (
        "Said once, after %d s." % second,
        html.table(("", "per second"), [(n, round(row[n], 1)) for n in names if row.get(n)], (1,))))


def leaves(charts, run):
    """BUSY, injected statuses and errors of each SEAMCALL."""
    rows = []
    for name in run.module:
        if name.startswith("leaf.") and name.endswith(".calls") and run.module[name]:
            leaf = name[len("leaf."):-len(".calls")]
            rows.append((leaf, run.module[name]) + tuple(
                run.module.get("leaf.%s.%s" % (leaf, what), 0)
                for what in ("busy", "injected", "error")))
    if not rows:
        return Markup("<p class='dim'>No SEAMCALL was counted: no emulated TDX module, or the "
                      "guest ended before it could tell.</p>")
    rows.sort(key=lambda r: (-r[2], -r[1]))
    shown = [r for r in rows if r[2] or r[3] or r[4]][:_BARS]
    share = [r[:2] + (r[2], 100.0 * r[2] / r[1]) + r[3:] for r in rows]
    table = html.details("all %d SEAMCALLs" % len(rows), html.table(
        ("SEAMCALL", "calls", "BUSY", "% BUSY", "injected", "error"), share, range(1, 6)),
        opened=not shown)
    if not shown:
        return table
    series = [(name, [r[at] for r in shown]) for name, at in
              (("BUSY", 2), ("injected on purpose", 3), ("error", 4))]
    return charts.add("Not success, by SEAMCALL", "bar", [r[0] for r in shown], series,
                      "BUSY has those that were injected as well; the axis is logarithmic",
                      table, flat=True, log=True, height=70 + 46 * len(shown))


def operations(charts, run):
    """What was asked of KVM, and how often it had to be asked again."""
    rows = []
    for o in run.operations:
        if o.get("calls"):
            name = " ".join(w for w in (o["name"], o["root"], o["level"]) if w != "-")
            rows.append((name, o["calls"], o.get("ok", 0), o.get("retry", 0), o.get("yield", 0)))
    for name, o in (run.driver.get("ops") or {}).items():
        if o.get("calls"):
            rows.append((name, o["calls"], o.get("ok", 0), o.get("retry", 0), 0))
    if not rows:
        return Markup("<p class='dim'>No operation was counted.</p>")
    rows.sort(key=lambda r: (-r[3], -r[1]))
    shown = rows[:_BARS]
    head = ["operation", "calls", "ok", "retry"] + (["yielded mmu_lock"] if any(
        r[4] for r in rows) else [])
    series = [(head[at], [r[at] for r in shown]) for at in range(2, len(head))]
    table = html.details("all %d operations" % len(rows), html.table(
        head, [r[:len(head)] for r in rows], range(1, len(head))))
    about = "the %d with most retries; " % _BARS if len(rows) > _BARS else ""
    about += "" if any(r[3] for r in rows) else "none had to be tried again; "
    return charts.add("Retries by operation", "bar", [r[0] for r in shown], series,
                      about + "the axis is logarithmic", table, flat=True, log=True,
                      height=70 + 13 * (len(series) + 1) * len(shown))


def duration(ns):
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 10**6), ("s", 10**9)):
        if ns < 1000 * size:
            return "%.3g %s" % (ns / size, unit)
    return "%.3g s" % (ns / 1e9)


def _buckets(run, what):
    start = what + ".below_ns."
    return {int(n[len(start):]): v for n, v in run.stress.items() if n.startswith(start)}


def _histogram(charts, run, title, parts):
    found = [(name, _buckets(run, what)) for name, what in parts]
    edges = [e for _, b in found for e in b]
    if not edges:
        return None
    labels, edge = [], min(edges)
    while edge <= max(edges):
        labels.append(edge)
        edge *= 2
    return charts.add(title, "bar", ["< " + duration(e) for e in labels],
                      [(n, [b.get(e, 0) for e in labels]) for n, b in found if b],
                      "each bar: what took less than that, and not less than half of it; "
                      "the axis is logarithmic", x="time", y="how often", log=True)


def times(charts, run):
    """Histograms of frozen windows and of how long mmu_lock was held."""
    stress, out = run.stress, []
    count = stress.get("frozen.count", 0)
    out.append(_histogram(charts, run, "How long an SPTE was FROZEN", [("windows", "frozen")]))
    out.append(_histogram(charts, run, "How long mmu_lock was held by one operation", [
        ("for read", "lock.read"), ("for write", "lock.write")]))
    rows = []
    if count:
        rows.append(("frozen windows", count, duration(stress["frozen.ns"] / count),
                     duration(stress.get("frozen.max_ns", 0))))
    for how in ("read", "write"):
        if stress.get("lock.%s_max_ns" % how):
            rows.append(("mmu_lock held for %s" % how,
                         sum(_buckets(run, "lock." + how).values()) or "not counted", "-",
                         duration(stress["lock.%s_max_ns" % how])))
    if rows:
        out.append(html.table(("", "how often", "mean", "longest"), rows, (1,)))
    if not any(out[:2]):
        out.append(Markup("<p class='dim'>No histogram: nothing was counted, or the run was made "
                          "by a tdp_stress without buckets.</p>"))
    return Markup("".join(o for o in out if o))


def meetings(run):
    """Which window of one thread another thread's operation has met, how often."""
    met = {tuple(n.split(".")[1:]): v for n, v in run.stress.items()
           if n.startswith("meet.") and n.count(".") == 2}
    if not any(met.values()):
        return Markup("<p>No two threads were in each other's way: this run says nothing about "
                      "races.</p>")
    windows = list(dict.fromkeys(w for w, _ in met))
    others = [o for o in dict.fromkeys(o for _, o in met) if any(met.get((w, o))
                                                                for w in windows)]
    windows = [w for w in windows if w == "frozen" or any(met.get((w, o)) for o in others)]
    top = max(met.values())
    head = "".join('<th scope="col" class="n">%s</th>' % html.escape(o.replace("_", " "))
                   for o in others)
    rows = []
    for w in windows:
        cells = "".join('<td class="n" style="background:color-mix(in srgb, var(--c1) %d%%, '
                        'transparent)">%s</td>' % (
                            round(45 * (met.get((w, o), 0) / top) ** .4) if met.get((w, o)) else 0,
                            "{:,}".format(met.get((w, o), 0)) if met.get((w, o)) else "·")
                        for o in others)
        rows.append('<tr><th scope="row">%s</th>%s</tr>' % (html.escape(w), cells))
    return Markup("<p class='dim'>Row: the window that one thread was in (frozen: any under "
                  "mmu_lock held for read). Column: what came in its way.</p>"
                  '<div class="scroll"><table class="met"><thead><tr><th scope="col">in</th>%s</tr>'
                  '</thead><tbody>%s</tbody></table></div>' % (head, "".join(rows)))


STYLE = """
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr));
  gap: .9rem; align-items: start; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .5rem 1rem .7rem; min-width: 0; }
.chart h3 { margin-top: .3rem; }
.once { max-width: 30rem; }
.plot { position: relative; height: 280px; }
.met th[scope=row] { background: var(--head); }
"""
