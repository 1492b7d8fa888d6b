# SPDX-License-Identifier: GPL-2.0
"""make report RUN=folder: a run as one page, report.html, and perfetto.json for Perfetto.

Both are put into the folder. The page needs no network and no other file. Exit codes:
0 the page is there, whatever the verdict; 2 it is no folder of a make run; 3 a package is
missing. Knows the order of things; what is drawn is picture's.
"""

import os
from pathlib import Path

from common import cache, packages, settings
from common.say import EXIT_PASS, lacking, main, say, usage
from picture import code, folder, page, perfetto

#: Debian's Chart.js
_LIBRARY = Path("/usr/share/javascript/chart.js/chart.min.js")


def _library():
    packages.have({"libjs-chart.js": str(_LIBRARY)})
    try:
        return _LIBRARY.read_text(encoding="utf-8")
    except OSError as e:
        raise lacking("%s: %s: it is of the package libjs-chart.js" %
                      (_LIBRARY, e.strerror)) from e


def report():
    for name in os.environ.get("TDP_STRESS_MAKE_OVERRIDES", "").split():
        if name not in ("RUN", "V") and os.environ.get(name, "?").strip():
            raise usage("%s=: make report takes RUN=folder only" % name)
    name = settings.ALL["RUN"].value()
    if not name:
        latest = cache.REPO / "run" / "latest"
        raise usage("make report RUN=folder: RUN= must be the folder of a make run%s" % (
            ", as %s" % latest if latest.exists() else ""))
    run = folder.read(name)
    library = _library()
    run.read_events()
    text = page.html_of(run, library)
    (run.path / "report.html").write_text(text, encoding="utf-8")
    perfetto.write(run, run.path / perfetto.NAME)
    say("tdp_stress: report of %s" % run.path)
    say("  %s" % page.summary(run))
    for line in code.lines(run):
        say("  " + line)
    say("  events: %s" % ("%d, from %s" % (len(run.events), run.source) if run.events
                          else "none was kept"))
    say("  page: %s" % (run.path / "report.html"))
    say("  for Perfetto: %s" % (run.path / perfetto.NAME))
    return EXIT_PASS


if __name__ == "__main__":
    main(report)
