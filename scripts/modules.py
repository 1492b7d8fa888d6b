# SPDX-License-Identifier: GPL-2.0
"""make modules: the modules alone, for a kernel that is there already.

For a user's own host, and for DKMS (dkms.conf). Knows kbuild's command line;
boots nothing, installs nothing, loads nothing.
"""

from common import cache, command, packages
from common.say import Step, build_failed, lacking, main, say
from common.settings import Values
from kernel import installed, ours
from kernel.failure import failure
from qemu import initramfs


def build(values, kernel):
    """(folder, KVM's headers, paths) of the modules, built for the installed @kernel."""
    packages.need(boot=False, install=False)
    names = ("tdx_stub", "tdp_stress") if kernel.tdx else ("tdp_stress",)
    out = cache.REPO / "build" / kernel.release
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise lacking("%s: cannot make this folder: %s" % (out, e.strerror)) from e
    with cache.lock(out):
        tree = installed.private_headers(kernel, values.ksrc, out / "source")
        say("  kernel: Linux %s in %s, KVM's headers from %s" %
            (kernel.release, kernel.kdir, tree))
        log = out / "build.log"
        log.write_text("")
        step = Step("build " + " and ".join(names))
        if command.logged(["make", "-C", kernel.kdir, *ours.where(tree, out), "KVM_SRC=%s" % tree,
                           "-j%d" % values.jobs, "modules"], log,
                          tick=lambda: step.progress("building")):
            step.failed()
            raise failure(out, log, "the modules do not build")
        step.done()
    paths = [out / "tdp_stress" / (name + ".ko") for name in names]
    for path in paths:
        built_for = initramfs.vermagic(path)
        if built_for != kernel.release:
            raise build_failed("%s: built for Linux %s, not %s" %
                               (path, built_for, kernel.release))
    return out, tree, paths


def modules():
    values = Values()
    kernel = installed.get(values.kdir, values.force)
    _, _, paths = build(values, kernel)
    for path in paths:
        say("built: %s" % path)
    _how_to(kernel, paths)


def _how_to(kernel, paths):
    say("on Linux %s, as root, where no VM runs that matters:" % kernel.release)
    say("  modprobe kvm_amd     # or kvm_intel")
    say("  insmod %s backend=external duration=60" % paths[-1])
    say("  dmesg -w             # ends with --- End of test: SUCCESS | FAILURE | UNSUPPORTED")
    say("  rmmod tdp_stress")
    if kernel.tdx:
        say("tdx_stub.ko is for backend=tdx, see Documentation/usage.rst")


if __name__ == "__main__":
    main(modules)
