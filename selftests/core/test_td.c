// SPDX-License-Identifier: GPL-2.0
/* A TD's life in the right order and in wrong ones; TD_PARAMS; metadata. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX	TDX_OPERAND_ID_RCX
#define RDX	TDX_OPERAND_ID_RDX

FIXTURE(td) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(td)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
}

FIXTURE_TEARDOWN(td)
{
	host_stop(&self->h);
}

TEST_F(td, a_whole_life_leaves_nothing)
{
	struct host *h = &self->h;
	int i;

	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, td_start(h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 2));
		ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
		ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, host_page(h)));
		ASSERT_EQ(77, td_enter(&self->td, 0));
		ASSERT_NE(0, td_zap(&self->td, TEST_GPA));
		ASSERT_EQ(0, td_stop(&self->td));
	}
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(0, host_counter(h, "td.live"));
}

TEST_F(td, create_checks_hkid)
{
	struct host *h = &self->h;
	u64 page = host_page(h);

	EXPECT_EQ(TDX_OPERAND_INVALID | RDX, seamcall(h, TDH_MNG_CREATE, page, 0, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | RDX, seamcall(h, TDH_MNG_CREATE, page, HOST_KEYID - 1, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | RDX,
		  seamcall(h, TDH_MNG_CREATE, page, HOST_KEYID + HOST_NR_KEYIDS, 0));
	EXPECT_EQ(0, seamcall(h, TDH_MNG_CREATE, page, HOST_KEYID, 0));
	EXPECT_EQ(TDX_HKID_NOT_FREE | RDX,
		  seamcall(h, TDH_MNG_CREATE, host_page(h), HOST_KEYID, 0));
}

TEST_F(td, keys_come_before_everything)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_CREATED, 0));
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, seamcall(h, TDH_MNG_ADDCX, host_page(h), td->tdr, 0));
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, seamcall(h, TDH_MNG_INIT, td->tdr, 0, 0));
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, td_track(td));
	EXPECT_EQ(0, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
	EXPECT_EQ(TDX_KEY_CONFIGURED, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
	EXPECT_EQ(TDX_TDCS_NOT_ALLOCATED, td_track(td));
	EXPECT_EQ(TDX_TDCS_NOT_ALLOCATED, seamcall(h, TDH_MNG_INIT, td->tdr, 0, 0));
}

TEST_F(td, keys_are_configured_on_every_package)
{
	struct tdxm_config cfg = host_config;
	struct host *h = &self->h;
	struct test_td *td = &self->td;

	host_stop(h);
	cfg.nr_packages = 2;
	ASSERT_EQ(0, host_start(h, &cfg));
	tdxm_env_user_set_lps_per_package(4);
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_CREATED, 0));
	EXPECT_EQ(0, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, seamcall(h, TDH_MNG_ADDCX, host_page(h), td->tdr, 0));
	EXPECT_EQ(TDX_KEY_CONFIGURED, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
	tdxm_env_user_set_lp(5);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
	td->tdcx[0] = host_page(h);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_ADDCX, td->tdcx[0], td->tdr, 0));
	td->nr_tdcx = 1;

	/* Caches: one package is not enough either. */
	ASSERT_EQ(0, seamcall(h, TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_WBCACHE_NOT_COMPLETE, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	while (seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0) == TDX_INTERRUPTED_RESUMABLE)
		;
	EXPECT_EQ(TDX_WBCACHE_NOT_COMPLETE, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	tdxm_env_user_set_lp(0);
	while (seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0) == TDX_INTERRUPTED_RESUMABLE)
		;
	EXPECT_EQ(0, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	EXPECT_EQ(0, reclaim(h, td->tdcx[0]));
	EXPECT_EQ(0, reclaim(h, td->tdr));
}

TEST_F(td, tdcs_has_its_number_of_pages)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_TDCS, 0));
	EXPECT_EQ(TDX_TDCX_NUM_INCORRECT, seamcall(h, TDH_MNG_ADDCX, host_page(h), td->tdr, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_track(td));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_MR_FINALIZE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_VP_CREATE, host_page(h), td->tdr, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_MNG_RD, td->tdr, MD_TDCS_TSC_OFFSET, 0));
}

TEST_F(td, states_go_forward_only)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 params = host_page(h);

	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_INITIALIZED, 1));
	td_params_init(tdxm_env_va(params));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_MNG_INIT, td->tdr, params, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_MNG_ADDCX, host_page(h), td->tdr, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_enter(td, 0));
	EXPECT_EQ(0, seamcall(h, TDH_MR_FINALIZE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_MR_FINALIZE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, seamcall(h, TDH_VP_CREATE, host_page(h), td->tdr, 0));
	EXPECT_EQ(77, td_enter(td, 0));
}

FIXTURE(params) {
	struct host h;
	struct test_td td;
	u64 pa;
	struct tdxm_td_params *p;
};

FIXTURE_SETUP(params)
{
	static const u64 leaves[] = { ~0ULL << 32 | 0x80000008, 0x7, 1ULL << 32 | 0xd };
	struct tdxm_config cfg = host_config;

	cfg.attributes_fixed0 = TD_ATTRIBUTE_SEPT_VE_DISABLE | TD_ATTRIBUTE_DEBUG;
	cfg.attributes_fixed1 = 0;
	cfg.xfam_fixed0 = 0xff;
	cfg.xfam_fixed1 = 3;
	cfg.cpuid_config = leaves;
	cfg.nr_cpuid_config = ARRAY_SIZE(leaves);
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_TDCS, 0));
	self->pa = host_page(&self->h);
	self->p = tdxm_env_va(self->pa);
	td_params_init(self->p);
	self->p->xfam = 3;
}

FIXTURE_TEARDOWN(params)
{
	host_stop(&self->h);
}

static u64 mng_init(struct host *h, struct test_td *td, u64 pa)
{
	return seamcall(h, TDH_MNG_INIT, td->tdr, pa, 0);
}

/* With one assignment TD_PARAMS are refused with @operand, and nothing has changed. */
#define REFUSED(operand, assignment)						\
do {										\
	struct tdxm_td_params *p = self->p, good = *p;				\
										\
	assignment;								\
	EXPECT_EQ(TDX_OPERAND_INVALID | (operand),				\
		  mng_init(&self->h, &self->td, self->pa));			\
	EXPECT_EQ(OP_STATE_UNINITIALIZED, td_tdcs(&self->td)->op_state);	\
	*p = good;								\
} while (0)

TEST_F(params, each_field_is_checked)
{
	REFUSED(TDX_OPERAND_ID_ATTRIBUTES, p->attributes = BIT_ULL(5));
	REFUSED(TDX_OPERAND_ID_XFAM, p->xfam = 0x103);
	REFUSED(TDX_OPERAND_ID_XFAM, p->xfam = 1);
	REFUSED(TDX_OPERAND_ID_MAX_VCPUS, p->max_vcpus = 0);
	REFUSED(TDX_OPERAND_ID_MAX_VCPUS, p->max_vcpus = HOST_MAX_VCPUS + 1);
	REFUSED(TDX_OPERAND_ID_EXEC_CONTROLS, p->config_flags = 8);
	REFUSED(TDX_OPERAND_ID_EPTP_CONTROLS, p->eptp_controls = 0x18);
	REFUSED(TDX_OPERAND_ID_EPTP_CONTROLS, p->eptp_controls = 0x16);
	REFUSED(TDX_OPERAND_ID_EPTP_CONTROLS, p->eptp_controls = 0x5e);
	REFUSED(TDX_OPERAND_ID_EPTP_CONTROLS, p->config_flags = 1);	/* GPAW 52 wants 5 levels */
	REFUSED(TDX_OPERAND_ID_TSC_FREQUENCY, p->tsc_frequency = 3);
	REFUSED(TDX_OPERAND_ID_TSC_FREQUENCY, p->tsc_frequency = 401);
	REFUSED(RDX, p->reserved0[5] = 1);
	REFUSED(RDX, p->reserved1[37] = 1);
	REFUSED(RDX, p->reserved2[3] = 1);
	REFUSED(TDX_OPERAND_ID_CPUID_CONFIG, p->cpuid_values[3][0] = 1);
	REFUSED(TDX_OPERAND_ID_CPUID_CONFIG, p->cpuid_values[0][0] = 48 << 16);
	EXPECT_EQ((u32)0x80000008, (u32)self->h.last.rcx);
	EXPECT_EQ(0, mng_init(&self->h, &self->td, self->pa));
	EXPECT_EQ(0, self->h.last.rcx);
}

TEST_F(params, address)
{
	struct host *h = &self->h;

	EXPECT_EQ(TDX_OPERAND_INVALID | RDX, mng_init(h, &self->td, self->pa + 512));
	EXPECT_EQ(TDX_OPERAND_INVALID | RDX, mng_init(h, &self->td, self->td.tdcx[2]));
	EXPECT_EQ(TDX_OPERAND_INVALID | RDX,
		  mng_init(h, &self->td, (u64)HOST_PAGES << PAGE_SHIFT));
	memcpy(tdxm_env_va(self->pa + 1024), self->p, 1024);
	EXPECT_EQ(0, mng_init(h, &self->td, self->pa + 1024));
}

static u64 cpuid_field(u32 leaf, int subleaf, int element)
{
	return MD_TDCS_CPUID_VALUES | (leaf >> 31) << 16 | (leaf & 0x7f) << 9 |
	       (subleaf < 0 ? 0x1fe : subleaf << 1) | element;
}

TEST_F(params, metadata_of_the_td)
{
	u64 tdr = self->td.tdr;
	struct host *h = &self->h;

	self->p->cpuid_values[0][0] = 0x3030;
	self->p->cpuid_values[2][0] = 1;
	self->p->cpuid_values[2][1] = 2;
	self->p->cpuid_values[2][2] = 3;
	self->p->cpuid_values[2][3] = 4;
	ASSERT_EQ(0, mng_init(h, &self->td, self->pa));

	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, MD_TDCS_TSC_OFFSET, 0));
	EXPECT_EQ(0, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, MD_TDCS_TSC_MULTIPLIER, 0));
	EXPECT_EQ(1ULL << 48, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0x80000008, -1, 0), 0));
	EXPECT_EQ(0x303030, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0xd, 1, 0), 0));
	EXPECT_EQ(2ULL << 32 | 1, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0xd, 1, 1), 0));
	EXPECT_EQ(4ULL << 32 | 3, h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0, -1, 0), 0));
	EXPECT_EQ(0xd, (u32)h->last.r8);
	EXPECT_EQ(0, seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0x80000000, -1, 0), 0));
	EXPECT_EQ(0x80000008, (u32)h->last.r8);

	EXPECT_EQ(TDX_METADATA_FIELD_NOT_READABLE,
		  seamcall(h, TDH_MNG_RD, tdr, cpuid_field(0xd, 0, 0), 0));
	EXPECT_EQ(TDX_METADATA_FIELD_NOT_READABLE,
		  seamcall(h, TDH_MNG_RD, tdr, cpuid_field(1, -1, 0), 0));
	EXPECT_EQ(0, h->last.r8);
	EXPECT_EQ(TDX_METADATA_FIELD_ID_INCORRECT, seamcall(h, TDH_MNG_RD, tdr, 0x1234, 0));
	EXPECT_EQ(TDX_METADATA_FIELD_ID_INCORRECT,
		  seamcall(h, TDH_MNG_RD, tdr, MD_TDCS_CPUID_VALUES | 1 << 17, 0));
}

TEST_F(params, metadata_of_the_module)
{
	static const u64 expect[][2] = {
		{ MD_SYS_MAJOR_VERSION, 1 }, { MD_SYS_MINOR_VERSION, 5 },
		{ MD_SYS_UPDATE_VERSION, 0 }, { MD_SYS_MAX_TDMRS, 64 },
		{ MD_SYS_MAX_RESERVED_PER_TDMR, 64 }, { MD_SYS_PAMT_4K_ENTRY_SIZE, 16 },
		{ MD_SYS_PAMT_2M_ENTRY_SIZE, 0 }, { MD_SYS_PAMT_1G_ENTRY_SIZE, 0 },
		{ MD_SYS_TDR_BASE_SIZE, 4096 }, { MD_SYS_TDCS_BASE_SIZE, HOST_TDCS_PAGES * 4096 },
		{ MD_SYS_TDVPS_BASE_SIZE, HOST_TDVPS_PAGES * 4096 },
		{ MD_SYS_ATTRIBUTES_FIXED1, 0 }, { MD_SYS_XFAM_FIXED0, 0xff },
		{ MD_SYS_XFAM_FIXED1, 3 }, { MD_SYS_NUM_CPUID_CONFIG, 3 },
		{ MD_SYS_MAX_VCPUS_PER_TD, HOST_MAX_VCPUS }, { MD_SYS_MODULE_HV, 0 },
		{ MD_SYS_CPUID_CONFIG_LEAVES + 1, 7 },
		{ MD_SYS_ATTRIBUTES_FIXED0, TD_ATTRIBUTE_SEPT_VE_DISABLE | TD_ATTRIBUTE_DEBUG },
		{ MD_SYS_FEATURES0, BIT_ULL(18) | BIT_ULL(20) },
	};
	struct host *h = &self->h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(expect); i++) {
		EXPECT_EQ(0, seamcall(h, TDH_SYS_RD, 0, expect[i][0], 0));
		EXPECT_EQ(expect[i][1], h->last.r8);
	}
	EXPECT_EQ(TDX_METADATA_FIELD_NOT_READABLE,
		  seamcall(h, TDH_SYS_RD, 0, MD_SYS_CPUID_CONFIG_LEAVES + 3, 1));
	EXPECT_EQ(0, h->last.r8);
}

TEST_F(td, boot_time_leaves_say_done)
{
	struct host *h = &self->h;

	EXPECT_EQ(TDX_SYS_INIT_NOT_PENDING, seamcall(h, TDH_SYS_INIT, 0, 0, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, seamcall(h, TDH_SYS_INIT, 1, 0, 0));
	EXPECT_EQ(TDX_SYS_LP_INIT_DONE, seamcall(h, TDH_SYS_LP_INIT, 0, 0, 0));
	EXPECT_EQ(TDX_SYS_CONFIG_NOT_PENDING, seamcall(h, TDH_SYS_CONFIG, 0, 0, 0));
	EXPECT_EQ(TDX_SYS_KEY_CONFIG_NOT_PENDING, seamcall(h, TDH_SYS_KEY_CONFIG, 0, 0, 0));
	EXPECT_EQ(TDX_TDMR_ALREADY_INITIALIZED, seamcall(h, TDH_SYS_TDMR_INIT, 0, 0, 0));
}

TEST_F(td, shutdown_update_disable)
{
	struct host *h = &self->h;

	EXPECT_EQ(TDX_SYS_STATE_INCORRECT, seamcall(h, TDH_SYS_UPDATE, 0, 0, 0));
	ASSERT_EQ(0, td_start(h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	EXPECT_EQ(TDX_SYS_STATE_INCORRECT, seamcall(h, TDH_SYS_SHUTDOWN, 0, 0, 0));
	ASSERT_EQ(0, td_stop(&self->td));
	EXPECT_EQ(0, seamcall(h, TDH_SYS_SHUTDOWN, 0, 0, 0));
	EXPECT_EQ(TDX_SYS_SHUTDOWN, seamcall(h, TDH_MNG_CREATE, host_page(h), HOST_KEYID, 0));
	EXPECT_EQ(0, seamcall(h, TDH_PHYMEM_PAGE_RDMD, host_page(h), 0, 0));
	EXPECT_EQ(0, seamcall(h, TDH_SYS_UPDATE, 0, 0, 0));
	ASSERT_EQ(0, td_start(h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	EXPECT_EQ(0, seamcall(h, TDH_SYS_DISABLE, 0, 0, 0));
	EXPECT_EQ(TDX_SYS_SHUTDOWN, td_enter(&self->td, 0));
	EXPECT_EQ(0, seamcall(h, TDH_SYS_DISABLE, 0, 0, 0));
}

TEST_HARNESS_MAIN
