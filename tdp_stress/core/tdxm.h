/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The emulated TDX module ("tdxm"): what an embedder needs to know.
 *
 * The core knows the TDX ABI (leaves, PAMT, S-EPT, TD and vCPU state, epochs,
 * try-locks, TLB model, status codes) and nothing else: no KVM header, no
 * module, no thread. It builds in tdx_stub.ko, in tdp_stress.ko, in UML and as
 * a user-space library; env.h is the only file that knows which.
 */
#ifndef TDP_STRESS_CORE_TDXM_H
#define TDP_STRESS_CORE_TDXM_H

#include "env.h"
#include "abi.h"

struct tdxm;
struct tdxm_tdr;
struct tdxm_vcpu;

/*
 * The registers a SEAMCALL reads and writes. RBP and RSP are not part of the ABI
 * (NO_RBP_MOD).
 */
struct tdxm_regs {
	u64 rax, rbx, rcx, rdx, rsi, rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
};

#define TDXM_MAX_CPUID_CONFIG	48	/* as many as TD_PARAMS has room for */

/* Format of the page tables under SHARED_EPT_POINTER. */
enum tdxm_shared_format {
	TDXM_SHARED_EPT,	/* Intel: R, W, X in 2:0, A bit 8, D bit 9, PS bit 7 */
	TDXM_SHARED_NPT,	/* AMD: P, W, U in 2:0, A bit 5, D bit 6, PS bit 7, NX bit 63 */
};

/**
 * struct tdxm_config - what the embedder decides when the module is made
 * @nr_pages: host pages covered by the PAMT, from physical address 0
 * @nr_lps: logical processors, 1 to 1024; tdxm_env_lp() is below it
 * @tdcs_pages: 4K pages of a TDCS, 2 (TDCS, root S-EPT) to 16
 * @tdvps_pages: 4K pages of a TDVPS, the TDVPR page included, 1 to 16
 * @max_vcpus: vCPUs a TD may have, 1 to 512
 * @keyid_start: first private HKID, at least 1
 * @nr_keyids: number of private HKIDs, 1 to 4096
 * @phys_bits: position of the HKID in a physical address, 32 to 52
 * @hold_ns: how long a leaf keeps its locks beyond its own work, so that
 *	     contention is real, in nanoseconds, 0 to 100000
 * @seed: seed of every random choice the module makes
 * @shared_tlb_volatile: INVEPT cannot be seen (real VMX): the shared TLB is
 *			 empty at each entry, so that nothing in it can be stale
 * @nr_packages: packages (tdxm_env_package() is below it), up to 64; 0 means 1
 * @nr_cpuid_config: entries of @cpuid_config, up to TDXM_MAX_CPUID_CONFIG
 * @cpuid_config: CPUID leaves that TD_PARAMS configures: leaf in 31:0, subleaf
 *		  in 63:32 (~0: none), as in tdx_sys_info_td_conf; NULL with 0
 *		  entries: leaf 0x80000008. Copied.
 * @max_leaf_level: largest private page: 0 4K, 1 2M, 2 1G. The ABI has 2M; 1G is
 *		    there to reach the TDP MMU's code for it. 0 is what today's
 *		    tdx.c uses, and all that tdx_stub allows.
 * @shared_format: enum tdxm_shared_format
 * @extra_pfn: first of the frames that count as RAM although the machine has none
 *	       there: a test's own, mapped by TDs and never touched
 * @extra_pages: how many; they end at or before @nr_pages
 * @shared_bit: the GPA bit that makes an address shared, where the host cannot
 *		address bit 47: one of bits 32 to 47; 0: as the ABI has it, by GPAW
 * @attributes_fixed0: bits that TD attributes may have set; 0: any
 * @attributes_fixed1: bits that they must have set
 * @xfam_fixed0: as @attributes_fixed0, for XFAM
 * @xfam_fixed1: as @attributes_fixed1, for XFAM
 */
struct tdxm_config {
	u64 nr_pages;
	u32 nr_lps;
	u32 tdcs_pages;
	u32 tdvps_pages;
	u32 max_vcpus;
	u32 keyid_start;
	u32 nr_keyids;
	u32 phys_bits;
	u32 hold_ns;
	u64 seed;
	bool shared_tlb_volatile;
	u32 nr_packages;
	u32 nr_cpuid_config;
	const u64 *cpuid_config;
	u32 max_leaf_level;
	u32 shared_format;
	u64 extra_pfn;
	u64 extra_pages;
	u64 shared_bit;
	u64 attributes_fixed0, attributes_fixed1;
	u64 xfam_fixed0, xfam_fixed1;
};

/**
 * struct tdxm_finding - something that only the module itself can see
 * @id: invariant of the violation, as printed ("L1", "X3", ...)
 * @what: one short English clause, static string
 * @tdr: TDR page of the TD, or 0
 * @gpa: guest physical address, or ~0
 * @pa: host physical page, or ~0
 * @status: status of the leaf at hand, or 0
 * @leaf: leaf at hand, or -1
 * @level: S-EPT level (0 is 4K), or -1
 * @state: S-EPT entry state, or -1
 */
struct tdxm_finding {
	const char *id;
	const char *what;
	u64 tdr, gpa, pa, status;
	int leaf, level, state;
};

/**
 * struct tdxm_hooks - calls out of the core
 * @guest: play the guest of @vcpu between entry and exit. @regs holds what
 *	   TDH.VP.ENTER was called with and receives the exit information; the
 *	   return value is the leaf's status. Called with no try-lock held, the
 *	   vCPU counted in its epoch. IRQs are off; must not sleep.
 * @finding: a violation was seen. Any context, IRQs may be off.
 * @dirtied: a guest write through @gpa (with the SHARED bit) has set the dirty bit
 *	     of the shared leaf that maps it, just now; may be NULL. IRQs are off.
 */
struct tdxm_hooks {
	u64 (*guest)(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs);
	void (*finding)(struct tdxm *m, const struct tdxm_finding *f);
	void (*dirtied)(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa);
};

/*
 * tdxm_create() returns NULL without memory, or if tdxm_config_error() has an
 * objection: one clause that names the field and its range, NULL if all is well.
 * tdxm_destroy() frees the module in any case; -EBUSY: pages are still a TD's.
 * Both may sleep, and no other call may be in flight.
 */
const char *tdxm_config_error(const struct tdxm_config *cfg);
struct tdxm *tdxm_create(const struct tdxm_config *cfg, const struct tdxm_hooks *hooks,
			 void *priv);
int tdxm_destroy(struct tdxm *m);
void *tdxm_priv(struct tdxm *m);

/*
 * Execute the SEAMCALL in @regs: leaf and version in RAX, status in RAX on
 * return. Never sleeps and never waits: contention is a status. TDH.PHYMEM.
 * PAGE.RDMD takes no lock at all (it is called from #MC).
 *
 * A page stays the TD's until the leaf that gives it back has succeeded: after a
 * failure of PAGE.REMOVE, PROMOTE or SEPT.REMOVE it must not be freed.
 */
bool tdxm_seamcall(struct tdxm *m, struct tdxm_regs *regs);
/* What its operands name, before it is executed: registers change. */
u64 tdxm_operand_td(const struct tdxm_regs *regs);
u64 tdxm_operand_vcpu(const struct tdxm_regs *regs);

/* --- TLB model and guest memory accesses, for struct tdxm_hooks.guest --- */

enum tdxm_access_result {
	TDXM_ACCESS_OK,
	TDXM_ACCESS_EPT_VIOLATION,	/* regs filled in as an EPT violation exit */
	TDXM_ACCESS_PENDING,		/* private page wants ACCEPT first */
	TDXM_ACCESS_BUSY,		/* ACCEPT met a busy lock or host priority */
	TDXM_ACCESS_VE,			/* #VE: KVM says that the shared page is MMIO */
};

/*
 * One guest access of 8 bytes through the vCPU's TLB. @gpa carries the SHARED
 * bit if the access is shared: then SHARED_EPT_POINTER is walked in the format that
 * struct tdxm_config.shared_format names, with as many levels as the S-EPT, and
 * accessed/dirty bits are set as a CPU would. In NPT format, too, a violation is
 * reported as an EPT violation exit; an entry with a reserved address bit (at
 * phys_bits or above: KVM's MMIO SPTEs) is TDXM_ACCESS_VE. A private write leaves a
 * value whose page the module recognises as the guest's.
 */
enum tdxm_access_result tdxm_guest_access(struct tdxm *m, struct tdxm_vcpu *vcpu,
					  u64 gpa, bool write, struct tdxm_regs *regs);
/* What comes of an access that was PENDING, by a guest that does not ACCEPT. */
enum tdxm_access_result tdxm_guest_unaccepted(struct tdxm *m, struct tdxm_vcpu *vcpu,
					      u64 gpa, bool write, struct tdxm_regs *regs);
/*
 * TDG.MEM.PAGE.ACCEPT of the page at @gpa, in the size in which it is mapped; guest
 * side of the entry lock.
 */
enum tdxm_access_result tdxm_guest_accept(struct tdxm *m, struct tdxm_vcpu *vcpu,
					  u64 gpa, struct tdxm_regs *regs);

u64 tdxm_vcpu_initial_rcx(const struct tdxm_vcpu *vcpu);
u32 tdxm_vcpu_index(const struct tdxm_vcpu *vcpu);
u64 tdxm_vcpu_shared_bit(const struct tdxm_vcpu *vcpu);
/* The vCPU's own random stream (xorshift or prandom, seeded by cfg.seed, index). */
u32 tdxm_vcpu_random(struct tdxm_vcpu *vcpu);
/* 64 bytes of state that the embedder's guest may keep with the vCPU. */
void *tdxm_vcpu_guest_state(struct tdxm_vcpu *vcpu);

/*
 * Pin the guest's RIP, as a repeated string instruction does, or 0: each
 * successful access moves it. Only the zero-step filter cares: after six private
 * EPT violations at one RIP the next entry locks the S-EPT tree exclusively.
 */
void tdxm_vcpu_set_rip(struct tdxm_vcpu *vcpu, u64 rip);

/*
 * The CPU executed INVEPT: drop shared translations of the vCPUs that are
 * associated with logical processor @lp.
 */
void tdxm_invept(struct tdxm *m, u32 lp);

/* --- what an observer may ask; lockless, no try-lock is taken --- */

/*
 * Read the S-EPT entry that maps @gpa at @level (0 is 4K). 0, or -ENOENT if the
 * walk ends above @level (at a huge page, too) or there is no such TD. The caller
 * holds what keeps the TD alive, and PROMOTE and SEPT.REMOVE, which take tables
 * away, from the tables above @gpa: KVM's mmu_lock where they are called with it
 * held for write, else a frozen SPTE in the table at hand.
 */
int tdxm_sept_read(struct tdxm *m, u64 tdr, u64 gpa, int level, u64 *pa, u8 *state);

/*
 * The host has given back the shared range [gpa, gpa + size): from now on a
 * guest access through a translation cached before is an L1 violation. The
 * caller still holds what keeps the range from being mapped again (mmu_lock).
 */
void tdxm_shared_given_back(struct tdxm *m, u64 tdr, u64 gpa, u64 size);

/* --- injection --- */

enum tdxm_inject_mode {
	TDXM_INJECT_OFF,
	TDXM_INJECT_RANDOM,	/* one call in @value, at random */
	TDXM_INJECT_NTH,	/* every @value-th call */
	TDXM_INJECT_BURST,	/* @value calls in a row, once */
	TDXM_INJECT_ONCE,	/* the @value-th call from now, once */
	TDXM_INJECT_COUNT,	/* none: only count, see tdxm_inject_seen() */
};

/*
 * Inject @status into @leaf. For the leaves that KVM retries once with all
 * vCPUs kicked (BLOCK, TRACK, REMOVE; and as they are called in its place: UNBLOCK,
 * DEMOTE, PROMOTE, SEPT.REMOVE) an injected BUSY or INTERRUPTED_RESTARTABLE is never
 * followed by another on the same TD, in any of these leaves and whatever the mode:
 * KVM may rely on that. -EINVAL for an unknown leaf, mode or value, -EPERM where
 * BURST would break that promise.
 */
int tdxm_inject(struct tdxm *m, u32 leaf, u64 status, enum tdxm_inject_mode mode, u32 value);
int tdxm_inject_seen(struct tdxm *m, u32 leaf, u64 *calls, u64 *fired);
/*
 * One call in @one_in (0: off; at least 2) returns BUSY, on every leaf where KVM
 * copes with it: it retries SEPT.ADD, PAGE.ADD, PAGE.AUG and VP.ENTER for as long
 * as it takes, BLOCK, TRACK, REMOVE, UNBLOCK and SEPT.REMOVE once. DEMOTE and PROMOTE
 * at even odds return INTERRUPTED_RESTARTABLE instead (registers unchanged: call
 * again), once, too; apart from that only tdxm_inject() interrupts them.
 */
int tdxm_inject_busy(struct tdxm *m, u32 one_in);

/* --- planted misbehaviour, so that the oracles can be seen to work --- */

enum tdxm_plant {
	TDXM_PLANT_NONE,
	TDXM_PLANT_L1_PRIVATE,	/* VP.ENTER does not flush on a new epoch, REMOVE does not check */
	TDXM_PLANT_L1_SHARED,	/* INVEPT flushes nothing */
	TDXM_PLANT_X1,		/* PAGE.AUG seems to map another page than it was given */
	TDXM_PLANT_X3,		/* one PAGE.REMOVE in 64 fails without a reason */
	TDXM_PLANT_CANARY,	/* one removed page in 64 looks as if KVM had written to it */
	TDXM_PLANT_SPLIT,	/* PAGE.DEMOTE leaves one child that seems to be off by a page */
};

void tdxm_plant(struct tdxm *m, enum tdxm_plant plant);

/* --- counters --- */

/*
 * Walk all counters as "name value" pairs, in a stable order: leaf.<ABI name>.
 * {calls,busy,injected,error}, the same of leaf.unknown, status.<16 hex digits>,
 * lock.<name>.tries, lock.<name>.busy, pamt.<type> (in 4K pages), td.live,
 * vcpu.live, guest.{access,tlb_hit,accept,ept_violation,tlb_flush,zero_step},
 * violation.<id>, mem.bytes.
 */
void tdxm_for_each_counter(struct tdxm *m,
			   void (*fn)(void *ctx, const char *name, u64 value), void *ctx);
/* Of these the pages that TDs have, by type: "EPT"; not those of which there are none. */
void tdxm_for_each_page_type(struct tdxm *m,
			     void (*fn)(void *ctx, const char *type, u64 pages), void *ctx);
const char *tdxm_leaf_name(u32 leaf);		/* "TDH.MEM.PAGE.AUG", or NULL */
const char *tdxm_sept_state_name(u32 state);	/* "MAPPED", "?" */
const char *tdxm_sept_info_name(u64 info);	/* the state in RDX after an error */
int tdxm_leaf_by_name(const char *name);	/* -1 */

/* --- what lives --- */

/**
 * struct tdxm_td_info - a TD as an observer sees it
 * @tdr: its TDR page
 * @hkid: its private HKID
 * @pages: pages it owns, the TDR not counted
 * @lifecycle: name of TDR.LIFECYCLE_STATE
 * @op_state: name of its OP_STATE
 * @epoch: TLB tracking epoch
 * @inside: vCPUs inside the guest
 * @vcpus: vCPUs initialized
 */
struct tdxm_td_info {
	u64 tdr, pages, epoch;
	u32 hkid, inside, vcpus;
	const char *lifecycle, *op_state;
};

/**
 * struct tdxm_vcpu_info - a vCPU as an observer sees it
 * @tdvpr: its TDVPR page
 * @epoch: epoch it was last entered in
 * @shared_eptp: SHARED_EPT_POINTER
 * @index: its number in the TD
 * @lp: logical processor it is associated with, or -1
 */
struct tdxm_vcpu_info {
	u64 tdvpr, epoch, shared_eptp;
	u32 index;
	int lp;
};

u64 tdxm_td_epoch(struct tdxm *m, u64 tdr);
void tdxm_list_tds(struct tdxm *m, void (*td_fn)(void *ctx, const struct tdxm_td_info *td),
		   void (*vcpu_fn)(void *ctx, const struct tdxm_vcpu_info *v), void *ctx);

#endif
