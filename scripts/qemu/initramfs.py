# SPDX-License-Identifier: GPL-2.0
"""What the guest finds in its root: busybox, modules, driver, the job.

Knows files; must not know what a job means.
"""

import os
import shlex
from pathlib import Path

from common import cache, command
from common.say import build_failed
from qemu.cpio import Archive

_GUEST = Path(__file__).resolve().parent / "guest"
_KVM = ("kvm", "kvm-intel", "kvm-amd")
#: jobs that are tests live with the other tests
_TESTS = cache.REPO / "selftests/system"
#: what runs on a machine with TDX as it is
_METAL = cache.REPO / "scripts/metal"


def _modinfo(field, path):
    code, out, err = command.output(["modinfo", "-F", field, path],
                                    env=command.environment({"PATH": _path()}))
    if code:
        raise build_failed("%s: modinfo: %s" % (path, err.strip()))
    return out.split("\n")


def _path():
    return os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"


def vermagic(path):
    """The release of the kernel that the module at @path is for."""
    return _modinfo("vermagic", path)[0].split(" ")[0]


def parameters(path):
    """Names of the parameters of the module at @path."""
    lines = _modinfo("parm", path) + _modinfo("parmtype", path)
    return sorted({line.split(":")[0] for line in lines if line.strip()})


def _dependencies(kernel, path, seen=()):
    """Names of the modules that have to be loaded before the one at @path, in order."""
    names = []
    for name in _modinfo("depends", path)[0].split(","):
        if name and name not in seen:
            ko = kernel.module(name)
            if not ko:
                raise build_failed("%s needs %s, which was not built" % (path, name))
            names += [n for n in _dependencies(kernel, ko, seen + (name,)) if n not in names]
            if ko.stem not in names:
                names.append(ko.stem)
    return names


def kernel_modules(kernel, replace=None):
    """{name: path} of KVM's modules and what they depend on; @replace: as in write()."""
    kos = {name: kernel.module(name) for name in _KVM}
    kos.update({name: ko for name, ko in (replace or {}).items() if name in kos})
    needed = []
    for ko in list(kos.values()):
        for name in _dependencies(kernel, ko):
            if name not in kos and name not in needed:
                needed.append(name)
    for name in needed:
        kos[name] = kernel.module(name)
    return kos


def write(path, kernel, modules, programs, job, params, replace=None):
    """Write the initramfs at @path.

    @modules, @programs: ours, {name: path}; @replace: modules of KVM, or of ours, to take
    from elsewhere (a mutant's), {name: path}; @params: the job's shell variables.
    """
    kos = kernel_modules(kernel, replace)
    kos.update({name: (replace or {}).get(name, ko) for name, ko in modules.items()})

    archive = Archive()
    archive.console()
    archive.copy("init", _GUEST / "init", 0o755)
    for script in sorted(_GUEST.glob("*.sh")) + sorted(_TESTS.glob("*.sh")):
        archive.copy(script.name, script)
    for script in sorted(_METAL.glob("*.sh")):
        archive.copy("metal/" + script.name, script)
    archive.copy("bin/busybox", "/bin/busybox", 0o755)
    for name, program in sorted(programs.items()):
        archive.copy(name, program, 0o755)
    for name, ko in sorted(kos.items()):
        archive.copy("modules/%s.ko" % name, ko)
        archive.file("modules/%s.params" % name, "".join(p + "\n" for p in parameters(ko)))
        deps = _dependencies(kernel, ko) if name in _KVM else []
        archive.file("modules/%s.deps" % name, " ".join(deps))
    lines = ["JOB=" + shlex.quote(job)]
    lines += ["%s=%s" % (name, shlex.quote(str(value))) for name, value in sorted(params.items())]
    archive.file("params", "\n".join(lines) + "\n")
    archive.write(path)
