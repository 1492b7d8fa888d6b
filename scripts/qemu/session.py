# SPDX-License-Identifier: GPL-2.0
"""One guest in one run folder: prepare, boot, watch, keep the files.

Knows how the parts of this folder go together; must not know what is judged.
"""

import shutil
import time
from pathlib import Path

from common import cache, command
from common.say import lacking, say, usage
from common.settings import memory_mib
from qemu import initramfs, stale, watch

#: seconds; a loaded machine under TCG is slow, KASAN slower
_BOOT, _SILENCE, _GRACE, _POWER_OFF = 90, 60, 120, 20
_DRIVER_GRACE = 60
#: what an earlier run in the same folder may have left, and this one may not
_LEFT = ("console.log", "results", "summary.json", "dmesg", "problem", "driver.json", "driver.log",
         "driver.code", "stub.stats", "stub.state", "stress.verdict", "stress.violations",
         "stress.stats", "stress.ops", "stress.state", "stress.not_checked", "stress.flight",
         "stress.flight.first", "trace.b64", "trace.txt", "trace.judged", "trace.json",
         "places.json", "report.html", "perfetto.json")


def new_folder(values, prefix=""):
    """Make the folder of a run, RUNDIR or a new one, and point run/latest at it."""
    base = cache.REPO / "run"
    name = prefix + time.strftime("%Y%m%d-%H%M%S") + "-%d" % values.seed
    try:
        if values.rundir:
            folder = Path(values.rundir).expanduser().absolute() / prefix.rstrip("-")
            folder.mkdir(parents=True, exist_ok=True)
        else:
            base.mkdir(exist_ok=True)
            folder = _unused(base, name)
        for old in _LEFT:
            (folder / old).unlink(missing_ok=True)
        (folder / "console.log").touch()
    except OSError as e:
        raise usage("RUNDIR=%s: cannot write there: %s" %
                    (values.rundir or base, e.strerror)) from e
    if not values.rundir:
        try:
            (base / "latest").unlink(missing_ok=True)
            (base / "latest").symlink_to(folder.name)
        except OSError:
            pass        # a convenience; the folder's name is printed as well
    return folder


def _unused(base, name):
    """A folder of that name, or of one like it: others may start at this moment."""
    for suffix in [""] + ["-%d" % n for n in range(2, 100)]:
        try:
            (base / (name + suffix)).mkdir()
            return base / (name + suffix)
        except FileExistsError:
            continue
    raise usage("%s: too many runs of this name" % (base / name))


class Session:
    """What a guest is made of."""

    def __init__(self, values, kernel, ours, machine, folder):
        self.values = values
        self.kernel = kernel
        self.ours = ours
        self.machine = machine
        self.folder = folder

    def on(self, machine, values):
        """The same on another machine, with other values."""
        return Session(values, self.kernel, self.ours, machine, self.folder)

    def boot(self, job, params, seconds, on_text=lambda text: None,
             on_message=lambda word, rest: None, replace=None, modules=None, extra=""):
        """Boot, run @job for about @seconds, return the watch.Outcome."""
        v = self.values
        params = dict(params, DRIVER_GRACE=_DRIVER_GRACE * self.machine.slow)
        modules = {**(modules or self.ours.modules),
                   **stale.modules(self.machine, self.kernel, v.jobs)}
        try:
            initramfs.write(self.folder / "initrd", self.kernel, modules, self.ours.programs,
                            job, params, replace)
            shutil.copyfile(self.kernel.image, self.folder / "bzImage")
            shutil.copyfile(self.kernel.dot_config, self.folder / "config")
        except OSError as e:
            raise lacking("%s: cannot be written: %s" % (self.folder, e.strerror)) from e
        argv = self.machine.prepare(self.folder, memory_mib(v), extra)
        slow = self.machine.slow * (2 if v.kasan else 1)
        limits = watch.Limits(_BOOT * slow, _SILENCE * slow,
                              seconds + (_DRIVER_GRACE + _BOOT + _GRACE) * slow,
                              _POWER_OFF * slow)
        run = lambda: watch.run(argv, self.folder, limits, on_text, on_message,
                                self.machine.clean_exits)
        outcome = run()
        if stale.ended(self.machine, outcome):
            say("  the guest died of an int3 before anything of ours was in it, which QEMU's "
                "emulator may do: booting it again")
            outcome = run()
        for name, text in outcome.files.items():
            (self.folder / name).write_text(text)
        if not v.keep:
            for name in ("results", "machine.log"):
                if outcome.end != "killed":
                    (self.folder / name).unlink(missing_ok=True)
        return outcome

    def last_console_lines(self):
        return last_lines(self.folder)


def last_lines(folder, count=30):
    """What a guest said last on its console."""
    return command.tail(folder / "console.log", count).splitlines()[-count:]
