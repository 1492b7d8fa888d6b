# SPDX-License-Identifier: GPL-2.0
"""make versions: what is seen of what has changed between two kernels.

Two trees of a few files. Prints TAP. Knows the promises of scripts/versions.py and
kernel/shapes.py, not their ways.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "scripts"))

from kernel import shapes                               # noqa: E402
from said import plan, result                           # noqa: E402
import versions                                         # noqa: E402

_OLD = """
#define LEVELS 5
#define AREA(a,	\\
	     b)	((a) * (b))
enum kind { DIRECT, MIRROR };

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
    "member that nobody uses": ("bool unused", "int unused", []),
    "comment": ("int not_code", "long not_code", []),
    "layout": ("u64 gfn,\n				int level", "u64 gfn, int level", []),
    "storage class": ("static __always_inline bool map", "bool map", []),
}
_USER = """
/* unused is not used here */
map(0, LEVELS, AREA(1, 2)); table.entries; table.count; table.depth; x->free; MIRROR;
lookup("enabled"); lookup("wanted"); lookup("__tracepoint_changed");
struct page_table; enum kind;
"""


def _tree(folder, text):
    path = folder / "arch/x86/kvm"
    path.mkdir(parents=True, exist_ok=True)
    (path / "mmu.c").write_text(text)
    return SimpleNamespace(path=folder, release=folder.name)


with tempfile.TemporaryDirectory() as name:
    temporary = Path(name)
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
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        count = versions.say_shapes(old, new, {"map": users})
    text = shown.getvalue()
    result(count == 1 and "bool map" in text and "int map" in text and
           "tdp_stress.ko" in text and "entry.c" in text,
           "shown: what it was, what it is, who uses it", text)
plan()
