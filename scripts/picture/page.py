# SPDX-License-Identifier: GPL-2.0
"""The page of a run: report.html, what was found first, then all that was measured.

Knows a Run and HTML; what is drawn is drawn elsewhere.
"""

from pathlib import Path
from urllib.parse import quote

from common import html, repeat, settings, signature
from common.html import Markup
from picture import charts, code, folder, lanes, perfetto, tables

_HERE = Path(__file__).resolve().parent
#: lines of the console if nothing better is known
_CONSOLE = 40
#: violations besides the first one that are shown
_MORE = 20
_SIGNS = {"SUCCESS": ("✔", "good"), "FAILURE": ("✖", "bad"), "UNSUPPORTED": ("?", "unsure")}


def _p(text, kind=""):
    return Markup("<p%s>%s</p>" % (' class="%s"' % kind if kind else "", html.markup(text)))


def _pre(text):
    return Markup("<pre>%s</pre>" % html.escape(text))


def _section(title, *inside):
    """Nothing if there is nothing inside."""
    inside = [i for i in inside if i]
    return Markup("<section><h2>%s</h2>%s</section>" % (
        html.escape(title), "".join(html.markup(i) for i in inside))) if inside else Markup("")


def _title(run):
    if run.violations:
        found = folder.invariant(run.violations[0].id)
        return "%s%s" % (run.violations[0].id, ": " + found[0] if found else "")
    if run.verdict == "FAILURE" and run.signatures:
        return run.signatures[0].invariant
    return run.path.name


def _header(run):
    data = run.data
    sign, kind = _SIGNS.get(run.verdict, ("?", "unsure"))
    versions, machine, seconds = (data.get(n) or {} for n in ("versions", "machine", "seconds"))
    parameters = data["parameters"]
    # what is not known is left out: on a machine with TDX the kernel is not ours
    pairs = [("Linux %s", versions.get("kernel")), ("%s", versions.get("kernel_config")),
             ("BACKEND=%s", parameters.get("backend")), ("%s", versions.get("machine")),
             ("%s", machine.get("acceleration")), ("SEED=%s", parameters.get("seed")),
             ("%s s of stress", parameters.get("duration")),
             ("tdp_stress %s", versions.get("tdp_stress")), ("%.0f s in all", seconds.get("total"))]
    words = [text % value for text, value in pairs if value]
    return Markup('<header><p class="verdict %s"><b>%s %s</b></p><h1>%s</h1>'
                  '<p class="dim under">%s</p></header>' % (
                      kind, sign, html.escape(run.verdict), html.escape(_title(run)),
                      html.escape(" · ".join(words))))


def _facts(pairs):
    rows = "".join("<dt>%s</dt><dd>%s</dd>" % (html.escape(k), html.markup(v))
                   for k, v in pairs if v)
    return Markup("<dl>%s</dl>" % rows)


def _code(text):
    return Markup("<code>%s</code>" % html.escape(text))


def _finding(run):
    """What was found, what it means, where to look."""
    data = run.data
    if run.verdict != "FAILURE":
        return _p(data.get("reason") or "") if data.get("reason") else Markup("")
    first = run.violations[0] if run.violations else None
    parts = [_pre(first.line if first else data.get("reason") or "nothing said")]
    about = folder.invariant(first.id) if first else None
    if about:
        parts.append(_p(Markup("<b>The rule:</b> %s" % html.escape(about[1][0]))))
        why = [b for b in about[1] if b.startswith("Why.")]
        parts += [_p(Markup("<b>Why:</b> %s" % html.escape(w[len("Why. "):]))) for w in why[:1]]
    parts.append(_facts(_where(run, first)))
    return Markup('<div class="card bad">%s</div>' % "".join(parts))


def _where(run, first):
    data, sign = run.data, run.signatures[0] if run.signatures else None
    pairs = []
    # of an end without a name it is the reason's words
    if sign and sign.function and sign.invariant != "END":
        pairs.append(("In KVM", _code(sign.function + "()")))
    look = code.look_at(run)
    if look:
        pairs.append(("Look at", Markup("<br>from ".join(_code(line) for line in look))))
    elif sign and not sign.function and sign.operations[1:] and \
            sign.operations[1] in signature.FUNCTIONS:
        pairs.append(("In KVM, last there", _code(signature.FUNCTIONS[sign.operations[1]] + "()")))
    audit = first and first.comm.startswith("kworker/") and not first.op
    if first and first.pid is not None:
        who = " (the audit of tdp_stress, which reads all tables now and then)" if audit else ""
        pairs.append(("By thread", "%s%s, pid %s, mmu_lock %s" % (first.comm, who, first.pid,
                                                                first.lock)))
    if first and first.gfn is not None:
        pairs.append(("At", _code("gfn 0x%x%s" % (first.gfn, " level %d" % first.level
                                                  if first.level else ""))))
    if sign and len(sign.operations) > 1:
        pairs.append(("Operations", "%smeanwhile or before, another thread: %s" % (
            "" if audit else sign.operations[0] + "; ", sign.operations[1])))
    if data.get("found_after_seconds") is not None:
        pairs.append(("Found after", "%.2f s" % data["found_after_seconds"]))
    change = data["parameters"].get("mutant") or data["parameters"].get("variant")
    if change:
        pairs.append(("Planted", "%s: the kernel had this change of scripts/mutants or "
                      "scripts/variants" % change))
    others = sum((data.get("violations") or {}).values()) - 1
    if first and others > 0:
        pairs.append(("Besides", "%s more violations: %s" % ("{:,}".format(others), ", ".join(
            "%s %s" % (n, "{:,}".format(c)) for n, c in data["violations"].items()))))
    pairs.append(("Again", _code(data.get("repeat") or "")))
    if run.signatures and data.get("door") == "run":
        pairs.append(("Does it come again?", _code(repeat.command("replay", {"RUN": run.path}))))
        pairs.append(("With less?", _code(repeat.command("minimise", {"RUN": run.path}))))
    return pairs


def _what_happened(run):
    """Lanes, and tables of the first violation."""
    if run.verdict != "FAILURE":
        return Markup("")
    at = lanes.moment(run)
    if at is None:
        return _section("What led to it", _p("There are no lanes: " + _why_no_lanes(run), "dim"))
    shown = lanes.Lanes(run, at)
    if at.what != lanes.VIOLATION:
        return _came_last(run, shown)
    about = ["From %s." % run.source]
    if run.violations[0].events is run.events:
        about.append("Of other threads the log has only what may have to do with it: not every "
                     "end of an operation.")
    if not at.exact:
        about.append("The first violation is no longer in it; this is a later one of the same "
                     "kind.")
    if shown.bystander:
        about.append("The thread that saw it did nothing there itself (an audit, or the watchdog): "
                     "who did is in another lane.")
    return Markup(_lanes("What led to it", about, shown, "that was seen") + _paths(run, at))


def _lanes(title, about, shown, thread):
    """@thread: which one has the first column."""
    return _section(
        title, _p(" ".join(about), "dim"), lanes.legend(shown.at), lanes.scale(shown),
        _p("Event by event; time runs down, to the %s at 0. The first column is the thread %s." %
           (shown.at.what, thread), "dim"), lanes.sequence(shown))


def _came_last(run, shown):
    """No oracle has named the failure: what there is, and no more than that is said of it."""
    about = ["From %s." % run.source, "No oracle has named this failure, so nobody knows which of "
             "these events have to do with it."]
    thread = "of the last event"
    if shown.at.what == lanes.MESSAGE:
        about.append("The time of the message is the log's, which may be coarse.")
        thread = "that said it" if run.message.pid == shown.at.pid else "of the last event before it"
    elif run.message:
        about.append("The kernel's message (%s) is older than the record." % run.message.text)
    return _lanes("The last events before the %s" % shown.at.what, about, shown, thread)


def _why_no_lanes(run):
    if run.events:
        return "the first violation is not in %s." % run.source
    end = (run.data.get("guest") or {}).get("end")
    if end in ("died", "hung"):
        return "the guest %s, and took its flight recorder and its trace along." % end
    return "the run has left no record of events."


def _paths(run, at):
    first = run.violations[0]
    if first.gfn is None:
        return Markup("")
    title = "Both page tables on the way to gfn 0x%x" % first.gfn
    found = tables.seen(first)
    if found:
        return _section(title, _p("As they were when the violation was seen.", "dim"), found)
    found = tables.recorded(run, first, at.us)
    if found:
        return _section(title, _p("Put together from the record of events, as the run did not "
                                  "keep the tables themselves: only entries that were changed.",
                                  "dim"), found)
    return _section(title, _p("Not kept: the thread did not hold mmu_lock, or the record has no "
                              "change of an entry on the way.", "dim"))


def _more_violations(run):
    rest = run.violations[1:]
    if not rest:
        return Markup("")
    parts = [html.details(v.line, _pre("\n".join(
        "%8d µs  pid %-5s %s" % (e.us - (v.us or e.us), e.pid, e.text)
        for e in v.events) or "no record in the log")) for v in rest[:_MORE]]
    return _section("%d more violations that were printed%s" % (
        len(rest), ", the first %d" % _MORE if len(rest) > _MORE else ""), *parts)


def _no_violation(run):
    """A failure that no oracle has put into words."""
    if run.verdict != "FAILURE" or run.violations:
        return Markup("")
    said = run.data.get("unexplained_messages") or []
    tail = run.log.splitlines()[-_CONSOLE:]
    return Markup(_section("What the kernel said", _pre("\n".join(said[:60])) if said else "") +
                  _section("The last lines of the console", _pre("\n".join(tail)) if tail else ""))


def _tiles(run):
    stress, module = run.stress, run.module
    calls = sum(v for n, v in module.items() if n.startswith("leaf.") and n.endswith(".calls"))
    operations = sum(o.get("calls", 0) for o in run.operations) or \
        sum(o.get("calls", 0) for o in (run.driver.get("ops") or {}).values())
    pairs = [(operations, "operations"), (calls, "SEAMCALLs"),
             (stress.get("frozen.count"), "frozen windows"),
             (sum(v for n, v in stress.items() if n.startswith("meet.frozen.")),
              "of them met by another thread"),
             (sum(v for n, v in stress.items() if n.startswith("check.")), "checks made"),
             (stress.get("audit.count"), "audits of all tables")]
    return Markup('<div class="tiles">%s</div>' % "".join(
        '<div class="tile"><b>%s</b>%s</div>' % ("{:,}".format(n), html.escape(w))
        for n, w in pairs if n))


def _checks(run):
    rows = []
    for name, count in run.stress.items():
        if name.startswith("check."):
            ident = name[len("check."):]
            about = folder.invariant(ident)
            rows.append((ident, about[0] if about else "",
                         count, run.stress.get("violation." + ident, 0)))
    if not rows:
        return Markup("")
    missing = [r[0] for r in rows if not r[2]]
    return Markup((_p("Not checked in this run: " + ", ".join(missing)) if missing else "") +
                  html.table(("invariant", "", "checked", "violations"), rows, (2, 3)))


def _parameters(run):
    given = set(run.data["parameters"].get("given") or ())
    rows = [(n.upper(), "yes" if v is True else "no" if v is False else str(v),
             "said" if n.upper() in given else "default")
            for n, v in run.data["parameters"].items()
            if n.upper() in settings.ALL and v not in (None, "")]
    return html.details("all %d parameters" % len(rows),
                        html.table(("variable", "value", ""), rows))


def _files(run):
    names = sorted(p.name for p in run.path.iterdir() if p.is_file() and
                   p.name != "report.html")
    return Markup("<ul class='files'>%s</ul>" % "".join(
        '<li><a href="%s">%s</a></li>' % (quote(n), html.escape(n))
        for n in names))


def _trace_line(run):
    if not run.events:
        return _p("No event was kept (a run that ends well keeps none, unless it is asked for a "
                  "trace), so there is none for Perfetto.", "dim")
    return _p(Markup('All %s events are in <a href="%s">%s</a>: open it in '
                     'Perfetto (ui.perfetto.dev, Open trace file; nothing is sent anywhere).' %
                     ("{:,}".format(len(run.events)), perfetto.NAME, perfetto.NAME)))


def html_of(run, library):
    """The page; @library: Chart.js, its text."""
    kept = charts.Charts()
    body = [
        _header(run), _finding(run), _section("Where in KVM", *code.section(
            run, lanes.moment(run))), _what_happened(run), _no_violation(run),
        _more_violations(run),
        _section("Events", _trace_line(run)),
        _section("The run", _tiles(run)),
        _section("Over time", _grid(charts.rates(kept, run))),
        _section("BUSY and retries", _grid(Markup(charts.leaves(kept, run) +
                                                  charts.operations(kept, run)))),
        _section("Times", _grid(charts.times(kept, run))),
        _section("Meetings", charts.meetings(run)) if run.stress else "",
        _section("Invariants", _checks(run)),
        _section("Parameters", _parameters(run)),
        _section("Files", _files(run)),
    ]
    scripts = []
    if kept.specs:
        scripts = [html.data("charts", kept.specs), html.script(library),
                   html.script((_HERE / "charts.js").read_text(encoding="utf-8"))]
    return html.page("%s: %s" % (run.verdict, _title(run)),
                     _STYLE + lanes.STYLE + tables.STYLE + charts.STYLE + code.STYLE,
                     Markup("\n".join(body + scripts)))


def _grid(inside):
    return Markup('<div class="charts">%s</div>' % inside) if inside else inside


def summary(run):
    """One line for the terminal."""
    sign = run.signatures[0] if run.signatures else None
    return "%s%s" % (run.verdict, ": %s" % sign if isinstance(sign, signature.Signature) else "")


_STYLE = """
.verdict { margin: 0; font-size: 1.05rem; letter-spacing: .02em; }
.verdict.good { color: var(--good); }
.verdict.bad { color: var(--bad); }
.verdict.unsure { color: var(--unsure); }
.under { max-width: none; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .7rem 0 0; }
dt { color: var(--dim); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 34rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin: 0 0 .45rem; }
}
.tiles { display: flex; flex-wrap: wrap; gap: .7rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .5rem .9rem; min-width: 8rem; flex: 1 1 8rem; }
.tile b { display: block; font-size: 1.45rem; line-height: 1.25;
  font-variant-numeric: tabular-nums; }
details summary { overflow-wrap: anywhere; }
.files { columns: 14rem; padding-left: 1.2rem; }
"""
