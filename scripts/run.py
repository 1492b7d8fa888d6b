# SPDX-License-Identifier: GPL-2.0
"""make run: from nothing to a verdict.

Knows the order of things; each of them is done elsewhere.
"""

import shutil

from common.say import main, say
from common.settings import Values
from qemu import judge, places, report, session, setup
from uml import stress as in_uml


def run():
    times = report.Times()
    values = Values()
    if values.where == "uml":
        return in_uml.run(values, None if values.kit else setup.get_tree(values))
    what = setup.get_backend(values)
    say("tdp_stress: SEED=%d, %d s, BACKEND=%s, %s" %
        (values.seed, values.duration, what.name, what.title(values)))
    kernel, built = setup.prepare(values)
    say("  kernel: Linux %s, %s, %s (%.1f s)" % (kernel.release, kernel.config_name,
                                                kernel.how, kernel.seconds))
    machine = setup.get_machine(values, kernel)
    setup.say_machine(machine)
    folder = session.new_folder(values)
    say("  run folder: %s" % folder)
    replace = setup.get_variant(values, kernel, folder / "modules")

    times.prepared()
    guest = session.Session(values, kernel, built, machine, folder)
    outcome = setup.stress(guest, values, replace, on_text=lambda text: say("  " + text),
                     **({"STOP_EARLY": 1} if values.mutant or values.stop_early else {}))
    verdict = judge.judge(outcome)
    if verdict.word == judge.FAILURE and values.lines and not values.kit:
        places.keep(folder, kernel, replace, setup.get_change(values), values.jobs)
    shutil.rmtree(folder / "modules", ignore_errors=True)
    report.end(values, kernel, machine, outcome, verdict, times, folder)
    return verdict.exit_code


if __name__ == "__main__":
    main(run)
