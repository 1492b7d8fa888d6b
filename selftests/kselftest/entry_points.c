// SPDX-License-Identifier: GPL-2.0
/*
 * Every entry point of the TDP MMU that /dev/tdp_stress offers, once: does it do what it
 * is for, to the tables that it is asked for, and does it say so? And an external
 * operation that fails for good: KVM gives the VM up, and nobody is blamed.
 */
#include <sys/ioctl.h>

#include "ks_test.h"

KS_FIXTURE(entry_points);

#define DIRECT	TDP_STRESS_ROOTS_DIRECT
#define MIRROR	TDP_STRESS_ROOTS_MIRROR

TEST_KS(entry_points, query)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	char names[64][sizeof(((struct tdp_stress_query_op *)0)->name)];
	u32 nr, i;

	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	EXPECT_EQ(TDP_STRESS_ABI_VERSION, q.abi);
	EXPECT_EQ(variant->backend == KS_EXTERNAL ? TDP_STRESS_BACKEND_EXTERNAL :
		  variant->backend == KS_EMULATED ? TDP_STRESS_BACKEND_TDX_EMULATED :
						    TDP_STRESS_BACKEND_TDX_REAL, q.backend);
	EXPECT_EQ(TDP_STRESS_OP_RELOAD + 1, q.nr_ops);
	EXPECT_EQ(0, q.live_holds);
	EXPECT_EQ(0, q.live_injects);
	ASSERT_LE(q.nr_ops, ARRAY_SIZE(names));
	for (nr = 0; nr < q.nr_ops; nr++) {
		struct tdp_stress_query_op o = { .size = sizeof(o), .op = nr };

		ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY_OP, &o));
		EXPECT_EQ(!(q.ops & 1ULL << nr), !!o.why[0]) TH_LOG("%s: '%s'", o.name, o.why);
		memcpy(names[nr], o.name, sizeof(o.name));
		for (i = 0; i < nr; i++)
			EXPECT_STRNE(names[i], names[nr]);
	}
}

/* One operation; what is left open is zero. */
#define DO(_nr, _result, ...) ({						\
	struct tdp_stress_op _op = { .op = TDP_STRESS_OP_##_nr, __VA_ARGS__ };	\
										\
	ASSERT_CALL(ks_op(&self->ks, &self->vm, &_op));				\
	EXPECT_EQ(TDP_STRESS_##_result, _op.result) {				\
		TH_LOG(#_nr ": result %u, error %u", _op.result, _op.error);	\
	}									\
	_op;									\
})

TEST_KS(entry_points, faults_and_zaps)
{
	struct tdp_stress_op op;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	op = DO(MAP, DID, .gfn = 5, .nr = 100, .level = 1, .roots = MIRROR,
		.flags = TDP_STRESS_OP_FLAG_WRITE);
	EXPECT_EQ(100, op.done);
	EXPECT_EQ(op.leafs_before + 100, op.leafs_after);
	EXPECT_LE(100, op.changed);
	EXPECT_MAPPED(&self->vm, 100);
	op = DO(MAP, NOTHING, .gfn = 5, .nr = 100, .level = 1, .roots = MIRROR);
	EXPECT_EQ(0, op.changed);
	op = DO(PREFAULT, DID, .gfn = 0, .nr = 10, .vcpu = 1);
	EXPECT_EQ(op.leafs_before + 5, op.leafs_after);
	/* the other kind of root is left alone */
	op = DO(UNMAP, NOTHING, .gfn = 0, .nr = 200, .roots = DIRECT);
	EXPECT_EQ(op.leafs_before, op.leafs_after);
	op = DO(UNMAP, DID, .gfn = 0, .nr = 10, .roots = MIRROR);
	EXPECT_EQ(10, op.changed);
	EXPECT_EQ(op.leafs_before - 10, op.leafs_after);
	op = DO(ZAP_LEAFS, DID, .gfn = 0, .nr = 200);
	EXPECT_EQ(0, op.leafs_after);
	EXPECT_EQ(95, op.changed);
	EXPECT_PRIVATE(&self->ks, 0);
	EXPECT_SOUND(ks_check(&self->ks));
}

TEST_KS(entry_points, walks_that_yield)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	struct tdp_stress_op op;

	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_QUERY, &q));
	if (!(q.features & TDP_STRESS_FEATURE_PREEMPT))
		SKIP(return, "walks yield only in a kernel with CONFIG_PREEMPT");
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, 512));
	op = DO(UNMAP, DID, .gfn = 0, .nr = 512, .roots = MIRROR,
		.flags = TDP_STRESS_OP_FLAG_YIELD);
	EXPECT_LE(1, op.yields);
	EXPECT_EQ(0, op.leafs_after);
}

TEST_KS(entry_points, direct_roots)
{
	u64 gfn;

	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
	ks_touch(&self->vm, TD_SLOT_MOBILE, false);
	DO(MAP, DID, .gfn = gfn, .nr = 64, .level = 1, .roots = DIRECT,
	   .flags = TDP_STRESS_OP_FLAG_WRITE);
	DO(GET_WALK, DID, .gfn = gfn, .nr = 64);
	DO(LAST_SPTEP, DID, .gfn = gfn, .nr = 64);
	DO(WRPROT_SLOT, DID, .gfn = gfn, .nr = 1, .level = 1);
	DO(FAST_PF, DID, .gfn = gfn, .nr = 64);
	DO(CLEAR_DIRTY_MASKED, DID, .gfn = gfn & ~63ULL, .nr = 64, .mask = ~0ULL,
	   .flags = TDP_STRESS_OP_FLAG_WRITE);
	DO(CLEAR_DIRTY_SLOT, DID, .gfn = gfn, .nr = 1);
	DO(AGE, DID, .gfn = gfn, .nr = 64);
	DO(TEST_AGE, NOTHING, .gfn = gfn, .nr = 64);
	DO(WRPROT_GFN, DID, .gfn = gfn, .nr = 1, .level = 1);
	DO(RELOAD, DID, .vcpu = 1);
	DO(UNMAP, DID, .gfn = gfn, .nr = 8, .roots = DIRECT);
	EXPECT_MAPPED(&self->vm, 56);
	DO(ZAP_ALL, DID);
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_SOUND(ks_check(&self->ks));
}

/* Whole roots go; private memory goes only with all of them. */
TEST_KS(entry_points, roots)
{
	u64 gfn;

	KS_NEEDS(0, 1ULL << TDP_STRESS_OP_INVALIDATE_ALL | 1ULL << TDP_STRESS_OP_ROLE, 0, 0);
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
	ks_touch(&self->vm, TD_SLOT_MOBILE, false);
	ASSERT_CALL(ks_map(&self->vm, 0, 0, 10));
	DO(MAP, DID, .gfn = gfn, .nr = 20, .level = 1, .roots = DIRECT);
	EXPECT_MAPPED(&self->vm, 30);
	DO(INVALIDATE, DID, .flags = TDP_STRESS_OP_FLAG_SHARED);
	EXPECT_MAPPED(&self->vm, 10);
	DO(ROLE, DID, .vcpu = 0);
	DO(MAP, DID, .gfn = gfn, .nr = 20, .level = 1, .roots = DIRECT);
	DO(INVALIDATE, DID);
	EXPECT_MAPPED(&self->vm, 10);
	DO(INVALIDATE_ALL, DID);
	EXPECT_MAPPED(&self->vm, 0);
	EXPECT_PRIVATE(&self->ks, 0);
	EXPECT_SOUND(ks_check(&self->ks));
}

/* A removal that fails under mmu_lock held for write cannot be taken back. */
TEST_KS(entry_points, removal_fails_for_good)
{
	struct tdp_stress_check before = { .size = sizeof(before) }, c = { .size = sizeof(c) };
	struct tdp_stress_op op = { .op = TDP_STRESS_OP_UNMAP, .nr = 1, .roots = MIRROR };

	if (variant->backend != KS_EXTERNAL)
		SKIP(return, "tdx.c keeps the page that was not removed");
	ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, 10));
	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_CHECK, &before));
	ASSERT_CALL(ks_inject(&self->ks, TDP_STRESS_INJECT_EXTOP, TDP_STRESS_EXTOP_REMOVE,
			      TDP_STRESS_INJECT_ONCE, 1, EIO));
	ks_expect_warnings(true);
	ASSERT_CALL(ks_op(&self->ks, &self->vm, &op));
	ks_expect_warnings(false);
	EXPECT_EQ(1, ks_injected(&self->ks, TDP_STRESS_INJECT_EXTOP, TDP_STRESS_EXTOP_REMOVE));
	EXPECT_REFUSED(EIO, ks_op(&self->ks, &self->vm, &op));
	EXPECT_REFUSED(EIO, ks_map(&self->vm, 0, 20, 1));
	ASSERT_CALL(ks_dev(&self->ks, TDP_STRESS_CHECK, &c));
	EXPECT_EQ(before.violations, c.violations);
	EXPECT_LT(before.excused, c.excused);
}

KS_TEST_MAIN("entry_points: every operation of /dev/tdp_stress does what it is for, and says so.");
