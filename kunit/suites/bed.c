// SPDX-License-Identifier: GPL-2.0
/*
 * The test bed tests itself: each check lets a sound state pass, and catches the state
 * that a broken KVM would leave, made here by hand; and a script that cannot be followed
 * is reported, not waited for.
 */
#include "../bed/bed.h"
#include "../bed/sched.h"

#define GFN	BED_2M(0)
#define FAR	BED_2M(1)

static u64 *entry(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep = bed_sptep(b, b->root[kind], gfn, level);

	KUNIT_ASSERT_NOT_NULL(b->test, sptep);
	return sptep;
}

/* The double of an entry: another value while a check looks at it, then its own again. */
#define WITH_SPTE(sptep, value)						\
	for (u64 *__p = (sptep), __own = xchg(__p, value); __p;		\
	     xchg(__p, __own), __p = NULL)

/* The operation that mapped @gfn. */
static struct bed_op *op_of(struct bed *b, gfn_t gfn, int level)
{
	int i = bed_find_op(b, 0, false, gfn, level);

	KUNIT_ASSERT_GE(b->test, i, 0);
	return &b->op[i];
}

/* --- F1, Z1, A1: walks --- */

static void no_frozen(struct kunit *test)
{
	struct bed *b = bed_of(test);
	int kind;

	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++) {
		bed_map(b, kind, GFN, PG_LEVEL_4K);
		BED_EXPECT_OK(b, bed_no_frozen(b, b->root[kind]));
		WITH_SPTE(entry(b, kind, GFN, PG_LEVEL_4K), FROZEN_SPTE)
			BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[kind]));
		WITH_SPTE(entry(b, kind, GFN, PG_LEVEL_1G), FROZEN_SPTE)
			BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[kind]));
	}
}

static void nothing_left(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[BED_DIRECT];

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, FAR, PG_LEVEL_2M);
	BED_EXPECT_CAUGHT(b, bed_nothing_left(b, root, GFN, GFN + 1));
	BED_EXPECT_CAUGHT(b, bed_nothing_left(b, root, FAR + 511, FAR + 512));
	BED_EXPECT_OK(b, bed_nothing_left(b, root, GFN + 1, FAR));
	bed_zap_leafs(b, GFN, BED_2M(2));
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
}

static void books(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, BED_1G(1), PG_LEVEL_1G);
	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_2M);
	BED_EXPECT_OK(b, bed_books(b));
	WITH_SPTE(entry(b, BED_DIRECT, GFN, PG_LEVEL_4K), SHADOW_NONPRESENT_VALUE)
		BED_EXPECT_CAUGHT(b, bed_books(b));
	WITH_SPTE(entry(b, BED_DIRECT, GFN, PG_LEVEL_2M), SHADOW_NONPRESENT_VALUE)
		BED_EXPECT_CAUGHT(b, bed_books(b));
	atomic64_inc(&b->kvm->stat.pages[1]);
	BED_EXPECT_CAUGHT(b, bed_books(b));
	atomic64_dec(&b->kvm->stat.pages[1]);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- F2, X4: one operation --- */

static void in_window(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_op op;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	op = *op_of(b, GFN, PG_LEVEL_4K);
	BED_EXPECT_OK(b, bed_in_window(b, &op));
	op.lock = 'r';
	BED_EXPECT_OK(b, bed_in_window(b, &op));
	/* not frozen at all; by somebody else's doing not any more */
	op.seen = op.old_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
	op.seen = FROZEN_SPTE;
	op.seen_end = op.new_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
	/* with mmu_lock held for write the new value is there already */
	op.lock = 'w';
	op.seen = op.new_spte;
	BED_EXPECT_OK(b, bed_in_window(b, &op));
	op.seen = op.old_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
}

static void free_in_window(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_op op, *link;
	int i;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	link = op_of(b, GFN, PG_LEVEL_2M);
	bed_invalidate(b, KVM_MIRROR_ROOTS);
	bed_zap_invalidated(b, false);
	bed_reload(b);
	i = bed_find_op(b, 0, true, GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_GE(test, i, 0);
	op = b->op[i];
	BED_EXPECT_OK(b, bed_in_window(b, &op));
	op.seen = link->new_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
}

static void lock_contract(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_op op, *zap;
	u32 from;

	bed_needs_lockdep(b);
	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	op = *op_of(b, GFN, PG_LEVEL_4K);
	BED_EXPECT_OK(b, bed_lock_contract(b, &op));
	op.lock = 'w';
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));
	op.lock = '-';
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));
	op.lock = 'r';
	op.rcu = 0;
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));

	from = bed_ops_from(b);
	bed_zap_leafs(b, GFN, GFN + 1);
	KUNIT_ASSERT_EQ(test, bed_ops_from(b), from + 1);
	zap = &b->op[from];
	BED_EXPECT_OK(b, bed_lock_contract(b, zap));
	zap->lock = 'r';
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, zap));
}

/* --- X1: mirror and external --- */

static void agree(struct kunit *test)
{
	struct bed *b = bed_of(test);
	gfn_t end = BED_GFN + BED_PAGES;
	u64 *leaf, *huge;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	leaf = entry(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	huge = entry(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, end));
	/* another page; a leaf that is only external; one that is only in the mirror */
	WITH_SPTE(leaf, *leaf + PAGE_SIZE)
		BED_EXPECT_CAUGHT(b, bed_agree(b, BED_GFN, end));
	WITH_SPTE(huge, SHADOW_NONPRESENT_VALUE)
		BED_EXPECT_CAUGHT(b, bed_agree(b, BED_GFN, end));
	WITH_SPTE(leaf + 1, *leaf + PAGE_SIZE)
		BED_EXPECT_CAUGHT(b, bed_agree(b, BED_GFN, end));
	/* nobody knows what becomes of a frozen one */
	WITH_SPTE(huge, FROZEN_SPTE)
		BED_EXPECT_OK(b, bed_agree(b, BED_GFN, end));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, end));
}

static void external(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_external e;
	u64 before = bed_external_pages(b);

	KUNIT_EXPECT_EQ(test, before, 0);
	KUNIT_EXPECT_FALSE(test, bed_external(b, GFN, PG_LEVEL_4K, &e));
	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	/* three tables, one leaf */
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), 4);
	KUNIT_ASSERT_TRUE(test, bed_external(b, GFN, PG_LEVEL_4K, &e));
	KUNIT_EXPECT_TRUE(test, e.present && e.leaf && !e.blocked);
	KUNIT_EXPECT_EQ(test, e.pfn, bed_pfn(b, GFN));
	KUNIT_ASSERT_TRUE(test, bed_external(b, GFN, PG_LEVEL_2M, &e));
	KUNIT_EXPECT_TRUE(test, e.present && !e.leaf);
	KUNIT_ASSERT_TRUE(test, bed_external(b, GFN + 1, PG_LEVEL_4K, &e));
	KUNIT_EXPECT_FALSE(test, e.present);
}

/* --- X2: order --- */

/* Two operations change places. */
static void swap_ops(struct bed *b, u32 i, u32 k)
{
	swap(b->op[i], b->op[k]);
	b->op[i].serial = i;
	b->op[k].serial = k;
	b->op[i].nr_then = i + 1;
	b->op[k].nr_then = k + 1;
}

static void in_order(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 link, end;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	link = op_of(b, GFN, PG_LEVEL_2M) - b->op;
	bed_invalidate(b, KVM_MIRROR_ROOTS);
	bed_zap_invalidated(b, false);
	bed_reload(b);
	end = bed_ops_from(b);
	BED_EXPECT_OK(b, bed_in_order(b, 0, end));

	/* the child before its parent; while its parent is being linked */
	swap_ops(b, link, link + 1);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, 0, end));
	swap_ops(b, link, link + 1);
	b->op[link].nr_then = link + 2;
	BED_EXPECT_CAUGHT(b, bed_in_order(b, 0, end));
	b->op[link].nr_then = link + 1;
	BED_EXPECT_OK(b, bed_in_order(b, 0, end));
	BED_EXPECT_OK(b, bed_in_order(b, link + 2, end));
}

static void freed_in_order(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 end;
	int at;

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	bed_invalidate(b, KVM_MIRROR_ROOTS);
	bed_zap_invalidated(b, false);
	bed_reload(b);
	end = bed_ops_from(b);
	BED_EXPECT_OK(b, bed_in_order(b, 0, end));
	at = bed_find_op(b, 0, true, GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_GT(test, at, 0);
	/* the table before its leaf; a table twice */
	swap_ops(b, at - 1, at);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, 0, end));
	swap_ops(b, at - 1, at);
	b->op[end] = b->op[at];
	atomic_inc(&b->nr_ops);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, 0, end + 1));
	atomic_dec(&b->nr_ops);
	BED_EXPECT_OK(b, bed_in_order(b, 0, end));
}

/* --- S1: split --- */

static void children_of(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 huge, *child;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	huge = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	BED_EXPECT_CAUGHT(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	bed_split(b, BED_DIRECT, GFN, FAR, PG_LEVEL_4K, true);
	BED_EXPECT_OK(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	child = entry(b, BED_DIRECT, GFN + 511, PG_LEVEL_4K);
	/* off by a page, a permission more, not there */
	WITH_SPTE(child, *child - PAGE_SIZE)
		BED_EXPECT_CAUGHT(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	WITH_SPTE(child, *child ^ PT_WRITABLE_MASK)
		BED_EXPECT_CAUGHT(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
	WITH_SPTE(child, SHADOW_NONPRESENT_VALUE)
		BED_EXPECT_CAUGHT(b, bed_children_of(b, BED_DIRECT, GFN, PG_LEVEL_2M, huge));
}

/* --- external operations that fail --- */

static void fails_as_told(struct kunit *test)
{
	struct bed *b = bed_of(test);
	const struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_op *op;

	b->fail = (struct bed_fail) { .err = -EBUSY, .skip = 1, .times = 2 };
	/* the first table is linked, the second and once more the second are not */
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, 0, bed_ops_from(b)), 6);
	op = &b->op[1];
	KUNIT_EXPECT_EQ(test, op->ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, op->level, PG_LEVEL_1G);

	b->fail = (struct bed_fail) { .err = -EIO, .gfn = GFN + 2, .gfn_too = true };
	bed_map(b, BED_MIRROR, GFN + 1, PG_LEVEL_4K);
	b->fail.level = PG_LEVEL_2M;
	bed_map(b, BED_MIRROR, GFN + 2, PG_LEVEL_4K);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_in_order(b, 0, bed_ops_from(b)));
}

/* --- what is left at the end --- */

static void nothing_left_behind(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	bed_map(b, BED_DIRECT, BED_1G(1), PG_LEVEL_1G);
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	BED_EXPECT_OK(b, bed_take_down(b));
}

static void counted_behind(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	atomic64_inc(&b->kvm->stat.pages[0]);
	BED_EXPECT_CAUGHT(b, bed_take_down(b));
}

static void frozen_behind(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	WRITE_ONCE(*entry(b, BED_DIRECT, GFN + 1, PG_LEVEL_4K), FROZEN_SPTE);
	BED_EXPECT_CAUGHT(b, bed_take_down(b));
}

/* KVM has forgotten a mirror leaf: its page stays with the TDX module. */
static void page_behind(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_MIRROR, GFN, PG_LEVEL_4K);
	WRITE_ONCE(*entry(b, BED_MIRROR, GFN, PG_LEVEL_4K), SHADOW_NONPRESENT_VALUE);
	atomic64_dec(&b->kvm->stat.pages[0]);
	BED_EXPECT_CAUGHT(b, bed_take_down(b));
}

/* --- words --- */

static void words(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte;

	bed_map(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	spte = bed_spte(b, BED_MIRROR, FAR, PG_LEVEL_2M);
	KUNIT_EXPECT_TRUE(test, str_has_prefix(bed_str(b, spte, PG_LEVEL_2M, BED_MIRROR),
					       "leaf 2M pfn 0x"));
	KUNIT_EXPECT_NOT_NULL(test, strstr(bed_str(b, spte, PG_LEVEL_2M, BED_MIRROR), " W "));
	KUNIT_EXPECT_NOT_NULL(test, strstr(bed_str(b, spte, PG_LEVEL_2M, BED_MIRROR), " mirror"));
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M);
	KUNIT_EXPECT_TRUE(test, str_has_prefix(bed_str(b, spte, PG_LEVEL_2M, BED_DIRECT),
					       "table pfn 0x"));
	KUNIT_EXPECT_STREQ(test, bed_str(b, FROZEN_SPTE, PG_LEVEL_4K, BED_MIRROR), "FROZEN");
	KUNIT_EXPECT_STREQ(test, bed_str(b, SHADOW_NONPRESENT_VALUE, PG_LEVEL_4K, BED_DIRECT),
			   "none");
}

/* --- the kernel's complaints --- */

static void warning_expected(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_expect_warn(b);
	WARN(1, "tdp_stress: a warning that a test of the test bed wants\n");
	WARN(1, "tdp_stress: another one\n");
	KUNIT_EXPECT_EQ(test, bed_warns(b), 2);
	bed_expect_warn(b);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 0);
}

/*
 * A line as a WARN() begins with, which this case does not expect, but whoever reads the
 * log afterwards does, by the lines around it.
 */
#define PLANTED	"WARNING: bed.c:1 at a line that is planted"

static void splat_caught(struct kunit *test)
{
	struct bed *b = bed_of(test);
	const char *text;

	KUNIT_EXPECT_NULL(test, bed_splat(b));
	kunit_info(test, "expected warnings: begin");
	pr_warn(PLANTED "\n");
	kunit_info(test, "expected warnings: end");
	text = bed_splat(b);
	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_EXPECT_STREQ(test, text, PLANTED);
	KUNIT_EXPECT_NULL(test, bed_splat(b));
	pr_info("what is said about a WARNING: is none\n");
	KUNIT_EXPECT_NULL(test, bed_splat(b));
}

/* --- scripts --- */

static long do_fault(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

static long do_nothing(struct bed *b, void *arg)
{
	return 0;
}

/* Holds mmu_lock, and stops there. */
static long do_hold(struct bed *b, void *arg)
{
	bed_write_lock(b);
	bed_point(BED_AFTER_WRITE, GFN, PG_LEVEL_4K);
	bed_write_unlock(b);
	return 0;
}

static void script_followed(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_EXTERNAL, PG_LEVEL_2M),
		{ .thread = 'B', .to = BED_IN_EXTERNAL, .level = PG_LEVEL_4K, .gfn = FAR,
		  .gfn_too = true },
		{ .thread = 'A', .to = BED_AFTER_EXTERNAL, .nth = 2 },
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault near = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_fault far = { .kind = BED_MIRROR, .gfn = FAR, .vcpu = 1 };
	struct bed_actor actors[] = { { do_fault, &near }, { do_fault, &far } };

	/* so that B has no table to link, and is not told of by A's */
	bed_map(b, BED_MIRROR, FAR + 1, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
	/* A's table was there first, B's leaf before A's */
	KUNIT_EXPECT_LT(test, bed_find_op(b, 0, false, GFN, PG_LEVEL_2M),
			bed_find_op(b, 0, false, FAR, PG_LEVEL_4K));
	KUNIT_EXPECT_LT(test, bed_find_op(b, 0, false, FAR, PG_LEVEL_4K),
			bed_find_op(b, 0, false, GFN, PG_LEVEL_4K));
}

static void blocked_on_lock(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_AFTER_WRITE),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN, .vcpu = 1 };
	struct bed_actor actors[] = { { do_hold }, { do_fault, &f } };

	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
}

/* Each of these is reported, with the step and the places, and everybody comes back. */
static void expect_stuck(struct bed *b, const struct bed_step *steps, struct bed_actor *actors,
			 int nr, const char *what)
{
	const char *wrong = bed_play(b, steps, actors, nr);

	KUNIT_ASSERT_NOT_NULL(b->test, wrong);
	KUNIT_EXPECT_NOT_NULL_MSG(b->test, strstr(wrong, what), "%s", wrong);
	kunit_info(b->test, "as it should be: %s", wrong);
}

static void stuck_point_passed_by(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_IN_EXTERNAL),
		BED_RUN_AT('A', BED_IN_FREE, PG_LEVEL_4K),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_fault, &f } };

	expect_stuck(b, steps, actors, 1,
		     "step 2 of 2 (A to in_free, level 4K): its function returned");
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
}

static void stuck_not_blocked(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_AFTER_WRITE),
		BED_BLOCKS('B'),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_hold }, { do_nothing } };

	expect_stuck(b, steps, actors, 2, "it was to wait for another, and has returned");
}

/* A has mmu_lock, so B cannot get anywhere; after a while that is said. */
static void stuck_on_lock(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_AFTER_WRITE),
		BED_RUN('B', BED_IN_EXTERNAL),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = GFN };
	struct bed_actor actors[] = { { do_hold }, { do_fault, &f } };

	/* B has to get there on a busy machine, too */
	bed_patience(3000);
	expect_stuck(b, steps, actors, 2, "B runs at start, wants mmu_lock for read");
	KUNIT_EXPECT_EQ(test, actors[1].ret, RET_PF_FIXED);
}

#ifdef CONFIG_UML
/*
 * A case may freeze an SPTE by a static function, and unfreeze it by hand. That is no
 * window of KVM's: what the thread does next is told as if it had not been.
 */
static long do_freeze_and_zap(struct bed *b, void *arg)
{
	struct tdp_iter iter;
	int ret = -ENOENT;

	bed_expect_warn(b);
	bed_read_lock(b);
	rcu_read_lock();
	for_each_tdp_pte(iter, b->kvm, b->root[BED_DIRECT], GFN, GFN + 1) {
		if (iter.level != PG_LEVEL_4K)
			continue;
		ret = um_tdp_mmu_set_spte_atomic(b->kvm, &iter, FROZEN_SPTE);
		WRITE_ONCE(*(__force u64 *)iter.sptep, SHADOW_NONPRESENT_VALUE);
	}
	rcu_read_unlock();
	bed_read_unlock(b);
	bed_warns(b);
	bed_zap_leafs(b, GFN, GFN + BED_PAGES);
	return ret;
}

static void frozen_by_hand(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_AFTER_FREEZE, PG_LEVEL_4K),
		{ .thread = 'A', .to = BED_AFTER_WRITE, .level = PG_LEVEL_4K, .gfn = GFN + 1,
		  .gfn_too = true },
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_freeze_and_zap } };

	bed_map(b, BED_DIRECT, GFN + 1, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, 0);
}
#endif

static struct kunit_case bed_cases[] = {
	KUNIT_CASE(no_frozen),
	KUNIT_CASE(nothing_left),
	KUNIT_CASE(books),
	KUNIT_CASE(in_window),
	KUNIT_CASE(free_in_window),
	KUNIT_CASE(lock_contract),
	KUNIT_CASE(agree),
	KUNIT_CASE(external),
	KUNIT_CASE(in_order),
	KUNIT_CASE(freed_in_order),
	KUNIT_CASE(children_of),
	KUNIT_CASE(fails_as_told),
	KUNIT_CASE(nothing_left_behind),
	KUNIT_CASE(counted_behind),
	KUNIT_CASE(frozen_behind),
	KUNIT_CASE(page_behind),
	KUNIT_CASE(words),
	KUNIT_CASE(warning_expected),
	KUNIT_CASE(splat_caught),
	KUNIT_CASE(script_followed),
	KUNIT_CASE(blocked_on_lock),
#ifdef CONFIG_UML
	KUNIT_CASE(frozen_by_hand),
#endif
	KUNIT_CASE(stuck_point_passed_by),
	KUNIT_CASE(stuck_not_blocked),
	KUNIT_CASE(stuck_on_lock),
	{}
};

BED_SUITE(tdp_stress_bed, bed_cases);

MODULE_DESCRIPTION("The test bed's own tests");
MODULE_LICENSE("GPL");
