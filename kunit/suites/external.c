// SPDX-License-Identifier: GPL-2.0
/*
 * What the external page table is told: in which order, with which arguments, in
 * which context; once for each change of a mirror root, never for a direct one.
 * And that no external page is lost, wherever a change fails.
 */
#include "ways.h"

static const int levels[] = { PG_LEVEL_4K, PG_LEVEL_2M, PG_LEVEL_1G };

KUNIT_ARRAY_PARAM(level, levels, level_desc);

KUNIT_ARRAY_PARAM(way_at, ways_at, way_at_desc);
KUNIT_ARRAY_PARAM_DESC(way, ways, name);

/* Operations that were not refused. */
static u64 granted(struct bed *b, u32 from)
{
	u32 i, end = bed_ops_from(b);
	u64 n = 0;

	for (i = from; i < end; i++)
		n += !b->op[i].free && !b->op[i].ret;
	return n;
}

/* --- order --- */

static void parent_before_child(struct kunit *test)
{
	int wanted = level_of(test), level;
	struct bed *b = bed_of(test);
	u32 i, from = bed_ops_from(b);

	level = b->root[BED_MIRROR]->role.level;
	bed_map(b, BED_MIRROR, PAGE_GFN, wanted);
	KUNIT_ASSERT_EQ(test, bed_ops_from(b) - from, level - wanted + 1);
	for (i = from; i < bed_ops_from(b); i++, level--) {
		KUNIT_EXPECT_EQ(test, b->op[i].level, level);
		KUNIT_EXPECT_EQ(test, is_last_spte(b->op[i].new_spte, level), level == wanted);
	}
	BED_EXPECT_OK(b, bed_in_order(b, from, bed_ops_from(b)));
}

/* Three levels of tables, with leafs of each size and holes. */
static void map_thicket(struct bed *b)
{
	bed_map(b, BED_MIRROR, BED_1G(0), PG_LEVEL_1G);
	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, PAGE_GFN + 511, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, PAGE_GFN + 512, PG_LEVEL_2M);
	bed_map(b, BED_MIRROR, PAGE_GFN + 5 * 512, PG_LEVEL_4K);
	bed_map(b, BED_MIRROR, BED_1G(2) - 1, PG_LEVEL_4K);
}

/**
 * struct felling - a table with what is below it goes
 * @name: short
 * @level: of the table
 * @how: which way; @level is by the way's nature for the root's
 * @sets: leafs below it
 * @frees: tables, itself included
 */
struct felling {
	const char *name;
	int level;
	void (*how)(struct bed *b, enum bed_kind kind, gfn_t gfn, int level);
	u32 sets;
	u32 frees;
};

static const struct felling fellings[] = {
	{ "4K table", PG_LEVEL_4K, way_zap_table, 2, 1 },
	{ "2M table", PG_LEVEL_2M, way_zap_table, 5, 4 },
	{ "1G table", PG_LEVEL_1G, way_zap_table, 6, 5 },
	{ "root, shared", PG_LEVEL_512G, way_zap_roots_shared, 6, 5 },
	{ "root, exclusive", PG_LEVEL_512G, way_zap_roots, 6, 5 },
};

KUNIT_ARRAY_PARAM_DESC(felling, fellings, name);

static void children_before_table(struct kunit *test)
{
	const struct felling *f = test->param_value;
	struct bed *b = bed_of(test);
	u32 i, from, end, sets = 0, frees = 0;

	map_thicket(b);
	from = bed_ops_from(b);
	f->how(b, BED_MIRROR, PAGE_GFN, f->level);
	end = bed_ops_from(b);
	for (i = from; i < end; i++) {
		frees += b->op[i].free;
		sets += !b->op[i].free;
	}
	KUNIT_EXPECT_EQ(test, sets, f->sets);
	KUNIT_EXPECT_EQ(test, frees, f->frees);
	/* the table itself is the last to go */
	KUNIT_ASSERT_GT(test, end, from);
	KUNIT_EXPECT_TRUE(test, b->op[end - 1].free);
	BED_EXPECT_OK(b, bed_in_order(b, from, end));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- arguments, and one call for a change --- */

static void map_is_told_with_what_it_maps(struct kunit *test)
{
	int wanted = level_of(test), level;
	struct bed *b = bed_of(test);
	u32 from = bed_ops_from(b);
	const struct bed_op *op;

	bed_map(b, BED_MIRROR, PAGE_GFN, wanted);
	for (level = b->root[BED_MIRROR]->role.level; level >= wanted; level--) {
		op = told_once(b, from, gfn_round_for_level(PAGE_GFN, level), level);
		KUNIT_ASSERT_NOT_NULL(test, op);
		EXPECT_SPTE(b, op->old_spte, SHADOW_NONPRESENT_VALUE, level, BED_MIRROR);
		EXPECT_SPTE(b, op->new_spte, bed_spte(b, BED_MIRROR, PAGE_GFN, level), level,
			    BED_MIRROR);
		if (level > wanted) {
			KUNIT_EXPECT_NOT_NULL(test, op->external_spt);
			KUNIT_EXPECT_PTR_EQ(test, op->spt, spte_to_child_sp(op->new_spte)->spt);
		}
	}
	KUNIT_EXPECT_EQ(test, spte_to_pfn(bed_spte(b, BED_MIRROR, PAGE_GFN, wanted)),
			bed_pfn(b, PAGE_GFN));

	/* a fault that changes nothing is nobody's business */
	from = bed_ops_from(b);
	bed_map(b, BED_MIRROR, PAGE_GFN, wanted);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
}

static void change_is_told_once(struct kunit *test)
{
	const struct way_at *w = test->param_value;
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u64 leaf;
	u32 from;

	bed_map(b, BED_MIRROR, PAGE_GFN, w->level);
	leaf = bed_spte(b, BED_MIRROR, PAGE_GFN, w->level);
	from = bed_ops_from(b);
	w->way->change(b, BED_MIRROR, PAGE_GFN, w->level);
	op = told_once(b, from, PAGE_GFN, w->level);
	KUNIT_ASSERT_NOT_NULL(test, op);
	EXPECT_SPTE(b, op->old_spte, leaf, w->level, BED_MIRROR);
	KUNIT_EXPECT_TRUE_MSG(test, way_made(w->way, leaf, op->new_spte), "new is %s",
			      bed_str(b, op->new_spte, w->level, BED_MIRROR));
	KUNIT_EXPECT_EQ(test, granted(b, from), 1);
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(w->level)));

	/* done is done */
	from = bed_ops_from(b);
	w->way->change(b, BED_MIRROR, PAGE_GFN, w->level);
	KUNIT_EXPECT_EQ(test, granted(b, from), 0);
}

/* The external table is behind mirror roots only. */
static void direct_is_not_told(struct kunit *test)
{
	const struct way_at *w = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf, spte;
	u32 from;

	from = bed_ops_from(b);
	bed_map(b, BED_DIRECT, PAGE_GFN, w->level);
	leaf = bed_spte(b, BED_DIRECT, PAGE_GFN, w->level);
	w->way->change(b, BED_DIRECT, PAGE_GFN, w->level);
	spte = bed_spte(b, BED_DIRECT, PAGE_GFN, w->level);
	KUNIT_EXPECT_NE(test, spte, leaf);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
}

/* --- context --- */

static void expect_context(struct bed *b, const struct bed_op *op, char lock)
{
	KUNIT_EXPECT_EQ_MSG(b->test, op->lock, lock, "mmu_lock, %s of gfn 0x%llx level %s",
			    op->free ? "free" : "set", op->gfn, level_name(op->level));
	KUNIT_EXPECT_EQ_MSG(b->test, op->rcu, 1, "RCU, %s of gfn 0x%llx level %s",
			    op->free ? "free" : "set", op->gfn, level_name(op->level));
}

static void map_holds_locks(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	u32 i, from = bed_ops_from(b);

	bed_needs_lockdep(b);
	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	for (i = from; i < bed_ops_from(b); i++) {
		expect_context(b, &b->op[i], 'r');
		BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[i]));
	}
}

static void change_holds_locks(struct kunit *test)
{
	const struct way *way = test->param_value;
	struct bed *b = bed_of(test);
	u32 i, from;

	bed_needs_lockdep(b);
	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	from = bed_ops_from(b);
	way->change(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_GT(test, bed_ops_from(b), from);
	for (i = from; i < bed_ops_from(b); i++) {
		expect_context(b, &b->op[i], way->lock);
		if (way->lock == 'w')
			BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[i]));
	}
}

/* --- nothing is lost --- */

/*
 * The pages that a vCPU has in store for tables and external tables, each with one
 * more reference: what KVM takes and gives back is then not free, but ours alone.
 */
struct stock {
	int n;
	void *page[2 * KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE];
};

static void stock_add(struct stock *s, const struct kvm_mmu_memory_cache *cache)
{
	int i;

	for (i = 0; i < cache->nobjs; i++) {
		get_page(virt_to_page(cache->objects[i]));
		s->page[s->n++] = cache->objects[i];
	}
}

static struct stock *take_stock(struct bed *b, int vcpu)
{
	struct stock *s = kunit_kzalloc(b->test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(b->test, s);
	KUNIT_ASSERT_EQ(b->test, home_load(b, vcpu), 0);
	stock_add(s, &b->vcpu[vcpu]->arch.mmu_shadow_page_cache);
	stock_add(s, &b->vcpu[vcpu]->arch.mmu_external_spt_cache);
	KUNIT_ASSERT_GT(b->test, s->n, 0);
	return s;
}

static int left_in(const struct stock *s, const struct kvm_mmu_memory_cache *cache)
{
	int n = 0, i, j;

	for (i = 0; i < cache->nobjs; i++)
		for (j = 0; j < s->n; j++)
			n += s->page[j] == cache->objects[i];
	return n;
}

/* Pages that have left the store and that somebody has; ends the stock-taking. */
static int gone_for_good(struct bed *b, int vcpu, struct stock *s)
{
	int n = 0, i;

	for (i = 0; i < s->n; i++) {
		n += page_count(virt_to_page(s->page[i])) > 1;
		put_page(virt_to_page(s->page[i]));
	}
	return n - left_in(s, &b->vcpu[vcpu]->arch.mmu_shadow_page_cache) -
	       left_in(s, &b->vcpu[vcpu]->arch.mmu_external_spt_cache);
}

/* Which operation of a fault on an empty root fails: 4K leaf, the tables above it. */
struct failure {
	int level;
	int err;
};

static const struct failure failures[] = {
	{ PG_LEVEL_512G, -EBUSY }, { PG_LEVEL_1G, -EBUSY }, { PG_LEVEL_2M, -EBUSY },
	{ PG_LEVEL_4K, -EBUSY }, { PG_LEVEL_512G, -EIO }, { PG_LEVEL_1G, -EIO },
	{ PG_LEVEL_2M, -EIO }, { PG_LEVEL_4K, -EIO },
};

static void failure_desc(const struct failure *f, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s", level_name(f->level), err_name(f->err));
}

KUNIT_ARRAY_PARAM(failure, failures, failure_desc);

static void failed_map_loses_no_page(struct kunit *test)
{
	const struct failure *f = test->param_value;
	struct bed_fault fault = { .kind = BED_MIRROR, .gfn = PAGE_GFN };
	struct bed *b = bed_of(test);
	u64 pages = bed_external_pages(b);
	struct stock *s = take_stock(b, 0);
	u32 from = bed_ops_from(b);
	int i;

	b->fail = (struct bed_fail){ .err = f->err, .level = f->level, .times = 3 };
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, bed_fault(b, &fault), RET_PF_RETRY);
		if (!is_restored(b, f->level, SHADOW_NONPRESENT_VALUE))
			break;
	}
	/* what was told before stays, and is not told again: tables, of two pages each */
	KUNIT_EXPECT_EQ(test, granted(b, from), b->root[BED_MIRROR]->role.level - f->level);
	KUNIT_EXPECT_EQ(test, gone_for_good(b, 0, s), 2 * granted(b, from));
	if (i < 3)
		return;
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages + granted(b, from));
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));

	KUNIT_EXPECT_EQ(test, bed_fault(b, &fault), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages + granted(b, from));
	BED_EXPECT_OK(b, bed_books(b));
}

static long do_fault(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

static const int table_levels[] = { PG_LEVEL_2M, PG_LEVEL_1G, PG_LEVEL_512G };

KUNIT_ARRAY_PARAM(table_level, table_levels, level_desc);

/* Two bring a table for the same entry: the second takes its external page home. */
static void loser_keeps_its_page(struct kunit *test)
{
	int level = level_of(test);
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_FREEZE, level),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_fault fault[] = {
		{ .kind = BED_MIRROR, .gfn = PAGE_GFN, .vcpu = 0 },
		{ .kind = BED_MIRROR, .gfn = PAGE_GFN + 1, .vcpu = 1 },
	};
	struct bed_actor actor[] = {
		{ .fn = do_fault, .arg = &fault[0] }, { .fn = do_fault, .arg = &fault[1] },
	};
	struct bed *b = bed_of(test);
	u64 pages = bed_external_pages(b);
	u32 from = bed_ops_from(b);
	struct stock *s;
	bool followed;

	needs_point(b, BED_BEFORE_FREEZE);
	s = take_stock(b, 0);
	followed = bed_follow(b, steps, actor, ARRAY_SIZE(actor));
	/* what A has linked above stays: tables, of two pages each */
	KUNIT_EXPECT_EQ(test, gone_for_good(b, 0, s),
			2 * (b->root[BED_MIRROR]->role.level - level));
	if (!followed)
		return;
	KUNIT_EXPECT_EQ(test, actor[0].ret, RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, actor[1].ret, RET_PF_FIXED);
	told_once(b, from, gfn_round_for_level(PAGE_GFN, level), level);
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages + granted(b, from));
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
}

static const struct failure removals[] = {
	{ PG_LEVEL_4K, -EBUSY }, { PG_LEVEL_2M, -EBUSY }, { PG_LEVEL_1G, -EBUSY },
	{ PG_LEVEL_4K, -EIO }, { PG_LEVEL_2M, -EIO }, { PG_LEVEL_1G, -EIO },
};

KUNIT_ARRAY_PARAM(removal, removals, failure_desc);

/*
 * mmu_lock held for write, KVM has changed its own entry before it asks: there is
 * nobody who could take a refusal, and the VM is given up. Aloud, once.
 */
static void failed_removal_bugs_vm(struct kunit *test)
{
	const struct failure *f = test->param_value;
	struct bed *b = bed_of(test);
	struct bed_external e;

	bed_map(b, BED_MIRROR, PAGE_GFN, f->level);
	b->fail = (struct bed_fail){ .err = f->err, .level = f->level, .times = 1 };
	b->expect_bugged = true;
	bed_expect_warn(b);
	way_zap_leafs(b, BED_MIRROR, PAGE_GFN, f->level);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, f->level), SHADOW_NONPRESENT_VALUE,
		    f->level, BED_MIRROR);
	KUNIT_EXPECT_TRUE(test, bed_external(b, PAGE_GFN, f->level, &e));
	BED_EXPECT_CAUGHT(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(f->level)));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
}

/* --- the checks see what is wrong --- */

static void checks_see_disorder(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 from = bed_ops_from(b), mid, end;

	map_thicket(b);
	mid = bed_ops_from(b);
	way_zap_table(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	end = bed_ops_from(b);
	BED_EXPECT_OK(b, bed_in_order(b, from, end));
	/* child before parent */
	swap(b->op[from].serial, b->op[mid - 1].serial);
	swap(b->op[from], b->op[mid - 1]);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, from, mid));
	swap(b->op[from], b->op[mid - 1]);
	swap(b->op[from].serial, b->op[mid - 1].serial);
	/* table before child */
	swap(b->op[mid].serial, b->op[end - 1].serial);
	swap(b->op[mid], b->op[end - 1]);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, mid, end));
}

static void checks_see_wrong_lock(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u32 from = bed_ops_from(b);
	struct bed_op op;

	bed_needs_lockdep(b);
	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	way_zap_leafs(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	op = b->op[from];
	BED_EXPECT_OK(b, bed_lock_contract(b, &op));
	op.lock = '-';
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));
	op = b->op[bed_ops_from(b) - 1];
	BED_EXPECT_OK(b, bed_lock_contract(b, &op));
	op.lock = 'r';
	BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));
}

static void checks_see_lost_table(struct kunit *test)
{
	struct bed *b = bed_of(test);

	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_2M);
	BED_EXPECT_OK(b, bed_books(b));
	kvm_update_page_stats(b->kvm, PG_LEVEL_2M, 1);
	BED_EXPECT_CAUGHT(b, bed_books(b));
	kvm_update_page_stats(b->kvm, PG_LEVEL_2M, -1);
	BED_EXPECT_OK(b, bed_books(b));
}

static struct kunit_case external_cases[] = {
	KUNIT_CASE_PARAM(parent_before_child, level_gen_params),
	KUNIT_CASE_PARAM(children_before_table, felling_gen_params),
	KUNIT_CASE_PARAM(map_is_told_with_what_it_maps, level_gen_params),
	KUNIT_CASE_PARAM(change_is_told_once, way_at_gen_params),
	KUNIT_CASE_PARAM(direct_is_not_told, way_at_gen_params),
	KUNIT_CASE_PARAM(map_holds_locks, level_gen_params),
	KUNIT_CASE_PARAM(change_holds_locks, way_gen_params),
	KUNIT_CASE_PARAM(failed_map_loses_no_page, failure_gen_params),
	KUNIT_CASE_PARAM(loser_keeps_its_page, table_level_gen_params),
	KUNIT_CASE_PARAM(failed_removal_bugs_vm, removal_gen_params),
	KUNIT_CASE(checks_see_disorder),
	KUNIT_CASE(checks_see_wrong_lock),
	KUNIT_CASE(checks_see_lost_table),
	{}
};

BED_SUITE(tdp_mmu_external, external_cases);

MODULE_DESCRIPTION("What the TDP MMU tells an external page table");
MODULE_LICENSE("GPL");
