# SPDX-License-Identifier: GPL-2.0
"""make campaign: scenarios x seeds x kernels as jobs, here, over ssh or by Slurm.

The same command goes on where the last one was ended, however it was. Knows the order
of things and the rounds of tries; what a job is, who starts it and what is made of the
results is elsewhere (scripts/campaign/).

  campaign.py job FOLDER JOB [ROUND]     one job of the campaign in FOLDER
"""

import json
import sys
import time
from collections import Counter

from campaign import engines, job as jobs_, merge, page
from campaign import plan as plans
from common import cache, command
from common.say import (EXIT_BUILD, EXIT_CONFIG, EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_PASS,
                        EXIT_USAGE, Step, lacking, main, say, usage)
from common.settings import Values
from kernel import ours

#: seconds between two looks at what has come
_PERIOD = 1.0
#: seconds between two pages while it runs
_PAGE_PERIOD = 30
#: a run takes so many seconds besides DURATION, as a first estimate
_BESIDES = 15
#: seconds before those that died are tried again, times the round
_PAUSE = 1.0
#: jobs that died are named one by one, up to here
_NAMED = 5


class Campaign:
    """One call of make campaign."""

    def __init__(self, plan, values):
        self.plan = plan
        self.values = values
        self.began = self.came = time.monotonic()
        self.done_before = 0
        #: so many are done if all of this round come to their end
        self.goal = len(plan.jobs)
        self.deaths = Counter()         # of this call
        self.not_built = {}
        self.signatures = set()
        self.merged = merge.Results(plan)
        self.paged = 0.0

    # kits

    def build(self):
        """Kernel, modules and programs of every scenario, before the first job."""
        if self.plan.data["program"]:
            return
        done = self.plan.done_names()
        wanted = {j.kit["name"] for j in self.plan.jobs if j.name not in done}
        kits = [k for k in self.plan.data["kits"] if k["name"] in wanted and
                not (self.plan.kit_folder(k) / "kit.json").exists()]
        for number, kit in enumerate(kits, 1):
            step = Step("build %s, %d of %d" % (kit["name"], number, len(kits)))
            log = self.plan.folder / ("log/build-%s.log" % kit["name"])
            log.write_text("")
            variables = dict(self.plan.data["variables"], **kit["variables"],
                             KIT=self.plan.kit_folder(kit), JOBS=self.values.jobs)
            code = command.script("prepare", log, variables, step)
            step.done("done" if not code else "exit code %d" % code)
            if code:
                said = [line for line in command.tail(log, 40).splitlines()
                        if line.startswith("tdp_stress: ")]
                why = said[-1][len("tdp_stress: "):] if said else "see %s" % log
                self.not_built[kit["name"]] = (code, why)
                say("  %s: %s" % (kit["name"], why))

    def left(self):
        """Jobs that are to be run."""
        done = self.plan.done_names()
        return [j for j in self.plan.jobs if j.name not in done and
                j.kit["name"] not in self.not_built and self.deaths[j.name] < self.values.tries]

    # rounds

    def run(self, engine):
        """Rounds until nothing is left: what died in one is in the next."""
        number = self._first_round()
        jobs = self.left()
        pause = 0.0
        while jobs:
            time.sleep(pause)
            submitted = engine.start(jobs, number)
            self.goal = self.merged.done() + len(jobs)
            self._watch(engine, len(jobs))
            if submitted:
                pause += _PAUSE
                done = self.plan.done_names()
                self._bury([j for j in jobs if j.name not in done], number, engine)
            number += 1
            jobs = self.left()

    def _first_round(self):
        return 1 + max([int(p.stem.partition("-")[2])
                        for p in (self.plan.folder / "log").glob("round-*.jobs")], default=0)

    def _watch(self, engine, count):
        step = Step("%d jobs" % count)
        while engine.running():
            self._look(step, engine)
            time.sleep(_PERIOD)
        self._look(step, engine)
        step.done("%d of %d done" % (self.merged.done(), len(self.plan.jobs)))
        if engine.complaint():
            say("  " + engine.complaint())

    def _look(self, step, engine):
        for result in self.merged.look():
            self.came = time.monotonic()
            self._new(result)
        words = "%d of %d done" % (self.merged.done(), len(self.plan.jobs))
        failed = self.merged.failures()
        words += ", %d failed" % failed if failed else ""
        if engine.state():
            words += ", " + engine.state()
        step.progress(words + self._estimate())
        if time.monotonic() - self.paged > _PAGE_PERIOD:
            self.report()

    def _estimate(self):
        here = self.merged.done() - self.done_before
        to_go = self.goal - self.merged.done()
        if to_go <= 0:
            return ""
        if not here:
            return ", about %s per job" % merge.span(self.plan.data["duration"] + _BESIDES)
        # as fast as up to the last that came, and that was a while ago
        each = (self.came - self.began) / here
        left = each * to_go + self.came - time.monotonic()
        return ", about %s left" % merge.span(left) if left > 0 else ", longer than those before"

    def _new(self, result):
        """Say what was not seen before."""
        title = merge.title_of(result)
        if title and title not in self.signatures:
            self.signatures.add(title)
            say("  new: %s, by %s" % (title, result["job"]))

    def _bury(self, jobs, number, engine):
        """Those that left no result."""
        known = engine.why(number)
        for job in jobs:
            self.deaths[job.name] += 1
            why = self.merged.last_words(job, number) or known.get(job.name) or \
                "it left no trace, if it was started at all"
            self.merged.died(job, number, why)
            if self.deaths.total() <= _NAMED:
                say("  died: %s: %s" % (job.name, why))
        if len(jobs) and self.deaths.total() > _NAMED:
            say("  %d jobs died in this round" % len(jobs))

    # results

    def report(self, over=False):
        """campaign.json, campaign.txt and campaign.html as of now."""
        self.paged = time.monotonic()
        data = self.merged.data(self.not_built, over)
        folder = self.plan.folder
        plans.write(folder / "campaign.json", json.dumps(data, indent=1) + "\n")
        plans.write(folder / "campaign.txt", merge.text(data))
        plans.write(folder / "campaign.html", page.html(data))
        return data

    def exit_code(self, data):
        """The worst of what has happened."""
        codes = [code for code, _ in self.not_built.values()]
        if data["jobs"]["failure"]:
            return EXIT_FAILURE
        for code in (EXIT_BUILD, EXIT_CONFIG, EXIT_USAGE):
            if code in codes:
                return code
        if codes or data["jobs"]["not_done"] or data["jobs"]["unsupported"]:
            return EXIT_ENVIRONMENT
        return EXIT_PASS


def judge_for(plan, values):
    """tdp-judge, if jobs leave traces."""
    return ours.judge(values.jobs) if plan.is_traced() and not values.program else None


def campaign():
    values = Values()
    plan = plans.take_up(values)
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise usage("CAMPAIGN=%s: cannot be made: %s" % (plan.folder, e.strerror)) from e
    say("tdp_stress: campaign, %d scenario(s) x %d seed(s) from %d on, %d s each" %
        (len(plan.data["kits"]), plan.data["seeds"], plan.data["seed"], plan.data["duration"]))
    say("  folder: %s" % plan.folder)
    with cache.lock(plan.folder) as lock:
        engine = engines.choose(plan, values.hosts, values.slurm, lock)
        plans.make(plan, lambda: judge_for(plan, values))
        return _all_of_it(Campaign(plan, values), engine)


def _all_of_it(one, engine):
    one.merged.look()
    one.done_before = one.merged.done()
    one.signatures = {merge.title_of(r) for r in one.merged.results()}
    if one.done_before:
        say("  %d of %d jobs are done" % (one.done_before, len(one.plan.jobs)))
    try:
        one.build()
        one.began = one.came = time.monotonic()
        one.run(engine)
    except KeyboardInterrupt:
        say("\n  stopping; the same command goes on with it")
        engine.stop()
        one.merged.look()
        one.report()
        say("  so far: %s" % (one.plan.folder / "campaign.html"))
        raise
    one.merged.look()
    if one.merged.done() == len(one.plan.jobs):
        engine.finish()
    data = one.report(over=True)
    say()
    for line in merge.text(data).splitlines():
        say(line)
    say("  page: %s" % (one.plan.folder / "campaign.html"))
    if one.merged.unreadable:
        raise lacking("%s: cannot be read; remove it, and the job is run again" %
                      one.merged.unreadable[0])
    return one.exit_code(data)


if __name__ == "__main__":
    if len(sys.argv) in (4, 5) and sys.argv[1] == "job":
        main(lambda: jobs_.run(*sys.argv[2:]), operands=4)
    main(campaign)
