/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites split and zap share: sizes and counts of leafs, points that a home
 * may lack, and an iterator that stands on an entry. Says nothing about what is right.
 */
#ifndef TDP_STRESS_KUNIT_LEAFS_H
#define TDP_STRESS_KUNIT_LEAFS_H

#include "../bed/bed.h"
#include "../bed/sched.h"

/* GFNs that a leaf of this level maps. */
static inline gfn_t size_of(int level)
{
	return KVM_PAGES_PER_HPAGE(level);
}

/* Leafs of this level, by KVM's own count. */
static inline u64 counted(struct bed *b, int level)
{
	return atomic64_read(&b->kvm->stat.pages[level - 1]);
}

/* SKIP the rest of the case where no thread can be stopped there. */
static inline void need_point(struct bed *b, enum bed_point point)
{
	if (!bed_has_point(point))
		kunit_skip(b->test, "this home has no point '%s'", bed_point_name(point));
}

/*
 * The host takes pages back and cannot wait: unlike bed_unmap() this does not yield to
 * whoever wants mmu_lock meanwhile.
 */
static inline bool unmap_at_once(struct bed *b, gfn_t start, gfn_t end, unsigned int filter)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = start, .end = end, .attr_filter = filter,
	};
	bool flush;

	bed_write_lock(b);
	flush = kvm_tdp_mmu_unmap_gfn_range(b->kvm, &range, false);
	bed_write_unlock(b);
	return flush;
}

#ifdef CONFIG_UML
/* Stand on the entry for @gfn at @level; the walk has to get there. In an RCU read section. */
static inline void iter_to(struct bed *b, struct tdp_iter *iter, struct kvm_mmu_page *root,
			   gfn_t gfn, int level)
{
	for_each_tdp_pte_min_level((*iter), b->kvm, root, level, gfn, gfn + 1)
		if (iter->level == level)
			return;
	KUNIT_FAIL(b->test, "no entry for gfn %#llx at level %d", gfn, level);
}
#endif

#endif
