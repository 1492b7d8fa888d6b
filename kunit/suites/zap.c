// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_mmu_zap: what is zapped is gone, all of it and nothing else, from every root
 * that is meant; tables go with their children, after a grace period; nobody who may
 * still have a translation is forgotten when mmu_lock is dropped; and roots live as
 * long as somebody uses them. Knows the ways to zap, and who may come in between.
 */
#include "leafs.h"

struct zap_param {
	const char *name;
	enum bed_kind kind;
	int level;		/* of the leafs */
	bool shared;		/* mmu_lock held for read, where there is a choice */
};

static const char *nothing_left(struct bed *b, enum bed_kind kind)
{
	return bed_nothing_left(b, b->root[kind], BED_GFN, BED_GFN + BED_PAGES);
}

static u64 leafs_of(struct bed *b, struct kvm_mmu_page *root)
{
	return bed_leafs(b, root, BED_GFN, BED_GFN + BED_PAGES);
}

static enum bed_kind other(enum bed_kind kind)
{
	return kind == BED_DIRECT ? BED_MIRROR : BED_DIRECT;
}

static int roots_of(enum bed_kind kind)
{
	return kind == BED_DIRECT ? KVM_DIRECT_ROOTS : KVM_MIRROR_ROOTS;
}

static unsigned int filter_of(enum bed_kind kind)
{
	return kind == BED_DIRECT ? KVM_FILTER_SHARED : KVM_FILTER_PRIVATE;
}

/*
 * Has anything been flushed since? On a busy machine a zap may yield behind its last
 * leaf, flush before that, and then say that there is nothing to flush.
 */
static bool flushed(struct bed *b, u32 since)
{
	return home_flushes(b) != since;
}

/* --- leafs --- */

static const struct zap_param leaf_params[] = {
	{ "direct_4k", BED_DIRECT, PG_LEVEL_4K },
	{ "direct_2m", BED_DIRECT, PG_LEVEL_2M },
	{ "direct_1g", BED_DIRECT, PG_LEVEL_1G },
	{ "mirror_4k", BED_MIRROR, PG_LEVEL_4K },
	{ "mirror_2m", BED_MIRROR, PG_LEVEL_2M },
	{ "mirror_1g", BED_MIRROR, PG_LEVEL_1G },
};

KUNIT_ARRAY_PARAM_DESC(leaf, leaf_params, name);

/* Tables stay, leafs go; the external table is told of each, and of nothing else. */
static void zap_removes_leafs(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int i, n = p->level == PG_LEVEL_1G ? 2 : 5;
	u32 from, flushes;

	for (i = 0; i < n; i++)
		bed_map(b, p->kind, BED_GFN + i * size_of(p->level), p->level);
	from = bed_ops_from(b);
	flushes = home_flushes(b);
	bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES);
	KUNIT_EXPECT_TRUE(test, flushed(b, flushes));
	BED_EXPECT_OK(b, nothing_left(b, p->kind));
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	KUNIT_EXPECT_NOT_NULL(test, bed_sptep(b, b->root[p->kind], BED_GFN, p->level));
	KUNIT_ASSERT_EQ(test, bed_ops_from(b) - from, p->kind == BED_MIRROR ? n : 0);
	for (i = 0; p->kind == BED_MIRROR && i < n; i++) {
		KUNIT_EXPECT_EQ(test, b->op[from + i].gfn, BED_GFN + i * size_of(p->level));
		KUNIT_EXPECT_EQ(test, b->op[from + i].new_spte, SHADOW_NONPRESENT_VALUE);
		BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[from + i]));
	}
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* Four leafs around a boundary of the next level; the range, in pages from the first. */
struct range_param {
	const char *name;
	int level;
	gfn_t start;
	gfn_t end;
	u8 gone;		/* bit i: the i-th leaf is gone */
};

#define M2(n) ((gfn_t)(n) * 512)
#define G1(n) ((gfn_t)(n) * 512 * 512)
static const struct range_param range_params[] = {
	{ "4k_all", PG_LEVEL_4K, 0, 4, 0xf },
	{ "4k_up_to_the_boundary", PG_LEVEL_4K, 0, 2, 0x3 },
	{ "4k_across_the_boundary", PG_LEVEL_4K, 1, 3, 0x6 },
	{ "4k_one", PG_LEVEL_4K, 2, 3, 0x4 },
	{ "4k_empty", PG_LEVEL_4K, 2, 2, 0x0 },
	{ "2m_aligned", PG_LEVEL_2M, M2(1), M2(3), 0x6 },
	{ "2m_start_in_a_leaf", PG_LEVEL_2M, M2(1) + 511, M2(3), 0x6 },
	{ "2m_end_in_a_leaf", PG_LEVEL_2M, M2(1), M2(2) + 1, 0x6 },
	{ "2m_in_one_leaf", PG_LEVEL_2M, M2(3) + 7, M2(3) + 8, 0x8 },
	{ "2m_both_ends_in_leafs", PG_LEVEL_2M, M2(0) + 1, M2(2) + 511, 0x7 },
	{ "2m_behind", PG_LEVEL_2M, M2(4), M2(6), 0x0 },
	{ "1g_end_in_a_leaf", PG_LEVEL_1G, 0, G1(2) + 1, 0x7 },
	{ "1g_in_one_leaf", PG_LEVEL_1G, G1(1) + M2(3), G1(1) + M2(3) + 1, 0x2 },
};

KUNIT_ARRAY_PARAM_DESC(range, range_params, name);

/* A leaf that reaches into the range goes as a whole; its neighbours stay. */
static void zap_range_ends(struct kunit *test)
{
	const struct range_param *p = test->param_value;
	struct bed *b = bed_of(test);
	gfn_t base = p->level == PG_LEVEL_1G ? BED_GFN :
		     BED_1G(1) - 2 * size_of(p->level);
	int i, kind;
	u32 flushes;

	for (i = 0; i < 4; i++)
		for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++)
			bed_map(b, kind, base + i * size_of(p->level), p->level);
	flushes = home_flushes(b);
	bed_zap_leafs(b, base + p->start, base + p->end);
	/* (one too many does no harm) */
	KUNIT_EXPECT_TRUE(test, flushed(b, flushes) || !p->gone);
	for (i = 0; i < 4; i++) {
		for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++) {
			u64 spte = bed_spte(b, kind, base + i * size_of(p->level), p->level);

			KUNIT_EXPECT_EQ_MSG(test, is_shadow_present_pte(spte),
					    !(p->gone & BIT(i)), "leaf %d is %s", i,
					    bed_str(b, spte, p->level, kind));
		}
	}
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 2 * (4 - hweight8(p->gone)));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* Who zaps nothing passes on what he was told of flushes; who zaps asks for one. */
static void zap_tells_of_flush(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm *kvm = b->kvm;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	guard(write_lock)(&kvm->mmu_lock);
	KUNIT_EXPECT_TRUE(test, kvm_tdp_mmu_zap_leafs(kvm, BED_2M(1), BED_2M(2), true));
	/* (one page: no entry behind it at which the walk might yield) */
	KUNIT_EXPECT_TRUE(test, kvm_tdp_mmu_zap_leafs(kvm, BED_GFN, BED_GFN + 1, false));
}

/* Both tables map the page; whose turn it is. */
struct filter_param {
	const char *name;
	unsigned int filter;
};

static const struct filter_param filter_params[] = {
	{ "private", KVM_FILTER_PRIVATE },
	{ "shared", KVM_FILTER_SHARED },
	{ "both", KVM_FILTER_PRIVATE | KVM_FILTER_SHARED },
};

KUNIT_ARRAY_PARAM_DESC(filter, filter_params, name);

static void unmap_filters(struct kunit *test)
{
	const struct filter_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int kind, level;
	u32 flushes;

	for (level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++)
		for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++)
			bed_map(b, kind, BED_1G(level), level);
	flushes = home_flushes(b);
	bed_unmap(b, BED_GFN, BED_GFN + BED_PAGES, p->filter);
	KUNIT_EXPECT_TRUE(test, flushed(b, flushes));
	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++)
		KUNIT_EXPECT_EQ_MSG(test, leafs_of(b, b->root[kind]),
				    p->filter & filter_of(kind) ? 0 : 3, "%s root",
				    kind == BED_MIRROR ? "mirror" : "direct");
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/*
 * Under mmu_lock held for write a refusal has nowhere to go: KVM gives the VM up, and
 * goes on counting the leaf (see Documentation/findings.rst).
 */
struct refused_param {
	const char *name;
	int level;
	int err;
};

static const struct refused_param refused_params[] = {
	{ "4k_busy", PG_LEVEL_4K, -EBUSY },
	{ "4k_error", PG_LEVEL_4K, -EIO },
	{ "2m_busy", PG_LEVEL_2M, -EBUSY },
	{ "2m_error", PG_LEVEL_2M, -EIO },
	{ "1g_busy", PG_LEVEL_1G, -EBUSY },
	{ "1g_error", PG_LEVEL_1G, -EIO },
};

KUNIT_ARRAY_PARAM_DESC(refused, refused_params, name);

static void zap_refused_bugs_vm(struct kunit *test)
{
	const struct refused_param *p = test->param_value;
	struct bed *b = bed_of(test);

	bed_map(b, BED_MIRROR, BED_GFN, p->level);
	b->fail = (struct bed_fail) { .err = p->err, .level = p->level, .times = 1 };
	b->expect_bugged = true;
	bed_expect_warn(b);
	bed_zap_leafs(b, BED_GFN, BED_GFN + 1);
	KUNIT_EXPECT_EQ(test, bed_warns(b), 1);
	KUNIT_EXPECT_TRUE(test, b->kvm->vm_bugged);
	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[BED_MIRROR]), 0);
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 1);
}

/* --- roots that are invalid --- */

/*
 * Invalidate the root of this kind and keep it. Who still has a reference may have
 * SPTEs that map pages: they count until the last one is gone.
 */
static struct kvm_mmu_page *invalidate(struct bed *b, enum bed_kind kind)
{
	struct kvm_mmu_page *root = b->root[kind];

	KUNIT_ASSERT_TRUE(b->test, kvm_tdp_mmu_get_root(root));
	bed_invalidate(b, roots_of(kind));
	KUNIT_EXPECT_TRUE(b->test, root->role.invalid);
	return root;
}

static void let_go(struct bed *b, struct kvm_mmu_page *root, bool shared)
{
	bed_zap_invalidated(b, shared);
	bed_reload(b);
	kvm_tdp_mmu_put_root(b->kvm, root);
	BED_EXPECT_OK(b, bed_books(b));
}

static const struct zap_param root_params[] = {
	{ "direct_exclusive", BED_DIRECT, PG_LEVEL_4K, false },
	{ "direct_shared", BED_DIRECT, PG_LEVEL_4K, true },
	{ "direct_2m_exclusive", BED_DIRECT, PG_LEVEL_2M, false },
	{ "direct_2m_shared", BED_DIRECT, PG_LEVEL_2M, true },
	{ "mirror_exclusive", BED_MIRROR, PG_LEVEL_4K, false },
	{ "mirror_2m_exclusive", BED_MIRROR, PG_LEVEL_2M, false },
	{ "mirror_shared", BED_MIRROR, PG_LEVEL_4K, true },
	{ "mirror_2m_shared", BED_MIRROR, PG_LEVEL_2M, true },
	{ "direct_1g_exclusive", BED_DIRECT, PG_LEVEL_1G, false },
	{ "mirror_1g_exclusive", BED_MIRROR, PG_LEVEL_1G, false },
};

KUNIT_ARRAY_PARAM_DESC(root, root_params, name);

/* Z2: an invalidated root loses every entry, the other root none. */
static void zap_invalidated_empties_root(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root;
	int i;

	for (i = 0; i < 3; i++) {
		bed_map(b, p->kind, BED_1G(i), p->level);
		bed_map(b, other(p->kind), BED_1G(i), p->level);
	}
	root = invalidate(b, p->kind);
	KUNIT_EXPECT_EQ(test, leafs_of(b, root), 3);	/* not yet */
	bed_zap_invalidated(b, p->shared);
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
	KUNIT_EXPECT_NULL(test, bed_sptep(b, root, BED_GFN, PG_LEVEL_1G));
	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[other(p->kind)]), 3);
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 3);
	let_go(b, root, p->shared);
}

static const struct zap_param notifier_params[] = {
	{ "direct_4k", BED_DIRECT, PG_LEVEL_4K },
	{ "direct_2m", BED_DIRECT, PG_LEVEL_2M },
	{ "direct_1g", BED_DIRECT, PG_LEVEL_1G },
	{ "mirror_4k", BED_MIRROR, PG_LEVEL_4K },
	{ "mirror_2m", BED_MIRROR, PG_LEVEL_2M },
	{ "mirror_1g", BED_MIRROR, PG_LEVEL_1G },
};

KUNIT_ARRAY_PARAM_DESC(notifier, notifier_params, name);

/*
 * A root is invalid, its zap has yielded or has not begun, and the host takes the
 * pages back: they have to go from there, too. No vCPU can use the root any more, so
 * nobody has to flush.
 */
static void unmap_reaches_invalid_root(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root;

	bed_map(b, p->kind, BED_GFN, p->level);
	root = invalidate(b, p->kind);
	KUNIT_EXPECT_FALSE(test, bed_unmap(b, BED_GFN, BED_GFN + 1, filter_of(p->kind)));
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
	let_go(b, root, false);
}

static const struct zap_param beside_params[] = {
	{ "4k", BED_DIRECT, PG_LEVEL_4K },
	{ "2m", BED_DIRECT, PG_LEVEL_2M },
	{ "1g", BED_DIRECT, PG_LEVEL_1G },
};

KUNIT_ARRAY_PARAM_DESC(beside, beside_params, name);

/* L1: what has to be flushed because of the valid root the invalid one does not undo. */
static void unmap_flushes_beside_invalid_root(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root;

	bed_map(b, p->kind, BED_GFN, p->level);
	root = invalidate(b, p->kind);
	bed_reload(b);
	bed_map(b, p->kind, BED_GFN, p->level);
	KUNIT_ASSERT_PTR_NE(test, b->root[p->kind], root);
	KUNIT_EXPECT_TRUE(test, bed_unmap(b, BED_GFN, BED_GFN + 1, filter_of(p->kind)));
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	let_go(b, root, false);
}

/* The filter holds for invalid roots, too. */
static void unmap_filters_invalid_roots(struct kunit *test)
{
	const struct filter_param *p = test->param_value;
	struct kvm_mmu_page *root[2];
	struct bed *b = bed_of(test);
	int kind;

	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++) {
		bed_map(b, kind, BED_GFN, PG_LEVEL_4K);
		root[kind] = b->root[kind];
		KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root[kind]));
	}
	bed_invalidate(b, KVM_VALID_ROOTS);
	bed_unmap(b, BED_GFN, BED_GFN + 1, p->filter);
	for (kind = BED_DIRECT; kind <= BED_MIRROR; kind++)
		KUNIT_EXPECT_EQ(test, leafs_of(b, root[kind]),
				p->filter & filter_of(kind) ? 0 : 1);
	kvm_tdp_mmu_put_root(b->kvm, root[BED_DIRECT]);
	let_go(b, root[BED_MIRROR], false);
}

/* Leafs are zapped for who may use them: an invalid root is not worth the time. */
static void zap_leafs_passes_invalid_root(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	root = invalidate(b, BED_DIRECT);
	KUNIT_EXPECT_FALSE(test, bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES));
	KUNIT_EXPECT_EQ(test, leafs_of(b, root), 1);
	let_go(b, root, true);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), 0);
}

/* The VMM is gone: all direct roots are emptied, and mirror roots are not looked at. */
static void zap_all_is_for_direct_roots(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *old;
	u32 from;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_2M);
	bed_map(b, BED_MIRROR, BED_GFN, PG_LEVEL_4K);
	old = invalidate(b, BED_DIRECT);
	bed_reload(b);
	bed_map(b, BED_DIRECT, BED_1G(1), PG_LEVEL_4K);
	KUNIT_ASSERT_PTR_NE(test, b->root[BED_DIRECT], old);

	from = bed_ops_from(b);
	scoped_guard(write_lock, &b->kvm->mmu_lock)
		kvm_tdp_mmu_zap_all(b->kvm);
	KUNIT_EXPECT_EQ(test, leafs_of(b, old), 0);
	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[BED_DIRECT]), 0);
	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[BED_MIRROR]), 1);
	KUNIT_EXPECT_EQ(test, bed_ops_from(b), from);
	let_go(b, old, true);
}

/* --- references --- */

static int refs(const struct kvm_mmu_page *root)
{
	return refcount_read(&root->tdp_mmu_root_count);
}

static bool is_listed(struct bed *b, const struct kvm_mmu_page *which)
{
	struct kvm_mmu_page *root;

	guard(read_lock)(&b->kvm->mmu_lock);
	guard(rcu)();
	list_for_each_entry_rcu(root, &b->kvm->arch.tdp_mmu_roots, link)
		if (root == which)
			return true;
	return false;
}

static const struct zap_param kind_params[] = {
	{ "direct", BED_DIRECT, PG_LEVEL_4K },
	{ "mirror", BED_MIRROR, PG_LEVEL_4K },
};

KUNIT_ARRAY_PARAM_DESC(kind, kind_params, name);

/* Each user of a root has one reference, and walks give back what they take. */
static void references_are_given_back(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[p->kind];
	int n;

	bed_map(b, p->kind, BED_GFN, PG_LEVEL_2M);
	n = refs(root);
	home_unload(b, 1);
	KUNIT_EXPECT_EQ(test, refs(root), n - 1);
	KUNIT_ASSERT_EQ(test, home_load(b, 1), 0);
	KUNIT_EXPECT_EQ(test, refs(root), n);

	bed_split(b, p->kind, BED_1G(1), BED_1G(2), PG_LEVEL_4K, true);
	bed_unmap(b, BED_1G(1), BED_1G(2), filter_of(p->kind));
	bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES);
	bed_zap_invalidated(b, true);
	KUNIT_EXPECT_EQ(test, refs(root), n);
}

/* The TDP MMU's own reference goes with the zap, a root with its last reference. */
static void invalid_root_goes_with_last_user(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[p->kind];
	int n = refs(root);

	bed_map(b, p->kind, BED_GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root));
	bed_invalidate(b, roots_of(p->kind));
	KUNIT_EXPECT_EQ(test, refs(root), n + 1);
	bed_invalidate(b, roots_of(p->kind));	/* the second time does nothing */
	bed_zap_invalidated(b, false);
	KUNIT_EXPECT_EQ(test, refs(root), n);
	bed_zap_invalidated(b, false);
	KUNIT_EXPECT_EQ(test, refs(root), n);
	bed_reload(b);				/* the vCPUs use another one */
	KUNIT_EXPECT_EQ(test, refs(root), 1);
	KUNIT_EXPECT_PTR_NE(test, b->root[p->kind], root);
	KUNIT_EXPECT_TRUE(test, is_listed(b, root));
	kvm_tdp_mmu_put_root(b->kvm, root);
	KUNIT_EXPECT_FALSE(test, is_listed(b, root));
	KUNIT_EXPECT_TRUE(test, is_listed(b, b->root[p->kind]));
}

/* --- tables --- */

/* What an entry of a table may hold when the table is removed. */
enum entry_is {
	EMPTY,
	PRESENT,
	MMIO,
};

/* As the worker that recovers NX huge pages does: only if the table is still there. */
static bool zap_table_of(struct bed *b, struct kvm_mmu_page *sp)
{
	guard(read_lock)(&b->kvm->mmu_lock);
	guard(rcu)();
	return kvm_tdp_mmu_zap_possible_nx_huge_page(b->kvm, sp);
}

/* The table that has the entry for this GFN at this level. */
static struct kvm_mmu_page *table(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep = bed_sptep(b, b->root[kind], gfn, level);

	KUNIT_ASSERT_NOT_NULL(b->test, sptep);
	return sptep_to_sp(sptep);
}

static const struct zap_param table_params[] = {
	{ "direct_4k", BED_DIRECT, PG_LEVEL_4K, true },
	{ "direct_2m", BED_DIRECT, PG_LEVEL_2M, true },
	{ "direct_1g", BED_DIRECT, PG_LEVEL_1G, true },
	{ "mirror_4k", BED_MIRROR, PG_LEVEL_4K, true },
	{ "mirror_2m", BED_MIRROR, PG_LEVEL_2M, true },
	{ "mirror_1g", BED_MIRROR, PG_LEVEL_1G, true },
#ifdef CONFIG_UML
	{ "direct_4k_exclusive", BED_DIRECT, PG_LEVEL_4K, false },
	{ "direct_2m_exclusive", BED_DIRECT, PG_LEVEL_2M, false },
	{ "direct_1g_exclusive", BED_DIRECT, PG_LEVEL_1G, false },
	{ "mirror_4k_exclusive", BED_MIRROR, PG_LEVEL_4K, false },
	{ "mirror_2m_exclusive", BED_MIRROR, PG_LEVEL_2M, false },
	{ "mirror_1g_exclusive", BED_MIRROR, PG_LEVEL_1G, false },
#endif
};

KUNIT_ARRAY_PARAM_DESC(table, table_params, name);

/* Unlink the table that has entries of this level for the first GFN. */
static void zap_first_table(struct bed *b, const struct zap_param *p)
{
	struct kvm_mmu_page *sp = table(b, p->kind, BED_GFN, p->level);

	if (p->shared) {
		KUNIT_EXPECT_TRUE(b->test, zap_table_of(b, sp));
		return;
	}
#ifdef CONFIG_UML
	struct tdp_iter iter;

	guard(write_lock)(&b->kvm->mmu_lock);
	guard(rcu)();
	iter_to(b, &iter, b->root[p->kind], BED_GFN, p->level + 1);
	um_tdp_mmu_iter_set_spte(b->kvm, &iter, SHADOW_NONPRESENT_VALUE);
#endif
}

#define SMALL	3	/* pages in each of the two smallest tables */

/*
 * Everything below one table, down to 4K, goes with it: its own leafs, and those of
 * the tables in it. External leafs go before their table, small tables before large.
 */
static void zap_table_takes_all_below(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	gfn_t far = p->level == PG_LEVEL_1G ? BED_1G(1) : BED_GFN + 256 * size_of(p->level);
	gfn_t first = BED_GFN & -size_of(p->level + 1);
	struct bed *b = bed_of(test);
	u32 from;
	int i;

	bed_map(b, p->kind, far, p->level);
	for (i = 0; i < SMALL; i++) {
		bed_map(b, p->kind, BED_GFN + i, PG_LEVEL_4K);
		bed_map(b, p->kind, BED_2M(1) + i, PG_LEVEL_4K);
	}
	bed_map(b, other(p->kind), BED_GFN, PG_LEVEL_4K);
	from = bed_ops_from(b);
	zap_first_table(b, p);

	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[p->kind]), p->level == PG_LEVEL_4K ? SMALL : 0);
	KUNIT_EXPECT_EQ(test, leafs_of(b, b->root[other(p->kind)]), 1);
	KUNIT_EXPECT_NULL(test, bed_sptep(b, b->root[p->kind], BED_GFN, p->level));
	if (p->kind == BED_MIRROR) {
		BED_EXPECT_OK(b, bed_in_order(b, from, bed_ops_from(b)));
		KUNIT_EXPECT_GE(test, bed_find_op(b, from, true, first, p->level), 0);
	}
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* A table that has been replaced is somebody else's: its parent's entry stays as it is. */
enum parent {
	IS_EMPTY,
	IS_FROZEN,
	IS_OTHER_TABLE,
	IS_LEAF,
};

struct parent_param {
	const char *name;
	enum parent is;
};

static const struct parent_param parent_params[] = {
	{ "nothing_instead", IS_EMPTY },
	{ "frozen_by_another", IS_FROZEN },
	{ "another_table_instead", IS_OTHER_TABLE },
	{ "leaf_instead", IS_LEAF },
};

KUNIT_ARRAY_PARAM_DESC(parent, parent_params, name);

static void zap_table_spares_successor(struct kunit *test)
{
	const struct parent_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *sp;
	u64 *parent, was, now;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, BED_2M(1), PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, BED_2M(2), PG_LEVEL_2M);
	sp = table(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	parent = bed_sptep(b, b->root[BED_DIRECT], BED_GFN, PG_LEVEL_2M);
	was = READ_ONCE(*parent);
	now = p->is == IS_OTHER_TABLE ? bed_spte(b, BED_DIRECT, BED_2M(1), PG_LEVEL_2M) :
	      p->is == IS_LEAF ? bed_spte(b, BED_DIRECT, BED_2M(2), PG_LEVEL_2M) :
	      p->is == IS_FROZEN ? FROZEN_SPTE : SHADOW_NONPRESENT_VALUE;

	WRITE_ONCE(*parent, now);
	KUNIT_EXPECT_FALSE(test, zap_table_of(b, sp));
	KUNIT_EXPECT_EQ(test, READ_ONCE(*parent), now);
	WRITE_ONCE(*parent, was);
	KUNIT_EXPECT_TRUE(test, zap_table_of(b, sp));
	KUNIT_EXPECT_EQ(test, READ_ONCE(*parent), SHADOW_NONPRESENT_VALUE);
	BED_EXPECT_OK(b, bed_books(b));
}

/* What becomes of an entry when its table goes, looked at before the grace period ends. */
struct removed_param {
	const char *name;
	enum entry_is is;
	int level;		/* of the entry; the table that is removed has those of 1G */
	bool shared;
};

static const struct removed_param removed_params[] = {
	{ "empty_4k_shared", EMPTY, PG_LEVEL_4K, true },
	{ "empty_2m_shared", EMPTY, PG_LEVEL_2M, true },
	{ "empty_1g_shared", EMPTY, PG_LEVEL_1G, true },
	{ "present_4k_shared", PRESENT, PG_LEVEL_4K, true },
	{ "present_2m_shared", PRESENT, PG_LEVEL_2M, true },
	{ "present_1g_shared", PRESENT, PG_LEVEL_1G, true },
	{ "mmio_shared", MMIO, PG_LEVEL_4K, true },
#ifdef CONFIG_UML
	{ "empty_4k_exclusive", EMPTY, PG_LEVEL_4K, false },
	{ "empty_2m_exclusive", EMPTY, PG_LEVEL_2M, false },
	{ "empty_1g_exclusive", EMPTY, PG_LEVEL_1G, false },
	{ "present_4k_exclusive", PRESENT, PG_LEVEL_4K, false },
	{ "present_2m_exclusive", PRESENT, PG_LEVEL_2M, false },
	{ "present_1g_exclusive", PRESENT, PG_LEVEL_1G, false },
	{ "mmio_exclusive", MMIO, PG_LEVEL_4K, false },
#endif
};

KUNIT_ARRAY_PARAM_DESC(removed, removed_params, name);

/* An entry next to one that is present, in a table of this level. */
static u64 *make_entry(struct bed *b, enum entry_is is, int level)
{
	gfn_t gfn = BED_GFN + size_of(level);
	u64 *sptep, spte;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	if (is == PRESENT)
		bed_map(b, BED_DIRECT, gfn, level);
	sptep = bed_sptep(b, b->root[BED_DIRECT], gfn, level);
	if (is == MMIO) {
		if (!enable_mmio_caching)
			kunit_skip(b->test, "MMIO SPTEs are off (mmio_caching)");
		/* (make_mmio_spte() looks at memslots, by KVM's SRCU) */
		WRITE_ONCE(*sptep, b->kvm->arch.shadow_mmio_value | gfn_to_gpa(gfn));
	}
	spte = READ_ONCE(*sptep);
	KUNIT_ASSERT_EQ(b->test, is_mmio_spte(b->kvm, spte), is == MMIO);
	return sptep;
}

/*
 * With mmu_lock held for read every entry is frozen, so that a fault that still is in
 * the table cannot use it; held for write, nobody is there.
 */
static void removed_entries_are_frozen(struct kunit *test)
{
	const struct removed_param *p = test->param_value;
	const struct zap_param top = { "", BED_DIRECT, PG_LEVEL_1G, p->shared };
	struct bed *b = bed_of(test);
	u64 *entry = make_entry(b, p->is, p->level), before = READ_ONCE(*entry), after = 0;

	scoped_guard(rcu) {
		zap_first_table(b, &top);
		after = READ_ONCE(*entry);
	}
	KUNIT_EXPECT_EQ_MSG(test, after,
			    p->shared || p->is == PRESENT ? FROZEN_SPTE : before, "it is %s",
			    bed_str(b, after, p->level, BED_DIRECT));
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	BED_EXPECT_OK(b, bed_books(b));
}

/* An MMIO entry maps nothing: there is nothing to zap, nor to flush. */
static void zap_leafs_keeps_mmio(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 *entry = make_entry(b, MMIO, PG_LEVEL_4K), before = READ_ONCE(*entry);

	KUNIT_EXPECT_FALSE(test, bed_zap_leafs(b, BED_GFN + 1, BED_GFN + 2));
	bed_zap_leafs(b, BED_GFN, BED_GFN + 2);
	KUNIT_EXPECT_EQ(test, READ_ONCE(*entry), before);
	BED_EXPECT_OK(b, nothing_left(b, BED_DIRECT));
}

#ifdef CONFIG_UML
static const struct zap_param grace_params[] = {
	{ "direct_4k_shared", BED_DIRECT, PG_LEVEL_4K, true },
	{ "direct_1g_shared", BED_DIRECT, PG_LEVEL_1G, true },
	{ "direct_2m_exclusive", BED_DIRECT, PG_LEVEL_2M, false },
	{ "mirror_4k_shared", BED_MIRROR, PG_LEVEL_4K, true },
	{ "mirror_1g_exclusive", BED_MIRROR, PG_LEVEL_1G, false },
};

KUNIT_ARRAY_PARAM_DESC(grace, grace_params, name);

/* R1: whoever walks without mmu_lock may stand in any table that is removed. */
static void tables_outlive_walkers(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	int level, early = 0;
	struct page *page;
	s64 headers;

	bed_map(b, p->kind, BED_GFN, PG_LEVEL_4K);
	page = virt_to_page(bed_sptep(b, b->root[p->kind], BED_GFN, PG_LEVEL_4K));
	rcu_barrier();
	headers = um_headers();
	scoped_guard(rcu) {
		u64 *sptep = page_address(page);

		zap_first_table(b, p);
		early = page_count(page) != 1 || sptep_to_sp(sptep)->spt != sptep;
		KUNIT_EXPECT_EQ(test, um_headers(), headers);
	}
	KUNIT_EXPECT_FALSE_MSG(test, early, "a table is freed while a walker may be in it");
	rcu_barrier();
	for (level = PG_LEVEL_4K; level <= p->level; level++)
		headers--;
	KUNIT_EXPECT_EQ(test, um_headers(), headers);
}

/* ... and in the root itself: who looks for roots takes no lock either. */
static void root_outlives_walkers(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[p->kind];
	s64 headers;

	KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root));
	bed_invalidate(b, roots_of(p->kind));
	bed_zap_invalidated(b, p->shared);
	bed_reload(b);
	KUNIT_ASSERT_EQ(test, refs(root), 1);
	rcu_barrier();
	headers = um_headers();
	scoped_guard(rcu) {
		kvm_tdp_mmu_put_root(b->kvm, root);
		KUNIT_EXPECT_EQ(test, um_headers(), headers);
	}
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, um_headers(), headers - 1);
}
#endif

/* --- entries that another thread has frozen --- */

struct owner {
	const struct zap_param *p;
	u64 *sptep;
};

/* In the middle of a change: frozen, and not written yet. */
static long owner_thread(struct bed *b, void *arg)
{
	struct owner *o = arg;
	u64 spte = READ_ONCE(*o->sptep);

	guard(read_lock)(&b->kvm->mmu_lock);
	guard(rcu)();
	WRITE_ONCE(*o->sptep, FROZEN_SPTE);
	bed_point(BED_AFTER_FREEZE, BED_GFN, o->p->level);
	WRITE_ONCE(*o->sptep, spte);
	return 0;
}

static long zap_table_thread(struct bed *b, void *arg)
{
	return zap_table_of(b, arg);
}

static long fault_thread(struct bed *b, void *arg)
{
	return bed_fault(b, arg);
}

static const struct zap_param owner_params[] = {
	{ "4k", BED_DIRECT, PG_LEVEL_4K, true },
	{ "2m", BED_DIRECT, PG_LEVEL_2M, true },
	{ "1g", BED_DIRECT, PG_LEVEL_1G, true },
};

KUNIT_ARRAY_PARAM_DESC(owner, owner_params, name);

/*
 * B takes down all that is below 512G and meets, at some level, A's entry: it has to
 * wait, and to take what A has made of it.
 */
static void removal_waits_for_owner(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN('A', BED_AFTER_FREEZE),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct owner owner = { .p = p };
	struct bed_actor actors[] = {
		{ owner_thread, &owner },
		{ zap_table_thread, NULL },
	};

	need_point(b, BED_WAIT_OWNER);
	bed_map(b, p->kind, BED_GFN, p->level);
	bed_map(b, p->kind, BED_1G(1), PG_LEVEL_4K);
	owner.sptep = bed_sptep(b, b->root[p->kind], BED_GFN, p->level);
	actors[1].arg = table(b, p->kind, BED_GFN, PG_LEVEL_1G);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[1].ret, true);
	BED_EXPECT_OK(b, nothing_left(b, p->kind));
	KUNIT_EXPECT_EQ(test, counted(b, p->level), 0);
	BED_EXPECT_OK(b, bed_books(b));
}

/* A fault in the middle of its external operation, and what becomes of that. */
struct in_flight_param {
	const char *name;
	int level;
	int err;
	int ret;		/* of the fault */
};

static const struct in_flight_param in_flight_params[] = {
	{ "4k_done", PG_LEVEL_4K, 0, RET_PF_FIXED },
	{ "4k_busy", PG_LEVEL_4K, -EBUSY, RET_PF_RETRY },
	{ "4k_error", PG_LEVEL_4K, -EIO, RET_PF_RETRY },
	{ "2m_done", PG_LEVEL_2M, 0, RET_PF_FIXED },
	{ "2m_busy", PG_LEVEL_2M, -EBUSY, RET_PF_RETRY },
};

KUNIT_ARRAY_PARAM_DESC(in_flight, in_flight_params, name);

static void removal_waits_for_fault(struct kunit *test)
{
	const struct in_flight_param *p = test->param_value;
	gfn_t gfn = BED_GFN + size_of(p->level);
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_IN_EXTERNAL, p->level),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = BED_MIRROR, .gfn = gfn, .level = p->level };
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = {
		{ fault_thread, &f },
		{ zap_table_thread, NULL },
	};

	need_point(b, BED_WAIT_OWNER);
	bed_map(b, BED_MIRROR, BED_GFN, p->level);
	b->fail = (struct bed_fail) {
		.err = p->err, .level = p->level, .gfn = gfn, .gfn_too = true, .times = 1,
	};
	actors[1].arg = table(b, BED_MIRROR, BED_GFN, p->level);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	b->fail.err = 0;
	KUNIT_EXPECT_EQ(test, actors[0].ret, p->ret);
	KUNIT_EXPECT_EQ(test, actors[1].ret, true);
	BED_EXPECT_OK(b, nothing_left(b, BED_MIRROR));
	BED_EXPECT_OK(b, bed_in_order(b, 0, bed_ops_from(b)));
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- zap against fault --- */

/* A fault is about to fill an entry, when the table it is in goes: it has to try again. */
static void fault_loses_to_removal(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	enum bed_point point = p->kind == BED_MIRROR ? BED_BEFORE_FREEZE : BED_BEFORE_CMPXCHG;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', point, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = p->kind, .gfn = BED_GFN + 1, .level = PG_LEVEL_4K };
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = {
		{ fault_thread, &f },
		{ zap_table_thread, NULL },
	};

	need_point(b, point);
	bed_map(b, p->kind, BED_GFN, PG_LEVEL_4K);
	actors[1].arg = table(b, p->kind, BED_GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_RETRY);
	BED_EXPECT_OK(b, nothing_left(b, p->kind));
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, counted(b, PG_LEVEL_4K), 1);
	BED_EXPECT_OK(b, bed_agree(b, BED_GFN, BED_GFN + BED_PAGES));
	BED_EXPECT_OK(b, bed_books(b));
}

/* The page was looked up before the host took it back: the fault must not map it. */
static void overtaken_fault_maps_nothing(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	struct bed_fault f = { .kind = p->kind, .gfn = BED_GFN, .level = PG_LEVEL_4K };
	struct bed *b = bed_of(test);
	unsigned long seq = bed_seq(b);

	scoped_guard(write_lock, &b->kvm->mmu_lock)
		home_invalidate_begin(b, BED_GFN, BED_GFN + 1);
	bed_unmap(b, BED_GFN, BED_GFN + 1, filter_of(p->kind));
	KUNIT_EXPECT_EQ(test, bed_fault_seq(b, &f, bed_seq(b)), RET_PF_RETRY);
	scoped_guard(write_lock, &b->kvm->mmu_lock)
		home_invalidate_end(b, BED_GFN, BED_GFN + 1);
	KUNIT_EXPECT_EQ(test, bed_fault_seq(b, &f, seq), RET_PF_RETRY);
	BED_EXPECT_OK(b, nothing_left(b, p->kind));
	KUNIT_EXPECT_EQ(test, bed_fault_seq(b, &f, bed_seq(b)), RET_PF_FIXED);
}

static long invalidate_thread(struct bed *b, void *arg)
{
	const struct zap_param *p = arg;

	bed_invalidate(b, roots_of(p->kind));
	return 0;
}

/*
 * Roots become invalid when nobody is in them: the fault in flight is done first,
 * the next one by the same vCPU finds its root invalid and maps nothing there.
 */
static void invalidate_waits_for_fault(struct kunit *test)
{
	const struct zap_param *p = test->param_value;
	enum bed_point point = p->kind == BED_MIRROR ? BED_IN_EXTERNAL : BED_BEFORE_CMPXCHG;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', point, PG_LEVEL_4K),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_DONE),
		BED_RUN('B', BED_DONE),
		BED_END
	};
	struct bed_fault f = { .kind = p->kind, .gfn = BED_GFN, .level = PG_LEVEL_4K };
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = {
		{ fault_thread, &f },
		{ invalidate_thread, (void *)p },
	};
	struct kvm_mmu_page *root = b->root[p->kind];

	need_point(b, point);
	KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root));
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, RET_PF_FIXED);
	KUNIT_EXPECT_TRUE(test, root->role.invalid);
	KUNIT_EXPECT_EQ(test, leafs_of(b, root), 1);
	f.gfn++;
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, leafs_of(b, root), 1);
	bed_zap_invalidated(b, false);
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
	let_go(b, root, false);
	KUNIT_EXPECT_EQ(test, bed_fault(b, &f), RET_PF_FIXED);
}

/* --- yields --- */

/* The ways to zap that may drop mmu_lock on the way. */
struct way {
	const char *name;
	enum bed_kind kind;
	bool (*zap)(struct bed *b, const struct way *way);
	bool shared;
};

static bool way_leafs(struct bed *b, const struct way *way)
{
	return bed_zap_leafs(b, BED_GFN, BED_GFN + BED_PAGES);
}

static bool way_unmap(struct bed *b, const struct way *way)
{
	return bed_unmap(b, BED_GFN, BED_GFN + BED_PAGES, filter_of(way->kind));
}

static bool way_root(struct bed *b, const struct way *way)
{
	bed_zap_invalidated(b, way->shared);
	return false;
}

static const struct way way_params[] = {
	{ "zap_leafs_direct", BED_DIRECT, way_leafs },
	{ "zap_leafs_mirror", BED_MIRROR, way_leafs },
	{ "unmap_direct", BED_DIRECT, way_unmap },
	{ "unmap_mirror", BED_MIRROR, way_unmap },
	{ "zap_root_direct_exclusive", BED_DIRECT, way_root, false },
	{ "zap_root_direct_shared", BED_DIRECT, way_root, true },
	{ "zap_root_mirror_exclusive", BED_MIRROR, way_root, false },
};

KUNIT_ARRAY_PARAM_DESC(way, way_params, name);

static long yielding_thread(struct bed *b, void *arg)
{
	const struct way *way = arg;
	bool flush;

	bed_want_yield(b, true);
	flush = way->zap(b, way);
	bed_want_yield(b, false);
	return flush;
}

/* Leafs of all sizes, far apart and next to each other, one under every yield. */
static void map_many(struct bed *b, enum bed_kind kind)
{
	int i;

	for (i = 0; i < 4; i++) {
		bed_map(b, kind, BED_GFN + i, PG_LEVEL_4K);
		bed_map(b, kind, BED_GFN + 510 + i, PG_LEVEL_4K);
		bed_map(b, kind, BED_1G(1) + i * size_of(PG_LEVEL_2M), PG_LEVEL_2M);
	}
	bed_map(b, kind, BED_1G(2), PG_LEVEL_1G);
	bed_map(b, kind, BED_1G(3), PG_LEVEL_4K);
}

/* The walk begins anew after each yield, where it was: it skips nothing. */
static void yield_skips_nothing(struct kunit *test)
{
	const struct way *p = test->param_value;
	const struct bed_step steps[] = {
		{ .thread = 'A', .to = BED_YIELDED, .nth = 3 },
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_actor actors[] = { { yielding_thread, (void *)p } };
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[p->kind];

	need_point(b, BED_YIELDED);
	map_many(b, p->kind);
	KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root));
	if (p->zap == way_root)
		bed_invalidate(b, roots_of(p->kind));
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
	if (p->zap == way_root)		/* tables, too */
		KUNIT_EXPECT_NULL(test, bed_sptep(b, root, BED_GFN, PG_LEVEL_1G));
	if (p->kind == BED_MIRROR)
		BED_EXPECT_OK(b, bed_in_order(b, 0, bed_ops_from(b)));
	let_go(b, root, false);
}

/* What B sees while A is about to drop mmu_lock. */
struct look {
	gfn_t gone;
	gfn_t there;
	const struct way *way;
};

static long look_thread(struct bed *b, void *arg)
{
	const struct look *l = arg;
	bool gone = !is_shadow_present_pte(bed_spte(b, l->way->kind, l->gone, PG_LEVEL_4K));
	bool there = is_shadow_present_pte(bed_spte(b, l->way->kind, l->there, PG_LEVEL_4K));

	return gone && there ? home_flushes(b) : -1;
}

static const struct way flush_params[] = {
	{ "zap_leafs_direct", BED_DIRECT, way_leafs },
	{ "zap_leafs_mirror", BED_MIRROR, way_leafs },
	{ "unmap_direct", BED_DIRECT, way_unmap },
	{ "unmap_mirror", BED_MIRROR, way_unmap },
};

KUNIT_ARRAY_PARAM_DESC(flush, flush_params, name);

/* L1: before others may get mmu_lock, what was zapped so far is flushed. */
static void flush_precedes_yield(struct kunit *test)
{
	const struct way *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_YIELD, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct look look = { .gone = BED_GFN, .there = BED_GFN + 1, .way = p };
	struct bed_actor actors[] = {
		{ yielding_thread, (void *)p },
		{ look_thread, &look },
	};
	struct bed *b = bed_of(test);
	u32 flushes;

	need_point(b, BED_YIELD);
	bed_map(b, p->kind, BED_GFN, PG_LEVEL_4K);
	bed_map(b, p->kind, BED_GFN + 1, PG_LEVEL_4K);
	flushes = home_flushes(b);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_GT_MSG(test, actors[1].ret, flushes,
			    "the first page is zapped, and mmu_lock is dropped");
	BED_EXPECT_OK(b, nothing_left(b, p->kind));
}

#ifdef CONFIG_UML
#define NX_GFN(n)	BED_2M(n)

/* A fetch, where pages that are fetched from may not be huge. */
static struct kvm_mmu_page *map_nx(struct bed *b, gfn_t gfn)
{
	const struct bed_fault fetch = { .kind = BED_DIRECT, .gfn = gfn, .level = PG_LEVEL_2M,
					 .exec = true, .nx = true };
	u64 spte;

	KUNIT_ASSERT_EQ(b->test, bed_fault(b, &fetch), RET_PF_FIXED);
	spte = bed_spte(b, BED_DIRECT, gfn, PG_LEVEL_2M);
	KUNIT_ASSERT_TRUE(b->test, is_shadow_present_pte(spte) &&
			  !is_last_spte(spte, PG_LEVEL_2M));
	return spte_to_child_sp(spte);
}

static bool is_mapped_nx(struct bed *b, gfn_t gfn)
{
	return is_shadow_present_pte(bed_spte(b, BED_DIRECT, gfn, PG_LEVEL_2M));
}

static long recovery_thread(struct bed *b, void *arg)
{
	int err;

	bed_want_yield(b, true);
	err = um_recover_nx_huge_pages(b->kvm);
	bed_want_yield(b, false);
	return err;
}

static long flushes_thread(struct bed *b, void *arg)
{
	return is_mapped_nx(b, NX_GFN(0)) + is_mapped_nx(b, NX_GFN(1)) == 1 ? home_flushes(b) : -1;
}

/* L1: the tables that it has unlinked are kept by RCU, which it lets go of, too. */
static void nx_recovery_flushes_before_yield(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN('A', BED_YIELD),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed_actor actors[] = { { recovery_thread }, { flushes_thread } };
	struct bed *b = bed_of(test);
	u32 flushes;

	map_nx(b, NX_GFN(0));
	map_nx(b, NX_GFN(1));
	flushes = home_flushes(b);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[0].ret, 0);
	KUNIT_EXPECT_GT_MSG(test, actors[1].ret, flushes,
			    "the first table is gone, and mmu_lock is dropped");
	KUNIT_EXPECT_FALSE(test, is_mapped_nx(b, NX_GFN(0)));
	KUNIT_EXPECT_FALSE(test, is_mapped_nx(b, NX_GFN(1)));

	/* ... and at its end, where it has not yielded */
	map_nx(b, NX_GFN(0));
	flushes = home_flushes(b);
	KUNIT_ASSERT_EQ(test, um_recover_nx_huge_pages(b->kvm), 0);
	KUNIT_EXPECT_FALSE(test, is_mapped_nx(b, NX_GFN(0)));
	KUNIT_EXPECT_GT(test, home_flushes(b), flushes);
}

/* What SMM has mapped goes by SMM's memslots: small pages stay while they are logged. */
static void nx_recovery_of_smm(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm *kvm = b->kvm;
	struct kvm_memory_slot smm = *b->slot;

	smm.flags |= KVM_MEM_LOG_DIRTY_PAGES;
	kvm->memslots.um_slot[0] = b->slot;
	kvm->um_smm_memslots.um_slot[0] = &smm;
	atomic_set(&kvm->nr_memslots_dirty_logging, 1);
	map_nx(b, NX_GFN(0))->role.smm = 1;
	map_nx(b, NX_GFN(1));
	KUNIT_EXPECT_EQ(test, um_recover_nx_huge_pages(kvm), 0);
	KUNIT_EXPECT_TRUE(test, is_mapped_nx(b, NX_GFN(0)));
	KUNIT_EXPECT_FALSE(test, is_mapped_nx(b, NX_GFN(1)));
	atomic_set(&kvm->nr_memslots_dirty_logging, 0);
	kvm->um_smm_memslots.um_slot[0] = NULL;
}
#endif

/* How many leafs has the root that A zaps, once B has unmapped all? */
static long unmap_thread(struct bed *b, void *arg)
{
	unmap_at_once(b, BED_GFN, BED_GFN + BED_PAGES, KVM_FILTER_SHARED);
	return leafs_of(b, arg);
}

static const struct way overtaken_params[] = {
	{ "exclusive", BED_DIRECT, way_root, false },
	{ "shared", BED_DIRECT, way_root, true },
};

KUNIT_ARRAY_PARAM_DESC(overtaken, overtaken_params, name);

/*
 * A zaps an invalid root and yields. The host wants the pages now: B has to find those
 * that A has not got to yet.
 */
static void unmap_overtakes_root_zap(struct kunit *test)
{
	const struct way *p = test->param_value;
	const struct bed_step steps[] = {
		BED_RUN('A', BED_YIELD),
		BED_BLOCKS('B'),
		BED_RUN('A', BED_YIELDED),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct kvm_mmu_page *root = b->root[BED_DIRECT];
	struct bed_actor actors[] = {
		{ yielding_thread, (void *)p },
		{ unmap_thread, root },
	};

	need_point(b, BED_YIELD);
	map_many(b, BED_DIRECT);
	KUNIT_ASSERT_TRUE(test, kvm_tdp_mmu_get_root(root));
	bed_invalidate(b, KVM_DIRECT_ROOTS);
	KUNIT_EXPECT_TRUE(test, bed_follow(b, steps, actors, ARRAY_SIZE(actors)));
	KUNIT_EXPECT_EQ(test, actors[1].ret, 0);
	BED_EXPECT_OK(b, bed_nothing_left(b, root, BED_GFN, BED_GFN + BED_PAGES));
	let_go(b, root, false);
}

/* --- do the checks bite? --- */

/* A leaf that a zap has overlooked, one that is not counted, one that is frozen for ever. */
static void broken_zap_is_caught(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 *leaf, was;

	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	leaf = bed_sptep(b, b->root[BED_DIRECT], BED_GFN, PG_LEVEL_4K);
	was = READ_ONCE(*leaf);
	bed_zap_leafs(b, BED_GFN, BED_GFN + 1);
	BED_EXPECT_OK(b, nothing_left(b, BED_DIRECT));
	BED_EXPECT_OK(b, bed_books(b));

	WRITE_ONCE(*leaf, was);
	BED_EXPECT_CAUGHT(b, nothing_left(b, BED_DIRECT));
	BED_EXPECT_CAUGHT(b, bed_books(b));
	WRITE_ONCE(*leaf, FROZEN_SPTE);
	BED_EXPECT_CAUGHT(b, bed_no_frozen(b, b->root[BED_DIRECT]));
	WRITE_ONCE(*leaf, SHADOW_NONPRESENT_VALUE);
	kvm_update_page_stats(b->kvm, PG_LEVEL_4K, 1);
	BED_EXPECT_CAUGHT(b, bed_books(b));
	kvm_update_page_stats(b->kvm, PG_LEVEL_4K, -1);
	BED_EXPECT_OK(b, bed_books(b));
}

/* The table before its leaf; under a lock that lets others in; an entry still in use. */
static void broken_order_is_caught(struct kunit *test)
{
	static const struct zap_param exclusive = { "", BED_MIRROR, PG_LEVEL_4K, false };
	struct bed *b = bed_of(test);
	struct bed_op op;
	u32 from;
	int leaf, freed;

	if (!IS_ENABLED(CONFIG_UML))
		kunit_skip(test, "a table can be removed under exclusive mmu_lock in UML only");
	bed_map(b, BED_MIRROR, BED_GFN, PG_LEVEL_4K);
	from = bed_ops_from(b);
	zap_first_table(b, &exclusive);
	leaf = bed_find_op(b, from, false, BED_GFN, PG_LEVEL_4K);
	freed = bed_find_op(b, from, true, BED_GFN, PG_LEVEL_4K);
	KUNIT_ASSERT_TRUE(test, leaf >= 0 && freed >= 0);
	BED_EXPECT_OK(b, bed_in_order(b, from, bed_ops_from(b)));
	BED_EXPECT_OK(b, bed_lock_contract(b, &b->op[leaf]));
	BED_EXPECT_OK(b, bed_in_window(b, &b->op[leaf]));

	swap(b->op[leaf], b->op[freed]);
	BED_EXPECT_CAUGHT(b, bed_in_order(b, from, bed_ops_from(b)));
	swap(b->op[leaf], b->op[freed]);
	op = b->op[leaf];
	op.lock = 'r';
	if (b->op[leaf].lock != '?')
		BED_EXPECT_CAUGHT(b, bed_lock_contract(b, &op));
	op.seen = op.old_spte;
	BED_EXPECT_CAUGHT(b, bed_in_window(b, &op));
}

static struct kunit_case zap_cases[] = {
	KUNIT_CASE_PARAM(zap_removes_leafs, leaf_gen_params),
	KUNIT_CASE_PARAM(zap_range_ends, range_gen_params),
	KUNIT_CASE(zap_tells_of_flush),
	KUNIT_CASE_PARAM(unmap_filters, filter_gen_params),
	KUNIT_CASE_PARAM(zap_refused_bugs_vm, refused_gen_params),
	KUNIT_CASE_PARAM(zap_invalidated_empties_root, root_gen_params),
	KUNIT_CASE_PARAM(unmap_reaches_invalid_root, notifier_gen_params),
	KUNIT_CASE_PARAM(unmap_flushes_beside_invalid_root, beside_gen_params),
	KUNIT_CASE_PARAM(unmap_filters_invalid_roots, filter_gen_params),
	KUNIT_CASE(zap_leafs_passes_invalid_root),
	KUNIT_CASE(zap_all_is_for_direct_roots),
	KUNIT_CASE_PARAM(references_are_given_back, kind_gen_params),
	KUNIT_CASE_PARAM(invalid_root_goes_with_last_user, kind_gen_params),
	KUNIT_CASE_PARAM(zap_table_takes_all_below, table_gen_params),
	KUNIT_CASE_PARAM(zap_table_spares_successor, parent_gen_params),
	KUNIT_CASE_PARAM(removed_entries_are_frozen, removed_gen_params),
	KUNIT_CASE(zap_leafs_keeps_mmio),
#ifdef CONFIG_UML
	KUNIT_CASE_PARAM(tables_outlive_walkers, grace_gen_params),
	KUNIT_CASE_PARAM(root_outlives_walkers, kind_gen_params),
#endif
	KUNIT_CASE_PARAM(removal_waits_for_owner, owner_gen_params),
	KUNIT_CASE_PARAM(removal_waits_for_fault, in_flight_gen_params),
	KUNIT_CASE_PARAM(fault_loses_to_removal, kind_gen_params),
	KUNIT_CASE_PARAM(overtaken_fault_maps_nothing, kind_gen_params),
	KUNIT_CASE_PARAM(invalidate_waits_for_fault, kind_gen_params),
	KUNIT_CASE_PARAM(yield_skips_nothing, way_gen_params),
	KUNIT_CASE_PARAM(flush_precedes_yield, flush_gen_params),
#ifdef CONFIG_UML
	KUNIT_CASE(nx_recovery_flushes_before_yield),
	KUNIT_CASE(nx_recovery_of_smm),
#endif
	KUNIT_CASE_PARAM(unmap_overtakes_root_zap, overtaken_gen_params),
	KUNIT_CASE(broken_zap_is_caught),
	KUNIT_CASE(broken_order_is_caught),
	{}
};

BED_SUITE(tdp_mmu_zap, zap_cases);

MODULE_DESCRIPTION("KUnit tests of the TDP MMU: zap");
MODULE_LICENSE("GPL");
