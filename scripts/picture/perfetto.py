# SPDX-License-Identifier: GPL-2.0
"""The events as perfetto.json, which Perfetto's viewer (ui.perfetto.dev) and Chrome's open.

Knows Chrome's JSON trace format: a track for each thread, nested slices (ph X), instants
(ph i), names (ph M), microseconds. Must not know where the events come from.
"""

import json

from picture import events

#: in the run's folder; trace.json is tdp-judge's
NAME = "perfetto.json"
#: all threads are of one process, the run
_PID = 1


def _place(e):
    args = {"text": e.text}
    for key in ("gfn", "end", "old", "new", "status"):
        value = getattr(e, key)
        if value is not None:
            args[key] = "0x%x" % value
    for key in ("level", "ret", "lock", "root"):
        value = getattr(e, key)
        if value is not None:
            args[key] = value
    return args


def _slice(s, start):
    name = {"ext": "external " + s.name, "frozen": "FROZEN"}.get(s.kind, s.name)
    args = dict(_place(s.first)) if s.first else {"begins": "before the record"}
    if s.last is None:
        args["ends"] = "not in the record"
    else:
        args["result"] = s.last.text
    return {"name": name, "cat": s.kind, "ph": "X", "ts": s.begin - start,
            "dur": s.end - s.begin, "pid": _PID, "tid": s.pid, "args": args}


def trace(run):
    """The trace as an object, for json; nothing in it if the run kept no event."""
    found = run.events
    start = found[0].us if found else 0
    out = [{"name": "process_name", "ph": "M", "pid": _PID, "tid": 0,
            "args": {"name": "tdp_stress: %s" % run.path.name}}]
    for pid in sorted({e.pid for e in found}):
        name = run.threads.get(pid, "idle or interrupt" if not pid else "pid %d" % pid)
        out.append({"name": "thread_name", "ph": "M", "pid": _PID, "tid": pid,
                    "args": {"name": name}})
    timed = [_slice(s, start) for s in (events.slices(found) if found else ())]
    for e in found:
        if e.phase == events.INSTANT:
            timed.append({"name": events.label(e), "cat": e.kind, "ph": "i", "s": "t",
                          "ts": e.us - start, "pid": _PID, "tid": e.pid, "args": _place(e)})
    # of those that begin together the one that lasts longer is outside
    timed.sort(key=lambda t: (t["ts"], -t.get("dur", 0)))
    return {"traceEvents": out + timed, "displayTimeUnit": "ms",
            "otherData": {"verdict": run.verdict, "record": run.source,
                          "seconds at 0": "%.6f" % (start / 1e6)}}


def write(run, path):
    path.write_text(json.dumps(trace(run), indent=0) + "\n", encoding="utf-8")
