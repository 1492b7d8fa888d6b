// SPDX-License-Identifier: GPL-2.0
/*
 * FROZEN_SPTE: whoever changes a mirror entry without mmu_lock for itself puts it
 * there, tells the external page table, and takes it away again, with the new
 * value or with the old one. Everybody else keeps off meanwhile.
 */
#include "ways.h"

/* --- freeze, external operation, unfreeze --- */

/**
 * struct entry - an entry that a fault makes, and what the external side answers
 * @level: of the entry
 * @table: a page table is linked; else a leaf is mapped
 * @err: 0, -EBUSY, -EIO
 */
struct entry {
	int level;
	bool table;
	int err;
};

static void entry_desc(const struct entry *e, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s%s%s", level_name(e->level),
		 e->table ? "table" : "leaf", e->err ? " " : "", e->err ? err_name(e->err) : "");
}

static struct bed_fault fault_for(const struct entry *e)
{
	struct bed_fault f = {
		.kind = BED_MIRROR, .gfn = PAGE_GFN,
		.level = e->table ? PG_LEVEL_4K : e->level,
	};

	return f;
}

static const struct entry new_entries[] = {
	{ PG_LEVEL_4K, false, 0 }, { PG_LEVEL_2M, false, 0 }, { PG_LEVEL_1G, false, 0 },
	{ PG_LEVEL_2M, true, 0 }, { PG_LEVEL_1G, true, 0 }, { PG_LEVEL_512G, true, 0 },
};

KUNIT_ARRAY_PARAM(new_entry, new_entries, entry_desc);

static void freeze_tell_unfreeze(struct kunit *test)
{
	const struct entry *e = test->param_value;
	gfn_t gfn = gfn_round_for_level(PAGE_GFN, e->level);
	struct bed_fault f = fault_for(e);
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u32 from;

	map_beside(b, BED_MIRROR, e->level);
	from = bed_ops_from(b);
	KUNIT_ASSERT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	op = told_once(b, from, gfn, e->level);
	KUNIT_ASSERT_NOT_NULL(test, op);
	EXPECT_SPTE(b, op->seen, FROZEN_SPTE, e->level, BED_MIRROR);
	EXPECT_SPTE(b, op->old_spte, SHADOW_NONPRESENT_VALUE, e->level, BED_MIRROR);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, e->level), op->new_spte, e->level,
		    BED_MIRROR);
	KUNIT_EXPECT_EQ(test, is_last_spte(op->new_spte, e->level), !e->table);
	BED_EXPECT_OK(b, bed_in_window(b, op));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(PG_LEVEL_1G)));
}

/* --- the external side fails: the old value is back --- */

static const struct entry failing_entries[] = {
	{ PG_LEVEL_4K, false, -EBUSY }, { PG_LEVEL_2M, false, -EBUSY },
	{ PG_LEVEL_1G, false, -EBUSY }, { PG_LEVEL_2M, true, -EBUSY },
	{ PG_LEVEL_1G, true, -EBUSY }, { PG_LEVEL_512G, true, -EBUSY },
	{ PG_LEVEL_4K, false, -EIO }, { PG_LEVEL_2M, false, -EIO }, { PG_LEVEL_1G, false, -EIO },
	{ PG_LEVEL_2M, true, -EIO }, { PG_LEVEL_1G, true, -EIO }, { PG_LEVEL_512G, true, -EIO },
};

KUNIT_ARRAY_PARAM(failing_entry, failing_entries, entry_desc);

static void error_restores_none(struct kunit *test)
{
	const struct entry *e = test->param_value;
	struct bed_fault f = fault_for(e);
	struct bed *b = bed_of(test);
	u64 pages, leafs;

	map_beside(b, BED_MIRROR, e->level);
	pages = bed_external_pages(b);
	leafs = bed_leafs(b, b->root[BED_MIRROR], BED_GFN, BED_GFN + BED_PAGES);
	b->fail = (struct bed_fail){ .err = e->err, .level = e->level, .times = 1 };
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_RETRY);

	if (!is_restored(b, e->level, SHADOW_NONPRESENT_VALUE))
		return;
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_MIRROR], BED_GFN, BED_GFN + BED_PAGES),
			leafs);
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_MIRROR]));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));

	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

static const struct entry failing_leafs[] = {
	{ PG_LEVEL_4K, false, -EBUSY }, { PG_LEVEL_4K, false, -EIO },
	{ PG_LEVEL_2M, false, -EBUSY }, { PG_LEVEL_2M, false, -EIO },
	{ PG_LEVEL_1G, false, -EBUSY }, { PG_LEVEL_1G, false, -EIO },
};

KUNIT_ARRAY_PARAM(failing_leaf, failing_leafs, entry_desc);

/* A walk that is refused asks again, and has to find what was there before. */
static void error_restores_leaf(struct kunit *test)
{
	const struct entry *e = test->param_value;
	struct bed *b = bed_of(test);
	u64 leaf;
	u32 from;
	int i;

	bed_map(b, BED_MIRROR, PAGE_GFN, e->level);
	leaf = bed_spte(b, BED_MIRROR, PAGE_GFN, e->level);
	from = bed_ops_from(b);
	b->fail = (struct bed_fail){ .err = e->err, .level = e->level, .times = 2 };
	way_wrprot(b, BED_MIRROR, PAGE_GFN, e->level);

	KUNIT_ASSERT_EQ(test, bed_ops_from(b), from + 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, b->op[from + i].ret, i < 2 ? e->err : 0);
		EXPECT_SPTE(b, b->op[from + i].old_spte, leaf, e->level, BED_MIRROR);
		BED_EXPECT_OK(b, bed_in_window(b, &b->op[from + i]));
	}
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, e->level), leaf & ~PT_WRITABLE_MASK,
		    e->level, BED_MIRROR);
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(e->level)));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- others meet a frozen entry --- */

/* An entry that somebody has frozen; put back at the end, or KVM takes it down so. */
struct frost {
	u64 *sptep;
	u64 was;
};

static struct frost freeze(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	struct frost f = { .sptep = bed_sptep(b, b->root[kind], gfn, level) };

	KUNIT_ASSERT_NOT_NULL(b->test, f.sptep);
	f.was = READ_ONCE(*f.sptep);
	WRITE_ONCE(*f.sptep, FROZEN_SPTE);
	return f;
}

static void thaw(struct bed *b, enum bed_kind kind, int level, const struct frost *f)
{
	EXPECT_SPTE(b, READ_ONCE(*f->sptep), FROZEN_SPTE, level, kind);
	WRITE_ONCE(*f->sptep, f->was);
}

struct meeting {
	enum bed_kind kind;
	int level;	/* of the frozen entry */
	int wants;	/* level of leaf that the fault wants */
};

static const struct meeting meetings[] = {
	{ BED_MIRROR, PG_LEVEL_4K, PG_LEVEL_4K }, { BED_MIRROR, PG_LEVEL_2M, PG_LEVEL_4K },
	{ BED_MIRROR, PG_LEVEL_2M, PG_LEVEL_2M }, { BED_MIRROR, PG_LEVEL_1G, PG_LEVEL_4K },
	{ BED_MIRROR, PG_LEVEL_1G, PG_LEVEL_2M }, { BED_MIRROR, PG_LEVEL_1G, PG_LEVEL_1G },
	{ BED_MIRROR, PG_LEVEL_512G, PG_LEVEL_4K }, { BED_MIRROR, PG_LEVEL_512G, PG_LEVEL_1G },
	{ BED_DIRECT, PG_LEVEL_4K, PG_LEVEL_4K }, { BED_DIRECT, PG_LEVEL_2M, PG_LEVEL_4K },
	{ BED_DIRECT, PG_LEVEL_2M, PG_LEVEL_2M }, { BED_DIRECT, PG_LEVEL_1G, PG_LEVEL_4K },
	{ BED_DIRECT, PG_LEVEL_1G, PG_LEVEL_2M }, { BED_DIRECT, PG_LEVEL_1G, PG_LEVEL_1G },
	{ BED_DIRECT, PG_LEVEL_512G, PG_LEVEL_4K }, { BED_DIRECT, PG_LEVEL_512G, PG_LEVEL_1G },
};

static void meeting_desc(const struct meeting *m, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s, fault wants %s", kind_name(m->kind),
		 level_name(m->level), level_name(m->wants));
}

KUNIT_ARRAY_PARAM(meeting, meetings, meeting_desc);

/* Objects that the vCPU has in store; a fault that allocates has fewer afterwards. */
static int in_store(struct kvm_vcpu *vcpu)
{
	return vcpu->arch.mmu_page_header_cache.nobjs + vcpu->arch.mmu_shadow_page_cache.nobjs +
	       vcpu->arch.mmu_external_spt_cache.nobjs;
}

static void fault_meets_frozen(struct kunit *test)
{
	const struct meeting *m = test->param_value;
	struct bed_fault f = { .kind = m->kind, .gfn = PAGE_GFN, .level = m->wants };
	struct bed *b = bed_of(test);
	struct frost frost;
	u64 pages;
	u32 from;
	int full;

	map_beside(b, m->kind, m->level);
	frost = freeze(b, m->kind, PAGE_GFN, m->level);
	home_load(b, 0);
	full = in_store(b->vcpu[0]);
	KUNIT_ASSERT_GT(test, full, 0);
	pages = bed_external_pages(b);
	from = bed_ops_from(b);

	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, in_store(b->vcpu[0]), full);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
	KUNIT_EXPECT_EQ(test, bed_external_pages(b), pages);
	thaw(b, m->kind, m->level, &frost);

	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, in_store(b->vcpu[0]) < full, m->level > m->wants);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- nobody overwrites a frozen entry --- */

struct trespass {
	const char *name;
	void (*go)(struct bed *b, enum bed_kind kind);
	enum bed_kind kind;
};

static void go_zap_leafs(struct bed *b, enum bed_kind kind)
{
	bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES);
}

static void go_unmap(struct bed *b, enum bed_kind kind)
{
	bed_unmap(b, BED_GFN, BED_GFN + BED_PAGES, KVM_FILTER_PRIVATE | KVM_FILTER_SHARED);
}

static void go_wrprot(struct bed *b, enum bed_kind kind)
{
	way_wrprot(b, kind, PAGE_GFN, PG_LEVEL_4K);
}

static void go_clear_dirty(struct bed *b, enum bed_kind kind)
{
	way_clear_dirty(b, kind, PAGE_GFN, PG_LEVEL_4K);
}

static void go_wrprot_gfns(struct bed *b, enum bed_kind kind)
{
	int i;

	for (i = 0; i < 3; i++)
		way_wrprot_gfn(b, kind, BED_1G(i), PG_LEVEL_4K);
}

static void go_clear_dirty_masked(struct bed *b, enum bed_kind kind)
{
	guard(write_lock)(&b->kvm->mmu_lock);
	kvm_tdp_mmu_clear_dirty_pt_masked(b->kvm, b->slot, BED_1G(0), ~0ul, true);
	kvm_tdp_mmu_clear_dirty_pt_masked(b->kvm, b->slot, BED_1G(1), ~0ul, false);
}

static void go_split(struct bed *b, enum bed_kind kind)
{
	bed_split(b, kind, BED_GFN, BED_GFN + BED_PAGES, PG_LEVEL_4K, true);
	bed_split(b, kind, BED_GFN, BED_GFN + BED_PAGES, PG_LEVEL_4K, false);
}

static void go_recover(struct bed *b, enum bed_kind kind)
{
	/* for the flush of a memslot */
	guard(mutex)(&b->kvm->slots_lock);
	guard(read_lock)(&b->kvm->mmu_lock);
	kvm_tdp_mmu_recover_huge_pages(b->kvm, b->slot);
}

static void go_age(struct bed *b, enum bed_kind kind)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = BED_GFN, .end = BED_GFN + BED_PAGES,
		.attr_filter = KVM_FILTER_SHARED,
	};

	kvm_tdp_mmu_age_gfn_range(b->kvm, &range);
	kvm_tdp_mmu_test_age_gfn(b->kvm, &range);
}

static const struct trespass trespasses[] = {
	{ "mirror zap_leafs", go_zap_leafs, BED_MIRROR },
	{ "mirror unmap_gfn_range", go_unmap, BED_MIRROR },
	{ "mirror wrprot_slot", go_wrprot, BED_MIRROR },
	{ "mirror clear_dirty_slot", go_clear_dirty, BED_MIRROR },
	{ "mirror write_protect_gfn", go_wrprot_gfns, BED_MIRROR },
	{ "mirror clear_dirty_pt_masked", go_clear_dirty_masked, BED_MIRROR },
	{ "mirror split", go_split, BED_MIRROR },
	{ "direct zap_leafs", go_zap_leafs, BED_DIRECT },
	{ "direct unmap_gfn_range", go_unmap, BED_DIRECT },
	{ "direct wrprot_slot", go_wrprot, BED_DIRECT },
	{ "direct clear_dirty_slot", go_clear_dirty, BED_DIRECT },
	{ "direct write_protect_gfn", go_wrprot_gfns, BED_DIRECT },
	{ "direct clear_dirty_pt_masked", go_clear_dirty_masked, BED_DIRECT },
	{ "direct split", go_split, BED_DIRECT },
	{ "direct recover_huge_pages", go_recover, BED_DIRECT },
	{ "direct age_gfn_range", go_age, BED_DIRECT },
};

KUNIT_ARRAY_PARAM_DESC(trespass, trespasses, name);

/* Leafs of each size, all of them frozen: as if all were being changed right now. */
static void frozen_stays_frozen(struct kunit *test)
{
	const struct trespass *t = test->param_value;
	struct bed *b = bed_of(test);
	bool changed = false;
	struct frost frost[3];
	u32 from;
	int i;

	for (i = 0; i < 3; i++) {
		bed_map(b, t->kind, BED_1G(i), PG_LEVEL_4K + i);
		frost[i] = freeze(b, t->kind, BED_1G(i), PG_LEVEL_4K + i);
	}
	from = bed_ops_from(b);
	t->go(b, t->kind);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
	for (i = 0; i < 3; i++)
		thaw(b, t->kind, PG_LEVEL_4K + i, &frost[i]);
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[t->kind]));
	BED_EXPECT_OK(b, bed_books(b));

	/*
	 * Where nothing is frozen, the same does change something. How large a page
	 * recovery may make, the other home's host says.
	 */
	if (t->go == go_recover && !IS_ENABLED(CONFIG_UML))
		return;
	t->go(b, t->kind);
	for (i = 0; i < 3; i++)
		changed |= bed_spte(b, t->kind, BED_1G(i), PG_LEVEL_4K + i) != frost[i].was;
	KUNIT_EXPECT_TRUE(test, changed);
}

static const int table_levels[] = { PG_LEVEL_4K, PG_LEVEL_2M, PG_LEVEL_1G };

KUNIT_ARRAY_PARAM(level, table_levels, level_desc);

/* A table whose entry somebody has frozen is that one's, present or not. */
static void frozen_table_is_not_zapped(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *sp;
	struct frost frost;
	enum bed_kind kind;

	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++) {
		bed_map(b, kind, PAGE_GFN, level);
		sp = table_of(b, kind, PAGE_GFN, level);
		frost = freeze(b, kind, PAGE_GFN, level + 1);
		KUNIT_EXPECT_FALSE(test, zap_table(b, sp));
		thaw(b, kind, level + 1, &frost);
		KUNIT_EXPECT_TRUE(test, zap_table(b, sp));
		EXPECT_SPTE(b, bed_spte(b, kind, PAGE_GFN, level + 1),
			    SHADOW_NONPRESENT_VALUE, level + 1, kind);
	}
}

/* --- removal waits for whoever has frozen a child --- */

struct removal {
	struct bed_fault fault;
	struct kvm_mmu_page *sp;
};

static long do_fault(struct bed *b, void *arg)
{
	struct removal *r = arg;

	return bed_fault(b, &r->fault);
}

static long do_zap_table(struct bed *b, void *arg)
{
	struct removal *r = arg;

	return zap_table(b, r->sp);
}

static const struct entry owned_entries[] = {
	{ PG_LEVEL_4K, false, 0 }, { PG_LEVEL_4K, false, -EBUSY }, { PG_LEVEL_4K, false, -EIO },
	{ PG_LEVEL_2M, false, 0 }, { PG_LEVEL_2M, false, -EBUSY }, { PG_LEVEL_2M, false, -EIO },
	{ PG_LEVEL_1G, false, 0 }, { PG_LEVEL_1G, false, -EBUSY }, { PG_LEVEL_1G, false, -EIO },
};

KUNIT_ARRAY_PARAM(owned_entry, owned_entries, entry_desc);

static void removal_waits_for_owner(struct kunit *test)
{
	const struct entry *e = test->param_value;
	const struct bed_step steps[] = {
		{ .thread = 'A', .to = BED_IN_EXTERNAL, .level = e->level,
		  .gfn = PAGE_GFN, .gfn_too = true },
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct removal r = { .fault = fault_for(e) };
	struct bed_actor actor[] = {
		{ .fn = do_fault, .arg = &r }, { .fn = do_zap_table, .arg = &r },
	};
	struct bed *b = bed_of(test);
	u32 from;
	int set;

	needs_point(b, BED_WAIT_OWNER);
	map_beside(b, BED_MIRROR, e->level);
	r.sp = table_of(b, BED_MIRROR, PAGE_GFN, e->level);
	b->fail = (struct bed_fail){ .err = e->err, .level = e->level, .gfn = PAGE_GFN,
				     .gfn_too = true, .times = 1 };
	from = bed_ops_from(b);
	if (!bed_follow(b, steps, actor, ARRAY_SIZE(actor)))
		return;

	KUNIT_EXPECT_EQ(test, actor[0].ret, e->err ? RET_PF_RETRY : RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, actor[1].ret, true);
	set = bed_find_op(b, from, false, PAGE_GFN, e->level);
	KUNIT_ASSERT_EQ(test, set, (int)from);
	/* what was not mapped after all is not removed either */
	set = bed_find_op(b, from + 1, false, PAGE_GFN, e->level);
	KUNIT_EXPECT_EQ(test, set >= 0, !e->err);
	if (set >= 0)
		EXPECT_SPTE(b, b->op[set].old_spte, b->op[from].new_spte, e->level, BED_MIRROR);
	BED_EXPECT_OK(b, bed_in_order(b, from, bed_ops_from(b)));
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[BED_MIRROR], PAGE_GFN,
					  PAGE_GFN + gfns_of(e->level)));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- what keeps off mirror roots --- */

static struct kvm_gfn_range range_of(struct bed *b, int level, int filter)
{
	struct kvm_gfn_range range = {
		.slot = b->slot, .start = PAGE_GFN, .end = PAGE_GFN + gfns_of(level),
		.attr_filter = filter,
	};

	return range;
}

static void age_keeps_off_mirror(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	struct kvm_gfn_range range = range_of(b, level, KVM_FILTER_SHARED);
	u64 mirror, direct;
	u32 from;

	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	bed_map(b, BED_DIRECT, PAGE_GFN, level);
	mirror = bed_spte(b, BED_MIRROR, PAGE_GFN, level);
	direct = bed_spte(b, BED_DIRECT, PAGE_GFN, level);
	KUNIT_ASSERT_TRUE(test, is_accessed_spte(mirror) && is_accessed_spte(direct));
	from = bed_ops_from(b);

	KUNIT_EXPECT_TRUE(test, kvm_tdp_mmu_test_age_gfn(b->kvm, &range));
	KUNIT_EXPECT_TRUE(test, kvm_tdp_mmu_age_gfn_range(b->kvm, &range));
	KUNIT_EXPECT_FALSE(test, kvm_tdp_mmu_test_age_gfn(b->kvm, &range));
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, PAGE_GFN, level),
		    direct & ~shadow_accessed_mask, level, BED_DIRECT);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, level), mirror, level, BED_MIRROR);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
}

/* Nobody ages private memory; should somebody begin to, KVM says that it cannot. */
static void age_of_mirror_warns(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	struct kvm_gfn_range range = range_of(b, level, KVM_FILTER_PRIVATE);
	u64 mirror;
	u32 from;

	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	mirror = bed_spte(b, BED_MIRROR, PAGE_GFN, level);
	from = bed_ops_from(b);
	bed_expect_warn(b);
	kvm_tdp_mmu_age_gfn_range(b->kvm, &range);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, level), mirror, level, BED_MIRROR);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
}

/* Lockless walks that may change what they find: for a private GFN they find nothing. */
static void fast_fault_keeps_off_mirror(struct kunit *test)
{
	int level = level_of(test);
	struct bed *b = bed_of(test);
	u64 spte = 0, *sptep;
	bool mirror;

	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	kvm_tdp_mmu_walk_lockless_begin();
	sptep = kvm_tdp_mmu_fast_pf_get_last_sptep(b->vcpu[0], PAGE_GFN, &spte);
	mirror = sptep && is_mirror_sp(sptep_to_sp(sptep));
	kvm_tdp_mmu_walk_lockless_end();
	KUNIT_EXPECT_NOT_NULL(test, sptep);
	KUNIT_EXPECT_FALSE(test, mirror);
	KUNIT_EXPECT_FALSE(test, is_shadow_present_pte(spte));

	bed_map(b, BED_DIRECT, PAGE_GFN, level);
	kvm_tdp_mmu_walk_lockless_begin();
	sptep = kvm_tdp_mmu_fast_pf_get_last_sptep(b->vcpu[0], PAGE_GFN, &spte);
	kvm_tdp_mmu_walk_lockless_end();
	KUNIT_EXPECT_PTR_EQ(test, sptep, bed_sptep(b, b->root[BED_DIRECT], PAGE_GFN, level));
	EXPECT_SPTE(b, spte, bed_spte(b, BED_DIRECT, PAGE_GFN, level), level, BED_DIRECT);
}

/* --- the checks see what is wrong --- */

static void checks_see_frozen(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct frost frost;
	enum bed_kind kind;

	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++) {
		bed_map(b, kind, PAGE_GFN, PG_LEVEL_2M);
		BED_EXPECT_OK(b, bed_no_frozen(b, b->root[kind]));
		frost = freeze(b, kind, PAGE_GFN, PG_LEVEL_2M);
		BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[kind]));
		thaw(b, kind, PG_LEVEL_2M, &frost);
	}
}

static void checks_see_missing_window(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct bed_op op;
	u32 from;

	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_4K);
	from = bed_ops_from(b);
	bed_map(b, BED_MIRROR, PAGE_GFN + 1, PG_LEVEL_4K);
	op = b->op[from];
	BED_EXPECT_OK(b, bed_in_window(b, &op));
	op.seen = op.new_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
	op.seen = op.old_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
}

static void checks_see_unrestored(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 *sptep, spte;

	bed_map(b, BED_MIRROR, PAGE_GFN, PG_LEVEL_2M);
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(PG_LEVEL_2M)));
	sptep = bed_sptep(b, b->root[BED_MIRROR], PAGE_GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_NOT_NULL(test, sptep);
	spte = *sptep;
	/* as if the removal had failed, and the old value were not back */
	WRITE_ONCE(*sptep, SHADOW_NONPRESENT_VALUE);
	BED_EXPECT_CAUGHT(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(PG_LEVEL_2M)));
	BED_EXPECT_CAUGHT(b, bed_books(b));
	WRITE_ONCE(*sptep, spte);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- where static functions are in reach --- */

#ifdef CONFIG_UML

/**
 * struct setter - a function that sets an SPTE, and where it is called
 * @kind: of root
 * @level: of the entry
 * @shared: mmu_lock is held for read
 * @was: what the entry is before: false: none; true: a leaf
 */
struct setter {
	enum bed_kind kind;
	int level;
	bool shared;
	bool was;
};

static const struct setter setters[] = {
	{ BED_MIRROR, PG_LEVEL_4K, true, false }, { BED_MIRROR, PG_LEVEL_4K, true, true },
	{ BED_MIRROR, PG_LEVEL_4K, false, false }, { BED_MIRROR, PG_LEVEL_4K, false, true },
	{ BED_MIRROR, PG_LEVEL_2M, true, false }, { BED_MIRROR, PG_LEVEL_2M, true, true },
	{ BED_MIRROR, PG_LEVEL_2M, false, false }, { BED_MIRROR, PG_LEVEL_2M, false, true },
	{ BED_MIRROR, PG_LEVEL_1G, true, false }, { BED_MIRROR, PG_LEVEL_1G, true, true },
	{ BED_MIRROR, PG_LEVEL_1G, false, false }, { BED_MIRROR, PG_LEVEL_1G, false, true },
	{ BED_DIRECT, PG_LEVEL_4K, true, false }, { BED_DIRECT, PG_LEVEL_4K, true, true },
	{ BED_DIRECT, PG_LEVEL_4K, false, false }, { BED_DIRECT, PG_LEVEL_4K, false, true },
	{ BED_DIRECT, PG_LEVEL_2M, true, false }, { BED_DIRECT, PG_LEVEL_2M, true, true },
	{ BED_DIRECT, PG_LEVEL_2M, false, false }, { BED_DIRECT, PG_LEVEL_2M, false, true },
	{ BED_DIRECT, PG_LEVEL_1G, true, false }, { BED_DIRECT, PG_LEVEL_1G, true, true },
	{ BED_DIRECT, PG_LEVEL_1G, false, false }, { BED_DIRECT, PG_LEVEL_1G, false, true },
};

static void setter_desc(const struct setter *s, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s %s, was %s", kind_name(s->kind),
		 level_name(s->level), s->shared ? "shared" : "exclusive",
		 s->was ? "leaf" : "none");
}

KUNIT_ARRAY_PARAM(setter, setters, setter_desc);

static int set_spte(struct bed *b, const struct setter *s, struct tdp_iter *iter, u64 spte)
{
	if (s->shared)
		return um_tdp_mmu_set_spte_atomic(b->kvm, iter, spte);
	um_tdp_mmu_set_spte(b->kvm, iter->sptep, iter->old_spte, spte, iter->gfn, iter->level);
	return 0;
}

/* FROZEN is for the short time of a change, on both kinds of roots. */
static void long_term_frozen_warns(struct kunit *test)
{
	const struct setter *s = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;

	if (s->shared && !IS_ENABLED(CONFIG_KVM_PROVE_MMU))
		kunit_skip(test, "KVM checks this only with CONFIG_KVM_PROVE_MMU");
	if (s->was)
		bed_map(b, s->kind, PAGE_GFN, s->level);
	else
		map_beside(b, s->kind, s->level);
	bed_expect_warn(b);
	mmu_lock(b, s->shared);
	walk_to(b, s->kind, s->level, &iter);
	KUNIT_EXPECT_EQ(test, set_spte(b, s, &iter, FROZEN_SPTE), 0);
	mmu_unlock(b, s->shared);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[s->kind]));
	WRITE_ONCE(*iter.sptep, SHADOW_NONPRESENT_VALUE);
}

static const struct setter empty_setters[] = {
	{ BED_MIRROR, PG_LEVEL_4K, true, false }, { BED_MIRROR, PG_LEVEL_4K, false, false },
	{ BED_MIRROR, PG_LEVEL_1G, true, false }, { BED_MIRROR, PG_LEVEL_1G, false, false },
	{ BED_DIRECT, PG_LEVEL_4K, true, false }, { BED_DIRECT, PG_LEVEL_4K, false, false },
	{ BED_DIRECT, PG_LEVEL_1G, true, false }, { BED_DIRECT, PG_LEVEL_1G, false, false },
};

KUNIT_ARRAY_PARAM(empty_setter, empty_setters, setter_desc);

/* Nor does a change begin at FROZEN: it would be somebody else's to end. KVM may refuse. */
static void change_of_frozen_warns(struct kunit *test)
{
	const struct setter *s = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;
	int ret;

	map_beside(b, s->kind, s->level);
	bed_expect_warn(b);
	mmu_lock(b, s->shared);
	walk_to(b, s->kind, s->level, &iter);
	WRITE_ONCE(*iter.sptep, FROZEN_SPTE);
	iter.old_spte = FROZEN_SPTE;
	ret = set_spte(b, s, &iter, SHADOW_NONPRESENT_VALUE);
	KUNIT_EXPECT_TRUE(test, !ret || ret == -EBUSY);
	if (ret) {
		KUNIT_EXPECT_EQ(test, READ_ONCE(*iter.sptep), FROZEN_SPTE);
		WRITE_ONCE(*iter.sptep, SHADOW_NONPRESENT_VALUE);
	}
	mmu_unlock(b, s->shared);
	/* one for where it begins, one for a change from nothing to nothing */
	KUNIT_EXPECT_EQ(test, bed_warns(b), ret ? 0 : 2);
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[s->kind]));
}

/* A walk that is late: @winner is what the entry has become meanwhile. */
struct loser {
	enum bed_kind kind;
	int level;
	bool to_frozen;
};

static const struct loser losers[] = {
	{ BED_MIRROR, PG_LEVEL_4K, false }, { BED_MIRROR, PG_LEVEL_4K, true },
	{ BED_MIRROR, PG_LEVEL_2M, false }, { BED_MIRROR, PG_LEVEL_2M, true },
	{ BED_MIRROR, PG_LEVEL_1G, false }, { BED_MIRROR, PG_LEVEL_1G, true },
	{ BED_DIRECT, PG_LEVEL_4K, false }, { BED_DIRECT, PG_LEVEL_4K, true },
	{ BED_DIRECT, PG_LEVEL_2M, false }, { BED_DIRECT, PG_LEVEL_2M, true },
	{ BED_DIRECT, PG_LEVEL_1G, false }, { BED_DIRECT, PG_LEVEL_1G, true },
};

static void loser_desc(const struct loser *l, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %s, %s", kind_name(l->kind),
		 level_name(l->level), l->to_frozen ? "frozen meanwhile" : "mapped meanwhile");
}

KUNIT_ARRAY_PARAM(loser, losers, loser_desc);

static void lost_cmpxchg_refreshes_old_spte(struct kunit *test)
{
	const struct loser *l = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;
	struct frost frost;
	u64 leaf, now;
	u32 from;

	bed_map(b, l->kind, PAGE_GFN, l->level);
	leaf = bed_spte(b, l->kind, PAGE_GFN, l->level);
	if (l->to_frozen)
		frost = freeze(b, l->kind, PAGE_GFN, l->level);
	now = l->to_frozen ? FROZEN_SPTE : leaf;
	from = bed_ops_from(b);

	mmu_lock(b, true);
	walk_to(b, l->kind, l->level, &iter);
	iter.old_spte = SHADOW_NONPRESENT_VALUE;
	KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, leaf ^ PT_WRITABLE_MASK),
			-EBUSY);
	mmu_unlock(b, true);
	EXPECT_SPTE(b, iter.old_spte, now, l->level, l->kind);
	EXPECT_SPTE(b, READ_ONCE(*iter.sptep), now, l->level, l->kind);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
	if (l->to_frozen) {
		thaw(b, l->kind, l->level, &frost);
		return;
	}

	/* and with that it succeeds */
	mmu_lock(b, true);
	KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, leaf ^ PT_WRITABLE_MASK),
			0);
	mmu_unlock(b, true);
	EXPECT_SPTE(b, READ_ONCE(*iter.sptep), leaf ^ PT_WRITABLE_MASK, l->level, l->kind);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from + (l->kind == BED_MIRROR));
}

static void fast_fault_keeps_off_frozen(struct kunit *test)
{
	struct bed *b = bed_of(test);
	int level = level_of(test);
	struct frost frost;
	u64 direct, mirror;

	bed_map(b, BED_MIRROR, PAGE_GFN, level);
	way_wrprot(b, BED_MIRROR, PAGE_GFN, level);
	mirror = bed_spte(b, BED_MIRROR, PAGE_GFN, level);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_MIRROR, PAGE_GFN, level), RET_PF_INVALID);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, level), mirror, level, BED_MIRROR);

	bed_map(b, BED_DIRECT, PAGE_GFN, level);
	direct = bed_spte(b, BED_DIRECT, PAGE_GFN, level);
	way_wrprot(b, BED_DIRECT, PAGE_GFN, level);
	frost = freeze(b, BED_DIRECT, PAGE_GFN, level);
	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, PAGE_GFN, level), RET_PF_INVALID);
	thaw(b, BED_DIRECT, level, &frost);

	KUNIT_EXPECT_EQ(test, way_fast_fault(b, BED_DIRECT, PAGE_GFN, level), RET_PF_FIXED);
	EXPECT_SPTE(b, bed_spte(b, BED_DIRECT, PAGE_GFN, level), direct, level, BED_DIRECT);
	EXPECT_SPTE(b, bed_spte(b, BED_MIRROR, PAGE_GFN, level), mirror, level, BED_MIRROR);
}

/* Removals that nothing but a static function begins under mmu_lock held for read. */
static void error_restores_removed(struct kunit *test)
{
	const struct entry *e = test->param_value;
	struct bed *b = bed_of(test);
	struct tdp_iter iter;
	u64 leaf;
	u32 from;

	bed_map(b, BED_MIRROR, PAGE_GFN, e->level);
	leaf = bed_spte(b, BED_MIRROR, PAGE_GFN, e->level);
	b->fail = (struct bed_fail){ .err = e->err, .level = e->level, .times = 1 };
	from = bed_ops_from(b);
	mmu_lock(b, true);
	walk_to(b, BED_MIRROR, e->level, &iter);
	KUNIT_EXPECT_EQ(test, um_tdp_mmu_set_spte_atomic(b->kvm, &iter, SHADOW_NONPRESENT_VALUE),
			e->err);
	mmu_unlock(b, true);
	KUNIT_ASSERT_EQ(test, bed_ops_from(b), from + 1);
	BED_EXPECT_OK(b, bed_in_window(b, &b->op[from]));
	EXPECT_SPTE(b, READ_ONCE(*iter.sptep), leaf, e->level, BED_MIRROR);
	EXPECT_SPTE(b, iter.old_spte, leaf, e->level, BED_MIRROR);
	BED_EXPECT_OK(b, bed_agree(b, PAGE_GFN, PAGE_GFN + gfns_of(e->level)));
	BED_EXPECT_OK(b, bed_books(b));
}
#endif

static struct kunit_case frozen_cases[] = {
	KUNIT_CASE_PARAM(freeze_tell_unfreeze, new_entry_gen_params),
	KUNIT_CASE_PARAM(error_restores_none, failing_entry_gen_params),
	KUNIT_CASE_PARAM(error_restores_leaf, failing_leaf_gen_params),
	KUNIT_CASE_PARAM(fault_meets_frozen, meeting_gen_params),
	KUNIT_CASE_PARAM(frozen_stays_frozen, trespass_gen_params),
	KUNIT_CASE_PARAM(frozen_table_is_not_zapped, level_gen_params),
	KUNIT_CASE_PARAM(removal_waits_for_owner, owned_entry_gen_params),
	KUNIT_CASE_PARAM(age_keeps_off_mirror, level_gen_params),
	KUNIT_CASE_PARAM(age_of_mirror_warns, level_gen_params),
	KUNIT_CASE_PARAM(fast_fault_keeps_off_mirror, level_gen_params),
#ifdef CONFIG_UML
	KUNIT_CASE_PARAM(long_term_frozen_warns, setter_gen_params),
	KUNIT_CASE_PARAM(change_of_frozen_warns, empty_setter_gen_params),
	KUNIT_CASE_PARAM(lost_cmpxchg_refreshes_old_spte, loser_gen_params),
	KUNIT_CASE_PARAM(error_restores_removed, failing_leaf_gen_params),
	KUNIT_CASE_PARAM(fast_fault_keeps_off_frozen, level_gen_params),
#endif
	KUNIT_CASE(checks_see_frozen),
	KUNIT_CASE(checks_see_missing_window),
	KUNIT_CASE(checks_see_unrestored),
	{}
};

BED_SUITE(tdp_mmu_frozen, frozen_cases);

MODULE_DESCRIPTION("FROZEN SPTEs of the TDP MMU");
MODULE_LICENSE("GPL");
