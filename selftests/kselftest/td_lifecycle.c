// SPDX-License-Identifier: GPL-2.0
/*
 * The life of one TD: what is allowed when, and that its end leaves nothing.
 */
#include "ks_test.h"

#define INIT_PAGES	32
#define ROUNDS		5

KS_FIXTURE(td_lifecycle);

static const struct td_config small = { .nr_vcpus = 2, .nr_pages = KS_PAGES };

/* Neither vCPUs nor finalised: the shortest life. */
TEST_KS(td_lifecycle, created_and_gone)
{
	u64 live;

	ASSERT_MADE(&self->vm, td_create(&self->vm, &self->ks.env, &small));
	if (variant->backend != KS_REAL) {
		ASSERT_TRUE(ks_tdx_counter(&self->ks, "td.live", &live));
		EXPECT_EQ(1, live);
	}
	EXPECT_MAPPED(&self->vm, 0);
	td_destroy(&self->vm);
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
}

/* Memory and vCPUs, but it never ran. */
TEST_KS(td_lifecycle, finalised_and_gone)
{
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &small));
	EXPECT_MAPPED(&self->vm, 0);
}

/* Up to KVM_TDX_FINALIZE_VM there is but one way to give a TD memory. */
TEST_KS(td_lifecycle, prefault_before_finalise)
{
	if (self->ks.env.kind != TD_KIND_TDX)
		SKIP(return, "an adopted VM is final from the beginning");
	ASSERT_MADE(&self->vm, td_create(&self->vm, &self->ks.env, &small));
	ASSERT_MADE(&self->vm, td_add_vcpu(&self->vm));
	EXPECT_REFUSED(EOPNOTSUPP, td_prefault(&self->vm.vcpus[0], 0, 1, NULL));
	EXPECT_MAPPED(&self->vm, 0);
	ASSERT_MADE(&self->vm, td_finalize(&self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, 1));
	EXPECT_MAPPED(&self->vm, 1);
}

TEST_KS(td_lifecycle, initial_memory)
{
	static char source[INIT_PAGES << TD_PAGE_SHIFT] __aligned(4096);

	if (self->ks.env.kind != TD_KIND_TDX)
		SKIP(return, "KVM_TDX_INIT_MEM_REGION is for VMs of tdx.c's");
	memset(source, 0x5a, sizeof(source));
	ASSERT_MADE(&self->vm, td_create(&self->vm, &self->ks.env, &small));
	ASSERT_MADE(&self->vm, td_add_vcpu(&self->vm));
	ASSERT_MADE(&self->vm, td_init_mem(&self->vm, 0, 8, INIT_PAGES, source, true));
	EXPECT_MAPPED(&self->vm, INIT_PAGES);
	EXPECT_PRIVATE(&self->ks, INIT_PAGES);
	/* what is there already */
	EXPECT_GT(0, td_init_mem(&self->vm, 0, 8, 1, source, false));
	ASSERT_MADE(&self->vm, td_finalize(&self->vm));
	/* once it is measured nothing can be added */
	EXPECT_REFUSED(EINVAL, td_init_mem(&self->vm, 0, 100, 1, source, false));
	EXPECT_MAPPED(&self->vm, INIT_PAGES);
	ASSERT_CALL(ks_map(&self->vm, 0, 0, 64));
	EXPECT_MAPPED(&self->vm, 64);
	EXPECT_PRIVATE(&self->ks, 64);
}

TEST_KS(td_lifecycle, finalised_twice)
{
	if (self->ks.env.kind != TD_KIND_TDX)
		SKIP(return, "an adopted VM is final from the beginning");
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &small));
	EXPECT_REFUSED(EINVAL, td_finalize(&self->vm));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));
	EXPECT_MAPPED(&self->vm, KS_PAGES);
}

TEST_KS(td_lifecycle, late_vcpu)
{
	int ret;

	if (self->ks.env.kind != TD_KIND_TDX)
		SKIP(return, "an adopted VM takes vCPUs at any time");
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &small));
	ret = td_try_late_vcpu(&self->vm);
	EXPECT_TRUE(ret < 0 && td_errno_legal(TD_CALL_LATE_VCPU, -ret, 0)) {
		TH_LOG("KVM_CREATE_VCPU on a finalised TD: %d", ret);
	}
	ASSERT_CALL(ks_map(&self->vm, 1, 0, 1));
}

/* A vCPU maps, the other finds it mapped; the guest runs on it. */
TEST_KS(td_lifecycle, mapped_and_run)
{
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &small));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));
	EXPECT_MAPPED(&self->vm, KS_PAGES);
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
	ASSERT_CALL(ks_map(&self->vm, 1, 0, KS_PAGES));
	EXPECT_MAPPED(&self->vm, KS_PAGES);
	EXPECT_SOUND(ks_audit(&self->ks));
	if (ks_can_run(&self->ks)) {
		ASSERT_CALL(ks_run(&self->vm, 0, 20));
		ASSERT_CALL(ks_run(&self->vm, 1, 20));
	}
}

/* A guest that touches memory before it has accepted it: KVM ends the TD, and says why. */
TEST_KS(td_lifecycle, touched_before_accepted)
{
	struct ks_param careless = {
		.path = "/sys/module/tdx_stub/parameters/guest_careless", .value = "1",
	};
	struct ks_params params = { .list = &careless, .nr = 1 };

	if (variant->backend != KS_EMULATED)
		SKIP(return, "which pages the guest accepts is the emulated module's to say");
	ASSERT_MADE(&self->vm, ks_vm_make(&self->ks, &self->vm, &small));
	ASSERT_CALL(ks_map(&self->vm, 0, 0, KS_PAGES));
	ASSERT_EQ(NULL, ks_params_set(&params, &self->ks));
	ks_expect_warnings(true);
	EXPECT_REFUSED(EIO, ks_run(&self->vm, 0, 20));
	ks_expect_warnings(false);
	EXPECT_TRUE(ks_params_put_back(&params));
	/* dead for everybody, and nothing is lost */
	EXPECT_REFUSED(EIO, ks_run(&self->vm, 1, 1));
	EXPECT_REFUSED(EIO, ks_map(&self->vm, 1, 0, 1));
	EXPECT_PRIVATE(&self->ks, KS_PAGES);
	EXPECT_SOUND(ks_audit(&self->ks));
	td_destroy(&self->vm);
	EXPECT_TRUE(ks_idle(&self->ks)) TH_LOG("%s", self->ks.text);
}

/* The same life again and again: nothing is kept, KeyIDs come back. */
TEST_KS(td_lifecycle, again_and_again)
{
	int i;

	for (i = 0; i < ROUNDS; i++) {
		ASSERT_MADE(&self->vm, ks_vm_start(&self->ks, &self->vm));
		ASSERT_CALL(ks_map(&self->vm, i & 1, 0, KS_PAGES));
		EXPECT_MAPPED(&self->vm, KS_PAGES);
		td_destroy(&self->vm);
		ASSERT_TRUE(ks_idle(&self->ks)) TH_LOG("round %d: %s", i, self->ks.text);
	}
}

KS_TEST_MAIN("td_lifecycle: a TD from its creation to its end, step by step.")
