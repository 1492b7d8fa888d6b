# SPDX-License-Identifier: GPL-2.0
"""What a run on this machine takes, built for the kernel that it runs.

Knows modules.py and the driver's Makefile; loads nothing, runs nothing.
"""

import os
from collections import namedtuple

from common import cache, command
from common.say import Step, lacking, usage
from kernel import installed
from kernel.failure import failure
from qemu import initramfs
import backend
import modules

#: @release: of the kernel; @module, @driver: paths
Built = namedtuple("Built", "release module driver")


def kernel(values):
    """The kernel that runs, by its headers; refused if KDIR= is another one's."""
    found = installed.get(values.kdir, values.force)
    running = os.uname().release
    if found.release != running:
        raise usage("KDIR=%s: is of Linux %s, but this machine runs %s" %
                    (values.kdir, found.release, running))
    return found


def get(values, found):
    """The Built for the installed kernel @found."""
    if not found.tdx:
        raise lacking("Linux %s is built without CONFIG_KVM_INTEL_TDX" % found.release)
    out, tree, paths = modules.build(values, found)
    backend.check_parameters("STRESS", values.stress, "tdp_stress",
                             initramfs.parameters(paths[-1]))
    headers = installed.program_headers(found, tree, out / "uapi")
    programs = out / "driver"
    log = out / "driver.log"
    with cache.lock(out):
        log.write_text("")
        step = Step("build tdp-stress and the guest's code")
        if command.logged(["make", "-C", cache.REPO / "selftests", "KHDR=%s" % headers,
                           "O=%s" % programs, "-j%d" % values.jobs, programs / "tdp-stress"],
                          log, tick=lambda: step.progress("building")):
            step.failed()
            raise failure(out, log, "the driver does not build")
        step.done()
    return Built(found.release, paths[-1], programs / "tdp-stress")
