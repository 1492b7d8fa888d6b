// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_mmu_split: huge leafs are split into tables of small ones. The children have
 * to map what the huge leaf did, bit by bit; whatever goes wrong on the way has to
 * leave the huge leaf; and on a mirror root the external page table has to follow
 * with a page of its own, or to be left alone. Knows the ways into a split, and what
 * may come in between; nothing of how the external page table does it.
 */
#include "leafs.h"

struct split_param {
	const char *name;
	enum bed_kind kind;
	int level;		/* of the huge leaf */
	bool shared;		/* mmu_lock held for read */
};

/* Split what is in the first leaf of this level, one level down. */
static void split_first(struct bed *b, const struct split_param *p)
{
	bed_split(b, p->kind, BED_GFN, BED_GFN + size_of(p->level), p->level - 1, p->shared);
}

/* A huge leaf for the first GFNs; what its entry reads. */
static u64 map_first(struct bed *b, enum bed_kind kind, int level)
{
	u64 spte;

	bed_map(b, kind, BED_GFN, level);
	spte = bed_spte(b, kind, BED_GFN, level);
	KUNIT_ASSERT_TRUE(b->test, is_shadow_present_pte(spte) && is_large_pte(spte));
	return spte;
}

/* What the i-th child of a huge leaf has to read: the slow and obvious way. */
static u64 child_of(u64 huge, int level, int i)
{
	u64 spte = huge + i * (size_of(level - 1) << PAGE_SHIFT);

	return level == PG_LEVEL_2M ? spte & ~PT_PAGE_SIZE_MASK : spte;
}

static void expect_children(struct bed *b, enum bed_kind kind, u64 huge, int level)
{
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		u64 want = child_of(huge, level, i);
		u64 spte = bed_spte(b, kind, BED_GFN + i * size_of(level - 1), level - 1);

		if (spte == want)
			continue;
		KUNIT_FAIL(b->test, "child %d of %s is %s (%#llx), not %s (%#llx)", i,
			   bed_str(b, huge, level, kind), bed_str(b, spte, level - 1, kind), spte,
			   bed_str(b, want, level - 1, kind), want);
		return;
	}
}

/* The first huge leaf is as it was, and nobody has counted anything else. */
static void expect_whole(struct bed *b, enum bed_kind kind, u64 huge, int level)
{
	u64 spte = bed_spte(b, kind, BED_GFN, level);

	KUNIT_EXPECT_EQ_MSG(b->test, spte, huge, "%s instead of %s",
			    bed_str(b, spte, level, kind), bed_str(b, huge, level, kind));
	KUNIT_EXPECT_EQ(b->test, counted(b, level), 1);
	KUNIT_EXPECT_EQ(b->test, counted(b, level - 1), 0);
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[kind]));
}

/*
 * make_nonleaf_spte(): the link says whether there are A/D bits below, and is Accessed if
 * there are, so that no CPU has to set it.
 */
static void expect_link(struct bed *b, enum bed_kind kind, int level)
{
	u64 spte = bed_spte(b, kind, BED_GFN, level);

	KUNIT_EXPECT_EQ(b->test, spte_ad_enabled(spte), kvm_ad_enabled);
	KUNIT_EXPECT_EQ(b->test, spte & shadow_accessed_mask, shadow_accessed_mask);
}

/* The first huge leaf has become 512, and they are counted. */
static void expect_split(struct bed *b, enum bed_kind kind, u64 huge, int level)
{
	BED_EXPECT_OK(b, bed_children_of(b, kind, BED_GFN, level, huge));
	expect_link(b, kind, level);
	KUNIT_EXPECT_EQ(b->test, counted(b, level), 0);
	KUNIT_EXPECT_EQ(b->test, counted(b, level - 1), SPTE_ENT_PER_PAGE);
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[kind]));
}

/* --- what becomes of the leaf --- */

static const struct split_param direct_params[] = {
	{ "2m_exclusive", BED_DIRECT, PG_LEVEL_2M, false },
	{ "2m_shared", BED_DIRECT, PG_LEVEL_2M, true },
	{ "1g_exclusive", BED_DIRECT, PG_LEVEL_1G, false },
	{ "1g_shared", BED_DIRECT, PG_LEVEL_1G, true },
};

KUNIT_ARRAY_PARAM_DESC(direct, direct_params, name);

static void split_makes_children(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	u64 huge = map_first(b, p->kind, p->level);

	split_first(b, p);
	expect_split(b, p->kind, huge, p->level);
	expect_children(b, p->kind, huge, p->level);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, 0, bed_ops_from(b)), 0);
}

static void clear_dirty(struct bed *b)
{
	read_lock(&b->kvm->mmu_lock);
	kvm_tdp_mmu_clear_dirty_slot(b->kvm, b->slot);
	read_unlock(&b->kvm->mmu_lock);
}

static void write_protect_slot(struct bed *b)
{
	read_lock(&b->kvm->mmu_lock);
	kvm_tdp_mmu_wrprot_slot(b->kvm, b->slot, PG_LEVEL_4K);
	read_unlock(&b->kvm->mmu_lock);
}

static void write_protect_gfn(struct bed *b)
{
	write_lock(&b->kvm->mmu_lock);
	kvm_tdp_mmu_write_protect_gfn(b->kvm, b->slot, BED_GFN, PG_LEVEL_4K);
	write_unlock(&b->kvm->mmu_lock);
}

static void make_old(struct bed *b)
{
	struct kvm_gfn_range range = {
		.slot = b->slot,
		.start = BED_GFN,
		.end = BED_GFN + BED_PAGES,
		.attr_filter = KVM_FILTER_SHARED,
	};

	kvm_tdp_mmu_age_gfn_range(b->kvm, &range);
}

/* Where the CPU has no A/D bits, a page that is aged cannot be read until it is used. */
static void track_access(struct bed *b)
{
	u64 *sptep = bed_sptep(b, b->root[BED_DIRECT], BED_GFN, PG_LEVEL_2M);

	if (!shadow_acc_track_mask)
		kunit_skip(b->test, "no SPTE is tracked for access here (not EPT)");
	WRITE_ONCE(*sptep, mark_spte_for_access_track((READ_ONCE(*sptep) | SPTE_TDP_AD_DISABLED) &
						      ~PT_WRITABLE_MASK));
}

/* What a huge leaf may be like when it is split. */
struct bits_param {
	const char *name;
	int level;
	bool shared;
	bool ro;			/* the host's mapping is read-only */
	bool prefetch;			/* nobody has touched it yet */
	void (*change)(struct bed *b);	/* what has happened to it since */
};

static const struct bits_param bits_params[] = {
	{ "host_read_only", PG_LEVEL_2M, true, .ro = true },
	{ "host_read_only_1g", PG_LEVEL_1G, false, .ro = true },
	{ "not_accessed", PG_LEVEL_2M, true, .prefetch = true },
	{ "aged", PG_LEVEL_2M, false, .change = make_old },
	{ "aged_1g", PG_LEVEL_1G, true, .change = make_old },
	{ "not_dirty", PG_LEVEL_2M, true, .change = clear_dirty },
	{ "not_dirty_1g", PG_LEVEL_1G, false, .change = clear_dirty },
	{ "write_protected", PG_LEVEL_2M, true, .change = write_protect_slot },
	{ "write_protected_1g", PG_LEVEL_1G, true, .change = write_protect_slot },
	{ "write_tracked", PG_LEVEL_2M, false, .change = write_protect_gfn },
	{ "access_tracked", PG_LEVEL_2M, true, .change = track_access },
};

KUNIT_ARRAY_PARAM_DESC(bits, bits_params, name);

static void split_keeps_bits(struct kunit *test)
{
	const struct bits_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct bed_fault f = {
		.kind = BED_DIRECT, .gfn = BED_GFN, .level = p->level,
		.read = p->ro || p->prefetch, .ro = p->ro, .prefetch = p->prefetch,
	};
	u64 plain, huge;

	/* the same leaf as it normally is: the case would say nothing if both were alike */
	plain = map_first(b, BED_DIRECT, p->level);
	bed_zap_leafs(b, BED_GFN, BED_GFN + size_of(p->level));

	KUNIT_ASSERT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	if (p->change)
		p->change(b);
	huge = bed_spte(b, BED_DIRECT, BED_GFN, p->level);
	KUNIT_ASSERT_NE(test, huge, plain);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + 1, p->level - 1, p->shared);
	expect_split(b, BED_DIRECT, huge, p->level);
	expect_children(b, BED_DIRECT, huge, p->level);
}

/* Only what overlaps the range goes all the way down, the rest of the 1G stays 2M. */
static void split_two_levels(struct kunit *test)
{
	const bool *shared = test->param_value;
	struct bed *b = bed_of(test);
	int i;

	map_first(b, BED_DIRECT, PG_LEVEL_1G);
	bed_split(b, BED_DIRECT, BED_2M(1) + 3, BED_2M(3) + 1, PG_LEVEL_4K, *shared);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_1G), 0);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_2M), SPTE_ENT_PER_PAGE - 3);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), 3 * SPTE_ENT_PER_PAGE);
	BED_EXPECT_OK(b, bed_books(b));
	for (i = 0; i < 5; i++) {
		u64 spte = bed_spte(b, BED_DIRECT, BED_2M(i), PG_LEVEL_2M);

		KUNIT_EXPECT_EQ_MSG(test, is_large_pte(spte), i < 1 || i > 3, "2M piece %d is %s",
				    i, bed_str(b, spte, PG_LEVEL_2M, BED_DIRECT));
	}
	for (i = 0; i < 3 * SPTE_ENT_PER_PAGE; i++)
		if (spte_to_pfn(bed_spte(b, BED_DIRECT, BED_2M(1) + i, PG_LEVEL_4K)) !=
		    bed_pfn(b, BED_2M(1) + i))
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, 3 * SPTE_ENT_PER_PAGE, "page %d maps something else", i);
}

static const bool lock_params[] = { false, true };

static void lock_desc(const bool *shared, char *desc)
{
	strscpy(desc, *shared ? "shared" : "exclusive", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lock, lock_params, lock_desc);

/* Four 2M leafs around a 1G boundary; the range, in pages from the first. */
struct range_param {
	const char *name;
	gfn_t start;
	gfn_t end;
	u8 split;		/* bit i: the i-th leaf is split */
	bool shared;
};

#define LEAF(n) ((n) * 512)
static const struct range_param range_params[] = {
	{ "all", LEAF(0), LEAF(4), 0xf, true },
	{ "aligned", LEAF(1), LEAF(3), 0x6, false },
	{ "start_in_a_leaf", LEAF(1) + 511, LEAF(3), 0x6, true },
	{ "end_in_a_leaf", LEAF(1), LEAF(2) + 1, 0x6, false },
	{ "in_one_leaf", LEAF(2) + 7, LEAF(2) + 8, 0x4, true },
	{ "both_ends_in_leafs", LEAF(0) + 1, LEAF(3) - 1, 0x7, false },
	{ "empty", LEAF(2), LEAF(2), 0x0, true },
	{ "behind", LEAF(4), LEAF(6), 0x0, false },
};

KUNIT_ARRAY_PARAM_DESC(range, range_params, name);

static void split_range_ends(struct kunit *test)
{
	const struct range_param *p = test->param_value;
	gfn_t base = BED_1G(1) - LEAF(2);
	struct bed *b = bed_of(test);
	int i;

	for (i = 0; i < 4; i++)
		bed_map(b, BED_DIRECT, base + LEAF(i), PG_LEVEL_2M);
	bed_split(b, BED_DIRECT, base + p->start, base + p->end, PG_LEVEL_4K, p->shared);
	for (i = 0; i < 4; i++) {
		u64 spte = bed_spte(b, BED_DIRECT, base + LEAF(i), PG_LEVEL_2M);

		KUNIT_EXPECT_EQ_MSG(test, !is_large_pte(spte), !!(p->split & BIT(i)),
				    "leaf %d is %s", i,
				    bed_str(b, spte, PG_LEVEL_2M, BED_DIRECT));
	}
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_2M), 4 - hweight8(p->split));
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), LEAF(hweight8(p->split)));
	BED_EXPECT_OK(b, bed_books(b));
}

/* There is nothing that would have to be split. */
struct nothing_param {
	const char *name;
	int level;		/* of the leaf, 0: none */
	int target;
	bool shared;
};

static const struct nothing_param nothing_params[] = {
	{ "empty_root", 0, PG_LEVEL_4K, true },
	{ "small_leaf", PG_LEVEL_4K, PG_LEVEL_4K, false },
	{ "leaf_of_target_size", PG_LEVEL_2M, PG_LEVEL_2M, true },
	{ "leaf_below_target", PG_LEVEL_4K, PG_LEVEL_2M, false },
};

KUNIT_ARRAY_PARAM_DESC(nothing, nothing_params, name);

static void split_has_nothing_to_do(struct kunit *test)
{
	const struct nothing_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int kind;
	u32 from;

	for (kind = BED_DIRECT; p->level && kind <= BED_MIRROR; kind++)
		bed_map(b, kind, BED_GFN, p->level);
	from = bed_ops_from(b);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + BED_PAGES, p->target, p->shared);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 0);
	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++)
		KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[kind], BED_GFN, BED_GFN + BED_PAGES),
				p->level ? 1 : 0);
	BED_EXPECT_OK(b, bed_books(b));
}

/* A root that is on its way out is not worth a table. */
static void split_leaves_invalid_roots(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *old = b->root[BED_DIRECT];
	u64 huge = map_first(b, BED_DIRECT, PG_LEVEL_2M);
	u64 *sptep = bed_sptep(b, old, BED_GFN, PG_LEVEL_2M);

	KUNIT_ASSERT_NOT_NULL(test, sptep);
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + LEAF(1), PG_LEVEL_4K, true);
	KUNIT_EXPECT_EQ(test, READ_ONCE(*sptep), huge);
	bed_zap_invalidated(b, true);
	bed_reload(b);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- a fault that wants less than the huge leaf --- */

static void fault_splits_leaf(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = BED_GFN + 5, .level = p->level - 1 };
	struct bed *b = bed_of(test);
	u64 huge = map_first(b, BED_DIRECT, p->level);
	int ret = bed_fault(b, &f);

	KUNIT_EXPECT_TRUE_MSG(test, ret == RET_PF_FIXED || ret == RET_PF_SPURIOUS,
			      "the fault said %d", ret);
	expect_split(b, BED_DIRECT, huge, p->level);
	expect_children(b, BED_DIRECT, huge, p->level);
}

/* The way back: tables of small leafs give way to a huge one. */
static void recover(struct bed *b)
{
	/* KVM flushes the memslot there, and wants this lock for it */
	guard(mutex)(&b->kvm->slots_lock);
	read_lock(&b->kvm->mmu_lock);
	kvm_tdp_mmu_recover_huge_pages(b->kvm, b->slot);
	read_unlock(&b->kvm->mmu_lock);
}

/*
 * The first leaf once it is recovered, and its level: as large as the home's memory
 * allows, hence at least @level, what it was.
 */
static u64 recovered(struct bed *b, int *level)
{
	u64 spte;
	int l;

	for (l = PG_LEVEL_1G; l >= *level; l--) {
		spte = bed_spte(b, BED_DIRECT, BED_GFN, l);
		if (is_shadow_present_pte(spte) && is_large_pte(spte))
			break;
	}
	KUNIT_ASSERT_GE(b->test, l, *level);
	*level = l;
	return spte;
}

/* S2: the children of a split are taken apart again. */
static void recover_after_split(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int l = p->level;
	u64 spte;

	map_first(b, BED_DIRECT, p->level);
	split_first(b, p);
	recover(b);
	spte = recovered(b, &l);
	KUNIT_EXPECT_EQ(test, spte_to_pfn(spte), bed_pfn(b, BED_GFN));
	KUNIT_EXPECT_EQ(test, counted(b, l), 1);
	KUNIT_EXPECT_EQ(test, counted(b, p->level - 1), 0);
	BED_EXPECT_OK(b, bed_books(b));
}

static void set_nx(void *value)
{
	WRITE_ONCE(nx_huge_pages, (long)value);
}

static bool is_executable(u64 spte)
{
	if (shadow_nx_mask)
		return !(spte & shadow_nx_mask);
	return spte & (VMX_EPT_EXECUTABLE_MASK | VMX_EPT_USER_EXECUTABLE_MASK);
}

/*
 * Where a CPU can be crashed by fetching from huge pages (nx_huge_pages), nothing but 4K
 * leafs are executable, however they have come about. make_spte(), make_small_spte(),
 * make_huge_spte() in spte.c
 */
static void huge_is_not_executable(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int l = p->level;
	u64 spte;

	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, set_nx,
							(void *)(long)nx_huge_pages), 0);
	set_nx((void *)0);
	KUNIT_ASSERT_TRUE(test, is_executable(map_first(b, BED_DIRECT, p->level)));
	bed_zap_leafs(b, BED_GFN, BED_GFN + size_of(p->level));

	set_nx((void *)1);
	spte = map_first(b, BED_DIRECT, p->level);
	KUNIT_EXPECT_FALSE_MSG(test, is_executable(spte), "mapped by a fault: %#llx", spte);
	split_first(b, p);
	spte = bed_spte(b, BED_DIRECT, BED_GFN, p->level - 1);
	KUNIT_EXPECT_EQ_MSG(test, is_executable(spte), p->level == PG_LEVEL_2M,
			    "made by a split, level %d: %#llx", p->level - 1, spte);
	recover(b);
	spte = recovered(b, &l);
	KUNIT_EXPECT_FALSE_MSG(test, is_executable(spte), "recovered, level %d: %#llx", l, spte);
}

/* --- dirty logging --- */

/*
 * Eager splitting: the log is switched on, leafs are protected, then split. A
 * write then makes one page writable, and only this one.
 */
static void split_under_dirty_log(struct kunit *test)
{
	const bool *shared = test->param_value;
	struct bed_fault f = { .kind = BED_DIRECT, .gfn = BED_GFN + 9, .level = PG_LEVEL_4K };
	struct bed *b = bed_of(test);
	u64 huge, spte;
	bool written;
	int i;

	map_first(b, BED_DIRECT, PG_LEVEL_2M);
	home_log_dirty(b, true);
	write_protect_slot(b);
	huge = bed_spte(b, BED_DIRECT, BED_GFN, PG_LEVEL_2M);
	KUNIT_ASSERT_FALSE(test, huge & PT_WRITABLE_MASK);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + LEAF(1), PG_LEVEL_4K, *shared);
	expect_split(b, BED_DIRECT, huge, PG_LEVEL_2M);

	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		spte = bed_spte(b, BED_DIRECT, BED_GFN + i, PG_LEVEL_4K);
		written = i == 9;
		if (is_writable_pte(spte) != written)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, i, SPTE_ENT_PER_PAGE, "page %d: %s", i,
			    bed_str(b, spte, PG_LEVEL_4K, BED_DIRECT));
	home_log_dirty(b, false);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- others at the same time --- */

static void split_yields(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	gfn_t size = size_of(p->level);
	int i;

	need_point(b, BED_YIELD);
	for (i = 0; i < 4; i++)
		bed_map(b, BED_DIRECT, BED_GFN + i * size, p->level);
	bed_want_yield(b, true);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + 4 * size, p->level - 1, p->shared);
	bed_want_yield(b, false);
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	KUNIT_EXPECT_EQ(test, counted(b, p->level - 1), 4 * SPTE_ENT_PER_PAGE);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], BED_GFN, BED_GFN + 4 * size),
			4 * SPTE_ENT_PER_PAGE);
	BED_EXPECT_OK(b, bed_books(b));
}

static long split_thread(struct bed *b, void *arg)
{
	split_first(b, arg);
	return 0;
}

static long fault_thread(struct bed *b, void *arg)
{
	struct bed_fault *f = arg;

	return bed_fault(b, f);
}

static long yielding_split_thread(struct bed *b, void *arg)
{
	struct split_param *p = arg;

	bed_want_yield(b, true);
	bed_split(b, p->kind, BED_GFN, BED_GFN + 2 * size_of(p->level), p->level - 1, p->shared);
	bed_want_yield(b, false);
	return 0;
}

static long unmap_two_thread(struct bed *b, void *arg)
{
	struct split_param *p = arg;

	return unmap_at_once(b, BED_GFN, BED_GFN + 2 * size_of(p->level), KVM_FILTER_SHARED);
}

/* A has filled its table, B links one of its own: A's is thrown away. */
static void split_loses_to_split(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, p->level),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_actor actors[] = {
		{ split_thread, (void *)p },
		{ split_thread, (void *)p },
	};
	struct bed *b = bed_of(test);
	u64 huge;

	need_point(b, BED_BEFORE_CMPXCHG);
	huge = map_first(b, p->kind, p->level);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	expect_split(b, p->kind, huge, p->level);
	expect_children(b, p->kind, huge, p->level);
}

/* The same, lost to a fault that wants a small page. */
static void split_loses_to_fault(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, p->level),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = p->kind, .gfn = BED_GFN + 3, .level = p->level - 1 };
	struct bed_actor actors[] = {
		{ split_thread, (void *)p },
		{ fault_thread, &f },
	};
	struct bed *b = bed_of(test);
	u64 huge;

	need_point(b, BED_BEFORE_CMPXCHG);
	huge = map_first(b, p->kind, p->level);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_NE(test, actors[1].ret, RET_PF_RETRY);
	expect_split(b, p->kind, huge, p->level);
}

/* The other way round: the fault's table is the one too many. */
static void fault_loses_to_split(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_CMPXCHG, p->level),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = p->kind, .gfn = BED_GFN + 3, .level = p->level - 1 };
	struct bed_actor actors[] = {
		{ fault_thread, &f },
		{ split_thread, (void *)p },
	};
	struct bed *b = bed_of(test);
	u64 huge;

	need_point(b, BED_BEFORE_CMPXCHG);
	huge = map_first(b, p->kind, p->level);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	expect_split(b, p->kind, huge, p->level);
}

/*
 * A has split the first leaf and yields at the second. B waits for mmu_lock, gets it
 * then, and unmaps both: what A has seen of the second one is of the past.
 */
static void split_yields_to_unmap(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_YIELD, p->level),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_YIELDED),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_actor actors[] = {
		{ yielding_split_thread, (void *)p },
		{ unmap_two_thread, (void *)p },
	};
	struct bed *b = bed_of(test);

	need_point(b, BED_YIELD);
	map_first(b, p->kind, p->level);
	bed_map(b, p->kind, BED_GFN + size_of(p->level), p->level);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	BED_EXPECT_OK(b, bed_nothing_left(b, b->root[p->kind], BED_GFN, BED_GFN + BED_PAGES));
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	KUNIT_EXPECT_EQ(test, counted(b, p->level - 1), 0);
	BED_EXPECT_OK(b, bed_books(b));
}

static const struct split_param shared_params[] = {
	{ "2m", BED_DIRECT, PG_LEVEL_2M, true },
	{ "1g", BED_DIRECT, PG_LEVEL_1G, true },
};

KUNIT_ARRAY_PARAM_DESC(shared, shared_params, name);

/* --- the memory for the new table --- */

struct refuse_param {
	const char *name;
	int level;
	int err;
};

#ifdef CONFIG_UML
/*
 * What happens where a split allocates: mmu_lock has been dropped, and anything may
 * come in between.
 */
struct alloc_watch {
	struct bed *b;
	int seen;			/* allocations so far */
	int fail;			/* which of them fails, 0: none */
	int locked;			/* how many found mmu_lock held */
	int in_rcu;			/* ... or were in an RCU read section */
	void (*meanwhile)(struct bed *b);	/* what others do at the first */
};

static bool on_alloc(void *arg)
{
	struct alloc_watch *w = arg;

	w->seen++;
	w->locked += lockdep_is_held(&w->b->kvm->mmu_lock) == LOCK_STATE_HELD;
	w->in_rcu += rcu_preempt_depth() > 0;
	if (w->seen == 1 && w->meanwhile)
		w->meanwhile(w->b);
	return w->seen == w->fail;
}

static void split_watched(struct alloc_watch *w, enum bed_kind kind, gfn_t end, int level,
			  bool shared)
{
	um_watch_alloc(on_alloc, w);
	bed_split(w->b, kind, BED_GFN, end, level, shared);
	um_watch_alloc(NULL, NULL);
}

static void split_allocates_unlocked(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct alloc_watch w = { .b = bed_of(test) };

	bed_needs_lockdep(w.b);
	if (p->kind == BED_MIRROR)
		bed_needs_mirror_split(w.b);
	map_first(w.b, p->kind, p->level);
	split_watched(&w, p->kind, BED_GFN + 1, p->level - 1, p->shared);
	/* header and table, and what the external page table gets */
	KUNIT_EXPECT_EQ(test, w.seen, p->kind == BED_MIRROR ? 3 : 2);
	KUNIT_EXPECT_EQ(test, w.locked, 0);
	KUNIT_EXPECT_EQ(test, w.in_rcu, 0);
	KUNIT_EXPECT_EQ(test, counted(w.b, p->level - 1), SPTE_ENT_PER_PAGE);
}

static const struct split_param alloc_params[] = {
	{ "direct_exclusive", BED_DIRECT, PG_LEVEL_2M, false },
	{ "direct_shared", BED_DIRECT, PG_LEVEL_2M, true },
	{ "mirror_2m", BED_MIRROR, PG_LEVEL_2M, false },
	{ "mirror_1g", BED_MIRROR, PG_LEVEL_1G, false },
};

KUNIT_ARRAY_PARAM_DESC(alloc, alloc_params, name);

/* Two leafs; which allocation fails, and how many leafs are split by then. */
struct no_memory_param {
	const char *name;
	enum bed_kind kind;
	int fail;
	int split;
	bool shared;
};

static const struct no_memory_param no_memory_params[] = {
	{ "header_exclusive", BED_DIRECT, 1, 0, false },
	{ "header_shared", BED_DIRECT, 1, 0, true },
	{ "table_exclusive", BED_DIRECT, 2, 0, false },
	{ "table_shared", BED_DIRECT, 2, 0, true },
	{ "header_of_second", BED_DIRECT, 3, 1, true },
	{ "table_of_second", BED_DIRECT, 4, 1, false },
	{ "external_page", BED_MIRROR, 3, 0, false },
	{ "external_page_of_second", BED_MIRROR, 6, 1, false },
};

KUNIT_ARRAY_PARAM_DESC(no_memory, no_memory_params, name);

static void split_without_memory(struct kunit *test)
{
	const struct no_memory_param *p = test->param_value;
	struct alloc_watch w = { .b = bed_of(test), .fail = p->fail };
	struct bed *b = w.b;
	int refs;

	if (p->kind == BED_MIRROR)
		bed_needs_mirror_split(b);
	map_first(b, p->kind, PG_LEVEL_2M);
	bed_map(b, p->kind, BED_2M(1), PG_LEVEL_2M);
	refs = refcount_read(&b->root[p->kind]->tdp_mmu_root_count);

	split_watched(&w, p->kind, BED_2M(2), PG_LEVEL_4K, p->shared);
	KUNIT_EXPECT_EQ(test, w.seen, p->fail);	/* it does not go on without */
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_2M), 2 - p->split);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), LEAF(p->split));
	KUNIT_EXPECT_EQ(test, refcount_read(&b->root[p->kind]->tdp_mmu_root_count), refs);
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_2M(2)));
}

static void zap_leaf_meanwhile(struct bed *b)
{
	bed_zap_leafs(b, BED_GFN, BED_2M(1));
}

/* The table that the walk stood in is gone, and its memory, too. */
static void zap_table_meanwhile(struct bed *b)
{
	struct kvm_mmu_page *sp = sptep_to_sp(bed_sptep(b, b->root[BED_DIRECT], BED_GFN,
							PG_LEVEL_2M));

	scoped_guard(read_lock, &b->kvm->mmu_lock) {
		guard(rcu)();
		kvm_tdp_mmu_zap_possible_nx_huge_page(b->kvm, sp);
	}
	rcu_barrier();
}

static void map_small_meanwhile(struct bed *b)
{
	zap_leaf_meanwhile(b);
	bed_map(b, BED_DIRECT, BED_GFN + 1, PG_LEVEL_4K);
}

static void split_by_fault_meanwhile(struct bed *b)
{
	struct bed_fault f = { .kind = BED_DIRECT, .vcpu = 1, .gfn = BED_GFN, .level = 1 };

	bed_fault(b, &f);
}

struct meanwhile_param {
	const char *name;
	void (*meanwhile)(struct bed *b);
	int leafs;		/* that are there in the end */
	bool shared;
};

static const struct meanwhile_param meanwhile_params[] = {
	{ "leaf_zapped_exclusive", zap_leaf_meanwhile, 0, false },
	{ "leaf_zapped_shared", zap_leaf_meanwhile, 0, true },
	{ "table_freed_exclusive", zap_table_meanwhile, 0, false },
	{ "table_freed_shared", zap_table_meanwhile, 0, true },
	{ "small_page_exclusive", map_small_meanwhile, 1, false },
	{ "small_page_shared", map_small_meanwhile, 1, true },
	{ "split_by_fault_exclusive", split_by_fault_meanwhile, SPTE_ENT_PER_PAGE, false },
	{ "split_by_fault_shared", split_by_fault_meanwhile, SPTE_ENT_PER_PAGE, true },
};

KUNIT_ARRAY_PARAM_DESC(meanwhile, meanwhile_params, name);

/* While the split allocates, without mmu_lock, its leaf becomes something else. */
static void split_starts_again(struct kunit *test)
{
	const struct meanwhile_param *p = test->param_value;
	struct alloc_watch w = { .b = bed_of(test), .meanwhile = p->meanwhile };
	struct bed *b = w.b;

	map_first(b, BED_DIRECT, PG_LEVEL_2M);
	split_watched(&w, BED_DIRECT, BED_2M(1), PG_LEVEL_4K, p->shared);
	KUNIT_EXPECT_EQ(test, bed_leafs(b, b->root[BED_DIRECT], BED_GFN, BED_GFN + BED_PAGES),
			p->leafs);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_2M), 0);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), p->leafs);
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_no_frozen(b, b->root[BED_DIRECT]));
}

/* --- a table that cannot be linked --- */

/* A table that is not linked yet, as a fault takes it. */
static struct kvm_mmu_page *new_table(struct bed *b, enum bed_kind kind)
{
	struct kvm_mmu_page *sp;

	KUNIT_ASSERT_EQ(b->test, home_load(b, 0), 0);	/* tops caches up */
	sp = um_tdp_mmu_alloc_sp(b->vcpu[0]);
	if (kind == BED_MIRROR)
		kvm_mmu_alloc_external_spt(b->vcpu[0], sp);
	return sp;
}

/*
 * As the callers of tdp_mmu_split_huge_page() do it; mmu_lock held, in an RCU section.
 * @now: what somebody else makes of the leaf in between, 0: nothing
 */
static int link_table(struct bed *b, enum bed_kind kind, int level, struct kvm_mmu_page *sp,
		      struct tdp_iter *iter, u64 now)
{
	iter_to(b, iter, b->root[kind], BED_GFN, level);
	um_tdp_mmu_init_child_sp(sp, iter);
	if (now)
		WRITE_ONCE(*rcu_dereference(iter->sptep), now);
	return um_tdp_mmu_split_huge_page(b->kvm, iter, sp, true);
}

/* Somebody else has changed the leaf, which stays as he has left it. */
static void split_keeps_newer_leaf(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *sp = new_table(b, p->kind);
	u64 newer = map_first(b, p->kind, p->level) & ~PT_WRITABLE_MASK;
	struct tdp_iter iter;
	int ret = 0;

	scoped_guard(read_lock, &b->kvm->mmu_lock) {
		guard(rcu)();
		ret = link_table(b, p->kind, p->level, sp, &iter, newer);
	}
	KUNIT_EXPECT_EQ(test, ret, -EBUSY);
	KUNIT_EXPECT_EQ(test, iter.old_spte, newer);
	um_tdp_mmu_free_unused_sp(sp);
	expect_whole(b, p->kind, newer, p->level);
}

static const struct refuse_param refuse_params[] = {
	{ "2m_busy", PG_LEVEL_2M, -EBUSY },
	{ "2m_error", PG_LEVEL_2M, -EIO },
	{ "2m_granted", PG_LEVEL_2M, 0 },
	{ "1g_busy", PG_LEVEL_1G, -EBUSY },
	{ "1g_error", PG_LEVEL_1G, -EIO },
	{ "1g_granted", PG_LEVEL_1G, 0 },
};

KUNIT_ARRAY_PARAM_DESC(refuse, refuse_params, name);

/* The external page table has the last word, while the mirror leaf is frozen. */
static void split_link_refused(struct kunit *test)
{
	const struct refuse_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *sp = new_table(b, BED_MIRROR);
	u64 huge = map_first(b, BED_MIRROR, p->level);
	u32 from = bed_ops_from(b);
	struct tdp_iter iter;
	int ret = 0;

	KUNIT_ASSERT_NOT_NULL(test, sp);
	b->fail = (struct bed_fail) { .err = p->err, .level = p->level };
	scoped_guard(read_lock, &b->kvm->mmu_lock) {
		guard(rcu)();
		ret = link_table(b, BED_MIRROR, p->level, sp, &iter, 0);
	}
	b->fail.err = 0;
	KUNIT_EXPECT_EQ(test, ret, p->err);
	KUNIT_ASSERT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	BED_EXPECT_OK(b, bed_in_window(b, &b->op[from]));
	KUNIT_EXPECT_EQ(test, b->op[from].old_spte, huge);
	KUNIT_EXPECT_NOT_NULL(test, b->op[from].external_spt);
	if (ret) {
		um_tdp_mmu_free_unused_sp(sp);
		expect_whole(b, BED_MIRROR, huge, p->level);
	} else {
		expect_split(b, BED_MIRROR, huge, p->level);
	}
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}
#endif

/* --- mirror roots of a kernel that has no page for the external table --- */

static void need_plain_kernel(struct bed *b)
{
	if (bed_has_mirror_split(b))
		kunit_skip(b->test, "this kernel gives the external page table a page");
}

static const struct split_param mirror_params[] = {
	{ "2m_exclusive", BED_MIRROR, PG_LEVEL_2M, false },
	{ "2m_shared", BED_MIRROR, PG_LEVEL_2M, true },
	{ "1g_exclusive", BED_MIRROR, PG_LEVEL_1G, false },
	{ "1g_shared", BED_MIRROR, PG_LEVEL_1G, true },
};

KUNIT_ARRAY_PARAM_DESC(mirror, mirror_params, name);

/* An external page table that helps itself can follow: it is told, once, of the leaf. */
static void mirror_split_is_told(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u64 huge;
	u32 from;

	need_plain_kernel(b);
	huge = map_first(b, BED_MIRROR, p->level);
	from = bed_ops_from(b);
	split_first(b, p);
	KUNIT_ASSERT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	op = &b->op[from];
	KUNIT_EXPECT_EQ(test, op->level, p->level);
	KUNIT_EXPECT_EQ(test, op->gfn, BED_GFN);
	KUNIT_EXPECT_EQ(test, op->old_spte, huge);
	KUNIT_EXPECT_EQ(test, op->new_spte, bed_spte(b, BED_MIRROR, BED_GFN, p->level));
	KUNIT_EXPECT_NULL(test, op->external_spt);
	if (p->shared)
		BED_EXPECT_OK(b, bed_in_window(b, op));
	expect_split(b, BED_MIRROR, huge, p->level);
	expect_children(b, BED_MIRROR, huge, p->level);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}

struct again_param {
	const char *name;
	int level;
	int err;
	int times;
};

static const struct again_param again_params[] = {
	{ "2m_busy_once", PG_LEVEL_2M, -EBUSY, 1 },
	{ "2m_error_100_times", PG_LEVEL_2M, -EIO, 100 },
	{ "1g_busy_100_times", PG_LEVEL_1G, -EBUSY, 100 },
	{ "1g_error_once", PG_LEVEL_1G, -EIO, 1 },
};

KUNIT_ARRAY_PARAM_DESC(again, again_params, name);

/*
 * Refused under mmu_lock held for read, KVM has the leaf back each time, and asks
 * again without end or pause (see Documentation/findings.rst).
 */
static void mirror_split_asks_again(struct kunit *test)
{
	const struct again_param *p = test->param_value;
	struct bed *b = bed_of(test);
	u64 huge;
	u32 from;
	int i;

	need_plain_kernel(b);
	huge = map_first(b, BED_MIRROR, p->level);
	from = bed_ops_from(b);
	b->fail = (struct bed_fail) { .err = p->err, .level = p->level, .times = p->times };
	bed_split(b, BED_MIRROR, BED_GFN, BED_GFN + 1, p->level - 1, true);
	b->fail.err = 0;
	KUNIT_ASSERT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), p->times + 1);
	for (i = 0; i <= p->times; i++) {
		KUNIT_EXPECT_EQ(test, b->op[from + i].old_spte, huge);
		KUNIT_EXPECT_EQ(test, b->op[from + i].ret, i < p->times ? p->err : 0);
		BED_EXPECT_OK(b, bed_in_window(b, &b->op[from + i]));
	}
	expect_split(b, BED_MIRROR, huge, p->level);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}

static const struct split_param strict_params[] = {
	{ "2m", BED_MIRROR, PG_LEVEL_2M, false },
	{ "1g", BED_MIRROR, PG_LEVEL_1G, false },
};

KUNIT_ARRAY_PARAM_DESC(strict, strict_params, name);

/* The external leaf is whole, whatever has become of the mirror one. */
static void expect_external_whole(struct bed *b, int level)
{
	struct bed_external e;

	KUNIT_ASSERT_TRUE(b->test, bed_external(b, BED_GFN, level, &e));
	KUNIT_EXPECT_TRUE(b->test, e.present && e.leaf);
	KUNIT_EXPECT_FALSE(b->test, e.blocked);
	KUNIT_EXPECT_EQ(b->test, e.pfn, bed_pfn(b, BED_GFN));
}

/*
 * Refused under mmu_lock held for write, the mirror leaf is a table already: KVM
 * gives the VM up, so that no vCPU gets to see the difference.
 */
static void mirror_split_refused_bugs_vm(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	u32 from;

	need_plain_kernel(b);
	map_first(b, BED_MIRROR, p->level);
	from = bed_ops_from(b);
	b->strict = true;
	b->expect_bugged = true;
	bed_expect_warn(b);
	split_first(b, p);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
	KUNIT_ASSERT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	KUNIT_EXPECT_EQ(test, b->op[from].ret, -EIO);
	KUNIT_EXPECT_EQ(test, b->op[from].lock, 'w');
	expect_external_whole(b, p->level);
}

/*
 * A fault for a small page of a huge mirror leaf: KVM gives the VM up, too, and splits
 * it all the same (see Documentation/findings.rst).
 */
static void mirror_fault_on_huge_bugs_vm(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = BED_GFN + 1, .level = p->level - 1 };
	struct bed *b = bed_of(test);
	u64 huge;

	need_plain_kernel(b);
	huge = map_first(b, BED_MIRROR, p->level);
	b->expect_bugged = true;
	bed_expect_warn(b);
	bed_fault(b, &f);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
	expect_split(b, BED_MIRROR, huge, p->level);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}

/*
 * A fault that has found no memslot, and comes when there is one and others have
 * mapped it: KVM splits the leaf to put MMIO there, and warns. See findings.rst; this
 * fails on the day that such a fault is retried.
 */
static void late_mmio_fault_on_huge_warns(struct kunit *test)
{
	struct bed_fault f = {
		.kind = BED_DIRECT, .gfn = BED_GFN + 1, .level = PG_LEVEL_4K,
		.pfn = KVM_PFN_NOSLOT,
	};
	struct bed *b = bed_of(test);
	u64 huge;

	huge = map_first(b, BED_DIRECT, PG_LEVEL_2M);
	bed_expect_warn(b);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_SPURIOUS);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	expect_split(b, BED_DIRECT, huge, PG_LEVEL_2M);
}

/* --- mirror roots of a kernel that has (VARIANT=mirror-split) --- */

/* The external leaf is demoted with a page of KVM's, before anybody sees the table. */
static void mirror_split_brings_page(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	const struct bed_op *op;
	u64 huge;
	u32 from;

	bed_needs_mirror_split(b);
	huge = map_first(b, BED_MIRROR, p->level);
	from = bed_ops_from(b);
	b->strict = true;
	split_first(b, p);
	KUNIT_ASSERT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 1);
	op = &b->op[from];
	KUNIT_EXPECT_EQ(test, op->old_spte, huge);
	KUNIT_EXPECT_EQ(test, op->new_spte, bed_spte(b, BED_MIRROR, BED_GFN, p->level));
	KUNIT_EXPECT_EQ(test, op->seen, huge);
	KUNIT_EXPECT_NOT_NULL(test, op->external_spt);
	KUNIT_EXPECT_EQ(test, op->lock, 'w');
	expect_split(b, BED_MIRROR, huge, p->level);
	expect_children(b, BED_MIRROR, huge, p->level);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}

/* Blocking and tracking an external leaf takes mmu_lock held for write. */
static void mirror_split_shared_keeps_leaf(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed *b = bed_of(test);
	u64 huge;
	u32 from;

	bed_needs_mirror_split(b);
	huge = map_first(b, BED_MIRROR, p->level);
	from = bed_ops_from(b);
	bed_split(b, BED_MIRROR, BED_GFN, BED_GFN + 1, p->level - 1, true);
	KUNIT_EXPECT_EQ(test, bed_count_ops(b, from, bed_ops_from(b)), 0);
	expect_whole(b, BED_MIRROR, huge, p->level);
}

static const struct refuse_param demote_params[] = {
	{ "2m_busy", PG_LEVEL_2M, -EBUSY },
	{ "2m_error", PG_LEVEL_2M, -EIO },
	{ "1g_busy", PG_LEVEL_1G, -EBUSY },
	{ "1g_error", PG_LEVEL_1G, -EIO },
};

KUNIT_ARRAY_PARAM_DESC(demote, demote_params, name);

/* One leaf cannot be demoted: it stays huge on both sides, and the next one's turn comes. */
static void mirror_split_demote_fails(struct kunit *test)
{
	const struct refuse_param *p = test->param_value;
	gfn_t second = BED_GFN + size_of(p->level);
	struct bed *b = bed_of(test);
	u64 huge;

	bed_needs_mirror_split(b);
	huge = map_first(b, BED_MIRROR, p->level);
	bed_map(b, BED_MIRROR, second, p->level);
	b->fail = (struct bed_fail) { .err = p->err, .level = p->level, .times = 1 };
	bed_split(b, BED_MIRROR, BED_GFN, second + 1, p->level - 1, false);
	b->fail.err = 0;
	KUNIT_EXPECT_FALSE(test, b->kvm->vm_bugged);
	KUNIT_EXPECT_EQ(test, bed_spte(b, BED_MIRROR, BED_GFN, p->level), huge);
	expect_external_whole(b, p->level);
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 1);
	KUNIT_EXPECT_EQ(test, counted(b, p->level - 1), SPTE_ENT_PER_PAGE);
	BED_EXPECT_OK(b, bed_books(b));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, second + size_of(p->level)));
}

/* The huge mirror leaf serves a fault for a small page; nobody splits it. */
static void mirror_fault_keeps_leaf(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = BED_GFN + 1, .level = p->level - 1 };
	struct bed *b = bed_of(test);
	u64 huge;

	bed_needs_mirror_split(b);
	huge = map_first(b, BED_MIRROR, p->level);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_SPURIOUS);
	expect_whole(b, BED_MIRROR, huge, p->level);
}

/* A fault for a huge page steps down into the table that is there; nobody promotes it. */
static void mirror_fault_keeps_table(struct kunit *test)
{
	const struct split_param *p = test->param_value;
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = BED_GFN + size_of(p->level - 1),
				.level = p->level };
	struct bed *b = bed_of(test);
	u64 table;

	bed_needs_mirror_split(b);
	bed_map(b, BED_MIRROR, BED_GFN, p->level - 1);
	table = bed_spte(b, BED_MIRROR, BED_GFN, p->level);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, bed_spte(b, BED_MIRROR, BED_GFN, p->level), table);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + size_of(p->level)));
}

/* --- do the checks bite? --- */

/* What a broken split might leave behind in the 38th child, and what notices. */
struct broken_param {
	const char *name;
	u64 flip;		/* bits of the child */
	u64 instead;		/* or a whole value */
};

static const struct broken_param broken_params[] = {
	{ "neighbours_page", .flip = PAGE_SIZE },
	{ "write_lost", .flip = PT_WRITABLE_MASK },
	{ "still_huge", .flip = PT_PAGE_SIZE_MASK },
	{ "missing", .instead = SHADOW_NONPRESENT_VALUE },
	{ "frozen", .instead = FROZEN_SPTE },
};

KUNIT_ARRAY_PARAM_DESC(broken, broken_params, name);

static void broken_child_is_caught(struct kunit *test)
{
	const struct broken_param *p = test->param_value;
	struct bed *b = bed_of(test);
	u64 huge = map_first(b, BED_DIRECT, PG_LEVEL_2M);
	u64 *child, good;

	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + 1, PG_LEVEL_4K, false);
	expect_split(b, BED_DIRECT, huge, PG_LEVEL_2M);
	child = bed_sptep(b, b->root[BED_DIRECT], BED_GFN + 37, PG_LEVEL_4K);
	KUNIT_ASSERT_NOT_NULL(test, child);
	good = READ_ONCE(*child);
	WRITE_ONCE(*child, p->instead ?: good ^ p->flip);
	BED_EXPECT_CAUGHT(b, bed_children_of(b, BED_DIRECT, BED_GFN, PG_LEVEL_2M, huge));
	if (p->instead == FROZEN_SPTE)
		BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[BED_DIRECT]));
	if (p->instead)
		BED_EXPECT_CAUGHT(b, bed_books(b));
	WRITE_ONCE(*child, good);
	expect_split(b, BED_DIRECT, huge, PG_LEVEL_2M);
}

/* A split that is not counted, and one that the external page table has not followed. */
static void broken_books_are_caught(struct kunit *test)
{
	struct bed *b = bed_of(test);

	map_first(b, BED_DIRECT, PG_LEVEL_2M);
	bed_split(b, BED_DIRECT, BED_GFN, BED_GFN + 1, PG_LEVEL_4K, false);
	kvm_update_page_stats(b->kvm, PG_LEVEL_2M, 1);
	BED_EXPECT_CAUGHT(b, bed_books(b));
	kvm_update_page_stats(b->kvm, PG_LEVEL_2M, -1);
	kvm_update_page_stats(b->kvm, PG_LEVEL_4K, -SPTE_ENT_PER_PAGE);
	BED_EXPECT_CAUGHT(b, bed_books(b));
	kvm_update_page_stats(b->kvm, PG_LEVEL_4K, SPTE_ENT_PER_PAGE);
	BED_EXPECT_OK(b, bed_books(b));
}

static void broken_agreement_is_caught(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 *leaf, good;

	good = map_first(b, BED_MIRROR, PG_LEVEL_2M);
	leaf = bed_sptep(b, b->root[BED_MIRROR], BED_GFN, PG_LEVEL_2M);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_2M(1)));
	WRITE_ONCE(*leaf, good + (size_of(PG_LEVEL_2M) << PAGE_SHIFT));
	BED_EXPECT_CAUGHT(b, bed_agree(b, BED_GFN, BED_2M(1)));
	WRITE_ONCE(*leaf, SHADOW_NONPRESENT_VALUE);
	BED_EXPECT_CAUGHT(b, bed_agree(b, BED_GFN, BED_2M(1)));
	WRITE_ONCE(*leaf, good);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_2M(1)));
}

static struct kunit_case split_cases[] = {
	KUNIT_CASE_PARAM(split_makes_children, direct_gen_params),
	KUNIT_CASE_PARAM(split_keeps_bits, bits_gen_params),
	KUNIT_CASE_PARAM(split_two_levels, lock_gen_params),
	KUNIT_CASE_PARAM(split_range_ends, range_gen_params),
	KUNIT_CASE_PARAM(split_has_nothing_to_do, nothing_gen_params),
	KUNIT_CASE(split_leaves_invalid_roots),
	KUNIT_CASE_PARAM(fault_splits_leaf, shared_gen_params),
	KUNIT_CASE_PARAM(recover_after_split, shared_gen_params),
	KUNIT_CASE_PARAM(huge_is_not_executable, direct_gen_params),
	KUNIT_CASE_PARAM(split_under_dirty_log, lock_gen_params),
	KUNIT_CASE_PARAM(split_yields, direct_gen_params),
	KUNIT_CASE_PARAM(split_yields_to_unmap, direct_gen_params),
	KUNIT_CASE_PARAM(split_loses_to_split, shared_gen_params),
	KUNIT_CASE_PARAM(split_loses_to_fault, shared_gen_params),
	KUNIT_CASE_PARAM(fault_loses_to_split, shared_gen_params),
#ifdef CONFIG_UML
	KUNIT_CASE_PARAM(split_allocates_unlocked, alloc_gen_params),
	KUNIT_CASE_PARAM(split_without_memory, no_memory_gen_params),
	KUNIT_CASE_PARAM(split_starts_again, meanwhile_gen_params),
	KUNIT_CASE_PARAM(split_keeps_newer_leaf, shared_gen_params),
	KUNIT_CASE_PARAM(split_link_refused, refuse_gen_params),
#endif
	KUNIT_CASE_PARAM(mirror_split_is_told, mirror_gen_params),
	KUNIT_CASE_PARAM(mirror_split_asks_again, again_gen_params),
	KUNIT_CASE_PARAM(mirror_split_refused_bugs_vm, strict_gen_params),
	KUNIT_CASE_PARAM(mirror_fault_on_huge_bugs_vm, strict_gen_params),
	KUNIT_CASE(late_mmio_fault_on_huge_warns),
	KUNIT_CASE_PARAM(mirror_split_brings_page, strict_gen_params),
	KUNIT_CASE_PARAM(mirror_split_shared_keeps_leaf, strict_gen_params),
	KUNIT_CASE_PARAM(mirror_split_demote_fails, demote_gen_params),
	KUNIT_CASE_PARAM(mirror_fault_keeps_leaf, strict_gen_params),
	KUNIT_CASE_PARAM(mirror_fault_keeps_table, strict_gen_params),
	KUNIT_CASE_PARAM(broken_child_is_caught, broken_gen_params),
	KUNIT_CASE(broken_books_are_caught),
	KUNIT_CASE(broken_agreement_is_caught),
	{}
};

BED_SUITE(tdp_mmu_split, split_cases);

MODULE_DESCRIPTION("KUnit tests of the TDP MMU: split");
MODULE_LICENSE("GPL");
