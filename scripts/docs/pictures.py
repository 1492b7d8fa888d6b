# SPDX-License-Identifier: GPL-2.0
"""The pictures of Documentation/walk-through.rst, from the folders of its two runs.

  python3 -B scripts/docs/pictures.py RUN-EXTERNAL RUN-TDX

Each is a part of report.html (make report RUN=...) as headless Chromium draws it, which is
Debian's package chromium. Knows what is on the page; must not know how it is made.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import cache, command, packages                # noqa: E402
from common.say import EXIT_PASS, build_failed, lacking, main, say, usage   # noqa: E402

_FOLDER = cache.REPO / "Documentation" / "pictures"
_WIDTH = 1040
#: what is below is not in the picture
_HIGHEST = 1050
_LARGEST = 200 << 10
#: name: which of the two runs, and the parts of its page: beginnings of headings, or selectors;
#: of a section with that h3, what begins there
_PICTURES = {
    "walk-finding": (0, ["header", ".card.bad"]),
    "walk-code": (0, ["Where in KVM"]),
    "walk-lanes": (0, ["What led to it"]),
    "walk-tables": (0, ["Both page tables"]),
    "walk-tdx-code": (1, ["Where in KVM"]),
    "walk-tdx-seamcalls": (1, ["SEAMCALLs of this"]),
    "walk-tdx-lanes": (1, ["What led to it"]),
}
#: leave only what is wanted, and say how high that is
_ONLY = """<script>
const wanted = %s;
for (const e of document.body.children) {
  const titles = [...e.querySelectorAll("h2, h3")];
  const found = titles.find(t => wanted.some(w => t.textContent.startsWith(w)));
  e.hidden = !(titles.length ? found : wanted.some(w => e.matches(w)));
  for (let inside = found; inside && inside !== e; inside = inside.parentElement)
    for (let s = inside.previousElementSibling; s; s = s.previousElementSibling)
      s.hidden = true;
}
document.body.style.padding = "1rem";
document.body.dataset.height = Math.ceil(document.documentElement.getBoundingClientRect().height);
</script>"""
#: [hidden] is weaker than a section's own style
_STYLE = """<style>:root { color-scheme: light only; } [hidden] { display: none !important; }
h2 { margin-top: 0; } .seq-scroll { max-height: none !important; }</style>"""


def _chromium(tmp, page, *more):
    return command.output(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
                           "--hide-scrollbars", "--user-data-dir=%s" % (tmp / "profile"),
                           "--virtual-time-budget=3000",
                           # one that is larger says no more
                           "--force-device-scale-factor=1", *more, page.as_uri()], timeout=300)


def _draw(tmp, name, report, parts):
    # where it was run is nobody's business
    text = report.read_text(encoding="utf-8").replace(str(report.parent), "run/latest")
    page = tmp / (name + ".html")
    page.write_text(text.replace("</body>", _STYLE + _ONLY % parts + "</body>"), encoding="utf-8")
    _, said, error = _chromium(tmp, page, "--window-size=%d,600" % _WIDTH, "--dump-dom")
    m = re.search(r'data-height="(\d+)"', said)
    if not m or int(m.group(1)) < 50:
        raise build_failed("%s: has no part %s: %s" % (report, parts, error.strip()[-200:]))
    to = _FOLDER / (name + ".png")
    to.unlink(missing_ok=True)
    height = min(int(m.group(1)), _HIGHEST)
    _chromium(tmp, page, "--window-size=%d,%d" % (_WIDTH, height), "--screenshot=%s" % to)
    if not to.exists():
        raise lacking("chromium has made no %s" % to)
    if to.stat().st_size > _LARGEST:
        raise build_failed("%s: %d KiB, more than %d" % (to, to.stat().st_size >> 10,
                                                        _LARGEST >> 10))
    say("  %s: %d pixels high, %d KiB" % (to.name, height, to.stat().st_size >> 10))


def pictures():
    if len(sys.argv) != 3:
        raise usage("two folders of make run: that of BACKEND=external, that of tdx")
    # the page names its folder by what is behind a link
    reports = [Path(a).expanduser().resolve() / "report.html" for a in sys.argv[1:]]
    for report in reports:
        if not report.exists():
            raise usage("%s: does not exist: make report RUN=%s" % (report, report.parent))
    packages.have({"chromium": "/usr/bin/chromium"})
    with tempfile.TemporaryDirectory(prefix="tdp_stress-", ignore_cleanup_errors=True) as tmp:
        for name, (run, parts) in _PICTURES.items():
            _draw(Path(tmp), name, reports[run], parts)
    return EXIT_PASS


if __name__ == "__main__":
    main(pictures, operands=2)
