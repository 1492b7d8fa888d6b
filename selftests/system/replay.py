# SPDX-License-Identifier: GPL-2.0
"""make replay and make minimise, with a door that is no kernel's.

The door is a program that fails for as long as certain parameters are still there
(RULES), each time or now and then. Prints TAP. Knows the promises of replay.py and
minimise.py, not their ways.
"""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import repeat, scenario, settings, signature, tap    # noqa: E402
from docs import facts                                      # noqa: E402
from kunit import report                                    # noqa: E402
from reproduce import again, regressions, steps, trial      # noqa: E402
from reproduce import recipe as recipes                     # noqa: E402
from reproduce import search as searches                    # noqa: E402
from said import plan, result                               # noqa: E402
import kselftest                                            # noqa: E402

_OPS = {"map": 12, "unmap": 8, "zap_leafs": 8, "age": 6, "punch": 8, "recover": 3,
        "wrprot_gfn": 6, "split_read": 6}
_LINE = "X2: child left, in %s, gfn 0x1 level 1, by w0:%s/33 (mmu_lock read)"

#: a make run as far as its exit code and summary.json go; FAKE holds the rules
_DOOR = r'''#!%s
import json, os, sys, time
from pathlib import Path
env = os.environ
fake = Path(env["FAKE"])
rules = json.loads((fake / "rules").read_text())
time.sleep(rules.get("seconds", 0))
with open(fake / "calls", "a") as f:
    f.write(json.dumps({k: env[k] for k in env if k.isupper() and k in rules["names"]}) + "\n")
number = sum(1 for _ in open(fake / "calls"))
weights = dict(rules["ops"])
for word in env.get("OPS", "").split(","):
    name, _, weight = word.partition("=")
    if name == "all":
        weights = {n: int(weight) for n in weights}
    elif name:
        weights[name] = int(weight)
there = all(weights.get(o) for o in rules["needs_ops"])
for name, (least, default) in rules["least"].items():
    there = there and int(env.get(name, default).rstrip("M")) >= least
for name, value in rules["equal"].items():
    there = there and env.get(name, value) == value
points = dict(w.partition("=")[::2] for w in env.get("STRESS", "").split()).get("points", "all")
if env.get("SCHEDULE") == "none":
    points = ""
there = there and (points == "all" or set(rules["needs_points"]) <= set(points.split(",")))
sys.path.insert(0, rules["scripts"])
from common import settings, signature
if rules["values"]:
    values = settings.Values()
    there = there and all(getattr(values, n) == v for n, v in rules["values"].items())
not_run = rules.get("not_run", "0")
if not_run[number %% len(not_run)] == "1":
    (Path(env["RUNDIR"]) / "summary.json").write_text(json.dumps(
        {"verdict": "UNSUPPORTED", "reason": rules["says"]}))
    print("--- End of test: UNSUPPORTED: " + rules["says"])
    sys.exit(3)
if rules.get("exit"):
    print("tdp_stress: " + rules.get("says", "no reason"))
    sys.exit(rules["exit"])
pattern = rules.get("pattern", "1")
if there and pattern[number %% len(pattern)] == "0":
    there = False
line = rules["line"] if there else rules.get("other_line", "")
verdict = "FAILURE" if line else "SUCCESS"
data = {"door": "run", "verdict": verdict, "violation_lines": [line] if line else [],
        "found_after_seconds": 0.4 if line else None, "repeat_variables": {},
        "operations_not_run": {},
        "operations": [{"name": n, "root": "direct", "level": "-", "weight": w, "calls": 9}
                       for n, w in weights.items()]}
data["signatures"] = [s.data() for s in signature.of_run(data)]
(Path(env["RUNDIR"]) / "summary.json").write_text(json.dumps(data))
print("--- End of test: " + verdict)
sys.exit(1 if line else 0)
'''


class Fake:
    """A door, and a run that it has left."""

    def __init__(self, folder, **rules):
        self.folder = Path(folder)
        self.run = self.folder / "a run"
        self.run.mkdir()
        self.rules = {"ops": _OPS, "needs_ops": [], "needs_points": [], "least": {}, "equal": {},
                      "values": {}, "line": _LINE % ("map", "map"), "names": sorted(settings.NAMES),
                      "scripts": str(REPO / "scripts")}
        self.change(**rules)
        door = self.folder / "door"
        door.write_text(_DOOR % sys.executable)
        door.chmod(0o755)
        self.variables = {"SEED": "7", "WHERE": "uml", "DURATION": "60", "WORKERS": "6",
                          "STRESS": "audit_ms=50 flight=64"}
        self.summary()

    def change(self, **rules):
        self.rules.update(rules)
        (self.folder / "rules").write_text(json.dumps(self.rules))

    def summary(self, **more):
        data = {"door": "run", "verdict": "FAILURE", "repeat_variables": self.variables,
                "violation_lines": [self.rules["line"]], "found_after_seconds": 0.4,
                "operations_not_run": {}, "versions": {"kernel": "7.3.4"},
                "operations": [{"name": n, "root": "direct", "level": "-", "weight": w}
                               for n, w in _OPS.items()]}
        data["signatures"] = [s.data() for s in signature.of_run(data)]
        data.update(more)
        (self.run / "summary.json").write_text(json.dumps(
            {n: v for n, v in data.items() if v is not None}))

    def call(self, script, **variables):
        """(exit code, what it said) of make SCRIPT."""
        env = {n: v for n, v in os.environ.items() if n not in settings.NAMES}
        env.update({"FAKE": str(self.folder), "PROGRAM": str(self.folder / "door"),
                    "RUN": str(self.run)})
        if script == "replay":
            env["RUNDIR"] = str(self.folder / "replay")
        env.update({n: str(v) for n, v in variables.items()})
        p = subprocess.run([sys.executable, "-B", REPO / "scripts" / (script + ".py")], env=env,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=300, check=False)
        return p.returncode, p.stdout

    def calls(self):
        """The variables of every call of the door."""
        try:
            return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def kept(self):
        """The recipe that make minimise has left."""
        name = [p for p in (self.run / "minimise").iterdir() if p.name.startswith("x2")][0]
        return recipes.of_file(name)


def fake(function):
    """Call @function with a Fake in a folder that goes."""
    folder = tempfile.mkdtemp()
    try:
        function(Fake(folder))
    finally:
        shutil.rmtree(folder)


def last(text, count=4):
    return text.splitlines()[-count:]


# --- replay ---

def replay_says_what_came(door):
    code, said = door.call("replay", TRIES=2)
    result(code == 0 and "the same 2 of 2" in said, "replay: the same failure", *last(said))
    result("make run SEED=7" in said, "replay: says the command", *last(said))
    made = door.calls()
    result(all(c.get("STRESS") == "audit_ms=50 flight=64" and c["WORKERS"] == "6" for c in made),
           "replay: every parameter is as it was", str(made))

    door.change(line=_LINE.replace("X2", "F1") % ("map", "map"))
    code, said = door.call("replay", TRIES=2)
    result(code == 1 and "another one 2" in said and "F1 in kvm_tdp_mmu_map" in said,
           "replay: another invariant", str(code), *last(said))
    door.change(line=_LINE % ("unmap", "map"))
    code, said = door.call("replay", TRIES=1)
    result(code == 1 and "kvm_tdp_mmu_unmap_gfn_range" in said,
           "replay: the same invariant in another function is another one", str(code), *last(said))
    code, said = door.call("replay", TRIES=1, LIKE="invariant")
    result(code == 0, "replay: LIKE=invariant does not mind", str(code), *last(said))
    door.change(line=_LINE % ("map", "prefault"))
    result(door.call("replay", TRIES=1)[0] == 0, "replay: another thread's operation is no matter")
    result(door.call("replay", TRIES=1, LIKE="operations")[0] == 1,
           "replay: LIKE=operations does mind")
    door.change(line="")
    code, said = door.call("replay", TRIES=2)
    result(code == 6 and "no failure 2" in said, "replay: nothing came", str(code), *last(said))


def replay_is_flaky(door):
    door.change(pattern="001")
    code, said = door.call("replay", TRIES=6)
    result(code == 0 and "the same 2 of 6, no failure 4" in said, "replay: now and then",
           str(code), *last(said))


def replay_of_nothing(door):
    """What expects nothing has to be clean each time: not run is not clean."""
    path = door.folder / "file"
    path.write_text("# Expect: nothing\n# Tries: 5\nSEED=1\n")
    few = "never checked: Z2 S1 (nothing was split)"
    for want, text, rules in (
            (0, "5 of 5 clean", {}), (1, "0 of 5 clean, 5 failed", {"line": _LINE % ("map", "map")}),
            (3, "1 of 5 clean, not run 4", {"not_run": "01111", "says": "no memory"}),
            (3, "0 of 5 clean, not run 5", {"not_run": "1", "says": few})):
        (door.folder / "calls").unlink(missing_ok=True)
        door.change(**dict({"line": "", "not_run": "0"}, **rules))
        code, said = door.call("replay", RUN=path)
        result(code == want and "nothing was to be seen: %s\n" % text in said,
               "replay of nothing: %s" % text, str(code), *last(said))
    code, said = door.call("replay", TRIES=2)
    result(code == 6 and "no failure 2" in said,
           "replay: few operations, not every check was made: what was expected was not seen",
           str(code), *last(said))
    judged = []
    (door.folder / "summary.json").write_text(json.dumps({"verdict": "UNSUPPORTED", "reason": few}))
    (door.folder / "log").write_text("")
    for checks in (None, "S1", "Z2", "R1"):
        recipe = recipes.of_file(path)
        recipe.checks = checks
        judged.append(trial.Trials(recipe, door.folder)._judge(3, door.folder).word)
    result(judged == [trial.NOT_RUN] * 3 + [trial.NONE],
           "of a bug that is left out, its check has to be made", str(judged))


def in_make_check(door):
    """scripts/regressions/ in make check: what expects nothing is clean as often as it says."""
    folder = door.folder / "regressions"
    folder.mkdir()
    (folder / "one").write_text("# Expect: nothing\n# Tries: 5\n# Quick: yes\nSEED=1\n")
    for words, want in ((["none"] * 5, (1, 0, 0)), (["not run"] * 4 + ["none"], (0, 0, 1)),
                        (["none"] * 4 + ["not run"], (0, 0, 1)),
                        (["not run", "none", "other"], (0, 1, 0))):
        left = [trial.Result(w, "no memory") for w in words]
        results = tap.Results()
        with mock.patch.object(recipes, "FOLDER", folder), \
                mock.patch.object(regressions, "cache", SimpleNamespace(folder=lambda *_: folder)), \
                mock.patch.object(trial.Trials, "run", lambda *_: left.pop(0)), \
                redirect_stdout(io.StringIO()) as shown:
            regressions.check(SimpleNamespace(full=False, jobs=1), results)
        found = (results.passed, len(results.failed), results.skipped)
        result(found == want and not left, "make check: %s" % ", ".join(words), str(found),
               *shown.getvalue().splitlines())


def replay_takes_changes(door):
    door.variables["KVER"] = "7.2"
    door.summary()
    code, said = door.call("replay", TRIES=1, KSRC="/tmp/linux", WORKERS=3)
    made = door.calls()[-1]
    result(code == 0 and made["WORKERS"] == "3" and made["KSRC"] == "/tmp/linux" and
           "KVER" not in made, "replay: what is said takes the place of what was", str(made), *last(said))


def replay_of_trouble(door):
    door.change(exit=3, says="not enough memory")
    code, said = door.call("replay", TRIES=1)
    result(code == 3 and "not enough memory" in said, "replay: the machine lacks something",
           str(code), *last(said))
    door.change(exit=4, says="it does not build")
    code, said = door.call("replay", TRIES=3)
    result(code == 4 and "it does not build" in last(said, 1)[0] and len(door.calls()) == 2,
           "replay: a failed build ends it", str(code), *last(said))


def bad_input(door):
    def refused(title, word, script="minimise", want=2, **variables):
        code, said = door.call(script, **variables)
        lines = said.splitlines()
        result(code == want and word in lines[-1] and lines[-1].startswith("tdp_stress: "), title,
               str(code), *lines[-3:])

    empty = door.folder / "empty"
    empty.mkdir()
    for script in ("replay", "minimise"):
        refused("%s: without RUN=" % script, "RUN=folder", script, RUN="")
        refused("%s: a folder that is not there" % script, "does not exist", script,
                RUN=door.folder / "nowhere")
        refused("%s: a folder that is no run's" % script, "no summary.json", script, RUN=empty)
        refused("%s: a variable with a wrong value" % script, "WORKERS=many", script,
                WORKERS="many")
    door.summary(verdict="SUCCESS", signatures=[])
    refused("minimise: of a success", "was no failure (SUCCESS)")
    refused("replay: of a success", "was no failure (SUCCESS)", "replay")
    door.summary(repeat_variables=None)
    refused("minimise: a run without its parameters", "repeat_variables")
    door.summary(door="kunit", repeat_variables={"FILTER": "tdp_mmu_zap.one"})
    refused("minimise: a KUnit case is as small as it gets", "make kunit FILTER=tdp_mmu_zap.one")
    # as make metal writes it: no signatures, and its own command
    door.summary(door="metal", repeat="make metal TDS=2 SEED=9", signatures=None)
    for script in ("replay", "minimise"):
        refused("%s: make metal is for its machine, by its own command" % script,
                "is of make metal, which only the machine itself repeats; there, as root: "
                "make metal TDS=2 SEED=9", script)
    (door.run / "summary.json").write_text("{")
    refused("minimise: summary.json is broken", "cannot be read")
    result(not door.calls(), "nothing was run for any of these", str(door.calls()))

    door.summary()
    door.change(line="")
    door.rules["line"] = _LINE % ("map", "map")
    refused("minimise: it does not come again", "did not come again in 9 runs", want=6)


def bad_files(door):
    good = "# Expect: nothing\nSEED=1\n"
    for text, word in (("", "no line VARIABLE=value"), ("SEED=1\n", "# Expect: "),
                       (good + "what\n", "line 3: 'what'"), (good + "SED=1\n", "SED is no variable"),
                       (good + "# Tries: 0\n", "# Tries: 0"), (good + "# Quick: no\n", "# Quick: no"),
                       (good + "# Door: back\n", "# Door: back")):
        path = door.folder / "file"
        path.write_text(text)
        code, said = door.call("replay", RUN=path)
        result(code == 2 and word in said and "RUN=" in last(said, 1)[0],
               "refused: %s" % (text.splitlines() or ["an empty file"])[-1], str(code), *last(said))


# --- signatures and commands ---

def signatures():
    line = "tdp_stress: " + _LINE % ("unmap", "punch")
    log = line + "\n" + "\n".join([
        "[ 1.0] tdp_stress:   90 us ago: unmap begins gfn 0x1 (end 0x2) write",
        "[ 1.0] tdp_stress:   80 us ago by pid 9: map begins gfn 0x1 (end 0x2) read",
        "[ 1.0] tdp_stress:   70 us ago by pid 8: mmu_notifier begins"])
    found = signature.of_violation(_LINE % ("unmap", "punch"), log)
    result(str(found) == "X2 in kvm_tdp_mmu_unmap_gfn_range by punch with map",
           "a violation's signature", str(found))
    result(signature.parse(str(found)) == found, "and back from its text")
    at = "\n[ 1.0] tdp_stress:   in KVM: f+0x1/0x2 [kvm], g+0x1/0x2 [kvm]"
    result(signature.of_violation(_LINE % ("unmap", "punch"), log.replace("\n", at + "\n")) == found,
           "with the functions that the threads were in, it is the same")
    counts = "A1: KVM counts 1 4K pages, a walk finds 2, by kworker/u8:0/11 (mmu_lock write)"
    entry = "X1: mirror maps 0x1, the S-EPT has no entry, gfn 0x1 level 1, by kworker/u8:0/11 " \
        "(mmu_lock write)"
    others = entry.replace("/11 (", "/12 (")
    result(signature.in_order([counts, entry]) == [entry, counts] and
           signature.in_order([counts, others]) == [counts, others] and
           signature.in_order([entry, counts]) == [entry, counts],
           "what an audit has seen at a place comes before what it has counted")
    line = "SPLAT: WARNING: vmx/tdx.c:9 at tdx_sept.part.0+0x1/0x9 [kvm_intel], CPU#1: w0:punch/1, " \
        "in unmap, by w0:punch/1 (mmu_lock write)"
    found = signature.of_violation(line)
    result(str(found) == "SPLAT in tdx_sept by punch", "a splat's", str(found))
    old = "F2: outside of the frozen window, gfn 0x0 level 4, by w1:map/32 (mmu_lock read)"
    log = "[0] tdp_stress: " + old + "\n[0] tdp_stress:   9 us ago: alloc_root ends: 0\n" \
        "[0] tdp_stress:   8 us ago: map begins gfn 0x1 (end 0x2) read\n"
    found = signature.of_violation(old, log)
    result(str(found) == "F2 in kvm_tdp_mmu_map by map", "the operation in flight", str(found))

    def end(**data):
        return str(signature.of_run(dict({"verdict": "FAILURE"}, **data))[0])

    said = end(guest={"end": "died"}, unexplained_messages=[
        "BUG: KASAN: slab-use-after-free in tdp_mmu_zap+0x1/0x2"])
    result(said == "KASAN in tdp_mmu_zap", "a guest that died", said)
    said = end(guest={"end": "hung"})
    result(said == "HUNG", "a guest that hung", said)
    said = end(reason="3 MiB less are free than before")
    result(said == "END in N-MiB-less-are-free-than-before", "an end without a name", said)
    result(signature.of_run({"verdict": "SUCCESS"}) == [], "a success has none")


def commands():
    os.environ.update({"SEED": "3", "SCENARIO": "EXT73-PCT", "SCHEDULE": "random",
                       "STRESS": "audit_ms=50 delay_us=9"})
    values = settings.Values()
    said = repeat.of_run(values, "7.3.4")
    command = repeat.command("run", said)
    result(said["SCHEDULE"] == "random" and said["HUGE_1G"] == "1",
           "a scenario's variable that was set back is said", command)
    result("STRESS='audit_ms=50 delay_us=9'" in command and "KVER=7.3" in command,
           "the command has the kernel, and is quoted", command)
    for name in list(os.environ):
        if name in settings.NAMES:
            os.environ.pop(name)
    os.environ.update(said)
    again = repeat.of_run(settings.Values(), "7.3.4")
    result(again == said, "its variables give themselves", str(again))
    for name in said:
        os.environ.pop(name)


def of_other_doors():
    """kselftests and KUnit cases: the smallest thing that is run again."""
    for text, wanted in (("frozen_window.external.held", "frozen_window.held"),
                         ("frozen_window.held", "frozen_window.held"),
                         ("it was not run", "frozen_window")):
        said = kselftest.Result("external", "frozen_window", text, True).filter
        result(said == wanted, "kselftest: FILTER=%s" % wanted, str(said))
    result(kselftest.Result("tdx", "boot", "the guest hung: why", True).filter is None,
           "kselftest: a boot is all of them")
    case = SimpleNamespace(suite="tdp_mmu_zap", name="one", param="4K")
    os.environ["KASAN"] = "1"
    said = report.again(case)
    os.environ.pop("KASAN")
    result(said == "make kunit KASAN=1 FILTER=tdp_mmu_zap.one", "kunit: a case", said)


# --- minimise ---

def converges(door):
    door.change(needs_ops=["punch", "age"], least={"WORKERS": [2, "2"], "DURATION": [3, "60"],
                                                  "MEM": [8, "32"]},
                equal={"SCHEDULE": "random"})
    code, said = door.call("minimise", TIME=120)
    result(code == 0, "minimise: ends well", *last(said))
    v = door.kept().variables
    wanted = {"SEED": "7", "WHERE": "uml", "DURATION": "3", "WORKERS": "2", "MEM": "8M",
              "BUSY": "0", "DELAY": "0", "VCPUS": "1"}
    wrong = {n: v.get(n) for n in wanted if v.get(n) != wanted[n]}
    result(not wrong, "minimise: nothing can be less", "wanted %s" % wanted, "is %s" % v)
    result(sorted(re.findall(r"(\w+)=", v.get("OPS", ""))) == ["age", "all", "punch"],
           "minimise: the two operations of eight", v.get("OPS", "none"))
    result("SCHEDULE" not in v and "audit_ms" not in v.get("STRESS", ""),
           "minimise: what matters stays, what does not goes", str(v))
    result(door.kept().expect.like(signature.parse("X2 in kvm_tdp_mmu_map")) and
           door.kept().tries >= 1, "minimise: the file expects the same")
    result(re.search(r"5 of 5", last(said)[0]) or "trips in 5 of 5" in said,
           "minimise: says how often it trips", *last(said))
    result("left" in said and re.search(r"\d:\d\d left", said), "minimise: says the time left")
    replay, keep = (shlex.split(words) for words in re.search(
        "    again: (.*); to keep it: (.*)", said).groups())
    source = str(door.kept().source)
    result(replay == ["make", "replay", "RUN=" + source] and
           keep == ["cp", source, "scripts/regressions/"],
           "minimise: its commands are a shell's, blanks and all", *last(said, 2))
    calls = len(door.calls())
    result(calls < 120, "minimise: in %d runs" % calls)

    code, said = door.call("replay", RUN=door.kept().source)
    result(code == 0, "replay takes the file", *last(said))
    code, said = door.call("minimise", RUN=door.kept().source, RUNDIR=door.folder / "again",
                           TIME=60)
    result(code == 0 and "0 steps kept" in said, "minimise: there is nothing left to take",
           *last(said))


def values_of(variables):
    """What make run makes of @variables, and of nothing else."""
    with mock.patch.dict(os.environ, variables):
        for name in settings.NAMES - set(variables):
            os.environ.pop(name, None)
        return settings.Values()


def takes_a_scenario_apart(door):
    """What a scenario sets stays away when it was taken away."""
    door.variables = {"SEED": "7", "SCENARIO": "EXT73-PCT", "DURATION": "2"}
    door.summary(operations=[{"name": "map", "root": "direct", "level": "-", "weight": 12}])
    for needed in (True, False):
        shutil.rmtree(door.run / "minimise", ignore_errors=True)
        door.change(values={"huge_1g": True} if needed else {})
        code, said = door.call("minimise", TIME=120)
        v = values_of(door.kept().variables)
        line = [t for t in said.splitlines() if "without HUGE_1G" in t]
        result(code == 0 and v.huge_1g == needed and ("needed" in line[0]) == needed,
               "minimise: HUGE_1G of a scenario, %sneeded" % ("" if needed else "not "),
               str(door.kept().variables), *line)
    result((v.cpus, v.schedule, v.backend, v.kver) == (2, "none", "external", "7.3") and
           set(scenario.find("EXT73-PCT").variables) - {"HUGE_1G"} <= set(door.kept().variables),
           "minimise: the file says what the scenario had set", str(door.kept().variables))


def spells_out():
    """A scenario in a recipe: its variables, and its name only where it is more than they."""
    for variables, want in (
            ({"SCENARIO": "EXT73-PCT", "CPUS": "2"},
             {"CPUS": "2", "KVER": "7.3", "BACKEND": "external", "SCHEDULE": "pct", "HUGE_1G": "1"}),
            ({"SCENARIO": "EXT73-NX", "KSRC": "/tmp/a tree"},
             {"SCENARIO": "EXT73-NX", "KSRC": "/tmp/a tree", "BACKEND": "external"}),
            ({"WORKERS": "2"}, {"WORKERS": "2"})):
        recipe = SimpleNamespace(variables=dict(variables))
        with mock.patch.dict(os.environ, variables):
            again.spell_out(recipe, settings.Values())
            for name in settings.NAMES:
                os.environ.pop(name, None)
        result(recipe.variables == want, "a recipe says what %s sets" % (
            variables.get("SCENARIO") or "no scenario"), str(recipe.variables))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "ONE").write_text("#RUN# STRESS=audit_ms=50\n")
        tried = []
        search = SimpleNamespace(
            current={"SCENARIO": "ONE", "STRESS": "audit_ms=50 flight=64"},
            attempt=lambda changes, title: tried.append(changes),
            fewest=lambda items, changes_of, title: tried.append(changes_of(items[:1])))
        with mock.patch.object(scenario, "FOLDER", Path(folder)):
            steps.Steps(None, search, "external", {})._words("STRESS")
        result(tried == [{"STRESS": "audit_ms=50"}],
               "minimise: a scenario would put STRESS= back: it is not dropped", str(tried))


def points_of(variables):
    return re.findall(r"\bpoints=(\S+)", variables.get("STRESS", ""))


def fewer_points(door):
    """Of the schedule points those are left that it takes; halves are tried first."""
    for needed, where in (("frozen", "uml"), ("op,change", "uml"), ("zap", "qemu")):
        shutil.rmtree(door.run / "minimise", ignore_errors=True)
        (door.folder / "calls").unlink(missing_ok=True)
        door.variables.update(WHERE=where, BACKEND="external", STRESS="audit_ms=50")
        door.summary()
        door.change(needs_points=needed.split(","))
        code, said = door.call("minimise", TIME=120)
        result(code == 0 and points_of(door.kept().variables) == [needed],
               "minimise: waits at %s, and nowhere else" % needed, str(door.kept().variables),
               *last(said))
        tried = [p for c in door.calls() for p in points_of(c)]
        names = {n for p in tried for n in p.split(",")}
        result(tried and len(tried[0].split(",")) == 3 and
               ("change" in names) == ("change" in needed),
               "minimise: half of the points first, of those that there are", str(tried))
    code, said = door.call("replay", RUN=door.kept().source)
    result(code == 0, "replay: takes a file with points", *last(said))

    # fewer than somebody has asked for, never more
    door.variables["STRESS"] = "points=frozen,zap audit_ms=50"
    door.summary()
    (door.folder / "calls").unlink()
    code, said = door.call("minimise", TIME=120)
    result(code == 0 and points_of(door.kept().variables) == ["zap"],
           "minimise: of two points one is left", str(door.kept().variables), *last(said))
    others = [c for c in door.calls() if c.get("SCHEDULE") != "none" and
              points_of(c) not in (["frozen,zap"], ["frozen"], ["zap"])]
    result(not others, "minimise: no run waits at others", str(others[:1]))


def names_of_points():
    """What minimise tries is what the module takes, and what it says of itself."""
    source = (REPO / "tdp_stress/torture/schedule.c").read_text(encoding="utf-8")
    names = re.findall(r'\[TDPS_POINT_\w+\] = "(\w+)"', source)
    result(names and tuple(names) == steps.POINTS, "the module's schedule points", str(names))
    said = {p.name: p.text for p in facts.parameters("tdp_stress")}["points"]
    result(", ".join(names) in said, "are in the parameter's description", said)


def keeps_the_signature(door):
    # less than two workers: another bug, which is not what is looked for
    door.change(least={"WORKERS": [2, "2"]}, other_line=_LINE.replace("X2", "L1") % ("map", "map"))
    code, said = door.call("minimise", TIME=60)
    result(code == 0 and door.kept().variables["WORKERS"] == "2",
           "minimise: another failure is not the same", *last(said))


def shows_itself_in_many_ways(door):
    other = _LINE.replace("X2", "L1") % ("map", "map")
    door.change(pattern="011", other_line=other)
    code, said = door.call("minimise", TIME=60)
    result(code == 0 and "tripped something else" in said and "trips in 5 of 5" in said and
           door.kept().like == "any", "minimise: a bug of many faces: any of them counts",
           *last(said))
    code, said = door.call("replay", RUN=door.kept().source, TRIES=3)
    result(code == 0 and "the same 3 of 3" in said, "replay: the file says so", *last(said))
    code, said = door.call("replay", RUN=door.kept().source, TRIES=3, LIKE="function")
    result("another one 1" in said, "replay: LIKE= is stronger than the file", *last(said))
    code, said = door.call("minimise", TIME=60, LIKE="function")
    result(code == 0 and "tripped something else" not in said and door.kept().like is None,
           "minimise: LIKE=function: none but that one", *last(said))


def respects_flakiness(door):
    door.change(needs_ops=["age"], least={"WORKERS": [2, "2"]}, pattern="0110100")
    code, said = door.call("minimise", TIME=200, TRIES=7)
    kept = door.kept()
    result(code == 0 and kept.variables["WORKERS"] == "2" and
           re.findall(r"(\w+)=", kept.variables.get("OPS", "")) == ["all", "age"],
           "minimise: now and then is enough", str(kept.variables), *last(said))
    hits = re.search(r"trips in (\d+) of (\d+)", said)
    result(hits and int(hits.group(1)) < int(hits.group(2)) and kept.tries > 3,
           "minimise: and says so", str(kept.tries), *last(said))


def keeps_to_its_budget(door):
    door.change(needs_ops=["age", "punch"], least={"WORKERS": [2, "2"]}, seconds=0.3)
    code, said = door.call("minimise", TIME=10, LIKE="invariant", KSRC="/tmp/a tree", DELAY=9)
    first = len(door.calls())
    words = shlex.split(last(said, 1)[0].partition("go on: ")[2])
    go_on = dict(w.partition("=")[::2] for w in words[2:])
    result(code == 0 and "out of time" in said and words[:2] == ["make", "minimise"],
           "minimise: the budget ends it", *last(said))
    result(go_on == {"RUN": str(door.run), "LIKE": "invariant", "KSRC": "/tmp/a tree", "DELAY": "9",
                     "TIME": "10", "PROGRAM": str(door.folder / "door"), "RESUME": "1"},
           "minimise: how to go on, with all that was said", *last(said, 1))
    kept = re.findall(r"kept \((\d+ of \d+)\)", said)[-1]
    result("; trips in %s; " % kept in said and "tripped in " + kept in "".join(
        door.kept().about), "minimise: out of time it says what it knows: %s" % kept, *last(said))
    result(first * 0.3 < 25, "minimise: not much later", "%d runs" % first)
    result(door.kept().expect is not None, "minimise: with a file of what there is")
    partly = dict(door.kept().variables)
    known = json.loads((door.run / "minimise/state.json").read_text())["runs"]
    result(len(known) == first, "minimise: every run is written down")

    state = door.run / "minimise/state.json"
    before = state.read_text()
    code, said = door.call("minimise", **dict(go_on, LIKE="function", WORKERS="7"))
    result(code == 2 and len(said.splitlines()) - 3 == 1 and
           "is of another search (another LIKE, WORKERS); say all" in last(said, 1)[0] and
           state.read_text() == before and len(door.calls()) == first,
           "minimise: does not go on with another search, and leaves it", str(code), *last(said))
    go_on["TIME"] = 200
    code, said = door.call("minimise", **go_on)
    result(code == 0 and "%d runs are known" % first in said, "minimise: goes on", *last(said))
    v = door.kept().variables
    result(v != partly and re.findall(r"(\w+)=", v.get("OPS", "")) in
           (["all", "age", "punch"], ["all", "punch", "age"]) and v["WORKERS"] == "2",
           "minimise: to the end", str(v))
    all_calls = door.calls()
    again = [c for c in all_calls[first:] if {n: c[n] for n in c if n in door.variables} ==
             {**door.variables}]
    result(len(again) == 0, "minimise: what is known is not run again", str(again[:1]))
    before = state.read_text()
    code, said = door.call("minimise", **go_on)
    result(code == 0 and len(door.calls()) == len(all_calls),
           "minimise: of what is known it runs nothing", *last(said))
    door.change(seconds=0)
    code, said = door.call("minimise", TIME=5)
    old = state.with_suffix(".old")
    result(code == 0 and "its runs are kept as %s" % old in said and old.read_text() == before,
           "minimise: anew, the runs of before are not lost", *last(said))
    state.write_text("{")
    code, said = door.call("minimise", **go_on)
    result(code == 2 and "cannot be read" in last(said, 1)[0] and state.read_text() == "{",
           "minimise: RESUME=1 of a broken file", *last(said))


def numbers():
    result([searches.tries_for(r) for r in (1.0, 0.75, 0.5)] == [2, 4, 7],
           "how often a step is tried", str([searches.tries_for(r) for r in (1.0, 0.75, 0.5)]))
    result(searches.tries_to_see(5, 5) == 4 and searches.tries_to_see(0, 5) == 20,
           "how often a file is tried")

    class Search:
        current, found_after = {"OPS": "all=0,age=3,map=2"}, None

    class Expect:
        operations = ()

    all_of_it = {"age": 6, "map": 12, "zap": 8}
    left = steps.Steps(Expect, Search(), "external", all_of_it)._left(all_of_it)
    result(left == {"age": 3, "map": 2}, "what OPS= leaves", str(left))
    Search.current = {"OPS": "zap=0"}
    left = steps.Steps(Expect, Search(), "external", all_of_it)._left(all_of_it)
    result(left == {"age": 6, "map": 12}, "what OPS= takes", str(left))
    Search.current = {"OPS": "map=4"}
    left = steps.Steps(Expect, Search(), "tdx", all_of_it)._left(all_of_it)
    result(left == {"map": 4}, "what the driver's list leaves", str(left))


def pages():
    """The guides show of make minimise what it says."""
    for name in ("reproduce", "walk-through"):
        text = (REPO / "Documentation" / (name + ".rst")).read_text(encoding="utf-8")
        for shown in re.findall(r"(?s)as it was: tripped(.*?\n  --- End of minimise: .*?)\n\n", text):
            kept = re.findall(r"kept \((\d+ of \d+)\)", shown)[-1]
            # with no time left, what is left is not run again
            wanted = kept if "go on: " in shown else "5 of 5"
            result("; trips in %s; " % wanted in shown, "%s.rst: trips in %s" % (name, wanted),
                   *shown.splitlines())


def kept_ones():
    """Those that are kept can be read, and say what they are."""
    kept = recipes.kept()
    result(len(kept) >= 5, "there are %d regressions" % len(kept))
    result(any(r.quick for r in kept) and any(not r.expect for r in kept) and
           any(r.expect for r in kept), "of each kind, some of them quick")
    for recipe in kept:
        planted = recipe.variables.get("MUTANT") or recipe.variables.get("VARIANT")
        result(recipe.about and "SEED" in recipe.variables and
               (planted or not recipe.expect) and "KSRC" not in recipe.variables,
               "regression %s" % recipe.name)


def main():
    result(trial.SAME != trial.NONE, "words differ")
    signatures()
    commands()
    of_other_doors()
    numbers()
    names_of_points()
    spells_out()
    pages()
    for function in (replay_says_what_came, replay_is_flaky, replay_of_nothing, in_make_check,
                     replay_takes_changes, replay_of_trouble, bad_input, bad_files, converges,
                     takes_a_scenario_apart, fewer_points, keeps_the_signature,
                     shows_itself_in_many_ways, respects_flakiness, keeps_to_its_budget):
        fake(function)
    kept_ones()
    plan()


if __name__ == "__main__":
    main()
