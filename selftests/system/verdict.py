# SPDX-License-Identifier: GPL-2.0
"""Guests that go wrong, played by a shell script: never a success.

Runs the real watcher and the real judge on machines that are no machines.
Prints TAP. Knows what each file of a good run has to say, so that each test
can leave one thing out.
"""

import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import say                  # noqa: E402
from qemu import judge, stale, watch    # noqa: E402
from said import plan, result           # noqa: E402

#: of a machine that does as it should, on a busy one
_LIMITS = {"boot": 60, "silence": 60, "total": 120, "power_off": 60}

GOOD = {
    "stress.verdict": "SUCCESS\n",
    "stress.stats": "check.F1 10\nviolation.F1 0\n",
    "stress.violations": "",
    "stub.stats": "td.live 0\nvcpu.live 0\npamt.REG 0\n",
    "driver.log": "tdp-stress: SUCCESS\n",
    "dmesg": "<4>[    1.0] an old warning of the boot\n<14>[    2.0] tdp_stress run: begin\n"
             "<4>[    3.0] tdx_stub: loading out-of-tree module taints kernel.\n"
             "<6>[    4.0] all is well\n",
}


#: a good run on the external backend
EXTERNAL = {
    "stress.verdict": "SUCCESS\n",
    "stress.stats": "check.F1 10\ntdx.td.live 0\ntdx.vcpu.live 0\ntdx.pamt.REG 0\n",
    "stress.violations": "",
    "stress.ops": "# name root level calls ok retry yield other\n"
                  "map mirror 4K 100 90 10 0 0\nzap_leafs direct - 5 5 0 3 0\n",
    "stress.state": "done 60\n",
    "dmesg": GOOD["dmesg"],
}
_EXTERNAL = ("@cpu svm", "@torture 0", "@memory 500000 499000")


def script(files, messages=("@vmx none", "@driver 0"), begin="@boot 3", end="@end 9",
           console="", last="exit 0"):
    """A shell script that does to its files what a guest would do."""
    lines = ["exec > results", "echo '%s'" % begin if begin else ":"]
    lines += ["echo '%s'" % m for m in messages]
    for name, text in files.items():
        lines.append("printf '%%s\\n' '@file %s %d'; printf '%%s\\n' '%s'" %
                     (name, len(text), text))
    lines += ["echo '%s'" % end if end else ":", "cat > console.log <<'EOF'", console, "EOF", last]
    return "\n".join(lines)


def verdict_of(text, **short):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "console.log").touch()
        outcome = watch.run(["sh", "-c", text], Path(folder),
                            watch.Limits(**{**_LIMITS, **short}))
        return outcome, judge.judge(outcome)


def expect(title, text, word, reason="", code=None, **short):
    """@short: limits of a machine that hangs."""
    outcome, verdict = verdict_of(text, **short)
    good = verdict.word == word and reason in verdict.reason and \
        (code is None or verdict.exit_code == code)
    result(good, title, "wanted %s '%s'; it is %s '%s', exit code %d; the guest %s: %s" %
           (word, reason, verdict.word, verdict.reason, verdict.exit_code, outcome.end,
            outcome.why))


def but(good=None, **changes):
    """GOOD with some files changed, or left out if None; _ stands for a dot."""
    files = dict(good or GOOD)
    for name, text in changes.items():
        name = name.replace("_", ".")
        if text is None:
            del files[name]
        else:
            files[name] = text
    return files


class _Emulated:
    name = "tcg"


class _Accelerated:
    name = "kvm"


def died_booting():
    """An int3 that QEMU keeps is excused in the boot only, and only if it emulates."""
    int3, other = "Oops: int3: 0000 [#1] SMP NOPTI", "Oops: 0000 [#1] SMP NOPTI"
    for title, machine, why, booted, wanted in (
            ("while it boots", _Emulated, int3, None, True),
            ("later", _Emulated, int3, 1.0, False),
            ("with KVM", _Accelerated, int3, None, False),
            ("of something else", _Emulated, other, None, False)):
        outcome = watch.Outcome()
        outcome.why, outcome.boot_seconds = why, booted
        result(stale.ended(machine, outcome) == wanted,
               "a guest that dies of an int3 or not: %s" % title, "booted again: %s" % (not wanted))


def main():
    failure, success, unsupported = judge.FAILURE, judge.SUCCESS, judge.UNSUPPORTED
    expect("a good run", script(GOOD), success, code=say.EXIT_PASS)

    expect("hangs in the boot", "sleep 600", failure, "did not boot", say.EXIT_FAILURE, boot=2)
    expect("falls silent", script(GOOD, end="", last="sleep 600"), failure, "said nothing",
           silence=2)
    expect("talks for ever", script(GOOD, end="", last="while sleep 0.2; do echo @alive; done"),
           failure, "did not finish", total=4)
    expect("does not power off", script(GOOD, last="sleep 600"), failure, "did not power off",
           power_off=2)
    expect("ends before its job does", script(GOOD, end=""), failure, "before its job was done")
    expect("panics", script(GOOD, end="", console="Kernel panic - not syncing: Oh no"),
           failure, "Kernel panic")
    expect("QEMU is killed", script(GOOD, end="", last="kill -9 $$"), unsupported,
           "killed by signal 9", say.EXIT_ENVIRONMENT)
    expect("QEMU ends with an error", script({}, (), "", "", last="exit 1"), unsupported,
           "ended with code 1")

    expect("no verdict of tdp_stress", script(but(stress_verdict=None)), failure, "no verdict")
    expect("a violation", script(but(stress_verdict="FAILURE: X2\n",
                                     stress_violations="X2: table freed with 3 children\n")),
           failure, "violated: X2 (X2: table freed")
    expect("nothing was checked", script(but(stress_stats="check.F1 0\n")), failure,
           "checked nothing")
    expect("tdp_stress calls it unsupported",
           script(but(stress_verdict="UNSUPPORTED: no TD was seen\n")), unsupported,
           "no TD was seen", say.EXIT_ENVIRONMENT)
    expect("the driver fails", script(GOOD, ("@vmx none", "@driver 1")), failure,
           "the driver ended with 1")
    expect("the driver is misused", script(GOOD, ("@vmx none", "@driver 2")), failure,
           "bad usage of the driver", say.EXIT_USAGE)
    expect("the driver misses something", script(GOOD, ("@vmx none", "@driver 3")), unsupported,
           "the driver", say.EXIT_ENVIRONMENT)
    expect("the driver hangs", script(GOOD, ("@vmx none", "@driver 124")), failure,
           "did not end in time")
    expect("the driver was never started", script(GOOD, ("@vmx none",)), failure, "not run")
    expect("a TD is left", script(but(stub_stats="td.live 1\nvcpu.live 2\npamt.REG 0\n")),
           failure, "1 TD(s) and 2 vCPU(s)")
    expect("the PAMT is not empty", script(but(stub_stats="td.live 0\npamt.REG 3\n")), failure,
           "pamt.REG 3")
    expect("no statistics of the stub", script(but(stub_stats=None)), failure, "no statistics")
    expect("a module does not unload",
           script(GOOD, ("@vmx none", "@driver 0", "@fail unload kvm: in use")), failure,
           "unload kvm")
    expect("a module does not load", script(GOOD, ("@fail load tdx_stub: no",)), unsupported,
           "load tdx_stub", say.EXIT_ENVIRONMENT)
    expect("a warning nobody explains",
           script(but(dmesg=GOOD["dmesg"] + "<4>[    5.0] something odd\n")), failure,
           "something odd")
    splat = "<4>[    5.0] ------------[ cut here ]------------\n<4>[    5.0] WARNING: " \
        "kernel/time/hrtimer.c:1098 at hrtimer_forward+0x100/0x170, CPU#1: rcu_preempt/14\n" \
        "<4>[    5.0] Call Trace:\n<4>[    5.0]  dl_task_timer+0xc34/0x2bc0\n"
    end = "<4>[    5.0] ---[ end trace 0000000000000000 ]---\n"
    expect("a known warning with its trace", script(but(dmesg=GOOD["dmesg"] + splat + end)),
           success, code=say.EXIT_PASS)
    expect("something odd behind it", script(
        but(dmesg=GOOD["dmesg"] + splat + end + "<4>[    5.0] something odd\n")), failure,
        "something odd")
    expect("another warning behind one whose end is lost", script(
        but(dmesg=GOOD["dmesg"] + splat + splat.replace("hrtimer_forward", "kvm_init"))), failure,
        "4 unexplained")
    expect("the kernel log does not arrive", script(but(dmesg=None)), failure, "did not arrive")
    external()
    died_booting()
    plan()
    return 0


def external():
    failure, success, unsupported = judge.FAILURE, judge.SUCCESS, judge.UNSUPPORTED
    expect("external: a good run", script(EXTERNAL, _EXTERNAL), success, code=say.EXIT_PASS)
    expect("external: the workers do not end", script(
        but(EXTERNAL, stress_state="running 70\n"), ("@cpu svm", "@torture 124")), failure,
        "did not end in time (running 70)")
    expect("external: the workers were never waited for", script(EXTERNAL, ("@cpu svm",)), failure,
           "never waited for")
    expect("external: no operation was run", script(but(
        EXTERNAL, stress_ops="# name root level calls ok\nmap mirror 4K 0 0\n"), _EXTERNAL),
        failure, "no operation was run")
    expect("external: no table of operations", script(but(EXTERNAL, stress_ops=None), _EXTERNAL),
           failure, "no operation was run")
    expect("external: a violation", script(but(EXTERNAL, stress_verdict="FAILURE: S1\n"),
                                           _EXTERNAL), failure, "violated: S1")
    expect("external: a split that this kernel cannot do", script(but(
        EXTERNAL, stress_verdict="UNSUPPORTED: no page for a split\n"), _EXTERNAL), unsupported,
        "no page for a split", say.EXIT_ENVIRONMENT)
    splat = "<4>[    5.0] ------------[ cut here ]------------\n<4>[    5.0] WARNING: " \
        "arch/x86/kvm/mmu/tdp_mmu.c:589 at handle_changed_spte+0x25/0x50 [kvm], CPU#1: w0:split\n" \
        "<4>[    5.0] Call Trace:\n<4>[    5.0] ---[ end trace 0000000000000000 ]---\n"
    refused = but(EXTERNAL, stress_verdict="UNSUPPORTED: no page for a split\n",
                  stress_stats=EXTERNAL["stress.stats"] + "refused.splats 1\n",
                  dmesg=EXTERNAL["dmesg"] + splat)
    expect("external: KVM's answer to what was refused", script(refused, _EXTERNAL), unsupported,
           code=say.EXIT_ENVIRONMENT)
    expect("external: the same once more than was refused", script(
        but(refused, dmesg=EXTERNAL["dmesg"] + 2 * splat), _EXTERNAL), failure, "unexplained")
    expect("external: another warning besides", script(
        but(refused, dmesg=refused["dmesg"] + "<4>[    6.0] something odd\n"), _EXTERNAL),
        failure, "something odd")
    expect("external: pages of a TD are left", script(but(
        EXTERNAL, stress_stats="check.F1 10\ntdx.td.live 0\ntdx.pamt.REG 2\n"), _EXTERNAL),
        failure, "pamt.REG 2")
    expect("external: no statistics of the emulated module", script(but(
        EXTERNAL, stress_stats="check.F1 10\n"), _EXTERNAL), failure, "no statistics")
    expect("external: memory is gone", script(
        EXTERNAL, ("@cpu svm", "@torture 0", "@memory 500000 400000")), failure,
        "97 MiB less are free")
    expect("external: a parameter the module refuses", script(but(EXTERNAL), (
        "@fail load tdp_stress: insmod: cannot insert: Invalid argument: "
        "tdp_stress: ops: foo is no operation; known: map",)),
        unsupported, "tdp_stress: ops: foo", say.EXIT_USAGE)
    expect("external: the module refuses this machine", script(but(EXTERNAL), (
        "@fail load tdp_stress: tdp_stress: npt is off",)), unsupported, "npt is off",
        say.EXIT_ENVIRONMENT)


if __name__ == "__main__":
    sys.exit(main())
