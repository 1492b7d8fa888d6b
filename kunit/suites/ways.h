/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites frozen, external and seed share: which entries there are, the
 * ways in which the TDP MMU changes a page that is mapped, and which mmu_lock it
 * holds meanwhile. Knows KVM's functions; says nothing about what is right.
 */
#ifndef TDP_STRESS_KUNIT_WAYS_H
#define TDP_STRESS_KUNIT_WAYS_H

#include "../bed/bed.h"
#include "../bed/sched.h"

/* The page that cases look at: its entries are all the first of their tables. */
#define PAGE_GFN	BED_1G(1)

static inline const char *level_name(int level)
{
	static const char * const names[] = { "?", "4K", "2M", "1G", "512G", "256T" };

	return names[level < ARRAY_SIZE(names) ? level : 0];
}

static inline const char *kind_name(enum bed_kind kind)
{
	return kind == BED_MIRROR ? "mirror" : "direct";
}

static inline const char *err_name(int err)
{
	return err == -EBUSY ? "EBUSY" : err == -EIO ? "EIO" : "ok";
}

/* Cases for each of some levels: their parameter. */
static inline void level_desc(const int *level, char *desc)
{
	strscpy(desc, level_name(*level), KUNIT_PARAM_DESC_SIZE);
}

static inline int level_of(struct kunit *test)
{
	return *(const int *)test->param_value;
}

static inline gfn_t gfns_of(int level)
{
	return KVM_PAGES_PER_HPAGE(level);
}

/* SKIP the rest of the case where no thread can be seen there. */
static inline void needs_point(struct bed *b, enum bed_point point)
{
	if (!bed_has_point(point))
		kunit_skip(b->test, "this home has no point '%s'", bed_point_name(point));
}

/* Nothing but the entry's own change is to be seen: what is above it is made before. */
static inline void map_beside(struct bed *b, enum bed_kind kind, int level)
{
	if (level <= PG_LEVEL_1G)
		bed_map(b, kind, PAGE_GFN + gfns_of(level), PG_LEVEL_4K);
}

/* An SPTE in words where it is not what it should be. A macro: the case's line is told. */
#define EXPECT_SPTE(b, got, want, level, kind)					\
do {										\
	struct bed *__b = (b);							\
	u64 __got = (got), __want = (want);					\
	int __level = (level);							\
	enum bed_kind __kind = (kind);						\
										\
	KUNIT_EXPECT_EQ_MSG(__b->test, __got, __want, "is %s, should be %s",	\
			    bed_str(__b, __got, __level, __kind),		\
			    bed_str(__b, __want, __level, __kind));		\
} while (0)

/* Has the external table been told of this, once since @from? NULL, and the case fails: no. */
static inline const struct bed_op *told_once(struct bed *b, u32 from, gfn_t gfn, int level)
{
	u32 n = 0, i, end = bed_ops_from(b);
	int at = bed_find_op(b, from, false, gfn, level);

	for (i = from; i < end; i++)
		n += !b->op[i].free && b->op[i].gfn == gfn && b->op[i].level == level;
	KUNIT_EXPECT_EQ_MSG(b->test, n, 1, "external operations for gfn 0x%llx, level %s",
			    gfn, level_name(level));
	return at < 0 ? NULL : &b->op[at];
}

/*
 * Has a change that failed left the page's entry as it was? If not, the case fails,
 * and goes on with a table that makes sense: nobody walks into one that was freed.
 */
static inline bool is_restored(struct bed *b, int level, u64 was)
{
	u64 *sptep = bed_sptep(b, b->root[BED_MIRROR], PAGE_GFN, level);
	u64 spte;

	KUNIT_ASSERT_NOT_NULL(b->test, sptep);
	spte = READ_ONCE(*sptep);
	EXPECT_SPTE(b, spte, was, level, BED_MIRROR);
	WRITE_ONCE(*sptep, was);
	return spte == was;
}

#ifdef CONFIG_UML
/* A write that a dirty log has let through to KVM before: no mmu_lock is taken. */
static inline int way_fast_fault(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	struct kvm_page_fault f = {
		.addr = gfn_to_gpa(bed_gfn(b, kind, gfn)),
		.error_code = PFERR_PRESENT_MASK | PFERR_WRITE_MASK,
		.present = true, .write = true, .is_tdp = true,
		.is_private = kvm_mem_is_private(b->kvm, gfn),
		.max_level = level, .gfn = gfn, .slot = b->slot, .map_writable = true,
	};

	return um_fast_page_fault(b->vcpu[0], &f);
}

/* For the tree's static functions: locks as KVM's callers hold them. */
static inline void mmu_lock(struct bed *b, bool shared)
{
	if (shared)
		read_lock(&b->kvm->mmu_lock);
	else
		write_lock(&b->kvm->mmu_lock);
	rcu_read_lock();
}

static inline void mmu_unlock(struct bed *b, bool shared)
{
	rcu_read_unlock();
	if (shared)
		read_unlock(&b->kvm->mmu_lock);
	else
		write_unlock(&b->kvm->mmu_lock);
}

/* To the page's entry. Locks as above; the iterator is good for as long as the table is. */
static inline void walk_to(struct bed *b, enum bed_kind kind, int level, struct tdp_iter *iter)
{
	for_each_tdp_pte_min_level((*iter), b->kvm, b->root[kind], level, PAGE_GFN, PAGE_GFN + 1)
		if (iter->level == level)
			break;
}
#endif

/* --- ways of change --- */

static inline void way_wrprot(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	guard(read_lock)(&b->kvm->mmu_lock);
	kvm_tdp_mmu_wrprot_slot(b->kvm, b->slot, PG_LEVEL_4K);
}

static inline void way_clear_dirty(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	guard(read_lock)(&b->kvm->mmu_lock);
	kvm_tdp_mmu_clear_dirty_slot(b->kvm, b->slot);
}

static inline void way_wrprot_gfn(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	guard(write_lock)(&b->kvm->mmu_lock);
	kvm_tdp_mmu_write_protect_gfn(b->kvm, b->slot, gfn, PG_LEVEL_4K);
}

static inline void way_zap_leafs(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	bed_zap_leafs(b, gfn, gfn + gfns_of(level));
}

static inline void way_unmap(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	bed_unmap(b, gfn, gfn + gfns_of(level),
		  kind == BED_MIRROR ? KVM_FILTER_PRIVATE : KVM_FILTER_SHARED);
}

/* As the worker that recovers NX huge pages does, which holds a reference on nothing. */
static inline bool zap_table(struct bed *b, struct kvm_mmu_page *sp)
{
	guard(read_lock)(&b->kvm->mmu_lock);
	guard(rcu)();
	return kvm_tdp_mmu_zap_possible_nx_huge_page(b->kvm, sp);
}

/* The table that the entry is in. */
static inline struct kvm_mmu_page *table_of(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep = bed_sptep(b, b->root[kind], gfn, level);

	KUNIT_ASSERT_NOT_NULL(b->test, sptep);
	return sptep_to_sp(sptep);
}

static inline void way_zap_table(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep = bed_sptep(b, b->root[kind], gfn, level);

	if (sptep)
		zap_table(b, sptep_to_sp(sptep));
}

static inline void zap_roots(struct bed *b, enum bed_kind kind, bool shared)
{
	bed_invalidate(b, kind == BED_MIRROR ? KVM_MIRROR_ROOTS : KVM_DIRECT_ROOTS);
	bed_zap_invalidated(b, shared);
	bed_reload(b);
}

static inline void way_zap_roots_shared(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	zap_roots(b, kind, true);
}

static inline void way_zap_roots(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	zap_roots(b, kind, false);
}

/* What becomes of a writable leaf. */
enum becomes {
	NOT_WRITABLE,
	NOT_DIRTY,
	NOT_MMU_WRITABLE,	/* nor writable */
	NOT_PRESENT,
	TABLE_GONE,		/* frozen for good: the table it was in is gone, too */
	ROOT_GONE,		/* the one or the other: by which pass is KVM's business */
};

/**
 * struct way - a way in which the TDP MMU changes a leaf
 * @name: short
 * @change: does it; takes the locks
 * @lock: how mmu_lock is held meanwhile, 'r' or 'w'
 * @becomes: what the leaf is then
 */
struct way {
	const char *name;
	void (*change)(struct bed *b, enum bed_kind kind, gfn_t gfn, int level);
	char lock;
	enum becomes becomes;
};

static const struct way ways[] = {
	{ "wrprot_slot", way_wrprot, 'r', NOT_WRITABLE },
	{ "clear_dirty_slot", way_clear_dirty, 'r', NOT_DIRTY },
	{ "write_protect_gfn", way_wrprot_gfn, 'w', NOT_MMU_WRITABLE },
	{ "zap_leafs", way_zap_leafs, 'w', NOT_PRESENT },
	{ "unmap_gfn_range", way_unmap, 'w', NOT_PRESENT },
	{ "zap_table", way_zap_table, 'r', TABLE_GONE },
	{ "zap_roots_shared", way_zap_roots_shared, 'r', ROOT_GONE },
	{ "zap_roots_exclusive", way_zap_roots, 'w', ROOT_GONE },
};

/* A way, and the size of the leaf. */
struct way_at {
	const struct way *way;
	int level;
};

static const struct way_at ways_at[] = {
	{ &ways[0], PG_LEVEL_4K }, { &ways[0], PG_LEVEL_2M }, { &ways[0], PG_LEVEL_1G },
	{ &ways[1], PG_LEVEL_4K }, { &ways[1], PG_LEVEL_2M }, { &ways[1], PG_LEVEL_1G },
	{ &ways[2], PG_LEVEL_4K }, { &ways[2], PG_LEVEL_2M }, { &ways[2], PG_LEVEL_1G },
	{ &ways[3], PG_LEVEL_4K }, { &ways[3], PG_LEVEL_2M }, { &ways[3], PG_LEVEL_1G },
	{ &ways[4], PG_LEVEL_4K }, { &ways[4], PG_LEVEL_2M }, { &ways[4], PG_LEVEL_1G },
	{ &ways[5], PG_LEVEL_4K }, { &ways[5], PG_LEVEL_2M }, { &ways[5], PG_LEVEL_1G },
	{ &ways[6], PG_LEVEL_4K }, { &ways[6], PG_LEVEL_2M }, { &ways[6], PG_LEVEL_1G },
	{ &ways[7], PG_LEVEL_4K }, { &ways[7], PG_LEVEL_2M }, { &ways[7], PG_LEVEL_1G },
};

static inline void way_at_desc(const struct way_at *w, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", w->way->name, level_name(w->level));
}

/* Is @new what the way makes of the leaf @old? */
static inline bool way_made(const struct way *way, u64 old, u64 new)
{
	switch (way->becomes) {
	case NOT_WRITABLE:
		return new == (old & ~PT_WRITABLE_MASK);
	case NOT_DIRTY:
		return new == (old & ~(kvm_ad_enabled ? shadow_dirty_mask : PT_WRITABLE_MASK));
	case NOT_MMU_WRITABLE:
		return new == (old & ~(PT_WRITABLE_MASK | shadow_mmu_writable_mask));
	case NOT_PRESENT:
		return new == SHADOW_NONPRESENT_VALUE;
	case TABLE_GONE:
		return is_frozen_spte(new);
	case ROOT_GONE:
		return new == SHADOW_NONPRESENT_VALUE || is_frozen_spte(new);
	}
	return false;
}

#endif
