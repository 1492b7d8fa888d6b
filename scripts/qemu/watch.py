# SPDX-License-Identifier: GPL-2.0
"""Runs a machine and watches it: progress to the terminal, an end to hangs.

Knows processes and the channel; must not know what a result means.
"""

import subprocess
import time

from common import command
from common.say import say
from qemu.channel import Channel


class Limits:
    """How long what may take, in seconds."""

    def __init__(self, boot, silence, total, power_off):
        self.boot = boot
        self.silence = silence
        self.total = total
        self.power_off = power_off


class Outcome:
    """What became of a guest.

    @end: "finished" (the job ran to its end and the machine went off), "hung"
    (killed by us), "died" (rebooted, panicked or powered off too early) or
    "killed" (the machine itself ended by a signal or an error of its own).
    """

    def __init__(self):
        self.end = "died"
        self.why = ""
        self.messages = []
        self.files = {}
        self.boot_seconds = None
        self.seconds = 0.0

    def words(self, word):
        return [rest for w, rest in self.messages if w == word]


def run(argv, folder, limits, on_text=lambda text: None, on_message=lambda word, rest: None,
        clean_exits=(0,), output="machine.log", env=None):
    """Run @argv in @folder (console.log, results) until it ends or has to be ended.

    @output: the file in @folder for what @argv itself prints.
    """
    if command.verbose():
        say("+ " + command.shown(argv, folder))
    channel = Channel(folder / "results")
    outcome = Outcome()
    start = time.monotonic()
    heard = start
    ended = None            # when the job was over
    with open(folder / output, "wb") as log:
        p = subprocess.Popen(command.ends_with_us(argv, "KILL"), cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, start_new_session=True,
                             env=env or command.environment())
        try:
            while True:
                running = p.poll() is None
                before = channel.bytes
                for word, rest in channel.read():
                    if word == "boot":
                        outcome.boot_seconds = time.monotonic() - start
                    elif word == "text":
                        on_text(rest)
                    elif word == "end":
                        ended = time.monotonic()
                    else:
                        on_message(word, rest)
                    outcome.messages.append((word, rest))
                now = time.monotonic()
                if channel.bytes != before:
                    heard = now
                if not running:
                    break
                why = _overdue(outcome, limits, now - start, now - heard,
                               ended and now - ended)
                if why:
                    outcome.end, outcome.why = "hung", why
                    break
                time.sleep(0.1)
        finally:
            command.stop(p)
    outcome.seconds = time.monotonic() - start
    outcome.files = channel.files
    if ended and outcome.end != "hung" and p.returncode in clean_exits:
        outcome.end = "finished"
    elif outcome.end != "hung":
        _explain_death(outcome, p.returncode, folder)
    return outcome


def _overdue(outcome, limits, age, silent, since_end):
    if since_end is not None:
        return "it did not power off after its job" if since_end > limits.power_off else ""
    if outcome.boot_seconds is None:
        return "it did not boot within %d s" % limits.boot if age > limits.boot else ""
    if silent > limits.silence:
        return "it said nothing for %d s" % limits.silence
    if age > limits.total:
        return "it did not finish within %d s" % limits.total
    return ""


def _explain_death(outcome, code, folder):
    console = command.tail(folder / "console.log", 400)
    panic = [l for l in console.splitlines() if "Kernel panic" in l or "BUG: " in l
             or "Oops: " in l]
    # User Mode Linux ends by a signal when its kernel panics
    panicked = any("Kernel panic" in l for l in panic)
    if code < 0 and not panicked:
        outcome.end = "killed"
        outcome.why = "the machine was killed by signal %d (out of memory?)" % -code
    elif code > 0 and not panicked:
        outcome.end = "killed"
        outcome.why = "the machine ended with code %d: %s" % (
            code, command.tail(folder / "machine.log", 2).replace("\n", " "))
    else:
        outcome.why = panic[0].strip() if panic else "it stopped before its job was done"
