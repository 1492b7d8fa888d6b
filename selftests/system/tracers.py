# SPDX-License-Identifier: GPL-2.0
"""trace-cmd, perf and bpftrace on our tracepoints, as Documentation/tracing.rst shows them.

tracers.py            seconds: what the documentation shows of them, and that the checks of
                      --guest can fail
tracers.py --guest    the tools in two guests, beside a stress: on the debug kernel with tdx.c
                      on the emulated TDX module, on Debian's own with the external backend

Knows the form of what the tools print; what an event is called and has is asked of the
documentation, and what it means of tdp-judge. Prints TAP.
"""

import base64
import contextlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import command, packages            # noqa: E402
from common.say import Step, lacking            # noqa: E402
from common.settings import Values              # noqa: E402
from docs import commands                       # noqa: E402
from kernel import config, ours                 # noqa: E402
from qemu import session, setup                 # noqa: E402
from said import all_of, result, skip           # noqa: E402

_GUIDE = REPO / "Documentation/tracing.rst"
_NAMES = REPO / "tdp_stress/oracle/names.h"
#: and of each tool's commands in the documentation, what tells which one it is
_TOOLS = {"trace-cmd": ("record", "report"), "perf": ("list", "stat", "record", "script"),
          "bpftrace": ("-l", "ext_end", "seamcall", "violation")}
#: how KVM's own events are to be printed knows a library's plugin
_PLUGINS = Path("/usr/lib/x86_64-linux-gnu/traceevent/plugins")
#: what bpftrace cannot do without
_BPF = ("CONFIG_BPF_SYSCALL", "CONFIG_BPF_EVENTS", "CONFIG_DEBUG_INFO_BTF")
#: bpftrace brings LLVM along
_MORE_MIB = {"tdx": 256, "external": 1024}
#: the kernel's own threads leave nobody else much time: they pause so long, and work so long
_STUTTER = 1
#: what is traced, in seconds; some of it is work
_WINDOW = {"tdx": 1, "external": 2 * _STUTTER}
#: for all that is done in a guest, on a machine that is busy otherwise
_SECONDS = 3600
#: of events that are counted just before they are traced; a thread may be between the two
_BETWEEN = 16
#: the least that a second of stress is, on a slow machine
_EVENTS = 100
#: what the run counts: {its name: the event}
_COUNTED = {"op_begin": "tdps_op_begin", "op_end": "tdps_op_end", "extop_begin": "tdps_ext_begin",
            "extop_end": "tdps_ext_end", "seamcall": "tdps_seamcall", "spte_changed": "tdps_spte",
            "table_new": "tdps_table_new", "table_zap": "tdps_table_zap"}
#: that any second of any run gives cause for
_CHECKS = ("F2", "F4", "X3", "X4", "T1", "P1")
#: an event, as tracefs and trace-cmd have it, and as perf has
_LINE = re.compile(r"^ *(?P<comm>.*\S)(?:-| +)(?P<pid>\d+) +\[(?P<cpu>\d+)\] +"
                   r"(?:(?P<flags>\S{5}) +)?(?P<time>[\d.]+): +(?:(?P<system>\w+):)?"
                   r"(?P<name>\w+): *(?P<args>.*)$")
#: a verdict
_FAILED = re.compile(r"(?!SUCCESS)")
_OURS = re.compile(r"td(ps|x)_")
#: the last field of an event may be any text
_TEXT = re.compile(r" (?:text|comm)=.*")


class Said:
    """What came of a command in the guest."""

    def __init__(self, packed=None, code=0, out="", err="", counts=None):
        self.code, self.out, self.err = code, out, err
        #: {before, begin, end or after: {name: number}}
        self.counts = counts or {}
        if packed is not None:
            with tarfile.open(fileobj=io.BytesIO(base64.b64decode(packed)), mode="r:gz") as tar:
                files = {m.name[2:]: tar.extractfile(m).read().decode("utf-8", "replace")
                         for m in tar.getmembers() if m.isfile()}
            self.code, self.out, self.err = int(files["code"]), files["out"], files["err"]
            for name, text in files.items():
                if name.startswith("counts."):
                    self.counts[name[len("counts."):]] = _numbers(text)

    def grown(self, name, begin="before", end="after"):
        return self.counts.get(end, {}).get(name, 0) - self.counts.get(begin, {}).get(name, 0)

    def lines(self):
        return ["exit code %d" % self.code, *self.err.splitlines()[-6:],
                *(line[:300] for line in self.out.splitlines()[-6:])]


def _numbers(text):
    return {n: int(v) for n, v in (l.split() for l in text.splitlines() if len(l.split()) == 2)
            if v.lstrip("-").isdigit()}


# --- what the documentation says ---

def documented(tool):
    """The commands with @tool that tracing.rst shows."""
    return list(dict.fromkeys(c.text for c in commands.Page(_GUIDE).commands
                              if not c.inline and commands.program(c.text) == tool))


def _sections():
    """{event: the words that are literals in what is said of it, and of all}."""
    text = _GUIDE.read_text(encoding="utf-8")
    of_all = re.search(r"^Most say where.*?(?=^``tdps_)", text, re.M | re.S).group()
    literals = lambda part: set(re.findall(r"``(\w+)``", part))
    return {name: literals(body) | literals(of_all) for name, body in
            re.findall(r"^``(td(?:ps|x)_\w+)``\n(.*?)(?=^``td|^\S[^\n]*\n[=-]+\n|\Z)", text,
                       re.M | re.S)}


# --- what the tools print ---

def events(text):
    """The events in a text, each a match of _LINE."""
    return list(filter(None, map(_LINE.match, text.splitlines())))


def of_ours(text):
    return [e for e in events(text) if _OURS.match(e["name"])]


def fields(event):
    return re.findall(r"(?:^| )(\w+)=", _TEXT.sub("", event["args"])) + \
        re.findall(r" (text|comm)=", event["args"])


def lost(text):
    """How many events are said to be missing."""
    return sum(map(int, re.findall(r"\[(\d+) EVENTS DROPPED\]", text))) + \
        sum(map(int, re.findall(r"PERF_RECORD_LOST(?:_SAMPLES)?\s+lost (\d+)", text)))


def count(text, name):
    return sum(e["name"] == name for e in events(text))


def undocumented(text, sections):
    """What is printed and not documented, or could not be printed as the kernel would."""
    wrong = {}
    for e in of_ours(text):
        bad = [f for f in fields(e) if f not in sections.get(e["name"], ())]
        if bad or not fields(e) or "FAILED TO PARSE" in e["args"]:
            wrong[e["name"]] = "%s: %s" % (", ".join(bad) or "not parsed", e.group().strip())
    return list(wrong.values())


def differences(one, other):
    """What two texts of the same events say differently of ours."""
    a, b = of_ours(one), of_ours(other)
    wrong = ["%s / %s" % (x.group(), y.group()) for x, y in zip(a, b)
             if any(x[part] != y[part] for part in ("pid", "cpu", "time", "name", "args"))]
    return wrong + (["%d and %d events" % (len(a), len(b))] if len(a) != len(b) else [])


def stat(text):
    """{event: count} of perf stat, for programs (-x,) or for people."""
    return {name: int(number.replace(",", "")) for number, name in
            re.findall(r"^ *(\d[\d,]*?)[ ,]+(?:\w+:)(\w+)[ ,\n]", text, re.M)}


def histogram(text):
    """How many a bpftrace map's buckets hold, in all."""
    return sum(map(int, re.findall(r"^[\[(].*[\])] +(\d+) \|", text, re.M)))


def counter(text):
    """The same of a map of numbers."""
    return sum(map(int, re.findall(r"^@\[.*\]: (\d+)$", text, re.M)))


def implausible(number, said, name, missing=0):
    """Why @number events cannot be what the run has counted meanwhile, or nothing."""
    least = said.grown("event." + name, "begin", "end") - _BETWEEN - missing
    most = said.grown("event." + name) + _BETWEEN
    if least <= number <= most and most > _BETWEEN:
        return None
    return "%d %s, the run has counted between %d and %d" % (number, name, least, most)


def unequal(counts, said):
    """Where perf stat and the run have counted differently, nothing else being at work."""
    wrong = ["%s: %s, the run: %d" % (event, counts.get(event), said.grown("event." + name))
             for name, event in _COUNTED.items()
             if counts.get(event) != said.grown("event." + name)]
    calls = sum(said.grown(n) for n in said.counts["after"] if re.match(r"leaf\..*\.calls$", n))
    if counts.get("tdx_seamcall") != calls:
        wrong.append("tdx_seamcall: %s, the module: %d" % (counts.get("tdx_seamcall"), calls))
    return wrong


def misjudged(data, violation=None):
    """Why this is not what tdp-judge has to say (--json), or nothing."""
    if violation:
        found = [(v["check"], v["said_by"]) for v in data["violations"][:1]]
        return None if found == [(violation, "judge and run")] else repr(found)
    if data["violations"]:
        return data["violations"][0]["text"]
    missing = [c for c in _CHECKS if not data["checked"].get(c)]
    return "not checked: %s" % " ".join(missing) if missing else None


# --- whether all that can fail ---

_EVENT = "  w1:map-7  [001]  1.000001: tdps_ext_end:  kind=map vm=0x1 gfn=0x2 level=1 lock=read " \
    "excused=0 ret=0 after=frozen kept=0 ns=5\n"
_PERF = _EVENT.replace("w1:map-7", "w1:map 7").replace("tdps_ext", "tdp_stress:tdps_ext")
_VIOLATION = "  w1:map-7  [001]  1.000002: tdps_violation:  check=X2 vm=0x1 gfn=0x2 level=1 " \
    "lock=read excused=0 by=7 text=X2: a=b, by w1:map/7 (mmu_lock read)\n"
_LOST = "  w1:map 7 [001] 1.000001: PERF_RECORD_LOST lost 3\n"
_STAT = """     4,197      tdp_stress:tdps_ext_end      \n"""
_STAT_X = "4197,,tdp_stress:tdps_ext_end,9420267733,100.00,,\n<not counted>,,a:b,0,0.00,,\n"
_HISTOGRAM = """@[0]:
[64, 128)             12 |@@@@@                                        |
[1K, 2K)               1 |@                                            |

@[2]:
[0]                    2 |@                                            |
"""
_JUDGED = {"violations": [], "checked": dict.fromkeys(_CHECKS, 1)}


def _counted(before, begin, end, after, name="event.extop_end"):
    return Said(counts={"before": {name: before}, "begin": {name: begin}, "end": {name: end},
                        "after": {name: after}})


def can_fail():
    """The checks of --guest, on what is right and on what is not."""
    sections = _sections()
    for title, text, good in (
            ("trace-cmd's text", _EVENT + _VIOLATION, True), ("perf's text", _PERF, True),
            ("a field that nobody knows", _EVENT.replace("kept=", "keep="), False),
            ("an event that nobody knows", _EVENT.replace("ext_end", "ext_over"), False),
            ("a format that a tool cannot read",
             _EVENT.replace("kind=map", "[FAILED TO PARSE] kind=0"), False),
            ("an event without fields", _EVENT[:_EVENT.index("kind=")] + "\n", False)):
        wrong = undocumented(text, sections)
        result(good != bool(wrong) and of_ours(text), "fields: " + title, *wrong)
    more = _EVENT.replace("[001] ", "[001] ..... ") + _VIOLATION
    result(not differences(more, _EVENT + _VIOLATION), "the same events as the kernel has them",
           *differences(more, _EVENT + _VIOLATION))
    for title, other in (("other words", _EVENT.replace("after=frozen", "after=2")),
                         ("other numbers", _EVENT.replace("vm=0x1", "vm=1")),
                         ("another time", _EVENT.replace("000001", "000003")), ("none", "")):
        result(differences(more, other + _VIOLATION), "refused: the same events, %s" % title)
    for text in (_STAT, _STAT_X):
        result(stat(text) == {"tdps_ext_end": 4197}, "perf stat is read", repr(stat(text)))
    result(histogram(_HISTOGRAM) == 15 and counter("@[2, 0]: 12\n@[0, -1]: 3\n") == 15,
           "bpftrace's numbers are read", histogram(_HISTOGRAM))
    said = _counted(0, 100, 200, 300)
    for number, missing, good in ((100, 0, True), (300, 0, True), (50, 50, True), (50, 0, False),
                                  (400, 0, False), (0, 0, False)):
        result(good != bool(implausible(number, said, "extop_end", missing)),
               "%s: %d events, %d lost, of 100 to 300" %
               ("plausible" if good else "refused", number, missing))
    result(implausible(0, _counted(0, 0, 0, 0), "extop_end"), "refused: no event of none")
    counted = dict.fromkeys(_COUNTED.values(), 3)
    after = {"leaf.A.calls": 1, "leaf.B.calls": 2, "leaf.A.busy": 9,
             **{"event." + n: 3 for n in _COUNTED}}
    said = Said(counts={"before": {}, "after": after})
    result(not unequal(dict(counted, tdx_seamcall=3), said), "exactly as counted",
           *unequal(dict(counted, tdx_seamcall=3), said))
    result(unequal(dict(counted, tdx_seamcall=2), said) and unequal({"tdx_seamcall": 3}, said),
           "refused: one less")
    result(lost("CPU:1 [12 EVENTS DROPPED]\n" + _LOST) == 15, "lost events are read")
    found = [{"check": "X3", "said_by": "judge and run", "text": "X3"}]
    bad = dict(_JUDGED, violations=found)
    result(not misjudged(_JUDGED) and not misjudged(bad, "X3"), "judged")
    result(misjudged(bad) and misjudged(bad, "X2") and misjudged(_JUDGED, "X3") and
           misjudged(dict(_JUDGED, checked={})), "refused: a violation, another, none, no check")


def examples():
    """What tracing.rst shows of the tools' output is as it would be today."""
    text = _GUIDE.read_text(encoding="utf-8")
    shown = of_ours(text)
    wrong = undocumented(text, _sections())
    result(len(shown) >= 6 and not wrong, "the examples' %d events have fields that there are" %
           len(shown), *wrong)
    names = re.search(r"define TDPS_EXT_NAMES.*?\bE_\([^\n]*",
                      _NAMES.read_text(encoding="utf-8"), re.S).group()
    kinds = ["%d %s" % pair for pair in enumerate(re.findall(r'"(\w+)"', names))]
    result("(``kind``: %s)" % ", ".join(kinds) in " ".join(text.split()),
           "the numbers that bpftrace prints are told of", *kinds)
    for tool, words in _TOOLS.items():
        lines = documented(tool)
        result(all(any(w in text for text in lines) for w in words) and
               all(any(w in text for w in words) for text in lines),
               "every command with %s is tried in a guest" % tool, *lines)


# --- in the guest ---

def _installed(tools):
    """{name in the guest: path} of @tools, and of the libraries they take."""
    found = {}
    for tool in tools:
        code, said, error = command.output(["ldd", tool])
        if code:
            raise lacking("%s: no program for this machine: %s" % (tool, (error or said).strip()))
        found.update({p.lstrip("/"): Path(p)
                      for p in [str(tool), *re.findall(r"(?:^|\s)(/\S+)", said)]})
    for plugin in _PLUGINS.glob("*.so"):
        found[str(plugin).lstrip("/")] = plugin
    return found


def _without_stub(text):
    return re.sub(r" -e tdx_stub| -e 'tdx_stub:\*'| 'tdx_stub:\*'", "", text)


class Guest:
    """One boot: a list of commands, and what came of them."""

    def __init__(self, values):
        self.values = values
        with contextlib.redirect_stdout(sys.stderr):
            self.kernel, self.built = setup.prepare(values)
            self.judge = ours.judge(values.jobs)
        self.programs = _installed(["/usr/bin/" + t for t in _TOOLS if self.runs(t)] + [self.judge])
        self.programs["bin/tdp-judge"] = self.judge
        self.title = "%s, Linux %s" % (values.backend, self.kernel.release)
        self._lines = []
        self._said = {}

    def why_not(self, tool):
        """What of this kernel @tool misses, or nothing."""
        options = config.read(self.kernel.dot_config)
        return [o for o in _BPF if o not in options] if tool == "bpftrace" else []

    def runs(self, tool):
        return not self.why_not(tool)

    def add(self, name, text=""):
        text = text.replace("sleep 10", "sh /tracers-window.sh")
        if self.values.backend == "external":
            text = _without_stub(text)
        self._lines.append(("%s %s" % (name, text)).strip())

    def documented(self, tool, *words):
        """Every command of the documentation with @tool that has one of @words."""
        for number, text in enumerate(documented(tool)):
            if any(w in text for w in words):
                self.add("%s.%d" % (tool, number), text)

    def boot(self, folder):
        (folder / "console.log").touch()
        (folder / "commands").write_text("\n".join(self._lines) + "\n")
        self.built.programs = {**self.built.programs, **self.programs,
                               "commands": folder / "commands"}
        machine = session.Session(self.values, self.kernel, self.built,
                                  setup.get_machine(self.values, self.kernel), folder)
        params = dict(setup.job_params(self.values), BACKEND=self.values.backend,
                      WINDOW=_WINDOW[self.values.backend])
        with contextlib.redirect_stdout(sys.stderr):
            step = Step("%d commands in a guest" % len(self._lines))
            outcome = machine.boot("tracers", params, _SECONDS,
                                   on_message=lambda w, r: w == "ran" and
                                   step.progress("done: " + r))
            step.done(outcome.end)
        (folder / "initrd").unlink(missing_ok=True)
        for failed in outcome.words("fail"):
            result(False, "%s: step" % self.title, failed)
        result(outcome.end == "finished", "%s: the guest finishes" % self.title, outcome.why,
               *(machine.last_console_lines() if outcome.end != "finished" else ()))
        for name, text in outcome.files.items():
            if name.endswith(".b64"):
                self._said[name[:-len(".b64")]] = Said(text)

    def said(self, name):
        return self._said.get(name, Said(code=-1, err="the guest did not get there"))

    def of(self, tool, *words):
        """[(command, Said)] of the documentation's with @tool that have one of @words."""
        return [(text, self.said("%s.%d" % (tool, n))) for n, text in enumerate(documented(tool))
                if any(w in text for w in words)]

    def judged(self, said):
        """(what tdp-judge says of a text, or nothing; what it complains of)"""
        p = subprocess.run([self.judge, "--json", "--last=1"], input=said.out, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        return json.loads(p.stdout) if p.stdout else None, p.stderr.strip()

    def misjudged(self, said, violation=None):
        data, error = self.judged(said)
        return [misjudged(data, violation) if data else error]

    def ok(self, title, said, *wrong):
        """One result: the command has ended well, and nothing is @wrong."""
        wrong = [w for w in wrong if w]
        return result(said.code == 0 and not wrong, "%s: %s" % (self.title, title),
                      *wrong, *said.lines())


def _beside(guest):
    """What the documentation shows beside a run, and then of what was recorded."""
    guest.add("begin")
    guest.documented("trace-cmd", "record")
    guest.documented("perf", "list", "stat", "record")
    if guest.runs("bpftrace"):
        guest.documented("bpftrace", "-l", "ext_end", "seamcall")
    guest.add("verdict", "cat $dir/verdict")
    guest.add("end")
    guest.add("report", "trace-cmd report")
    guest.documented("trace-cmd", "report |")
    guest.documented("perf", "script")
    guest.add("script", "perf script --ns --show-lost-events")


def _check_beside(guest):
    sections = _sections()
    for text, said in guest.of("trace-cmd", "record") + guest.of("perf", "record"):
        guest.ok(text, said)
    for tool, name, recorded in (("trace-cmd", "report", guest.of("trace-cmd", "record")),
                                 ("perf", "script", guest.of("perf", "record"))):
        said = guest.said(name)
        unknown = undocumented(said.out, sections)
        number = len(of_ours(said.out))
        guest.ok("%s: %d events have the fields that are documented" % (tool, number), said,
                 *unknown, number < _EVENTS and "few events")
        number = count(said.out, "tdps_ext_end")
        guest.ok("%s: as many as the run has counted (%d tdps_ext_end)" % (tool, number), said,
                 *[implausible(number, beside, "extop_end", lost(said.out))
                   for _, beside in recorded] or ["nothing was recorded"])
    said = guest.said("verdict")
    guest.ok("the run is none the worse for it", said, _FAILED.match(said.out) and said.out)
    result("kvm_tdp_mmu_spte_changed" in guest.said("report").out,
           "%s: trace-cmd: KVM's own events are there" % guest.title)
    for text, said in guest.of("trace-cmd", "tdp-judge") + guest.of("perf", "tdp-judge"):
        guest.ok(text, said, "--- tdp-judge: SUCCESS" not in said.out and "not a SUCCESS")
    for tool, name in (("trace-cmd", "report"), ("perf", "script")):
        said = guest.said(name)
        guest.ok("%s: judged by tdp-judge, from the middle of a run" % tool, said,
                 *guest.misjudged(said))
    for text, said in guest.of("perf", "list"):
        missing = [n for n in sections if n not in said.out and
                   not (guest.values.backend == "external" and n.startswith("tdx_"))]
        guest.ok("%s: all %d events" % (text, len(sections) - len(missing)), said, *missing)
    for text, said in guest.of("perf", "stat"):
        numbers = stat(said.err)
        guest.ok("%s: as the run has counted" % text, said,
                 *(implausible(numbers.get(_COUNTED[n], 0), said, n) for n in
                   ("op_end", "extop_end", "seamcall", "spte_changed")))


def _check_bpftrace(guest):
    missing = guest.why_not("bpftrace")
    if missing:
        for text in documented("bpftrace"):
            skip("%s: %s" % (guest.title, text), "this kernel has no %s" % " ".join(missing))
        return
    sections = _sections()
    for text, said in guest.of("bpftrace", "-l"):
        guest.ok(text, said, *[n for n in sections if n.startswith("tdps_") and
                               "tracepoint:tdp_stress:" + n not in said.out])
    for word, name, total in (("ext_end", "extop_end", histogram),
                              ("seamcall", "seamcall", counter)):
        for text, said in guest.of("bpftrace", word):
            number = total(said.out)
            guest.ok("%s: %d" % (text, number), said, implausible(number, said, name))
    for text, said in guest.of("bpftrace", "violation"):
        number = len(re.findall(r"^F3: ", said.out, re.M))
        guest.ok("%s: %d" % (text, number), said, implausible(number, said, "violation"))


def tdx(folder):
    """The debug kernel, tdx.c on the emulated TDX module."""
    values = Values()
    values.more_mib = _MORE_MIB[values.backend]
    guest = Guest(values)
    driver = "/tdp-stress --seed $SEED --duration 1 $DRIVER_ARGS"
    all_events = "-e tdp_stress -e tdx_stub -e kvmmmu"
    for_perf = "-e 'tdp_stress:*' -e 'tdx_stub:*'"
    _beside(guest)
    # nothing else is at work: every event is counted
    guest.add("exact", "perf stat -a -x, %s %s" % (for_perf, driver))
    # the same events as text, by the kernel itself
    guest.add("start", "trace-cmd start -C mono -b 20000 " + all_events)
    guest.add("short", driver)
    guest.add("stop", "trace-cmd stop")
    guest.add("show", "trace-cmd show")
    guest.add("extract", "trace-cmd extract -o extract.dat")
    guest.add("extracted", "trace-cmd report -i extract.dat")
    guest.add("reset", "trace-cmd reset")
    # rings that are too small
    guest.add("lossy", "perf record -m 2 -o lossy.data -k mono -a %s %s" % (for_perf, driver))
    guest.add("lossy.text", "perf script --ns --show-lost-events -i lossy.data")
    guest.add("clean", "cat $dir/verdict")
    guest.add("plant", "echo x3 > /sys/module/tdx_stub/parameters/plant")
    guest.add("planted", "trace-cmd record -o planted.dat -C mono %s perf record -o planted.data "
              "-k mono -a %s %s" % (all_events, for_perf, driver))
    guest.add("planted.report", "trace-cmd report -i planted.dat")
    guest.add("planted.script", "perf script --ns --show-lost-events -i planted.data")
    guest.boot(folder)

    _check_beside(guest)
    said = guest.said("exact")
    guest.ok("perf stat: exactly as the run and the module have counted", said,
             *(unequal(stat(said.err), said) if said.counts else ["nothing"]))
    said = guest.said("extracted")
    shown = guest.said("show").out
    number = len(of_ours(shown))
    guest.ok("trace-cmd report: as the kernel itself has it, %d events" % number, said,
             *differences(shown, said.out)[:3], number < _EVENTS and "few events")
    said = guest.said("lossy.text")
    gone = lost(said.out)
    guest.ok("perf: %d events are lost, and tdp-judge knows and raises no alarm" % gone, said,
             *_lossy(guest, said, gone))
    said = guest.said("clean")
    guest.ok("nor for that", said, _FAILED.match(said.out) and said.out)
    for tool, name in (("trace-cmd", "planted.report"), ("perf", "planted.script")):
        said = guest.said(name)
        guest.ok("%s: the module returns what it must not, tdp-judge: X3" % tool, said,
                 *guest.misjudged(said, "X3"))
    _check_bpftrace(guest)


def _lossy(guest, said, gone):
    data, error = guest.judged(said)
    if not data:
        return [error]
    known = data["trace"]["lost"]
    return [not gone and "none is lost", known != gone and "%d are lost, it says" % known] + \
        [v["text"] for v in data["violations"][:3]]


def debian(folder):
    """Debian's own kernel, which has BPF and BTF; the external backend."""
    values = Values().external(kernel="debian", duration=3600, vcpus=1, workers=1,
                               stutter=_STUTTER)
    values.more_mib = _MORE_MIB[values.backend]
    guest = Guest(values)
    _beside(guest)
    if guest.runs("bpftrace"):
        guest.add("begin", "plant=F3")
        guest.documented("bpftrace", "violation")
        guest.add("end")
    guest.boot(folder)
    _check_beside(guest)
    _check_bpftrace(guest)


def in_guests():
    with contextlib.redirect_stdout(sys.stderr):
        packages.need(tracers=True)
    for one in (tdx, debian):
        with tempfile.TemporaryDirectory() as name:
            one(Path(name))


def main():
    if sys.argv[1:] not in ([], ["--guest"]):
        print("usage: tracers.py [--guest]")
        return 2
    all_of(*([in_guests] if sys.argv[1:] else [can_fail, examples]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
