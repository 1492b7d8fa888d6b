# SPDX-License-Identifier: GPL-2.0
"""Pages that are one file each: no network, no other file, dark and light.

Knows HTML and how our pages look; must not know what they are about. All that is not
called markup here is text, and escaped.
"""

import json
from html import escape

#: colours that can be told apart without red and green (after Okabe and Ito), each dark
#: enough on its ground to be read; what they say is said by words or forms as well
STYLE = """
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #ffffff; --text: #1b2129; --dim: #55606c; --line: #d8dee5;
  --link: #0b57b0; --head: #eaeef3; --good: #00674a; --bad: #b3350b; --unsure: #8a5a00;
  --c1: #0069a8; --c2: #c9510c; --c3: #00795a; --c4: #a24c86; --c5: #8a6d00; --c6: #5b6672;
  --op: #e3eefa; --op-line: #0069a8; --ext: #f3e8f2; --ext-line: #a24c86;
  --ice: #fdf0d8; --ice-line: #a86500; --mark: #fff0a8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #13171c; --card: #1b2128; --text: #e5eaf0; --dim: #a2afbc; --line: #333d48;
    --link: #82bbff; --head: #242c35; --good: #4cc9a0; --bad: #ff8a5c; --unsure: #e0b04f;
    --c1: #63b3ed; --c2: #ff9b5e; --c3: #43c59e; --c4: #dd92c4; --c5: #d9c052; --c6: #9aa7b4;
    --op: #1d2f42; --op-line: #63b3ed; --ext: #36263a; --ext-line: #dd92c4;
    --ice: #3d3015; --ice-line: #e0b04f; --mark: #574c12;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem clamp(.7rem, 3vw, 2rem); max-width: 86rem;
  background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
h3 { font-size: 1.02rem; margin: 1.2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 75ch; }
a { color: var(--link); }
.dim { color: var(--dim); }
.nowrap { white-space: nowrap; }
code, pre, .mono { font: 14px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--head); border-radius: 6px; padding: .55rem .75rem; margin: .45rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .9rem 1.1rem; margin: .6rem 0; }
.card.bad { border-left: 5px solid var(--bad); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); }
thead th { background: var(--head); border-top: 0; white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
summary { cursor: pointer; color: var(--link); padding: .25rem 0; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
"""


def cell(value):
    """@value as a table cell: numbers to the right, Markup as it is."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = "{:,}".format(value) if isinstance(value, int) else "{:,.4g}".format(value)
        return '<td class="n">%s</td>' % text
    return "<td>%s</td>" % markup(value)


class Markup(str):
    """Text that is HTML already."""


def markup(value):
    return value if isinstance(value, Markup) else Markup(escape(str(value)))


def table(heads, rows, numbers=()):
    """@numbers: columns whose heads are those of numbers."""
    top = "".join('<th scope="col"%s>%s</th>' % (' class="n"' if n in numbers else "", escape(h))
                  for n, h in enumerate(heads))
    body = "\n".join("<tr>%s</tr>" % "".join(cell(v) for v in row) for row in rows)
    return Markup('<div class="scroll"><table><thead><tr>%s</tr></thead><tbody>%s</tbody></table>'
                  '</div>' % (top, body))


def details(summary, inside, opened=False):
    return Markup("<details%s><summary>%s</summary>%s</details>" %
                  (" open" if opened else "", escape(summary), markup(inside)))


def data(name, value):
    """@value for a script of the page; nothing in it can end the element."""
    text = json.dumps(value).replace("<", "\\u003c").replace("&", "\\u0026")
    return Markup('<script type="application/json" id="%s">%s</script>' % (escape(name), text))


def script(text):
    """A script of our own, or of a library."""
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError("this script cannot stand inside of a page")
    return Markup("<script>%s</script>" % text)


def page(title, style, body):
    """The whole of it; @body: Markup."""
    return """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>%s</title>
<style>%s%s</style>
</head>
<body>
%s
</body>
</html>
""" % (escape(title), STYLE, style, markup(body))
