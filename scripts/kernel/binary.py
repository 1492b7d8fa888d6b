# SPDX-License-Identifier: GPL-2.0
"""Debian's own binary kernel: fetched, unpacked, made ready to build modules for.

Knows the form of Debian's kernel packages; must not know what boots the result.
No kernel is compiled. Host tools and generated headers come from `make
modules_prepare` on the source of the same version with the package's own
configuration: the tools in linux-kbuild run only where Debian's own libc and
compiler of that release are, this runs everywhere.
"""

import json
import lzma
import os
import re
import shutil
import time
from pathlib import Path

from common import cache, command, versions
from common.say import Problem, Step, build_failed, lacking, say, usage
from kernel import config, debian, source
from kernel.apt import Apt, unpack_failed
from kernel.failure import failure

#: where a binary kernel of a version may be found, for all of versions.BINARIES
_SUITES = {
    "7.3": ("trixie-backports", "forky", "sid"),
    "7.2": ("trixie-backports", "forky", "sid"),
    "6.12": ("trixie",),
}
_NEED_MIB = 1100
#: what neither modules_prepare nor KVM's private headers need: 1.5 GiB of 1.8
_NOT_UNPACKED = ("*/Documentation/*.rst", "*/Documentation/*.txt", "*/Documentation/*.yaml",
                 "*/drivers/*.[ch]", "*/sound/*.[ch]", "*/fs/*.c", "*/net/*.c",
                 "*/arch/[!x]*/*.[chS]", "*/tools/testing/*", "*.dts*")
#: what only signs modules or describes their types to BPF, and takes as long to
#: build as all the rest; the configuration, which structures depend on, keeps it
_NO_TOOLS = ("CONFIG_DEBUG_INFO_BTF=", "CONFIG_DEBUG_INFO_BTF_MODULES=",
             "CONFIG_MODULE_SIG_FORMAT=")
#: options that say what the compiler can do, or how it was called
_TOOLCHAIN = re.compile(r"CONFIG_(CC_|GCC_|CLANG_|AS_|LD_|LLD_|RUSTC_|PAHOLE_|TOOLS_)\w+")


class Binary:
    """A binary kernel; the members that others use are those of build.Kernel."""

    #: neither is there a driver's KVM_TDX_* to talk to, nor a TDX host
    tdx = False
    config_name = "debian"

    def __init__(self, release, folder):
        self.release = release                  # "7.3.4+deb13-amd64"
        self.folder = folder
        self.out = folder / "kernel"            # the folder of modules_prepare
        self.log = folder / "kernel.log"
        self.image = folder / "vmlinuz"
        self.dot_config = self.out / ".config"
        self.headers = None
        self.make_args = ["LOCALVERSION=" + _local(release), *_NO_TOOLS]
        state = json.loads((folder / "state.json").read_text())
        self.tree = source.Tree(Path(state["tree"]), state["version"],
                                re.match(r"[\d.]+", release).group())
        self.package = state["package"]
        self.stamp = self.package
        self.interface = ""
        self.how = "Debian's own, package version %s" % self.package
        self.seconds = 0.0
        self._modules = None

    def module(self, name):
        """Path of the module @name (as in insmod), decompressed; None if built in."""
        if self._modules is None:
            self._modules = {}
            for ko in (self.folder / "modules").rglob("*.ko*"):
                self._modules[ko.name.partition(".")[0].replace("-", "_")] = ko
        packed = self._modules.get(name.replace("-", "_"))
        return packed and _decompressed(packed, self.folder / "plain")


def _local(release):
    return re.sub(r"^[\d.]+", "", release)


def _decompressed(packed, folder):
    if packed.suffix == ".ko":
        return packed
    target = folder / packed.stem
    if not target.exists():
        folder.mkdir(exist_ok=True)
        if packed.suffix == ".xz":
            data = lzma.decompress(packed.read_bytes())
            target.with_suffix(".new").write_bytes(data)
        else:
            code, _, error = command.output(["zstd", "-dqf", packed, "-o",
                                             target.with_suffix(".new")])
            if code:
                raise lacking("%s cannot be decompressed: %s" % (packed.name, error.strip()))
        os.replace(target.with_suffix(".new"), target)
    return target


def get(version=None):
    """The Binary of @version, or of the newest supported, ready for modules.

    What was fetched before is used as it is.
    """
    if version and version not in _SUITES:
        raise usage("KVER=%s: KERNEL=debian takes %s" % (version, " or ".join(_SUITES)))
    start = time.monotonic()
    wanted = [version] if version else list(versions.WITH_MIRROR)
    base = cache.folder("binary")
    with cache.lock(base):
        folder = _here(base, wanted[0])
        if not folder:
            try:
                folder = _fetch(base, wanted)
            except Problem as problem:
                folder = next((f for f in (_here(base, v) for v in wanted) if f), None)
                if not folder:
                    raise
                say("  %s" % problem.line)
                say("  Linux %s, which is here, is used instead" % folder.name)
        kernel = Binary(folder.name, folder)
        _prepare(kernel)
    kernel.seconds = time.monotonic() - start
    return kernel


def _here(base, version):
    found = [f.parent for f in base.glob("%s.*/state.json" % version)]
    return max(found, key=lambda f: source.number(f.name), default=None)


def _choose(apt, wanted):
    """(release, packages by name=version, suite, package version) of the newest kernel whose
    source is there as well.
    """
    for version in wanted:
        pattern = r"linux-(?:binary|image)-(%s\.\d+\+deb\d+-amd64)" % re.escape(version)
        suite, names = apt.versions(pattern + "|linux-source-" + re.escape(version))
        wanted_source = names.get("linux-source-" + version)
        fits = {n: v for n, v in names.items() if v == wanted_source and re.fullmatch(pattern, n)}
        if not fits:
            continue
        release = max((re.fullmatch(pattern, n).group(1) for n in fits), key=source.number)
        if "linux-binary-" + release in fits:
            packages = ["linux-binary-" + release, "linux-modules-" + release]
        else:
            packages = ["linux-image-" + release]
        packages += ["linux-headers-" + release, "linux-source-" + version]
        return release, packages, suite, wanted_source
    raise apt.not_found(["a binary Linux %s with its source" % v for v in wanted])


def _fetch(base, wanted):
    cache.need_space(base, _NEED_MIB, "a binary kernel and the headers of its source")
    suites = _SUITES[wanted[0]]
    release, packages, suite, package = _choose(Apt(suites), wanted)
    version = re.match(r"\d+\.\d+", release).group()
    tree = debian.unpacked(version, package)
    if tree:
        packages.pop()
    folder = base / ("fetch-" + release)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "debs").mkdir(parents=True)
    try:
        debs = Apt(suites).download("Linux %s, %d packages" % (release, len(packages)),
                                    ["%s=%s" % (p, package) for p in packages], suite,
                                    folder / "debs")
        _unpack(folder, debs)
        if not tree:
            tree = base / release / ("linux-source-" + version)
        _arrange(folder, release, {"tree": str(tree), "version": version, "package": package})
        shutil.rmtree(base / release, ignore_errors=True)
        os.rename(folder, base / release)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return base / release


def _run(argv, folder, name, step):
    log = cache.folder("log") / "unpack.log"
    if command.logged(argv, log, tick=lambda: step.progress(name)):
        step.failed()
        raise unpack_failed(folder, log, name)


def _unpack(folder, debs):
    step = Step("unpack %d packages" % len(debs))
    (cache.folder("log") / "unpack.log").write_text("")
    for deb in debs:
        _run(["dpkg", "-x", deb, folder / "debs/root"], folder, deb.name, step)
        deb.unlink()
    step.done()
    for tarball in (folder / "debs/root/usr/src").glob("linux-source-*.tar.xz"):
        step = Step("unpack the headers of %s" % tarball.name)
        _run(["tar", "-I", "xz -T0", "-xf", tarball, "-C", folder, "--wildcards"] +
             ["--exclude=" + pattern for pattern in _NOT_UNPACKED], folder, tarball.name, step)
        step.done()


def _arrange(folder, release, state):
    """Keep what is needed, by names that do not depend on the packages' form."""
    root = folder / "debs/root"
    images = [*root.glob("usr/lib/modules/*/vmlinuz"), *root.glob("boot/vmlinuz-*")]
    trees = [*root.glob("usr/lib/modules/*/kernel"), *root.glob("lib/modules/*/kernel")]
    headers = root / "usr/src" / ("linux-headers-" + release)
    if not images or not trees or not (headers / "Module.symvers").exists():
        raise lacking("Debian's packages of Linux %s do not have the form they had: no %s" % (
            release, "image" if not images else "modules" if not trees else "Module.symvers"))
    shutil.move(images[0], folder / "vmlinuz")
    shutil.move(trees[0], folder / "modules")
    shutil.move(headers / "Module.symvers", folder / "Module.symvers")
    shutil.move(headers / ".config", folder / "package.config")
    shutil.rmtree(folder / "debs")
    (folder / "state.json").write_text(json.dumps(state))


def _compiler():
    _, out, _ = command.output(["gcc", "--version"])
    return out.splitlines()[0] if out else ""


def _prepare(kernel):
    """modules_prepare, again only if the compiler is another one."""
    stamp = kernel.folder / "prepared"
    kernel.interface = "%s %s" % (kernel.package, _compiler())
    try:
        if stamp.read_text() == kernel.interface:
            return
    except OSError:
        pass
    step = Step("prepare to build modules for Linux %s" % kernel.release)
    shutil.rmtree(kernel.out, ignore_errors=True)
    kernel.out.mkdir()
    shutil.copy(kernel.folder / "package.config", kernel.dot_config)
    shutil.copy(kernel.folder / "Module.symvers", kernel.out)
    kernel.log.write_text("")
    argv = ["make", "-C", kernel.tree.path, "O=%s" % kernel.out, *kernel.make_args,
            "-j%d" % len(os.sched_getaffinity(0)), "olddefconfig", "modules_prepare"]
    if command.logged(argv, kernel.log, tick=lambda: step.progress("building host tools")):
        step.failed()
        raise failure(kernel.folder, kernel.log, "make modules_prepare failed")
    _check_configuration(kernel)
    got = (kernel.out / "include/config/kernel.release").read_text().strip()
    if got != kernel.release:
        raise build_failed("%s: modules would be built for Linux %s, not %s" %
                           (kernel.out, got, kernel.release))
    stamp.write_text(kernel.interface)
    step.done()


def _check_configuration(kernel):
    """Another compiler than Debian's makes kconfig drop some options. Structures
    must be those of the binary all the same: no option that a header asks for
    may differ, but those that only say what the compiler can do.
    """
    ours = config.read(kernel.dot_config)
    theirs = config.read(kernel.folder / "package.config")
    differ = {o for o in ours.keys() | theirs.keys()
              if ours.get(o) != theirs.get(o) and not _TOOLCHAIN.fullmatch(o)}
    if not differ:
        return
    asked = set()
    for part in ("include/linux", "include/kvm", "include/asm-generic", "arch/x86/include",
                 "arch/x86/kvm", "virt/kvm"):
        for header in (kernel.tree.path / part).rglob("*.h"):
            asked.update(re.findall(r"\bCONFIG_\w+", header.read_text(errors="replace")))
    bad = sorted(differ & asked)
    if bad:
        raise build_failed("with this compiler (%s) the configuration of Debian's kernel cannot "
                           "be kept: %s" % (_compiler(), ", ".join(
                               "%s is %s, not %s" % (o, ours.get(o, "not set"),
                                                     theirs.get(o, "not set")) for o in bad)))
