# SPDX-License-Identifier: GPL-2.0
"""What a failure is known by: invariant, KVM function, pair of operations.

Two failures of one signature are most likely one bug. What changes from run to run
(addresses, numbers, counts) is no part of it. The first violation decides: later ones
are what it did to the rest. Knows how tdp_stress and the kernel report; must not know
what a campaign is.
"""

import re

#: KVM's entry points by the names that tdp_stress has for them (op_hooks in kvm/hooks.c)
FUNCTIONS = {
    "map": "kvm_tdp_mmu_map",
    "unmap": "kvm_tdp_mmu_unmap_gfn_range",
    "zap_leafs": "kvm_tdp_mmu_zap_leafs",
    "zap_all": "kvm_tdp_mmu_zap_all",
    "zap_invalidated_roots": "kvm_tdp_mmu_zap_invalidated_roots",
    "invalidate_roots": "kvm_tdp_mmu_invalidate_roots",
    "zap_nx_huge_page": "kvm_tdp_mmu_zap_possible_nx_huge_page",
    "split": "kvm_tdp_mmu_try_split_huge_pages",
    "recover": "kvm_tdp_mmu_recover_huge_pages",
    "age": "kvm_tdp_mmu_age_gfn_range",
    "test_age": "kvm_tdp_mmu_test_age_gfn",
    "wrprot_slot": "kvm_tdp_mmu_wrprot_slot",
    "wrprot_gfn": "kvm_tdp_mmu_write_protect_gfn",
    "clear_dirty_slot": "kvm_tdp_mmu_clear_dirty_slot",
    "clear_dirty_masked": "kvm_tdp_mmu_clear_dirty_pt_masked",
    "walk": "kvm_tdp_mmu_get_walk",
    "last_sptep": "kvm_tdp_mmu_fast_pf_get_last_sptep",
    "alloc_root": "kvm_tdp_mmu_alloc_root",
    "mmu_notifier": "kvm_mmu_notifier_invalidate_range_start",
    "flush_memslot": "kvm_arch_flush_shadow_memslot",
    "uninit": "kvm_mmu_uninit_tdp_mmu",
    "destroy_vm": "kvm_arch_destroy_vm",
}
NOTHING = "-"

_LINE = re.compile(r"([FXSZTRLADHP]\d|SPLAT): (.*), by ([^,]*?)/(\d+) \(mmu_lock")
#: "at f+0x1/0x2", "in f.part.0+0x1/0x2", "RIP: 0010:f+0x1/0x2"
_IN_CODE = re.compile(r"(?:\bat|\bin|RIP: [0-9a-f]+:) ?([A-Za-z_]\w*)(?:\.\w+)*\+0x")
_EVENT = re.compile(r"tdp_stress:   \d+ us ago(?: by pid (\d+))?: (\w+) (begins|ends)( gfn)?\b")
_NAMED = re.compile(r"(?:, in|by) (%s)\b" % "|".join(sorted(FUNCTIONS, key=len, reverse=True)))
#: lines of a kernel log by which something is known, and as what
_SPLATS = (
    (re.compile(r"BUG: KASAN: ([\w-]+) in ([A-Za-z_]\w*)"), "KASAN"),
    (re.compile(r"BUG: KCSAN: ([\w-]+) in ([A-Za-z_]\w*)"), "KCSAN"),
    (re.compile(r"(possible circular locking|possible recursive locking|inconsistent lock state|"
                r"suspicious RCU usage|bad unlock balance)"), "lockdep"),
    (re.compile(r"(kernel BUG at \S+?):"), "BUG"),
    (re.compile(r"(BUG|Oops|WARNING|UBSAN|INFO|Kernel panic)\b[:]?"), None),
)


def _worker(comm):
    """The operation of a thread, w<N>:<name>; of others their name."""
    m = re.fullmatch(r"w\d+:(\S+)", comm)
    return m.group(1) if m else re.sub(r"[/:]?u?\d+.*$", "", comm) or NOTHING


def _history(log, line):
    """Lines of the kernel log after the violation @line, until something else is said."""
    lines = iter(log.splitlines())
    for text in lines:
        if line in text:
            break
    told = []
    for text in lines:
        if not re.search(r"tdp_stress:   ", text):
            break
        told.append(text)
    return told


def _under_way(told):
    """(the thread's own operation of KVM, another's at the same place), as they were then."""
    own, last, others = [], None, {}
    for m in filter(None, map(_EVENT.search, told)):
        pid, name, what, somewhere = m.groups()
        # of others, what is done to all of a VM is always under way
        if name not in FUNCTIONS or pid and not somewhere:
            continue
        there = others.setdefault(pid, []) if pid else own
        if what == "begins":
            there.append(name)
        elif name in there:
            there.remove(name)
        last = last if pid else name
    other = [stack[-1] for stack in others.values() if stack]
    # some oracles judge an operation when it has just ended
    return own[-1] if own else last, other[-1] if other else NOTHING


def _function(text):
    m = _IN_CODE.search(text)
    return m.group(1) if m else None


def _normal(text):
    """Without what changes from run to run."""
    return re.sub(r"\b0x[0-9a-f]+\b|\b\d+\b", "N", text)[:100].strip()


def _of_violation(line, log):
    m = _LINE.search(line)
    if not m:
        return None
    invariant, what, comm, _ = m.groups()
    own, other = _under_way(_history(log, line))
    named = _NAMED.search(what)
    own = (named.group(1) if named else None) or own
    return {"invariant": invariant,
            "function": _function(what) or FUNCTIONS.get(own or _worker(comm), NOTHING),
            "operations": [_worker(comm), other], "line": line}


def _of_message(messages):
    """The first kernel message that says something."""
    for number, text in enumerate(messages):
        for pattern, name in _SPLATS:
            m = pattern.search(text)
            if not m:
                continue
            function = m.group(2) if pattern.groups > 1 else None
            # the place is in this line or in one of the next
            for near in messages[number:number + 12]:
                function = function or _function(near)
            comm = re.search(r"(?:Comm: |CPU#?\d+: )(\S+?)(?:/\d+)?(?: |$)",
                             " ".join(messages[number:number + 12]))
            return {"invariant": name or m.group(1), "function": function or NOTHING,
                    "operations": [_worker(comm.group(1)) if comm else NOTHING, NOTHING],
                    "line": text}
    return None


def of(data, folder):
    """The signature of the failed run that left summary @data and its files in @folder:
    {"invariant", "function", "operations": [own, other], "line"}.
    """
    log = ""
    for name in ("dmesg", "console.log"):
        try:
            log += (folder / name).read_text(errors="replace").replace("\r", "")
        except OSError:
            pass
    for line in data.get("violation_lines", []):
        found = _of_violation(line, log)
        if found:
            return found
    found = _of_message(data.get("unexplained_messages", []))
    if found:
        return found
    guest = data.get("guest", {})
    reason = str(data.get("reason", "")) or "no reason given"
    what = "guest %s: " % guest["end"] if guest.get("end") in ("hung", "died") else ""
    return {"invariant": what + _normal(guest.get("why") or reason if what else reason),
            "function": _function(reason) or NOTHING,
            "operations": [NOTHING, NOTHING], "line": reason}


def key(signature):
    """What tells one group of failures from another."""
    return (signature["invariant"], signature["function"], *signature["operations"])


def title(signature):
    """In a few words."""
    own, other = signature["operations"]
    words = [signature["invariant"]]
    if signature["function"] != NOTHING:
        words.append("in " + signature["function"])
    if own != NOTHING:
        words.append("(%s)" % (own if other == NOTHING else "%s x %s" % (own, other)))
    return " ".join(words)
