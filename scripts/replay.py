# SPDX-License-Identifier: GPL-2.0
"""make replay: a run that failed once more, as it was; does the same come again?

RUN= is the folder of a make run, make kunit or make kselftest, or a file that make
minimise has made. Exit codes: 0 the same failure was seen, 1 another one, 6 none;
of a recipe that expects nothing: 0 if all tries were clean, 1 if something was seen.
The same is what has the same invariant in the same function of KVM (LIKE= asks for more
or less of it).
Knows what is asked and what is said; a run is reproduce.trial's.
"""

import time
from pathlib import Path

from common import cache, command
from common.say import (EXIT_ENVIRONMENT, EXIT_FAILURE, EXIT_NOT_SEEN, EXIT_PASS, main, say, usage)
from kernel import source
from qemu import setup
from reproduce import again, trial


def _folder(values, recipe):
    """A new folder for the tries."""
    name = "replay-%s-%s" % (recipe.name, time.strftime("%H%M%S"))
    folder = Path(values.rundir).expanduser().absolute() if values.rundir else \
        cache.REPO / "run" / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise usage("RUNDIR=%s: cannot write there: %s" % (folder, e.strerror)) from e
    return folder


def _exit_code(recipe, count):
    w = count.words
    if w[trial.SAME] or w[trial.OTHER]:
        return EXIT_PASS if w[trial.SAME] else EXIT_FAILURE
    if not recipe.expect:
        return EXIT_PASS if count.clean else EXIT_ENVIRONMENT
    return EXIT_NOT_SEEN if w[trial.NONE] else EXIT_ENVIRONMENT


def _verdict(recipe, count):
    if not recipe.expect:
        return "nothing was to be seen: " + count.text_of_nothing()
    return count.text()


def _say_what_changed(recipe, values):
    """It is run by what is here now, on the kernel as it is now."""
    versions = recipe.data.get("versions", {})
    tool, kvm = versions.get("tdp_stress"), versions.get("kvm")
    if tool and tool != command.revision():
        say("  that was tdp_stress %s, this is %s" % (tool, command.revision()))
    if kvm and not values.program and \
            kvm != source.fingerprint(setup.get_tree(values)):
        say("  the kernel's KVM is not what it was then: what is seen is what it is now")
    for name in ("qemu-cmd", "uml-cmd"):
        if recipe.source.is_dir() and (recipe.source / name).exists():
            say("  the guest as it was: %s" % (recipe.source / name))


def replay():
    recipe, values = again.asked("replay")
    tries = values.tries if "TRIES" in values.given else recipe.tries or values.tries
    folder = _folder(values, recipe)
    say("tdp_stress: replay of %s, %d tries, LIKE=%s" % (recipe.source, tries, values.like))
    say("  %s" % again.command(recipe))
    say("  to be seen: %s" % (recipe.expect or "nothing"))
    _say_what_changed(recipe, values)
    trials = trial.Trials(recipe, folder, values.like, values.program, values.jobs)
    try:
        trials.build()
        count = again.run(recipe, trials, tries)
    finally:
        trials.drop_kit()
    say("--- End of replay: %s" % _verdict(recipe, count))
    say("    files: %s" % folder)
    return _exit_code(recipe, count)


if __name__ == "__main__":
    main(replay)
