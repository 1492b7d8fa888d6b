# SPDX-License-Identifier: GPL-2.0
"""What a run leaves for people and programs: the table, the line, summary.json.

Knows names of counters worth a line; must not know how they came about.
"""

import json
import time

from common import command, repeat, signature
from common.say import say
from kernel import source
from qemu import judge, places, session, stale, trace

_FORMAT = 3
#: lines of KVM's source that are said at the end; the page has all of them
_PLACES = 6


def summary(values, kernel, machine, outcome, verdict, timings, folder):
    """All that is known of a run that left its files in @folder."""
    stress = judge.counters(outcome.files.get("stress.stats"))
    again = repeat.of_run(values, kernel.release)
    # none: the kernel is from a kit, which knows, or a binary
    tree = None if values.kernel == "debian" else getattr(kernel, "tree", None)
    data = {
        "format": _FORMAT,
        "verdict": verdict.word,
        "exit_code": verdict.exit_code,
        "reason": verdict.reason,
        "violations": {i: stress.get("violation." + i, 0) for i in verdict.ids},
        "violation_lines": _violations(outcome, folder),
        "unexplained_messages": verdict.unexplained,
        "failed_steps": outcome.words("fail"),
        "guest": {"end": outcome.end, "why": outcome.why,
                  "vmx": (outcome.words("vmx") or ["unknown"])[0],
                  "cpu": (outcome.words("cpu") or ["unknown"])[0],
                  "stale_int3s": stale.healed(outcome),
                  "free_kib": [int(n) for n in " ".join(outcome.words("memory")).split()]},
        "found_after_seconds": judge.found_after(verdict, outcome, folder),
        "door": "run",
        "repeat": repeat.command("run", again),
        "repeat_variables": again,
        "parameters": {k: v for k, v in sorted(vars(values).items())},
        "versions": {"kernel": kernel.release, "kernel_config": kernel.config_name,
                     "kvm": source.fingerprint(tree) if tree else
                            getattr(kernel, "kvm", None),
                     "machine": machine.version(), "tdp_stress": command.revision()},
        "machine": {"kind": machine.kind, "acceleration": machine.name,
                    "reason": machine.reason},
        "seconds": timings,
        "counters": {
            "driver": judge.driver_summary(outcome.files),
            "tdp_stress": stress,
            "tdx_module": judge.module_counters(outcome.files),
        },
        "operations": [dict(zip(("name", "root", "level"), key), **row)
                       for key, row in judge.operations(outcome.files).items()],
        "operations_not_run": judge.not_run(outcome.files),
    }
    data["in_kvm"] = places.of_first(signature.in_order(data["violation_lines"]), folder)
    data["signatures"] = [s.data() for s in signature.of_run(data, judge.console(folder))]
    return data


class Times:
    """Seconds of a run, from here on."""

    def __init__(self):
        self._start = self._prepared = time.monotonic()

    def prepared(self):
        """All is built."""
        self._prepared = time.monotonic()

    def of(self, outcome):
        return {"prepare": round(self._prepared - self._start, 1),
                "boot": outcome.boot_seconds and round(outcome.boot_seconds, 1),
                "guest": round(outcome.seconds, 1),
                "total": round(time.monotonic() - self._start, 1)}


def end(values, kernel, machine, outcome, verdict, times, folder):
    """The last of a run: summary.json, the table, the trace if there is one, the verdict."""
    seconds = times.of(outcome)
    data = summary(values, kernel, machine, outcome, verdict, seconds, folder)
    write_json(folder / "summary.json", data)
    if outcome.end != "finished":
        say("  the guest %s: %s; its last console lines:" % (outcome.end, outcome.why))
        for line in session.last_lines(folder):
            say("    | " + line)
    found = data["found_after_seconds"]
    say("  prepared in %.1f s, booted in %s s, ran %.1f s%s" %
        (seconds["prepare"], seconds["boot"], seconds["guest"],
         ", the bug was met after %.2f s" % found if found is not None else ""))
    table(data)
    if values.trace:
        trace.judged(outcome, folder, values)
    verdict_line(data, folder)


def _violations(outcome, folder):
    """As debugfs has them; of a guest that died, as it had said them by then."""
    said = outcome.files.get("stress.violations", "").splitlines()
    return said if said or outcome.end == "finished" else \
        signature.violations(judge.console(folder))


def write_json(path, data):
    path.write_text(json.dumps(data, indent=1, sort_keys=False) + "\n")


def _row(name, *cells):
    say("  %-22s %s" % (name, "  ".join(str(c) for c in cells)))


def table(data):
    """The numbers of a run, for people."""
    stress, module = data["counters"]["tdp_stress"], data["counters"]["tdx_module"]
    seconds = max(1, data["parameters"]["duration"])
    say()
    _print_operations(data["operations"], data["operations_not_run"], seconds)
    _print_met(stress)
    _print_calls(module, seconds)
    if stress:
        _row("frozen windows", "%d, longest %.0f us" % (stress.get("frozen.count", 0),
                                                        stress.get("frozen.max_ns", 0) / 1e3))
        _row("audits", "%d, longest %.1f ms, %d SPTEs in all" % (
            stress.get("audit.count", 0), stress.get("audit.max_ns", 0) / 1e6,
            stress.get("audit.sptes", 0)))
        _row("mmu_lock held, longest", "write %.1f ms, read %.1f ms" % (
            stress.get("lock.write_max_ns", 0) / 1e6, stress.get("lock.read_max_ns", 0) / 1e6))
        _print_checks(stress)
    _row("memory", "tdp_stress %.1f MiB, emulated TDX module %.1f MiB" % (
        stress.get("mem.bytes", 0) / 2**20, module.get("mem.bytes", 0) / 2**20))


def _print_operations(rows, not_run, seconds):
    rows = [r for r in rows if " ".join((r["name"], r["root"], r["level"])) not in not_run]
    if not rows:
        return
    columns = ("calls", "ok", "retry", "yield", "other")
    say("  %-22s %-7s %-6s %10s %10s %9s %9s %9s %9s" % (
        "operation", "root", "level", "calls", "per second", *columns[1:]))
    for row in rows:
        calls, *rest = (row.get(c, 0) for c in columns)
        say("  %-22s %-7s %-6s %10d %10.0f %9d %9d %9d %9d" % (
            row["name"], row["root"], row["level"], calls, calls / seconds, *rest))
    for why in sorted(set(not_run.values())):
        _row("not run", "%s: %s" % (", ".join(sorted({n.split()[0] for n, w in not_run.items()
                                                       if w == why})), why))


def _print_met(stress):
    """How often two threads really were in each other's way."""
    cells = ["%s %d" % (n[len("meet."):], v) for n, v in stress.items() if n.startswith("meet.")]
    if cells and not any(v for n, v in stress.items() if n.startswith("meet.")):
        _row("met", "never: no two threads were in each other's way, so this run says nothing "
             "about races")
        return
    for first in range(0, len(cells), 4):
        _row("met" if first == 0 else "", ", ".join(cells[first:first + 4]))


def _print_calls(module, seconds):
    leaves = sorted({n.rsplit(".", 1)[0] for n in module if n.startswith("leaf.")})
    rows = []
    for leaf in leaves:
        calls = module.get(leaf + ".calls", 0)
        # each TD's life takes a few of most others
        if calls >= seconds or calls and leaf.startswith("leaf.TDH.MEM."):
            rows.append((leaf[len("leaf."):], calls, module.get(leaf + ".busy", 0),
                         module.get(leaf + ".injected", 0), module.get(leaf + ".error", 0)))
    if rows:
        say("  %-22s %10s %10s %9s %9s %9s" % ("SEAMCALL", "calls", "per second", "busy",
                                               "injected", "error"))
        for name, calls, busy, injected, error in rows:
            say("  %-22s %10d %10.0f %9d %9d %9d" % (name, calls, calls / seconds, busy,
                                                     injected, error))


def _print_checks(stress):
    cells, unchecked = [], []
    for name, count in stress.items():
        if name.startswith("check."):
            (cells if count else unchecked).append(
                "%s %d" % (name[len("check."):], count) if count else name[len("check."):])
    for first in range(0, len(cells), 5):
        _row("checked" if first == 0 else "", ", ".join(cells[first:first + 5]))
    if unchecked:
        _row("not checked", ", ".join(unchecked))


def verdict_line(data, folder):
    say()
    for line in data["violation_lines"][:10]:
        say("  " + line)
    for line in data["unexplained_messages"][:10]:
        say("  kernel: " + line)
    say("--- End of test: %s%s" % (data["verdict"],
                                   ": " + data["reason"] if data["reason"] else ""))
    for number, line in enumerate(data["in_kvm"][:_PLACES]):
        say("    %s %s" % ("in KVM:" if not number else "  from:", line))
    say("    again: %s" % data["repeat"])
    if data["signatures"]:
        say("    signature: %s" % signature.of_data(data["signatures"][0]))
        page, again, less = (repeat.command(door, {"RUN": folder})
                             for door in ("report", "replay", "minimise"))
        say("    what led to it, as a page: " + page)
        say("    does it come again: %s; with less: %s" % (again, less))
    say("    files: %s" % folder)
