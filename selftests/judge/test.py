# SPDX-License-Identifier: GPL-2.0
"""tdp-judge on traces that runs have left: good ones, bad ones, and what is no trace.

test.py TDP-JUDGE: prints TAP. A trace in traces/ says in its header what has to come
out ("# expect: ..."). Knows the judge's output and exit codes; must not know how it
comes to them.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
sys.path.insert(0, str(REPO / "selftests/system"))

from said import plan, result  # noqa: E402  (it lies with the other tests)

TRACES = sorted((HERE / "traces").glob("*.txt"))
#: an event in tracefs's text
LINE = re.compile(r"^ *(?P<comm>.*)-(?P<pid>\d+) +\[(?P<cpu>\d+)\] (?P<flags>\S{5}) +"
                  r"(?P<time>[\d.]+): (?P<name>\w+): (?P<args>.*)$")
#: what a ring that was cut anywhere must not lead to
CUTS = 25

JUDGE = sys.argv[1] if len(sys.argv) == 2 else None


def judge(text, *options):
    """(exit code, what it said, what it complained of) about a trace."""
    p = subprocess.run([JUDGE, *options], input=text if isinstance(text, bytes) else
                       text.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       check=False)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def expected(text):
    """[(check, words of the violation)] of a trace."""
    return re.findall(r"^# expect: (\w+): (.*)$", text, re.M)


def events(text):
    return [line for line in text.splitlines() if LINE.match(line)]


def cut(text, first):
    """The trace without its first events: what a ring has overwritten."""
    left = events(text)[first:]
    return "\n".join(left) + "\n"


def as_trace_cmd(text):
    """As trace-cmd report has it."""
    out = ["cpus=2"]
    for m in filter(None, map(LINE.match, text.splitlines())):
        out.append("%16s-%-5s [%s] %12s: %-20s %s" % (m["comm"], m["pid"], m["cpu"], m["time"],
                                                    m["name"] + ":", m["args"]))
    return "\n".join(out) + "\n"


def as_perf(text):
    """As perf script has it."""
    out = []
    for m in filter(None, map(LINE.match, text.splitlines())):
        out.append("%-16s %5s [%s] %12s: tdp_stress:%s: %s" % (
            m["comm"], m["pid"], m["cpu"], m["time"], m["name"], m["args"]))
    return "\n".join(out) + "\n"


def found(said):
    """What a judgement has found, wherever it stands in the file."""
    return [(v["check"], v["text"], v["said_by"]) for v in json.loads(said)["violations"]]


def one_trace(path):
    text = path.read_text()
    wanted = expected(text)
    code, said, error = judge(text)
    name = path.name
    result(code == (1 if wanted else 0), "%s: exit code" % name, "exit code %d" % code, said,
           error)
    for check, words in wanted:
        result(re.search(r"^event \d+, line \d+, at [\d.]+, \S.*/\d+ on CPU \d+:\n  %s: .*%s" %
                         (check, re.escape(words)), said, re.M),
               "%s: %s is named, with event, line, time, thread and CPU" % (name, check), said)
    if not wanted:
        result("--- tdp-judge: SUCCESS" in said, "%s: SUCCESS" % name, said)
    json_code, out, error = judge(text, "--json")
    data = json.loads(out)
    result(json_code == code == data["exit_code"] and len(data["events"]) == len(events(text)),
           "%s: JSON says the same and has all events" % name, error)
    _, out5, _ = judge(text, "--json", "--last=5")
    some = [e["event"] for e in json.loads(out5)["events"]]
    result(some[-5:] == [e["event"] for e in data["events"]][-5:] and
           set(some) >= {v["event"] for v in data["violations"]} and len(some) < len(data["events"]),
           "%s: JSON of the last events only" % name, repr(some))
    result({v["check"] for v in data["violations"]} == {c for c, _ in wanted},
           "%s: nothing but that" % name, said)
    want = found(out)
    for what, other in (("trace-cmd report", as_trace_cmd(text)), ("perf script", as_perf(text))):
        code, out, error = judge(other, "--json")
        result(code == json_code and found(out) == want, "%s as %s has it" % (name, what), error,
               out[:300])


def without_violations(text):
    """As if nobody had said anything yet."""
    return "\n".join(l for l in text.splitlines() if ": tdps_violation: " not in l) + "\n"


def cut_anywhere(path):
    """Whatever the ring has forgotten of a good trace, nothing is wrong with the rest."""
    text = path.read_text()
    n = len(events(text))
    wrong = []
    for first in range(1, n, max(1, n // CUTS)):
        code, said, error = judge(cut(text, first))
        # a rest without an event of ours is no trace
        if code not in (0, 3):
            wrong.append("without the first %d events: %d: %s%s" % (first, code, said[:300], error))
    result(not wrong, "%s: no false alarm if its beginning is cut off" % path.name, *wrong[:3])


def cut_on_one_cpu(path):
    """The ring of one CPU may have been overwritten longer than the other's."""
    lines = events(path.read_text())
    cpu = LINE.match(lines[0])["cpu"]
    wrong = []
    for first in range(1, len(lines), max(1, len(lines) // CUTS)):
        left = [l for i, l in enumerate(lines) if i >= first or LINE.match(l)["cpu"] != cpu]
        if not any(LINE.match(l)["cpu"] == cpu for l in left):
            break
        head = "# tdp_stress: cpu %d overrun %d\n" % (int(cpu), first)
        code, said, error = judge(head + "\n".join(left) + "\n")
        if code:
            wrong.append("without the first %d events of CPU %s: %d: %s%s" %
                         (first, cpu, code, said[:300], error))
    result(not wrong, "%s: no false alarm if one CPU's beginning is cut off" % path.name,
           *wrong[:3])


def lost_in_the_middle(path):
    """Where events are missing, what was known is worth nothing: none is made of the rest."""
    lines = events(path.read_text())
    wrong = []
    for at in range(1, len(lines) - 12, max(1, len(lines) // CUTS)):
        rest = lines[:at] + ["CPU:0 [LOST 10 EVENTS]"] + lines[at + 10:]
        code, said, error = judge("\n".join(rest) + "\n")
        if code or "lost: 10 events in 1 places" not in said:
            wrong.append("10 events from %d on: %d: %s%s" % (at, code, said[:300], error))
    result(not wrong, "%s: no false alarm if events are lost, and that is said" % path.name,
           *wrong[:3])


def lost_on_one_cpu(path):
    """That is said where its ring goes on; what others tell until then proves nothing."""
    lines = events(path.read_text())
    forms = {"tracefs": "CPU:%d [LOST 10 EVENTS]", "trace-cmd": "CPU:%d [10 EVENTS DROPPED]",
             "perf": "   w[0]:x 7 [%03d]  1.000001: PERF_RECORD_LOST lost 10"}
    for name, form in forms.items():
        wrong = []
        for at in range(1, len(lines), max(1, len(lines) // CUTS)):
            cpu = LINE.match(lines[at])["cpu"]
            own = [i for i in range(at, len(lines)) if LINE.match(lines[i])["cpu"] == cpu]
            if len(own) < 12:
                continue
            rest = [form % int(cpu) if i == own[9] else l for i, l in enumerate(lines)
                    if i not in own[:9]]
            code, said, error = judge("\n".join(rest) + "\n")
            if code or "lost: 10 events in 1 places" not in said:
                wrong.append("10 events of CPU %s from %d on: %d: %s%s" %
                             (cpu, at, code, said[:300], error))
        result(not wrong, "%s: no false alarm if one CPU's are lost, as %s says it" %
               (path.name, name), *wrong[:3])


def seen_by_itself(path):
    """What the oracles find they find in the facts, said by the run or not."""
    text = path.read_text()
    wanted = {check for check, words in expected(text)}
    if "# recorded only" in text:
        return
    code, out, _ = judge(without_violations(text), "--json")
    result(code == 1 and {v["check"] for v in json.loads(out)["violations"]} >= wanted,
           "%s: found without the run's word for it" % path.name, out[:400])


def damage():
    """What is no trace, or was one."""
    good = next(p for p in TRACES if p.name.startswith("good")).read_text()
    lines = events(good)
    half = next(l for l in lines if ": tdps_ext_begin: " in l)
    one = lines[0]
    cases = (
        ("an empty file", b"", 3, "no event"),
        ("only a header", "# tracer: nop\n#\n", 3, "no event"),
        ("other events only", "  bash-1 [000] d..1. 1.000000: sched_switch: prev=1\n", 3,
         "none of tdp_stress"),
        ("text that is no trace", "hello\nworld\n", 6, "no line of it is an event"),
        ("binary data", b"tracing\0\0\1\2", 6, "not text"),
        ("an event that is cut off", half[:half.index("seen=")] + "\n", 6, "cut off, or of another version"),
        ("a number that is none", one.replace("gfn=0x", "gfn=zz"), 6, "not a number"),
        ("a name that is unknown", half.replace("kind=", "kind=x"), 6, "unknown"),
        ("events in the wrong order", lines[-1] + "\n" + one + "\n", 6, "older than the one"),
    )
    for title, text, want, words in cases:
        code, said, error = judge(text)
        result(code == want and words in error and error.count("\n") == 1 and not said,
               "%s: exit code %d and one clear line" % (title, want),
               "exit code %d, %r, %r" % (code, said[:200], error))


def usage():
    for title, options, words in (
            ("a file that is not there", ["/nonexistent/trace"], "/nonexistent/trace: No such"),
            ("two files", ["/dev/null", "/dev/null"], "one trace at a time"),
            ("an unknown option", ["--frob"], "unrecognized"),
            ("a limit that is no number", ["--progress-ms=soon"], "--progress-ms=soon: must be"),
            ("a limit out of range", ["--retry-max=1"], "--retry-max=1: must be")):
        code, said, error = judge("", *options)
        result(code == 2 and words in error and not said, "%s: exit code 2" % title,
               "exit code %d, %r" % (code, error))
    code, said, _ = judge("", "-h")
    result(code == 0 and said.startswith("usage: tdp-judge"), "-h")


def _events(text):
    """{event: the body that says its fields} of a header of tracepoints."""
    bodies = {kind: dict(re.findall(r"^%s\((\w+),(.*?)^\);" % kind, text, re.M | re.S))
              for kind in ("TRACE_EVENT", "DECLARE_EVENT_CLASS")}
    events = bodies["TRACE_EVENT"]
    for kind, name in re.findall(r"^DEFINE_EVENT\((\w+),\s*(\w+),", text, re.M):
        events[name] = bodies["DECLARE_EVENT_CLASS"][kind]
    return events


def names():
    """Every event that the module can tell of is one that the judge knows, and documented."""
    header = (REPO / "tdp_stress/oracle/tracepoints.h").read_text()
    stub = (REPO / "tdp_stress/stub/tracepoints.h").read_text()
    known = (HERE / "replay.c").read_text()
    guide = (REPO / "Documentation/tracing.rst").read_text()
    ours = _events(header)
    result(ours and all('"%s"' % n in known for n in ours), "the judge knows every event",
           *[n for n in ours if '"%s"' % n not in known])
    missing = []
    for events in (ours, _events(stub)):
        for name, body in events.items():
            section = re.search(r"^``%s``\n(.*?)(?=^``t|^\S[^\n]*\n[=-]+\n|\Z)" % name, guide,
                                re.M | re.S)
            printed = re.search(r"TP_printk\((.*)", body, re.S).group(1)
            if not section:
                missing.append("%s is not documented" % name)
                continue
            missing += ["%s: %s" % (name, field)
                        for field in re.findall(r"(\w+)=(?:0x)?%", printed)
                        if not re.search(r"\b%s\b" % field, section.group(1))]
    result(not missing, "every field of every event is documented", *missing)


def main():
    if not JUDGE:
        print("usage: test.py TDP-JUDGE")
        return 2
    result(any(not expected(p.read_text()) for p in TRACES) and
           any(expected(p.read_text()) for p in TRACES), "there are good and bad traces")
    for path in TRACES:
        one_trace(path)
        if expected(path.read_text()):
            seen_by_itself(path)
        else:
            cut_anywhere(path)
            cut_on_one_cpu(path)
            lost_in_the_middle(path)
            lost_on_one_cpu(path)
    damage()
    usage()
    names()
    plan()
    return 0


sys.exit(main())
