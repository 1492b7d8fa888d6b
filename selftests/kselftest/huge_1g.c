// SPDX-License-Identifier: GPL-2.0
/*
 * Leafs of 1G: made, split to 2M and to 4K, made huge again, zapped; by dirty logging,
 * by the TDP MMU's entry points, by an instruction fetch, by the host that takes the
 * page. Shared memory is in direct roots, and (crafted) in mirror roots.
 */
#include <linux/mman.h>
#include <sys/mman.h>

#include "ks_test.h"

KS_FIXTURE(huge_1g);

#define GIANT		(KS_HUGE_PAGES * KS_HUGE_PAGES)		/* 4K pages of 1G */
#define HUGE_LEAFS	((s64)KS_HUGE_PAGES)			/* 2M pages of 1G */
#define MAX_ENTRIES	(2 * KS_HUGE_PAGES)
#define PARAMETERS	"/sys/module/kvm/parameters/"
#define OP(nr)		(1ULL << TDP_STRESS_OP_##nr)
#define PIECE		64ULL	/* pages of a long in the dirty log */
/* In the middle of a 2M piece in the middle of the page. */
#define AT		(100 * KS_HUGE_PAGES + 2 * PIECE)

static struct tdp_stress_entry entries[MAX_ENTRIES];
static u64 dirty[GIANT / 64];

/* The mobile slot, with a page of 1G behind it. */
static int give_giant(struct td *vm)
{
	struct td_slot *slot = &vm->slots[TD_SLOT_MOBILE];
	void *page = mmap(NULL, GIANT << TD_PAGE_SHIFT, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB, -1, 0);
	int ret = page == MAP_FAILED ? -errno : td_slot_delete(vm, TD_SLOT_MOBILE);

	if (ret)
		return ret;
	slot->hva = page;
	slot->nr_pages = GIANT;
	slot->gfn = 4 * GIANT;
	ks_poke(page);
	return td_slot_create(vm, TD_SLOT_MOBILE);
}

/* What KVM has mapped by leafs of each size. */
#define EXPECT_SIZES(_1g, _2m, _4k) do {				\
	EXPECT_EQ((s64)(_1g), td_stat(self->vm.vm_fd, "pages_1g"));	\
	EXPECT_EQ((s64)(_2m), td_stat(self->vm.vm_fd, "pages_2m"));	\
	EXPECT_EQ((s64)(_4k), td_stat(self->vm.vm_fd, "pages_4k"));	\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

#define START() do {							\
	int _ret;							\
									\
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));	\
	_ret = give_giant(&self->vm);					\
	if (_ret == -ENOMEM || _ret == -EINVAL)				\
		SKIP(return, "the host has no free page of 1G (hugepagesz=1G hugepages=1)");	\
	ASSERT_CALL(_ret);						\
} while (0)

#define START_DIRECT() do {						\
	START();							\
	ASSERT_CALL(map_all(&self->vm));				\
	EXPECT_SIZES(1, 0, 0);						\
} while (0)

static int map_all(struct td *vm)
{
	return ks_map(vm, 0, vm->slots[TD_SLOT_MOBILE].gfn, GIANT);
}

/* Every leaf follows the one before it, in guest and host; a sentence, or NULL. */
static const char *wrong_leafs(struct ks *ks, struct td *vm, u32 roots, int leafs)
{
	u64 gfn = vm->slots[TD_SLOT_MOBILE].gfn, pfn = 0;
	int nr = ks_walk(ks, vm, roots, gfn, GIANT, TDP_STRESS_WALK_LEAFS, entries, MAX_ENTRIES);
	int i;

	for (i = 0; i < nr && i < (int)MAX_ENTRIES; i++) {
		struct tdp_stress_entry *e = &entries[i];

		pfn = i ? pfn : e->pfn;
		if (e->state != TDP_STRESS_SPTE_LEAF || e->gfn != gfn || e->pfn != pfn ||
		    (roots == TDP_STRESS_ROOTS_MIRROR && e->ext_pfn != e->pfn)) {
			snprintf(ks->text, sizeof(ks->text),
				 "leaf %d: gfn 0x%llx level %u pfn 0x%llx (ext 0x%llx), wanted gfn 0x%llx pfn 0x%llx",
				 i, e->gfn, e->level, e->pfn, e->ext_pfn, gfn, pfn);
			return ks->text;
		}
		gfn += 1ULL << 9 * (e->level - 1);
		pfn += 1ULL << 9 * (e->level - 1);
	}
	if (nr == leafs)
		return NULL;
	snprintf(ks->text, sizeof(ks->text), "%d leafs, wanted %d", nr, leafs);
	return ks->text;
}

/* An entry point for some of the slot. */
static int piece(struct ks *ks, struct td *vm, u32 nr, u64 page, u64 pages, u32 roots, u32 level,
		 u32 flags, struct tdp_stress_op *op)
{
	*op = (struct tdp_stress_op) {
		.op = nr, .flags = flags, .gfn = vm->slots[TD_SLOT_MOBILE].gfn + page,
		.nr = pages, .roots = roots, .level = level,
	};
	return ks_op(ks, vm, op);
}

#define DO(_nr, _page, _pages, _roots, _level, _flags) do {		\
	struct tdp_stress_op _op;					\
									\
	ASSERT_CALL(piece(&self->ks, &self->vm, TDP_STRESS_OP_##_nr, _page, _pages, _roots,	\
			  _level, _flags, &_op));			\
	EXPECT_EQ(TDP_STRESS_DID, _op.result) {				\
		TH_LOG(#_nr ": result %u, error %u", _op.result, _op.error);	\
	}								\
} while (0)

/* Only what is cleared becomes small; all of it would be a quarter of a million leafs. */
TEST_KS(huge_1g, logged_when_cleared)
{
	struct td *vm = &self->vm;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET },
	};

	START_DIRECT();
	ASSERT_CALL(td_ioctl(TD_CALL_ENABLE_CAP, vm->vm_fd, KVM_ENABLE_CAP, &cap));
	ASSERT_CALL(td_slot_set_flags(vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES));
	EXPECT_SIZES(1, 0, 0);
	memset(dirty, 0xff, sizeof(dirty));
	ASSERT_CALL(td_clear_dirty_log(vm, TD_SLOT_MOBILE, AT, PIECE, dirty));
	EXPECT_SIZES(0, HUGE_LEAFS - 1, KS_HUGE_PAGES);
	ASSERT_CALL(td_get_dirty_log(vm, TD_SLOT_MOBILE, dirty));
	EXPECT_EQ(0, dirty[AT / 64]);
	EXPECT_EQ(~0ULL, dirty[AT / 64 - 1]);
	EXPECT_EQ(~0ULL, dirty[AT / 64 + 1]);
	ASSERT_CALL(td_slot_set_flags(vm, TD_SLOT_MOBILE, 0));
	EXPECT_SIZES(1, 0, 0);
}

TEST_KS(huge_1g, split_and_recovered)
{
	u32 direct = TDP_STRESS_ROOTS_DIRECT, i;

	KS_NEEDS(0, OP(SPLIT) | OP(RECOVER), 0, 0);
	START_DIRECT();
	EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, direct, 1));
	for (i = 0; i < 2; i++) {
		u32 flags = i ? TDP_STRESS_OP_FLAG_SHARED | TDP_STRESS_OP_FLAG_YIELD : 0;

		DO(SPLIT, 0, GIANT, direct, 2, flags);
		EXPECT_SIZES(0, HUGE_LEAFS, 0);
		EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, direct, HUGE_LEAFS));
		DO(SPLIT, AT, PIECE, direct, 1, flags);
		EXPECT_SIZES(0, HUGE_LEAFS - 1, KS_HUGE_PAGES);
		EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, direct,
					 HUGE_LEAFS - 1 + KS_HUGE_PAGES));
		DO(RECOVER, 0, GIANT, direct, 0, flags & TDP_STRESS_OP_FLAG_YIELD);
		EXPECT_SIZES(1, 0, 0);
		EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, direct, 1));
	}
}

/* Both tables, which have to agree; by the external operations alone. */
TEST_KS(huge_1g, mirror)
{
	u32 mirror = TDP_STRESS_ROOTS_MIRROR;
	struct td *vm = &self->vm;

	KS_NEEDS(TDP_STRESS_FEATURE_1G | TDP_STRESS_FEATURE_MIRROR_SPLIT,
		 OP(MAP_CRAFT) | OP(SPLIT) | OP(UNMAP), 0, 0);
	START();
	ASSERT_CALL(td_set_private(vm, vm->slots[TD_SLOT_MOBILE].gfn, GIANT, true));
	DO(MAP_CRAFT, 0, GIANT, 0, 3, 0);
	EXPECT_SIZES(1, 0, 0);
	EXPECT_SOUND(wrong_leafs(&self->ks, vm, mirror, 1));
	EXPECT_PRIVATE(&self->ks, GIANT);
	DO(SPLIT, 0, GIANT, mirror, 2, 0);
	EXPECT_SIZES(0, HUGE_LEAFS, 0);
	EXPECT_SOUND(wrong_leafs(&self->ks, vm, mirror, HUGE_LEAFS));
	DO(SPLIT, AT, PIECE, mirror, 1, TDP_STRESS_OP_FLAG_YIELD);
	EXPECT_SIZES(0, HUGE_LEAFS - 1, KS_HUGE_PAGES);
	EXPECT_SOUND(wrong_leafs(&self->ks, vm, mirror, HUGE_LEAFS - 1 + KS_HUGE_PAGES));
	EXPECT_PRIVATE(&self->ks, GIANT);
	DO(UNMAP, 0, GIANT, mirror, 0, 0);
	EXPECT_SIZES(0, 0, 0);
	EXPECT_PRIVATE(&self->ks, 0);
}

/* The host takes the page away: KVM has no part of it any more. */
TEST_KS(huge_1g, discarded)
{
	struct td *vm = &self->vm;

	START_DIRECT();
	ASSERT_EQ(0, madvise(vm->slots[TD_SLOT_MOBILE].hva, GIANT << TD_PAGE_SHIFT,
			     MADV_DONTNEED));
	EXPECT_MAPPED(vm, 0);
	ASSERT_CALL(map_all(vm));
	EXPECT_SIZES(1, 0, 0);
	ASSERT_EQ(0, munmap(vm->slots[TD_SLOT_MOBILE].hva, GIANT << TD_PAGE_SHIFT));
	EXPECT_MAPPED(vm, 0);
	EXPECT_REFUSED(EFAULT, map_all(vm));
}

/* An instruction fetch makes small what it touches, and huge around that. */
TEST_KS(huge_1g, fetched)
{
	struct ks_param nx = { .path = PARAMETERS "nx_huge_pages", .value = "force" };
	struct ks_params params = { .list = &nx, .nr = 1 };
	const char *why = ks_params_set(&params, &self->ks);
	struct tdp_stress_op op;

	if (!why)
		why = ks_lacks(&self->ks, TDP_STRESS_FEATURE_NX, OP(MAP), 0, 0);
	if (why)
		SKIP(return, "%s", why);
	START_DIRECT();
	/* the split has done it all: the fault finds nothing to do */
	ASSERT_CALL(piece(&self->ks, &self->vm, TDP_STRESS_OP_MAP, AT, 1,
			  TDP_STRESS_ROOTS_DIRECT, 3, TDP_STRESS_OP_FLAG_EXEC, &op));
	EXPECT_NE(TDP_STRESS_REFUSED, op.result) TH_LOG("error %u", op.error);
	EXPECT_SIZES(0, HUGE_LEAFS - 1, KS_HUGE_PAGES);
	EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, TDP_STRESS_ROOTS_DIRECT,
				 HUGE_LEAFS - 1 + KS_HUGE_PAGES));
	td_destroy(&self->vm);
	EXPECT_TRUE(ks_params_put_back(&params));
}

KS_TEST_MAIN("huge_1g: leafs of 1G are split, made huge again and zapped, direct and mirror.");
