/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/tdp_stress: what user space asks of tdp_stress.ko. Needs CAP_SYS_ADMIN.
 *
 * Rules for all commands:
 *
 * - Every command but TDP_STRESS_ABI takes a structure that begins with @size, its
 *   own length in bytes, so that both sides may grow it: what is longer than the
 *   kernel knows must be zero there, what is shorter is filled up with zeroes, and
 *   only @size bytes are written back.
 * - @flags and @reserved: what is not named here must be 0. Fields marked "out" are
 *   written by the kernel; what the caller has put there is not looked at.
 * - Errors that any command may return: EPERM (no CAP_SYS_ADMIN), ENOTTY (no such
 *   command), EFAULT (the structure, or what it points to, is no memory of the
 *   caller's), EINVAL (@size is unknown: shorter than the first version of the
 *   structure, longer than a page, or longer than known and the rest is not zero; a
 *   flag or a reserved field is not 0; a number is out of its range). Then nothing was
 *   done, and one line in the kernel log (at most ten in five seconds) says which
 *   field is wrong, and what would be right.
 * - A command that names a VM (@vm_fd) may also return EBADF (the descriptor is not
 *   open), ENXIO (it is no VM of KVM's), EPROTOTYPE (the VM has no mirror roots: it is
 *   neither adopted nor a TD).
 * - What a process configures (injection, holding points) belongs to the open file it
 *   was configured with and ends with it: on the last close(), which an exit or a
 *   kill -9 brings about, too. A thread that is held goes on then.
 *
 * There is no command that makes a VM. KVM_CREATE_VM does that, and the VM's memory is
 * the caller's: memslots, guest_memfd and attributes come from KVM's own ioctls, each
 * of which a test wants to see fail, or to leave out. What KVM has no ioctl for, mirror
 * roots without TDX, is TDP_STRESS_ADOPT_VM. With kvm_intel's TDX a VM is made by
 * KVM_CREATE_VM (KVM_X86_TDX_VM) and KVM_MEMORY_ENCRYPT_OP, and needs no adoption.
 */
#ifndef _UAPI_TDP_STRESS_H
#define _UAPI_TDP_STRESS_H

#include <linux/const.h>
#include <linux/ioctl.h>
#include <linux/types.h>

#define TDP_STRESS_DEVICE	"/dev/tdp_stress"
#define TDP_STRESS_MAGIC	0xE7

/* Changes only if a command changes its meaning. 2: a bad @size is EINVAL. */
#define TDP_STRESS_ABI_VERSION	2

enum {
	TDP_STRESS_CMD_ABI = 0,
	TDP_STRESS_CMD_ADOPT_VM = 1,
	TDP_STRESS_CMD_QUERY = 2,
	TDP_STRESS_CMD_QUERY_OP = 3,
	TDP_STRESS_CMD_OP = 4,
	TDP_STRESS_CMD_INJECT = 5,
	TDP_STRESS_CMD_HOLD = 6,
	TDP_STRESS_CMD_HOLD_WAIT = 7,
	TDP_STRESS_CMD_HOLD_RELEASE = 8,
	TDP_STRESS_CMD_WALK = 9,
	TDP_STRESS_CMD_COUNTERS = 10,
	TDP_STRESS_CMD_CHECK = 11,
	TDP_STRESS_CMD_VIOLATIONS = 12,
};

/**
 * TDP_STRESS_ABI - which ABI is this?
 *
 * Returns TDP_STRESS_ABI_VERSION. No argument.
 */
#define TDP_STRESS_ABI		_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_ABI)

/**
 * struct tdp_stress_adopt_vm - ioctl(TDP_STRESS_ADOPT_VM)
 * @size: sizeof(struct tdp_stress_adopt_vm)
 * @flags: must be 0
 * @vm_fd: a VM of KVM_CREATE_VM's, of type 0, that has neither vCPUs nor memslots
 * @reserved: must be 0
 * @shared_bit: out: the guest physical address bit that makes an address shared
 *
 * Gives the VM mirror roots: private memory (guest_memfd and
 * KVM_MEMORY_ATTRIBUTE_PRIVATE) is then mapped in a mirror page table, whose
 * external page tables an emulated TDX module keeps. KVM_PRE_FAULT_MEMORY is the
 * way to map private memory: the guest of such a VM runs on shared memory only.
 *
 * The VM stays what it is until it is destroyed. tdp_stress.ko cannot be unloaded
 * until then.
 *
 * Returns 0, or -1 with errno, and one line in the kernel log that says why: the
 * errors of all commands; EBADF (@vm_fd is not open), ENXIO (it is no VM of KVM's),
 * EPROTOTYPE (a VM of another type, or a dead one), EBUSY (it has vCPUs or memslots),
 * EEXIST (adopted before), EOPNOTSUPP (tdp_stress.ko runs with backend=tdx, or this
 * KVM has no mirror roots), ENOSPC (too many such VMs), ENOMEM, EIO (the emulated TDX
 * module refused).
 */
struct tdp_stress_adopt_vm {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 reserved;
	__u64 shared_bit;
};

#define TDP_STRESS_ADOPT_VM	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_ADOPT_VM)

/* --- what there is --- */

/**
 * enum tdp_stress_backend - who keeps the external page tables
 * @TDP_STRESS_BACKEND_EXTERNAL: tdp_stress.ko, of VMs that it has adopted
 * @TDP_STRESS_BACKEND_TDX_EMULATED: kvm_intel's tdx.c, on tdx_stub.ko
 * @TDP_STRESS_BACKEND_TDX_REAL: kvm_intel's tdx.c, on a TDX module
 */
enum tdp_stress_backend {
	TDP_STRESS_BACKEND_EXTERNAL = 1,
	TDP_STRESS_BACKEND_TDX_EMULATED = 2,
	TDP_STRESS_BACKEND_TDX_REAL = 3,
};

/* struct tdp_stress_query.features, what is there in this kernel and run */
#define TDP_STRESS_FEATURE_MIRROR	_BITULL(0)	/* KVM has mirror roots */
#define TDP_STRESS_FEATURE_ADOPT	_BITULL(1)	/* TDP_STRESS_ADOPT_VM works */
#define TDP_STRESS_FEATURE_CRAFT	_BITULL(2)	/* TDP_STRESS_OP_MAP_CRAFT works: 2M */
#define TDP_STRESS_FEATURE_MIRROR_SPLIT	_BITULL(3)	/* huge mirror leafs can be split */
#define TDP_STRESS_FEATURE_1G		_BITULL(4)	/* 1G mirror leafs, too */
#define TDP_STRESS_FEATURE_NX		_BITULL(5)	/* NX huge pages and their recovery */
#define TDP_STRESS_FEATURE_LOCKDEP	_BITULL(6)	/* lockdep is on and working */
#define TDP_STRESS_FEATURE_PROVE_MMU	_BITULL(7)	/* CONFIG_KVM_PROVE_MMU */
#define TDP_STRESS_FEATURE_PREEMPT	_BITULL(8)	/* walks yield when asked to */
#define TDP_STRESS_FEATURE_FAULT_INJECT	_BITULL(9)	/* /proc/self/fail-nth is there */
#define TDP_STRESS_FEATURE_SEPT		_BITULL(10)	/* external entries can be read */
#define TDP_STRESS_FEATURE_CHECKS	_BITULL(11)	/* invariants are being checked */
#define TDP_STRESS_FEATURE_TORTURE	_BITULL(12)	/* in-kernel workers (vms=) are at work */

/**
 * struct tdp_stress_query - ioctl(TDP_STRESS_QUERY): what is there?
 * @size: sizeof(struct tdp_stress_query)
 * @flags: must be 0
 * @abi: out: TDP_STRESS_ABI_VERSION
 * @backend: out: enum tdp_stress_backend
 * @features: out: TDP_STRESS_FEATURE_*
 * @ops: out: operations that can be done, bit number: enum tdp_stress_op_nr
 * @points: out: holding points that threads come by here, bit number:
 *	enum tdp_stress_point
 * @injects: out: kinds of injection, bit number: enum tdp_stress_inject_kind
 * @nr_ops: out: operations the kernel knows are numbered below this
 * @nr_points: out: likewise, holding points
 * @max_holds: out: holding points that one open file may have armed at once
 * @max_hold_ms: out: longest time for which a thread is held, milliseconds: four fifths of
 *	the lesser of the module's parameters frozen_max_ms and progress_ms
 * @max_walk: out: most entries that one TDP_STRESS_WALK returns
 * @live_holds: out: holding points armed at the moment, by anybody
 * @live_injects: out: injections in force at the moment, by anybody
 * @live_vms: out: adopted VMs that KVM has not destroyed yet
 *
 * Returns 0, or -1 with errno: the errors of all commands.
 */
struct tdp_stress_query {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 backend;
	__u64 features;
	__u64 ops;
	__u64 points;
	__u64 injects;
	__u32 nr_ops;
	__u32 nr_points;
	__u32 max_holds;
	__u32 max_hold_ms;
	__u32 max_walk;
	__u32 live_holds;
	__u32 live_injects;
	__u32 live_vms;
};

#define TDP_STRESS_QUERY	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_QUERY)

/* Kinds of root: struct tdp_stress_op.roots, struct tdp_stress_walk.roots */
#define TDP_STRESS_ROOTS_DIRECT	_BITUL(0)	/* shared memory */
#define TDP_STRESS_ROOTS_MIRROR	_BITUL(1)	/* private memory */

/**
 * struct tdp_stress_query_op - ioctl(TDP_STRESS_QUERY_OP): about one operation
 * @size: sizeof(struct tdp_stress_query_op)
 * @flags: must be 0
 * @op: enum tdp_stress_op_nr
 * @op_flags: out: TDP_STRESS_OP_* flags that it takes
 * @roots: out: TDP_STRESS_ROOTS_*, one of which must be asked for; 0: there is no choice
 * @both: out: 1: both together may be asked for, too
 * @needs_vcpu: out: 1: it is done on a vCPU
 * @needs_slot: out: 1: the range has to be in one memslot
 * @min_level: out: least @level
 * @max_level: out: greatest @level; 0: @level must be 0
 * @name: out: its name, as in the debugfs file ops
 * @why: out: why it cannot be done here, or an empty string; ends with a zero
 *
 * Returns 0, or -1 with errno: the errors of all commands; ENOENT (no operation has
 * the number @op).
 */
struct tdp_stress_query_op {
	__u32 size;
	__u32 flags;
	__u32 op;
	__u32 op_flags;
	__u32 roots;
	__u32 both;
	__u32 needs_vcpu;
	__u32 needs_slot;
	__u32 min_level;
	__u32 max_level;
	char name[32];
	char why[128];
};

#define TDP_STRESS_QUERY_OP	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_QUERY_OP)

/* --- operations --- */

/**
 * enum tdp_stress_op_nr - entry points of the TDP MMU
 * @TDP_STRESS_OP_MAP: a fault at each GFN (kvm_tdp_mmu_map()); FLAG_WRITE,
 *	FLAG_EXEC (direct roots only); @level: largest leaf wanted
 * @TDP_STRESS_OP_FAST_PF: a write fault at a present leaf (fast_page_fault())
 * @TDP_STRESS_OP_PREFAULT: KVM_PRE_FAULT_MEMORY's own function
 * @TDP_STRESS_OP_MAP_CRAFT: map mirror leafs of @level, also huge ones, which no fault
 *	of this KVM makes. The memslot must have no guest_memfd (else EOPNOTSUPP, in
 *	@error); whether the GFNs are private by their attributes does not matter. The
 *	frames are those of the memslot's memory, which must be huge and aligned likewise
 *	(else EMEDIUMTYPE, in @error); they, and what could be one huge leaf with them,
 *	stay pinned until the VM is destroyed. Do not switch the dirty log of such a
 *	memslot on, unless it is its mirror leafs that are to be tried
 * @TDP_STRESS_OP_ZAP_LEAFS: kvm_tdp_mmu_zap_leafs(): all kinds of root
 * @TDP_STRESS_OP_UNMAP: kvm_tdp_mmu_unmap_gfn_range(), as notifiers and conversions
 * @TDP_STRESS_OP_ZAP_ALL: kvm_tdp_mmu_zap_all(): direct roots, no range
 * @TDP_STRESS_OP_INVALIDATE: kvm_tdp_mmu_invalidate_roots() and
 *	kvm_tdp_mmu_zap_invalidated_roots(), direct roots, no range;
 *	FLAG_SHARED: zapped with mmu_lock held for read
 * @TDP_STRESS_OP_INVALIDATE_ALL: mirror roots, too; vCPUs give their roots up first
 * @TDP_STRESS_OP_AGE: kvm_tdp_mmu_age_gfn_range()
 * @TDP_STRESS_OP_TEST_AGE: kvm_tdp_mmu_test_age_gfn()
 * @TDP_STRESS_OP_WRPROT_SLOT: kvm_tdp_mmu_wrprot_slot() of the memslot of @gfn, down
 *	to leafs of @level
 * @TDP_STRESS_OP_WRPROT_GFN: kvm_tdp_mmu_write_protect_gfn(); @level likewise
 * @TDP_STRESS_OP_CLEAR_DIRTY_SLOT: kvm_tdp_mmu_clear_dirty_slot()
 * @TDP_STRESS_OP_CLEAR_DIRTY_MASKED: kvm_tdp_mmu_clear_dirty_pt_masked(): those of the
 *	64 GFNs from @gfn (a multiple of 64) whose bit in @mask is set; FLAG_WRITE:
 *	write-protect rather than clear dirty bits
 * @TDP_STRESS_OP_SPLIT: kvm_tdp_mmu_try_split_huge_pages() down to @level; it does all
 *	kinds of root, @roots says which are meant; FLAG_SHARED: with mmu_lock held for read
 * @TDP_STRESS_OP_RECOVER: kvm_tdp_mmu_recover_huge_pages() of the memslot of @gfn, which
 *	must have no GFNs that are private by their attributes (KVM would WARN); @roots
 *	as for SPLIT
 * @TDP_STRESS_OP_NX_RECOVER: KVM's worker that zaps NX huge page splits; no range
 * @TDP_STRESS_OP_GET_WALK: kvm_tdp_mmu_get_walk(): lockless, direct root
 * @TDP_STRESS_OP_LAST_SPTEP: kvm_tdp_mmu_fast_pf_get_last_sptep(), likewise
 * @TDP_STRESS_OP_ROLE: kvm_mmu_reset_context(): roots looked up anew; no range
 * @TDP_STRESS_OP_RELOAD: kvm_mmu_unload() and kvm_mmu_load(); no range
 *
 * Memslots, attributes, dirty logs and holes are KVM's own ioctls and the host's system
 * calls, which user space can make itself: they are no operations here.
 */
enum tdp_stress_op_nr {
	TDP_STRESS_OP_MAP = 0,
	TDP_STRESS_OP_FAST_PF = 1,
	TDP_STRESS_OP_PREFAULT = 2,
	TDP_STRESS_OP_MAP_CRAFT = 3,
	TDP_STRESS_OP_ZAP_LEAFS = 4,
	TDP_STRESS_OP_UNMAP = 5,
	TDP_STRESS_OP_ZAP_ALL = 6,
	TDP_STRESS_OP_INVALIDATE = 7,
	TDP_STRESS_OP_INVALIDATE_ALL = 8,
	TDP_STRESS_OP_AGE = 9,
	TDP_STRESS_OP_TEST_AGE = 10,
	TDP_STRESS_OP_WRPROT_SLOT = 11,
	TDP_STRESS_OP_WRPROT_GFN = 12,
	TDP_STRESS_OP_CLEAR_DIRTY_SLOT = 13,
	TDP_STRESS_OP_CLEAR_DIRTY_MASKED = 14,
	TDP_STRESS_OP_SPLIT = 15,
	TDP_STRESS_OP_RECOVER = 16,
	TDP_STRESS_OP_NX_RECOVER = 17,
	TDP_STRESS_OP_GET_WALK = 18,
	TDP_STRESS_OP_LAST_SPTEP = 19,
	TDP_STRESS_OP_ROLE = 20,
	TDP_STRESS_OP_RELOAD = 21,
};

/* struct tdp_stress_op.flags; which of them an operation takes, QUERY_OP tells */
#define TDP_STRESS_OP_FLAG_SHARED	_BITUL(0)	/* mmu_lock for read where KVM has both */
#define TDP_STRESS_OP_FLAG_WRITE	_BITUL(1)	/* a write access */
#define TDP_STRESS_OP_FLAG_EXEC		_BITUL(2)	/* an instruction fetch */
#define TDP_STRESS_OP_FLAG_YIELD	_BITUL(3)	/* the walk finds that it should yield */

/**
 * enum tdp_stress_result - how an operation went
 * @TDP_STRESS_DID: it did what it is for
 * @TDP_STRESS_RETRY: KVM says: try again (-EAGAIN, RET_PF_RETRY, or others are in the way)
 * @TDP_STRESS_NOTHING: there was nothing to do
 * @TDP_STRESS_REFUSED: an error; @error tells which
 *
 * With several GFNs (MAP, FAST_PF, PREFAULT, MAP_CRAFT, GET_WALK, LAST_SPTEP, WRPROT_GFN)
 * the operation ends at the first that is not DID or NOTHING; @done tells how many.
 */
enum tdp_stress_result {
	TDP_STRESS_DID = 0,
	TDP_STRESS_RETRY = 1,
	TDP_STRESS_NOTHING = 2,
	TDP_STRESS_REFUSED = 3,
};

/**
 * struct tdp_stress_op - ioctl(TDP_STRESS_OP): do one operation
 * @size: sizeof(struct tdp_stress_op)
 * @flags: TDP_STRESS_OP_FLAG_*
 * @vm_fd: an adopted VM, or a TD
 * @op: enum tdp_stress_op_nr
 * @gfn: first page, without the bits that make it a shared one; 0 if it has no range
 * @nr: pages, up to 2^20; 0 if it has no range
 * @level: 1: 4K, 2: 2M, 3: 1G; 0 if it takes none
 * @roots: TDP_STRESS_ROOTS_*; 0 where the operation leaves no choice
 * @vcpu: index of the vCPU (in the order of creation) that does it; 0 if it needs none
 * @reserved: must be 0
 * @mask: CLEAR_DIRTY_MASKED: a bit for each GFN; else 0
 * @result: out: enum tdp_stress_result
 * @error: out: REFUSED: errno, positive; else 0
 * @done: out: pages that were dealt with one by one; else 0
 * @leafs_before: out: leafs of the VM, in 4K pages, all sizes and roots
 * @leafs_after: out: the same afterwards; others may change it meanwhile
 * @changed: out: SPTEs that this thread has changed meanwhile (0 if no invariant is
 *	checked, so that KVM is not followed, or if 256 others are at it, too)
 * @yields: out: times that KVM let go of mmu_lock in the middle of it
 * @ns: out: time it took, ns
 *
 * Locks and context are those of KVM's own callers. The flush that KVM's caller owes
 * is done. Operations that KVM never runs against each other are the caller's to keep
 * apart: see Documentation/findings.rst for those that end in KVM's BUG() (RECOVER
 * against zaps of the same memslot) or never end (PREFAULT against INVALIDATE, until a
 * signal comes).
 *
 * Returns 0 when the operation was done, however it went, or -1 with errno: the errors
 * of all commands and of VMs; EINVAL also: @op, @level, @roots or @nr is not one that
 * QUERY_OP tells, the range has shared bits, is not aligned to @level (MAP_CRAFT) or to
 * 64 pages (CLEAR_DIRTY_MASKED); ENOENT (no vCPU of that index, or no memslot at @gfn),
 * ERANGE (the range is not in one memslot), EOPNOTSUPP (it cannot be done here: QUERY_OP
 * tells why; or the TD is not finalized; or the memslot has private memory, for which KVM
 * has no such operation), EINTR (a signal came before it began), ENOMEM, EIO (KVM has given
 * the VM up, or the VM belongs to another process).
 */
struct tdp_stress_op {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 op;
	__u64 gfn;
	__u64 nr;
	__u32 level;
	__u32 roots;
	__u32 vcpu;
	__u32 reserved;
	__u64 mask;
	__u32 result;
	__u32 error;
	__u64 done;
	__u64 leafs_before;
	__u64 leafs_after;
	__u64 changed;
	__u64 yields;
	__u64 ns;
};

#define TDP_STRESS_OP		_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_OP)

/* --- injection --- */

/**
 * enum tdp_stress_inject_kind - what is made to fail
 * @TDP_STRESS_INJECT_SEAMCALL: a leaf of the emulated TDX module
 * @TDP_STRESS_INJECT_EXTOP: KVM's external operation, before anybody else sees it
 * @TDP_STRESS_INJECT_RESET: nothing any more: all of this open file is undone; every
 *	other field must be 0
 */
enum tdp_stress_inject_kind {
	TDP_STRESS_INJECT_SEAMCALL = 0,
	TDP_STRESS_INJECT_EXTOP = 1,
	TDP_STRESS_INJECT_RESET = 2,
};

/**
 * enum tdp_stress_inject_mode - when
 * @TDP_STRESS_INJECT_OFF: never (undoes one; @status and @value must be 0)
 * @TDP_STRESS_INJECT_RANDOM: one call in @value, at random; @value at least 2
 * @TDP_STRESS_INJECT_NTH: every @value-th call; @value at least 2
 * @TDP_STRESS_INJECT_BURST: the next @value calls; @value up to 1000
 * @TDP_STRESS_INJECT_ONCE: the @value-th call from now, once
 * @TDP_STRESS_INJECT_COUNT: none: only count calls; @status and @value must be 0
 */
enum tdp_stress_inject_mode {
	TDP_STRESS_INJECT_OFF = 0,
	TDP_STRESS_INJECT_RANDOM = 1,
	TDP_STRESS_INJECT_NTH = 2,
	TDP_STRESS_INJECT_BURST = 3,
	TDP_STRESS_INJECT_ONCE = 4,
	TDP_STRESS_INJECT_COUNT = 5,
};

/**
 * enum tdp_stress_extop - external operations
 * @TDP_STRESS_EXTOP_MAP: a leaf appears
 * @TDP_STRESS_EXTOP_LINK: a page table appears
 * @TDP_STRESS_EXTOP_REMOVE: a leaf goes
 * @TDP_STRESS_EXTOP_SPLIT: a leaf becomes a page table
 * @TDP_STRESS_EXTOP_PROMOTE: a page table becomes a leaf
 * @TDP_STRESS_EXTOP_OTHER: a leaf's permissions change
 * @TDP_STRESS_EXTOP_FREE: an external page table is freed; cannot fail
 */
enum tdp_stress_extop {
	TDP_STRESS_EXTOP_MAP = 0,
	TDP_STRESS_EXTOP_LINK = 1,
	TDP_STRESS_EXTOP_REMOVE = 2,
	TDP_STRESS_EXTOP_SPLIT = 3,
	TDP_STRESS_EXTOP_PROMOTE = 4,
	TDP_STRESS_EXTOP_OTHER = 5,
	TDP_STRESS_EXTOP_FREE = 6,
};

/**
 * struct tdp_stress_inject - ioctl(TDP_STRESS_INJECT): let something fail
 * @size: sizeof(struct tdp_stress_inject)
 * @flags: must be 0
 * @kind: enum tdp_stress_inject_kind
 * @mode: enum tdp_stress_inject_mode
 * @what: SEAMCALL: the leaf's number (TDH.*); EXTOP: enum tdp_stress_extop
 * @value: see @mode; at least 1 where it is used
 * @status: SEAMCALL: the leaf's status, not 0; of TDX_OPERAND_BUSY the emulated module
 *	fills in the operand. EXTOP: errno, positive: EBUSY or EIO
 * @vm_fd: EXTOP: only of this VM, or -1: of any. SEAMCALL: must be -1
 * @reserved: must be 0
 * @calls: out: calls seen since the one before this was set, of this @what
 * @fired: out: of these, calls that were made to fail
 *
 * Replaces what was set for the same @what before, whose @calls and @fired are
 * returned: to read them, set COUNT, or OFF. RESET returns the sums.
 *
 * A failure that is injected is no fault of KVM's: the checks that would name it (F4,
 * S1, X1 to X4, Z1, A1, SPLAT) are not made of its VM any more if the status is one that KVM
 * answers by giving the VM up. The counter "excused" has the number of violations that
 * were not counted for that reason. What counts all the same: KVM reports success although
 * the TDX module has refused (F4).
 *
 * Returns 0, or -1 with errno: the errors of all commands and of VMs; EINVAL also: no
 * such leaf, or one that must always work; a @status that fits no @mode; EPERM (BURST
 * of BUSY with a @value over 1, on a leaf whose retry KVM relies on), EBUSY (another
 * open file has set something for the same @what), EOPNOTSUPP (SEAMCALL: the TDX module
 * is real, or tdx_stub.ko is another version; EXTOP: this KVM has none).
 */
struct tdp_stress_inject {
	__u32 size;
	__u32 flags;
	__u32 kind;
	__u32 mode;
	__u32 what;
	__u32 value;
	__u64 status;
	__s32 vm_fd;
	__u32 reserved;
	__u64 calls;
	__u64 fired;
};

#define TDP_STRESS_INJECT	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_INJECT)

/* --- holding points --- */

/**
 * enum tdp_stress_point - where a thread can be held
 * @TDP_STRESS_POINT_OP_BEGIN: KVM is about to enter a function of the TDP MMU; locks as
 *	the function wants them. @kinds: enum tdp_stress_mmu_op
 * @TDP_STRESS_POINT_OP_END: it returns; the flush that its caller owes is still due: so
 *	for zaps this is between zap and flush. @kinds likewise
 * @TDP_STRESS_POINT_EXT_BEGIN: an external operation is about to be done. mmu_lock held
 *	for read: in the frozen window. @kinds: enum tdp_stress_extop
 * @TDP_STRESS_POINT_EXT_END: it has been done. mmu_lock held for read: still in the
 *	frozen window, before the SPTE is unfrozen. @kinds likewise
 * @TDP_STRESS_POINT_SPTE: an SPTE has just been changed; of a mirror root with mmu_lock
 *	held for read it still is FROZEN. @kinds must be 0
 * @TDP_STRESS_POINT_FLUSH: KVM is about to flush TLBs, of the whole VM. @kinds must be 0,
 *	@gfn and @nr, too
 */
enum tdp_stress_point {
	TDP_STRESS_POINT_OP_BEGIN = 0,
	TDP_STRESS_POINT_OP_END = 1,
	TDP_STRESS_POINT_EXT_BEGIN = 2,
	TDP_STRESS_POINT_EXT_END = 3,
	TDP_STRESS_POINT_SPTE = 4,
	TDP_STRESS_POINT_FLUSH = 5,
};

/**
 * enum tdp_stress_mmu_op - functions at whose beginning and end a thread can be held
 * @TDP_STRESS_MMU_MAP: kvm_tdp_mmu_map()
 * @TDP_STRESS_MMU_UNMAP: kvm_tdp_mmu_unmap_gfn_range()
 * @TDP_STRESS_MMU_ZAP_LEAFS: kvm_tdp_mmu_zap_leafs()
 * @TDP_STRESS_MMU_ZAP_ALL: kvm_tdp_mmu_zap_all()
 * @TDP_STRESS_MMU_ZAP_INVALID: kvm_tdp_mmu_zap_invalidated_roots()
 * @TDP_STRESS_MMU_ZAP_NX: kvm_tdp_mmu_zap_possible_nx_huge_page()
 * @TDP_STRESS_MMU_INVALIDATE: kvm_tdp_mmu_invalidate_roots()
 * @TDP_STRESS_MMU_SPLIT: kvm_tdp_mmu_try_split_huge_pages()
 * @TDP_STRESS_MMU_RECOVER: kvm_tdp_mmu_recover_huge_pages()
 * @TDP_STRESS_MMU_AGE: kvm_tdp_mmu_age_gfn_range()
 * @TDP_STRESS_MMU_TEST_AGE: kvm_tdp_mmu_test_age_gfn()
 * @TDP_STRESS_MMU_WRPROT_SLOT: kvm_tdp_mmu_wrprot_slot()
 * @TDP_STRESS_MMU_WRPROT_GFN: kvm_tdp_mmu_write_protect_gfn()
 * @TDP_STRESS_MMU_CLEAR_DIRTY_SLOT: kvm_tdp_mmu_clear_dirty_slot()
 * @TDP_STRESS_MMU_CLEAR_DIRTY_MASKED: kvm_tdp_mmu_clear_dirty_pt_masked()
 * @TDP_STRESS_MMU_GET_WALK: kvm_tdp_mmu_get_walk()
 * @TDP_STRESS_MMU_LAST_SPTEP: kvm_tdp_mmu_fast_pf_get_last_sptep()
 */
enum tdp_stress_mmu_op {
	TDP_STRESS_MMU_MAP = 0,
	TDP_STRESS_MMU_UNMAP = 1,
	TDP_STRESS_MMU_ZAP_LEAFS = 2,
	TDP_STRESS_MMU_ZAP_ALL = 3,
	TDP_STRESS_MMU_ZAP_INVALID = 4,
	TDP_STRESS_MMU_ZAP_NX = 5,
	TDP_STRESS_MMU_INVALIDATE = 6,
	TDP_STRESS_MMU_SPLIT = 7,
	TDP_STRESS_MMU_RECOVER = 8,
	TDP_STRESS_MMU_AGE = 9,
	TDP_STRESS_MMU_TEST_AGE = 10,
	TDP_STRESS_MMU_WRPROT_SLOT = 11,
	TDP_STRESS_MMU_WRPROT_GFN = 12,
	TDP_STRESS_MMU_CLEAR_DIRTY_SLOT = 13,
	TDP_STRESS_MMU_CLEAR_DIRTY_MASKED = 14,
	TDP_STRESS_MMU_GET_WALK = 15,
	TDP_STRESS_MMU_LAST_SPTEP = 16,
};

/**
 * struct tdp_stress_hold - ioctl(TDP_STRESS_HOLD): arm a holding point
 * @size: sizeof(struct tdp_stress_hold)
 * @flags: must be 0
 * @vm_fd: an adopted VM, or a TD
 * @point: enum tdp_stress_point
 * @kinds: a bit for each of the kinds that @point has; 0: all
 * @level: only SPTEs of this level (EXT_BEGIN, EXT_END, SPTE); 0: all
 * @gfn: first page
 * @nr: pages; @gfn and @nr 0: all of the VM, and what has no GFN
 * @skip: so many threads that come there are let pass first
 * @hold_ms: a thread that is held goes on by itself after so many ms, 1 to @max_hold_ms
 *	of TDP_STRESS_QUERY
 * @id: out: names the holding point to the other commands, on this open file
 * @reserved: must be 0
 *
 * The first thread that comes there is held, whichever it is, but the one that armed it
 * can hold itself: it goes on after @hold_ms. A point holds one thread, once. While a
 * thread is held it spins, with KVM's locks held, RCU and preemption off as KVM has
 * them there. It goes on when the point is released, when its file is closed, when
 * @hold_ms are over, and when the held thread itself is about to be killed. It keeps a
 * CPU, and who waits for its lock another one: a test needs one more than these. Held
 * twice in one frozen window or operation, a thread may be so slow that F1 or P1 names it.
 *
 * Returns 0, or -1 with errno: the errors of all commands and of VMs; EOPNOTSUPP (no
 * thread comes by such a point here: see @points of TDP_STRESS_QUERY), ENOSPC (this file
 * has @max_holds of them, or too many are armed in all).
 */
struct tdp_stress_hold {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 point;
	__u32 kinds;
	__u32 level;
	__u64 gfn;
	__u64 nr;
	__u32 skip;
	__u32 hold_ms;
	__u32 id;
	__u32 reserved;
};

#define TDP_STRESS_HOLD		_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_HOLD)

/**
 * enum tdp_stress_hold_state - what has become of a holding point
 * @TDP_STRESS_HOLD_ARMED: nobody has come
 * @TDP_STRESS_HOLD_HELD: a thread is held
 * @TDP_STRESS_HOLD_RELEASED: it was released
 * @TDP_STRESS_HOLD_EXPIRED: it went on by itself, after @hold_ms
 * @TDP_STRESS_HOLD_KILLED: it went on by itself, because it was about to be killed
 */
enum tdp_stress_hold_state {
	TDP_STRESS_HOLD_ARMED = 0,
	TDP_STRESS_HOLD_HELD = 1,
	TDP_STRESS_HOLD_RELEASED = 2,
	TDP_STRESS_HOLD_EXPIRED = 3,
	TDP_STRESS_HOLD_KILLED = 4,
};

/**
 * struct tdp_stress_hold_wait - ioctl(TDP_STRESS_HOLD_WAIT): wait until a thread is held
 * @size: sizeof(struct tdp_stress_hold_wait)
 * @flags: must be 0
 * @id: as returned by TDP_STRESS_HOLD
 * @timeout_ms: how long, ms, up to 600000; 0: only look
 * @state: out: enum tdp_stress_hold_state
 * @kind: out: of the kinds that the point has, which; else 0
 * @pid: out: thread, in the initial PID namespace; 0: nobody has come
 * @level: out: level of the SPTE at hand, or 0
 * @lock: out: how the thread holds mmu_lock: 0 nobody can tell, 1 not, 2 for read,
 *	3 for write
 * @reserved: must be 0
 * @gfn: out: first page at hand; ~0: none
 * @held_ns: out: how long it has been held so far, or was held, ns
 *
 * Returns 0 when a thread is or was held, or -1 with errno: the errors of all commands;
 * ENOENT (no such @id on this file), ETIMEDOUT (nobody came: @state is ARMED), EINTR.
 */
struct tdp_stress_hold_wait {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 timeout_ms;
	__u32 state;
	__u32 kind;
	__u32 pid;
	__u32 level;
	__u32 lock;
	__u32 reserved;
	__u64 gfn;
	__u64 held_ns;
};

#define TDP_STRESS_HOLD_WAIT	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_HOLD_WAIT)

/**
 * struct tdp_stress_hold_release - ioctl(TDP_STRESS_HOLD_RELEASE): let it go, disarm
 * @size: sizeof(struct tdp_stress_hold_release)
 * @flags: must be 0
 * @id: as returned by TDP_STRESS_HOLD; not valid any more afterwards
 * @state: out: enum tdp_stress_hold_state, what it was until now
 *
 * When it returns no thread is held by that point.
 *
 * Returns 0, or -1 with errno: the errors of all commands; ENOENT (no such @id on this
 * file).
 */
struct tdp_stress_hold_release {
	__u32 size;
	__u32 flags;
	__u32 id;
	__u32 state;
};

#define TDP_STRESS_HOLD_RELEASE	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_HOLD_RELEASE)

/* --- looking --- */

/**
 * enum tdp_stress_spte - what an SPTE reads
 * @TDP_STRESS_SPTE_ABSENT: nothing
 * @TDP_STRESS_SPTE_FROZEN: FROZEN_SPTE
 * @TDP_STRESS_SPTE_TABLE: a page table
 * @TDP_STRESS_SPTE_LEAF: a page
 * @TDP_STRESS_SPTE_MMIO: known to be MMIO
 */
enum tdp_stress_spte {
	TDP_STRESS_SPTE_ABSENT = 0,
	TDP_STRESS_SPTE_FROZEN = 1,
	TDP_STRESS_SPTE_TABLE = 2,
	TDP_STRESS_SPTE_LEAF = 3,
	TDP_STRESS_SPTE_MMIO = 4,
};

/**
 * enum tdp_stress_ext - what the external entry of a mirror SPTE reads
 * @TDP_STRESS_EXT_NONE: there is none, or it cannot be read (a direct root, a real TDX
 *	module, a TD at its end)
 * @TDP_STRESS_EXT_FREE: nothing is mapped
 * @TDP_STRESS_EXT_TABLE: a page table
 * @TDP_STRESS_EXT_MAPPED: a page, accepted by the guest
 * @TDP_STRESS_EXT_PENDING: a page, not accepted yet
 * @TDP_STRESS_EXT_BLOCKED: a page or table that is blocked
 * @TDP_STRESS_EXT_OTHER: any other state of the module's
 */
enum tdp_stress_ext {
	TDP_STRESS_EXT_NONE = 0,
	TDP_STRESS_EXT_FREE = 1,
	TDP_STRESS_EXT_TABLE = 2,
	TDP_STRESS_EXT_MAPPED = 3,
	TDP_STRESS_EXT_PENDING = 4,
	TDP_STRESS_EXT_BLOCKED = 5,
	TDP_STRESS_EXT_OTHER = 6,
};

/* struct tdp_stress_entry.flags */
#define TDP_STRESS_ENTRY_INVALID_ROOT	_BITUL(0)	/* in a root that was invalidated */
#define TDP_STRESS_ENTRY_WRITABLE	_BITUL(1)	/* a leaf that may be written */
#define TDP_STRESS_ENTRY_ACCESSED	_BITUL(2)	/* a leaf with the CPU's accessed bit */
#define TDP_STRESS_ENTRY_DIRTY		_BITUL(3)	/* a leaf with the CPU's dirty bit */

/**
 * struct tdp_stress_entry - an SPTE, and its external entry
 * @gfn: first page it is about, without the bits that make it a shared one
 * @spte: raw
 * @pfn: page frame it maps or points to, 0: none
 * @ext_pfn: likewise, the external entry; of a table: of the external page table
 * @roots: TDP_STRESS_ROOTS_DIRECT or _MIRROR: the kind of root it is in
 * @root: number of the root, among all of the VM
 * @level: 1: 4K, 2: 2M, 3: 1G, ...
 * @state: enum tdp_stress_spte
 * @ext_state: enum tdp_stress_ext
 * @flags: TDP_STRESS_ENTRY_*
 */
struct tdp_stress_entry {
	__u64 gfn;
	__u64 spte;
	__u64 pfn;
	__u64 ext_pfn;
	__u32 roots;
	__u32 root;
	__u32 level;
	__u32 state;
	__u32 ext_state;
	__u32 flags;
};

/* struct tdp_stress_walk.flags */
#define TDP_STRESS_WALK_ABSENT	_BITUL(0)	/* entries that read nothing, too */
#define TDP_STRESS_WALK_LEAFS	_BITUL(1)	/* no page tables */

/**
 * struct tdp_stress_walk - ioctl(TDP_STRESS_WALK): what do the tables say?
 * @size: sizeof(struct tdp_stress_walk)
 * @flags: TDP_STRESS_WALK_*
 * @vm_fd: an adopted VM, or a TD
 * @roots: TDP_STRESS_ROOTS_*, one or both
 * @gfn: first page, without the bits that make it a shared one
 * @nr: pages
 * @entries: address of an array of struct tdp_stress_entry
 * @max: its length, in entries; the kernel fills in @max_walk of TDP_STRESS_QUERY at most
 * @filled: out: entries that were filled in
 * @total: out: entries there are; more than @filled: ask for a smaller range
 *
 * Root by root, and in each from low to high GFNs, a page table before what is in it.
 * mmu_lock is held for write, so that all entries are of one moment.
 *
 * Returns 0, or -1 with errno: the errors of all commands and of VMs; ENOMEM.
 */
struct tdp_stress_walk {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 roots;
	__u64 gfn;
	__u64 nr;
	__u64 entries;
	__u32 max;
	__u32 filled;
	__u64 total;
};

#define TDP_STRESS_WALK		_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_WALK)

/**
 * struct tdp_stress_counter - a counter
 * @name: as in the debugfs file stats; ends with a zero
 * @value: what it reads
 */
struct tdp_stress_counter {
	char name[56];
	__u64 value;
};

/**
 * struct tdp_stress_counters - ioctl(TDP_STRESS_COUNTERS): all counters
 * @size: sizeof(struct tdp_stress_counters)
 * @flags: must be 0
 * @counters: address of an array of struct tdp_stress_counter; not looked at if @max is 0
 * @max: its length, in counters, up to 65536
 * @filled: out: counters that were filled in
 * @total: out: counters there are at the moment
 * @reserved: must be 0
 *
 * Returns 0, or -1 with errno: the errors of all commands; ENOMEM.
 */
struct tdp_stress_counters {
	__u32 size;
	__u32 flags;
	__u64 counters;
	__u32 max;
	__u32 filled;
	__u32 total;
	__u32 reserved;
};

#define TDP_STRESS_COUNTERS	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_COUNTERS)

/**
 * struct tdp_stress_check - ioctl(TDP_STRESS_CHECK): audit all VMs now
 * @size: sizeof(struct tdp_stress_check)
 * @flags: must be 0
 * @found: out: violations found while it ran, by whomever
 * @violations: out: violations so far, since the module was loaded
 * @excused: out: violations that were not counted because of an injection
 * @checks: out: invariants that are checked in this run
 * @reserved: must be 0
 *
 * Returns 0, or -1 with errno: the errors of all commands; EOPNOTSUPP (no invariant is
 * checked: oracles=none).
 */
struct tdp_stress_check {
	__u32 size;
	__u32 flags;
	__u64 found;
	__u64 violations;
	__u64 excused;
	__u32 checks;
	__u32 reserved;
};

#define TDP_STRESS_CHECK	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_CHECK)

/**
 * struct tdp_stress_violation - a violation
 * @index: its number, from 0
 * @gfn: page, ~0: none
 * @level: 1: 4K, ...; 0: none
 * @reserved: 0
 * @id: the invariant ("X1"), ends with a zero
 * @text: the line of the kernel log, ends with a zero
 */
struct tdp_stress_violation {
	__u64 index;
	__u64 gfn;
	__u32 level;
	__u32 reserved;
	char id[8];
	char text[256];
};

/**
 * struct tdp_stress_violations - ioctl(TDP_STRESS_VIOLATIONS): what was found
 * @size: sizeof(struct tdp_stress_violations)
 * @flags: must be 0
 * @first: index of the first one wanted
 * @violations: address of an array of struct tdp_stress_violation; not looked at if
 *	@max is 0
 * @max: its length, in violations
 * @filled: out: violations that were filled in
 * @kept: out: violations whose text is kept are numbered below this; of each invariant
 *	only the first few are kept (all with verbose=1), and 128 in all
 * @reserved: must be 0
 *
 * Returns 0, or -1 with errno: the errors of all commands; ENOMEM.
 */
struct tdp_stress_violations {
	__u32 size;
	__u32 flags;
	__u64 first;
	__u64 violations;
	__u32 max;
	__u32 filled;
	__u32 kept;
	__u32 reserved;
};

#define TDP_STRESS_VIOLATIONS	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_VIOLATIONS)

#endif
