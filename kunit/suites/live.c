// SPDX-License-Identifier: GPL-2.0
/*
 * The TDP MMU behind KVM's own doors: real page faults, prefaults, conversions between
 * private and shared, holes in guest_memfd, memslots, the dirty log and MMU notifiers,
 * each followed by the bed's checks. Only where the whole of KVM is.
 */
#include "../bed/bed.h"
#include "../bed/sched.h"
#include "../qemu/live.h"

/* A page of each slot, with others on both sides; the second of its 2M. */
#define PRIVATE_GFN	(LIVE_GMEM_GFN + 512)
#define SHARED_GFN	(LIVE_PLAIN_GFN + 512)
#define NR		8	/* pages that a case maps there */

static const int levels[] = { PG_LEVEL_4K, PG_LEVEL_2M, PG_LEVEL_1G };

static void level_desc(const int *level, char *desc)
{
	static const char * const names[] = { "?", "4K", "2M", "1G" };

	strscpy(desc, names[*level], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(level, levels, level_desc);

static const int huge_levels[] = { PG_LEVEL_2M, PG_LEVEL_1G };

KUNIT_ARRAY_PARAM(huge_level, huge_levels, level_desc);

static int live_init(struct kunit *test)
{
	int err = bed_init(test);

	if (err)
		return err;
	err = live_make(bed_of(test));
	KUNIT_EXPECT_EQ_MSG(test, err, 0, "no memslots with memory behind them");
	return err;
}

static bool mapped(struct bed *b, enum bed_kind kind, gfn_t gfn)
{
	return is_shadow_present_pte(bed_spte(b, kind, gfn, PG_LEVEL_4K));
}

/* Pages @gfn and on are private, and mapped by faults. */
static void map_private(struct bed *b, gfn_t gfn, int nr)
{
	int i;

	KUNIT_ASSERT_EQ(b->test, live_convert(b, gfn, nr, true), 0);
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(b->test, live_fault(b, 0, BED_MIRROR, gfn + i, true,
						    KVM_MAX_HUGEPAGE_LEVEL), RET_PF_FIXED);
}

static void map_shared(struct bed *b, gfn_t gfn, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(b->test, live_fault(b, 0, BED_DIRECT, gfn + i, true,
						    PG_LEVEL_4K), RET_PF_FIXED);
}

static void expect_sound(struct bed *b)
{
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_DIRECT]));
	BED_EXPECT_OK(b, bed_agree(b, LIVE_GMEM_GFN, LIVE_GMEM_GFN + LIVE_GMEM_PAGES));
	BED_EXPECT_OK(b, bed_in_order(b, 0, bed_ops_from(b)));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- faults --- */

static void private_fault(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_external e;
	int op;

	map_private(b, PRIVATE_GFN, 1);
	KUNIT_EXPECT_TRUE(test, mapped(b, BED_MIRROR, PRIVATE_GFN));
	KUNIT_EXPECT_FALSE(test, mapped(b, BED_DIRECT, PRIVATE_GFN));
	op = bed_find_op(b, 0, false, PRIVATE_GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_GE(test, op, 0);
	BED_EXPECT_OK(b, bed_in_window(b, &b->op[op]));
	BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[op]));
	KUNIT_ASSERT_TRUE(test, bed_external(b, PRIVATE_GFN, PG_LEVEL_4K, &e));
	KUNIT_EXPECT_EQ(test, e.pfn,
			spte_to_pfn(bed_spte(b, BED_MIRROR, PRIVATE_GFN, PG_LEVEL_4K)));
	/* once more: there is nothing left to do, and nothing is told */
	op = bed_ops_from(b);
	KUNIT_EXPECT_EQ(test, live_fault(b, 1, BED_MIRROR, PRIVATE_GFN, true, PG_LEVEL_4K),
			RET_PF_SPURIOUS);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), op);
	expect_sound(b);
}

static void shared_fault(struct kunit *test)
{
	int level = *(const int *)test->param_value;
	struct bed *b = bed_of(test);
	u64 spte;

	KUNIT_ASSERT_EQ(test, live_fault(b, 0, BED_DIRECT, SHARED_GFN, true, level),
			RET_PF_FIXED);
	spte = bed_spte(b, BED_DIRECT, SHARED_GFN, level);
	KUNIT_EXPECT_TRUE_MSG(test, is_shadow_present_pte(spte) && is_last_spte(spte, level), "%s",
			      bed_str(b, spte, level, BED_DIRECT));
	KUNIT_EXPECT_TRUE(test, is_writable_pte(spte));
	KUNIT_EXPECT_EQ_MSG(test, bed_ops_from(b), 0, "external operations for a direct root");
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_MIRROR], LIVE_PLAIN_GFN,
					  LIVE_PLAIN_GFN + LIVE_PLAIN_PAGES));
	expect_sound(b);
}

/* A guest that takes a page for what it is not is user space's to handle. */
static void fault_of_wrong_kind(struct kunit *test)
{
	struct bed *b = bed_of(test);

	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_MIRROR, PRIVATE_GFN, true, PG_LEVEL_4K),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, b->vcpu[0]->run->exit_reason, (u32)KVM_EXIT_MEMORY_FAULT);
	KUNIT_EXPECT_EQ(test, b->vcpu[0]->run->memory_fault.flags,
			(u64)KVM_MEMORY_EXIT_FLAG_PRIVATE);
	KUNIT_ASSERT_EQ(test, live_convert(b, PRIVATE_GFN, 1, true), 0);
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_DIRECT, PRIVATE_GFN, true, PG_LEVEL_4K),
			-EFAULT);
	KUNIT_EXPECT_EQ(test, b->vcpu[0]->run->memory_fault.flags, (u64)0);
	KUNIT_EXPECT_EQ(test, b->vcpu[0]->run->memory_fault.gpa, gfn_to_gpa(PRIVATE_GFN));
	KUNIT_EXPECT_FALSE(test, mapped(b, BED_MIRROR, PRIVATE_GFN));
	KUNIT_EXPECT_FALSE(test, mapped(b, BED_DIRECT, PRIVATE_GFN));
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), 0);
}

/* Behind no memslot: an MMIO entry, which is no mapping, in the direct root alone. */
static void fault_without_slot(struct kunit *test)
{
	gfn_t gfn = LIVE_PLAIN_GFN + LIVE_PLAIN_PAGES;
	struct bed *b = bed_of(test);
	u64 spte;

	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_DIRECT, gfn, true, PG_LEVEL_4K),
			RET_PF_EMULATE);
	spte = bed_spte(b, BED_DIRECT, gfn, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE_MSG(test, is_mmio_spte(b->kvm, spte), "%s",
			      bed_str(b, spte, PG_LEVEL_4K, BED_DIRECT));
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_MIRROR, gfn, true, PG_LEVEL_4K), -EFAULT);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), 0);
	expect_sound(b);
}

static void prefault(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 from;

	KUNIT_ASSERT_EQ(test, live_convert(b, PRIVATE_GFN, NR, true), 0);
	KUNIT_EXPECT_EQ(test, live_prefault(b, 0, PRIVATE_GFN, NR), (long)NR);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], PRIVATE_GFN, PRIVATE_GFN + NR),
			(u64)NR);
	from = bed_ops_from(b);
	KUNIT_EXPECT_EQ(test, live_prefault(b, 1, PRIVATE_GFN, NR), (long)NR);
	KUNIT_EXPECT_EQ_MSG(test, bed_ops_from(b), from, "what is mapped was mapped again");
	expect_sound(b);
}

/* --- the external side fails in a real fault --- */

static const int errors[] = { -EBUSY, -EIO };

static void error_desc(const int *err, char *desc)
{
	strscpy(desc, *err == -EBUSY ? "EBUSY" : "EIO", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(error, errors, error_desc);

static void refused_fault_is_retried(struct kunit *test)
{
	struct bed *b = bed_of(test);

	KUNIT_ASSERT_EQ(test, live_convert(b, PRIVATE_GFN, 1, true), 0);
	b->fail = (struct bed_fail) {
		.err = *(const int *)test->param_value, .level = PG_LEVEL_4K, .times = 1,
	};
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_MIRROR, PRIVATE_GFN, true, PG_LEVEL_4K),
			RET_PF_RETRY);
	KUNIT_EXPECT_FALSE(test, mapped(b, BED_MIRROR, PRIVATE_GFN));
	expect_sound(b);
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_MIRROR, PRIVATE_GFN, true, PG_LEVEL_4K),
			RET_PF_FIXED);
	expect_sound(b);
}

struct faulter {
	int vcpu;
	gfn_t gfn;
};

static long do_private_fault(struct bed *b, void *arg)
{
	const struct faulter *f = arg;

	return live_fault(b, f->vcpu, BED_MIRROR, f->gfn, true, PG_LEVEL_4K);
}

/* F3, by real faults: the second vCPU meets the entry that the first has frozen. */
static void fault_meets_frozen(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_EXTERNAL, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct faulter f[] = { { 0, PRIVATE_GFN }, { 1, PRIVATE_GFN } };
	struct bed_actor actor[] = {
		{ .fn = do_private_fault, .arg = &f[0] },
		{ .fn = do_private_fault, .arg = &f[1] },
	};
	struct bed *b = bed_of(test);

	KUNIT_ASSERT_EQ(test, live_convert(b, PRIVATE_GFN, 1, true), 0);
	if (!bed_follow(b, steps, actor, ARRAY_SIZE(actor)))
		return;
	KUNIT_EXPECT_EQ(test, actor[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actor[1].ret, RET_PF_RETRY);
	KUNIT_EXPECT_EQ_MSG(test, bed_leafs(b, b->root[BED_MIRROR], PRIVATE_GFN, PRIVATE_GFN + 1),
			    (u64)1, "one leaf, of the first");
	expect_sound(b);
}

/* --- private memory goes --- */

/* The middle of what is mapped, with ends that are aligned to nothing. */
#define GONE_GFN	(PRIVATE_GFN + 3)
#define GONE_NR		3

static void expect_middle_gone(struct bed *b, enum bed_kind kind, gfn_t gfn)
{
	int i;

	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[kind], gfn + 3, gfn + 3 + GONE_NR));
	for (i = 0; i < NR; i++)
		KUNIT_EXPECT_EQ_MSG(b->test, mapped(b, kind, gfn + i), i < 3 || i >= 3 + GONE_NR,
				    "page %d", i);
}

static void conversion_to_shared(struct kunit *test)
{
	struct bed *b = bed_of(test);

	map_private(b, PRIVATE_GFN, NR);
	BED_EXPECT_CAUGHT(b, bed_nothing_left(b, b->root[BED_MIRROR], GONE_GFN,
					      GONE_GFN + GONE_NR));
	KUNIT_ASSERT_EQ(test, live_convert(b, GONE_GFN, GONE_NR, false), 0);
	expect_middle_gone(b, BED_MIRROR, PRIVATE_GFN);
	map_shared(b, GONE_GFN, GONE_NR);
	expect_middle_gone(b, BED_MIRROR, PRIVATE_GFN);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], PRIVATE_GFN, PRIVATE_GFN + NR),
			(u64)GONE_NR);
	expect_sound(b);
}

static void conversion_to_private(struct kunit *test)
{
	struct bed *b = bed_of(test);

	map_shared(b, PRIVATE_GFN, NR);
	KUNIT_ASSERT_EQ(test, live_convert(b, GONE_GFN, GONE_NR, true), 0);
	expect_middle_gone(b, BED_DIRECT, PRIVATE_GFN);
	map_private(b, GONE_GFN, GONE_NR);
	expect_middle_gone(b, BED_DIRECT, PRIVATE_GFN);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], PRIVATE_GFN, PRIVATE_GFN + NR),
			(u64)GONE_NR);
	expect_sound(b);
}

static void hole_in_gmem(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 pages;

	map_private(b, PRIVATE_GFN, NR);
	pages = bed_external_pages(b);
	KUNIT_ASSERT_EQ(test, live_punch(b, GONE_GFN, GONE_NR), 0);
	expect_middle_gone(b, BED_MIRROR, PRIVATE_GFN);
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages - GONE_NR);
	expect_sound(b);
	/* other pages come in their place */
	map_private(b, GONE_GFN, GONE_NR);
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages);
	expect_sound(b);
}

/* Each page that goes: external operation under mmu_lock held for write, exactly once. */
static void removal_is_told_once(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 from, i;
	int op;

	map_private(b, PRIVATE_GFN, NR);
	from = bed_ops_from(b);
	KUNIT_ASSERT_EQ(test, live_punch(b, GONE_GFN, GONE_NR), 0);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), GONE_NR);
	for (i = 0; i < GONE_NR; i++) {
		op = bed_find_op(b, from, false, GONE_GFN + i, PG_LEVEL_4K);
		KUNIT_ASSERT_GE(test, op, 0);
		BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[op]));
		KUNIT_EXPECT_EQ(test, b->op[op].ret, 0);
	}
}

/* --- shared memory goes --- */

static void notifier_unmaps(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 flushes;

	/* of the slot with small pages; the other one's are unmapped by 1G */
	map_shared(b, PRIVATE_GFN, NR);
	map_shared(b, SHARED_GFN, 1);
	flushes = home_flushes(b);
	KUNIT_ASSERT_EQ(test, live_discard(b, GONE_GFN, GONE_NR), 0);
	expect_middle_gone(b, BED_DIRECT, PRIVATE_GFN);
	KUNIT_EXPECT_GT_MSG(test, home_flushes(b), flushes, "no flush");
	KUNIT_EXPECT_TRUE_MSG(test, mapped(b, BED_DIRECT, SHARED_GFN),
			      "a page of another memslot went, too");
	map_shared(b, GONE_GFN, GONE_NR);
	expect_sound(b);
}

/* The shared half of a page goes; the private one is guest_memfd's, not the host's. */
static void notifier_spares_private(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 from;

	map_shared(b, PRIVATE_GFN + NR, 1);
	map_private(b, PRIVATE_GFN, NR);
	from = bed_ops_from(b);
	KUNIT_ASSERT_EQ(test, live_discard(b, PRIVATE_GFN, NR + 1), 0);
	KUNIT_EXPECT_FALSE(test, mapped(b, BED_DIRECT, PRIVATE_GFN + NR));
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], PRIVATE_GFN, PRIVATE_GFN + NR),
			(u64)NR);
	KUNIT_EXPECT_EQ_MSG(test, bed_ops_from(b), from, "external operations for shared pages");
	expect_sound(b);
}

static void notifier_unmaps_huge(struct kunit *test)
{
	int level = *(const int *)test->param_value;
	struct bed *b = bed_of(test);

	KUNIT_ASSERT_EQ(test, live_fault(b, 0, BED_DIRECT, SHARED_GFN, true, level),
			RET_PF_FIXED);
	/* a page of it is enough: the leaf goes as a whole */
	KUNIT_ASSERT_EQ(test, live_discard(b, SHARED_GFN, 512), 0);
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_DIRECT], SHARED_GFN, SHARED_GFN + 1));
	expect_sound(b);
}

/* --- memslots --- */

static void slot_is_deleted(struct kunit *test)
{
	struct bed *b = bed_of(test);

	map_private(b, PRIVATE_GFN, NR);
	map_shared(b, PRIVATE_GFN + NR, NR);
	map_shared(b, SHARED_GFN, 1);
	KUNIT_ASSERT_EQ(test, live_slot(b, LIVE_GMEM, 0, 0), 0);
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_MIRROR], LIVE_GMEM_GFN,
					  LIVE_GMEM_GFN + LIVE_GMEM_PAGES));
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_DIRECT], LIVE_GMEM_GFN,
					  LIVE_GMEM_GFN + LIVE_GMEM_PAGES));
	KUNIT_EXPECT_TRUE_MSG(test, mapped(b, BED_DIRECT, SHARED_GFN),
			      "a page of another memslot went, too");
	expect_sound(b);
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_MIRROR, PRIVATE_GFN, true, PG_LEVEL_4K),
			-EFAULT);
}

static void slot_moves(struct kunit *test)
{
	gfn_t to = LIVE_PLAIN_GFN + LIVE_PLAIN_PAGES;
	struct bed *b = bed_of(test);

	map_private(b, PRIVATE_GFN, 1);
	map_shared(b, SHARED_GFN, NR);
	KUNIT_ASSERT_EQ(test, live_slot(b, LIVE_PLAIN, to, 0), 0);
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_DIRECT], LIVE_PLAIN_GFN,
					  LIVE_PLAIN_GFN + LIVE_PLAIN_PAGES));
	KUNIT_EXPECT_TRUE(test, mapped(b, BED_MIRROR, PRIVATE_GFN));
	map_shared(b, to + 512, NR);
	KUNIT_EXPECT_EQ(test, spte_to_pfn(bed_spte(b, BED_DIRECT, to + 512, PG_LEVEL_4K)),
			home_first_pfn(b) + 512);
	expect_sound(b);
}

/* --- the dirty log --- */

static void start_log(struct bed *b)
{
	gfn_t first, last;

	KUNIT_ASSERT_EQ(b->test, live_slot(b, LIVE_PLAIN, LIVE_PLAIN_GFN,
					   KVM_MEM_LOG_DIRTY_PAGES), 0);
	KUNIT_ASSERT_GE(b->test, live_log(b, &first, &last), 0L);
}

static void expect_logged(struct bed *b, gfn_t gfn)
{
	gfn_t first = 0, last = 0;

	KUNIT_EXPECT_EQ(b->test, live_log(b, &first, &last), 1L);
	KUNIT_EXPECT_EQ(b->test, first, gfn);
	KUNIT_EXPECT_EQ(b->test, last, gfn);
}

/* Written before, while and after the log was read: each write is told once. */
static void writes_are_logged(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte;

	map_shared(b, SHARED_GFN, NR);
	start_log(b);
	spte = bed_spte(b, BED_DIRECT, SHARED_GFN + 1, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, is_shadow_present_pte(spte));
	KUNIT_EXPECT_FALSE_MSG(test, is_writable_pte(spte), "a write would go unseen");
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_DIRECT, SHARED_GFN + 1, true, PG_LEVEL_4K),
			RET_PF_FIXED);
	expect_logged(b, SHARED_GFN + 1);
	/* the log was read: the page is write-protected again */
	spte = bed_spte(b, BED_DIRECT, SHARED_GFN + 1, PG_LEVEL_4K);
	KUNIT_EXPECT_FALSE(test, is_writable_pte(spte));
	KUNIT_EXPECT_EQ(test, live_fault(b, 1, BED_DIRECT, SHARED_GFN + 2, true, PG_LEVEL_4K),
			RET_PF_FIXED);
	expect_logged(b, SHARED_GFN + 2);
	expect_sound(b);
}

/* A huge leaf is split for the log, and comes back when that is over. */
static void log_splits_and_recovers(struct kunit *test)
{
	int level = *(const int *)test->param_value;
	struct bed *b = bed_of(test);

	KUNIT_ASSERT_EQ(test, live_fault(b, 0, BED_DIRECT, SHARED_GFN, true, level),
			RET_PF_FIXED);
	start_log(b);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], SHARED_GFN, SHARED_GFN + 512),
			(u64)512);
	KUNIT_EXPECT_EQ(test, live_fault(b, 0, BED_DIRECT, SHARED_GFN + 7, true, level),
			RET_PF_FIXED);
	expect_logged(b, SHARED_GFN + 7);
	expect_sound(b);
	KUNIT_ASSERT_EQ(test, live_slot(b, LIVE_PLAIN, LIVE_PLAIN_GFN, 0), 0);
	/* as large as the host has it: the bed's memory is, by 1G */
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], SHARED_GFN, SHARED_GFN + 512),
			(u64)1);
	expect_sound(b);
}

/* --- the checks see what is wrong --- */

static void checks_see_a_lost_entry(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 *sptep, spte;

	map_private(b, PRIVATE_GFN, 1);
	expect_sound(b);
	sptep = bed_sptep(b, b->root[BED_MIRROR], PRIVATE_GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_NOT_NULL(test, sptep);
	spte = xchg(sptep, SHADOW_NONPRESENT_VALUE);
	BED_EXPECT_CAUGHT(b, bed_agree(b, PRIVATE_GFN, PRIVATE_GFN + 1));
	BED_EXPECT_CAUGHT(b, bed_books(b));
	xchg(sptep, FROZEN_SPTE);
	BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	xchg(sptep, spte);
	expect_sound(b);
}

static struct kunit_case live_cases[] = {
	KUNIT_CASE(private_fault),
	KUNIT_CASE_PARAM(shared_fault, level_gen_params),
	KUNIT_CASE(fault_of_wrong_kind),
	KUNIT_CASE(fault_without_slot),
	KUNIT_CASE(prefault),
	KUNIT_CASE_PARAM(refused_fault_is_retried, error_gen_params),
	KUNIT_CASE(fault_meets_frozen),
	KUNIT_CASE(conversion_to_shared),
	KUNIT_CASE(conversion_to_private),
	KUNIT_CASE(hole_in_gmem),
	KUNIT_CASE(removal_is_told_once),
	KUNIT_CASE(notifier_unmaps),
	KUNIT_CASE(notifier_spares_private),
	KUNIT_CASE_PARAM(notifier_unmaps_huge, level_gen_params),
	KUNIT_CASE(slot_is_deleted),
	KUNIT_CASE(slot_moves),
	KUNIT_CASE(writes_are_logged),
	KUNIT_CASE_PARAM(log_splits_and_recovers, huge_level_gen_params),
	KUNIT_CASE(checks_see_a_lost_entry),
	{}
};

static struct kunit_suite live_suite = {
	.name = "tdp_mmu_live",
	.suite_init = bed_suite_init,
	.suite_exit = bed_suite_exit,
	.init = live_init,
	.exit = bed_exit,
	.test_cases = live_cases,
};

kunit_test_suite(live_suite);
