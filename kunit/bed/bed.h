/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The test bed: one VM's TDP MMU for one test case, with an external page table
 * behind its mirror root, and what a case asks of both. The same in both homes
 * (see home.h): a shim of KVM in UML, the real kvm.ko in QEMU. Suites include this
 * file, and call KVM's functions by their own names.
 */
#ifndef TDP_STRESS_KUNIT_BED_H
#define TDP_STRESS_KUNIT_BED_H

#include <kunit/test.h>

#include "home.h"

#define BED_VCPUS	4	/* each thread of a case has its own */
#define BED_LOG		4096	/* external operations remembered */

/*
 * The bed's memslot: BED_GFN, 1G-aligned, so that every size of leaf fits, and as
 * many pages of it as cases need. Private and shared GFNs alike: the latter with
 * the VM's direct bits, which bed_gfn() adds.
 */
#define BED_GFN		((gfn_t)1 << 20)	/* 4G */
#define BED_PAGES	((u64)4 << 18)		/* 4 pieces of 1G */
#define BED_1G(n)	(BED_GFN + ((gfn_t)(n) << 18))
#define BED_2M(n)	(BED_GFN + ((gfn_t)(n) << 9))

enum bed_kind {
	BED_DIRECT,
	BED_MIRROR,
};

#define BED_UNSEEN	U64_MAX

/**
 * struct bed_op - an external operation, as the bed saw it
 * @serial: counts up over all of the case, frees included
 * @free: free_external_spt; else set_external_spte
 * @gfn: GFN; free: of the table
 * @level: level of the entry; free: level of the table
 * @old_spte: set: as KVM said
 * @new_spte: set: as KVM said
 * @ret: set: what KVM was answered
 * @seen: what the mirror entry read when KVM called; free: what the parent's did;
 *	BED_UNSEEN: it was not found
 * @seen_end: set: what it read when KVM was answered
 * @nr_then: operations that had begun when KVM was answered; 0: it has not been
 * @lock: mmu_lock: 'r', 'w', '-' not held by this thread, '?' not known (no lockdep)
 * @rcu: in an RCU read section (1), not (0), not known (-1)
 * @spt: the page table concerned (link, split, free), or NULL
 * @external_spt: its external page as KVM knew it at that time, or NULL
 * @task: who
 */
struct bed_op {
	u32 serial;
	bool free;
	gfn_t gfn;
	int level;
	u64 old_spte;
	u64 new_spte;
	int ret;
	u64 seen;
	u64 seen_end;
	u32 nr_then;
	char lock;
	s8 rcu;
	void *spt;
	void *external_spt;
	struct task_struct *task;
};

/**
 * struct bed_fail - let external operations fail
 * @err: the answer, as -EBUSY or -EIO; 0: none fail
 * @level: only at this level, 0: at any
 * @gfn: only at this GFN, with @gfn_too
 * @gfn_too: see @gfn
 * @skip: let so many pass first
 * @times: then fail so many; 0: all
 */
struct bed_fail {
	int err;
	int level;
	gfn_t gfn;
	bool gfn_too;
	u32 skip;
	u32 times;
};

/**
 * struct bed - the bed of one case
 * @test: the case
 * @kvm: its VM; of type KVM_X86_TDX_VM, runnable, never entered
 * @vcpu: its vCPUs, roots loaded, memory caches topped up by bed_fault()
 * @slot: the memslot
 * @root: its valid roots, by enum bed_kind
 * @fail: what external operations are to be answered with
 * @strict: refuse a split that brings no external page, as tdx.c does; else the
 *	external side brings its own
 * @nr_ops: external operations so far
 * @op: the first BED_LOG of them
 * @expect_bugged: the case makes KVM give the VM up: no complaint at its end
 * @home: the home's own
 */
struct bed {
	struct kunit *test;
	struct kvm *kvm;
	struct kvm_vcpu *vcpu[BED_VCPUS];
	struct kvm_memory_slot *slot;
	struct kvm_mmu_page *root[2];
	struct bed_fail fail;
	bool strict;
	atomic_t nr_ops;
	struct bed_op *op;
	bool expect_bugged;
	struct bed_home *home;
};

/*
 * suite_init, suite_exit, init, exit of every suite that uses the bed. exit takes
 * the VM down and fails the case for whatever is left: pages and tables by KVM's
 * count, external pages, pages of the emulated module, root references, a frozen
 * entry, callbacks of RCU, a kernel splat since init.
 */
int bed_suite_init(struct kunit_suite *suite);
void bed_suite_exit(struct kunit_suite *suite);
int bed_init(struct kunit *test);
void bed_exit(struct kunit *test);
/* The part of it about the VM, for a case that wants to know: NULL, or what is wrong. */
const char *bed_take_down(struct bed *b);
#define BED_SUITE(_name, _cases)			\
	static struct kunit_suite _name##_suite = {	\
		.name = #_name,				\
		.suite_init = bed_suite_init,		\
		.suite_exit = bed_suite_exit,		\
		.init = bed_init,			\
		.exit = bed_exit,			\
		.test_cases = _cases,			\
	};						\
	kunit_test_suite(_name##_suite)

static inline struct bed *bed_of(struct kunit *test)
{
	return test->priv;
}

/* Does this kernel bring an external page when it splits mirror leafs (VARIANT=mirror-split)? */
bool bed_has_mirror_split(struct bed *b);
/* SKIP the rest of the case unless it does. */
void bed_needs_mirror_split(struct bed *b);
/* SKIP unless lockdep can say how a lock is held. */
void bed_needs_lockdep(struct bed *b);

/* @gfn as a root of this kind knows it: with the direct bits, or without. */
gfn_t bed_gfn(struct bed *b, enum bed_kind kind, gfn_t gfn);

/**
 * struct bed_fault - a fault
 * @kind: private (mirror) or shared (direct)
 * @vcpu: number of the vCPU
 * @gfn: page, without direct bits
 * @level: largest leaf wanted (1 is 4K); 0: 4K
 * @pfn: page frame, or 0: the bed's own page for this GFN
 * @read: not a write access
 * @exec: an instruction fetch
 * @nx: no huge page may be fetched from (nx_huge_pages)
 * @prefetch: see struct kvm_page_fault
 * @ro: map_writable is false
 */
struct bed_fault {
	enum bed_kind kind;
	int vcpu;
	gfn_t gfn;
	int level;
	kvm_pfn_t pfn;
	bool read;
	bool exec;
	bool nx;
	bool prefetch;
	bool ro;
};

/*
 * kvm_tdp_mmu_map() under mmu_lock held for read, caches topped up before.
 * RET_PF_* or -errno. Any thread; a vCPU is used by one at a time.
 * With @seq (mmu_invalidate_seq read before by bed_seq()), a fault that an invalidation
 * has overtaken is RET_PF_RETRY, as in kvm_mmu_faultin_pfn() and is_page_fault_stale().
 */
int bed_fault(struct bed *b, const struct bed_fault *f);
int bed_fault_seq(struct bed *b, const struct bed_fault *f, unsigned long seq);
unsigned long bed_seq(struct bed *b);
/* A fault that has to be RET_PF_FIXED (or SPURIOUS), else the case fails at once. */
void bed_map(struct bed *b, enum bed_kind kind, gfn_t gfn, int level);

/* The bed's page frame for a GFN: linear, so that huge leafs are aligned. */
kvm_pfn_t bed_pfn(struct bed *b, gfn_t gfn);

/* The entry for @gfn (without direct bits) at @level; NULL: the walk does not get there. */
u64 *bed_sptep(struct bed *b, struct kvm_mmu_page *root, gfn_t gfn, int level);
/* What it reads; 0 if the walk does not get there. */
u64 bed_spte(struct bed *b, enum bed_kind kind, gfn_t gfn, int level);
/* Present leafs of a root in [start, end), any level; without direct bits. */
u64 bed_leafs(struct bed *b, struct kvm_mmu_page *root, gfn_t start, gfn_t end);
/* What the external table says: false: no entry. Fields are the core's. */
struct bed_external {
	bool present;
	bool leaf;
	bool blocked;
	u64 pfn;
};

bool bed_external(struct bed *b, gfn_t gfn, int level, struct bed_external *e);
/* Pages and tables that the emulated module holds for the VM. */
u64 bed_external_pages(struct bed *b);

/* Zap as kvm_tdp_mmu_zap_leafs() and kvm_tdp_mmu_unmap_gfn_range() are called, locks taken. */
bool bed_zap_leafs(struct bed *b, gfn_t start, gfn_t end);
bool bed_unmap(struct bed *b, gfn_t start, gfn_t end, unsigned int attr_filter);
void bed_split(struct bed *b, enum bed_kind kind, gfn_t start, gfn_t end, int level, bool shared);
/* KVM_DIRECT_ROOTS, KVM_VALID_ROOTS...; then zap of the invalidated ones. */
void bed_invalidate(struct bed *b, int which);
void bed_zap_invalidated(struct bed *b, bool shared);
/* Forget a root's reference and load a new one, as a vCPU's kvm_mmu_load() does. */
void bed_reload(struct bed *b);

/*
 * External operations since bed_ops_from(): index of the first that fits, or -1; how
 * many of [from, to) were calls of set_external_spte.
 */
u32 bed_ops_from(struct bed *b);
int bed_find_op(struct bed *b, u32 from, bool free, gfn_t gfn, int level);
u32 bed_count_ops(struct bed *b, u32 from, u32 to);

/*
 * The checks of the invariants: NULL, or what is wrong, in words, SPTEs decoded
 * (memory of the case). A case that passes and one with a broken double share them.
 * @what names the place in the caller's words.
 */
const char *bed_no_frozen(struct bed *b, struct kvm_mmu_page *root);		/* F1 */
const char *bed_in_window(struct bed *b, const struct bed_op *op);		/* F2 */
const char *bed_agree(struct bed *b, gfn_t start, gfn_t end);			/* X1 */
const char *bed_in_order(struct bed *b, u32 from, u32 to);			/* X2 */
const char *bed_lock_contract(struct bed *b, const struct bed_op *op);		/* X4 */
const char *bed_children_of(struct bed *b, enum bed_kind kind, gfn_t gfn,
			    int level, u64 huge);				/* S1 */
const char *bed_nothing_left(struct bed *b, struct kvm_mmu_page *root,
			     gfn_t start, gfn_t end);				/* Z1 */
const char *bed_books(struct bed *b);						/* A1 */
#define BED_EXPECT_OK(b, check)						\
do {									\
	const char *__wrong = (check);					\
									\
	KUNIT_EXPECT_NULL_MSG((b)->test, __wrong, "%s", __wrong);	\
} while (0)
#define BED_EXPECT_CAUGHT(b, check)	\
	KUNIT_EXPECT_NOT_NULL_MSG((b)->test, (check), "%s", #check " saw nothing")

/* "leaf 2M pfn 0x1200 W A D mirror", "table", "FROZEN", "MMIO", "none". Memory of the case. */
const char *bed_str(struct bed *b, u64 spte, int level, enum bed_kind kind);

/*
 * Expect KVM to complain: a WARN whose text or place contains @what, that many
 * times, by this thread. Others still fail the case. Not nested.
 */
void bed_expect_warn(struct bed *b);
int bed_warns(struct bed *b);		/* ends it; how many there were */
/* A splat since the case began that nobody expects, once; bed_exit() asks, too. */
const char *bed_splat(struct bed *b);

#endif
