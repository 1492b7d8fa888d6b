// SPDX-License-Identifier: GPL-2.0
/*
 * NX huge pages: with the mitigation on an instruction fetch splits a huge leaf of
 * shared memory, and KVM's worker gives the small ones up later, so that the next
 * fault maps it huge again.
 */
#include "ks_test.h"

#define PARAMETERS	"/sys/module/kvm/parameters/"
#define OP(nr)		(1ULL << TDP_STRESS_OP_##nr)
#define RECOVERS_MS	20000

/* Recovery: all of the splits, every 50 ms, by KVM's worker. */
static struct ks_param wanted[] = {
	{ .path = PARAMETERS "nx_huge_pages_recovery_period_ms", .value = "50" },
	{ .path = PARAMETERS "nx_huge_pages_recovery_ratio", .value = "1" },
	{ .path = PARAMETERS "nx_huge_pages", .value = "force" },
};

FIXTURE(nx_recovery) {
	struct ks ks;
	struct td vm;
	struct ks_params params;
};

FIXTURE_VARIANT(nx_recovery) { enum ks_backend backend; };
FIXTURE_VARIANT_ADD(nx_recovery, external) { .backend = KS_EXTERNAL };
FIXTURE_VARIANT_ADD(nx_recovery, emulated) { .backend = KS_EMULATED };
FIXTURE_VARIANT_ADD(nx_recovery, real) { .backend = KS_REAL };

/* Before the VM: a switch of nx_huge_pages invalidates the roots of all. */
FIXTURE_SETUP(nx_recovery)
{
	const char *why;

	KS_SETUP();
	KS_NEEDS(0, OP(MAP), 0, 0);
	self->params = (struct ks_params) { .list = wanted, .nr = ARRAY_SIZE(wanted) };
	why = ks_params_set(&self->params, &self->ks);
	/* only now, for it is there while the mitigation is on */
	if (!why)
		why = ks_lacks(&self->ks, TDP_STRESS_FEATURE_NX, 0, 0, 0);
	if (!why)
		return;
	ks_params_put_back(&self->params);
	SKIP(return, "%s", why);
}

FIXTURE_TEARDOWN(nx_recovery)
{
	EXPECT_SOUND(ks_check(&self->ks));
	td_destroy(&self->vm);
	EXPECT_TRUE(ks_params_put_back(&self->params));
	EXPECT_SOUND(ks_close(&self->ks));
}

static int map(struct ks *ks, struct td *vm, u64 gfn, u64 nr, u32 flags, struct tdp_stress_op *op)
{
	*op = (struct tdp_stress_op) {
		.op = TDP_STRESS_OP_MAP, .flags = flags, .gfn = gfn, .nr = nr, .level = 2,
		.roots = TDP_STRESS_ROOTS_DIRECT,
	};
	return ks_op(ks, vm, op);
}

#define MAP(_gfn, _nr, _flags) do {					\
	struct tdp_stress_op _op;					\
									\
	ASSERT_CALL(map(&self->ks, &self->vm, _gfn, _nr, _flags, &_op));	\
	EXPECT_NE(TDP_STRESS_REFUSED, _op.result) TH_LOG("error %u", _op.error);	\
} while (0)

/* KVM makes the worker of a VM when a vCPU is to run for the first time. */
static int make_worker(struct td *vm)
{
	int ret;

	vm->vcpus[0].run->immediate_exit = 1;
	ret = td_ioctl(TD_CALL_RUN, vm->vcpus[0].fd, KVM_RUN, NULL);
	vm->vcpus[0].run->immediate_exit = 0;
	return ret == -EINTR ? 0 : ret;
}

/* No split is left, and so many pages: the worker counts first, then zaps. */
static bool recovered(struct td *vm, u64 left)
{
	unsigned int waited;

	for (waited = 0; waited < RECOVERS_MS; waited += 10) {
		if (!td_stat(vm->vm_fd, "nx_lpage_splits") && ks_mapped(vm) == (s64)left)
			return true;
		usleep(10000);
	}
	return false;
}

/* A read leaves a huge leaf alone, an instruction fetch makes it small. */
TEST_KS(nx_recovery, fetch_splits)
{
	u64 gfn;

	KS_START_HUGE();
	EXPECT_EQ(0, td_stat(self->vm.vm_fd, "nx_lpage_splits"));
	gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
	MAP(gfn + 3, 1, 0);
	EXPECT_EQ(KS_HUGE_LEAFS, td_stat(self->vm.vm_fd, "pages_2m"));
	MAP(gfn + 3, 1, TDP_STRESS_OP_FLAG_EXEC);
	EXPECT_EQ(KS_HUGE_LEAFS - 1, td_stat(self->vm.vm_fd, "pages_2m"));
	EXPECT_SOUND(ks_audit(&self->ks));
}

/* KVM's worker gives the table up; the next read maps it huge again. */
TEST_KS(nx_recovery, worker_recovers)
{
	u64 gfn;
	int i;

	KS_START_HUGE();
	EXPECT_EQ(0, td_stat(self->vm.vm_fd, "nx_lpage_splits"));
	gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
	ASSERT_CALL(make_worker(&self->vm));
	for (i = 0; i < 3; i++) {
		MAP(gfn, 1, TDP_STRESS_OP_FLAG_EXEC);
		MAP(gfn + KS_HUGE_PAGES, 1, TDP_STRESS_OP_FLAG_EXEC);
		ASSERT_TRUE(recovered(&self->vm, 0)) {
			TH_LOG("nx_lpage_splits is %lld after %u ms, %lld pages are mapped",
			       td_stat(self->vm.vm_fd, "nx_lpage_splits"), RECOVERS_MS,
			       ks_mapped(&self->vm));
		}
		ASSERT_CALL(ks_map(&self->vm, 1, gfn, KS_WINDOW));
		EXPECT_EQ(KS_HUGE_LEAFS, td_stat(self->vm.vm_fd, "pages_2m"));
		EXPECT_SOUND(ks_audit(&self->ks));
	}
}

/* Private memory is not the worker's business. */
TEST_KS(nx_recovery, beside_private_memory)
{
	u64 gfn;

	KS_START_HUGE();
	EXPECT_EQ(0, td_stat(self->vm.vm_fd, "nx_lpage_splits"));
	gfn = self->vm.slots[TD_SLOT_MOBILE].gfn;
	ASSERT_CALL(make_worker(&self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_MAIN_PAGES));
	MAP(gfn, 1, TDP_STRESS_OP_FLAG_EXEC);
	ASSERT_TRUE(recovered(&self->vm, KS_MAIN_PAGES + KS_WINDOW - KS_HUGE_PAGES));
	EXPECT_PRIVATE(&self->ks, KS_MAIN_PAGES);
}

KS_TEST_MAIN("nx_recovery: NX huge page splits, and KVM's worker that recovers them.");
