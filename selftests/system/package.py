# SPDX-License-Identifier: GPL-2.0
"""The Debian packages: built in a clean chroot, installed in another, and removed.

package.py [--chroot SCRATCH]: without --chroot, seconds: whether the files in debian/
agree with the rest, and make a source package. Prints TAP. Knows Debian's tools; the
mirror is the machine's own. Each chroot is mmdebstrap's: it is gone, and nothing is
mounted, when that ends, however it ends.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import packages                     # noqa: E402
from common.say import Problem                  # noqa: E402
from docs import facts                          # noqa: E402
from kernel.apt import Apt                      # noqa: E402
from said import plan, result, skip             # noqa: E402

#: where binary kernels come from for which the module is built
_SUITES = ("trixie", "trixie-backports")
_KERNEL = "7.3"
_LIMIT = 3600
#: what a used tree has besides
_MADE = ("run/20261122-1-1/console.log", "build/docs/index.html", "selftests/build/x.o")
#: bytes of a log that are shown
_TAIL = 3000


def _run(argv, **kwargs):
    kwargs.setdefault("timeout", 300)
    try:
        p = subprocess.run([str(a) for a in argv], text=True, errors="replace", check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, **kwargs)
    except subprocess.TimeoutExpired as e:
        return 124, "%s\nnot done after %d s" % (e.output or "", kwargs["timeout"])
    return p.returncode, p.stdout


def _changelog():
    return re.match(r"([\w-]+) \(([^)]+)\)", facts.read("debian/changelog")).groups()


def _version():
    name, version = _changelog()
    wanted = re.search(r'^PACKAGE_VERSION="(.*)"', facts.read("dkms.conf"), re.M).group(1)
    result(name == "tdp-stress" and version == wanted,
           "debian/changelog and dkms.conf have one version", "%s, %s" % (version, wanted))
    said = set(re.findall(r"tdp_stress/([\d.]+\d)",
                          facts.read("debian/tdp-stress-dkms.README.Debian")))
    result(said == {wanted}, "README.Debian has it, too", said)


def _installed():
    """Each file that a package takes is there, or made by the build."""
    pages = {"build/docs/man/%s.%s" % (m[0], m[1]) for m in re.findall(
        r'\("man/[\w-]+", "([\w-]+)", [^)]*, (\d)\)', facts.read("Documentation/conf.py"))}
    made = pages | {"build/docs/html", "debian/out/tdp-stress", "debian/out/tdp-judge", "usr/src"}
    lost, taken = [], set()
    for kind in ("install", "manpages", "docs", "dkms", "dirs"):
        for path in sorted((REPO / "debian").glob("*." + kind)):
            for line in path.read_text(encoding="utf-8").splitlines():
                taken.add(line.split()[0])
                if line.split()[0] not in made and not (REPO / line.split()[0]).exists():
                    lost.append("%s: %s" % (path.name, line))
    result(not lost, "what the packages take is there or is made", *lost)
    result(pages <= taken, "each man page is in a package", *(pages - taken))


def _dkms_source():
    """The part of scripts/ that the package has is enough for make modules."""
    words = re.search(r"\$\(addprefix scripts/,([^)]*)\)", facts.read("debian/rules")).group(1)
    with tempfile.TemporaryDirectory() as folder:
        scripts = Path(folder) / "scripts"
        scripts.mkdir()
        for name in words.split():
            path = REPO / "scripts" / name
            (shutil.copytree if path.is_dir() else shutil.copy)(path, scripts / name)
        code, said = _run(["sh", scripts / "python.sh", "modules"],
                          env={"PATH": os.environ["PATH"], "HOME": folder,
                               "KDIR": "/nonexistent"})
    result(code == 2 and "KDIR=/nonexistent: no such folder" in said,
           "the modules' source has the scripts that build it", said)


def _copy(folder):
    """The project as git has it, with what is not committed yet."""
    target = Path(folder) / ("tdp-stress-" + _changelog()[1])
    target.mkdir(parents=True)
    code, said = _run(["git", "-C", REPO, "ls-files", "-z", "--cached", "--others",
                       "--exclude-standard"])
    for name in said.split("\0"):
        if name and (REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, target / name)
    if code:
        raise Problem(3, "git ls-files: %s" % said)
    return target


def _packed(folder, tree):
    """All that git has is in the source package, and nothing that was made in the tree."""
    archive, = folder.glob("*.tar.xz")
    with tarfile.open(archive) as tar:
        packed = {m.name.partition("/")[2] for m in tar if not m.isdir()}
    _, said = _run(["git", "-C", REPO, "ls-files", "-z"])
    # dpkg-source leaves out what is about git
    lost = [n for n in said.split("\0") if (tree / n).is_file() and n not in packed and
            not Path(n).name.startswith(".git")]
    result(packed and not lost, "it has every file that git has: %d" % len(packed), *lost)
    made = [n for n in _MADE if n in packed]
    result(not made, "and none that a run or a build has made", *made)


def _source():
    """A source package, and what lintian has to say of it."""
    if not shutil.which("dpkg-source"):
        skip("source package", "dpkg-dev is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        tree = _copy(folder)
        for name in _MADE:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text("made")
        code, said = _run(["make", "-n", "-f", "debian/rules", "clean", "binary"], cwd=tree)
        result(code == 0 and "dh clean" in said and "dh binary" in said,
               "debian/rules can be read", said)
        code, said = _run(["dpkg-source", "-b", tree.name], cwd=folder)
        made = list(Path(folder).glob("*.dsc"))
        if not result(code == 0 and made, "source package", said[-_TAIL:]):
            return
        _packed(Path(folder), tree)
        if not shutil.which("lintian"):
            skip("lintian has nothing to say of it", "lintian is not installed")
            return
        _lintian(made[0], "lintian has nothing to say of it")


def _lintian(path, title):
    code, said = _run(["lintian", "--fail-on", "error,warning", "--allow-root", path])
    result(code == 0, title, *[l for l in said.splitlines() if not l.startswith("N:")])


#: in the first chroot: the sources are in /build
_BUILD = r"""
set -e
export DEBIAN_FRONTEND=noninteractive
cd /build/tdp-stress-*
apt-get -q -y --no-install-recommends -t trixie-backports build-dep ./
dpkg-buildpackage -us -uc
"""

#: in the second: the packages are in /packages, and nothing else of ours is anywhere
_INSTALL = r"""
set -e
export DEBIAN_FRONTEND=noninteractive
say() { echo "@ $*"; }
apt-get -q -y --no-install-recommends install /packages/*.deb man-db
say installed
man -w 8 tdp-stress && man -w 1 tdp-judge && man -w 4 tdp_stress && man -w 4 tdx_stub && say man
test -s /usr/share/doc/tdp-stress/html/index.html && say html
tdp-stress --help | grep -q 'Usage: tdp-stress' && say help
code=0; tdp-stress --nonsense 2> /dev/null || code=$?
test "$code" = 2 && say refuses
code=0; tdp-stress --duration 1 || code=$?
test "$code" = 3 && say no-tdx
code=0; echo 'no trace' | tdp-judge || code=$?
test "$code" = 6 && say judge
dkms status | grep 'tdp_stress/@VERSION@: added' && say added
apt-get -q -y --no-install-recommends -t trixie-backports install @HEADERS@ linux-source-@KERNEL@
kver=$(ls /lib/modules | grep '^@KERNEL@')
dkms install tdp_stress/@VERSION@ -k "$kver" ||
	cat /var/lib/dkms/tdp_stress/@VERSION@/build/make.log
ko=$(find "/lib/modules/$kver" -name 'tdp_stress.ko*')
modinfo -F vermagic "$ko" | grep "^$kver " && say built
modinfo -p "$ko" | grep '^backend:' && say parameters
dpkg --verify tdp-stress-dkms && say unchanged
apt-get -q -y purge tdp-stress-dkms tdp-stress tdp-stress-doc
test -z "$(find /lib/modules -name 'tdp_stress*')" && test -z "$(dkms status)" &&
	test ! -e /usr/src/tdp_stress-@VERSION@ && test ! -e /usr/sbin/tdp-stress &&
	test ! -e /usr/bin/tdp-judge && say removed
"""

_SAID = {
    "installed": "the packages install",
    "man": "man finds the pages",
    "html": "the documentation is there",
    "help": "tdp-stress runs",
    "refuses": "tdp-stress refuses a wrong option",
    "no-tdx": "tdp-stress says that there is no KVM",
    "judge": "tdp-judge runs, and refuses what is no trace",
    "added": "dkms has the modules' source, and has built nothing",
    "built": "dkms builds and installs tdp_stress.ko for Debian's Linux " + _KERNEL,
    "parameters": "modinfo tells its parameters",
    "unchanged": "the build changes no file of the package",
    "removed": "purge leaves no module, source or program",
}


def _sources(folder):
    """A sources.list of the machine's own mirror, for mmdebstrap."""
    apt = Apt(_SUITES)
    path = folder / "sources.list"
    path.write_text("".join((apt.folder / (s + ".list")).read_text() for s in _SUITES))
    _, found = apt.versions(r"linux-headers-%s\.\d+\+deb\d+-amd64" % re.escape(_KERNEL))
    if not found:
        raise apt.not_found(["headers of Linux " + _KERNEL])
    return path, sorted(found)[-1]


def _chroot(folder, sources, variant, taken, script, after=()):
    """Copy @taken into a new chroot and run @script there; (exit code, what it said).

    @after: a hook of mmdebstrap's, when that went well.
    """
    (folder / "script").write_text(script)
    # namespaces of its own: no process and no mount of it is left, however it ends
    argv = ["nice", "-n", "5", "unshare", "--mount", "--pid", "--mount-proc", "--fork",
            "--kill-child", "mmdebstrap", "--variant=" + variant, "--quiet",
            '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io"]
    for option in ("http::Proxy", "https::Proxy"):
        _, said = _run(["apt-config", "dump", "--format", "%v", "Acquire::" + option])
        if said.strip():
            argv.append('--aptopt=Acquire::%s "%s"' % (option, said.strip()))
    hooks = ["copy-in %s %s /" % (folder / "script", taken), 'chroot "$1" sh /script', *after]
    argv += ["--customize-hook=" + h for h in hooks]
    # the script uses apt, whose lists would go before it
    argv += ["--skip=cleanup/apt", _SUITES[0], "/dev/null", str(sources)]
    return _run(argv, timeout=_LIMIT, env=dict(os.environ, TMPDIR=str(folder), LC_ALL="C.UTF-8"))


def _mounts(folder):
    return [l for l in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
            if str(folder) in l]


def _in_chroots(folder):
    packages.need(boot=False, build=False, package=True)
    if os.geteuid() != 0:
        skip("packages in clean chroots", "takes root")
        return
    sources, headers = _sources(folder)
    _copy(folder / "build")
    (folder / "packages").mkdir()
    code, said = _chroot(folder, sources, "buildd", folder / "build", _BUILD, [
        'cd "$1/build" && cp *.deb *.dsc *.tar.xz *.changes *.buildinfo %s' %
        (folder / "packages")])
    (folder / "build.log").write_text(said)
    debs = sorted(p.name.partition("_")[0] for p in (folder / "packages").glob("*.deb"))
    if not result(code == 0 and set(debs) >= {"tdp-stress", "tdp-stress-dkms", "tdp-stress-doc"},
                  "the packages are built in a clean chroot (Debian %s)" % _SUITES[0],
                  "exit code %d, %s" % (code, debs), *said[-_TAIL:].splitlines()):
        return
    changes, = (folder / "packages").glob("*.changes")
    _lintian(changes, "lintian has nothing to say of the packages")
    for path in (folder / "packages").glob("*-dbgsym_*"):
        path.unlink()
    script = _INSTALL
    for name, value in (("VERSION", _changelog()[1]), ("HEADERS", headers), ("KERNEL", _KERNEL)):
        script = script.replace("@%s@" % name, value)
    code, said = _chroot(folder, sources, "minbase", folder / "packages", script)
    (folder / "install.log").write_text(said)
    came = re.findall(r"^@ (\S+)$", said, re.M)
    for word, title in _SAID.items():
        result(word in came, title, *(said[-_TAIL:].splitlines() if word == next(
            (w for w in _SAID if w not in came), None) else ["see the result before"]))
    left = _mounts(folder)
    result(not left, "nothing is left mounted", *left)


def main():
    if sys.argv[1:] and (sys.argv[1] != "--chroot" or len(sys.argv) != 3):
        print("usage: package.py [--chroot SCRATCH]")
        return 2
    try:
        if sys.argv[1:]:
            folder = Path(sys.argv[2]).resolve()
            if _mounts(folder):
                raise Problem(1, "%s: something is mounted there" % folder)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _in_chroots(folder)
        else:
            _version()
            _installed()
            _dkms_source()
            _source()
    except Problem as problem:
        if problem.code == 3:
            skip("packages", problem.line)
        else:
            result(False, "packages", problem.line)
    plan()
    return 0


if __name__ == "__main__":
    sys.exit(main())
