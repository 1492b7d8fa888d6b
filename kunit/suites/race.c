// SPDX-License-Identifier: GPL-2.0
/*
 * Races of two and three threads, each the same every time: a script says who gets how
 * far before the other goes on. Every case ends with both tables compared, the books
 * checked and the external operations judged.
 */
#include "actors.h"

/* Private or shared, these pages share a 2M range; FAR is what makes the tables above it. */
#define GFN	BED_2M(0)
#define GFN2	(BED_2M(0) + 1)
#define FAR	BED_2M(1)
#define END	BED_2M(2)

/* Points that cases call themselves are of no level that KVM has anything to do at. */
#define OWN	PG_LEVEL_512G

/* --- what threads do --- */

/*
 * A vCPU that faults again until it is served, as the guest's next access would. In a script
 * nobody is in its way by the second time; if it never is served, a broken KVM hangs nothing.
 */
static long do_fault_again(struct bed *b, void *arg)
{
	int ret, tries = 100;

	do {
		ret = bed_fault(b, arg);
	} while (ret == RET_PF_RETRY && --tries);
	return ret;
}

/* Was anything removed? Before KVM yields, as it may on a busy machine, it flushes itself. */
static long do_zap_leafs(struct bed *b, void *arg)
{
	u32 flushes = home_flushes(b);

	return bed_zap_leafs(b, GFN, END) || home_flushes(b) != flushes;
}

/*
 * A notifier that may not block: it does not yield either, as a zap would to the thread
 * that has yielded to it.
 */
static bool unmap(struct bed *b)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = GFN, .end = END, .attr_filter = KVM_FILTER_SHARED,
	};

	return kvm_tdp_mmu_unmap_gfn_range(b->kvm, &range, false);
}

static long do_unmap(struct bed *b, void *arg)
{
	bool flush;

	bed_write_lock(b);
	flush = unmap(b);
	bed_write_unlock(b);
	return flush;
}

static long do_split(struct bed *b, void *arg)
{
	bed_split(b, BED_DIRECT, GFN, END, PG_LEVEL_4K, true);
	return 0;
}

static long do_split_yielding(struct bed *b, void *arg)
{
	bed_want_yield(b, true);
	return do_split(b, arg);
}

static long do_clear_dirty(struct bed *b, void *arg)
{
	bed_read_lock(b);
	kvm_tdp_mmu_clear_dirty_slot(b->kvm, b->slot);
	bed_read_unlock(b);
	return 0;
}

/* What a dirty log that was read has of a page is cleared, under mmu_lock held for write. */
static long do_clear_dirty_masked(struct bed *b, void *arg)
{
	bed_write_lock(b);
	kvm_tdp_mmu_clear_dirty_pt_masked(b->kvm, b->slot, GFN, BIT(0), false);
	bed_write_unlock(b);
	return 0;
}

/* mmu_notifier's clear_young, which takes no lock. */
static long do_age(struct bed *b, void *arg)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = GFN, .end = FAR, .attr_filter = KVM_FILTER_SHARED,
		.lockless = true,
	};

	return kvm_tdp_mmu_age_gfn_range(b->kvm, &range);
}

/* --- before and after --- */

static struct kvm_mmu_page *table_at(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep = bed_sptep(b, b->root[kind], gfn, level);

	KUNIT_ASSERT_NOT_NULL(b->test, sptep);
	return sptep_to_sp(sptep);
}

static struct kvm_mmu_page *table_of(struct bed *b, enum bed_kind kind, gfn_t gfn)
{
	return table_at(b, kind, gfn, PG_LEVEL_4K);
}

/* All of the slot and every operation so far, with nobody in the VM. */
static void expect_sound(struct bed *b)
{
	u32 i;

	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_DIRECT]));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_in_order(b, 0, bed_ops_from(b)));
	for (i = 0; i < bed_ops_from(b); i++)
		BED_EXPECT_OK(b, bed_in_window(b, &b->op[i]));
}

static void expect_leaf(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 spte = bed_spte(b, kind, gfn, level);

	KUNIT_EXPECT_TRUE_MSG(b->test, is_shadow_present_pte(spte) && is_last_spte(spte, level),
			      "gfn 0x%llx is %s", gfn, bed_str(b, spte, level, kind));
	KUNIT_EXPECT_EQ(b->test, spte_to_pfn(spte), bed_pfn(b, gfn));
}

static void expect_empty(struct bed *b, enum bed_kind kind)
{
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[kind], BED_GFN, BED_GFN + BED_PAGES));
}

/* --- fault against fault --- */

/* vCPU 0 faults in 4K, vCPU 1 in 2M, and there is nothing yet: who comes second retries. */
static void fault_4k_then_2m(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_FREEZE, PG_LEVEL_2M),
		BED_RUN('B', BED_RETRY),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault small = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault huge = { .kind = BED_MIRROR, .gfn = GFN, .vcpu = 1, .level = PG_LEVEL_2M };
	struct bed_actor actors[] = { { do_fault, &small }, { do_fault, &huge } };
	u32 from;

	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_4K);
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_RETRY);
	/* A's table and its leaf, and nothing of B's */
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 2);
	expect_leaf(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	expect_sound(b);
}

static void fault_2m_then_4k(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_FREEZE, PG_LEVEL_2M),
		BED_RUN('B', BED_RETRY),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault huge = { .kind = BED_MIRROR, .gfn = GFN, .level = PG_LEVEL_2M };
	struct bed_fault small = { .kind = BED_MIRROR, .gfn = GFN2, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault, &huge }, { do_fault, &small } };
	u32 from;

	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_4K);
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	expect_leaf(b, BED_MIRROR, GFN, PG_LEVEL_2M);
	expect_sound(b);
}

/* The parent's external operation is under way: the child's must not begin. */
static void child_waits_for_parent(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_EXTERNAL, PG_LEVEL_2M),
		BED_RUN('B', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault second = { .kind = BED_MIRROR, .gfn = GFN2, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault, &first }, { do_fault_again, &second } };

	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	expect_leaf(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	expect_leaf(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	expect_sound(b);
}

/* Both have looked at the empty entry; the one that comes second finds it frozen. */
static void fault_loses_to_frozen(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('B', BED_BEFORE_FREEZE, PG_LEVEL_4K),
		BED_RUN_AT('A', BED_IN_EXTERNAL, PG_LEVEL_4K),
		BED_RUN('B', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault second = { .kind = BED_MIRROR, .gfn = GFN, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault, &first }, { do_fault, &second } };
	u32 from;

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	expect_leaf(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	expect_sound(b);
}

/* The other has finished meanwhile: the entry is what it has become, not overwritten. */
static void fault_loses_to_leaf(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_FREEZE, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault second = { .kind = BED_MIRROR, .gfn = GFN, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault_again, &first }, { do_fault, &second } };
	u32 from;

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_SPURIOUS);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	expect_sound(b);
}

/* Two tables for one 2M range, direct root: one is linked, the other one freed. */
static void two_links(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN_AT('B', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_RETRY),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_fault second = { .kind = BED_DIRECT, .gfn = GFN2, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault, &first }, { do_fault_again, &second } };

	bed_map(b, BED_DIRECT, FAR, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	expect_leaf(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	expect_leaf(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	expect_sound(b);
}

/* --- zap of a table against faults in it --- */

/* The fault has frozen a child: who removes the table waits, then removes the leaf, too. */
static void zap_waits_for_fault(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_FREEZE, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_zap_table } };

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_MIRROR, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_MIRROR);
	expect_sound(b);
}

/* The external operation fails, and the entry is put back: nothing is there to remove. */
static void zap_waits_for_failure(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_UNFREEZE, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_zap_table } };
	u32 from;

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_MIRROR, GFN);
	b->fail = (struct bed_fail) { .err = -EBUSY, .level = PG_LEVEL_4K, .times = 1 };
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	/* A's, which failed, and the removal of GFN2 */
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 2);
	expect_empty(b, BED_MIRROR);
	expect_sound(b);
}

/* The table's parent is frozen: the fault allocates nothing, and is served later. */
static void fault_meets_frozen_parent(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('B', BED_AFTER_FREEZE, PG_LEVEL_2M),
		BED_RUN('A', BED_RETRY),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault_again, &f }, { do_zap_table } };

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_MIRROR, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_leaf(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], BED_GFN, FAR), 1);
	expect_sound(b);
}

/* The table goes between the fault's walk and its cmpxchg: nothing is mapped in it. */
static void fault_in_removed_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_zap_table } };

	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_DIRECT, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* One fault is under way in the table, one is done, when the table goes. */
static void zap_and_two_faults(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_EXTERNAL, PG_LEVEL_4K),
		BED_RUN('C', BED_DONE),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault second = { .kind = BED_MIRROR, .gfn = GFN + 7, .vcpu = 1 };
	struct bed_actor actors[] = {
		{ do_fault, &first }, { do_zap_table }, { do_fault, &second },
	};

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_MIRROR, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[2].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_MIRROR);
	expect_sound(b);
}

/* The table's parent is frozen by a zap that waits for a fault: a third one retries. */
static void fault_behind_waiting_zap(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_FREEZE, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('C', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_RUN('C', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault first = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault second = { .kind = BED_MIRROR, .gfn = GFN + 7, .vcpu = 1 };
	struct bed_actor actors[] = {
		{ do_fault, &first }, { do_zap_table }, { do_fault_again, &second },
	};

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_MIRROR, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[2].ret, RET_PF_FIXED);
	/* A's leaf went with the table, C's is in a new one */
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], BED_GFN, END), 1);
	expect_leaf(b, BED_MIRROR, GFN + 7, PG_LEVEL_4K);
	expect_sound(b);
}

/* --- zap against zap --- */

static void expect_one_zap(struct bed *b, const struct bed_actor *actors, u32 from)
{
	u32 i, frees = 0;

	KUNIT_EXPECT_TRUE(b->test, actors[0].ret);
	KUNIT_EXPECT_FALSE(b->test, actors[1].ret);
	for (i = from; i < bed_ops_from(b); i++)
		frees += b->op[i].free;
	KUNIT_EXPECT_EQ(b->test, frees, 1);
	expect_empty(b, BED_MIRROR);
	expect_sound(b);
}

static void two_zaps_of_a_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_FREEZE, PG_LEVEL_2M),
		BED_RUN_AT('B', BED_BEFORE_FREEZE, PG_LEVEL_2M),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_zap_table }, { do_zap_table } };
	u32 from;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	actors[0].arg = table_of(b, BED_MIRROR, GFN);
	actors[1].arg = actors[0].arg;
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	expect_one_zap(b, actors, from);
}

/* The second one sees what the first one has frozen, and leaves it alone. */
static void zap_meets_frozen_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_FREE, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_zap_table }, { do_zap_table } };
	u32 from;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	actors[0].arg = table_of(b, BED_MIRROR, GFN);
	actors[1].arg = actors[0].arg;
	from = bed_ops_from(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	expect_one_zap(b, actors, from);
}

/* An exclusive zap keeps out of a fault's way, and then removes what it has mapped. */
static void zap_leafs_waits_for_lock(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_EXTERNAL, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_zap_leafs } };

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_MIRROR);
	expect_sound(b);
}

/* --- split and recovery --- */

/* A fault in 4K splits the leaf first: the other splitter throws its table away. */
static void split_loses_to_fault(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN2, .vcpu = 1 };
	struct bed_actor actors[] = { { do_split }, { do_fault, &f } };
	u64 huge;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_SPURIOUS);
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	expect_sound(b);
}

static void two_splits(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN_AT('B', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_split }, { do_split } };
	u64 huge;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	expect_sound(b);
}

/* The leaf's table goes between the look and the cmpxchg: no new table is linked in it. */
static void split_loses_to_zap(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_split }, { do_zap_table } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	actors[1].arg = table_at(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/*
 * The leaf's table is removed, and still there to be read: the splitter passes it by. It
 * looks for the second time, as it has dropped mmu_lock to allocate, and begun anew.
 */
static void split_meets_removed_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		{ .thread = 'A', .to = BED_WALK, .nth = 2, .level = PG_LEVEL_2M, .gfn = GFN,
		  .gfn_too = true },
		BED_RUN_AT('B', BED_BEFORE_CALL_RCU, PG_LEVEL_2M),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_split }, { do_zap_table } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	actors[1].arg = table_at(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* The leaf goes while the splitter yields, past GFN: there is nothing to split any more. */
static void split_yields_to_notifier(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_YIELD, PG_LEVEL_2M),
		BED_BLOCKS('B'),
		BED_BLOCKS('A'),
		BED_RUN_AT('B', BED_AFTER_WRITE, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_split_yielding }, { do_unmap } };

	bed_map(b, BED_DIRECT, FAR, PG_LEVEL_2M);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

static void map_small(struct bed *b)
{
	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
}

/* The fault maps one more page in a table that becomes a huge leaf. */
static void recover_takes_a_fault_along(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_BEFORE_CMPXCHG),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN + 7, .vcpu = 1 };
	struct bed_actor actors[] = { { do_recover }, { do_fault, &f } };

	map_small(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], GFN, FAR), 1);
	expect_sound(b);
}

/* The table is gone when the fault gets to its entry. */
static void fault_in_recovered_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('B', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_RETRY),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN + 7, .vcpu = 1 };
	struct bed_actor actors[] = { { do_recover }, { do_fault, &f } };

	map_small(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], GFN, FAR), 1);
	expect_sound(b);
}

/* --- roots and notifiers --- */

static long do_invalidate(struct bed *b, void *arg)
{
	bed_write_lock(b);
	kvm_tdp_mmu_invalidate_roots(b->kvm, KVM_VALID_ROOTS);
	bed_point(BED_AFTER_WRITE, 0, OWN);
	bed_write_unlock(b);
	bed_zap_invalidated(b, true);
	return 0;
}

/* A fault holds mmu_lock: its leaf is in the root before that is invalidated. */
static void invalidate_waits_for_map(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_FREEZE, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_invalidate } };

	bed_map(b, BED_MIRROR, GFN2, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	expect_empty(b, BED_MIRROR);
	bed_reload(b);
	expect_sound(b);
}

/* The root is invalidated while the fault waits for mmu_lock: nothing is mapped in it. */
static void map_meets_invalid_root(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('B', BED_AFTER_WRITE, OWN),
		BED_BLOCKS('A'),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_RETRY),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_invalidate } };

	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	expect_empty(b, BED_DIRECT);
	bed_reload(b);
	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	expect_sound(b);
}

/* Everything of an invalid root: yields before each entry. */
/* The table that A has just linked at GFN. */
static long do_zap_linked(struct bed *b, void *arg)
{
	u64 *sptep = bed_sptep(b, b->root[BED_DIRECT], GFN, PG_LEVEL_4K);

	return sptep && do_zap_table(b, sptep_to_sp(sptep));
}

static long do_zap_invalidated(struct bed *b, void *arg)
{
	bed_want_yield(b, true);
	bed_zap_invalidated(b, true);
	return 0;
}

/* What a notifier leaves in the root @arg, counted before anybody else gets mmu_lock. */
static long do_unmap_and_count(struct bed *b, void *arg)
{
	long left;

	bed_write_lock(b);
	unmap(b);
	left = bed_leafs(b, arg, GFN, FAR);
	bed_point(BED_AFTER_WRITE, 0, OWN);
	bed_write_unlock(b);
	return left;
}

/* The zap of an invalid root has yielded: a notifier still has to unmap its pages. */
static void notifier_and_invalid_root(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_YIELD),
		BED_BLOCKS('B'),
		BED_BLOCKS('A'),
		BED_RUN_AT('B', BED_AFTER_WRITE, OWN),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_zap_invalidated }, { do_unmap_and_count } };

	map_small(b);
	actors[1].arg = b->root[BED_DIRECT];
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[1].ret, 0);
	expect_empty(b, BED_DIRECT);
	bed_reload(b);
	expect_sound(b);
}

/* ... and so has to be left alone what a vCPU with a new root maps meanwhile. */
static void old_root_and_new_root(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_YIELD),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN, .vcpu = 1 };
	struct bed_actor actors[] = { { do_zap_invalidated }, { do_fault, &f } };

	map_small(b);
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	bed_reload(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], BED_GFN, END), 1);
	expect_leaf(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	expect_sound(b);
}

/* The vCPU's number is @arg. */
static long do_load(struct bed *b, void *arg)
{
	return home_load(b, (long)arg);
}

/* Both find no valid root, but only the first makes one. */
static void two_vcpus_make_roots(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_BEFORE_PAGES_LOCK),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_load, (void *)0L }, { do_load, (void *)1L } };
	const struct kvm_mmu *mmu[] = { b->vcpu[0]->arch.mmu, b->vcpu[1]->arch.mmu };

	bed_invalidate(b, KVM_DIRECT_ROOTS | KVM_MIRROR_ROOTS);
	home_unload(b, 0);
	home_unload(b, 1);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, 0);
	KUNIT_EXPECT_EQ(test, actors[1].ret, 0);
	KUNIT_EXPECT_EQ(test, mmu[0]->root.hpa, mmu[1]->root.hpa);
	KUNIT_EXPECT_EQ(test, mmu[0]->mirror_root_hpa, mmu[1]->mirror_root_hpa);
	bed_reload(b);
	bed_zap_invalidated(b, true);
	expect_sound(b);
}

static long do_count_roots(struct bed *b, void *arg)
{
	struct kvm_mmu_page *root;
	long n = 0;

	guard(rcu)();
	list_for_each_entry_rcu(root, &b->kvm->arch.tdp_mmu_roots, link)
		n++;
	return n;
}

/* As long as something is mapped by it, a root is where notifiers find it. */
static void invalid_root_is_listed(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_YIELD),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_zap_invalidated }, { do_count_roots } };

	map_small(b);
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	/* the vCPUs use another one: only the TDP MMU has a reference on this */
	bed_reload(b);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	/* mirror, direct, and the invalid one */
	KUNIT_EXPECT_EQ(test, actors[1].ret, 3);
	KUNIT_EXPECT_EQ(test, do_count_roots(b, NULL), 2);
	expect_sound(b);
}

/* A table that is gone by the time that it would be listed for NX recovery is not. */
static void unlinked_table_is_not_listed(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_BEFORE_PAGES_LOCK),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault fetch = { .kind = BED_DIRECT, .gfn = GFN, .level = PG_LEVEL_2M,
				   .exec = true, .nx = true };
	struct bed_actor actors[] = { { do_fault, &fetch }, { do_zap_linked } };
	struct kvm_possible_nx_huge_pages *nx =
		&b->kvm->arch.possible_nx_huge_pages[KVM_TDP_MMU];

	bed_map(b, BED_DIRECT, FAR, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	KUNIT_EXPECT_TRUE(test, list_empty(&nx->pages));
	KUNIT_EXPECT_EQ(test, nx->nr_pages, 0);
	expect_sound(b);
}

/* The page is looked up, then it is taken away, then the fault wants to map it. */
static long do_fault_overtaken(struct bed *b, void *arg)
{
	unsigned long seq = bed_seq(b);

	bed_point(BED_WALK, 0, OWN);
	return bed_fault_seq(b, arg, seq);
}

static long do_invalidate_range(struct bed *b, void *arg)
{
	bed_write_lock(b);
	home_invalidate_begin(b, GFN, END);
	unmap(b);
	bed_write_unlock(b);
	bed_point(BED_AFTER_WRITE, 0, OWN);
	bed_write_lock(b);
	home_invalidate_end(b, GFN, END);
	bed_write_unlock(b);
	return 0;
}

static const struct bed_step in_progress[] = {
	BED_RUN_AT('A', BED_WALK, OWN),
	BED_RUN_AT('B', BED_AFTER_WRITE, OWN),
	BED_RUN('A', BED_RETRY),
	BED_RUN('A', BED_DONE),
	BED_RUN('B', BED_DONE),
	BED_END
};

static const struct bed_step over_already[] = {
	BED_RUN_AT('A', BED_WALK, OWN),
	BED_RUN('B', BED_DONE),
	BED_RUN('A', BED_RETRY),
	BED_RUN('A', BED_DONE),
	BED_END
};

static void expect_overtaken(struct kunit *test, const struct bed_step *steps)
{
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault_overtaken, &f }, { do_invalidate_range } };

	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	expect_empty(b, BED_DIRECT);
	KUNIT_EXPECT_EQ(test, bed_fault_seq(b, &f, bed_seq(b)), RET_PF_FIXED);
	expect_sound(b);
}

static void map_during_invalidation(struct kunit *test)
{
	expect_overtaken(test, in_progress);
}

static void map_after_invalidation(struct kunit *test)
{
	expect_overtaken(test, over_already);
}

/* The fault was first: the notifier waits for mmu_lock, and takes its leaf away again. */
static void notifier_waits_for_map(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f }, { do_unmap } };

	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* --- without mmu_lock --- */

/* As get_walk() of an MMIO fault: what the walk ends at. */
static long do_walk_lockless(struct bed *b, void *arg)
{
	u64 sptes[PT64_ROOT_MAX_LEVEL + 1] = {};
	int root_level, leaf;

	kvm_tdp_mmu_walk_lockless_begin();
	leaf = kvm_tdp_mmu_get_walk(b->vcpu[0], gfn_to_gpa(GFN), sptes, &root_level);
	*(u64 *)arg = leaf > 0 ? sptes[leaf] : 0;
	kvm_tdp_mmu_walk_lockless_end();
	return leaf;
}

/* The walker is in a table that is removed: it is still there to be read. */
static void lockless_walk_and_free(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_WALK, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	u64 seen = 0, leaf;
	struct bed_actor actors[] = { { do_walk_lockless, &seen }, { do_zap_table } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	leaf = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_DIRECT, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_EQ(test, actors[0].ret, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	/* QEMU's point is right behind the look at the entry */
	KUNIT_EXPECT_TRUE_MSG(test, is_frozen_spte(seen) || seen == leaf, "the walker saw %s",
			      bed_str(b, seen, PG_LEVEL_4K, BED_DIRECT));
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* The leaf is zapped between the look and the cmpxchg: aging brings nothing back. */
static void age_loses_to_zap(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_age }, { do_zap_leafs } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* Aging meets an entry of a table that is being removed. */
static void age_in_removed_table(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN_AT('B', BED_BEFORE_CALL_RCU, PG_LEVEL_4K),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_age }, { do_zap_table } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	actors[1].arg = table_of(b, BED_DIRECT, GFN);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	expect_empty(b, BED_DIRECT);
	expect_sound(b);
}

/* fast_pf_fix_direct_spte(): a write-protected leaf becomes writable, without a lock. */
static long do_fast_fault(struct bed *b, void *arg)
{
	u64 *sptep, spte;
	bool fixed = false;

	kvm_tdp_mmu_walk_lockless_begin();
	sptep = kvm_tdp_mmu_fast_pf_get_last_sptep(b->vcpu[1], GFN, &spte);
	if (sptep && is_shadow_present_pte(spte) && is_mmu_writable_spte(spte))
		fixed = try_cmpxchg64(sptep, &spte, spte | PT_WRITABLE_MASK);
	kvm_tdp_mmu_walk_lockless_end();
	return fixed;
}

/* The dirty bit goes, the writable bit that came meanwhile stays. */
static void clear_beside_fast_fault(struct kunit *test, bed_fn clear, enum bed_point before)
{
	const struct bed_step steps[] = {
		BED_RUN_AT('A', before, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { clear }, { do_fast_fault } };
	u64 spte;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	do_wrprot(b, NULL);
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_FALSE(test, is_writable_pte(spte));
	KUNIT_ASSERT_TRUE(test, spte & shadow_dirty_mask);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[1].ret);
	KUNIT_EXPECT_EQ(test, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K),
			(spte | PT_WRITABLE_MASK) & ~shadow_dirty_mask);
	expect_sound(b);
}

static void clear_dirty_and_fast_fault(struct kunit *test)
{
	clear_beside_fast_fault(test, do_clear_dirty, BED_BEFORE_CMPXCHG);
}

static void clear_masked_and_fast_fault(struct kunit *test)
{
	clear_beside_fast_fault(test, do_clear_dirty_masked, BED_BEFORE_WRITE);
}

/* The CPU sets the dirty bit between the look and the cmpxchg: it must not get lost. */
static void wrprot_and_guest_write(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_wrprot }, { do_guest_write } };
	u64 spte;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	actors[1].arg = bed_sptep(b, b->root[BED_DIRECT], GFN, PG_LEVEL_4K);
	do_clear_dirty(b, NULL);
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_FALSE(test, spte & shadow_dirty_mask);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[0].ret);
	KUNIT_EXPECT_EQ(test, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K),
			(spte & ~PT_WRITABLE_MASK) | shadow_dirty_mask | shadow_accessed_mask);
	expect_sound(b);
}

/* The same while the leaf is split: the small leafs have the bit, and they are there. */
static void split_and_guest_write(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_split }, { do_guest_write } };
	u64 huge;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	actors[1].arg = bed_sptep(b, b->root[BED_DIRECT], GFN, PG_LEVEL_2M);
	do_clear_dirty(b, NULL);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_FALSE(test, huge & shadow_dirty_mask);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M,
					 huge | shadow_dirty_mask | shadow_accessed_mask));
	expect_sound(b);
}

/* A 2M leaf becomes a table between the look and the cmpxchg: no bit of that is cleared. */
static void clear_dirty_and_split(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_clear_dirty }, { do_split } };
	u64 huge;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_TRUE(test, huge & shadow_dirty_mask);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M,
					 huge & ~shadow_dirty_mask));
	expect_sound(b);
}

/*
 * The same where dirty pages are found by write protection, as for an L2 guest with PML:
 * what is cleared is W, and a table has that, too.
 */
static void protect_dirty_and_split(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_clear_dirty }, { do_split } };
	u64 huge;

	b->kvm->arch.cpu_dirty_log_size = 512;
	b->root[BED_DIRECT]->role.guest_mode = true;
	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_TRUE(test, is_writable_pte(huge));
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, is_writable_pte(bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M)));
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M,
					 huge & ~PT_WRITABLE_MASK));
	expect_sound(b);
}

/* ... nor is the table overwritten by the leaf that it came from. */
static void wrprot_and_split(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_wrprot }, { do_split } };
	u64 huge;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_TRUE(test, is_writable_pte(huge));
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, actors[0].ret);
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M,
					 huge & ~PT_WRITABLE_MASK));
	expect_sound(b);
}

static struct kunit_case race_cases[] = {
	KUNIT_CASE(fault_4k_then_2m),
	KUNIT_CASE(fault_2m_then_4k),
	KUNIT_CASE(child_waits_for_parent),
	KUNIT_CASE(fault_loses_to_frozen),
	KUNIT_CASE(fault_loses_to_leaf),
	KUNIT_CASE(two_links),
	KUNIT_CASE(zap_waits_for_fault),
	KUNIT_CASE(zap_waits_for_failure),
	KUNIT_CASE(fault_meets_frozen_parent),
	KUNIT_CASE(fault_in_removed_table),
	KUNIT_CASE(zap_and_two_faults),
	KUNIT_CASE(fault_behind_waiting_zap),
	KUNIT_CASE(two_zaps_of_a_table),
	KUNIT_CASE(zap_meets_frozen_table),
	KUNIT_CASE(zap_leafs_waits_for_lock),
	KUNIT_CASE(split_loses_to_fault),
	KUNIT_CASE(two_splits),
	KUNIT_CASE(split_loses_to_zap),
	KUNIT_CASE(split_meets_removed_table),
	KUNIT_CASE(split_yields_to_notifier),
	KUNIT_CASE(recover_takes_a_fault_along),
	KUNIT_CASE(fault_in_recovered_table),
	KUNIT_CASE(invalidate_waits_for_map),
	KUNIT_CASE(map_meets_invalid_root),
	KUNIT_CASE(notifier_and_invalid_root),
	KUNIT_CASE(old_root_and_new_root),
	KUNIT_CASE(two_vcpus_make_roots),
	KUNIT_CASE(invalid_root_is_listed),
	KUNIT_CASE(unlinked_table_is_not_listed),
	KUNIT_CASE(map_during_invalidation),
	KUNIT_CASE(map_after_invalidation),
	KUNIT_CASE(notifier_waits_for_map),
	KUNIT_CASE(lockless_walk_and_free),
	KUNIT_CASE(age_loses_to_zap),
	KUNIT_CASE(age_in_removed_table),
	KUNIT_CASE(clear_dirty_and_fast_fault),
	KUNIT_CASE(clear_masked_and_fast_fault),
	KUNIT_CASE(wrprot_and_guest_write),
	KUNIT_CASE(split_and_guest_write),
	KUNIT_CASE(clear_dirty_and_split),
	KUNIT_CASE(protect_dirty_and_split),
	KUNIT_CASE(wrprot_and_split),
	{}
};

BED_SUITE(tdp_mmu_race, race_cases);

MODULE_DESCRIPTION("Races of the TDP MMU, by script");
MODULE_LICENSE("GPL");
