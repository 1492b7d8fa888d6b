# SPDX-License-Identifier: GPL-2.0
"""User Mode Linux as a machine: its command line, and a script that repeats it.

Knows UML's options; must not know what its kernel does.
"""

import os
import shlex
import shutil

from kunit import boot

_ARGS = ("seccomp=on", "console=tdps", "panic=0", "loglevel=7", "printk.time=1")
_RESULTS = "tdp_stress_results="
#: as boot.limit_stack(), for whoever starts the kernel by uml-cmd, too
_LIMIT = "ulimit -Ss %d 2>/dev/null" % (boot.STACK >> 10)


class Uml:
    """What a run needs to start the kernel; see qemu.machine.Qemu."""

    kind = "uml"
    slow = 1
    clean_exits = (0,)
    name = "native"
    reason = "user mode"

    def __init__(self, cpus):
        self.cpus = cpus

    def __str__(self):
        return "%s (%s)" % (self.name, self.reason)

    def version(self):
        return "User Mode Linux"

    def prepare(self, folder, binary, memory_mib, args):
        """Leave the kernel and uml-cmd in @folder; returns the command line to be run there."""
        shutil.copyfile(binary, folder / "linux")
        os.chmod(folder / "linux", 0o755)
        argv = ["./linux", "mem=%dM" % memory_mib, "ncpus=%d" % self.cpus, *_ARGS, *args]
        _write_command(folder / "uml-cmd", argv + [_RESULTS + "results.again"])
        return ["sh", "-c", _LIMIT + '; exec "$@"', "sh"] + argv + [_RESULTS + "results"]


def _write_command(path, words):
    lines = ["#!/bin/sh",
             "# Runs the kernel of this run again; its console comes to the terminal,",
             "# its results go to results.again.",
             'cd "$(dirname "$0")" || exit 3',
             _LIMIT,
             "exec " + " \\\n\t".join(shlex.quote(w) for w in words) + ' "$@"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.chmod(path, 0o755)
