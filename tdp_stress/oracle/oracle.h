/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The invariants and what they are judged by.
 *
 * Whoever watches KVM (kvm/) hands in facts: what was called, what a table
 * reads, which lock is held. This room judges them. It includes no KVM header:
 * a VM is a number, an SPTE is decoded before it gets here.
 */
#ifndef TDP_STRESS_ORACLE_H
#define TDP_STRESS_ORACLE_H

#include "env.h"
#include "names.h"

struct tdxm_view;

/* --- the invariants; ids and meaning as in Documentation/invariants.rst --- */

enum tdps_check {
	TDPS_F1,
	TDPS_F2,
	TDPS_F3,
	TDPS_F4,
	TDPS_X1,
	TDPS_X2,
	TDPS_X3,
	TDPS_X4,
	TDPS_S1,
	TDPS_S2,
	TDPS_Z1,
	TDPS_Z2,
	TDPS_T1,
	TDPS_R1,
	TDPS_L1,
	TDPS_A1,
	TDPS_D1,
	TDPS_H1,
	TDPS_H2,
	TDPS_P1,
	TDPS_SPLAT,
	TDPS_NR_CHECKS,
	TDPS_NO_CHECK = TDPS_NR_CHECKS
};

#define TDPS_ALL_CHECKS		(BIT(TDPS_NR_CHECKS) - 1)

extern unsigned long tdps_enabled;	/* checks asked for and possible here; fixed at load */
extern bool tdps_live;			/* all hooks are in place: what is seen is all there is */
extern int tdps_plant;			/* the check misled on purpose, or TDPS_NO_CHECK */

static inline bool tdps_wants(enum tdps_check id)
{
	return tdps_enabled & BIT(id);
}

/* Mislead the input of @id on purpose? Only ever true for a check that runs. */
static inline bool tdps_planted(enum tdps_check id)
{
	return unlikely(READ_ONCE(tdps_plant) == id);
}

/* --- what everybody talks about --- */

enum tdps_lock {
	TDPS_LOCK_UNKNOWN,	/* no way to tell on this kernel, or no VM at hand */
	TDPS_LOCK_NONE,
	TDPS_LOCK_READ,
	TDPS_LOCK_WRITE,
};

#define TDPS_NO_GFN	U64_MAX

/**
 * struct tdps_where - where something happened
 * @vm: the VM (an opaque number), or 0
 * @gfn: guest frame number, or TDPS_NO_GFN
 * @level: 1 is 4K; 0: none
 * @lock: how the thread holds mmu_lock
 */
struct tdps_where {
	u64 vm;
	u64 gfn;
	int level;
	enum tdps_lock lock;
};

/**
 * struct tdps_spte - an SPTE, decoded
 * @raw: the value
 * @pfn: page frame, if @present
 * @present: MMU-present
 * @leaf: present and maps a page
 * @frozen: FROZEN_SPTE
 * @mmio: an MMIO SPTE of this VM
 * @dirty: a leaf with the CPU's dirty bit
 */
struct tdps_spte {
	u64 raw;
	u64 pfn;
	bool present;
	bool leaf;
	bool frozen;
	bool mmio;
	bool dirty;
};

/*
 * --- operations: KVM functions that enter the TDP MMU ---
 *
 * All that tdp_mmu.h declares, and what they are called by, but for those that
 * neither read nor change an SPTE: kvm_mmu_init_tdp_mmu(), and getting and
 * putting roots.
 */

enum tdps_op {
	TDPS_OP_NONE,
	TDPS_OP_MAP,		/* a fault installs page tables and a leaf */
	TDPS_OP_UNMAP,		/* zap the leaves of a GFN range, by kind of root */
	TDPS_OP_ZAP_LEAFS,	/* zap the leaves of a GFN range, all valid roots */
	TDPS_OP_ZAP_ALL,	/* zap all direct roots */
	TDPS_OP_ZAP_INVALID,	/* zap roots that were invalidated */
	TDPS_OP_ZAP_NX,		/* zap a table that stands for an NX huge page */
	TDPS_OP_INVALIDATE,	/* mark roots invalid */
	TDPS_OP_SPLIT,		/* huge leaves become page tables */
	TDPS_OP_RECOVER,	/* page tables become huge leaves */
	TDPS_OP_AGE,		/* clear accessed bits */
	TDPS_OP_TEST_AGE,	/* look for accessed bits */
	TDPS_OP_WRPROT_SLOT,	/* write-protect a memslot */
	TDPS_OP_WRPROT_GFN,	/* write-protect a GFN for good */
	TDPS_OP_CLEAR_SLOT,	/* clear the dirty bits of a memslot */
	TDPS_OP_CLEAR_MASKED,	/* clear the dirty bits of up to 64 GFNs */
	TDPS_OP_WALK,		/* read the SPTEs that lead to an address, lockless */
	TDPS_OP_LAST_SPTEP,	/* find the last SPTE for a fast page fault, lockless */
	TDPS_OP_ALLOC_ROOT,	/* find or make a root */
	TDPS_OP_NOTIFIER,	/* host memory goes away */
	TDPS_OP_MEMSLOT,	/* a memslot goes away */
	TDPS_OP_CONVERT,	/* memory becomes private, or shared */
	TDPS_OP_UNINIT,		/* the last of a VM's tables */
	TDPS_OP_DESTROY,	/* VM destruction */
	TDPS_NR_OPS
};

#define TDPS_ROOTS_DIRECT	BIT(0)
#define TDPS_ROOTS_MIRROR	BIT(1)

/**
 * struct tdps_frame - one operation in flight
 * @op: enum tdps_op
 * @reported: the watchdog has complained about it
 * @slow: it may wait for mmu_lock while others have long work to do
 * @roots: kinds of root it may touch, TDPS_ROOTS_*
 * @lock: how mmu_lock was held when it began
 * @vm: VM
 * @start: first GFN
 * @end: GFN after the last
 * @ns: when it began, monotonic ns
 * @mirror_zapped: leaves removed from a mirror root by it so far
 * @direct_zapped: leaves removed from direct roots by it so far
 * @unflushed: of these, since the last TLB flush
 * @flushed: there was a TLB flush since the last table that was zapped in it
 * @flushed_start: first GFN of a table whose leaves were flushed before they are
 *	told of, see tdps_recover_zaps
 * @flushed_end: GFN after its last
 * @ext_failed: an external operation in it failed
 * @ext_refused: the backend refused one that this kernel cannot ask for properly
 * @token: D1's clock when it began
 * @root: TDPS_OP_MAP: the root of the fault
 * @table_level: TDPS_OP_MAP: level of the lowest page table made in it, 0: none
 * @met: TDPS_OP_MAP: the thread whose frozen window was on its way when it began
 * @met_serial: that window
 */
struct tdps_frame {
	u8 op;
	bool reported;
	bool slow;
	u8 roots;
	u8 lock;
	u64 vm;
	u64 start;
	u64 end;
	u64 ns;
	u32 mirror_zapped;
	u32 direct_zapped;
	u32 unflushed;
	bool flushed;
	u64 flushed_start;
	u64 flushed_end;
	bool ext_failed;
	bool ext_refused;
	u64 token;
	u64 root;
	u8 table_level;
	u32 met_serial;
	struct tdps_ctx *met;
};

/**
 * struct tdps_op_end - what the world looks like when an operation returns
 * @where: VM, first GFN, lock
 * @verdict: for TDPS_OP_MAP: did KVM tell the vCPU to go on, to retry, or fail
 * @goal_level: for TDPS_OP_MAP: the level at which it wanted to map
 * @flush: for zaps: KVM was told that a flush is due
 * @leafs_left: present leaves found where none should be
 * @left_gfn: GFN of the first of them
 * @roots_left: for TDPS_OP_UNINIT: roots still in the list
 * @tables_left: ... page tables still accounted, if known, else 0
 * @pages_left: ... leaves still accounted
 * @tdr: physical address of the TDR page, or 0
 * @shared_bits: bits that make a GFN a shared one
 * @bugged: KVM has given the VM up
 */
struct tdps_op_end {
	struct tdps_where where;
	enum { TDPS_MAP_DONE, TDPS_MAP_RETRY, TDPS_MAP_ERROR } verdict;
	int goal_level;
	bool flush;
	u64 leafs_left;
	u64 left_gfn;
	u64 roots_left;
	s64 tables_left;
	s64 pages_left;
	u64 tdr;
	u64 shared_bits;
	bool bugged;
};

/* --- external operations: changes of the S-EPT --- */

enum tdps_extop_kind {
	TDPS_EXT_MAP,		/* a leaf appears */
	TDPS_EXT_LINK,		/* a page table appears */
	TDPS_EXT_REMOVE,	/* a leaf goes */
	TDPS_EXT_SPLIT,		/* a leaf becomes a page table (DEMOTE) */
	TDPS_EXT_PROMOTE,	/* a page table becomes a leaf (PROMOTE) */
	TDPS_EXT_OTHER,		/* a leaf's permissions, or nothing at all */
	TDPS_EXT_FREE,		/* an external page table is freed */
};

enum tdps_seen {
	TDPS_SEEN_NOTHING,	/* the walk does not get there */
	TDPS_SEEN_ABSENT,
	TDPS_SEEN_FROZEN,
	TDPS_SEEN_LEAF,
	TDPS_SEEN_TABLE,
};

/**
 * struct tdps_extop - an external operation, as KVM asks for it
 * @where: VM, GFN, level, lock
 * @kind: what it does
 * @old_spte: the mirror SPTE before, raw
 * @new_spte: the mirror SPTE wanted, raw
 * @detached: the table is no longer part of the tree (its parent went first)
 * @seen: what the mirror SPTE reads right now
 * @parent: what its parent reads right now
 * @page: TDPS_EXT_LINK, TDPS_EXT_FREE: physical address of the external page;
 *	  TDPS_EXT_MAP, TDPS_EXT_REMOVE: of the page that is, or was, mapped
 * @children: TDPS_EXT_FREE: present entries in the mirror table
 * @linked: TDPS_EXT_FREE: the parent entry still points to the table
 * @kept: TDPS_EXT_FREE, when it has returned: the external page was not freed
 * @after: as @seen, when the operation has returned
 * @root: the root that @seen was found in, or 0
 * @table: the page table that the mirror SPTE is in, TDPS_EXT_FREE: that is freed;
 *	   or 0
 * @ours: the VM is the external backend's
 * @bugged: KVM has given the VM up
 */
struct tdps_extop {
	struct tdps_where where;
	enum tdps_extop_kind kind;
	u64 old_spte;
	u64 new_spte;
	bool detached;
	enum tdps_seen seen;
	enum tdps_seen parent;
	u64 page;
	u32 children;
	bool linked;
	bool kept;
	enum tdps_seen after;
	u64 root;
	u64 table;
	bool ours;
	bool bugged;
};

/* --- changes of SPTEs, splits --- */

/**
 * struct tdps_change - the TDP MMU has changed an SPTE
 * @where: VM if known, GFN, level
 * @old_spte: value before
 * @new_spte: value after
 * @alone: the VM has just one direct root
 * @unused: a leaf was zapped, perhaps in an invalid root, which needs no flush
 * @children: a table was replaced by a leaf: present entries left in the table
 */
struct tdps_change {
	struct tdps_where where;
	struct tdps_spte old_spte;
	struct tdps_spte new_spte;
	bool alone;
	bool unused;
	u32 children;
};

/**
 * struct tdps_split - a huge leaf becomes a page table, or the other way round
 * @where: VM, GFN, level of the leaf, lock
 * @merge: the other way round
 * @mirror: in a mirror root
 * @reachable: others may have changed the children meanwhile
 * @table_level: level of the page table
 * @huge: the leaf, raw
 * @wrong: children that are not what the leaf says, 0: all are right
 * @index: the first of these
 * @child: its value, raw
 * @want: what it should be
 * @page: mirror root: physical address of the external page, 0: there is none
 * @ours: mirror root: the VM is the external backend's
 * @ret: mirror root: result of the external operation
 */
struct tdps_split {
	struct tdps_where where;
	bool merge;
	bool mirror;
	bool reachable;
	int table_level;
	u64 huge;
	u32 wrong;
	u32 index;
	u64 child;
	u64 want;
	u64 page;
	bool ours;
	int ret;
};

/* --- SEAMCALLs, as their wrappers in the kernel see them --- */

enum tdps_call {
	TDPS_CALL_MEM_SEPT_ADD,
	TDPS_CALL_MEM_PAGE_ADD,
	TDPS_CALL_MEM_PAGE_AUG,
	TDPS_CALL_MEM_RANGE_BLOCK,
	TDPS_CALL_MEM_TRACK,
	TDPS_CALL_MEM_PAGE_REMOVE,
	TDPS_CALL_MEM_RANGE_UNBLOCK,
	TDPS_CALL_MEM_PAGE_DEMOTE,
	TDPS_CALL_MEM_PAGE_PROMOTE,
	TDPS_CALL_MEM_SEPT_REMOVE,
	TDPS_LAST_CALL_MEM = TDPS_CALL_MEM_SEPT_REMOVE,
	TDPS_CALL_PHYMEM_PAGE_RECLAIM,
	TDPS_CALL_PHYMEM_PAGE_WBINVD,
	TDPS_CALL_PHYMEM_CACHE_WB,
	TDPS_CALL_MNG_CREATE,
	TDPS_CALL_MNG_KEY_CONFIG,
	TDPS_CALL_MNG_ADDCX,
	TDPS_CALL_MNG_INIT,
	TDPS_CALL_MNG_RD,
	TDPS_CALL_MNG_VPFLUSHDONE,
	TDPS_CALL_MNG_KEY_FREEID,
	TDPS_CALL_MR_EXTEND,
	TDPS_CALL_MR_FINALIZE,
	TDPS_CALL_VP_CREATE,
	TDPS_CALL_VP_ADDCX,
	TDPS_CALL_VP_INIT,
	TDPS_CALL_VP_RD,
	TDPS_CALL_VP_WR,
	TDPS_CALL_VP_FLUSH,
	TDPS_NR_CALLS
};

const char *tdps_call_name(enum tdps_call call);

/**
 * struct tdps_seamcall - a SEAMCALL that has returned
 * @where: VM (or 0), GFN, level, lock
 * @call: which
 * @status: RAX
 * @ext1: RCX, for the MEM.* leaves the S-EPT entry at fault; else 0
 * @ext2: RDX, level and state of that entry; else 0
 * @runnable: the TD was finalised: TLB tracking is due before a removal
 * @pa: physical address of the page that TDPS_CALL_PHYMEM_PAGE_WBINVD is about, or that
 *	a MEM.* leaf adds; else 0
 * @injected: it was made to fail, as a trace says; else tdps_injecting() knows
 */
struct tdps_seamcall {
	struct tdps_where where;
	enum tdps_call call;
	u64 status;
	u64 ext1;
	u64 ext2;
	bool runnable;
	u64 pa;
	bool injected;
};

/* --- events: what the flight recorder keeps --- */

enum tdps_event_type {
	TDPS_EV_NONE,
	TDPS_EV_OP_BEGIN,	/* kind: op; gfn..a */
	TDPS_EV_OP_END,		/* kind: op; ret; b: ns it took */
	TDPS_EV_EXT_BEGIN,	/* kind: extop kind; a: old, b: new */
	TDPS_EV_EXT_END,	/* kind: extop kind; ret; a: calls, if it failed; b: ns */
	TDPS_EV_SEAMCALL,	/* kind: call; a: status; b: calls, where it came from */
	TDPS_EV_SPTE,		/* a: old, b: new */
	TDPS_EV_TABLE_NEW,	/* a: the table */
	TDPS_EV_TABLE_ZAP,	/* a: the table */
	TDPS_EV_TABLE_FREE,	/* a: the table */
	TDPS_EV_FLUSH,
	TDPS_EV_KICK,
	TDPS_EV_AUDIT,		/* b: ns it took */
	TDPS_EV_VIOLATION,	/* kind: check */
	TDPS_NR_EVENTS
};

/**
 * struct tdps_event - one thing that happened, 64 bytes
 * @seq: position in its CPU's ring + 1; 0 while being written
 * @ns: monotonic time, ns
 * @vm: VM or 0
 * @gfn: GFN or TDPS_NO_GFN
 * @a: see enum tdps_event_type
 * @b: see enum tdps_event_type
 * @ret: return value
 * @pid: thread
 * @type: enum tdps_event_type
 * @kind: see enum tdps_event_type
 * @level: 1 is 4K, 0 none
 * @lock: enum tdps_lock
 */
struct tdps_event {
	u64 seq;
	u64 ns;
	u64 vm;
	u64 gfn;
	u64 a;
	u64 b;
	s32 ret;
	u32 pid;
	u8 type;
	u8 kind;
	s8 level;
	u8 lock;
};

u64 tdps_record(enum tdps_event_type type, u8 kind, const struct tdps_where *w,
		u64 a, u64 b, int ret);

/* --- contexts: what a thread is in the middle of --- */

#define TDPS_DEPTH	4	/* operations that may nest */
#define TDPS_RANGES	16	/* ranges given back within one notifier call */

/**
 * struct tdps_window - a thread's current or last external operation
 * @open: in progress
 * @paired: the SPTE change that belongs to it has been seen
 * @reported: the watchdog has complained about it
 * @frozen: the SPTE is frozen meanwhile
 * @called: a SEAMCALL was made in it
 * @failed: it has ended, and was refused
 * @kind: enum tdps_extop_kind
 * @level: 1 is 4K
 * @call: the last SEAMCALL in it
 * @lock: how mmu_lock is held
 * @vm: VM
 * @gfn: GFN
 * @lenient: tdx.c's rules of mmu_lock do not hold
 * @root: the root in which the SPTE was seen FROZEN, or 0
 * @table: the page table that the SPTE is in, or 0
 * @old_spte: the mirror SPTE before
 * @new_spte: the mirror SPTE wanted
 * @page: as in struct tdps_extop
 * @ns: when it began
 * @status: status of the last SEAMCALL in it
 */
struct tdps_window {
	bool open;
	bool paired;
	bool reported;
	bool frozen;
	bool called;
	bool failed;
	u8 kind;
	u8 level;
	u8 call;
	u8 lock;
	u64 vm;
	u64 gfn;
	bool lenient;
	u64 root;
	u64 table;
	u64 old_spte;
	u64 new_spte;
	u64 page;
	u64 ns;
	u64 status;
};

/**
 * struct tdps_ctx - one thread, while it is inside the TDP MMU
 *
 * Written by its thread only; the watchdog reads it racily.
 *
 * @users: nested operations and windows, 0: idle
 * @depth: operations on @frame; may exceed TDPS_DEPTH, the rest is not kept
 * @pid: the thread
 * @comm: its name when it entered
 * @frame: the operations
 * @win: external operation
 * @win_serial: changes whenever @win is used anew
 * @blocked_gfn: last GFN that was blocked, or TDPS_NO_GFN
 * @track_due: the TD was runnable then, so that tracking is due
 * @tracked: TLB tracking succeeded since
 * @removed: the external operation has removed a page from the S-EPT
 * @written_back: the page whose cache lines were written back since
 * @kicked: vCPUs were asked to leave the TD since @tracked
 * @flushing: a flush has begun, its request to the vCPUs was not yet seen
 * @busy_call: the last SEAMCALL, if it was busy and KVM promises one retry
 * @busy_vm: its VM
 * @busy_gfn: its GFN
 * @active_ns: when the thread was last seen to get on, monotonic ns
 * @ext_repeats: the same external operation was asked for so often in a row
 * @ext_since_ns: when that began
 * @retry_gfn: GFN of the current run of retries
 * @retries: its length
 * @retry_since_ns: when it began
 * @merged_gfn: first GFN of what a promotion has just merged
 * @merged_level: its level, 0: none
 * @gone: the page table that is being taken apart, and what its leaves mapped
 * @nr_ranges: ranges in use
 * @range: GFN ranges of shared memory that this notifier call gives back
 */
struct tdps_ctx {
	u32 users;
	u32 depth;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct tdps_frame frame[TDPS_DEPTH];
	struct tdps_window win;
	u32 win_serial;
	u64 blocked_gfn;
	bool track_due;
	bool tracked;
	bool removed;
	u64 written_back;
	bool kicked;
	bool flushing;
	int busy_call;
	u64 busy_vm;
	u64 busy_gfn;
	u64 active_ns;
	u32 ext_repeats;
	u64 ext_since_ns;
	u64 retry_gfn;
	u32 retries;
	u64 retry_since_ns;
	u64 merged_gfn;
	u8 merged_level;
	struct {
		u64 gfn;
		u64 delta;	/* PFN minus GFN, of all leaves so far */
		u64 odd_gfn;	/* the first leaf of which that is not true */
		int level;	/* 0: none */
		u32 leafs;
		bool mixed;
		bool mirror;
	} gone;
	u32 nr_ranges;
	struct {
		u64 start, end;
	} range[TDPS_RANGES];
};

struct tdps_ctx *tdps_ctx_current(void);

static inline struct tdps_frame *tdps_ctx_frame(struct tdps_ctx *ctx)
{
	if (!ctx || !ctx->depth || ctx->depth > TDPS_DEPTH)
		return NULL;
	return &ctx->frame[ctx->depth - 1];
}

const char *tdps_op_name(u8 op);

/* --- facts come in here; any of them may be called with mmu_lock held --- */

struct tdps_ctx *tdps_op_begin(enum tdps_op op, const struct tdps_where *w, u64 end, u8 roots,
			       u64 root);
void tdps_op_end(struct tdps_ctx *ctx, enum tdps_op op, const struct tdps_op_end *e);
struct tdps_ctx *tdps_extop_begin(struct tdps_extop *x);
void tdps_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret);
void tdps_spte_changed(const struct tdps_change *c);
void tdps_split_seen(const struct tdps_split *s);
/*
 * The split of a mirror leaf has ended, and its external operation was refused.
 * @err: what KVM makes of it; @linked: the table that it was to bring is there.
 */
void tdps_split_failed(const struct tdps_where *w, int err, bool linked);
/* A split allocates a page table; @rcu: in an RCU read section. */
void tdps_split_alloc(const struct tdps_where *w, bool rcu);
/* See zap.c. */
bool tdps_mapped_since(struct tdps_ctx *ctx, const struct tdps_where *w);
/* The current thread splits huge pages, of that VM; else 0. */
u64 tdps_splitting(void);
void tdps_seamcall(const struct tdps_seamcall *c);
void tdps_table_new(const struct tdps_where *w, u64 table);
void tdps_table_zap(const struct tdps_where *w, u64 table, bool mirror);
void tdps_table_free(u64 table);
void tdps_flush(u64 vm, bool request);
void tdps_kick(u64 vm);
/* What was announced is done: the current thread lets faults of the VM in again. */
void tdps_invalidate_end(u64 vm);
/* The current thread is about to let go of the VM's mmu_lock, and to take it again. */
void tdps_yield(u64 vm);
void tdps_bugged(u64 vm);
void tdps_console(const char *text, size_t len);

/* --- audits: a VM's tables, mmu_lock held for write --- */

/**
 * struct tdps_audit - one pass over one VM
 * @vm: VM
 * @tdr: physical address of the TDR page, 0 if there is none
 * @complete: the whole VM was seen without letting go of mmu_lock
 * @bugged: KVM has given the VM up; only F1 still means something
 * @sptes: entries seen
 * @leafs: present leaves seen, by level - 1
 * @tables: page tables seen that are no roots
 */
struct tdps_audit {
	u64 vm;
	u64 tdr;
	bool complete;
	bool bugged;
	u64 sptes;
	u64 leafs[3];
	u64 tables;
};

enum tdps_host_seen {
	TDPS_HOST_UNKNOWN,
	TDPS_HOST_ABSENT,
	TDPS_HOST_PRESENT,
};

/**
 * struct tdps_host_page - what the host has behind a GFN
 * @seen: is there a page?
 * @pfn: which
 * @level: size of what the host maps there, 1 is 4K
 * @writable: the host may write to it
 */
struct tdps_host_page {
	enum tdps_host_seen seen;
	u64 pfn;
	int level;
	bool writable;
};

/**
 * struct tdps_audit_spte - one entry
 * @gfn: GFN without the bits that make it a shared one
 * @level: 1 is 4K
 * @spte: the entry
 * @mirror: in a mirror root
 * @invalid: in an invalid root
 * @shared_alias: the index path carries the shared bits
 * @misplaced: a leaf, and attributes say that a GFN is not of its root's kind
 * @misplaced_gfn: the first such GFN
 * @writable: a leaf that the guest may write by
 * @host: of a leaf: what the host has behind its first GFN, unless that may change
 * @child_page: for a table in a mirror root: its external page
 */
struct tdps_audit_spte {
	u64 gfn;
	int level;
	struct tdps_spte spte;
	bool mirror;
	bool invalid;
	bool shared_alias;
	bool misplaced;
	u64 misplaced_gfn;
	bool writable;
	struct tdps_host_page host;
	u64 child_page;
};

/**
 * struct tdps_audit_root - one root
 * @id: the root
 * @mirror: a mirror root
 * @invalid: an invalid root
 * @count: its reference count
 * @users: vCPUs that point to it
 */
struct tdps_audit_root {
	u64 id;
	bool mirror;
	bool invalid;
	u32 count;
	u32 users;
};

void tdps_audit_root(struct tdps_audit *a, const struct tdps_audit_root *r);
void tdps_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s);
/* X1: compare one mirror entry with the S-EPT; false: no use going below it. */
bool tdps_audit_sept(struct tdps_audit *a, const struct tdps_audit_spte *s);
void tdps_audit_counts(struct tdps_audit *a, const s64 pages[3], s64 tables);
void tdps_audit_end(struct tdps_audit *a, u64 ns);

/* --- D1: what the emulated guest has done; from whoever plays it --- */

/**
 * tdps_token() - now, on the clock of D1
 *
 * Orders a guest's writes against KVM's operations and harvests of the dirty log
 * without asking a timer. Take it before the write, hand it in after.
 *
 * Context: any. Cheap.
 *
 * Return: the token.
 */
u64 tdps_token(void);
/*
 * All GFNs are without the bits that make them shared ones. Both may be called
 * with IRQs off, inside the guest: before anything that waits for the vCPU to
 * leave it (a TLB flush) can have ended.
 *
 * dirtied: the CPU has set the dirty bit in the leaf of a direct root that maps
 * @gfn. wrote: a guest write to the page is complete.
 */
void tdps_cpu_dirtied(u64 vm, u64 gfn, u64 token);
void tdps_guest_wrote(u64 vm, u64 gfn, u64 token);
/*
 * Dirty logs. reset: logging of the GFN range [@start, @start + @npages) has been
 * switched on (@on: called after that has returned), or is about to be switched
 * off, or its slot to change (!@on). begin, end: around a harvest, that is all
 * the ioctls that read the log and reset it; @bitmap has a bit for each page of
 * the same range, set: reported dirty; NULL: the harvest has failed. One harvest
 * of a range at a time. May sleep.
 * reset: -ENOMEM, -ENOSPC: this log is not followed, which is counted.
 */
int tdps_log_reset(u64 vm, u64 start, u64 npages, bool on);
void tdps_log_begin(u64 vm, u64 start, u64 npages);
void tdps_log_end(u64 vm, u64 start, u64 npages, const unsigned long *bitmap);
/* For kvm/: KVM marks a page dirty. */
void tdps_page_marked(u64 vm, u64 gfn);

/* --- life --- */

/*
 * open: memory for all of the above, all counts and violations forgotten. After that
 * tdps_enabled, tdps_limits and tdps_verdict_asked() are the caller's to set, then
 * tdps_live. @own: the view of an emulated module of our own; NULL: tdx_stub's, if it is
 * there. -ENOMEM: smaller rings need less; else that view does not fit, which has been
 * printed. close: no fact may come any more. Both may sleep.
 */
int tdps_oracle_open(unsigned int events_per_cpu, const struct tdxm_view *own);
void tdps_oracle_close(void);

/* --- who watches --- */

void tdps_watchdog(void);	/* now and then: what has been under way for too long? */

/* The console, for what the kernel finds itself. May sleep. */
int splat_init(void);
void splat_exit(void);
void splat_plant(void);

/*
 * What the hooks can tell of on this kernel; set as they are made.
 *
 * Recovery of huge pages zaps tables: it unhooks a table, flushes the TLBs, and only
 * then tells of the leaves in it.
 */
extern bool tdps_recover_zaps;
extern bool tdps_kicks_visible;	/* kicks of vCPUs can be seen */
extern bool tdps_writebacks_visible;	/* likewise TDH.PHYMEM.PAGE.WBINVD, with its page */

/* --- failures on purpose (excuse.c) --- */

/*
 * A failure was injected into @vm for which KVM has no remedy: what follows from it is
 * no fault of KVM's. Any context.
 */
void tdps_excuse(u64 vm);
/* From now on @call returns @status on purpose; 0: not any more. May sleep. */
void tdps_injecting(enum tdps_call call, u64 status);
void tdps_say_injected(const char *what, u64 status);

/* --- the emulated TDX module, if it is there --- */

extern const struct tdxm_view *tdps_view;

/* --- parameters of the judgement, set before anything is hooked --- */

struct tdps_limits {
	u64 progress_ns;
	u64 frozen_max_ns;
	u32 retry_max;
};

extern bool tdps_verbose;	/* print every violation in full, not only the first of a kind */

extern struct tdps_limits tdps_limits;

/* --- counters: per CPU on the hot path, summed when read --- */

/* Who met whom: a window of one thread, an operation of another (meet.c). */
enum tdps_meet_window {
	TDPS_MEET_FROZEN,	/* any, under mmu_lock held for read */
	TDPS_MEET_MAP,
	TDPS_MEET_LINK,
	TDPS_MEET_ZAP,
	TDPS_MEET_SPLIT,
	TDPS_MEET_PROMOTE,
	TDPS_MEET_FREE,
	TDPS_NR_MEET_WINDOWS
};

enum tdps_meet_op {
	TDPS_MEET_BY_FAULT,
	TDPS_MEET_BY_ZAP,
	TDPS_MEET_BY_REMOVAL,	/* a page table is taken apart, and has to wait */
	TDPS_MEET_BY_SPLIT,
	TDPS_MEET_BY_RECOVER,
	TDPS_MEET_BY_AGE,
	TDPS_MEET_BY_WRPROT,
	TDPS_MEET_BY_CLEAR,
	TDPS_MEET_BY_WALK,
	TDPS_NR_MEET_OPS,
	TDPS_MEET_BY_NOBODY = TDPS_NR_MEET_OPS
};

/* Bucket n counts what took less than 2^n ns, and not less than half of that. */
#define TDPS_BUCKETS	40

struct tdps_counters {
	u64 meet[TDPS_NR_MEET_WINDOWS][TDPS_NR_MEET_OPS];
	u64 event[TDPS_NR_EVENTS];
	u64 check[TDPS_NR_CHECKS];
	u64 frozen_count;
	u64 frozen_ns;
	u64 frozen_max_ns;
	u64 frozen_hist[TDPS_BUCKETS];
	u64 ext_ok;
	u64 ext_busy;
	u64 ext_error;
	u64 write_max_ns;
	u64 read_max_ns;
	u64 write_hist[TDPS_BUCKETS];
	u64 read_hist[TDPS_BUCKETS];
	u64 retry_count;
	u64 retry_max;
	u64 audit_count;
	u64 audit_max_ns;
	u64 audit_sptes;
	u64 split_ok;
	u64 refused;
	u64 split_failed;
	u64 promoted;
	u64 refused_splat;	/* splats that follow from a refused split */
	u64 excused;		/* violations that follow from an injected failure */
	u64 missed;		/* no room to follow: not judged */
};

DECLARE_PER_CPU(struct tdps_counters, tdps_counters);

#define tdps_count(field)	this_cpu_inc(tdps_counters.field)
#define tdps_add(field, n)	this_cpu_add(tdps_counters.field, n)
#define tdps_max(field, n)	tdps_raise(&tdps_counters.field, n)

#define tdps_into(hist, ns) \
	this_cpu_inc(tdps_counters.hist[min(fls64(ns), TDPS_BUCKETS - 1)])

/* A lost update between read and write only loses a maximum of this instant. */
static inline void tdps_raise(u64 __percpu *max, u64 n)
{
	if (n > this_cpu_read(*max))
		this_cpu_write(*max, n);
}

/* The invariant @id is being checked right now: count it. False if it is off. */
static inline bool tdps_checking(enum tdps_check id)
{
	if (!tdps_wants(id))
		return false;
	this_cpu_inc(tdps_counters.check[id]);
	return true;
}

/* --- verdict --- */

/**
 * struct tdps_who - a thread that may no longer be current
 * @pid: thread
 * @op: operation in flight, enum tdps_op
 * @calls: the functions of KVM that it was in, 0: not known
 * @comm: its name
 */
struct tdps_who {
	pid_t pid;
	u8 op;
	u16 calls;
	char comm[TASK_COMM_LEN];
};

__printf(3, 4)
void tdps_violation(enum tdps_check id, const struct tdps_where *w, const char *fmt, ...);
__printf(4, 5)
void tdps_violation_by(enum tdps_check id, const struct tdps_where *w,
		       const struct tdps_who *who, const char *fmt, ...);
/*
 * Where violations go instead of the log and debugfs, counted all the same: for tests
 * of the checks. @line is as in the log. NULL: as usual.
 */
typedef void (*tdps_violation_fn)(enum tdps_check id, const char *line);
extern tdps_violation_fn tdps_violation_to;

/*
 * Prints what the tables have at a place, beside the first violation of a kind, in its
 * context. NULL: nobody can say.
 */
typedef void (*tdps_tables_fn)(const struct tdps_where *w);
extern tdps_tables_fn tdps_tables;

/*
 * Where in KVM the current thread is, as a number; where the function was called from that
 * returns now; and such a number in words. NULL: nobody can say.
 */
struct tdps_calls {
	u16 (*here)(void);
	u16 (*site)(void);
	int (*str)(u16 calls, char *buf, size_t len);
};

extern const struct tdps_calls *tdps_calls;

const char *tdps_check_name(enum tdps_check id);
enum tdps_check tdps_check_by_name(const char *name, size_t len);

void tdps_recorder_show(struct seq_file *m);
void tdps_recorder_show_kept(struct seq_file *m);
/*
 * The newest events of @pid, oldest first; or, with @others_at, of all others that
 * may have to do with what is there. Returns how many.
 */
int tdps_recorder_last(pid_t pid, const struct tdps_where *others_at, struct tdps_event *ev,
		       int max);
void tdps_event_str(const struct tdps_event *ev, char *buf, size_t len);

/* Checks that cannot be made here, and why (static string, without newline). */
void tdps_not_possible(enum tdps_check id, const char *why);
void tdps_verdict_asked(unsigned long asked, bool all);
/*
 * @n things were refused that this kernel cannot do (@why: static string, one
 * clause): without a violation the verdict is then UNSUPPORTED. The last call counts.
 */
void tdps_unsupported(u64 n, const char *why);
void tdps_verdict(char *buf, size_t len);
/* "X1 (why), L1 (why)", or an empty string. */
void tdps_not_checked(char *buf, size_t len);
extern const char * const tdps_meet_windows[TDPS_NR_MEET_WINDOWS];
extern const char * const tdps_meet_ops[TDPS_NR_MEET_OPS];
typedef void (*tdps_stat_fn)(void *ctx, const char *name, u64 value);
void tdps_visit_stats(tdps_stat_fn fn, void *ctx);
void tdps_violations_show(struct seq_file *m);

/**
 * struct tdps_kept - a violation whose line was kept
 * @gfn: GFN or TDPS_NO_GFN
 * @level: 1 is 4K; 0: none
 * @id: which invariant
 * @line: as in the log
 */
struct tdps_kept {
	u64 gfn;
	int level;
	enum tdps_check id;
	char line[256];
};

/* Number @n, from 0; false: there is none. Violations on their way are waited for. */
bool tdps_violation_kept(u32 n, struct tdps_kept *kept);
u64 tdps_violations_total(void);
u64 tdps_violations_excused(void);

#endif
