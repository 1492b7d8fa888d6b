# SPDX-License-Identifier: GPL-2.0
"""Pages of the documentation that are made of the source, fresh at each build.

Knows reStructuredText; what the source says comes from facts.py, and from the kernel's
own kernel-doc for the user interface's header.
"""

import os
import re
import sys
from pathlib import Path

from common import cache, command
from common.say import build_failed, usage
from docs import facts
from mutants import mutant

_HEADER = "tdp_stress/uapi/tdp_stress.h"
#: where kernel trees have kernel-doc, newest first
_KERNEL_DOC = ("tools/docs/kernel-doc", "scripts/kernel-doc")

_KINDS = {"MMU": "mmu_workers", "SLOT": "slot_workers", "VCPU": "vcpus"}
_SPANS = {"PAGE": "a page", "FEW": "up to 64 pages", "2M": "an aligned 2M", "ALL": "all of it"}
_NEEDS = {
    "NOTHING": "", "PRIVATE": "guest_memfd", "CRAFT": "a crafted region",
    "CRAFT_HUGE": "huge pages of the host's", "GIANT": "``huge_1g=1``",
    "SHARED_HUGE": "huge pages of the host's", "HUGETLB": "``hugetlb=1``",
    "NX": "NX huge pages", "ZAP_WRITE": "KVM's zap of invalid roots under the write lock",
}
_BY = {"VCPU": "vCPUs' threads", "WORKER": "workers", "GUEST": "the guest asks for it"}
_FLAGS = {
    "LEAF_KVM_RETRIES": "BUSY however often",
    "LEAF_RETRIED_ONCE": "BUSY once, never twice in a row",
    "LEAF_INTERRUPTIBLE": "may be interrupted", "LEAF_NO_LOCK": "takes no lock, never fails",
    "LEAF_EXT_INFO": "tells the S-EPT entry at fault", "LEAF_VERSION_1": "has a version 1",
    "LEAF_GIVES_BACK": "a page goes back to the host", "LEAF_TDR_RDX": "",
}


def escaped(text):
    """@text as running text: nothing in it is markup."""
    text = re.sub(r"([\\*`|])", r"\\\1", text)
    return re.sub(r"(\w)_(?!\w)", r"\1\\_", text)


def _title(text, about):
    return ["", "=" * len(text), text, "=" * len(text), "",
            ".. made by scripts/docs/reference.py of what the source says; do not edit", "", about,
            ""]


def _section(text):
    return [text, "=" * len(text), ""]


def _list(pairs):
    """A definition list of (term, text)."""
    lines = []
    for term, text in pairs:
        lines += ["``%s``" % term, "  " + text, ""]
    return lines


def _table(widths, head, rows):
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: " + " ".join(map(str, widths)),
             ""]
    for row in [head] + rows:
        for at, cell in enumerate(row):
            lines.append(("   * - " if at == 0 else "     - ") + cell)
    return [l.rstrip() for l in lines] + [""]


def parameters(module):
    """As an included list, for the page and for the man page."""
    return _list((p.name, escaped(p.text) + (". Can be written while the module is loaded."
                                             if p.writable else ""))
                 for p in facts.parameters(module))


def parameters_page():
    lines = _title("Module parameters", "Of ``modinfo``, with units, ranges and defaults. A value "
                   "out of range, or a parameter that is not there, is refused by one line in the "
                   "kernel log. Read them in ``/sys/module/<module>/parameters/``.")
    lines += _section("tdp_stress.ko") + parameters("tdp_stress")
    return lines + _section("tdx_stub.ko") + parameters("tdx_stub")


def variables():
    return _list((s.name, escaped(s.what) + ". " + _rule(s)) for s in facts.variables())


def _rule(setting):
    default = "; else ``%s``" % setting.default if isinstance(setting.default, str) else ""
    return "*%s*%s" % (escaped(setting.rule), default)


def variables_page():
    lines = _title("Targets and variables", "Of ``make help``. A variable is said on make's "
                   "command line or in the environment; a misspelt one on the command line is "
                   "refused, and so is a value that is not of the form given in italics.")
    lines += _section("Targets") + _list(("make " + t.name, escaped(t.text))
                                         for t in facts.targets())
    return lines + _section("Variables") + variables()


def driver_operations():
    return _list((o.name, "%s. By default: weight %d. Done by: %s." % (
        escaped(o.text), o.weight, ", ".join(_BY[b] for b in o.by))) for o in facts.driver_ops())


def driver_options():
    return _list(("--%s%s" % (o.name, " " + o.arg if o.arg else ""), escaped(o.text) + ".")
                 for o in facts.driver_options())


def judge_options():
    return _list((o.name + ("=" + o.arg if o.arg else ""), escaped(o.text) + ".")
                 for o in facts.judge_options())


def operations_page():
    lines = _title("Operations", "What can be done to a VM, by whom, and how often. Weights are "
                   "relative to each other; 0 switches an operation off.")
    lines += _section("The driver's") + [
        "``tdp-stress --ops``, or ``OPS=`` on the tdx backend. :doc:`../usage` has the rest.", ""]
    lines += driver_operations()
    lines += _section("The module's workers'") + [
        "``ops=`` of tdp_stress.ko, or ``OPS=`` on the external backend. :doc:`../torture` says "
        "which entry point of the TDP MMU each is. *Threads* names the parameter for their "
        "number.", ""]
    rows = [["``%s``" % o.name, o.root, o.level, str(o.weight) if o.entry else "", _SPANS[o.span],
             _KINDS[o.kind], _NEEDS[o.need]] for o in facts.torture_ops()]
    return lines + _table((20, 8, 8, 8, 16, 14, 26), ["name", "root", "level", "weight", "done to",
                                                      "threads", "needs"], rows)


def debugfs(module):
    return _list(("%s/%s (%s)" % (f.folder, f.name, _mode(f.mode)), escaped(f.text) + ".")
                 for f in facts.debugfs(module))


def _mode(mode):
    return {"0444": "read", "0200": "write", "0644": "read, write"}[mode]


def files_page():
    lines = _title("Files in debugfs", "Mount debugfs if it is not there. :doc:`../architecture` "
                   "says what the names in ``stats`` mean.")
    for module in facts.MODULES:
        lines += _section(module + ".ko") + debugfs(module)
    return lines


def leaves_page():
    lines = _title("SEAMCALL leaves", "What the emulated TDX module answers, and how each may fail "
                   "by itself or by injection. *Injected BUSY* names the operand that the status "
                   "tells. :doc:`../emulated-module` says what it keeps of a TD.")
    rows = [["``%s``" % l.name, "" if "LEAF_NO_LOCK" in l.flags else l.busy,
             "; ".join(filter(None, (_FLAGS[f] for f in l.flags)))] for l in facts.leaves()]
    return lines + _table((30, 16, 54), ["leaf", "injected BUSY", "what callers may rely on"], rows)


def planted_page():
    lines = _title("Planted bugs", "``scripts/mutants/``: what was broken, in which roots (D: "
                   "direct, M: mirror, B: both), which invariant a stress run names it by, and "
                   "what happened in KVM's history. ``make run MUTANT=<name>`` plants one in a "
                   "copy of the tree. :doc:`../detection` says which were found, and by whom.")
    bugs = mutant.bugs()
    for kind in sorted({m.kind for m in bugs}):
        lines += _section("Class: " + kind)
        rows = [["``%s``" % m.id, escaped(m.title), m.root, " ".join(m.expect),
                 escaped(m.history)] for m in sorted(bugs, key=lambda m: m.id) if m.kind == kind]
        lines += _table((26, 30, 6, 12, 26), ["name", "what it breaks", "roots", "named by",
                                              "history"], rows)
    return lines


def kernel_doc(ksrc):
    """argv of the kernel-doc of a tree, the user's or one that is in the cache; or None."""
    trees = [Path(os.path.expanduser(ksrc))] if ksrc else \
        sorted((cache.root() / "src").glob("linux-source-*"), reverse=True)
    found = next((t / k for t in trees for k in _KERNEL_DOC if (t / k).exists()), None)
    if ksrc and not found:
        raise usage("KSRC=%s: not a kernel tree with kernel-doc (no %s)" % (ksrc, _KERNEL_DOC[1]))
    if not found:
        return None
    python = "python" in found.read_text(errors="replace").split("\n", 1)[0]
    # the tree is never written to
    return [sys.executable, "-B", found] if python else [found]


def _of_header(program):
    """What kernel-doc makes of the header; a warning of its is a failure."""
    code, text, error = command.output(program + ["-rst", cache.REPO / _HEADER])
    warnings = [l for l in error.splitlines() if "arning" in l]
    if code or warnings or ".. c:struct" not in text:
        raise build_failed("%s: kernel-doc has a complaint: %s" % (
            _HEADER, (warnings or error.splitlines() or ["no output"])[0]))
    return text.splitlines()


def uapi_page(ksrc):
    """The header's kernel-doc; without a kernel tree, which has kernel-doc, the header."""
    lines = _title("The header", "``%s``, what :doc:`../uapi` is about." % _HEADER)
    program = kernel_doc(ksrc)
    if program:
        text = facts.read(_HEADER)
        rules = re.search(r"^/\*\n((?: \*.*\n)+?) \*/\n#ifndef", text, re.M).group(1)
        return lines + [l[3:] for l in rules.splitlines()] + [""] + _of_header(program)
    return lines + ["The header as it is: for a page made of its kernel-doc there was no kernel "
                    "tree, which has the program, when this was built (``make docs KSRC=``).", "",
                    ".. literalinclude:: header.h", "   :language: none", ""]


def write(source, ksrc):
    """All pages into @source, the folder that Sphinx reads. Returns how many."""
    folder = source / "reference"
    folder.mkdir()
    pages = {"variables": variables_page(), "parameters": parameters_page(),
             "operations": operations_page(), "files": files_page(), "leaves": leaves_page(),
             "planted": planted_page(), "header": uapi_page(ksrc)}
    fragments = {"options": driver_options(), "judge-options": judge_options(),
                 "driver-operations": driver_operations()}
    for module in facts.MODULES:
        fragments["parameters-" + module] = parameters(module)
        fragments["files-" + module] = debugfs(module)
    for name, lines in pages.items():
        (folder / (name + ".rst")).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, lines in fragments.items():
        (folder / (name + ".inc")).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "header.h").write_text(facts.read(_HEADER), encoding="utf-8")
    return len(pages)
