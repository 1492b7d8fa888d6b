/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What threads of a script do, in more than one suite: functions of struct bed_actor.
 */
#ifndef TDP_STRESS_KUNIT_ACTORS_H
#define TDP_STRESS_KUNIT_ACTORS_H

#include "../bed/bed.h"
#include "../bed/sched.h"

/* @arg is the struct bed_fault. */
static inline long do_fault(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

/* The worker that recovers NX huge pages zaps a table, with mmu_lock held for read. */
static inline long do_zap_table(struct bed *b, void *arg)
{
	bool zapped;

	bed_read_lock(b);
	rcu_read_lock();
	zapped = kvm_tdp_mmu_zap_possible_nx_huge_page(b->kvm, arg);
	rcu_read_unlock();
	bed_read_unlock(b);
	return zapped;
}

/* Is a flush wanted? */
static inline long do_wrprot(struct bed *b, void *arg)
{
	bool flush;

	bed_read_lock(b);
	flush = kvm_tdp_mmu_wrprot_slot(b->kvm, b->slot, PG_LEVEL_4K);
	bed_read_unlock(b);
	return flush;
}

static inline long do_recover(struct bed *b, void *arg)
{
	/* for the flush of a memslot */
	guard(mutex)(&b->kvm->slots_lock);
	bed_read_lock(b);
	kvm_tdp_mmu_recover_huge_pages(b->kvm, b->slot);
	bed_read_unlock(b);
	return 0;
}

/* What a CPU does when the guest writes; @arg is the leaf's SPTE. */
static inline long do_guest_write(struct bed *b, void *arg)
{
	atomic64_or(shadow_dirty_mask | shadow_accessed_mask, arg);
	return 0;
}

#endif
