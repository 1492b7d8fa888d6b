/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the core share: the module's objects, the call in flight
 * and the helpers that leaf functions are made of. Not for embedders.
 *
 * Concurrency: leaves run with IRQs off on all CPUs at once. What a try-lock
 * protects says so; everything else that is shared is read and written by
 * tdxm_read() and friends. Nothing waits but tdxm_env_delay().
 */
#ifndef TDP_STRESS_CORE_INTERNAL_H
#define TDP_STRESS_CORE_INTERNAL_H

#include "tdxm.h"

#define TDXM_MAX_LPS		1024
#define TDXM_MAX_TDCX		16	/* TDCS pages */
#define TDXM_MAX_TDVPS		16	/* TDVPS pages */
#define TDXM_MAX_VCPUS		512
#define TDXM_MAX_PACKAGES	64
#define TDXM_MAX_KEYIDS		4096
#define TDXM_MAX_HOLD_NS	100000
#define TDXM_NR_STATUSES	128	/* distinct status codes counted apart */
#define TDXM_TLB_ENTRIES	32	/* of each kind, per vCPU */
#define TDXM_NO_LP		(~0U)
/* Same-RIP faults after which TDH.VP.ENTER suspects a zero-step attack. */
#define TDXM_ZERO_STEP_FAULTS	6

/**
 * struct pamt_entry - physical address metadata of one page
 * @lock: try-lock of the page (of the TD, if the page is a TDR)
 * @owner: PFN of the owner's TDR page
 * @type: page type in 6:0, PAMT_CANARY, generation in 31:8; the generation changes
 *	  whenever the page is taken, so that a translation can tell its page from a
 *	  later one at the same address
 * @bepoch: TD epoch at which the page was blocked, low 32 bits
 *
 * @owner and @bepoch are protected by @lock; @type is read without it too.
 */
struct pamt_entry {
	u32 lock;
	u32 owner;
	u32 type;
	u32 bepoch;
};

#define PAMT_TYPE(word)		((word) & 0x7f)
#define PAMT_CANARY		BIT(7)	/* a private page, or its samples, can be checked */
#define PAMT_GENERATION(word)	((word) >> 8)

/**
 * struct pamt_head - metadata of a 2M or 1G range
 * @entry: the range as one huge page; PT_NDA: it is none
 * @used: entries of the next smaller size in it that are not free; atomic. Stable
 *	  while @entry.lock is held exclusively, but for pages that are given back.
 */
struct pamt_head {
	struct pamt_entry entry;
	u32 used;
};

/* Objects that have try-locks; the order of the counters. */
enum tdxm_lock_class {
	LOCK_TDR,
	LOCK_OP_STATE,
	LOCK_SEPT_TREE,
	LOCK_SEPT_ENTRY,
	LOCK_TD_EPOCH,
	LOCK_TDVPR,
	LOCK_PAGE,
	LOCK_KOT,
	LOCK_WBCACHE,
	LOCK_NR,
};

enum tdxm_lock_mode {
	LOCK_SHARED,
	LOCK_EXCLUSIVE,
};

enum guest_counter {
	GUEST_ACCESS,
	GUEST_TLB_HIT,
	GUEST_ACCEPT,
	GUEST_EPT_VIOLATION,
	GUEST_TLB_FLUSH,
	GUEST_ZERO_STEP,
	GUEST_NR,
};

enum tdxm_violation {
	VIOLATION_H1,
	VIOLATION_L1,
	VIOLATION_T1,
	VIOLATION_X1,
	VIOLATION_X2,
	VIOLATION_NR,
};

enum leaf_counter {
	LEAF_CALLS,
	LEAF_BUSY,
	LEAF_INJECTED,
	LEAF_ERROR,
	LEAF_NR_COUNTERS,
};

/* Leaves are counted by their number; in the last place all that are not there. */
#define TDXM_LEAF_UNKNOWN	(TDH_SYS_DISABLE + 1)
#define TDXM_MAX_LEAVES		(TDXM_LEAF_UNKNOWN + 1)

/**
 * struct tdxm_lp - what belongs to one logical processor
 * @invept_gen: INVEPTs executed; read by the vCPU that runs here
 * @random: state of this processor's random stream, never 0
 * @leaf: calls by leaf
 * @lock_tries: try-locks by class
 * @lock_busy: of these, not taken
 * @guest: what guests did
 * @status: leaves returned, by place of the status in struct tdxm.status_code; the
 *	    last one for all that have no place
 * @pages: pages taken less pages given back, by type
 * @tds: TDs created less TDs reclaimed
 * @vcpus: the same for vCPUs
 *
 * Written by its processor only (IRQs off), summed by readers. Counters of
 * things that come and go may have wrapped below 0 on one processor.
 */
struct tdxm_lp {
	u64 invept_gen;
	u64 random;
	u64 leaf[TDXM_MAX_LEAVES][LEAF_NR_COUNTERS];
	u64 lock_tries[LOCK_NR];
	u64 lock_busy[LOCK_NR];
	u64 guest[GUEST_NR];
	u64 status[TDXM_NR_STATUSES + 1];
	u64 pages[PT_NR];
	u64 tds;
	u64 vcpus;
};

/* Key ownership table: one entry per private HKID, protected by kot_lock. */
enum kot_state {
	KOT_HKID_FREE,
	KOT_HKID_ASSIGNED,
	KOT_HKID_FLUSHED,
};

struct kot_entry {
	u32 state;
	u64 wbinvd_bitmap;	/* packages that have not yet written back */
};

/* Progress of TDH.PHYMEM.CACHE.WB on a package, protected by lock. */
struct wbcache {
	u32 lock;
	u32 interrupts_left;
	u32 interrupted;
};

struct inject_rule {
	u32 mode;	/* enum tdxm_inject_mode; written last */
	u32 value;
	u64 status;
	u64 counter;	/* calls seen (NTH, ONCE) or still to fail (BURST) */
	u64 calls;	/* calls that could have failed, since the rule was set */
	u64 fired;	/* of these, calls that did */
};

struct tdxm {
	struct tdxm_config cfg;
	struct tdxm_hooks hooks;
	void *priv;
	struct pamt_entry *pamt;
	struct pamt_head *heads[2];	/* 2M, 1G, as far as huge pages are allowed */
	struct tdxm_lp *lp;
	struct kot_entry *kot;
	u64 cpuid_config[TDXM_MAX_CPUID_CONFIG];
	u64 nr_tds_ever;
	u32 kot_lock;
	u32 sys_down;		/* TDH.SYS.SHUTDOWN or DISABLE was executed */
	u32 plant;
	u32 busy_one_in;
	struct wbcache wb[TDXM_MAX_PACKAGES];
	struct inject_rule inject[TDXM_MAX_LEAVES];
	u64 status_code[TDXM_NR_STATUSES];	/* inverted, so that 0 is a free place */
	u64 violations[VIOLATION_NR];
};

#define TDXM_TDR_MAGIC		0x7264745f6d786474ULL
#define TDXM_TDCS_MAGIC		0x736364745f6d7864ULL
#define TDXM_TDVPS_MAGIC	0x73707664745f6d78ULL

/**
 * struct tdxm_tdr - root of a TD, in its TDR page
 * @magic: TDXM_TDR_MAGIC; anything else means that the host wrote to the page
 * @pa: the page
 * @chldcnt: pages that belong to the TD, without the TDR; atomic
 * @key_packages: packages on which the key is configured
 * @lifecycle: enum td_lifecycle
 * @hkid: private HKID
 * @nr_tdcx: TDCS pages ever added
 * @serial: TDs that were created before it
 * @tdcx: TDCS pages; 0 after reclaim
 *
 * Protected by the TDR's try-lock (held shared for reading) where not atomic.
 */
struct tdxm_tdr {
	u64 magic;
	u64 pa;
	u64 chldcnt;
	u64 key_packages;
	u32 lifecycle;
	u32 hkid;
	u32 nr_tdcx;
	u32 serial;
	u64 tdcx[TDXM_MAX_TDCX];
};

/**
 * struct tdxm_tdcs - execution controls of a TD, in its first TDCS page
 * @magic: TDXM_TDCS_MAGIC
 * @op_state: enum td_op_state; changed with the TDR locked exclusively
 * @op_state_lock: try-lock OP_STATE
 * @sept_lock: try-lock of the S-EPT tree
 * @epoch_lock: try-lock TD_EPOCH
 * @td_epoch: TLB tracking epoch; protected by epoch_lock
 * @refcount: vCPUs inside the guest, by parity of the epoch they entered in
 * @num_vcpus: vCPUs initialized; atomic
 * @num_assoc_vcpus: vCPUs associated with a processor; atomic
 * @busy_owed: the last leaf with LEAF_RETRIED_ONCE was BUSY or interrupted: the
 *	       next is the host's one retry and must not be failed by injection
 * @distrust: a leaf with LEAF_GIVES_BACK failed for good, so that KVM and the
 *	      S-EPT disagree about who owns a page: the guest touches no memory any
 *	      more
 * @attributes: from TD_PARAMS, as the next two
 * @xfam: extended features
 * @config_flags: TD_PARAMS_CONFIG_*
 * @shared_bit: the GPA bit that makes an address shared
 * @measurement: stands for MRTD
 * @sept_levels: 4 or 5
 * @max_vcpus: from TD_PARAMS
 * @tsc_frequency: from TD_PARAMS, in units of 25 MHz
 * @cpuid: values of struct tdxm_config.cpuid_config's leaves: EAX to EDX
 * @vcpu_pfn: TDVPR pages by vCPU index; 0: none
 */
struct tdxm_tdcs {
	u64 magic;
	u32 op_state;
	u32 op_state_lock;
	u32 sept_lock;
	u32 epoch_lock;
	u64 td_epoch;
	u32 refcount[2];
	u32 num_vcpus;
	u32 num_assoc_vcpus;
	u32 busy_owed;
	u32 distrust;
	u64 attributes;
	u64 xfam;
	u64 config_flags;
	u64 shared_bit;
	u64 measurement;
	u32 sept_levels;
	u32 max_vcpus;
	u32 tsc_frequency;
	u32 cpuid[TDXM_MAX_CPUID_CONFIG][4];
	u32 vcpu_pfn[TDXM_MAX_VCPUS];
};

/* A TDCS has its S-EPT root in the second page, and the rest is canary. */
#define TDCS_PAGE_ROOT		1

/**
 * struct tlb_entry - one cached translation of a vCPU, of a 4K page or a part of a
 *		      huge one
 * @tag: page's GPA (with the SHARED bit) | 1, or 0
 * @val: page's physical address | TLB_* flags; given back by others, so atomic
 * @generation: PAMT generation of a private page when it was cached
 * @level: size of the private page then
 */
struct tlb_entry {
	u64 tag;
	u64 val;
	u32 generation;
	int level;
};

#define TLB_W		BIT_ULL(0)
#define TLB_D		BIT_ULL(1)	/* the dirty bit is set in the leaf */
#define TLB_DEAD	BIT_ULL(2)	/* the host has given the page back */

/**
 * struct tdxm_vcpu - a TD vCPU, in its TDVPR page
 * @magic: TDXM_TDVPS_MAGIC
 * @tdr: its TD
 * @tdcs: the TD's TDCS
 * @pa: the page
 * @state: enum vcpu_state
 * @assoc_lp: logical processor it is associated with, or TDXM_NO_LP; atomic
 * @index: number in the TD
 * @x2apic_id: from TDH.VP.INIT
 * @nr_tdcx: TDVPS pages added
 * @initial_rcx: from TDH.VP.INIT
 * @epoch: TD epoch of the last entry, to which the private TLB belongs
 * @invept_gen: tdxm_lp.invept_gen to which the shared TLB belongs
 * @random: state of its random stream, never 0
 * @shared_eptp: SHARED_EPT_POINTER
 * @posted_intr_desc: other fields that KVM writes, as the next five
 * @posted_intr_nv: notification vector
 * @pin_based: pin-based controls
 * @secondary: secondary processor-based controls
 * @notify_window: in cycles
 * @pend_nmi: an NMI waits
 * @rip: the guest's instruction pointer as far as the zero-step filter cares
 * @rip_fixed: the embedder's guest decides @rip, else it moves with each access
 * @sequence: writes so far; makes their values differ
 * @zs_rip: RIP of the private EPT violations counted by @zs_count
 * @zs_count: private EPT violations at @zs_rip
 * @zs_gpa: GPAs of the last of them
 * @guest: embedder's state
 * @private_tlb: translations of private GPAs
 * @shared_tlb: translations of GPAs with the SHARED bit
 *
 * Fields without a note belong to the logical processor it runs on, or are
 * protected by the TDVPR try-lock.
 */
struct tdxm_vcpu {
	u64 magic;
	struct tdxm_tdr *tdr;
	struct tdxm_tdcs *tdcs;
	u64 pa;
	u32 state;
	u32 assoc_lp;
	u32 index;
	u32 x2apic_id;
	u32 nr_tdcx;
	u64 initial_rcx;
	u64 epoch;
	u64 invept_gen;
	u64 random;
	u64 shared_eptp;
	u64 posted_intr_desc;
	u32 posted_intr_nv;
	u32 pin_based;
	u32 secondary;
	u32 notify_window;
	u32 pend_nmi;
	u32 rip_fixed;
	u64 rip;
	u64 sequence;
	u64 zs_rip;
	u32 zs_count;
	u64 zs_gpa[TDXM_ZERO_STEP_FAULTS];
	u64 guest[8];
	struct tlb_entry private_tlb[TDXM_TLB_ENTRIES];
	struct tlb_entry shared_tlb[TDXM_TLB_ENTRIES];
};

struct tdxm_call;

/* Operation states in which most TDH.MEM leaves work, for tdxm_mem_lock_td(). */
#define ANY_INITIALIZED	(BIT(OP_STATE_INITIALIZED) | BIT(OP_STATE_RUNNABLE))

enum leaf_flags {
	LEAF_NO_LOCK = 1,	/* no injection, no delay: #MC calls it */
	LEAF_KVM_RETRIES = 2,	/* KVM copes with BUSY however often */
	LEAF_RETRIED_ONCE = 4,	/* the host copes with one BUSY, not with two in a row */
	LEAF_TDR_RDX = 8,	/* the TDR operand is in RDX, not in RCX */
	LEAF_VERSION_1 = 16,	/* version 1 exists */
	LEAF_EXT_INFO = 32,	/* RCX and RDX are extended error information */
	LEAF_GIVES_BACK = 64,	/* a step of taking a page from a TD that runs */
	LEAF_INTERRUPTIBLE = 128, /* may return INTERRUPTED_RESTARTABLE */
};

/**
 * struct tdxm_leaf - a row of the ABI's table of leaves, at the leaf's number
 * @name: the ABI's
 * @fn: the leaf; the return value is the status
 * @busy_operand: operand id of an injected BUSY
 * @flags: enum leaf_flags
 */
struct tdxm_leaf {
	const char *name;
	u64 (*fn)(struct tdxm_call *c);
	u32 busy_operand;
	u32 flags;
};

/* Each leaf takes a TDR, OP_STATE, tree or epoch, entry and page at most. */
#define TDXM_MAX_HELD	8

/**
 * struct tdxm_call - one SEAMCALL in flight, on the stack of its processor
 * @m: the module
 * @lp: this processor
 * @leaf: its row of the table
 * @regs: operands, then outputs
 * @number: of the leaf
 * @version: of the leaf
 * @injected: its status was made up, nothing was done
 * @tdr_mode: how @tdr is locked
 * @tdr: TD, once locked
 * @tdcs: its TDCS, once its state is checked
 * @vcpu: vCPU, once locked
 * @entry: S-EPT entry whose lock is held, or NULL
 * @gpa: operand, level bits removed
 * @level: operand
 * @nr_held: number of @held
 * @held: try-locks taken so far, released when the leaf returns
 */
struct tdxm_call {
	struct tdxm *m;
	struct tdxm_lp *lp;
	const struct tdxm_leaf *leaf;
	struct tdxm_regs *regs;
	u32 number;
	u32 version;
	bool injected;
	enum tdxm_lock_mode tdr_mode;
	struct tdxm_tdr *tdr;
	struct tdxm_tdcs *tdcs;
	struct tdxm_vcpu *vcpu;
	u64 *entry;
	u64 gpa;
	int level;
	int nr_held;
	struct {
		u32 *lock;
		enum tdxm_lock_mode mode;
	} held[TDXM_MAX_HELD];
};

/* lock.c */
bool tdxm_trylock(struct tdxm_lp *lp, enum tdxm_lock_class class, u32 *lock,
		  enum tdxm_lock_mode mode);
void tdxm_unlock(u32 *lock, enum tdxm_lock_mode mode);
bool tdxm_call_lock(struct tdxm_call *c, enum tdxm_lock_class class, u32 *lock,
		    enum tdxm_lock_mode mode);
void tdxm_call_unlock_all(struct tdxm_call *c);
bool tdxm_entry_lock_host(struct tdxm_call *c, u64 *entry);
u64 tdxm_entry_lock_guest(struct tdxm_lp *lp, u64 *entry);
void tdxm_entry_unlock(u64 *entry);

/* pamt.c */
struct pamt_entry *tdxm_pamt(struct tdxm *m, u64 pa);
struct pamt_entry *tdxm_pamt_at(struct tdxm *m, u64 pa, int level);
struct pamt_entry *tdxm_pamt_leaf(struct tdxm *m, u64 pa, int *level);
u32 tdxm_page_type(struct tdxm *m, u64 pa);
u64 tdxm_page_check(struct tdxm *m, u64 pa, u32 operand);
u64 tdxm_page_lock_free(struct tdxm_call *c, u64 pa, int level, u32 operand,
			enum tdxm_lock_class class);
void tdxm_page_assign(struct tdxm_call *c, u64 pa, u32 type, u64 owner);
void tdxm_page_assign_private(struct tdxm_call *c, u64 pa, int level);
void tdxm_page_release(struct tdxm_call *c, u64 pa, int level);
void tdxm_page_split(struct tdxm_call *c, u64 pa, int level);
void tdxm_page_merge(struct tdxm_call *c, u64 pa, int level);
u64 tdxm_page_damage(struct tdxm *m, u64 pa, int level);
void tdxm_pamt_init(struct tdxm *m);
bool tdxm_is_extra(const struct tdxm *m, u64 pfn);
void tdxm_canary_fill(struct tdxm *m, u64 pa, size_t from);
bool tdxm_canary_intact(struct tdxm *m, u64 pa, size_t from, bool guest_writes);
u64 tdxm_guest_word(struct tdxm *m, u64 pa, u64 value);

/* sept.c */
void tdxm_sept_init_table(u64 pa);
bool tdxm_sept_table_sane(u64 pa);
bool tdxm_sept_table_has_leaf(struct tdxm *m, u64 pa, u64 tdr);
bool tdxm_sept_is_blocked(enum sept_state state);
bool tdxm_sept_is_leaf(enum sept_state state);
enum sept_state tdxm_sept_unblocked(enum sept_state state);
enum sept_state tdxm_sept_state(u64 entry);
u64 tdxm_sept_pa(u64 entry);
u64 *tdxm_sept_walk(const struct tdxm_tdcs *tdcs, u64 root, u64 gpa, int level, int *reached);
u64 tdxm_sept_get(struct tdxm_call *c, int min_level, int max_level, enum tdxm_lock_mode tree);
u64 tdxm_sept_lock_entry(struct tdxm_call *c, u32 allowed_states);
u64 tdxm_sept_error(struct tdxm_call *c, u64 status, u64 entry, int level);
void tdxm_sept_set(u64 *entry, u64 pa, enum sept_state state, int level);
void tdxm_sept_set_lying(u64 *entry, u64 pa, enum sept_state state, int level);
void tdxm_sept_fill_table(u64 table, u64 pa, enum sept_state state, int level);
void tdxm_sept_accept(u64 *entry);
u64 tdxm_sept_root(const struct tdxm_tdr *tdr);

/* mem.c */
u64 tdxm_mem_lock_td(struct tdxm_call *c, u64 tdr, u32 operand, enum tdxm_lock_mode mode,
		     u32 op_states);
bool tdxm_tlb_tracked(struct tdxm_tdcs *tdcs, u32 bepoch);

/* td.c */
u64 tdxm_td_lock(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_mode mode);
u64 tdxm_td_lock_owner(struct tdxm_call *c, u64 pa, enum tdxm_lock_mode mode);
u64 tdxm_td_state(struct tdxm_call *c, u32 op_states);
struct tdxm_tdr *tdxm_td_peek(struct tdxm *m, u64 pa);
u64 tdxm_control_damage(struct tdxm_call *c, u64 pa, u32 operand);

/* vcpu.c */
u64 tdxm_vcpu_lock(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_mode mode);

/* tlb.c */
void tdxm_tlb_flush(struct tdxm_lp *lp, struct tdxm_vcpu *vcpu, bool private, bool shared);
u64 tdxm_zero_step_check(struct tdxm_call *c);
void tdxm_ept_violation(struct tdxm_regs *regs, u64 gpa, u64 qual);

/* walk.c */
enum tdxm_access_result tdxm_walk_shared(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa,
					 bool write, struct tdxm_regs *regs, u64 *val);

/* inject.c */
u64 tdxm_inject_check(struct tdxm_call *c);
void tdxm_inject_note(struct tdxm_call *c, u64 tdr, u64 status);
u64 tdxm_retried_tdr(const struct tdxm_call *c);

/* stats.c */
void tdxm_count_status(struct tdxm *m, struct tdxm_lp *lp, u64 status);
void tdxm_report(struct tdxm *m, enum tdxm_violation id, const struct tdxm_finding *f);
u64 tdxm_pages_in_use(struct tdxm *m);
u64 tdxm_mem_bytes(const struct tdxm_config *cfg);

/* leaf.c */
const struct tdxm_leaf *tdxm_leaf(u32 number);

/* The leaves, named after the ABI. */
u64 tdh_mng_create(struct tdxm_call *c);
u64 tdh_mng_key_config(struct tdxm_call *c);
u64 tdh_mng_addcx(struct tdxm_call *c);
u64 tdh_mng_init(struct tdxm_call *c);
u64 tdh_mng_rd(struct tdxm_call *c);
u64 tdh_mng_vpflushdone(struct tdxm_call *c);
u64 tdh_mng_key_freeid(struct tdxm_call *c);
u64 tdh_mr_extend(struct tdxm_call *c);
u64 tdh_mr_finalize(struct tdxm_call *c);
u64 tdh_vp_create(struct tdxm_call *c);
u64 tdh_vp_addcx(struct tdxm_call *c);
u64 tdh_vp_init(struct tdxm_call *c);
u64 tdh_vp_enter(struct tdxm_call *c);
u64 tdh_vp_flush(struct tdxm_call *c);
u64 tdh_vp_rd(struct tdxm_call *c);
u64 tdh_vp_wr(struct tdxm_call *c);
u64 tdh_mem_sept_add(struct tdxm_call *c);
u64 tdh_mem_page_add(struct tdxm_call *c);
u64 tdh_mem_page_aug(struct tdxm_call *c);
u64 tdh_mem_range_block(struct tdxm_call *c);
u64 tdh_mem_range_unblock(struct tdxm_call *c);
u64 tdh_mem_track(struct tdxm_call *c);
u64 tdh_mem_page_remove(struct tdxm_call *c);
u64 tdh_mem_page_demote(struct tdxm_call *c);
u64 tdh_mem_page_promote(struct tdxm_call *c);
u64 tdh_mem_sept_remove(struct tdxm_call *c);
u64 tdh_phymem_page_rdmd(struct tdxm_call *c);
u64 tdh_phymem_page_reclaim(struct tdxm_call *c);
u64 tdh_phymem_page_wbinvd(struct tdxm_call *c);
u64 tdh_phymem_cache_wb(struct tdxm_call *c);
u64 tdh_sys_init(struct tdxm_call *c);
u64 tdh_sys_lp_init(struct tdxm_call *c);
u64 tdh_sys_rd(struct tdxm_call *c);
u64 tdh_sys_config(struct tdxm_call *c);
u64 tdh_sys_key_config(struct tdxm_call *c);
u64 tdh_sys_tdmr_init(struct tdxm_call *c);
u64 tdh_sys_shutdown(struct tdxm_call *c);
u64 tdh_sys_update(struct tdxm_call *c);
u64 tdh_sys_disable(struct tdxm_call *c);

/* Bytes that an entry of @level maps, 0 is 4K. */
static inline u64 tdxm_size(int level)
{
	return (u64)PAGE_SIZE << 9 * level;
}

/* Count in a slot that only this processor writes. */
static inline void tdxm_count_add(u64 *p, u64 n)
{
	tdxm_write(p, tdxm_read(p) + n);
}

static inline void tdxm_count(u64 *p)
{
	tdxm_count_add(p, 1);
}

/* xorshift64*: @state is the caller's own and not 0. */
static inline u64 tdxm_random_next(u64 *state)
{
	u64 x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static inline bool tdxm_one_in(u64 *state, u32 n)
{
	return n && (tdxm_random_next(state) >> 32) * n >> 32 == 0;
}

/* A well mixed 64-bit value (splitmix64's finalizer); never 0 as a seed. */
static inline u64 tdxm_mix(u64 x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline u64 tdxm_seed(u64 x)
{
	return tdxm_mix(x) | 1;
}

/* OPERAND_INVALID and others with an operand id or details in 31:0. */
static inline u64 tdxm_status(u64 status, u32 operand)
{
	return status | operand;
}

#endif
