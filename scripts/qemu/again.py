# SPDX-License-Identifier: GPL-2.0
"""Boots the guest of an earlier run again, from what that left: nothing is built.

Knows qemu-cmd (machine.py writes it); must not know what is judged.
"""

import shlex

from common.say import usage
from qemu import watch

_KEPT = ("qemu-cmd", "bzImage", "initrd")


def can(folder):
    """Whether @folder is that of a run whose guest can be booted again."""
    return all((folder / name).exists() for name in _KEPT)


def _argv(folder):
    """The command line of qemu-cmd, to the files of a run rather than to a terminal."""
    lines = [line for line in (folder / "qemu-cmd").read_text().splitlines()
             if not line.startswith(("#", "cd "))]
    words = [w for w in shlex.split(" ".join(line.rstrip("\\") for line in lines))
             if w not in ("exec", "$@")]
    if "stdio" not in words or "file:results.again" not in words:
        raise usage("%s: is not as make run writes it" % (folder / "qemu-cmd"))
    to = {"stdio": "file:console.log", "file:results.again": "file:results"}
    return [to.get(w, w) for w in words]


def boot(folder, limits, on_text=lambda text: None):
    """Boot it; returns the watch.Outcome. Its files replace those of the earlier run."""
    argv = _argv(folder)
    for name in ("console.log", "results"):
        (folder / name).unlink(missing_ok=True)
    outcome = watch.run(argv, folder, limits, on_text)
    for name, text in outcome.files.items():
        (folder / name).write_text(text)
    return outcome
