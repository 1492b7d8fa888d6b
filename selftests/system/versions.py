# SPDX-License-Identifier: GPL-2.0
"""make versions: what is seen of what has changed between two kernels, and how it is shown.

Two trees of a few files, and the kernel's own if the cache has it; nothing is built, but it is
seen what would be. Prints TAP. Knows the promises of scripts/versions.py and kernel/shapes.py,
not their ways.
"""

import contextlib
import io
import os
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from common import cache, settings                      # noqa: E402
from common.say import EXIT_BUILD, EXIT_ENVIRONMENT, Problem, build_failed, lacking  # noqa: E402
from kernel import shapes                               # noqa: E402
from said import plan, result, skip                     # noqa: E402
import versions                                         # noqa: E402

_OLD = """
#define LEVELS 5
#define AREA(a,	\\
	     b)	((a) * (b))
enum kind { DIRECT, MIRROR };
enum {
	RET_RETRY = 0,
	RET_FIXED,
};
struct dentry;

/* struct page { int not_code; }; */
struct page_table {
	struct { int count, depth; };
	u64 *entries;
	int (*free)(struct kvm *kvm,
		    u64 pa);
	bool unused;
};

static bool enabled = true;
bool __read_mostly wanted;

static __always_inline bool map(struct kvm *kvm, u64 gfn,
				int level)
{
	return true;
}

TRACE_EVENT(changed,
	TP_PROTO(int a, u64 old),
	TP_ARGS(a, old),
	x
);

DECLARE_EVENT_CLASS(page_class,
	TP_PROTO(struct page *page),
	TP_ARGS(page),
	x
);
DEFINE_EVENT(page_class, prepare_zap,
	TP_PROTO(struct page *page),

	TP_ARGS(page)
);
"""
_CHANGES = {
    # what is written, instead of what, what is said of it
    "macro": ("#define LEVELS 5", "#define LEVELS 6", ["LEVELS"]),
    "macro of two lines": ("((a) * (b))", "((a) + (b))", ["AREA"]),
    "enumerator": ("{ DIRECT, MIRROR }", "{ DIRECT }", ["kind.MIRROR"]),
    "member": ("u64 *entries", "u32 *entries", ["page_table.entries"]),
    "member of an unnamed structure": ("count, depth", "count", ["page_table.count",
                                                                 "page_table.depth"]),
    "operation": ("u64 pa);", "u64 pa, int level);", ["page_table.free"]),
    "argument": ("int level)\n{", "int level, bool shared)\n{", ["map"]),
    "result": ("bool map", "int map", ["map"]),
    "variable": ("bool enabled", "int enabled", ["enabled"]),
    "variable that is gone": ("bool __read_mostly wanted;", "", ["wanted"]),
    "tracepoint": ("u64 old),\n", "u64 old, u64 new),\n", ["__tracepoint_changed"]),
    "tracepoint of a class that is gone": ("page_class, prepare_zap", "page_class, zap",
                                           ["__tracepoint_prepare_zap"]),
    "tracepoint of a class": ("TP_PROTO(struct page *page)", "TP_PROTO(struct page *page, int n)",
                              ["__tracepoint_prepare_zap"]),
    "class of a tracepoint": ("(page_class,\n	TP_PROTO(struct page *page)",
                              "(page_class,\n	TP_PROTO(void *page)",
                              ["__tracepoint_prepare_zap"]),
    "enumerator without a name above it": ("RET_RETRY = 0,", "", ["RET_RETRY"]),
    "structure that is only mentioned": ("struct dentry;", "", []),
    "member that nobody uses": ("bool unused", "int unused", []),
    "comment": ("int not_code", "long not_code", []),
    "layout": ("u64 gfn,\n				int level", "u64 gfn, int level", []),
    "storage class": ("static __always_inline bool map", "bool map", []),
}
_USER = """
/* unused is not used here */
map(0, LEVELS, AREA(1, 2)); table.entries; table.count; table.depth; x->free; MIRROR;
lookup("enabled"); lookup("wanted"); lookup("__tracepoint_changed");
lookup("__tracepoint_prepare_zap"); RET_RETRY; struct dentry *d;
struct page_table; enum kind;
"""


def _tree(folder, text):
    path = folder / "arch/x86/kvm"
    path.mkdir(parents=True, exist_ok=True)
    (path / "mmu.c").write_text(text)
    return SimpleNamespace(path=folder, release=folder.name)


def _used(words):
    """As if C files of ours named @words, and none as a string."""
    used = versions.Used([], [])
    used.words = words
    return used


#: a screen; lines of it that steps print as they go are no part of it
_SCREEN = 24
#: the columns of the widest line that is shown of a list
_WIDE = 100


def _shown(function, *args):
    """(what it returns, or the Problem; what it printed)"""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        try:
            returned = function(*args)
        except Problem as problem:
            returned = problem
    return returned, shown.getvalue()


def _seen(temporary):
    """Each kind of change, by those who name it."""
    (temporary / "ours").mkdir()
    (temporary / "ours/user.c").write_text(_USER)
    used = shapes.names_in([temporary / "ours"])
    old = _tree(temporary / "old", _OLD)
    for title, (was, now, names) in _CHANGES.items():
        assert was in _OLD, title
        new = _tree(temporary / "new", _OLD.replace(was, now))
        found = versions.compare(shapes.of_tree(old), shapes.of_tree(new), used)
        result([what for what, _, _ in found] == names,
               "%s: %s" % (title, "seen" if names else "no change for anybody"), found)
    users = shapes.names_in([REPO / "tdp_stress/kvm"])["kvm_tdp_mmu_zap_leafs"]
    new = _tree(temporary / "new", _OLD.replace("bool map", "int map"))
    report = versions.Report(temporary / "few")
    count, text = _shown(versions.say_shapes, old, new, _used({"map": users}), report)
    result(count == (1, 0) and "bool map" in text and "int map" in text and
           "tdp_stress.ko" in text and "entry.c" in text,
           "shown: what it was, what it is, who uses it", text)
    result(report.path.read_text() == text, "the file has the same", report.path.read_text())
    trace = old.path / "include/trace/events"
    trace.mkdir(parents=True)
    (trace / "landlock.h").write_text("TRACE_EVENT(locked,\n\tTP_PROTO(int a),\n\tTP_ARGS(a)\n);")
    result("__tracepoint_locked" not in shapes.of_tree(old),
           "trace headers of others are not looked at")


_STRINGS = """
#define CALL(fn)	{ #fn, fn }
#define CALL_AS(key, fn) { __stringify(fn), key }
#define FN_NOW	name_now
static const struct call calls[] = {
	CALL(called), CALL_AS(k, FN_NOW), { "probed", 1 }, { "kvm_intel:owned", 2 },
};
compiled(1, "a name in_words of text");
struct copy {
	int feature;
};
"""
#: each change, and whether everything builds all the same
_UNSEEN = (("called", True), ("name_now", True), ("probed", True), ("owned", True),
           ("compiled", False), ("in_words", False))


def _no_compiler(temporary):
    """What is found by its name when it runs, and what the compiler would not let pass."""
    (temporary / "ours").mkdir()
    (temporary / "ours/user.c").write_text(_STRINGS)
    used = versions.Used([temporary / "ours"], [])
    text = "".join("int %s(void)\n{\n}\n" % name for name, _ in _UNSEEN) + \
        "struct copy {\n\tint feature;\n};\n"
    users = {name: shapes.names_in([REPO / "tdp_stress/kvm"])["kvm_tdp_mmu_zap_leafs"]
             for name in used.words}
    used.words = users
    for what, was, now, count, unseen in [
            (n, "int %s(" % n, "long %s(" % n, 1, int(u)) for n, u in _UNSEEN] + [
                ("a copy of a structure", "\tint feature;", "\tint more;\n\tint feature;", 1, 1)]:
        found, said = _shown(versions.say_shapes, _tree(temporary / "old", text),
                             _tree(temporary / "new", text.replace(was, now)), used,
                             versions.Report(temporary / "report"))
        result(found == (count, unseen) and ("; used by name in " in said) == bool(unseen) and
               ("where no compiler sees it" in said) == bool(unseen),
               "%s: %s" % (what, "no compiler sees it" if unseen else "the compiler sees it"),
               found, said)


#: files that look names up, or have tables of such; what in them is a string, and no such name
_LOOKS = re.compile(r"lookup\(|stub_symbol\(|symbol_name|own_resolve\(|\bsymbol;|KVM_FUNCTION\(")
_NO_SYMBOLS = {"kvm_intel", "kvm_amd", "tdx", "external", "no", "shared", "crafted", "moving",
               "__this_module", "__SCK__kvm_x86_", "__SCT__kvm_x86_", "fn", "_op",
               # made by SYSCALL_DEFINE*()
               "__x64_sys_mprotect"}
#: in other kernels only: compat.h, extsig.h
_ELSEWHERE = {"kvm_mmu_invalidate_begin", "kvm_tdp_mmu_invalidate_all_roots", "kvm_tdp_mmu_zap_sp",
              "kvm_tdp_mmu_zap_collapsible_sptes", "reclaim_external_spt"}


def _of_the_kernel(_):
    """Each name that is looked up is one that make versions would miss."""
    title = "of Linux 7.3 each name that is looked up is known"
    tree = cache.root() / "src/linux-source-7.3"
    if not (tree / "arch/x86/kvm").is_dir():
        skip(title, "no Linux 7.3 in %s" % tree.parent)
        return
    known = shapes.of_tree(SimpleNamespace(path=tree))
    operations = known["kvm_x86_ops"].members
    modules = [REPO / f for f in ("tdp_stress/kvm", "tdp_stress/stub", "kunit/qemu")]
    looking = {p for folder in modules for p in folder.rglob("*.[ch]")
               if _LOOKS.search(p.read_text(encoding="utf-8"))}
    names = {name for name, paths in shapes.strings_in(modules).items() if paths & looking}
    names -= _NO_SYMBOLS | _ELSEWHERE
    lost = sorted(n for n in names if n not in known and n not in operations)
    result(len(names) > 150 and not lost, "%s: %d" % (title, len(names)), *lost)
    other = sorted(n for n in names
                   if n.startswith("__tracepoint_") != (n in known and
                                                        known[n].kind == "tracepoint"))
    result(not other, "and each tracepoint is one", *other)
    result(known["RET_PF_RETRY"].kind == "enumerator" and "dentry" not in known,
           "so are enumerations without a name, and no structure of others")


def _many(temporary):
    """A great deal has changed: a screen of it is shown, the file has the rest."""
    number = 300
    users = shapes.names_in([REPO / "tdp_stress/kvm"])["kvm_tdp_mmu_zap_leafs"]
    names = ["f%03d_%s" % (n, "x" * _WIDE) for n in range(number)]
    used = _used({name: users for name in names})
    wide = ", ".join("int argument_%d" % n for n in range(20))
    was = "".join("int %s(%s)\n{\n}\n" % (name, wide) for name in names)
    now = was[:was.index("int f200")].replace("argument_0", "another_0")
    report = versions.Report(temporary / "many")
    count, text = _shown(versions.say_shapes, _tree(temporary / "was", was),
                         _tree(temporary / "now", now), used, report)
    lines = text.splitlines()
    result(count == (number, 0) and "%d differ" % number in lines[0], "all of many changes count",
           lines[0])
    result(len(lines) <= 10, "of many changes few are shown: %d lines" % len(lines), *lines)
    result(max(map(len, lines)) <= _WIDE, "none of them is too wide", *lines)
    result("  f200" in text and "  f000" not in text, "what is gone comes first", *lines)
    result("and %d more" % (number - len(lines) + 2) in lines[-1], "the others are counted",
           lines[-1])
    written = report.path.read_text()
    lost = [name for name in names if "  %s is " % name not in written]
    result(not lost and written.count("      was  ") == number and
           written.count("      is   ") == 200 and "argument_19)" in written,
           "the file has all of them, uncut", *lost)


class _Door:
    """versions() on two made-up trees, with builds that are only written down."""

    def __init__(self, temporary):
        self.folder = temporary
        self.built = []
        self.bad = {}           # what does not build: the Problem
        self.mutants = []
        functions = {
            versions.packages: {"need": lambda **k: None},
            versions.debian: {"get": lambda version: temporary / "known"},
            versions.build: {"build": lambda kernel, jobs: self._make("kernel")},
            versions.ours: {"build": lambda kernel, jobs, names, programs: self._make(
                " ".join(names) + " driver" * programs)},
            versions.qemu: {"build": lambda kernel, jobs: self._make("qemu")},
            versions.uml: {"build": lambda uml, jobs: self._make("uml " + uml.config_name)},
            versions.mutant: {"every": lambda: self.mutants, "variants": lambda: []},
        }
        for module, of_module in functions.items():
            for name, function in of_module.items():
                assert hasattr(module, name), name
                setattr(module, name, function)

    def _make(self, what):
        self.built.append(what)
        if what in self.bad:
            raise self.bad[what]

    def tree(self, name, text):
        tree = _tree(self.folder / name, text).path
        (tree / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n")
        (tree / "Kbuild").touch()

    def call(self, **variables):
        """(exit code or Problem, what is on the screen, the file)"""
        for name in settings.NAMES:
            os.environ.pop(name, None)
        os.environ.update({"KSRC": str(self.folder / "yours"), "RUNDIR": str(self.folder / "run"),
                           "XDG_CACHE_HOME": str(self.folder / "cache"), **variables})
        self.built.clear()
        returned, text = _shown(versions.versions)
        lines = [l for l in text.splitlines() if not l.endswith(" ...")]
        path = self.folder / "run/changes"
        return returned, lines, path.read_text() if path.exists() else ""


_ALL = ["kernel", "tdx_stub tdp_stress driver", "qemu", "uml lockdep", "uml stress"]


def _from_end_to_end(temporary):
    bugs = versions.mutant.bugs()
    door = _Door(temporary)
    # of what there really is
    names = [n for n in sorted(shapes.names_in([REPO / "tdp_stress/kvm", REPO / "kunit"]))
             if n.startswith("kvm_tdp_mmu_")]
    result(len(names) > 10 and len(bugs) > 50, "%d functions of the TDP MMU are named, %d bugs "
           "can be planted" % (len(names), len(bugs)))
    text = "".join("int %s(struct kvm *kvm)\n{\n}\n" % name for name in names)
    door.tree("known", text)

    door.tree("yours", text)
    code, lines, written = door.call()
    result(code == 0 and "nothing that is used has changed" in lines[-1] and
           "%d things" % len(names) in written, "nothing has changed", code, *lines)
    result(door.built == _ALL, "all that takes the tree is built", *door.built)
    result(any(str(temporary / "run/changes") in l for l in lines), "the file is named", *lines)

    harmless = "#define INVALID_PAGE 0\n"
    door.tree("known", text + harmless)
    door.tree("yours", text)
    code, lines, _ = door.call()
    result(code == 0 and any("INVALID_PAGE is gone; used by" in l for l in lines) and
           "no change keeps anything from running" in lines[-1],
           "what the compiler sees is no failure if it builds", code, *lines)
    door.tree("yours", (text + harmless).replace(names[0] + "(", "another("))
    code, lines, _ = door.call()
    result(code == 1 and any("%s is gone; used by name in " % names[0] in l for l in lines) and
           "no change" not in lines[-1], "a name that is looked up and gone is one", code, *lines)

    door.tree("yours", text.replace("struct kvm *", "struct vm *"))
    door.mutants = bugs
    code, lines, written = door.call()
    result(code == 1 and "nothing" not in lines[-1], "everything has changed", code, *lines)
    result(len(lines) <= _SCREEN, "that is one screen: %d lines" % len(lines), *lines)
    fit = [m for m in door.mutants if not m.kernel or m.kernel == "7.3"]
    result(written.count("is another; used by") == len(names) and
           written.count("INVALID_PAGE is gone; used by") == 1 and
           written.count("  does not fit: ") == len(fit), "and all of it is in the file",
           "%d of %d planted bugs" % (written.count("  does not fit: "), len(fit)))
    result(door.built == _ALL, "it is built all the same", *door.built)

    error = build_failed("it does not build; full log: LOG", "before", "a.c:1:2: error: Q",
                         "after")
    door.bad = {what: error for what in _ALL[1:]}
    problem, lines, written = door.call()
    result(isinstance(problem, Problem) and problem.code == EXIT_BUILD and
           "modules and driver, KUnit in QEMU, KUnit in UML, tdp_stress in UML" in problem.line and
           str(temporary / "run/changes") in problem.line,
           "whatever does not build is named at the end", problem, *lines)
    result(door.built == _ALL and "it builds: kernel" in lines,
           "one that does not build keeps no other from being tried", *lines)
    result(len(lines) + 1 <= _SCREEN + 2 * len(door.bad) and "before" not in "\n".join(lines) and
           sum("error: Q" in l for l in lines) == len(door.bad) and "      after\n" in written,
           "with its first error; the others are in the file", *lines)
    door.bad = {"kernel": error}
    problem, lines, _ = door.call()
    result(door.built == ["kernel", "uml lockdep", "uml stress"] and problem.code == EXIT_BUILD,
           "without a kernel there are no modules, but there is UML", *door.built)
    door.bad = {"kernel": lacking("disk full")}
    problem, lines, _ = door.call()
    result(problem.code == EXIT_ENVIRONMENT and door.built == ["kernel"],
           "a full disk is not the tree's fault", problem, *door.built)
    door.bad = {}
    code, lines, written = door.call(FLAVOUR="plain")
    result("qemu" not in door.built and any("KUnit in QEMU: not built" in l for l in lines),
           "what is not built is said", *lines)
    problem, lines, _ = door.call(KSRC="")
    result(isinstance(problem, Problem) and problem.code == 2 and not door.built,
           "KSRC= has to be said", problem)


for test in (_seen, _no_compiler, _of_the_kernel, _many, _from_end_to_end):
    with tempfile.TemporaryDirectory() as name:
        test(Path(name))
plan()
