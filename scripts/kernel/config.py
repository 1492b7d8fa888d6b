# SPDX-License-Identifier: GPL-2.0
"""From fragments to a verified .config.

Knows kconfig; must not know what the options are for (the fragments say).
A kernel whose WARNs are compiled out proves nothing: every wanted line is
looked up in the result, and what is missing is named with what blocks it.
"""

import hashlib
import re
from pathlib import Path

from common import command, scenario
from common.say import build_failed, config_failed
from kernel.failure import failure

FRAGMENTS = Path(__file__).resolve().parent / "fragments"
_LAYERS = {
    "lockdep": ("base", "lockdep"),
    "plain": ("base", "plain"),
    "kasan": ("base", "lockdep", "kasan"),
    "gcov": ("base", "lockdep", "gcov"),
}


def wanted(name):
    """{option: value or None for 'not set'}, later fragments win.

    @name: lockdep, or lockdep+SCENARIO.
    """
    options = {}
    base, _, overlay = name.partition("+")
    for layer in _LAYERS[base]:
        for line in (FRAGMENTS / (layer + ".config")).read_text().splitlines():
            m = re.fullmatch(r"(CONFIG_\w+)=(.+)", line)
            n = re.fullmatch(r"# (CONFIG_\w+) is not set", line)
            if m:
                options[m.group(1)] = m.group(2)
            elif n:
                options[n.group(1)] = None
            elif line and not line.startswith("#"):
                raise build_failed("scripts/kernel/fragments/%s.config: cannot read '%s'" %
                                   (layer, line))
    if overlay:
        options.update(scenario.find(overlay).options)
    return options


def digest(name):
    return hashlib.sha256(repr(sorted(wanted(name).items())).encode()).hexdigest()[:16]


def read(path):
    """{option: value} of a .config; options that are not set are absent."""
    found = {}
    for line in Path(path).read_text().splitlines():
        m = re.match(r"(CONFIG_\w+)=(.*)", line)
        if m:
            found[m.group(1)] = m.group(2)
    return found


def make(tree, out, name, log):
    """Write @out/.config for configuration @name of @tree."""
    base = ["make", "-C", tree.path, "O=%s" % out, "LOCALVERSION="]
    if command.logged(base + ["tinyconfig"], log):
        raise failure(out, log, "make tinyconfig failed")
    options = wanted(name)
    config = out / ".config"
    lines = []
    for line in config.read_text().splitlines():
        m = re.match(r"(?:# )?(CONFIG_\w+)(?:=| is not set)", line)
        if not (m and m.group(1) in options):
            lines.append(line)
    for option, value in options.items():
        lines.append("%s=%s" % (option, value) if value else "# %s is not set" % option)
    config.write_text("\n".join(lines) + "\n")
    refresh(tree, out, name, log)


def refresh(tree, out, name, log):
    """Let kconfig settle the rest, then verify."""
    argv = ["make", "-C", tree.path, "O=%s" % out, "LOCALVERSION=", "olddefconfig"]
    if command.logged(argv, log):
        raise failure(out, log, "make olddefconfig failed")
    problems = _verify(tree, wanted(name), read(out / ".config"))
    if problems:
        raise config_failed("%s: the kernel cannot be configured as wanted; %d option(s) above" %
                           (tree.path, len(problems)), *problems)


def _verify(tree, options, got):
    problems = []
    for option, value in options.items():
        have = got.get(option)
        if have == value:
            continue
        problems.append("%s: wanted %s, is %s: %s" %
                        (option, value or "not set", have or "not set",
                         _blockers(tree, option[len("CONFIG_"):], got)))
    return problems


def _blockers(tree, symbol, got):
    """Where kconfig defines @symbol and which of its dependencies are not met."""
    code, text, _ = command.output(
        ["grep", "-rnE", "--include=Kconfig*", r"^\s*(menu)?config\s+%s\s*$" % symbol,
         "arch/x86", "arch/Kconfig", "virt", "kernel", "mm", "lib", "init", "fs", "drivers",
         "security", "net", "block", "crypto", "certs", "io_uring"], cwd=tree.path)
    if code or not text:
        return "this tree has no such option"
    where = text.splitlines()[0]
    name, number = where.split(":")[:2]
    lines = (tree.path / name).read_text(errors="replace").splitlines()
    depends = []
    for line in lines[int(number):]:
        if re.match(r"\S", line) and not line.startswith("#"):
            break
        m = re.match(r"\s+depends on (.*)", line)
        if m:
            depends.append(m.group(1))
    unmet = sorted({s for s in re.findall(r"\b[A-Z0-9][A-Z0-9_]+\b", " ".join(depends))
                    if "CONFIG_" + s not in got})
    return "%s:%s depends on '%s'%s" % (name, number, " && ".join(depends) or "nothing",
                                        "; not set: " + ", ".join(unmet) if unmet else "")
