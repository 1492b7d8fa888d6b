# SPDX-License-Identifier: GPL-2.0
"""make report: the page and the trace of small run folders made here.

  report.py           a browser draws the page if there is one
  report.py --full    chromium is installed if need be, and draws the campaign's page, too

Prints TAP. Knows what make run leaves in its folder and the promises of report.py: one page that is
well-formed, needs nothing from elsewhere and shows nothing of a run as markup; a trace
that keeps the rules of Chrome's format; one line and exit code 2 for what is no run.
"""

import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from fake_jobs import Place, tail                           # noqa: E402
from html_page import Page, trace_wrong                     # noqa: E402
from said import plan, result, skip                         # noqa: E402
import png                                                  # noqa: E402
from common import command, packages                        # noqa: E402
from common.say import Problem, lacking                     # noqa: E402
from kernel import lines                                    # noqa: E402
from mutants import mutant                                  # noqa: E402
from picture import code, events, folder, lanes, tables     # noqa: E402
from qemu import places, session                            # noqa: E402
from qemu import report as end_of_run                       # noqa: E402

#: a thread may call itself anything
_EVIL = "<b>&\"'</b></script>"
_LINE = ("X2: page 0x18f3000 removed %s, in unmap, gfn 0x694 level 1, by w1:punch/96 "
         "(mmu_lock write)" % _EVIL)

_FLIGHT = """# pid 96 w1:convert
# pid 94 %s
25.000100 pid 94 map begins gfn 0x694 (end 0x695) read
25.000110 pid 94 external map leaf begins gfn 0x694 level 1 0x8000000000000000 -> 0x80a00000018f3e37 read
25.000120 pid 96 table freed, 1234000
25.000130 pid 94 TDH.MEM.PAGE.AUG gfn 0x694 level 1: 0x8000020000000092 read
25.000140 pid 94 external map leaf ends gfn 0x694 level 1: -16 after 30 us read
25.000150 pid 94 map ends gfn 0x694: 1 after 50 us read
25.000160 pid 94 map begins gfn 0x694 (end 0x695) read
25.000170 pid 94 external map leaf begins gfn 0x694 level 1 0x8000000000000000 -> 0x80a00000018f3e37 read
25.000180 pid 94 TDH.MEM.PAGE.AUG gfn 0x694 level 1: 0x0 read
25.000190 pid 94 external map leaf ends gfn 0x694 level 1: 0 after 20 us read
25.000200 pid 94 SPTE gfn 0x694 level 1 0x8000000000000000 -> 0x80a00000018f3e37
25.000210 pid 94 map ends gfn 0x694: 0 after 50 us read
25.000220 pid 97 audit of 12 SPTEs, 3 us
25.000225 pid 97 what nobody knows of %s
25.000230 pid 96 unmap begins gfn 0x68a (end 0x6c2) write
25.000240 pid 96 external remove leaf begins gfn 0x694 level 1 0x80a00000018f3f37 -> 0x8000000000000000 write
25.000250 pid 96 TDH.MEM.RANGE.BLOCK gfn 0x694 level 1: 0x0 write
25.000260 pid 96 TDH.MEM.TRACK: 0x0 write
25.000270 pid 96 vCPUs kicked out
25.000280 pid 96 TDH.MEM.PAGE.REMOVE gfn 0x694 level 1: 0x0 write
25.000290 pid 96 external remove leaf ends gfn 0x694 level 1: 0 after 50 us write
25.000300 pid 96 violation X2 gfn 0x694 level 1
25.000310 pid 94 map begins gfn 0x700 (end 0x701) read
""" % (_EVIL, _EVIL)

_AGO = """tdp_stress:   70 us ago: unmap begins gfn 0x68a (end 0x6c2) write
tdp_stress:   60 us ago: external remove leaf begins gfn 0x694 level 1 0x80a00000018f3f37 -> 0x8000000000000000 write
tdp_stress:   20 us ago: TDH.MEM.PAGE.REMOVE gfn 0x694 level 1: 0x0 write
tdp_stress:   900 us ago by pid 94: map begins gfn 0x694 (end 0x695) read
tdp_stress:   800 us ago by pid 94: map ends gfn 0x694: 0 after 99 us read
"""
_NOW = """tdp_stress:   gfn 0x694 level 2 now: mirror table 0x8000000002000907, external NL_MAPPED 0x2001000
tdp_stress:   gfn 0x694 level 1 now: mirror leaf 0x80a00000018f3e37, external REMOVED 0x0
tdp_stress:   gfn 0x694 level 1 now: direct absent 0x8000000000000000
"""
_STATS = {"frozen.count": 3, "frozen.ns": 9000, "frozen.max_ns": 5000, "lock.read_max_ns": 9000,
          "lock.write_max_ns": 70000, "frozen.below_ns.1024": 1, "frozen.below_ns.8192": 2,
          "lock.read.below_ns.16384": 4, "lock.write.below_ns.131072": 1,
          "meet.frozen.fault": 7, "meet.frozen.zap": 0, "meet.map.fault": 7,
          "check.X2": 12, "check.L1": 0, "violation.X2": 3}
_CALLS = {"leaf.TDH.MEM.PAGE.AUG.calls": 10, "leaf.TDH.MEM.PAGE.AUG.busy": 2,
          "leaf.TDH.MEM.PAGE.AUG.injected": 1, "leaf.TDH.MEM.PAGE.AUG.error": 0}
_DRIVER = """tdp-stress: seed 1
[   5s] run 258 prefault 69 punch 27 /s | busy 932 frozen 9164 audits 21 violations 7053
[  10s] run 174 prefault 48 punch 13 /s | busy 2113 frozen 16232 audits 43 violations 12666
"""
_ON_THE_WAY = """<6>[   14.9] tdp_stress: 5 s: 6485 operations (1297/s), 3177 ok, 2919 retries, 1190 yields, 25 meetings, 0 VMs made anew; so far SUCCESS
<6>[   20.0] tdp_stress: 10 s: 15702 operations (1570/s), 8191 ok, 6501 retries, 3364 yields, 37 meetings, 0 VMs made anew; so far SUCCESS
"""


def _stamped(text):
    return "".join("<3>[   25.%06d] %s\n" % (300 + n, line)
                   for n, line in enumerate(text.splitlines()))


def _summary(verdict="FAILURE", **more):
    bad = verdict == "FAILURE"
    return dict({
        "format": 3, "verdict": verdict, "exit_code": int(bad), "door": "run",
        "reason": "violated: X2 (%s)" % _LINE if bad else "",
        "violations": {"X2": 3} if bad else {}, "violation_lines": [_LINE] if bad else [],
        "unexplained_messages": [], "found_after_seconds": 0.32 if bad else None,
        "repeat": "make run SEED=1 OPS=%s" % _EVIL,
        "parameters": {"backend": "tdx", "seed": 1, "duration": 10, "ops": _EVIL, "given": ["SEED"],
                       "mutant": None, "boot": "quiet"},
        "versions": {"kernel": "7.3.4", "kernel_config": "lockdep", "machine": _EVIL,
                     "tdp_stress": "0123abc"},
        "machine": {"kind": "qemu", "acceleration": "tcg"}, "seconds": {"total": 41.3},
        "counters": {"driver": {"ops": {"run": {"calls": 9, "ok": 4, "retry": 5},
                                            _EVIL: {"calls": 3, "ok": 1, "retry": 2}}},
                     "tdp_stress": _STATS, "tdx_module": _CALLS},
        "operations": [], "operations_not_run": {},
        "signatures": [{"invariant": "X2", "function": "kvm_tdp_mmu_unmap_gfn_range",
                        "operations": ["punch", "map"]}] if bad else []}, **more)


def _make(path, files, **more):
    path.mkdir(parents=True)
    for name, text in dict({"summary.json": json.dumps(_summary(**more))}, **files).items():
        (path / name).write_text(text)
    return path


def _report(path, **env):
    """(exit code, what was said) of make report RUN=@path."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RUN", "MAKEFLAGS")}
    environment.update({"RUN": str(path)} if path is not None else {}, **env)
    done = subprocess.run([sys.executable, "-B", str(REPO / "scripts/report.py")], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
                          timeout=120, check=False)
    return done.returncode, done.stdout


def _page_of(path, title, *words):
    """_good_page(), and the page's text."""
    page, _ = _good_page(path, title, *words)
    return page, (path / "report.html").read_text(encoding="utf-8")


def _good_page(path, title, *words):
    """The page in @path is as promised, and has @words."""
    code, said = _report(path)
    text = (path / "report.html").read_text(encoding="utf-8") if code == 0 else ""
    page = Page(text)
    missing = [w for w in words if w not in page.text]
    result(code == 0 and not page.wrong, "%s: a page, well-formed, of one piece" % title, said,
           *page.wrong[:5])
    result(not missing, "%s: shows what it should" % title, *missing)
    result(not page.tags.get("b") or _EVIL not in text, "%s: a run's text is no markup" % title)
    trace = json.loads((path / "perfetto.json").read_text()) if code == 0 else {"traceEvents": []}
    wrong = trace_wrong(trace)
    result(code == 0 and not wrong, "%s: a trace by the rules" % title, *wrong[:5])
    return page, trace


def pages(tmp):
    """Runs of each kind that make run leaves."""
    log = _stamped("tdp_stress: %s\n%s%s" % (_LINE, _AGO, _NOW))
    run = _make(tmp / "tdx", {"dmesg": log, "driver.log": _DRIVER, "stress.flight.first": _FLIGHT})
    page, trace = _good_page(
        run, "QEMU, tdx", "FAILURE", "X2: The order of external operations", _EVIL,
        "kvm_tdp_mmu_unmap_gfn_range()", "gfn 0x694 level 1", "Parent linked before child",
        "the flight recorder as it was at the first violation", "TDH.MEM.PAGE.REMOVE → success",
        "≠ differs", "KVM: leaf, TDX module: REMOVED", "TDH.MEM.PAGE.AUG", "make replay RUN=",
        "Not checked in this run: L1", "frozen windows")
    result(page.tags.get("canvas", 0) >= 5, "rates, leaves, operations and two histograms are drawn",
           str(page.tags))
    names = [e["name"] for e in trace["traceEvents"]]
    result(names.count("FROZEN") == 2 and "external map leaf" in names and
           any("REMOVE" in n for n in names), "the trace has windows, external operations, SEAMCALLs",
           *names)
    run = _make(tmp / "uml", {"dmesg": _stamped("tdp_stress: %s\n%s" % (_LINE, _AGO)) + _ON_THE_WAY})
    _good_page(run, "from the log alone", "the lines behind the violation in the log",
               "external remove leaf: leaf → absent", "Put together from the record")
    run = _make(tmp / "good", {"dmesg": _ON_THE_WAY}, verdict="SUCCESS")
    _, trace = _good_page(run, "SUCCESS", "SUCCESS", "No event was kept", "meetings")
    result(len(trace["traceEvents"]) == 1, "no events: a trace with a name and nothing else")
    run = _make(tmp / "died", {"dmesg": "<1>[ 1.0] BUG: unable to handle %s\n" % _EVIL},
                violation_lines=[], violations={}, counters={}, reason="the guest died",
                unexplained_messages=["BUG: unable to handle " + _EVIL], signatures=[])
    (run / "dmesg").rename(run / "console.log")
    _good_page(run, "a guest that died", "the guest died", "What the kernel said",
               "The last lines of the console", "No SEAMCALL was counted",
               "There are no lanes: the run has left no record")
    run = _make(tmp / "traced", {"dmesg": log, "trace.json": json.dumps(_traced())})
    _, trace = _good_page(run, "with a trace", "trace.txt", "TDH.MEM.PAGE.REMOVE", "mirror root")
    result(any(e["name"] == "thread_name" and e["args"]["name"] == "w1"
               for e in trace["traceEvents"]), "the trace's threads have their names")


def _unnamed(tmp, title, words, log="", flight=_FLIGHT, **more):
    """(Run, its lanes or None) of a failure that no oracle has named; its page has @words."""
    flight = flight.replace("pid 96 violation X2 gfn 0x694 level 1\n", "pid 96 TLB flush\n")
    path = _make(tmp / title.replace(" ", "-"), {"dmesg": log, "stress.flight": flight}, **dict({
        "violation_lines": [], "violations": {}, "signatures": [
            {"invariant": "KASAN", "function": "zap", "operations": ["punch"]}]}, **more))
    _good_page(path, title, *words)
    run = folder.read(str(path))
    run.read_events()
    at = lanes.moment(run)
    return run, at and lanes.Lanes(run, at)


def no_oracle(tmp):
    """What came last, if nobody has said what is wrong; why there is nothing if there is none."""
    said = "BUG: KASAN: slab-use-after-free in zap+0x1/0x2"
    log = "<3>[   25.000275] ====\n<3>[   25.000275] %s\n<4>[   25.000276] CPU: 1 UID: 0 " \
        "PID: 96 Comm: w1:punch Not tainted\n" % said
    run, shown = _unnamed(tmp, "a message", (
        "The last events before the message", "No oracle has named this failure", said,
        "time runs down, to the message at 0. The first column is the thread that said it"), log,
        unexplained_messages=["====", said])
    result(shown and shown.at.us == 25000275 and shown.pids == [96, 94, 97] and
           max(e.us for e in shown.rows) == 25000270 and shown.at.words == said and
           run.threads[96] == "w1" and shown.gfn is None,
           "a message: its thread comes first, nothing is later than it", str(vars(shown.at)),
           *["%d %d %s" % (e.us, e.pid, e.text) for e in shown.rows])
    old = log.replace("25.", "24.")
    for title, text, words in (("a message before the record", old, said + ") is older than the "
                                "record"), ("no message", "", "The last events before the end")):
        run, shown = _unnamed(tmp, title, ("The last events before the end", words,
                                           "the record ends here"), text,
                              unexplained_messages=[said] * bool(text))
        result(shown and shown.at.pid == 94 and shown.at.us == 25000310,
               "%s: to the end of the record, its thread first" % title)
    for end in ("died", "hung"):
        _, shown = _unnamed(tmp, "no record " + end, (
            "What led to it", "There are no lanes: the guest %s, and took its flight recorder" % end),
            flight="", guest={"end": end})
        result(shown is None, "the guest %s: no lanes, and the page says why" % end)
    gone = _LINE.replace("X2", "X1")
    _, shown = _unnamed(tmp, "not in the record", ("the first violation is not in the flight",),
                        violation_lines=[gone])
    result(shown is None, "a violation that the record has not: no lanes of something else")
    _, shown = _unnamed(tmp, "a success with a record", ("SUCCESS",), verdict="SUCCESS")
    result(shown is None, "a success: nothing led to it")


def oddities(tmp):
    """Runs that are not as others: their names, what is missing, what there is too much of."""
    log = _stamped("tdp_stress: %s\n%s%s" % (_LINE, _AGO, _NOW))
    path = tmp / "a blank" / "run #1"
    _make(path, {"dmesg": log, "100%.txt": ""})
    page, _ = _good_page(path, "a name with a blank", "make replay RUN='%s'" % path)
    result("100%25.txt" in page.links and "BOOT" not in page.text.split(),
           "links to files of any name; no parameter that is no variable", *page.links)
    with redirect_stdout(io.StringIO()) as shown:
        end_of_run.verdict_line(dict(_summary(), in_kvm=[]), path)
    result(all("make %s RUN='%s'" % (door, path) in shown.getvalue()
               for door in ("report", "replay", "minimise")),
           "the commands at the end of the run as well", shown.getvalue())
    _good_page(_make(tmp / "<b>bold", {}, verdict="SUCCESS"), "a name with markup", "<b>bold")
    (tmp / "newest").symlink_to(path)
    _, said = _report(tmp / "newest")
    result("page: %s/report.html" % path in said, "a link: the page is about the folder behind it",
           said)
    many = [_LINE.replace("0x694", "0x%x" % n) for n in range(25)] + ["X2: cut off, by w"]
    _good_page(_make(tmp / "many violations", {}, violation_lines=many), "many violations",
               "25 more violations that were printed, the first 20")
    page, _ = _good_page(_make(tmp / "cut", {}, violation_lines=many[-1:]), "a line that is cut off",
                         "X2: cut off, by w")
    result("None" not in page.text, "a line that is cut off: nothing is made up")
    once = "".join(_DRIVER.splitlines(True)[:2])
    ops = {"driver": {"ops": {"run": {"calls": 9, "ok": 9, "retry": 0}}}}
    audited = "X1: mirror maps 0x1, gfn 0x694 level 1, by kworker/u8:0/11 (mmu_lock write)"
    _good_page(_make(tmp / "audited", {}, violation_lines=[audited], signatures=[
        {"invariant": "X1", "function": "", "operations": ["kworker", "unmap"]}]), "an audit",
        "In KVM, last there kvm_tdp_mmu_unmap_gfn_range()",
        "Operations meanwhile or before, another thread: unmap", "the audit of tdp_stress")
    path = _make(tmp / "short", {"driver.log": once}, counters=ops)
    page, _ = _good_page(path, "a short run", "Said once, after 5 s", "none had to be tried again")
    drawn = json.loads(page.data)
    result([c["legend"] for c in drawn] == [True] and
           [s["name"] for s in drawn[0]["series"]] == ["ok"],
           "what is left of a chart is named", page.data)
    page, _ = _good_page(_make(tmp / "real", {"dmesg": log, "stress.flight.first": _FLIGHT},
                               door="metal", versions={"kernel": "7.3.4", "tdp_stress": "0123abc"},
                               machine=None),
                         "make metal", "Linux 7.3.4 · BACKEND=tdx · SEED=1", "make run SEED=1")
    result("make replay" not in page.text and "None" not in page.text,
           "make metal: nothing is promised that is not there")


def _traced():
    """As tdp-judge --json has it."""
    where = {"vm": "0x1", "gfn": "0x694", "level": "1", "lock": "write"}

    def event(n, what, **fields):
        return {"event": n, "time": 100 + n / 1e5, "cpu": 0, "pid": 96, "thread": "w1:punch",
                "kind": "tdps_" + what, "root": "mirror", "fields": dict(where, **fields)}

    return {"format": 1, "verdict": "FAILURE: X2", "violations": [], "events": [
        event(1, "op_begin", op="unmap", end="0x6c2"),
        event(2, "ext_begin", kind="remove", old="0x80a00000018f3f37", new="0x8000000000000000"),
        {"event": 3, "time": 100.00003, "cpu": 0, "pid": 96, "thread": "w1:punch",
         "kind": "kvm_mmu_set_spte", "text": "KVM's own"},
        event(4, "seamcall", call="TDH.MEM.PAGE.REMOVE", status="0x0"),
        event(5, "ext_end", kind="remove", ret="0"),
        event(6, "flush", gfn="0xffffffffffffffff"),
        event(7, "violation", check="X2", by="96", text=_LINE)]}


def records():
    """What is made of events."""
    found, names = events.of_flight(_FLIGHT)
    result(len(found) == 23 and names == {96: "w1", 94: _EVIL}, "the recorder's text is understood",
           "%d events, %s" % (len(found), names))
    result([e.text for e in found if e.kind == "other"] == ["what nobody knows of " + _EVIL],
           "a line that is not understood stays as it is")
    made = events.slices(found)
    windows = [s for s in made if s.kind == "frozen"]
    result([(s.begin % 1000, s.end % 1000) for s in windows] == [(110, 140), (170, 200)],
           "a frozen window ends by a failure, or with the new SPTE",
           str([(s.begin, s.end) for s in windows]))
    lost = events.slices(events.of_flight("""1.000001 pid 7 zap_leafs ends gfn 0x1: 0 after 5 us write
1.000002 pid 7 map begins gfn 0x2 (end 0x3) read
1.000004 pid 7 map begins gfn 0x4 (end 0x5) read
1.000006 pid 7 map ends gfn 0x4: 0 after 2 us read
""")[0])
    result([(s.name, s.begin % 10, s.end % 10, s.depth) for s in lost] ==
           [("zap_leafs", 1, 1, 0), ("map", 2, 4, 0), ("map", 4, 6, 0)],
           "ends and beginnings that the record has lost", str([vars(s) for s in lost]))


_SEEN_AT = "tdp_stress:   in KVM: zap+0x10/0x20 [kvm], unmap+0x1/0x2 [kvm_intel]\n"
_FAILED_AT = "# calls 25.000140 pid 94 set+0x8/0x20 [kvm], map+0x1/0x2 [kvm]\n"
_TRACKED_AT = "# calls 25.000260 pid 96 track+0x3/0x9 [kvm_intel]\n"
_PLACES = {"format": 1, "places": {
    "zap+0x10/0x20 [kvm]": [["mmu/zap.c", 7, "inlined"], ["mmu/zap.c", 20, "zap"]],
    "track+0x3/0x9 [kvm_intel]": [["tdx.c", 9, "track"]],
    "set+0x8/0x20 [kvm]": [["mmu/set.c", 3, "set"]]},
    "source": {"mmu/zap.c": {"6": "{", "7": "\tremove(%s);" % _EVIL, "20": "\tinlined();"},
               "tdx.c": {"9": "\ttrack();", "10": "\tkick_missing();"},
               "mmu/set.c": {"3": "\tret = external();"}}}


def _failing(flight):
    """The first external operation of @flight fails; where that was is known."""
    line = "25.000140 pid 94 external map leaf ends"
    return flight.replace(line, _FAILED_AT + line)


def code_of_kvm(tmp):
    """Where in KVM it was, and where something had failed before at that place."""
    log = _stamped("tdp_stress: %s\n%s%s%s" % (_LINE, _SEEN_AT, _AGO, _NOW))
    flight = _failing(_FLIGHT).replace("25.000260 pid 96 TDH.MEM.TRACK", _TRACKED_AT +
                                       "25.000260 pid 96 TDH.MEM.TRACK").replace(
        "25.000290 pid 96 external remove leaf ends gfn 0x694 level 1: 0 after 50 us write\n", "")
    files = {"dmesg": log, "stress.flight.first": flight,
             "places.json": json.dumps(_PLACES)}
    run = _make(tmp / "code", files)
    page, text = _page_of(run, "source", "mmu/zap.c:7 inlined()", "called from mmu/zap.c:20 zap()",
                         "called from unmap+0x1/0x2 [kvm_intel]", "remove(%s);" % _EVIL,
                         "external map leaf: -16 (EBUSY), by %s (pid 94)" % _EVIL,
                         "mmu/set.c:3 set()", "ret = external();",
                         "TDH.MEM.TRACK → success: from tdx.c:9 track()", "kick_missing();")
    result("not taken it back" not in page.text and "Look at mmu/zap.c:7 inlined()" in page.text and
           page.text.index("Where it was seen") < page.text.index("What had failed there"),
           "source: what failed was tried again: no accusation")
    marked = re.findall('<span class="at"><i> *(\\d+)</i>', text)
    result("7" in marked and "6" not in marked, "source: the line is marked, and no other", *marked)
    opened = re.findall("<details open><summary>([^<]*)", text)
    calls = [o for o in opened if "TDH." in o]
    result(calls == ["TDH.MEM.TRACK → success: from tdx.c:9 track()"] and
           opened[0] == "mmu/zap.c:7 inlined()", "source: open is what the thread was in, and a "
           "SEAMCALL of another function", *opened)
    _, said = _report(run)
    result("in KVM: mmu/zap.c:7 inlined()\n" in said and "from: mmu/zap.c:20 zap()\n" in said and
           "had failed there: external map leaf: -16 (EBUSY)\n" in said and "mmu/set.c:3" in said,
           "source: on the terminal as well", said)
    # nobody has stored the new SPTE, and there it is
    kept = [t for t in _failing(_FLIGHT).splitlines() if not re.match(
        r"25\.000(1[6-9]|20|21)\d", t)]
    flight = "\n".join(kept).replace("0x80a00000018f3f37 ->", "0x80a00000018f3e37 ->") + "\n"
    run = _make(tmp / "stayed", dict(files, **{"stress.flight.first": flight}))
    page, _ = _good_page(run, "not undone", "KVM has not taken it back", "0x80a00000018f3e37 is what "
                         "was found in the SPTE later", "Look at mmu/set.c:3 set()")
    result(page.text.index("What had failed there") < page.text.index("Where it was seen"),
           "not undone: the cause comes first")
    (run / "places.json").write_text("[")
    _good_page(run, "no lines known", "zap+0x10/0x20 [kvm]", "are not known")


def calls_of_others(tmp):
    """Where in KVM an event was asked for: said of it in the log, or of the same one elsewhere."""
    ago = "tdp_stress:   90 us ago by pid 94: external map leaf ends gfn 0x694 level 1: -16 after " \
        "5 us read\ntdp_stress:   in KVM: set+0x8/0x20 [kvm]\n"
    log = _stamped("tdp_stress: %s\n%s%s%s" % (_LINE, _SEEN_AT, _AGO, ago))
    data = _traced()
    failed = data["events"][4]
    data["events"].insert(0, dict(failed, pid=94, time=99.0, thread="w2", fields=dict(
        failed["fields"], kind="map", ret="-16")))
    for title, files in (("the log", {}), ("a trace", {"trace.json": json.dumps(data)})):
        run = _make(tmp / ("calls of " + title), {"dmesg": log, "places.json": json.dumps(_PLACES),
                                                  **files})
        _good_page(run, "a failure by " + title, "What had failed there", "mmu/set.c:3 set()")
    run = folder.read(str(tmp / "calls of a trace"))
    run.read_events()
    text = "external map leaf ends gfn 0x%x level 1: -16 after 5 us read"
    newer, other = (events.of_text(us, 95, text % gfn)
                    for us, gfn in ((99500000, 0x694), (99600000, 0x695)))
    newer.calls = other.calls = ["set+0x8/0x20 [kvm]"]
    run.events += [newer, other]
    found = code.failed_before(run, run.violations[0])
    result([(e.pid, e.gfn) for e in found] == [(95, 0x694), (94, 0x694)],
           "failures at the place, and no others, the newest first",
           *["%d %s" % (e.pid, e.text) for e in found])


def sources(tmp):
    """kernel/lines.py with an object that is no kernel's, built as kbuild builds one."""
    title = "lines: of a function, of what is inlined, at a call"
    if not shutil.which("gcc") or not shutil.which("addr2line"):
        skip(title, "gcc or addr2line is not installed")
        return
    source, out = tmp / "tree/arch/x86/kvm", tmp / "out/arch/x86/kvm"
    source.mkdir(parents=True)
    out.mkdir(parents=True)
    (source / "a.c").write_text("""extern void outside(int);
static inline __attribute__((always_inline)) void inner(int a)
{
	outside(a);
}

void caller(int a)
{
	inner(a + 1);
	outside(a);
}
""")
    def build(cwd, target):
        words = "gcc -Wp,-MMD,a.d -O1 -fno-optimize-sibling-calls -c -o %s %s" % (
            target, source / "a.c")
        subprocess.run(words.split(), cwd=cwd, check=True)
        (out / ".a.o.cmd").write_text("savedcmd_%s := %s ; ./objtool a.o\n" % (target, words))

    build(tmp / "out", "arch/x86/kvm/a.o")
    said = subprocess.run(["objdump", "-dr", out / "a.o"], text=True, stdout=subprocess.PIPE,
                          check=True).stdout
    returns = [int(m, 16) for m in re.findall(
        r"call.*\n.*outside.*\n\s+([0-9a-f]+):", said)]
    with lines.Lines(tmp / "out", tmp / "tree") as of:
        size = re.search(r"([0-9a-f]+) <caller>", said)
        length = [k[1] for k in lines._symbols(out / "a.o") if k[0] == "caller"][0]
        found = [[str(x) for x in of.of("caller+0x%x/0x%x [kvm]" % (at, length + 3))]
                 for at in returns]
        result(size and found == [["arch/x86/kvm/a.c:4 inner()", "arch/x86/kvm/a.c:9 caller()"],
                                  ["arch/x86/kvm/a.c:10 caller()"]], title, str(found), said)
        result(of.text(of.of("caller+0x%x/0x%x [kvm]" % (returns[1], length))[0], 1) ==
               {9: "\tinner(a + 1);", 10: "\toutside(a);", 11: "}"}, "lines: the source around")
        build(out, "a.o")
        with lines.Lines(tmp / "out", tmp / "tree") as other:
            result(len(other.of("caller+0x%x/0x%x [kvm]" % (returns[0], length))) == 2,
                   "lines: of modules that were built in their own folder")
        result(not of.of("caller+0x1/0x999 [kvm]") and not of.of("nobody+0x1/0x9 [kvm]") and
               not of.of("caller+0x1/0x10"), "lines: of another build, nothing is said")
    symbol = "caller+0x%x/0x%x [kvm%%s]" % (returns[0], length)
    (out / "vmx").mkdir()
    shutil.copy2(out / "a.o", out / "vmx" / "b.o")
    with lines.Lines(tmp / "out", tmp / "tree") as of:
        result(len(of.of(symbol % "")) == 2 and not of.of(symbol % "_amd"),
               "lines: of the module that is named, not of another")
    shutil.copy2(out / "a.o", out / "b.o")
    with lines.Lines(tmp / "out", tmp / "tree") as of:
        result(not of.of(symbol % ""), "lines: if it may be either of two, nothing is said")


def kept(tmp):
    """places.json at the end of a run: what goes wrong there does not take the run's place."""
    tmp = tmp / "kept"
    tmp.mkdir()
    (tmp / "console.log").write_text("tdp_stress:   in KVM: f+0x1/0x2 [kvm]\n")
    (tmp / "stress.flight.first").write_bytes(b"# pid 1 \xff\n")
    kernel = SimpleNamespace(out=tmp, tree=SimpleNamespace(path=tmp))
    for wrong in (lacking("disk full"), OSError(28, "disk full")):
        with mock.patch.object(lines, "Lines", side_effect=wrong), \
                redirect_stdout(io.StringIO()) as shown:
            places.keep(tmp, kernel, None, None, 1)
        result("not known: " in shown.getvalue() and "disk full" in shown.getvalue() and
               not (tmp / places.NAME).exists(), "lines: none, and the run goes on to its verdict",
               shown.getvalue())
    values = SimpleNamespace(rundir=str(tmp), seed=1)
    for name in (places.NAME, "stress.flight.first", "report.html", "driver.c"):
        (tmp / name).write_text("old")
    session.new_folder(values)
    result(sorted(p.name for p in tmp.iterdir()) == ["console.log", "driver.c"],
           "RUNDIR= once more: nothing of the run before, and all of the user's",
           *[p.name for p in tmp.iterdir()])


def where(tmp):
    """What places.py takes from a log, and from where."""
    named = places._named("RIP: 0010:f+0x1/0x2 [kvm]\nRIP: 0010:g+0x1/0x2 [kvm]\n"
                          "tdp_stress:   in KVM: g+0x1/0x2 [kvm], h+0x3/0x4 [kvm_amd]\n"
                          "# calls 1.000001 pid 7 i+0x3/0x4 [kvm_intel]\nin KVM: other+0x1/0x2\n")
    result(named == {"g+0x1/0x2 [kvm]": True, "h+0x3/0x4 [kvm_amd]": True,
                     "i+0x3/0x4 [kvm_intel]": True, "f+0x1/0x2 [kvm]": False},
           "lines: of calls, and of where the kernel warned", repr(named))
    tmp = tmp / "where"
    (tmp / "out/arch/x86/kvm").mkdir(parents=True)
    log = "tdp_stress: %s\n%stdp_stress: %s\ntdp_stress:   in KVM: f+0x1/0x2 [kvm]\n" % (
        _LINE, _SEEN_AT, _LINE.replace("0x694", "0x7"))
    (tmp / "console.log").write_text(log)
    (tmp / places.NAME).write_text(json.dumps(_PLACES))
    found = places.of_first([_LINE], tmp)
    result(found == ["mmu/zap.c:7 inlined()", "mmu/zap.c:20 zap()", "unmap+0x1/0x2 [kvm_intel]"] and
           not places.of_first([], tmp) and not places.of_first(["none such"], tmp),
           "lines: of the first violation, and of no other", *found)
    text = places.Places(tmp).text(lines.Line("mmu/zap.c", 7, "inlined"), 1)
    result(sorted(text) == [6, 7], "lines: no more around it than asked for", repr(text))
    # kvm.ko is what ran, kvm-intel.ko is another change's by now
    replaced = {}
    for name in ("kvm.ko", "kvm-intel.ko"):
        (tmp / name).write_text(name)
        replaced[name] = tmp / name
        (tmp / "out/arch/x86/kvm" / name).write_text("kvm.ko")
    built = []

    def build(kernel, change, jobs):
        built.append(change)
        shutil.copy2(tmp / "kvm-intel.ko", tmp / "out/arch/x86/kvm")

    with mock.patch.object(mutant, "home", lambda kernel: tmp), \
            mock.patch.object(mutant, "build_modules", build), \
            mock.patch.object(places, "_lines", lambda *_: {"built": list(built)}):
        found = places._planted(None, replaced, "change", 1, {}, None)
        again = places._planted(None, replaced, "change", 1, {}, None)
    result(found == again == {"built": ["change"]},
           "lines: of a planted bug that another one has taken the place of: built again, once",
           repr(found), repr(again))


def bystanders():
    """What an audit has seen was done by another thread."""
    line = "H1: shared GFN mapped in a mirror root, gfn 0x694 level 1, by kworker/24 (mmu_lock write)"
    found, names = events.of_flight(_FLIGHT.replace("pid 96 violation X2", "pid 24 violation H1"))
    run = SimpleNamespace(events=found, threads=names, violations=[folder.Violation(line)])
    at = lanes.moment(run)
    shown = lanes.Lanes(run, at)
    result(at.exact and shown.bystander and shown.pids == [24, 94, 96] and
           {e.pid for e in shown.rows} == {94, 96} and
           "unmap" in [e.name for e in shown.rows if e.pid == 96],
           "a violation that an audit has seen: the lanes of those who were there",
           str(shown.pids), *["%d %d %s" % (e.us, e.pid, e.text) for e in shown.rows])
    run.events = events.of_flight(_FLIGHT.replace("pid 96 violation X2 gfn 0x694 level 1",
                                                  "pid 24 violation A1"))[0]
    at = lanes.moment(run)
    result(at and at.exact and at.us == 25000300 and lanes.Lanes(run, at).gfn == 0x694,
           "a trace that ends with what the same audit saw just before: the lanes are there")
    found, names = events.of_judge({"events": [
        {"time": 24.9, "pid": 94, "thread": "w2", "kind": "tdps_op_begin", "fields": {
            "op": "map", "gfn": "0x694", "level": "0", "end": "0x695"}},
        {"time": 25.0, "pid": 24, "thread": "kworker/24", "kind": "tdps_audit_root", "fields": {}},
        {"time": 25.1, "pid": 24, "thread": "kworker/24", "kind": "tdps_audit_counts"},
        {"time": 25.2, "pid": 24, "thread": "kworker/24", "kind": "tdps_violation", "fields": {
            "check": "H1", "gfn": "0x694", "level": "1"}}]})
    run = SimpleNamespace(events=found, threads=names, violations=[folder.Violation(line)])
    shown = lanes.Lanes(run, lanes.moment(run))
    result(shown.bystander and {e.pid for e in shown.rows} == {94},
           "an audit in a trace does nothing there either", *[e.text for e in shown.rows])
    own = lanes.Lanes(SimpleNamespace(events=events.of_flight(_FLIGHT)[0], threads={},
                                      violations=[folder.Violation(_LINE)]),
                      lanes.Moment(25000300, 96, "X2: it was removed"))
    result(not own.bystander and own.pids[0] == 96 and own.begin == 25000230,
           "one in a thread's own operation: it begins where that does", str(own.pids),
           str(own.begin))


def paths():
    """Which entries differ."""
    cases = ((("leaf", 0x80a00000018f3e37, "MAPPED", 0x18f3000), None),
             (("leaf", 0x80a00000018f3e37, "PENDING", 0x18f3000), None),
             (("leaf", 0x80a00000018f3e37, "MAPPED", 0x18f4000), "another page"),
             (("leaf", 0x80a00000018f3e37, "BLOCKED", 0x18f3000), "KVM: leaf, TDX module: BLOCKED"),
             (("absent", 0x8000000000000000, "MAPPED", 1), "KVM: absent, TDX module: MAPPED"),
             (("absent", 0x8000000000000000, "FREE", 0), None),
             (("nothing", None, "nothing", None), None),
             (("table", 0x907, "NL_MAPPED", 5), None), (("table", 0x907, "nothing", None),
                                                       "KVM: table, TDX module: nothing"),
             (("frozen", 0x1a0, "MAPPED", 5), None))
    wrong = ["%s: %s" % (case, tables.differs(*case)) for case, want in cases
             if tables.differs(*case) != want]
    result(not wrong, "entries of both tables agree or not", *wrong)


def refusals(tmp):
    """What is no folder of a make run: one line that names it, exit code 2, nothing made."""
    (tmp / "file").write_text("")
    cases = {
        "none": (None, "RUN= must be"),
        "not there": (tmp / "nowhere", "does not exist"),
        "a file": (tmp / "file", "is no folder"),
        "empty": (_make(tmp / "empty", {}), "summary.json"),
        "damaged": (_make(tmp / "damaged", {"summary.json": "{"}), "cannot be read"),
        "no object": (_make(tmp / "list", {"summary.json": "[]"}), "not that of a make run"),
        "another one's": (_make(tmp / "other", {"summary.json": "{}"}), "not that of a make run"),
        "kunit": (_make(tmp / "kunit", {"raw.log": ""}, door="kunit"), "is of make kunit"),
        "kselftest": (_make(tmp / "ks", {}, door="kselftest"), "is of make kselftest"),
        "a campaign": (_make(tmp / "campaign", {"plan.json": "{}"}),
                       "is a campaign's; its own page is campaign.html there"),
        "several runs": (tmp / "many", "holds several runs"),
        "somebody's who is not there": (Path("~nobody-here/run"), "does not exist"),
        "damaged parameters": (_make(tmp / "params", {"summary.json":
                               '{"verdict": "SUCCESS", "parameters": []}'}),
                               "not that of a make run"),
    }
    (tmp / "empty" / "summary.json").unlink()
    (tmp / "campaign" / "summary.json").unlink()
    _make(tmp / "many" / "one", {})
    for name, (path, words) in cases.items():
        code, said = _report(path)
        lines = said.strip().splitlines()
        made = [p.name for p in path.glob("report.html")] if path and path.is_dir() else []
        result(code == 2 and len(lines) == 1 and words in said and not made and
               (path is None or str(path) in said), "refused: %s" % name, "%d: %s" % (code, said), *made)
    for name in ("DURATION", "RNU"):
        code, said = _report(tmp / "tdx", TDP_STRESS_MAKE_OVERRIDES="RUN " + name, **{name: "3"})
        result(code == 2 and "%s=: make report takes RUN=folder only" % name in said,
               "refused: %s=3" % name, "%d: %s" % (code, said))
    with mock.patch.dict(os.environ, {"FULL": "1", "TDP_STRESS_MAKE_OVERRIDES": "FULL"}), \
            mock.patch.object(os, "environ", command.environment()):
        code, said = _report(tmp / "tdx")
    result(code == 0, "not refused: what make check FULL=1 runs has not been given FULL=",
           "%d: %s" % (code, said))


def _picture(number, above, line, step=3):
    """@line of a PNG, by filter @number: what png.py has to undo."""
    before = lambda row, i: row[i - step] if i >= step else 0
    guess = (lambda i: 0, lambda i: before(line, i), lambda i: above[i],
             lambda i: (before(line, i) + above[i]) // 2,
             lambda i: png._paeth(before(line, i), above[i], before(above, i)))[number]
    return bytes([number] + [(value - guess(i)) & 255 for i, value in enumerate(line)])


def pictures():
    """What png.py says of a picture of known colours, whatever its filters."""
    wanted = {(9, 8, 7): 2, (255, 0, 130): 1, (1, 254, 3): 3}
    top, low = ([c for p in row for c in p] for row in (
        [(9, 8, 7), (255, 0, 130), (1, 254, 3)], [(1, 254, 3), (9, 8, 7), (1, 254, 3)]))
    wrong = []
    for first in range(3):
        for second in range(5):
            raw = zlib.compress(_picture(first, [0] * 9, top) + _picture(second, top, low))
            data = png._SIGNATURE + b"".join(
                struct.pack(">I4s", len(body), kind) + body + bytes(4) for kind, body in (
                    (b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)), (b"IDAT", raw[:9]),
                    (b"IDAT", raw[9:]), (b"IEND", b"")))
            if png.colours(data) != wanted:
                wrong.append("filters %d, %d: %s" % (first, second, png.colours(data)))
    result(not wrong, "the colours of a picture, by each filter", *wrong)


def _chromium(tmp, page, *more):
    return subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu",
         "--user-data-dir=%s" % (tmp / "profile"), "--virtual-time-budget=4000", *more,
         page.as_uri()], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
        check=False)


def _shot(tmp, page):
    """The colours of @page as it is drawn; none if it is not."""
    to = tmp / "page.png"
    to.unlink(missing_ok=True)
    done = _chromium(tmp, page, "--window-size=900,1000", "--force-device-scale-factor=1",
                     "--screenshot=%s" % to)
    try:
        return png.colours(to.read_bytes()), done.stderr.splitlines()[-3:]
    except (OSError, ValueError) as e:
        return {}, [str(e)] + done.stderr.splitlines()[-3:]


def _is_drawn(tmp, title, page):
    """Not blank: text and lines make many colours, and none of them is all there is."""
    found, said = _shot(tmp, page)
    result(len(found) > 16 and max(found.values()) < 0.98 * sum(found.values()),
           "a browser draws %s" % title, "%d colours, %s" % (
               len(found), sorted(found.items(), key=lambda c: -c[1])[:3]), *said)


def _campaign(tmp):
    """The page of a campaign, of which one job has failed."""
    place = Place(tmp / "of a campaign", {"UML73-1": ["fails 1 " + _LINE]}, SEEDS="3",
                  ONLY="UML73")
    code, said = place.run()
    result(code == 1, "a campaign with a failure", str(code), *tail(said))
    return place.campaign / "campaign.html"


def in_browser(tmp, full):
    """The charts are drawn, and nothing of a run is run."""
    title = "a browser draws all charts"
    try:
        if full:
            packages.have({"chromium": "chromium"})
    except Problem as problem:
        result(False, title, problem.line, *problem.more)
        return
    if not shutil.which("chromium"):
        skip(title, "the package chromium is not installed (--full installs it)")
        return
    page = tmp / "tdx" / "report.html"
    done = _chromium(tmp, page, "--dump-dom")
    m = re.search(r'data-drawn="(\d+)"', done.stdout)
    wanted = page.read_text(encoding="utf-8").count("<canvas ")
    result(m and int(m.group(1)) == wanted, title, "%s of %d" % (m and m.group(1), wanted),
           *done.stderr.splitlines()[-3:])
    _is_drawn(tmp, "the page of a run", page)
    (tmp / "blank.html").write_text("<!doctype html><body></body>")
    found, said = _shot(tmp, tmp / "blank.html")
    result(len(found) == 1, "a blank page is seen to be one", repr(found)[:200], *said)
    if full:
        _is_drawn(tmp, "the page of a campaign", _campaign(tmp))


def names():
    """What is said in two ways is the same in the source and in the page."""
    text = (REPO / "tdp_stress/oracle/names.h").read_text()
    words, phrases = (dict(re.findall(r'\((TDPS_EXT_\w+), "([^"]+)"\)', block)) for block in (
        re.search(r"#define TDPS_EXT_%s\(.*?\n\n" % kind, text, re.S).group(0)
        for kind in ("NAMES", "PHRASES")))
    wanted = {words[n]: phrases[n] for n in words if words[n] != phrases.get(n)}
    result(wanted and events.EXT_NAMES == wanted, "external operations have the recorder's names",
           "wanted %s" % wanted, "they are %s" % events.EXT_NAMES)


def main():
    if sys.argv[1:] not in ([], ["--full"]):
        print("usage: report.py [--full]")
        return 2
    tmp = Path(tempfile.mkdtemp(prefix="tdp_stress-report-"))
    try:
        names()
        records()
        bystanders()
        paths()
        pages(tmp)
        no_oracle(tmp)
        oddities(tmp)
        code_of_kvm(tmp)
        calls_of_others(tmp)
        kept(tmp)
        where(tmp)
        sources(tmp)
        refusals(tmp)
        pictures()
        in_browser(tmp, bool(sys.argv[1:]))
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
