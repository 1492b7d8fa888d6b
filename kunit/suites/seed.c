// SPDX-License-Identifier: GPL-2.0
/*
 * The five changes to the TDP MMU that this project started from, one group of
 * cases each, so that whoever works on one of them sees at once what he owes:
 *
 *  a: FROZEN as a long-term value warns, for both kinds of roots
 *  b: changes of present SPTEs are told to the external table in one place; an
 *     error is returned, and the mirror SPTE is frozen meanwhile
 *  c: one path sets external SPTEs: cmpxchg to FROZEN, external operation, then
 *     the new value or the old one
 *  d: with mmu_lock held for write: leaf to none, table to none, leaf to table are
 *     told; anything else gives the VM up
 *  e: the page for an external table comes with the split, allocated where nothing
 *     that RCU protects is looked at
 *
 * d and e are about huge mirror leafs, and need a kernel that splits them.
 */
#include "ways.h"

static const int levels[] = { PG_LEVEL_4K, PG_LEVEL_2M, PG_LEVEL_1G };

static const int huge_levels[] = { PG_LEVEL_2M, PG_LEVEL_1G };

KUNIT_ARRAY_PARAM(level, levels, level_desc);
KUNIT_ARRAY_PARAM(huge_level, huge_levels, level_desc);

/* A level, and what the external side answers there. */
struct answer {
	int level;
	int err;
};

static const struct answer answers[] = {
	{ PG_LEVEL_4K, 0 }, { PG_LEVEL_4K, -EBUSY }, { PG_LEVEL_4K, -EIO }, { PG_LEVEL_2M, 0 },
	{ PG_LEVEL_2M, -EBUSY }, { PG_LEVEL_2M, -EIO }, { PG_LEVEL_1G, 0 },
	{ PG_LEVEL_1G, -EBUSY }, { PG_LEVEL_1G, -EIO },
};

static const struct answer refusals[] = {
	{ PG_LEVEL_4K, -EBUSY }, { PG_LEVEL_4K, -EIO }, { PG_LEVEL_2M, -EBUSY },
	{ PG_LEVEL_2M, -EIO }, { PG_LEVEL_1G, -EBUSY }, { PG_LEVEL_1G, -EIO },
};

static const struct answer huge_refusals[] = {
	{ PG_LEVEL_2M, -EBUSY }, { PG_LEVEL_2M, -EIO }, { PG_LEVEL_1G, -EBUSY },
	{ PG_LEVEL_1G, -EIO },
};

static void answer_desc(const struct answer *a, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", level_name(a->level), err_name(a->err));
}

KUNIT_ARRAY_PARAM(answer, answers, answer_desc);
KUNIT_ARRAY_PARAM(refusal, refusals, answer_desc);
KUNIT_ARRAY_PARAM(huge_refusal, huge_refusals, answer_desc);

static u64 map_page(struct bed *b, int level)
{
	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	return bed_spte(b, BED_MIRROR, PAGE_GFN, level);
}

static void refuse(struct bed *b, const struct answer *a, u32 times)
{
	b->fail = (struct bed_fail){
		.err = a->err, .level = a->level, .gfn = PAGE_GFN, .gfn_too = true, .times = times,
	};
}

static void expect_page(struct bed *b, int level, u64 spte)
{
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, level), spte, level, BED_MIRROR);
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(PG_LEVEL_1G)));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- b: told in one place --- */

KUNIT_ARRAY_PARAM(way_at, ways_at, way_at_desc);

static void b_change_is_told_while_frozen(struct kunit *test)
{
	const struct way_at *w = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf = map_page(b, w->level);
	u32 from = bed_ops_from(b);
	const struct bed_op *op;

	w->way->change(b, BED_MIRROR, PAGE_GFN, w->level);
	op = told_once(b, from, PAGE_GFN, w->level);
	KUNIT_ASSERT_NOT_NULL(test, op);
	EXPECT_SPTE(b, op->old_spte, leaf, w->level, BED_MIRROR);
	KUNIT_EXPECT_TRUE(test, way_made(w->way, leaf, op->new_spte));
	if (w->way->lock == 'r')
		EXPECT_SPTE(b, op->seen, FROZEN_SPTE, w->level, BED_MIRROR);
	BED_EXPECT_OK(b, bed_in_window(b, op));
}

/* Refused with mmu_lock held for write, a change cannot be returned to anybody. */
static void b_error_exclusive_bugs_vm(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed *b = bed_of(test);

	map_page(b, a->level);
	refuse(b, a, 1);
	b->expect_bugged = true;
	bed_expect_warn(b);
	way_wrprot_gfn(b, BED_MIRROR, PAGE_GFN, a->level);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
}

/*
 * The one change that is told to nobody: kvm_tdp_mmu_clear_dirty_pt_masked() walks
 * mirror roots, too, and writes bits away past handle_changed_spte(). KVM gives
 * private memory no dirty log, so nobody gets there (Documentation/findings.rst).
 */
static void b_clear_dirty_pt_masked_is_not_told(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 leaf = map_page(b, PG_LEVEL_4K);
	u32 from = bed_ops_from(b);

	write_lock(&b->kvm->mmu_lock);
	kvm_tdp_mmu_clear_dirty_pt_masked(b->kvm, b->slot, PAGE_GFN, 1, true);
	write_unlock(&b->kvm->mmu_lock);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K), leaf & ~PT_WRITABLE_MASK,
		    PG_LEVEL_4K, BED_MIRROR);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
}

/* --- c: cmpxchg to FROZEN, external operation, new or old value --- */

static void c_new_leaf_is_set_or_not(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = PAGE_GFN, .level = a->level };
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u32 from;

	map_beside(b, BED_MIRROR, a->level);
	from = bed_ops_from(b);
	refuse(b, a, 1);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), a->err ? RET_PF_RETRY : RET_PF_FIXED);
	op = told_once(b, from, PAGE_GFN, a->level);
	KUNIT_ASSERT_NOT_NULL(test, op);
	EXPECT_SPTE(b, op->seen, FROZEN_SPTE, a->level, BED_MIRROR);
	expect_page(b, a->level, a->err ? op->old_spte : op->new_spte);
}

static void c_leaf_is_changed_or_not(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf = map_page(b, a->level);
	u32 i, from = bed_ops_from(b);

	refuse(b, a, 1);
	way_wrprot(b, BED_MIRROR, PAGE_GFN, a->level);
	/* refused, KVM finds the old value and asks once more */
	KUNIT_ASSERT_EQ(test, bed_ops_from(b) - from, a->err ? 2 : 1);
	for (i = from; i < bed_ops_from(b); i++) {
		EXPECT_SPTE(b, b->op[i].seen, FROZEN_SPTE, a->level, BED_MIRROR);
		EXPECT_SPTE(b, b->op[i].old_spte, leaf, a->level, BED_MIRROR);
	}
	expect_page(b, a->level, leaf & ~PT_WRITABLE_MASK);
}

/**
 * struct moment - what an entry reads while it is being changed
 * @at: where the thread that changes it stands
 * @frozen: FROZEN; else the old value
 * @told: the external operation has been called
 * @err: what it will be answered
 */
struct moment {
	enum bed_point at;
	bool frozen;
	bool told;
	int err;
};

static const struct moment moments[] = {
	{ BED_BEFORE_FREEZE, false, false, 0 }, { BED_AFTER_FREEZE, true, false, 0 },
	{ BED_IN_EXTERNAL, true, true, 0 }, { BED_AFTER_EXTERNAL, true, true, 0 },
	{ BED_BEFORE_UNFREEZE, true, true, 0 }, { BED_BEFORE_FREEZE, false, false, -EBUSY },
	{ BED_AFTER_FREEZE, true, false, -EBUSY }, { BED_IN_EXTERNAL, true, true, -EBUSY },
	{ BED_AFTER_EXTERNAL, true, true, -EBUSY }, { BED_BEFORE_UNFREEZE, true, true, -EBUSY },
	{ BED_BEFORE_FREEZE, false, false, -EIO }, { BED_AFTER_FREEZE, true, false, -EIO },
	{ BED_IN_EXTERNAL, true, true, -EIO }, { BED_AFTER_EXTERNAL, true, true, -EIO },
	{ BED_BEFORE_UNFREEZE, true, true, -EIO },
};

static void moment_desc(const struct moment *m, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", bed_point_name(m->at), err_name(m->err));
}

KUNIT_ARRAY_PARAM(moment, moments, moment_desc);

/* What the second thread sees. */
struct glance {
	u64 spte;
	u32 ops;
};

static long do_fault(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

static long do_look(struct bed *b, void *arg)
{
	struct glance *g = arg;

	g->spte = bed_spte(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_2M);
	g->ops = bed_ops_from(b);
	return 0;
}

static void c_step_by_step(struct kunit *test)
{
	const struct moment *m = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', m->at, PG_LEVEL_2M),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = PAGE_GFN, .level = PG_LEVEL_2M };
	struct glance g = { };
	struct bed_actor actor[] = {
		{ .fn = do_fault, .arg = &f }, { .fn = do_look, .arg = &g },
	};
	const struct answer a = { PG_LEVEL_2M, m->err };
	struct bed *b = bed_of(test);
	u32 from;

	map_beside(b, BED_MIRROR, PG_LEVEL_2M);
	from = bed_ops_from(b);
	refuse(b, &a, 1);
	if (!bed_follow(b, steps, actor, ARRAY_SIZE(actor)))
		return;
	KUNIT_EXPECT_EQ(test, actor[0].ret, m->err ? RET_PF_RETRY : RET_PF_FIXED);
	EXPECT_SPTE(b, g.spte, m->frozen ? FROZEN_SPTE : SHADOW_NONPRESENT_VALUE, PG_LEVEL_2M,
		    BED_MIRROR);
	KUNIT_EXPECT_EQ(test, g.ops, from + m->told);
	expect_page(b, PG_LEVEL_2M, m->err ? SHADOW_NONPRESENT_VALUE : b->op[from].new_spte);
}

/* --- d: mmu_lock held for write, on a kernel that splits mirror leafs --- */

static void split_now(struct bed *b, int level)
{
	bed_split(b, BED_MIRROR, PAGE_GFN, PAGE_GFN + gfns_of(level), level - 1, false);
}

/* The only operation since @from, told with mmu_lock held for write. */
static const struct bed_op *only_op(struct bed *b, u32 from, int level)
{
	const struct bed_op *op = told_once(b, from, PAGE_GFN, level);

	KUNIT_ASSERT_NOT_NULL(b->test, op);
	KUNIT_EXPECT_EQ(b->test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	if (op->lock != '?')
		KUNIT_EXPECT_EQ(b->test, op->lock, 'w');
	return op;
}

static void d_leaf_to_none(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u64 leaf;
	u32 from;

	bed_needs_mirror_split(b);
	leaf = map_page(b, level);
	from = bed_ops_from(b);
	way_zap_leafs(b, BED_MIRROR, PAGE_GFN, level);
	op = only_op(b, from, level);
	EXPECT_SPTE(b, op->old_spte, leaf, level, BED_MIRROR);
	EXPECT_SPTE(b, op->new_spte, SHADOW_NONPRESENT_VALUE, level, BED_MIRROR);
	expect_page(b, level, SHADOW_NONPRESENT_VALUE);
}

/* A table that a split has made goes with all its leafs, its page last. */
static void d_table_to_none(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	u64 pages;
	u32 from;

	bed_needs_mirror_split(b);
	pages = bed_external_pages(b);
	map_page(b, level);
	split_now(b, level);
	from = bed_ops_from(b);
	zap_roots(b, BED_MIRROR, false);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), SPTE_ENT_PER_PAGE);
	KUNIT_EXPECT_GE(test, bed_find_op(b, from, true, PAGE_GFN, level - 1), 0);
	BED_EXPECT_OK(b, bed_in_order(b, from, bed_ops_from(b)));
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages);
	BED_EXPECT_OK(b, bed_books(b));
}

static void d_leaf_to_table(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u64 leaf;
	u32 from;

	bed_needs_mirror_split(b);
	leaf = map_page(b, level);
	from = bed_ops_from(b);
	split_now(b, level);
	op = only_op(b, from, level);
	EXPECT_SPTE(b, op->old_spte, leaf, level, BED_MIRROR);
	KUNIT_EXPECT_FALSE(test, is_last_spte(op->new_spte, level));
	expect_page(b, level, op->new_spte);
	BED_EXPECT_OK(b, bed_children_of(b, BED_MIRROR, PAGE_GFN, level, leaf));
}

/* Nobody has a use for other changes of private memory: the external side says no. */
static void d_anything_else_bugs_vm(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);

	bed_needs_mirror_split(b);
	b->strict = true;
	map_page(b, level);
	b->expect_bugged = true;
	bed_expect_warn(b);
	way_wrprot_gfn(b, BED_MIRROR, PAGE_GFN, level);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
}

static void d_refused_split_leaves_leaf(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf;
	u32 from;

	bed_needs_mirror_split(b);
	leaf = map_page(b, a->level);
	from = bed_ops_from(b);
	refuse(b, a, 1);
	split_now(b, a->level);
	KUNIT_EXPECT_EQ(test, only_op(b, from, a->level)->ret, a->err);
	KUNIT_EXPECT_FALSE(test, b->kvm->vm_bugged);
	expect_page(b, a->level, leaf);

	/* and the next time it is split */
	split_now(b, a->level);
	BED_EXPECT_OK(b, bed_children_of(b, BED_MIRROR, PAGE_GFN, a->level, leaf));
}

/* --- e: the page for the external table --- */

static void e_page_comes_with_table(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u32 from;

	bed_needs_mirror_split(b);
	b->strict = true;	/* nobody else brings one */
	map_page(b, level);
	from = bed_ops_from(b);
	split_now(b, level);
	op = only_op(b, from, level);
	KUNIT_EXPECT_EQ(test, op->ret, 0);
	KUNIT_EXPECT_NOT_NULL(test, op->external_spt);
	KUNIT_EXPECT_PTR_NE(test, op->external_spt, op->spt);
	KUNIT_EXPECT_PTR_EQ(test, spte_to_child_sp(op->new_spte)->external_spt,
			    op->external_spt);
}

/*
 * Each split drops mmu_lock and RCU for its allocation, and nothing that RCU
 * protects may be looked at in between: lockdep says so in the kernel's log, which
 * fails the case; so does an allocation that could sleep with mmu_lock held.
 */
static void e_allocated_outside_of_locks(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	u32 from;

	bed_needs_mirror_split(b);
	bed_needs_lockdep(b);
	map_page(b, level);
	from = bed_ops_from(b);
	split_now(b, level);
	KUNIT_EXPECT_EQ(test, only_op(b, from, level)->rcu, 1);
}

static long do_split(struct bed *b, void *arg)
{
	split_now(b, *(const int *)arg);
	return 0;
}

/* One more reference on the page that comes with the split, so that it is not reused. */
static long do_hold_page(struct bed *b, void *arg)
{
	void **page = arg;

	*page = b->op[bed_ops_from(b) - 1].external_spt;
	if (*page)
		get_page(virt_to_page(*page));
	return 0;
}

static void e_refused_page_is_given_back(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_IN_EXTERNAL),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	const struct answer *a = test->param_value;
	int level = a->level;
	void *page = NULL;
	struct bed_actor actor[] = {
		{ .fn = do_split, .arg = &level }, { .fn = do_hold_page, .arg = &page },
	};
	struct bed *b = bed_of(test);
	u64 pages;

	bed_needs_mirror_split(b);
	b->strict = true;
	map_page(b, level);
	pages = bed_external_pages(b);
	refuse(b, a, 1);
	bed_follow(b, steps, actor, ARRAY_SIZE(actor));
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, page_count(virt_to_page(page)), 1);
	put_page(virt_to_page(page));
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages);
	BED_EXPECT_OK(b, bed_books(b));

	split_now(b, level);
	/* the leaf's pages are the children's; the table's is new */
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages + 1);
}

/* --- where static functions are in reach --- */

#ifdef CONFIG_UML

/* --- a: FROZEN as a long-term value --- */

struct keeper {
	enum bed_kind kind;
	bool shared;
};

static const struct keeper keepers[] = {
	{ BED_MIRROR, true }, { BED_MIRROR, false }, { BED_DIRECT, true }, { BED_DIRECT, false },
};

static void keeper_desc(const struct keeper *k, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", kind_name(k->kind),
		 k->shared ? "shared" : "exclusive");
}

KUNIT_ARRAY_PARAM(keeper, keepers, keeper_desc);

static void a_long_term_frozen_warns(struct kunit *test)
{
	const struct keeper *k = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;

	if (k->shared && !IS_ENABLED(CONFIG_KVM_PROVE_MMU))
		kunit_skip(test, "KVM checks this only with CONFIG_KVM_PROVE_MMU");
	map_beside(b, k->kind, PG_LEVEL_2M);
	bed_expect_warn(b);
	mmu_lock(b, k->shared);
	walk_to(b, k->kind, PG_LEVEL_2M, &iter);
	if (k->shared)
		KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, FROZEN_SPTE), 0);
	else
		um_tdp_mmu_iter_set_spte(b->kvm, &iter, FROZEN_SPTE);
	mmu_unlock(b, k->shared);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	WRITE_ONCE(*iter.sptep, SHADOW_NONPRESENT_VALUE);
}

/* The one place returns what the external side has said, and counts nothing then. */
static void b_error_is_returned(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;
	u64 leaf = map_page(b, a->level);
	int ret;

	refuse(b, a, 1);
	mmu_lock(b, true);
	walk_to(b, BED_MIRROR, a->level, &iter);
	WRITE_ONCE(*iter.sptep, FROZEN_SPTE);
	ret = um___handle_changed_spte(b->kvm, sptep_to_sp(iter.sptep), PAGE_GFN, leaf,
				       SHADOW_NONPRESENT_VALUE, a->level, true);
	WRITE_ONCE(*iter.sptep, leaf);
	mmu_unlock(b, true);
	KUNIT_EXPECT_EQ(test, ret, a->err);
	expect_page(b, a->level, leaf);
}

static void c_leaf_is_removed_or_not(struct kunit *test)
{
	const struct answer *a = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf = map_page(b, a->level);
	u32 from = bed_ops_from(b);
	struct tdp_iter iter;

	refuse(b, a, 1);
	mmu_lock(b, true);
	walk_to(b, BED_MIRROR, a->level, &iter);
	KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, SHADOW_NONPRESENT_VALUE),
			a->err);
	mmu_unlock(b, true);
	KUNIT_ASSERT_EQ(test, bed_ops_from(b), from + 1);
	EXPECT_SPTE(b, b->op[from].seen, FROZEN_SPTE, a->level, BED_MIRROR);
	expect_page(b, a->level, a->err ? leaf : SHADOW_NONPRESENT_VALUE);
}

/* Who loses the cmpxchg has nothing to tell. */
static void c_lost_cmpxchg_is_not_told(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	u64 leaf = map_page(b, level);
	u32 from = bed_ops_from(b);
	struct tdp_iter iter;

	mmu_lock(b, true);
	walk_to(b, BED_MIRROR, level, &iter);
	iter.old_spte = SHADOW_NONPRESENT_VALUE;
	KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, leaf), -EBUSY);
	mmu_unlock(b, true);
	EXPECT_SPTE(b, iter.old_spte, leaf, level, BED_MIRROR);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
	expect_page(b, level, leaf);
}
#endif

static struct kunit_case seed_cases[] = {
#ifdef CONFIG_UML
	KUNIT_CASE_PARAM(a_long_term_frozen_warns, keeper_gen_params),
	KUNIT_CASE_PARAM(b_error_is_returned, refusal_gen_params),
	KUNIT_CASE_PARAM(c_leaf_is_removed_or_not, answer_gen_params),
	KUNIT_CASE_PARAM(c_lost_cmpxchg_is_not_told, level_gen_params),
#endif
	KUNIT_CASE_PARAM(b_change_is_told_while_frozen, way_at_gen_params),
	KUNIT_CASE_PARAM(b_error_exclusive_bugs_vm, refusal_gen_params),
	KUNIT_CASE(b_clear_dirty_pt_masked_is_not_told),
	KUNIT_CASE_PARAM(c_new_leaf_is_set_or_not, answer_gen_params),
	KUNIT_CASE_PARAM(c_leaf_is_changed_or_not, answer_gen_params),
	KUNIT_CASE_PARAM(c_step_by_step, moment_gen_params),
	/* lockdep says a thing once: this one before all others that split */
	KUNIT_CASE_PARAM(e_allocated_outside_of_locks, huge_level_gen_params),
	KUNIT_CASE_PARAM(d_leaf_to_none, level_gen_params),
	KUNIT_CASE_PARAM(d_table_to_none, huge_level_gen_params),
	KUNIT_CASE_PARAM(d_leaf_to_table, huge_level_gen_params),
	KUNIT_CASE_PARAM(d_anything_else_bugs_vm, level_gen_params),
	KUNIT_CASE_PARAM(d_refused_split_leaves_leaf, huge_refusal_gen_params),
	KUNIT_CASE_PARAM(e_page_comes_with_table, huge_level_gen_params),
	KUNIT_CASE_PARAM(e_refused_page_is_given_back, huge_refusal_gen_params),
	{}
};

BED_SUITE(tdp_mmu_seed, seed_cases);

MODULE_DESCRIPTION("The changes to the TDP MMU that tdp_stress started from");
MODULE_LICENSE("GPL");
