# SPDX-License-Identifier: GPL-2.0
"""The QEMU machine: its command line, and a script that repeats it.

Knows QEMU's options; must not know what runs in the guest.
"""

import copy
import os
import shlex

# phys-bits: the TDP MMU's walks end at MAXPHYADDR, and a TD's shared memory is
# at 1 << 47 (GPAW 48); with TCG's default of 40 its direct roots are never zapped.
# TCG emulates SVM with nested page tables, and no VMX at all.
_TCG_CPU = {
    "vmx": "Icelake-Server,phys-bits=48,model=95",
    "svm": "EPYC,phys-bits=48",
}

#: the emulation whose clock is the number of instructions that all CPUs have executed
COUNTING = "icount"
_COUNTING_SHIFT = 1
INSTRUCTIONS_PER_SECOND = 10**9 >> _COUNTING_SHIFT


def _accel(name, feature):
    if name == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    if name == COUNTING:
        return ["-accel", "tcg,thread=single", "-icount",
                "shift=%d,align=off,sleep=off" % _COUNTING_SHIFT, "-cpu", _TCG_CPU[feature]]
    return ["-accel", "tcg,thread=multi", "-cpu", _TCG_CPU[feature]]


#: quieter would hide what a hang was about, louder costs seconds of UART
KERNEL_ARGS = "console=ttyS0 panic=-1 loglevel=7 log_buf_len=8M rcupdate.rcu_expedited=1 " \
    "audit=0 selinux=0"


def _firmware(program):
    """qboot starts the kernel a second earlier than the default BIOS, if there."""
    return ["-bios", "qboot.rom"] if program.has_file("qboot.rom") else []


def argv(program, accel, feature, cpus, memory_mib, kernel, initrd, console, results, extra=""):
    """The command line of a machine of @program with @accel; @feature: the CPU to emulate."""
    return [program.path, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            *_accel(accel, feature), "-smp", str(cpus), "-m", "%dM" % memory_mib,
            *_firmware(program), "-kernel", str(kernel), "-initrd", str(initrd),
            "-append", (KERNEL_ARGS + " " + extra).strip(),
            "-serial", console, "-serial", results]


class Qemu:
    """A machine: what a session needs to run a guest on it.

    @kind: as in MACHINE=; @title: for people; @name, @reason: acceleration; @slow:
    factor for every time limit; @clean_exits: exit codes after a guest powered off.
    """

    kind = "qemu"
    slow = 1
    clean_exits = (0,)

    def __init__(self, cpus, choice, feature, program):
        self.cpus = cpus
        self.program = program
        self.title = str(program)
        self.feature = feature
        self.name = choice.name
        self.reason = choice.reason

    def __str__(self):
        return "%s (%s)" % (self.name, self.reason)

    def version(self):
        return self.program.line

    def counting(self):
        """The same machine with a clock that no other job of the host disturbs. Its CPUs
        take turns.
        """
        other = copy.copy(self)
        other.name, other.reason, other.slow = COUNTING, "its clock counts instructions", 8
        return other

    def prepare(self, folder, memory_mib, extra=""):
        """Leave qemu-cmd in @folder, where bzImage and initrd are; returns the
        command line, to be run there.
        """
        args = (self.program, self.name, self.feature, self.cpus, memory_mib, "bzImage",
                "initrd")
        _write_command(folder / "qemu-cmd", self.program,
                       argv(*args, "stdio", "file:results.again", extra))
        return argv(*args, "file:console.log", "file:results", extra)


def _write_command(path, program, words):
    """A script next to the run's log that boots the same guest again."""
    lines = ["#!/bin/sh",
             "# Boots the guest of this run again; its console comes to the terminal,",
             "# its results go to results.again. %s" % program,
             'cd "$(dirname "$0")" || exit 3',
             "exec " + " \\\n\t".join(shlex.quote(w) for w in words) + ' "$@"']
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    os.chmod(path, 0o755)
