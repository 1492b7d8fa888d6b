# SPDX-License-Identifier: GPL-2.0
"""From a failure to a file that is kept: make run, report, replay and minimise, one after the
other on a real run in User Mode Linux.

chain.py SCRATCH: the commands are those that Documentation/reproduce.rst shows, and those that the
run and make minimise themselves print at their end. Prints TAP. Knows the promises of the four;
what has no need of a real run is in replay.py and report.py.
"""

import io
import json
import re
import shlex
import shutil
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from html_page import Page, trace_wrong                     # noqa: E402
from said import all_of, result                             # noqa: E402
import run_documented                                       # noqa: E402
from common import command, signature, tap                  # noqa: E402
from common.say import Problem                              # noqa: E402
from common.settings import Values                          # noqa: E402
from docs import commands                                   # noqa: E402
from reproduce import recipe as recipes                     # noqa: E402
from reproduce import regressions                           # noqa: E402

_GUIDE = "Documentation/reproduce.rst"
#: one kernel for User Mode Linux may have to be built
_LIMIT = 1500
#: in place of the page's bug, after which UML does not always come to an end: one that harms
#: nothing, in one function; scripts/regressions/ has what it trips, and the page's as well
_MUTANT = "leaf-not-frozen"
#: the budget of make minimise, in seconds: enough for its first steps
_TIME = 15


class Chain:
    """One failure, in @scratch."""

    def __init__(self, scratch):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self.scratch = scratch
        self.run = scratch / "run"
        self.log = scratch / "command.log"
        #: {target: the command as the page has it}
        self.page = {re.match(r"make (\w+)", c.text).group(1): c.text
                     for c in commands.Page(REPO / _GUIDE).sessions}
        self.expect = None          # the run's signature
        self.file = None            # make minimise's

    def make(self, line, **variables):
        """(the script's exit code, what was said) of @line, with these variables in place of its
        own.
        """
        words = [w for w in shlex.split(line) if w.partition("=")[0] not in variables]
        words += ["%s=%s" % pair for pair in variables.items()]
        self.log.write_text("")
        code = command.logged(words, self.log, timeout=_LIMIT, cwd=REPO,
                              env=command.environment({"TMPDIR": str(self.scratch)}))
        said = self.log.read_text(errors="replace")
        return run_documented.script_code(code, said), said


def _last(said, count=6):
    return said.splitlines()[-count:]


def _after(words, said):
    """What stands behind @words in what was said, up to the end of the line or a semicolon."""
    m = re.search(r"%s: ([^;\n]*)" % re.escape(words), said)
    return m.group(1).strip() if m else ""


def _signatures(folder):
    data = json.loads((folder / "summary.json").read_text())
    return [signature.of_data(s) for s in data["signatures"]]


def _failed(chain):
    """make run, as the page has it: the bug is met, and the run says what to do with that."""
    code, said = chain.make(chain.page["run"], RUNDIR=chain.run, MUTANT=_MUTANT)
    wanted = next(r.expect for r in recipes.kept() if r.variables.get("MUTANT") == _MUTANT)
    found = _signatures(chain.run) if code == 1 else []
    if not result(found and any(s.like(wanted) for s in found) and
                  "signature: %s" % found[0] in said and "--- End of test: FAILURE" in said,
                  "make run: the planted bug is met", str(code), str(wanted), *_last(said)):
        # nothing of the rest can be
        raise Problem(1, "the run did not fail as it has to")
    chain.expect = found[0]
    return {"report": _after("what led to it, as a page", said),
            "replay": _after("does it come again", said), "minimise": _after("with less", said)}


def _report(chain, line):
    """make report: a page of it, with the threads on their lanes."""
    code, said = chain.make(line)
    path = chain.run / "report.html"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    page = Page(text)
    result(code == 0 and str(path) in said and text and not page.wrong,
           "make report: a page, well-formed", str(code), *page.wrong[:5], *_last(said))
    first = json.loads((chain.run / "summary.json").read_text())["violation_lines"][0]
    words = ["FAILURE", chain.expect.invariant + ": ", first, chain.expect.function + "()",
             "What led to it", "make replay RUN=%s" % chain.run]
    missing = [w for w in words if " ".join(w.split()) not in page.text]
    result(not missing, "make report: invariant, function, what led to it, how to go on", *missing)
    # each thread has a head; the first is that of the thread which was seen
    lanes = re.findall(r'<div class="head[^>]*>([^<]*)</div>', text)
    thread = first.rpartition(", by ")[2].partition(":")[0]
    done = re.findall(r'<div class="ev \w+ ?(?:here)?" [^>]*>', text)
    result(lanes and lanes[0].startswith(thread) and len(done) > 2 and
           '<div class="ev violation"' in text and '<i class="bar op"' in text,
           "make report: a lane for the thread, from what it did to the violation",
           thread, *lanes, *done[:3])
    trace = json.loads((chain.run / "perfetto.json").read_text()) if code == 0 else \
        {"traceEvents": []}
    wrong = trace_wrong(trace)
    result(any(e["ph"] == "X" for e in trace["traceEvents"]) and not wrong,
           "make report: a trace by the rules, with operations in it", *wrong[:3])


def _replay(chain, line, title, folder):
    """make replay: the same comes again, by the folders of its tries and not by its words only."""
    folder = chain.scratch / folder
    code, said = chain.make(line, RUNDIR=folder, TRIES=2)
    again = [s for p in sorted(folder.glob("try-*")) if (p / "summary.json").exists()
             for s in _signatures(p) if s.like(chain.expect)]
    result(code == 0 and again and "to be seen: %s" % chain.expect in said and
           re.search("^--- End of replay: the same [12] of 2", said, re.M),
           "make replay: %s, the same invariant in the same function" % title, str(code),
           *_last(said))


def _minimise(chain, line):
    """make minimise: a file, which takes less than the run did."""
    shown = re.sub("RUN=r-zap", "RUN=%s" % chain.run, chain.page["minimise"])
    result(line == shown.partition(" TIME")[0], "make run: says the page's make minimise", line,
           shown)
    code, said = chain.make(shown, TIME=_TIME)
    chain.file = Path(_after("file", said))
    named = code == 0 and chain.file.is_file()
    if not result(named and chain.file.parent == chain.run / "minimise",
                  "make minimise: a file", str(code), *_last(said)):
        raise Problem(1, "make minimise left no file")
    found = recipes.of_file(chain.file)
    before = json.loads((chain.run / "summary.json").read_text())["repeat_variables"]
    result(found.expect.like(chain.expect) and found.variables["MUTANT"] == before["MUTANT"] and
           found.variables["WHERE"] == before["WHERE"], "make minimise: the same failure's",
           chain.file.read_text())
    result(int(found.variables["DURATION"]) < int(before["DURATION"]) and
           re.search("; [1-9]\\d* steps kept", said), "make minimise: with less", *_last(said, 9))
    return _after("again", said)


def _kept(chain):
    """As a file of scripts/regressions/: it passes, and with another failure it does not."""
    folder = chain.scratch / "regressions"
    folder.mkdir()
    text = chain.file.read_text(encoding="utf-8")
    other = re.sub("(?m)^# Expect: .*", "# Expect: X2 in kvm_tdp_mmu_map", text)
    # that is none of this one's faces, the first time
    other = re.sub("(?m)^# Like: .*\n", "", re.sub("(?m)^# Tries: .*", "# Tries: 1", other))
    for name, words in (("the-same", text), ("another", other)):
        (folder / name).write_text(words.replace("# Expect", "# Quick: yes\n# Expect"),
                                   encoding="utf-8")
    results = tap.Results()
    here = SimpleNamespace(folder=lambda *names: chain.scratch.joinpath(*names))
    with mock.patch.object(recipes, "FOLDER", folder), \
            mock.patch.object(regressions, "cache", here), \
            redirect_stdout(io.StringIO()) as shown:
        regressions.check(Values(), results)
    result(results.passed == 1 and results.failed == [
        "regression another: trips X2 in kvm_tdp_mmu_map"],
           "as a regression test the file passes, and one that expects another failure does not",
           *shown.getvalue().splitlines())


def _all(scratch):
    chain = Chain(scratch)
    then = _failed(chain)
    result(then["report"] == "make report RUN=%s" % chain.run and
           then["replay"] == "make replay RUN=%s" % chain.run,
           "make run: says what to do with it", repr(then))
    _report(chain, then["report"])
    _replay(chain, then["replay"], "of the run", "replay")
    again = _minimise(chain, then["minimise"])
    result(again == "make replay RUN=%s" % chain.file, "make minimise: says how to run it", again)
    _replay(chain, again, "of the file", "replay-file")
    _kept(chain)


def main():
    if len(sys.argv) != 2:
        print("usage: chain.py SCRATCH")
        return 2
    all_of(lambda: _all(Path(sys.argv[1]).absolute()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
