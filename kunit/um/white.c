// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's tdp_mmu.c, unmodified. The primitives by which it changes SPTEs, waits,
 * yields and frees tables are wrapped, so that a script can stop a thread right
 * before and after them; and its static functions get names that suites can call
 * (statics.h). What a wrapper does besides telling is what the primitive does.
 */
#include <asm/cmpxchg.h>
#include <linux/sched.h>

#include "white.h"
#include <trace/events/kvm.h>
#include "mmu/mmutrace.h"
#include "statics.h"
#include "stress/probed.h"

/* --- who has frozen an SPTE, and has not written it yet --- */

#define FREEZERS	16	/* threads at once; a case has a few */

static struct task_struct *freezer[FREEZERS];

static struct task_struct **freezer_of(struct task_struct *task)
{
	int i;

	for (i = 0; i < FREEZERS; i++)
		if (READ_ONCE(freezer[i]) == task)
			return &freezer[i];
	return NULL;
}

static void window_begins(void)
{
	int i;

	for (i = 0; i < FREEZERS; i++)
		if (!cmpxchg(&freezer[i], NULL, current))
			return;
}

static bool window_ends(void)
{
	struct task_struct **f = freezer_of(current);

	if (f)
		WRITE_ONCE(*f, NULL);
	return f;
}

/* --- primitives --- */

static __always_inline bool white_try_cmpxchg64(u64 *sptep, u64 *old, u64 new)
{
	tdp_ptep_t at = (__force tdp_ptep_t)sptep;
	bool freezes = is_frozen_spte(new);

	um_point(freezes ? BED_BEFORE_FREEZE : BED_BEFORE_CMPXCHG, at);
	if (!try_cmpxchg64(sptep, old, new))
		return false;
	if (freezes) {
		window_begins();
		um_point(BED_AFTER_FREEZE, at);
	}
	return true;
}

/* Removal of a table's entries under mmu_lock held for read, or an atomic write. */
static u64 white_write_spte_atomic(tdp_ptep_t sptep, u64 new)
{
	u64 old;

	if (!is_frozen_spte(new))
		return kvm_tdp_mmu_write_spte_atomic(sptep, new);
	um_point(BED_BEFORE_FREEZE, sptep);
	old = kvm_tdp_mmu_write_spte_atomic(sptep, new);
	um_point(is_frozen_spte(old) ? BED_WAIT_OWNER : BED_AFTER_FREEZE, sptep);
	return old;
}

static void white_write_spte(tdp_ptep_t sptep, u64 new)
{
	bool unfreezes = freezer_of(current);

	if (unfreezes)
		um_point(BED_BEFORE_UNFREEZE, sptep);
	__kvm_tdp_mmu_write_spte(sptep, new);
	if (unfreezes && window_ends())
		um_point(BED_AFTER_WRITE, sptep);
}

/* These two are for mmu_lock held for write: the CPU and fast page faults take none. */
static u64 white_write_spte_locked(tdp_ptep_t sptep, u64 old, u64 new, int level)
{
	um_point(BED_BEFORE_WRITE, sptep);
	return kvm_tdp_mmu_write_spte(sptep, old, new, level);
}

static u64 white_clear_spte_bits(tdp_ptep_t sptep, u64 old, u64 mask, int level)
{
	um_point(BED_BEFORE_WRITE, sptep);
	return tdp_mmu_clear_spte_bits(sptep, old, mask, level);
}

/* What KVM says an SPTE was, whose last change a case wants to know. */
static struct {
	gfn_t gfn;
	int level;
	u64 old;
} seen;

void um_watch_change(gfn_t gfn, int level)
{
	seen.gfn = gfn;
	seen.level = level;
	seen.old = 0;
}

u64 um_changed_from(void)
{
	return READ_ONCE(seen.old);
}

/*
 * The last that is done for a change but leafs' counts. In a frozen window the SPTE
 * is still to be written: that write tells.
 */
static void white_changed(gfn_t gfn, int level, u64 old)
{
	/* some are told with the direct bits, some without: they are above these */
	if ((u32)gfn == (u32)seen.gfn && level == seen.level)
		WRITE_ONCE(seen.old, old);
	if (!freezer_of(current))
		bed_point(BED_AFTER_WRITE, gfn, level);
}

static void white_call_rcu(struct rcu_head *head, rcu_callback_t fn)
{
	struct kvm_mmu_page *sp = container_of(head, struct kvm_mmu_page, rcu_head);

	bed_point(BED_BEFORE_CALL_RCU, sp->gfn, sp->role.level);
	call_rcu(head, fn);
}

/* In tdp_mmu.c every spinlock is tdp_mmu_pages_lock. */
static void white_spin_lock(spinlock_t *lock)
{
	bed_point(BED_BEFORE_PAGES_LOCK, 0, 0);
	spin_lock(lock);
}

static bool white_needbreak(rwlock_t *lock)
{
	return bed_wants_yield() || rwlock_needbreak(lock);
}

static int white_yield_read(rwlock_t *lock, gfn_t gfn, int level)
{
	int ret = 1;

	um_yields(lock);
	bed_point(BED_YIELD, gfn, level);
	if (bed_wants_yield()) {
		read_unlock(lock);
		cond_resched();
		read_lock(lock);
	} else {
		ret = cond_resched_rwlock_read(lock);
	}
	bed_point(BED_YIELDED, gfn, level);
	return ret;
}

static int white_yield_write(rwlock_t *lock, gfn_t gfn, int level)
{
	int ret = 1;

	um_yields(lock);
	bed_point(BED_YIELD, gfn, level);
	if (bed_wants_yield()) {
		write_unlock(lock);
		cond_resched();
		write_lock(lock);
	} else {
		ret = cond_resched_rwlock_write(lock);
	}
	bed_point(BED_YIELDED, gfn, level);
	return ret;
}

/* --- memory for a split, which a case can withhold --- */

static bool (*alloc_watch)(void *arg);
static void *alloc_watch_arg;

void um_watch_alloc(bool (*fn)(void *arg), void *arg)
{
	alloc_watch_arg = arg;
	alloc_watch = fn;
}

static bool out_of_memory(void)
{
	return alloc_watch && alloc_watch(alloc_watch_arg);
}

static void *white_zalloc(struct kmem_cache *cache, gfp_t gfp)
{
	return out_of_memory() ? NULL : um_header_alloc(cache, gfp | __GFP_ZERO);
}

static unsigned long white_get_free_page(gfp_t gfp)
{
	return out_of_memory() ? 0 : __get_free_page(gfp);
}

/* --- the file --- */

#undef try_cmpxchg64
#undef kmem_cache_zalloc
#undef kmem_cache_free
#undef __get_free_page
#undef rwlock_needbreak
#undef cond_resched_rwlock_read
#undef cond_resched_rwlock_write
#undef call_rcu
#undef spin_lock
#define try_cmpxchg64(sptep, old, new)		white_try_cmpxchg64(sptep, old, new)
#define kvm_tdp_mmu_write_spte_atomic(s, new)	white_write_spte_atomic(s, new)
#define __kvm_tdp_mmu_write_spte(s, new)	white_write_spte(s, new)
#define kvm_tdp_mmu_write_spte(s, old, new, l)	white_write_spte_locked(s, old, new, l)
#define tdp_mmu_clear_spte_bits(s, old, m, l)	white_clear_spte_bits(s, old, m, l)
#define kvm_tdp_mmu_read_spte(s)		um_read_spte(s)
#define trace_kvm_tdp_mmu_spte_changed(as_id, gfn, level, old, new)		\
do {										\
	gfn_t __gfn = (gfn);							\
	int __level = (level);							\
	u64 __old = (old);							\
										\
	trace_kvm_tdp_mmu_spte_changed(as_id, __gfn, __level, __old, new);	\
	white_changed(__gfn, __level, __old);					\
} while (0)
#define call_rcu(head, fn)			white_call_rcu(head, fn)
#define spin_lock(lock)				white_spin_lock(lock)
/* What these lists are changed under. */
#define list_add_rcu(new, head)							\
do {										\
	lockdep_assert_held(&kvm->arch.tdp_mmu_pages_lock);			\
	list_add_rcu(new, head);						\
} while (0)
#define list_del_rcu(entry)							\
do {										\
	lockdep_assert_held(&kvm->arch.tdp_mmu_pages_lock);			\
	list_del_rcu(entry);							\
} while (0)
#define track_possible_nx_huge_page(kvm, ...)					\
do {										\
	lockdep_assert_held(&(kvm)->arch.tdp_mmu_pages_lock);			\
	track_possible_nx_huge_page(kvm, __VA_ARGS__);				\
} while (0)
#define untrack_possible_nx_huge_page(kvm, ...)					\
do {										\
	lockdep_assert_held(&(kvm)->arch.tdp_mmu_pages_lock);			\
	untrack_possible_nx_huge_page(kvm, __VA_ARGS__);			\
} while (0)
#define rwlock_needbreak(lock)			white_needbreak(lock)
/* (both are in the one function that yields, which has the iterator) */
#define cond_resched_rwlock_read(lock)		white_yield_read(lock, iter->gfn, iter->level)
#define cond_resched_rwlock_write(lock)		white_yield_write(lock, iter->gfn, iter->level)
#define kmem_cache_zalloc(cache, gfp)		white_zalloc(cache, gfp)
#define kmem_cache_free(cache, header)		um_header_free(cache, header)
#define __get_free_page(gfp)			white_get_free_page(gfp)
/* The backend has to know when this is under way (kvm/sept.c): see below. */
#define kvm_tdp_mmu_recover_huge_pages(k, slot)	white_recover_huge_pages(k, slot)

static void white_recover_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot);

#undef pr_fmt
#include "mmu/tdp_mmu.c"

#undef kvm_tdp_mmu_recover_huge_pages

void kvm_tdp_mmu_recover_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	struct um_call call = {
		.regs.arg = { (unsigned long)kvm, (unsigned long)slot },
	};

	um_call_enter(um_probed, &call);
	white_recover_huge_pages(kvm, slot);
	um_call_leave(um_probed, &call);
}

/* --- static functions --- */

/*
 * Told to freeze an SPTE for good, KVM writes no other value. That is the caller's, who
 * is in no window then; nor is the thread that gets its task_struct next.
 */
int um_tdp_mmu_set_spte_atomic(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte)
{
	int ret = tdp_mmu_set_spte_atomic(kvm, iter, new_spte);

	window_ends();
	return ret;
}

u64 um_tdp_mmu_set_spte(struct kvm *kvm, tdp_ptep_t sptep, u64 old_spte, u64 new_spte,
			gfn_t gfn, int level)
{
	return tdp_mmu_set_spte(kvm, sptep, old_spte, new_spte, gfn, level);
}

void um_tdp_mmu_iter_set_spte(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte)
{
	tdp_mmu_iter_set_spte(kvm, iter, new_spte);
}

int um___handle_changed_spte(struct kvm *kvm, struct kvm_mmu_page *sp, gfn_t gfn,
			     u64 old_spte, u64 new_spte, int level, bool shared)
{
	return __handle_changed_spte(kvm, sp, gfn, old_spte, new_spte, level, shared);
}

int um_tdp_mmu_split_huge_page(struct kvm *kvm, struct tdp_iter *iter,
			       struct kvm_mmu_page *sp, bool shared)
{
	return tdp_mmu_split_huge_page(kvm, iter, sp, shared);
}

struct kvm_mmu_page *um_tdp_mmu_alloc_sp(struct kvm_vcpu *vcpu)
{
	return tdp_mmu_alloc_sp(vcpu);
}

void um_tdp_mmu_init_child_sp(struct kvm_mmu_page *child_sp, struct tdp_iter *iter)
{
	tdp_mmu_init_child_sp(child_sp, iter);
}

void um_tdp_mmu_free_unused_sp(struct kvm_mmu_page *sp)
{
	tdp_mmu_free_unused_sp(sp);
}
