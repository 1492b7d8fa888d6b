# SPDX-License-Identifier: GPL-2.0
"""All that a run's folder says, in one object.

Knows which files a make run leaves, in QEMU and in User Mode Linux; must not know how
they are drawn. What a run has not kept is None or empty: a guest that died keeps little.
"""

import json
import os
import re
from pathlib import Path

from common import cache, signature
from common.say import usage
from picture import events
from qemu import judge, places

_STAMP = re.compile(r"(?:<\d+>)?\[\s*(\d+)\.(\d+)\]\S* (tdp_stress: )?(.*)")
_AGO = re.compile(r"\s+(\d+) us ago(?: by pid (\d+))?: (.*)")
_NOW = re.compile(r"\s+gfn (0x[0-9a-f]+) level (\d) now: (?P<inv>invalid )?(?P<root>mirror|direct) "
                  r"(?P<kind>\w+)(?: (?P<spte>0x[0-9a-f]+))?"
                  r"(?:, external (?P<state>\w+)(?: (?P<page>0x[0-9a-f]+))?)?")
_CALLS = re.compile(r"\s+in KVM: (.*)")
_TICK = re.compile(r"\[\s*(\d+)s\] (.*)")
_SECONDS = re.compile(r"tdp_stress: (\d+) s: (.*)")
_WHO = re.compile(r"\bPID: (\d+) Comm: (\S+)")
#: lines behind a message of the kernel's in which its thread is said
_NEAR = 12


class Entry:
    """One level of the way down to a GFN; @state, @page: of the external entry, or None."""

    def __init__(self, m):
        self.level = int(m.group(2))
        self.root = (m.group("inv") or "") + m.group("root")
        self.kind = m.group("kind")
        self.spte = m.group("spte") and int(m.group("spte"), 16)
        self.state = m.group("state")
        self.page = m.group("page") and int(m.group("page"), 16)


class Violation:
    """One that was printed: its line, what the log has behind it."""

    def __init__(self, line):
        m = signature.VIOLATION.fullmatch(line)
        self.line = line
        self.id = line.partition(":")[0]
        self.what = m.group("what") if m else line
        self.op = m and m.group("op")
        self.gfn = int(m.group("gfn"), 16) if m and m.group("gfn") else None
        self.level = int(m.group("level")) if m and m.group("level") else None
        self.comm = m.group("by") if m else ""
        self.pid = int(m.group("pid")) if m else None
        self.lock = m.group("lock") if m else ""
        self.us = None          # of the log's line
        self.others_us = None   # of where what other threads did begins
        self.events = []        # of the log
        self.tables = []        # Entry
        self.calls = []         # functions of KVM that the thread was in, innermost first


class Message:
    """What the kernel said and nobody can explain; @pid, @comm: the thread, or None."""

    def __init__(self, us, text, who):
        self.us = us
        self.text = text
        self.pid = int(who.group(1)) if who else None
        self.comm = who and who.group(2)


class Run:
    """A run. @events: the record at the first violation, or at the end; @source: of what."""

    def __init__(self, path, data):
        self.path = path
        self.data = data
        self.log = _text(path / "dmesg") or _text(path / "console.log")
        kept = data.get("counters") or {}
        self.stress = kept.get("tdp_stress") or judge.counters(_text(path / "stress.stats"))
        self.module = kept.get("tdx_module") or {}
        self.driver = kept.get("driver") or {}
        self.operations = data.get("operations") or []
        self.violations = [Violation(v) for v in signature.in_order(
            data.get("violation_lines") or [])]
        _read_log(self.log, self.violations)
        self.message = _message(self.log, data.get("unexplained_messages") or [])
        self.signatures = [signature.of_data(s) for s in data.get("signatures") or []] or \
            signature.of_run(data, self.log)
        self.rates = _rates(_text(path / "driver.log"), self.log)
        self.events, self.threads, self.source = [], {}, ""
        self.places = places.Places(path)

    @property
    def verdict(self):
        return self.data["verdict"]

    def read_events(self):
        """Take the best record that was kept."""
        for read in (lambda: _traced(self.path), lambda: _kept(self.path), self._logged,
                     lambda: _flight(self.path)):
            found = read()
            if found and found[0]:
                self.events, self.threads, self.source = found
                break
        for seen in self.violations[:1] or [self.message]:
            if seen and seen.pid:
                self.threads.setdefault(seen.pid, events.thread(seen.comm))
        self.events.sort(key=lambda e: e.us)
        self._put_calls()

    def _put_calls(self):
        """A trace does not say where in KVM something was asked for; the others do."""
        others = [e for v in self.violations for e in v.events] + \
            events.of_flight(_text(self.path / "stress.flight.first"))[0]
        known = {_key(e): e.calls for e in others if e.calls}
        for e in self.events:
            e.calls = e.calls or known.get(_key(e), [])

    def _logged(self):
        if not self.violations or not self.violations[0].events:
            return None
        return self.violations[0].events, {}, "the lines behind the violation in the log"


def _key(e):
    # a trace has 0 for no level
    return (e.pid, e.kind, e.phase, e.name, e.gfn, e.level or None, e.ret, e.status)


def _text(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _bad(path, why):
    return usage("RUN=%s: %s" % (path, why))


def read(name):
    """The Run in folder @name; bad usage if there is none."""
    # not Path.expanduser(), to which ~nobody is an error of its own
    path = Path(os.path.expanduser(name)).absolute()
    if not path.exists():
        raise _bad(path, "does not exist; must be the folder of a make run, as run/latest")
    if not path.is_dir():
        raise _bad(path, "is no folder; must be the folder of a make run, as run/latest")
    _refuse_others(path)
    try:
        data = json.loads((path / "summary.json").read_text())
    except FileNotFoundError:
        raise _bad(path, "has no summary.json: no make run has come to its end there") from None
    except (OSError, ValueError) as e:
        raise _bad(path, "summary.json cannot be read: %s" % e) from e
    if not isinstance(data, dict) or not isinstance(data.get("verdict"), str) or \
            not isinstance(data.get("parameters"), dict):
        raise _bad(path, "summary.json is not that of a make run")
    # run/latest is another one's tomorrow
    return Run(path.resolve(), data)


def _refuse_others(path):
    """What has a view of its own, or none."""
    door = None
    try:
        data = json.loads((path / "summary.json").read_text())
        door = data.get("door")
    except (OSError, ValueError, AttributeError):
        pass
    if (path / "plan.json").exists() or (path / "campaign.json").exists():
        raise _bad(path, "is a campaign's; its own page is campaign.html there; each run that it "
                   "kept is a folder below it, and can be given")
    if door == "kunit" or (path / "raw.log").exists():
        raise _bad(path, "is of make kunit, which has no rates and no threads to draw; see "
                   "parsed and raw.log there, or give the folder of a make run")
    if door == "kselftest" or (path / "tap").exists():
        raise _bad(path, "is of make kselftest, which has no rates to draw; see its *.tap and "
                   "log, or give the folder of a make run")
    if not (path / "summary.json").exists() and any(path.glob("*/summary.json")):
        raise _bad(path, "holds several runs; give one of them, as %s" %
                   next(path.glob("*/summary.json")).parent)


def _read_log(log, violations):
    """Put what the log has behind each violation's line to it."""
    waiting = {v.line: v for v in reversed(violations)}
    at = last = None
    for line in log.splitlines():
        m = _STAMP.match(line)
        if not m or not m.group(3):
            continue
        us, text = _stamp(m), m.group(4)
        ago, now, calls = _AGO.match(text), _NOW.fullmatch(text), _CALLS.fullmatch(text)
        if text in waiting:
            at = waiting.pop(text)
            at.us = last = us
        elif at and calls:
            (at.events[-1] if at.events else at).calls = places.symbols(calls.group(1))
        elif at and ago:
            _take(at, ago, last)
        elif at and now:
            at.tables.append(Entry(now))
        elif not text.startswith(" "):
            at = None
        last = us


def _stamp(m):
    """Microseconds."""
    return int(m.group(1)) * 10**6 + round(float("0." + m.group(2)) * 1e6)


def _message(log, unexplained):
    """The first Message, or None; a line of signs only is none."""
    wanted = {text.strip() for text in unexplained if re.search("[A-Za-z]", text)}
    lines = log.splitlines() if wanted else []
    for number, line in enumerate(lines):
        m = _STAMP.match(line)
        if m and ((m.group(3) or "") + m.group(4)).strip() in wanted:
            return Message(_stamp(m), m.group(4),
                           _WHO.search("\n".join(lines[number:number + _NEAR])))
    return None


def _take(violation, m, us):
    # those of others are counted from when the thread's own had been printed
    if m.group(2) and violation.others_us is None:
        violation.others_us = us
    since = violation.others_us if m.group(2) else violation.us
    pid = int(m.group(2)) if m.group(2) else violation.pid
    violation.events.append(events.of_text(since - int(m.group(1)), pid, m.group(3)))


def _kept(path):
    found, names = events.of_flight(_text(path / "stress.flight.first"))
    return found, names, "the flight recorder as it was at the first violation"


def _flight(path):
    found, names = events.of_flight(_text(path / "stress.flight"))
    return found, names, "the flight recorder as it was at the end of the run"


def _traced(path):
    """tdp-judge's JSON of the trace, where make run TRACE= has left it."""
    try:
        data = json.loads((path / "trace.json").read_text(encoding="utf-8"))
        found, names = events.of_judge(data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # none was kept, or it was not judged
        return None
    return found, names, "the trace that the run kept (trace.txt), as tdp-judge has read it"


def _rates(driver_log, log):
    """[(second, {name: per second})] from the lines that a run says on its way."""
    return _driver_rates(driver_log) or _stress_rates(log)


def _driver_rates(text):
    found, before = [], {}
    for line in text.splitlines():
        m = _TICK.match(line)
        if not m:
            continue
        second = int(m.group(1))
        rates, _, totals = m.group(2).partition(" /s")
        now = {n: int(v) for n, v in re.findall(r"([a-z_]+) (\d+)", totals)}
        row = {n: float(v) for n, v in re.findall(r"([a-z_]+) (\d+)", rates)}
        _per_second(row, now, before, second, found)
        before = now
    return found


_WORDS = {"operations": "operations", "ok": "ok", "retries": "retries", "yields": "yields",
          "meetings": "meetings"}


def _stress_rates(log):
    found, before = [], {}
    for line in log.splitlines():
        m = _SECONDS.search(line)
        if not m:
            continue
        now = {_WORDS[w]: int(v) for v, w in re.findall(r"(\d+) (\w+)", m.group(2)) if w in _WORDS}
        row = {}
        _per_second(row, now, before, int(m.group(1)), found)
        before = now
    return found


def _per_second(row, now, before, second, found):
    span = second - (found[-1][0] if found else 0)
    if span <= 0:
        return
    for name, value in now.items():
        row[name] = max(0.0, (value - before.get(name, 0)) / span)
    found.append((second, row))


def invariant(name):
    """(title, [paragraph]) of Documentation/invariants.rst, or None."""
    lines = _text(cache.REPO / "Documentation" / "invariants.rst").splitlines()
    for number, line in enumerate(lines):
        if line.startswith(name + ": ") and lines[number + 1].startswith("==="):
            rest = []
            for text, under in zip(lines[number + 2:], lines[number + 3:] + [""]):
                if under.startswith("==="):
                    break
                rest.append(text)
            blocks = [" ".join(b.split()) for b in "\n".join(rest).split("\n\n")]
            return line.partition(": ")[2], [_plain(b) for b in blocks if b and "::" not in b
                                             and not b.startswith("tdp_stress:")]
    return None


def _plain(rst):
    """Running text without its markup."""
    rst = re.sub(r":\w+:`([^`<]*?)(?: <[^`]*)?`", r"\1", rst)
    return re.sub(r"(?<![\w`])\*([A-Z][^*]*\.)\*", r"\1", rst).replace("``", "")
