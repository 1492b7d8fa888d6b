// SPDX-License-Identifier: GPL-2.0
/*
 * What a fault decides besides making its SPTE: how large the leaf may be, whether
 * others have to hear of it, and when it may do without mmu_lock. In UML fast page
 * faults are those of the tree's mmu.c.
 */
#include "ways.h"

#define GFN	BED_2M(0)
#define GFN2	(BED_2M(0) + 1)
#define END	BED_2M(1)

static int fault_2m(struct bed *b, enum bed_kind kind)
{
	const struct bed_fault f = { .kind = kind, .gfn = GFN, .level = PG_LEVEL_2M };

	return bed_fault(b, &f);
}

/* What a dirty log is to tell of is a page, not 512. */
static void small_under_dirty_log(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte;

	home_log_dirty(b, true);
	KUNIT_EXPECT_EQ(test, fault_2m(b, BED_DIRECT), RET_PF_FIXED);
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_EXPECT_FALSE(test, is_last_spte(spte, PG_LEVEL_2M));
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], GFN, END), 1);

	/* ... and as large as it likes when nobody wants to know any more */
	home_log_dirty(b, false);
	KUNIT_EXPECT_EQ(test, fault_2m(b, BED_DIRECT), RET_PF_FIXED);
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_EXPECT_TRUE(test, is_last_spte(spte, PG_LEVEL_2M));
}

/* A huge leaf in the place of a table: vCPUs have what the table mapped in their TLBs. */
static void huge_over_table_flushes(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 flushes;

	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	flushes = home_flushes(b);
	KUNIT_EXPECT_EQ(test, fault_2m(b, BED_DIRECT), RET_PF_FIXED);
	KUNIT_EXPECT_GT(test, home_flushes(b), flushes);

	/* where nothing was mapped nobody has anything */
	bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES);
	bed_map(b, BED_DIRECT, END, PG_LEVEL_4K);
	flushes = home_flushes(b);
	KUNIT_EXPECT_EQ(test, fault_2m(b, BED_DIRECT), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, home_flushes(b), flushes);
}

static long do_fault(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

/* The worker that recovers NX huge pages zaps a table, with mmu_lock held for read. */
static long do_zap_table(struct bed *b, void *arg)
{
	bool zapped;

	bed_read_lock(b);
	rcu_read_lock();
	zapped = kvm_tdp_mmu_zap_possible_nx_huge_page(b->kvm, arg);
	rcu_read_unlock();
	bed_read_unlock(b);
	return zapped;
}

/*
 * The table goes when the fault has seen its entry, and is about to look at it again on
 * its way down: the walk ends above the level that is wanted, beside the page.
 */
static void walk_ends_early(struct kunit *test)
{
	static const struct bed_step steps[] = {
		/* on the way to the entry, and on the way down from it */
		{ .thread = 'A', .to = BED_WALK, .nth = 2, .level = PG_LEVEL_2M },
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_zap_table } };
	u64 *sptep;

	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	sptep = bed_sptep(b, b->root[BED_DIRECT], GFN2, PG_LEVEL_4K);
	KUNIT_ASSERT_NOT_NULL(test, sptep);
	actors[1].arg = sptep_to_sp(sptep);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_DIRECT], BED_GFN, BED_GFN + BED_PAGES));
	KUNIT_EXPECT_EQ(test, do_fault(b, &f), RET_PF_FIXED);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- without mmu_lock: what KVM offers no name for is there in UML only --- */

#ifdef CONFIG_UML
static long do_wrprot(struct bed *b, void *arg)
{
	bed_read_lock(b);
	kvm_tdp_mmu_wrprot_slot(b->kvm, b->slot, PG_LEVEL_4K);
	bed_read_unlock(b);
	return 0;
}

static u64 map_protected(struct bed *b, int level)
{
	bed_map(b, BED_DIRECT, GFN, level);
	do_wrprot(b, NULL);
	return bed_spte(b, BED_DIRECT, GFN, level);
}

static u32 logged(struct bed *b)
{
	return bitmap_weight(b->slot->dirty_bitmap, BED_PAGES);
}

static void fast_fault_is_logged(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte = map_protected(b, PG_LEVEL_4K);

	KUNIT_ASSERT_FALSE(test, is_writable_pte(spte));
	home_log_dirty(b, true);
	KUNIT_EXPECT_EQ(test, logged(b), 0);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_4K), RET_PF_FIXED);
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K), spte | PT_WRITABLE_MASK,
		    PG_LEVEL_4K, BED_DIRECT);
	KUNIT_EXPECT_EQ(test, logged(b), 1);
	KUNIT_EXPECT_TRUE(test, test_bit(GFN - BED_GFN, b->slot->dirty_bitmap));

	/* another vCPU's TLB is behind: nothing is to be done, or told, twice */
	clear_bit(GFN - BED_GFN, b->slot->dirty_bitmap);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_4K), RET_PF_SPURIOUS);
	KUNIT_EXPECT_EQ(test, logged(b), 0);
}

/* One page would be marked, 512 could be written. */
static void fast_fault_leaves_huge_to_log(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte = map_protected(b, PG_LEVEL_2M);

	home_log_dirty(b, true);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_2M), RET_PF_INVALID);
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M), spte, PG_LEVEL_2M, BED_DIRECT);
	KUNIT_EXPECT_EQ(test, logged(b), 0);

	home_log_dirty(b, false);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_2M), RET_PF_FIXED);
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M), spte | PT_WRITABLE_MASK,
		    PG_LEVEL_2M, BED_DIRECT);
}

/* Nobody has allowed the page to be written: the host, or who protects page tables. */
static void fast_fault_leaves_read_only(struct kunit *test)
{
	const struct bed_fault ro = { .kind = BED_DIRECT, .gfn = GFN, .ro = true, .read = true };
	struct bed *b = bed_of(test);
	u64 spte;

	KUNIT_ASSERT_EQ(test, bed_fault(b, &ro), RET_PF_FIXED);
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_FALSE(test, is_writable_pte(spte));
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_4K), RET_PF_INVALID);
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K), spte, PG_LEVEL_4K, BED_DIRECT);
}

static long do_fast_fault(struct bed *b, void *arg)
{
	return way_fast_fault(b, BED_DIRECT, GFN, PG_LEVEL_4K);
}

static long do_zap(struct bed *b, void *arg)
{
	return bed_zap_leafs(b, GFN, END);
}

/* The page is given back between the look and the exchange: it is not mapped again. */
static void fast_fault_loses_to_zap(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_fast_fault }, { do_zap } };

	map_protected(b, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_INVALID);
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_DIRECT], GFN, END));
	BED_EXPECT_OK(b, bed_books(b));
}
#endif

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(small_under_dirty_log),
	KUNIT_CASE(huge_over_table_flushes),
	KUNIT_CASE(walk_ends_early),
#ifdef CONFIG_UML
	KUNIT_CASE(fast_fault_is_logged),
	KUNIT_CASE(fast_fault_leaves_huge_to_log),
	KUNIT_CASE(fast_fault_leaves_read_only),
	KUNIT_CASE(fast_fault_loses_to_zap),
#endif
	{}
};

BED_SUITE(tdp_mmu_fault, fault_cases);
