// SPDX-License-Identifier: GPL-2.0
/*
 * What a fault decides besides making its SPTE: how large the leaf may be, whether
 * others have to hear of it, and when it may do without mmu_lock. In UML fast page
 * faults are those of the tree's mmu.c.
 */
#include "actors.h"
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
#ifdef CONFIG_UML
	/* what Hyper-V is told; elsewhere KVM flushes everything */
	KUNIT_EXPECT_LE(test, b->kvm->um_flush_start, GFN);
	KUNIT_EXPECT_GE(test, b->kvm->um_flush_end, END);
#endif
}

/* --- write protection --- */

/* A dirty log: every page of the slot, and the TLBs are asked to forget them. */
static void wrprot_covers_slot(struct kunit *test)
{
	const gfn_t last = BED_GFN + BED_PAGES - 1;
	struct bed *b = bed_of(test);

	bed_map(b, BED_DIRECT, last, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, do_wrprot(b, NULL));
	KUNIT_EXPECT_FALSE(test, is_writable_pte(bed_spte(b, BED_DIRECT, last, PG_LEVEL_4K)));
	bed_map(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_TRUE(test, do_wrprot(b, NULL));
	KUNIT_EXPECT_FALSE(test, is_writable_pte(bed_spte(b, BED_DIRECT, BED_GFN, PG_LEVEL_4K)));
}

/*
 * A page that KVM shadows: no fast page fault makes it writable any more, as after a dirty
 * log, which may have been there before.
 */
static void write_protect_gfn_is_for_good(struct kunit *test)
{
	struct bed *b = bed_of(test);
	u64 spte;

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	scoped_guard(write_lock, &b->kvm->mmu_lock)
		KUNIT_EXPECT_TRUE(test, kvm_tdp_mmu_write_protect_gfn(b->kvm, b->slot, GFN,
								      PG_LEVEL_4K));
	spte = bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_FALSE(test, is_writable_pte(spte) || is_mmu_writable_spte(spte));

	do_wrprot(b, NULL);
	KUNIT_ASSERT_TRUE(test, is_mmu_writable_spte(bed_spte(b, BED_DIRECT, GFN2, PG_LEVEL_4K)));
	way_wrprot_gfn(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	spte = bed_spte(b, BED_DIRECT, GFN2, PG_LEVEL_4K);
	KUNIT_EXPECT_FALSE(test, is_writable_pte(spte) || is_mmu_writable_spte(spte));
}

/* --- in UML only: what is between two looks of a walk, and what KVM offers no name for --- */

#ifdef CONFIG_UML
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

static void write_is_logged(struct kunit *test)
{
	const struct bed_fault read = { .kind = BED_DIRECT, .gfn = GFN2, .read = true, .ro = true };
	struct bed *b = bed_of(test);

	home_log_dirty(b, true);
	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	KUNIT_EXPECT_EQ(test, logged(b), 1);
	KUNIT_EXPECT_TRUE(test, test_bit(GFN - BED_GFN, b->slot->dirty_bitmap));
	KUNIT_EXPECT_EQ(test, bed_fault(b, &read), RET_PF_FIXED);
	KUNIT_EXPECT_EQ(test, logged(b), 1);
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

/* KVM makes MMIO SPTEs for what the host's CPU can address only. */
static void no_slot_beyond_host(struct kunit *test)
{
	struct kvm_page_fault f = { .is_tdp = true, .write = true, .gfn = kvm_mmu_max_gfn() };
	struct bed *b = bed_of(test);

	KUNIT_ASSERT_TRUE(test, enable_mmio_caching);
	KUNIT_EXPECT_EQ(test, um_handle_noslot_fault(b->vcpu[0], &f), RET_PF_CONTINUE);
	KUNIT_EXPECT_EQ(test, f.pfn, KVM_PFN_NOSLOT);
	f.gfn++;
	KUNIT_EXPECT_EQ(test, um_handle_noslot_fault(b->vcpu[0], &f), RET_PF_EMULATE);
}

static bool is_stale(struct bed *b, struct kvm_page_fault *f)
{
	guard(read_lock)(&b->kvm->mmu_lock);
	return um_is_page_fault_stale(b->vcpu[0], f);
}

/*
 * What is counted since a fault has looked for its page makes it stale, and nothing else
 * does, however often has been counted before: an int takes a VM for weeks.
 */
static void stale_by_invalidations(struct kunit *test)
{
	const unsigned long begin[] = { 1, BIT(31) - 1, BIT(31) + 1, BIT(32) - 1 };
	struct bed *b = bed_of(test);
	struct kvm_page_fault f = { .gfn = GFN, .slot = b->slot, .is_private = true };
	int i;

	KUNIT_ASSERT_EQ(test, home_load(b, 0), 0);
	for (i = 0; i < ARRAY_SIZE(begin); i++) {
		scoped_guard(write_lock, &b->kvm->mmu_lock)
			b->kvm->mmu_invalidate_seq = begin[i];
		KUNIT_ASSERT_EQ(test, um_faultin_pfn(b->vcpu[0], &f), RET_PF_CONTINUE);
		KUNIT_EXPECT_FALSE_MSG(test, is_stale(b, &f), "after %lu invalidations", begin[i]);
		scoped_guard(write_lock, &b->kvm->mmu_lock) {
			home_invalidate_begin(b, GFN, END);
			home_invalidate_end(b, GFN, END);
		}
		KUNIT_EXPECT_TRUE_MSG(test, is_stale(b, &f), "one more than %lu", begin[i]);
	}
}

/* --- KVM_PRE_FAULT_MEMORY --- */

/*
 * While its memslot is deleted a guest tries again, and a prefault gives up: it keeps
 * the deletion from going on.
 */
static void prefault_gives_up_deleted_slot(struct kunit *test)
{
	struct bed *b = bed_of(test);
	struct kvm_memory_slot slot = *b->slot;
	struct kvm_page_fault guest = { .gfn = GFN, .slot = &slot, .is_private = true };
	struct kvm_page_fault prefault = { .gfn = GFN, .slot = &slot, .is_private = true,
					   .prefetch = true };

	KUNIT_EXPECT_EQ(test, um_faultin_pfn(b->vcpu[0], &prefault), RET_PF_CONTINUE);
	slot.flags |= KVM_MEMSLOT_INVALID;
	KUNIT_EXPECT_EQ(test, um_faultin_pfn(b->vcpu[0], &guest), RET_PF_RETRY);
	KUNIT_EXPECT_EQ(test, um_faultin_pfn(b->vcpu[0], &prefault), -EAGAIN);
}

static int prefault_tries;

static int served_at_last(struct kvm_vcpu *vcpu)
{
	return ++prefault_tries < 5 ? RET_PF_RETRY : RET_PF_FIXED;
}

/* If KVM does not look, a hundred tries are enough to see that. */
static int dies_meanwhile(struct kvm_vcpu *vcpu)
{
	if (++prefault_tries == 3)
		kvm_make_request(KVM_REQ_VM_DEAD, vcpu);
	return prefault_tries < 100 ? RET_PF_RETRY : RET_PF_FIXED;
}

static void prefault_ends_with_vm(struct kunit *test)
{
	struct bed *b = bed_of(test);
	int ret;

	prefault_tries = 0;
	ret = um_prefault(b->vcpu[0], served_at_last);
	if (ret == -EOPNOTSUPP)
		kunit_skip(test, "this KVM has no kvm_tdp_page_prefault()");
	KUNIT_EXPECT_EQ(test, ret, 0);
	KUNIT_EXPECT_EQ(test, prefault_tries, 5);
	prefault_tries = 0;
	KUNIT_EXPECT_EQ(test, um_prefault(b->vcpu[0], dies_meanwhile), -EIO);
	KUNIT_EXPECT_EQ(test, prefault_tries, 3);
}

/* --- recovery --- */

/* What is left of a huge page that the slot begins in the middle of stays small. */
static void recover_stays_in_slot(struct kunit *test)
{
	struct bed *b = bed_of(test);
	gfn_t base = b->slot->base_gfn;
	u64 pages = b->slot->npages;

	bed_map(b, BED_DIRECT, GFN + 256, PG_LEVEL_4K);
	bed_map(b, BED_DIRECT, END, PG_LEVEL_4K);
	b->slot->base_gfn = GFN + 256;
	b->slot->npages = pages - 256;
	do_recover(b, NULL);
	b->slot->base_gfn = base;
	b->slot->npages = pages;
	KUNIT_EXPECT_FALSE(test, is_last_spte(bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_2M),
					      PG_LEVEL_2M));
	KUNIT_EXPECT_TRUE(test, is_last_spte(bed_spte(b, BED_DIRECT, END, PG_LEVEL_2M),
					     PG_LEVEL_2M));
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- what the CPU writes while a table goes --- */

/* As zaps do that begin with 1G: the table goes with what it maps. */
static long do_remove_table(struct bed *b, void *arg)
{
	u64 *sptep = bed_sptep(b, b->root[BED_DIRECT], GFN, PG_LEVEL_2M);

	bed_write_lock(b);
	rcu_read_lock();
	um_tdp_mmu_set_spte(b->kvm, (__force tdp_ptep_t)sptep, READ_ONCE(*sptep),
			    SHADOW_NONPRESENT_VALUE, bed_gfn(b, BED_DIRECT, GFN), PG_LEVEL_2M);
	kvm_flush_remote_tlbs(b->kvm);
	rcu_read_unlock();
	bed_write_unlock(b);
	return 0;
}

/* A table's entries are exchanged, not overwritten: KVM knows what they were at the end. */
static void removal_sees_guest_write(struct kunit *test)
{
	static const struct bed_step steps[] = {
		BED_RUN_AT('A', BED_BEFORE_WRITE, PG_LEVEL_4K),
		BED_RUN('B', BED_DONE),
		BED_RUN('A', BED_DONE),
		BED_END
	};
	struct bed *b = bed_of(test);
	struct bed_actor actors[] = { { do_remove_table }, { do_guest_write } };

	bed_map(b, BED_DIRECT, GFN, PG_LEVEL_4K);
	actors[1].arg = bed_sptep(b, b->root[BED_DIRECT], GFN, PG_LEVEL_4K);
	bed_read_lock(b);
	kvm_tdp_mmu_clear_dirty_slot(b->kvm, b->slot);
	bed_read_unlock(b);
	KUNIT_ASSERT_FALSE(test, bed_spte(b, BED_DIRECT, GFN, PG_LEVEL_4K) & shadow_dirty_mask);
	um_watch_change(GFN, PG_LEVEL_4K);
	bed_follow(b, steps, actors, ARRAY_SIZE(actors));
	KUNIT_EXPECT_TRUE(test, um_changed_from() & shadow_dirty_mask);
	um_watch_change(0, 0);
	BED_EXPECT_OK(b, bed_books(b));
}

/* --- memory attributes: no huge page where they differ --- */

#define SLOT_2M		(512 + 3)		/* 1G, and a part of another */
#define BEYOND		512			/* entries that are not the slot's */
#define TAIL		BED_1G(1)		/* the 1G page that the slot ends in */
#define SLOT_END	(TAIL + 3 * 512)

static struct {
	struct kvm_memory_slot slot;
	struct kvm_lpage_info small[SLOT_2M + BEYOND], huge[2];
	gfn_t start, end;			/* private */
} attr;

static bool is_private(struct kvm *kvm, gfn_t gfn)
{
	return gfn >= attr.start && gfn < attr.end;
}

/* All of the slot is shared; what is beyond its end nobody may ask. */
static void attr_begin(struct bed *b)
{
	int i;

	memset(&attr, 0, sizeof(attr));
	attr.slot.base_gfn = BED_GFN;
	attr.slot.npages = SLOT_END - BED_GFN;
	attr.slot.arch.lpage_info[0] = attr.small;
	attr.slot.arch.lpage_info[1] = attr.huge;
	for (i = SLOT_2M; i < ARRAY_SIZE(attr.small); i++)
		attr.small[i].disallow_lpage = -1;
	/* as kvm_alloc_memslot_metadata(): the slot does not cover it */
	attr.huge[1].disallow_lpage = 1;
	b->kvm->arch.has_private_mem = true;
	b->kvm->um_is_private = is_private;
}

/* KVM_SET_MEMORY_ATTRIBUTES: [start, end) becomes private, all else is shared. */
static void convert(struct bed *b, gfn_t start, gfn_t end, bool private)
{
	struct kvm_gfn_range range = {
		.slot = &attr.slot, .start = start, .end = end,
		.arg.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	attr.start = start;
	attr.end = private ? end : start;
	guard(mutex)(&b->kvm->slots_lock);
	write_lock(&b->kvm->mmu_lock);
	um_post_set_memory_attributes(b->kvm, &range);
	write_unlock(&b->kvm->mmu_lock);
}

static void mixed_attributes_forbid_huge(struct kunit *test)
{
	struct bed *b = bed_of(test);

	attr_begin(b);
	convert(b, GFN2, GFN2 + 1, true);
	KUNIT_EXPECT_TRUE(test, um_mixed(&attr.slot, GFN, PG_LEVEL_2M));
	KUNIT_EXPECT_TRUE(test, um_mixed(&attr.slot, GFN, PG_LEVEL_1G));
	KUNIT_EXPECT_FALSE(test, um_mixed(&attr.slot, BED_2M(1), PG_LEVEL_2M));
	convert(b, GFN2, GFN2 + 1, false);
	KUNIT_EXPECT_FALSE(test, um_mixed(&attr.slot, GFN, PG_LEVEL_2M));
	KUNIT_EXPECT_FALSE(test, um_mixed(&attr.slot, GFN, PG_LEVEL_1G));
}

/* A huge page that ends behind the slot has no entries for all of its parts. */
static void mixed_attributes_end_with_slot(struct kunit *test)
{
	struct bed *b = bed_of(test);

	attr_begin(b);
	convert(b, TAIL - 512, SLOT_END, true);
	KUNIT_EXPECT_TRUE(test, um_mixed(&attr.slot, GFN, PG_LEVEL_1G));
	KUNIT_EXPECT_FALSE(test, um_mixed(&attr.slot, TAIL - 512, PG_LEVEL_2M));
	KUNIT_EXPECT_FALSE(test, um_mixed(&attr.slot, TAIL, PG_LEVEL_2M));
	KUNIT_EXPECT_EQ(test, attr.huge[1].disallow_lpage, 1);
	KUNIT_EXPECT_EQ(test, attr.small[SLOT_2M].disallow_lpage, -1);
}
#endif

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(small_under_dirty_log),
	KUNIT_CASE(huge_over_table_flushes),
	KUNIT_CASE(wrprot_covers_slot),
	KUNIT_CASE(write_protect_gfn_is_for_good),
#ifdef CONFIG_UML
	KUNIT_CASE(walk_ends_early),
	KUNIT_CASE(write_is_logged),
	KUNIT_CASE(fast_fault_is_logged),
	KUNIT_CASE(fast_fault_leaves_huge_to_log),
	KUNIT_CASE(fast_fault_leaves_read_only),
	KUNIT_CASE(fast_fault_loses_to_zap),
	KUNIT_CASE(no_slot_beyond_host),
	KUNIT_CASE(stale_by_invalidations),
	KUNIT_CASE(prefault_gives_up_deleted_slot),
	KUNIT_CASE(prefault_ends_with_vm),
	KUNIT_CASE(recover_stays_in_slot),
	KUNIT_CASE(removal_sees_guest_write),
	KUNIT_CASE(mixed_attributes_forbid_huge),
	KUNIT_CASE(mixed_attributes_end_with_slot),
#endif
	{}
};

BED_SUITE(tdp_mmu_fault, fault_cases);
