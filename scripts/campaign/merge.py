# SPDX-License-Identifier: GPL-2.0
"""From results to what they say together: groups of failures, rates, a text.

Knows the files of a campaign's folder; must not know how a job was run, nor how a page
looks.
"""

import json
import statistics
import time
from collections import Counter

from campaign import job as jobs_
from campaign import signature

#: what every failure of a campaign has, if it was written by hand or by another program
_NO_SIGNATURE = {"invariant": "failure", "function": signature.NOTHING,
                 "operations": [signature.NOTHING, signature.NOTHING], "line": ""}


def span(seconds):
    """A time for people: the two largest units."""
    seconds = int(round(seconds))
    if seconds < 60:
        return "%d s" % seconds
    if seconds < 3600:
        return "%d min %02d s" % (seconds // 60, seconds % 60)
    if seconds < 86400:
        return "%d h %02d min" % (seconds // 3600, seconds % 3600 // 60)
    return "%d d %02d h" % (seconds // 86400, seconds % 86400 // 3600)


def clock(when):
    """A point in time for people."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))


def _signature(result):
    return result.get("signature") or _NO_SIGNATURE


def title_of(result):
    """The signature of a failure in words; None: it is none."""
    return signature.title(_signature(result)) if result["verdict"] == "FAILURE" else None


class Results:
    """The results of a campaign, as far as they are there."""

    def __init__(self, plan):
        self.plan = plan
        self.unreadable = []
        self._by_job = {}
        self._deaths = plan.folder / "log/deaths.jsonl"

    def look(self):
        """Read what has come since; returns it."""
        new = []
        # there may be many jobs, and a server between
        there = self.plan.done_names() - self._by_job.keys()
        for job in [j for j in self.plan.jobs if j.name in there] if there else []:
            path = self.plan.result_path(job)
            try:
                result = json.loads(path.read_text())
                if result["job"] != job.name or result["verdict"] not in jobs_.VERDICTS:
                    raise ValueError
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError):
                if path not in self.unreadable:
                    self.unreadable.append(path)
                continue
            # by whom else it was tried, only who has them all knows
            result["tries"] = max(1, len(jobs_.tries(self.plan, job)))
            self._by_job[job.name] = result
            new.append(result)
        return new

    def results(self):
        """In the order in which they were begun."""
        return sorted(self._by_job.values(), key=lambda r: r["began"])

    def done(self):
        return len(self._by_job)

    def failures(self):
        return sum(r["verdict"] == "FAILURE" for r in self._by_job.values())

    def last_words(self, job, number):
        """Why the last try of @job in round @number ended, as it has said itself."""
        found = jobs_.tries(self.plan, job, number)
        try:
            return (found[-1] / "died").read_text().strip() if found else ""
        except OSError:
            return "its last try (%s) was killed" % found[-1].name

    def died(self, job, number, why):
        """Keep that @job left no result in round @number. One writer: who has the lock."""
        with open(self._deaths, "a", encoding="utf-8") as f:
            f.write(json.dumps({"time": time.time(), "job": job.name, "round": number,
                                "why": why}) + "\n")

    def deaths(self):
        """All of them; half a line is the last of a writer that was killed."""
        found = []
        try:
            lines = self._deaths.read_text().splitlines()
        except OSError:
            return found
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def data(self, not_built, over):
        """All that is said of the campaign; @not_built: {kit: (exit code, why)}; @over: no
        job runs any more.
        """
        results, plan = self.results(), self.plan
        verdicts = Counter(r["verdict"] for r in results)
        deaths = self.deaths()
        begun = min((r["began"] for r in results), default=plan.data["made"])
        ended = max((r["began"] + r["seconds"] for r in results), default=plan.data["made"])
        versions = sorted({r["versions"].get("tdp_stress", "") for r in results} - {""})
        return {
            "format": 1,
            "folder": str(plan.folder), "revision": plan.data["revision"], "over": over,
            "versions": versions, "made": plan.data["made"], "written": time.time(),
            "first_began": begun, "last_ended": ended, "duration": plan.data["duration"],
            "seeds": [plan.data["seed"], plan.data["seed"] + plan.data["seeds"] - 1],
            "variables": plan.data["variables"],
            "hosts": dict(Counter(r["host"] for r in results).most_common()),
            "jobs": {"planned": len(plan.jobs), "success": verdicts["SUCCESS"],
                     "failure": verdicts["FAILURE"], "unsupported": verdicts["UNSUPPORTED"],
                     "not_done": len(plan.jobs) - len(results),
                     "deaths": len(deaths)},
            "groups": _groups(results, plan),
            "scenarios": [self._scenario(kit, deaths, not_built) for kit in plan.data["kits"]],
            "deaths": _deaths(deaths, self._by_job),
            "runs": [_row(r) for r in results],
        }

    def _scenario(self, kit, deaths, not_built):
        """What came of one scenario on one kernel."""
        jobs = [j for j in self.plan.jobs if j.kit is kit]
        results = [self._by_job[j.name] for j in jobs if j.name in self._by_job]
        count = Counter(r["verdict"] for r in results)
        stressed = [r for r in results if r["stressed"]]
        seconds = sum(r["stressed"] for r in stressed)
        failures = sum(r["verdict"] == "FAILURE" for r in stressed)
        names = {j.name for j in jobs}

        def rate(name):
            total = sum(r["did"].get(name, 0) for r in stressed)
            return round(total / seconds, 1) if seconds else None

        reasons = Counter(r["reason"] for r in results if r["verdict"] == "UNSUPPORTED")
        why = not_built.get(kit["name"], (0, ""))[1]
        return {
            "name": kit["name"], "scenario": kit["scenario"], "kernel": kit["kernel"],
            "about": kit["about"], "jobs": len(jobs), "success": count["SUCCESS"],
            "failure": count["FAILURE"], "unsupported": count["UNSUPPORTED"],
            "deaths": sum(d["job"] in names for d in deaths),
            "failures_per_run": round(count["FAILURE"] / len(results), 4) if results else None,
            "stressed_seconds": round(seconds, 1),
            "failures_per_hour": round(3600 * failures / seconds, 2) if seconds else None,
            "median_seconds": round(statistics.median(r["seconds"] for r in results), 1)
            if results else None,
            "operations_per_second": rate("operations"),
            "seamcalls_per_second": rate("seamcalls"), "met_per_second": rate("met"),
            "why": why or (reasons.most_common(1)[0][0] if reasons else ""),
            "seeds": [{"job": j.name, "seed": j.seed,
                       "state": self._by_job[j.name]["verdict"].lower()
                       if j.name in self._by_job else "not done"} for j in jobs],
        }


def _row(result):
    return {name: result[name] for name in ("job", "kit", "seed", "verdict", "host", "began",
                                            "seconds", "tries", "reason",
                                            "found_after_seconds")} | {
        "signature": title_of(result) or "",
        "files": "tries/%s/%s" % (result["job"], result["folder"])}


def _deaths(deaths, done):
    """By job: how often, why at last, and whether it was done in the end."""
    by_job = {}
    for one in deaths:
        by_job.setdefault(one["job"], []).append(one)
    return [{"job": job, "times": len(all_), "why": all_[-1]["why"], "last": all_[-1]["time"],
             "done": job in done} for job, all_ in by_job.items()]


def _effort(result):
    """How long it takes to see it: until it was found, else all of the run."""
    found = result["found_after_seconds"]
    return result["seconds"] if found is None else found


def _groups(results, plan):
    """Failures by signature, most frequent first."""
    groups = {}
    for result in results:
        if result["verdict"] == "FAILURE":
            groups.setdefault(signature.key(_signature(result)), []).append(result)
    said = []
    for members in groups.values():
        first, shortest = members[0], min(members, key=_effort)
        sign = _signature(shortest)
        said.append({
            "title": signature.title(sign), "invariant": sign["invariant"],
            "function": sign["function"], "operations": sign["operations"],
            "line": sign["line"], "count": len(members),
            "share": round(len(members) / len(results), 4),
            "first": {"time": first["began"], "job": first["job"], "seed": first["seed"],
                      "host": first["host"]},
            "shortest": {"job": shortest["job"], "seconds": _effort(shortest),
                         "command": shortest["repeat"] or _by_hand(shortest, plan)},
            "scenarios": dict(Counter(r["kit"] for r in members).most_common()),
            "jobs": [r["job"] for r in members],
        })
    return sorted(said, key=lambda g: (-g["count"], g["title"]))


def _by_hand(result, plan):
    """The command of a program that names none: SCENARIO and SEED are all it was told."""
    return "SCENARIO=%s SEED=%d DURATION=%d %s" % (
        result["scenario"], result["seed"], plan.data["duration"],
        plan.data["program"] or "make run")


def _table(head, rows):
    """Columns as wide as they have to be; numbers to the right."""
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[n]) for row in cells) for n in range(len(head))]
    right = [all(isinstance(row[n], (int, float)) or row[n] == "-" for row in rows)
             for n in range(len(head))]
    return ["  " + "  ".join(c.rjust(w) if r else c.ljust(w)
                             for c, w, r in zip(row, widths, right)).rstrip() for row in cells]


def _or_dash(value):
    return "-" if value is None else value


def text(data):
    """The campaign as a text table."""
    jobs = data["jobs"]
    lines = ["tdp_stress campaign %s" % data["folder"],
             "%d jobs of %d s: %d SUCCESS, %d FAILURE, %d UNSUPPORTED, %d not done" %
             (jobs["planned"], data["duration"], jobs["success"], jobs["failure"],
              jobs["unsupported"], jobs["not_done"]), ""]
    lines += _table(
        ("scenario", "jobs", "success", "failure", "unsupp.", "deaths", "failures/h",
         "operations/s", "SEAMCALLs/s", "met/s"),
        [(s["name"], s["jobs"], s["success"], s["failure"], s["unsupported"], s["deaths"],
          _or_dash(s["failures_per_hour"]), _or_dash(s["operations_per_second"]),
          _or_dash(s["seamcalls_per_second"]), _or_dash(s["met_per_second"]))
         for s in data["scenarios"]])
    lines += ["  %s: %s" % (s["name"], s["why"]) for s in data["scenarios"] if s["why"]]
    if data["groups"]:
        lines += ["", "%d signature(s) of %d failures:" % (len(data["groups"]), jobs["failure"])]
    for group in data["groups"]:
        where = ", ".join("%s %d" % pair for pair in list(group["scenarios"].items())[:4])
        lines += ["", "  %d x %s" % (group["count"], group["title"]),
                  "      " + group["line"],
                  "      in %s%s; first seen %s by %s" %
                  (where, ", ..." if len(group["scenarios"]) > 4 else "",
                   clock(group["first"]["time"]), group["first"]["job"]),
                  "      after %.1f s: %s" % (group["shortest"]["seconds"],
                                             group["shortest"]["command"])]
    if data["deaths"]:
        done = sum(d["done"] for d in data["deaths"])
        lines += ["", "%d job(s) died, %d times in all; done now: %d:" %
                  (len(data["deaths"]), jobs["deaths"], done)]
        lines += ["  %s: %d x, %s: %s" % (d["job"], d["times"], "done" if d["done"] else
                                          "not done", d["why"]) for d in data["deaths"][:10]]
        if len(data["deaths"]) > 10:
            lines.append("  ... and %d more" % (len(data["deaths"]) - 10))
    return "\n".join(lines) + "\n"
