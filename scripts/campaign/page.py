# SPDX-License-Identifier: GPL-2.0
"""The campaign as one HTML page: no network, no other file, dark and light.

Knows what merge.py says, and HTML; must not know where it comes from. Everything that
comes from a run is escaped.
"""

from html import escape
from pathlib import Path

from campaign import merge

#: so many runs are listed; all of them are in campaign.json
_ROWS = 5000
#: so many seeds of a scenario are shown one by one
_SQUARES = 80
#: ... and so many signatures
_CARDS = 100

_STYLE = """
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #ffffff; --text: #1d232b; --dim: #5b6672; --line: #dde2e8;
  --link: #0b57b0; --head: #eef1f4;
  --success: #2e8b57; --failure: #cf2e2e; --unsupported: #b7791f; --not-done: #c3cad2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #14181d; --card: #1c2229; --text: #e3e8ee; --dim: #9aa7b4; --line: #303943;
    --link: #7cb7ff; --head: #242c35;
    --success: #3fae74; --failure: #f0605d; --unsupported: #d9a441; --not-done: #3d4854;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
a { color: var(--link); }
.dim { color: var(--dim); }
.under { color: var(--dim); margin: .2rem 0 1.2rem; overflow-wrap: anywhere; }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem 1rem; min-width: 8.5rem; border-left: 4px solid var(--line); }
.tile b { display: block; font-size: 1.6rem; line-height: 1.2;
  font-variant-numeric: tabular-nums; }
.tile.success { border-left-color: var(--success); }
.tile.failure { border-left-color: var(--failure); }
.tile.unsupported { border-left-color: var(--unsupported); }
.bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; margin: 1rem 0 0;
  background: var(--not-done); }
.bar i { display: block; }
.bar.few { min-width: 6rem; margin: .35rem 0; }
.success i, i.success { background: var(--success); }
i.failure { background: var(--failure); }
i.unsupported { background: var(--unsupported); }
i.not-done { background: var(--not-done); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .9rem 1.1rem; margin: 0 0 .9rem; border-left: 4px solid var(--failure); }
.card h3 { margin: 0; font-size: 1.05rem; display: flex; gap: .8rem; flex-wrap: wrap;
  align-items: baseline; overflow-wrap: anywhere; }
.card .count { color: var(--failure); font-variant-numeric: tabular-nums; }
.card p { margin: .35rem 0; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--head); border-radius: 6px; padding: .5rem .7rem; margin: .45rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .55rem; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); }
thead th { background: var(--head); border-top: 0; white-space: nowrap; font-weight: 600; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: " \\2195"; color: var(--dim); }
th[aria-sort=ascending] button::after { content: " \\2191"; color: var(--text); }
th[aria-sort=descending] button::after { content: " \\2193"; color: var(--text); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.nowrap { white-space: nowrap; }
td.name { min-width: 15rem; }
td.name .dim { font-size: .92em; }
td.wide { min-width: 18rem; overflow-wrap: anywhere; }
.word { font-weight: 600; white-space: nowrap; }
.word.success { color: var(--success); }
.word.failure { color: var(--failure); }
.word.unsupported { color: var(--unsupported); }
.seeds { display: flex; flex-wrap: wrap; gap: 2px; min-width: 5rem; max-width: 26rem; }
.seeds i { width: 11px; height: 11px; border-radius: 2px; }
.legend { display: flex; gap: 1.2rem; flex-wrap: wrap; margin: .5rem 0; color: var(--dim); }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px;
  margin-right: .35rem; }
.find { display: flex; gap: .6rem; flex-wrap: wrap; align-items: center; margin: 0 0 .6rem; }
.find input { font: inherit; color: inherit; background: var(--card); padding: .3rem .6rem;
  border: 1px solid var(--line); border-radius: 6px; width: min(24rem, 100%); }
"""

_SCRIPT = """
"use strict";
// a click on a head sorts by its column; numbers by their value
for (const table of document.querySelectorAll("table.sort")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((th, column) => th.querySelector("button").addEventListener("click", () => {
    const down = th.getAttribute("aria-sort") === "ascending";
    heads.forEach(h => h.removeAttribute("aria-sort"));
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = row => {
      const cell = row.cells[column];
      return "v" in cell.dataset ? Number(cell.dataset.v) : cell.textContent.trim();
    };
    const rows = [...table.tBodies[0].rows].map(row => [value(row), row]);
    rows.sort(([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b :
      String(a).localeCompare(String(b), undefined, {numeric: true})) * (down ? -1 : 1));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}
const find = document.getElementById("find");
if (find) find.addEventListener("input", () => {
  const words = find.value.toLowerCase().split(/\\s+/);
  let shown = 0;
  for (const row of document.querySelectorAll("#runs tbody tr")) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every(word => text.includes(word));
    shown += !row.hidden;
  }
  document.getElementById("found").textContent = shown + " shown";
});
"""


def _number(value, form="%g"):
    """A cell that is sorted as a number."""
    if value is None:
        return '<td class="n dim" data-v="-1">-</td>'
    return '<td class="n" data-v="%r">%s</td>' % (value, form % value)


def _thousands(value):
    if value is None:
        return _number(None)
    return '<td class="n" data-v="%r">%s</td>' % (value, format(round(value), ",d"))


def _head(*columns):
    """@columns: names; one that begins with # is of numbers."""
    cells = ['<th%s scope="col"><button type="button">%s</button></th>' %
             (' class="n"' if c.startswith("#") else "", escape(c.lstrip("#"))) for c in columns]
    return "<thead><tr>%s</tr></thead>" % "".join(cells)


def _table(head, rows, name=""):
    return '<div class="scroll"><table class="sort"%s>%s<tbody>%s</tbody></table></div>' % (
        ' id="%s"' % name if name else "", head, "\n".join(rows))


def _class(state):
    return state.lower().replace(" ", "-")


def _word(verdict):
    return '<span class="word %s">%s</span>' % (_class(verdict), escape(verdict))


def _tile(number, words, kind=""):
    return '<div class="tile %s"><b>%s</b>%s</div>' % (kind, format(number, ",d"), escape(words))


def _tiles(data):
    jobs = data["jobs"]
    done = jobs["planned"] - jobs["not_done"]
    tiles = [_tile(done, "of %s jobs done" % format(jobs["planned"], ",d")),
             _tile(jobs["success"], "SUCCESS", "success"),
             _tile(jobs["failure"], "FAILURE", "failure" if jobs["failure"] else ""),
             _tile(len(data["groups"]), "signatures", "failure" if data["groups"] else "")]
    if jobs["unsupported"]:
        tiles.append(_tile(jobs["unsupported"], "UNSUPPORTED", "unsupported"))
    if jobs["deaths"]:
        tiles.append(_tile(jobs["deaths"], "tries that died", "unsupported"))
    parts = ["<i class=%s style='width:%.3f%%' title='%d %s'></i>" %
             (kind, 100 * jobs[kind] / jobs["planned"], jobs[kind], kind.upper())
             for kind in ("success", "failure", "unsupported") if jobs[kind]]
    return '<div class="tiles">%s</div><div class="bar">%s</div>' % ("".join(tiles),
                                                                    "".join(parts))


def _under(data):
    words = ["seeds %d to %d" % tuple(data["seeds"]), "%d s each" % data["duration"],
             "tdp_stress " + data["revision"],
             "begun %s" % merge.clock(data["first_began"]),
             ("ended %s" if data["over"] else "as of %s") %
             merge.clock(data["last_ended"] if data["over"] else data["written"])]
    words += ["%s=%s" % pair for pair in sorted(data["variables"].items())]
    hosts = list(data["hosts"].items())
    if hosts:
        shown = ", ".join("%s %d" % pair for pair in hosts[:8])
        words.append("hosts: " + shown + (", and %d more" % (len(hosts) - 8)
                                          if len(hosts) > 8 else ""))
    return '<p class="under">%s</p>' % escape(" · ".join(words))


def _overview(groups):
    """A line for each signature, to be sorted."""
    rows = ["<tr>%s<td><a href='#g%d'>%s</a></td><td>%s</td><td>%s</td>%s<td class='nowrap'>%s"
            "</td></tr>" % (_number(g["count"], "%d"), number, escape(g["invariant"]),
                            escape(g["function"]), escape(" × ".join(g["operations"])),
                            _number(g["shortest"]["seconds"], "%.1f"),
                            merge.clock(g["first"]["time"]))
            for number, g in enumerate(groups)]
    return _table(_head("#count", "invariant", "KVM function", "operation × other",
                        "#shortest s", "first seen"), rows)


def _failures(data):
    groups = data["groups"]
    if not groups:
        return "<h2>Failures</h2><p class='dim'>None%s.</p>" % ("" if data["over"] else " so far")
    files = {r["job"]: r["files"] for r in data["runs"]}
    cards = "".join(_group(n, g, files) for n, g in enumerate(groups[:_CARDS]))
    more = "" if len(groups) <= _CARDS else "<p class='dim'>The first %d of %d; all of them are " \
        "in campaign.json.</p>" % (_CARDS, len(groups))
    return "<h2>Failures by signature</h2>%s<h2>Each signature</h2>%s%s" % (
        _overview(groups[:_CARDS]), cards, more)


def _group(number, group, files):
    """A card: what failed, how often, and what to type."""
    where = ", ".join("%s %d" % pair for pair in group["scenarios"].items())
    first, shortest = group["first"], group["shortest"]
    jobs = " ".join('<a href="%s/">%s</a>' % (escape(files[j]), escape(j))
                    for j in group["jobs"][:12] if j in files)
    if len(group["jobs"]) > 12:
        jobs += ' <span class="dim">and %d more</span>' % (len(group["jobs"]) - 12)
    return """<section class="card" id="g%d">
<h3><span class="count">%d ×</span> %s <span class="dim">%.3g %% of all runs</span></h3>
<pre>%s</pre>
<p>Shortest reproduction, found after %.1f s (%s):</p>
<pre>%s</pre>
<p class="dim">First seen %s by %s, seed %d, on %s. Scenarios: %s.</p>
<p class="dim">Files: %s</p>
</section>""" % (number, group["count"], escape(group["title"]), 100 * group["share"],
                 escape(group["line"]), shortest["seconds"], escape(shortest["job"]),
                 escape(shortest["command"]), merge.clock(first["time"]), escape(first["job"]),
                 first["seed"], escape(first["host"]), escape(where), jobs)


def _seeds(one):
    """A square for each seed; of many, their shares."""
    states = [s["state"] for s in one["seeds"]]
    if len(states) <= _SQUARES:
        return '<div class="seeds">%s</div>' % "".join(
            '<i class="%s" title="%s: %s"></i>' % (_class(s["state"]), escape(s["job"]),
                                                  escape(s["state"])) for s in one["seeds"])
    parts = "".join('<i class="%s" style="width:%.3f%%" title="%d %s"></i>' %
                    (_class(state), 100 * states.count(state) / len(states), states.count(state),
                     escape(state)) for state in ("success", "failure", "unsupported", "not done"))
    return '<div class="bar few">%s</div>' % parts


def _scenario(one):
    why = "<br><span>%s</span>" % escape(one["why"]) if one["why"] else ""
    return ("<tr><td class='name'><b>%s</b><br><span class='dim'>%s</span>%s</td>"
            "<td data-v='%d'>%s</td>%s%s%s%s%s%s%s%s%s</tr>") % (
                escape(one["name"]), escape(one["about"]), why,
                one["failure"], _seeds(one),
                _number(one["success"], "%d"), _number(one["failure"], "%d"),
                _number(one["unsupported"], "%d"), _number(one["deaths"], "%d"),
                _number(one["failures_per_hour"]), _number(one["median_seconds"], "%.1f"),
                _thousands(one["operations_per_second"]),
                _thousands(one["seamcalls_per_second"]), _thousands(one["met_per_second"]))


_LEGEND = '<div class="legend">%s</div>' % "".join(
    '<span><i class="%s"></i>%s</span>' % pair for pair in
    (("success", "SUCCESS"), ("failure", "FAILURE"), ("unsupported", "UNSUPPORTED"),
     ("not-done", "not done")))


def _scenarios(data):
    head = _head("scenario", "seeds", "#success", "#failure", "#unsupp.", "#died",
                 "#failures/h", "#median s", "#ops/s", "#calls/s", "#met/s")
    return "<h2>Scenarios</h2>%s%s%s" % (
        _LEGEND, _table(head, [_scenario(s) for s in data["scenarios"]]),
        "<p class='dim'>died: tries without a result. ops: the tester's operations; calls: "
        "SEAMCALLs; met: two threads in each other's way; each per second of stress.</p>")


def _deaths(data):
    if not data["deaths"]:
        return ""
    rows = ["<tr><td>%s</td>%s<td>%s</td><td class='wide'>%s</td><td class='nowrap'>%s</td></tr>" %
            (escape(d["job"]), _number(d["times"], "%d"), "done since" if d["done"] else
             "<b>not done</b>", escape(d["why"]), merge.clock(d["last"]))
            for d in data["deaths"]]
    return ("<h2>Tries that died</h2><p class='dim'>Killed, out of memory, too slow, or a host "
            "that was lost: no result.</p>%s" %
            _table(_head("job", "#times", "now", "why, at last", "when"), rows))


def _run(row):
    what = row["signature"] or (row["reason"] if row["verdict"] != "SUCCESS" else "")
    return ("<tr><td class='nowrap'><a href='%s/'>%s</a></td>%s<td>%s</td>"
            "<td class='wide'>%s</td>%s%s%s<td>%s</td><td class='nowrap'>%s</td></tr>") % (
                escape(row["files"]), escape(row["job"]), _number(row["seed"], "%d"),
                _word(row["verdict"]), escape(what[:300]),
                _number(row["found_after_seconds"], "%.1f"), _number(row["seconds"], "%.1f"),
                _number(row["tries"], "%d"), escape(row["host"]), merge.clock(row["began"]))


def _runs(data):
    # what failed is worth more than what did not
    rows = sorted(data["runs"], key=lambda r: r["verdict"] == "SUCCESS")
    cut = "" if len(rows) <= _ROWS else "<p class='dim'>The first %d of %d; all of them are in " \
        "campaign.json.</p>" % (_ROWS, len(rows))
    return """<h2>Runs</h2>
<div class="find"><label for="find">Show only</label>
<input id="find" type="search" placeholder="words: a scenario, a host, a signature">
<span class="dim" id="found" role="status"></span></div>%s%s""" % (cut, _table(
        _head("job", "#seed", "verdict", "signature or reason", "#found after s", "#seconds",
              "#tries", "host", "begun"), [_run(r) for r in rows[:_ROWS]], "runs"))


def html(data):
    """The page, of what merge.Results.data() says."""
    name = Path(data["folder"]).name
    return """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s: tdp_stress campaign</title>
<style>%s</style>
</head>
<body>
<h1>Campaign %s</h1>
%s
%s
%s
%s
%s
%s
<script>%s</script>
</body>
</html>
""" % (escape(name), _STYLE, escape(name), _under(data), _tiles(data), _failures(data),
       _scenarios(data), _deaths(data), _runs(data), _SCRIPT)
