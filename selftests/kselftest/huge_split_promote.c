// SPDX-License-Identifier: GPL-2.0
/*
 * Huge leafs become small ones and huge ones again: in direct roots as dirty logging
 * makes KVM do it, in direct and in mirror roots by the TDP MMU's own entry points
 * (/dev/tdp_stress). After each step every entry of the tables is looked at.
 */
#include "ks_test.h"

KS_FIXTURE(huge_split_promote);

#define OP(nr)		(1ULL << TDP_STRESS_OP_##nr)
#define MAX_ENTRIES	(KS_WINDOW + 16)

static struct tdp_stress_entry entries[MAX_ENTRIES];

/* What the tables have to say of the mobile slot: leafs of @level, one after the other. */
static const char *wrong_leafs(struct ks *ks, struct td *vm, u32 roots, u32 level)
{
	u64 first = vm->slots[TD_SLOT_MOBILE].gfn, step = level == 2 ? KS_HUGE_PAGES : 1, i;
	int nr = ks_walk(ks, vm, roots, first, KS_WINDOW, TDP_STRESS_WALK_LEAFS, entries,
			 MAX_ENTRIES);

	if (nr != (int)(KS_WINDOW / step)) {
		snprintf(ks->text, sizeof(ks->text), "%d leafs, wanted %llu of level %u", nr,
			 KS_WINDOW / step, level);
		return ks->text;
	}
	for (i = 0; i < (u64)nr; i++) {
		struct tdp_stress_entry *e = &entries[i], *of = &entries[i * step / KS_HUGE_PAGES *
									 KS_HUGE_PAGES / step];
		const char *what = NULL;

		if (e->state != TDP_STRESS_SPTE_LEAF || e->level != level ||
		    e->gfn != first + i * step)
			what = "is no leaf of that level at that GFN";
		else if (e->pfn != of->pfn + (e->gfn - of->gfn))
			what = "maps another page frame than its huge page has there";
		else if (roots == TDP_STRESS_ROOTS_MIRROR && ks->backend != KS_REAL &&
			 (e->ext_pfn != e->pfn || (e->ext_state != TDP_STRESS_EXT_MAPPED &&
						   e->ext_state != TDP_STRESS_EXT_PENDING)))
			what = "is something else in the external table";
		if (!what)
			continue;
		snprintf(ks->text, sizeof(ks->text),
			 "entry %llu, gfn 0x%llx level %u pfn 0x%llx (ext %u, 0x%llx) %s", i,
			 e->gfn, e->level, e->pfn, e->ext_state, e->ext_pfn, what);
		return ks->text;
	}
	return NULL;
}

#define EXPECT_LEAFS(_roots, _level) do {				\
	EXPECT_SOUND(wrong_leafs(&self->ks, &self->vm, _roots, _level));	\
	EXPECT_EQ((_level) == 2 ? KS_HUGE_LEAFS : 0, td_stat(self->vm.vm_fd, "pages_2m"));	\
	EXPECT_MAPPED(&self->vm, KS_WINDOW);				\
	EXPECT_SOUND(ks_audit(&self->ks));				\
} while (0)

/* An operation on all of the mobile slot. */
static int whole(struct ks *ks, struct td *vm, u32 nr, u32 flags, u32 roots, u32 level,
		 struct tdp_stress_op *op)
{
	*op = (struct tdp_stress_op) {
		.op = nr,
		.flags = flags,
		.gfn = vm->slots[TD_SLOT_MOBILE].gfn,
		.nr = KS_WINDOW,
		.roots = roots,
		.level = level,
	};
	return ks_op(ks, vm, op);
}

/* One that must do what it is for. */
#define DO(_nr, _flags, _roots, _level) do {				\
	struct tdp_stress_op _op;					\
									\
	ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_##_nr, _flags, _roots, _level,	\
			  &_op));					\
	EXPECT_EQ(TDP_STRESS_DID, _op.result) {				\
		TH_LOG(#_nr ": result %u, error %u", _op.result, _op.error);	\
	}								\
	EXPECT_EQ(_op.leafs_before, _op.leafs_after);			\
} while (0)

/* Direct roots, by memslot flags alone: what the leafs say is /dev/tdp_stress's. */
TEST_KS(huge_split_promote, direct_by_dirty_log)
{
	struct td *vm = &self->vm;
	u32 direct = TDP_STRESS_ROOTS_DIRECT;
	int i;

	KS_NEEDS(0, 0, 0, 0);
	KS_START_HUGE();
	for (i = 0; i < 3; i++) {
		EXPECT_LEAFS(direct, 2);
		ASSERT_CALL(td_slot_set_flags(vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES));
		EXPECT_LEAFS(direct, 1);
		ASSERT_CALL(td_slot_set_flags(vm, TD_SLOT_MOBILE, 0));
	}
	EXPECT_LEAFS(direct, 2);
}

/* By the entry points, with mmu_lock held either way, and with walks that yield. */
TEST_KS(huge_split_promote, direct_by_entry_points)
{
	u32 direct = TDP_STRESS_ROOTS_DIRECT;
	static const u32 how[] = {
		0, TDP_STRESS_OP_FLAG_SHARED, TDP_STRESS_OP_FLAG_YIELD,
		TDP_STRESS_OP_FLAG_SHARED | TDP_STRESS_OP_FLAG_YIELD,
	};
	size_t i;

	KS_NEEDS(0, OP(SPLIT) | OP(RECOVER), 0, 0);
	KS_START_HUGE();
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		DO(SPLIT, how[i], direct, 1);
		EXPECT_LEAFS(direct, 1);
		DO(RECOVER, how[i] & TDP_STRESS_OP_FLAG_YIELD, direct, 0);
		EXPECT_LEAFS(direct, 2);
	}
}

/* Huge mirror leafs, which no fault of this KVM makes: private GFNs of the mobile slot. */
#define START_MIRROR() do {						\
	KS_NEEDS(TDP_STRESS_FEATURE_CRAFT | TDP_STRESS_FEATURE_MIRROR_SPLIT,	\
		 OP(MAP_CRAFT) | OP(SPLIT) | OP(RECOVER), 0, 0);	\
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));	\
	ks_touch(&self->vm, TD_SLOT_MOBILE, true);			\
	ASSERT_CALL(td_set_private(&self->vm, self->vm.slots[TD_SLOT_MOBILE].gfn, KS_WINDOW,	\
				   true));				\
} while (0)

/*
 * What huge pages for TDX need (scripts/variants/mirror-split) leaves mirror roots alone
 * while mmu_lock is held for read: then nothing is split, and it is done for write.
 */
static int split_mirror(struct ks *ks, struct td *vm, u32 flags, struct tdp_stress_op *op)
{
	u32 mirror = TDP_STRESS_ROOTS_MIRROR;
	int ret = whole(ks, vm, TDP_STRESS_OP_SPLIT, flags, mirror, 1, op);

	if (ret || op->result != TDP_STRESS_NOTHING || !(flags & TDP_STRESS_OP_FLAG_SHARED))
		return ret;
	if (wrong_leafs(ks, vm, mirror, 2))
		return -EPROTO;
	return whole(ks, vm, TDP_STRESS_OP_SPLIT, flags & ~TDP_STRESS_OP_FLAG_SHARED, mirror, 1,
		     op);
}

#define SPLIT_MIRROR(_flags) do {					\
	struct tdp_stress_op _op;					\
									\
	ASSERT_CALL(split_mirror(&self->ks, &self->vm, _flags, &_op));	\
	EXPECT_EQ(TDP_STRESS_DID, _op.result) {				\
		TH_LOG("result %u, error %u", _op.result, _op.error);	\
	}								\
	EXPECT_EQ(_op.leafs_before, _op.leafs_after);			\
} while (0)

TEST_KS(huge_split_promote, mirror)
{
	u32 mirror = TDP_STRESS_ROOTS_MIRROR;
	struct tdp_stress_op op;
	int i;

	/* a VM each: a table that was there keeps a huge leaf from being mapped again */
	for (i = 0; i < 4; i++) {
		START_MIRROR();
		ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_MAP_CRAFT, 0, 0, 2, &op));
		EXPECT_EQ(TDP_STRESS_DID, op.result) {
			TH_LOG("result %u, error %u", op.result, op.error);
		}
		EXPECT_LEAFS(mirror, 2);
		SPLIT_MIRROR((i & 1 ? TDP_STRESS_OP_FLAG_SHARED : 0) |
			     (i & 2 ? TDP_STRESS_OP_FLAG_YIELD : 0));
		EXPECT_LEAFS(mirror, 1);
		ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_UNMAP, 0, mirror, 0, &op));
		EXPECT_MAPPED(&self->vm, 0);
		EXPECT_PRIVATE(&self->ks, 0);
		td_destroy(&self->vm);
		ASSERT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
	}
}

/*
 * KVM recovers huge leafs of memslots whose dirty log ends, and warns where GFNs of one
 * are private (Documentation/findings.rst): so that is refused, and nothing is done.
 */
TEST_KS(huge_split_promote, mirror_recovery_refused)
{
	u32 mirror = TDP_STRESS_ROOTS_MIRROR;
	struct tdp_stress_op op;

	START_MIRROR();
	ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_MAP_CRAFT, 0, 0, 2, &op));
	SPLIT_MIRROR(TDP_STRESS_OP_FLAG_SHARED);
	EXPECT_REFUSED(EOPNOTSUPP, whole(&self->ks, &self->vm, TDP_STRESS_OP_RECOVER, 0, mirror, 0,
					 &op));
	EXPECT_LEAFS(mirror, 1);
}

/* A conversion of one page of a huge private leaf: all of the leaf goes, or is split. */
TEST_KS(huge_split_promote, mirror_partly_converted)
{
	struct td *vm = &self->vm;
	u64 gfn;
	struct tdp_stress_op op;
	s64 left;

	START_MIRROR();
	gfn = vm->slots[TD_SLOT_MOBILE].gfn;
	ASSERT_CALL(whole(&self->ks, vm, TDP_STRESS_OP_MAP_CRAFT, 0, 0, 2, &op));
	EXPECT_LEAFS(TDP_STRESS_ROOTS_MIRROR, 2);
	ASSERT_CALL(td_set_private(vm, gfn + 7, 1, false));
	left = ks_mapped(vm);
	EXPECT_GE((s64)KS_WINDOW - 1, left);
	EXPECT_LE((s64)(KS_WINDOW - KS_HUGE_PAGES), left);
	EXPECT_SOUND(ks_audit(&self->ks));
}

/* Zapped while huge, zapped while split. */
TEST_KS(huge_split_promote, mirror_zapped)
{
	struct tdp_stress_op op;
	int split;

	START_MIRROR();
	for (split = 0; split < 2; split++) {
		ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_MAP_CRAFT, 0, 0, 2, &op));
		EXPECT_LEAFS(TDP_STRESS_ROOTS_MIRROR, 2);
		if (split)
			SPLIT_MIRROR(TDP_STRESS_OP_FLAG_SHARED);
		ASSERT_CALL(whole(&self->ks, &self->vm, TDP_STRESS_OP_UNMAP, 0,
				  TDP_STRESS_ROOTS_MIRROR, 0, &op));
		EXPECT_EQ(TDP_STRESS_DID, op.result);
		EXPECT_MAPPED(&self->vm, 0);
		EXPECT_PRIVATE(&self->ks, 0);
	}
}

KS_TEST_MAIN("huge_split_promote: huge leafs are split and made huge again, direct and mirror.");
