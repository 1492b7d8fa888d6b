// SPDX-License-Identifier: GPL-2.0
/* Teardown: HKID release, reclaim, write-back, each in wrong orders too. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX	TDX_OPERAND_ID_RCX

FIXTURE(phymem) {
	struct host h;
	struct test_td td;
	u64 reg;
};

FIXTURE_SETUP(phymem)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
	self->reg = host_page(&self->h);
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->reg));
}

FIXTURE_TEARDOWN(phymem)
{
	host_stop(&self->h);
}

TEST_F(phymem, hkid_is_released_step_by_step)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 status;
	int n = 0;

	EXPECT_EQ(TDX_FLUSHVP_NOT_DONE, seamcall(h, TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	EXPECT_EQ(TDX_NO_HKID_READY_TO_WBCACHE, seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0));
	EXPECT_EQ(0, td_flush_vcpus(td));
	EXPECT_EQ(0, seamcall(h, TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, seamcall(h, TDH_MNG_VPFLUSHDONE, td->tdr, 0, 0));
	/* Blocked: it cannot run, and no page can be had yet. */
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, td_enter(td, 0));
	EXPECT_EQ(TDX_TD_KEYS_NOT_CONFIGURED, td_block(td, TEST_GPA));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, reclaim(h, self->reg));
	EXPECT_EQ(TDX_WBCACHE_NOT_COMPLETE, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	while ((status = seamcall(h, TDH_PHYMEM_CACHE_WB, !!n, 0, 0)) == TDX_INTERRUPTED_RESUMABLE)
		n++;
	EXPECT_EQ(0, status);
	EXPECT_LE(n, 3);
	EXPECT_EQ(TDX_NO_HKID_READY_TO_WBCACHE, seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0));
	EXPECT_EQ(0, seamcall(h, TDH_MNG_KEY_FREEID, td->tdr, 0, 0));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, seamcall(h, TDH_MNG_KEY_CONFIG, td->tdr, 0, 0));
}

/* An HKID that was never freed stays assigned: the next TD cannot have it. */
TEST_F(phymem, hkid_is_reused_only_after_freeid)
{
	struct host *h = &self->h;
	struct test_td next;

	EXPECT_EQ(TDX_HKID_NOT_FREE | TDX_OPERAND_ID_RDX,
		  td_start(h, &next, HOST_KEYID, STAGE_CREATED, 0));
	ASSERT_EQ(0, td_flush_vcpus(&self->td));
	ASSERT_EQ(0, seamcall(h, TDH_MNG_VPFLUSHDONE, self->td.tdr, 0, 0));
	EXPECT_EQ(TDX_HKID_NOT_FREE | TDX_OPERAND_ID_RDX,
		  td_start(h, &next, HOST_KEYID, STAGE_CREATED, 0));
	while (seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0) == TDX_INTERRUPTED_RESUMABLE)
		;
	ASSERT_EQ(0, seamcall(h, TDH_MNG_KEY_FREEID, self->td.tdr, 0, 0));
	EXPECT_EQ(0, td_start(h, &next, HOST_KEYID, STAGE_CREATED, 0));
}

TEST_F(phymem, cache_wb_operands_and_interruptions)
{
	struct host *h = &self->h;
	int i, interrupted = 0;

	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, seamcall(h, TDH_PHYMEM_CACHE_WB, 2, 0, 0));
	EXPECT_EQ(TDX_WBCACHE_RESUME_ERROR, seamcall(h, TDH_PHYMEM_CACHE_WB, 1, 0, 0));
	for (i = 0; i < 20; i++) {
		struct test_td td;

		ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_KEYED, 0));
		ASSERT_EQ(0, seamcall(h, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0));
		if (seamcall(h, TDH_PHYMEM_CACHE_WB, 0, 0, 0) == TDX_INTERRUPTED_RESUMABLE)
			interrupted++;
		while (seamcall(h, TDH_PHYMEM_CACHE_WB, 1, 0, 0) == TDX_INTERRUPTED_RESUMABLE)
			;
		ASSERT_EQ(0, seamcall(h, TDH_MNG_KEY_FREEID, td.tdr, 0, 0));
		ASSERT_EQ(0, reclaim(h, td.tdr));
	}
	EXPECT_GT(interrupted, 0);
	EXPECT_LT(interrupted, 20);
}

TEST_F(phymem, reclaim_tells_what_it_was)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX, reclaim(h, host_page(h)));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, reclaim(h, self->reg + 8));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, reclaim(h, self->reg));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, reclaim(h, td->tdr));
	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	EXPECT_EQ(0, reclaim(h, self->reg));
	EXPECT_EQ(PT_REG, h->last.rcx);
	EXPECT_EQ(td->tdr, h->last.rdx);
	EXPECT_EQ(0, h->last.r8);
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX, reclaim(h, self->reg));
	EXPECT_EQ(0, h->findings);
}

TEST_F(phymem, the_tdr_goes_last)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	EXPECT_EQ(TDX_TD_ASSOCIATED_PAGES_EXIST, reclaim(h, td->tdr));
	EXPECT_EQ(0, reclaim(h, self->reg));
	td->nr_ept--;
	EXPECT_EQ(0, reclaim(h, td->ept[td->nr_ept]));
	EXPECT_EQ(TDX_TD_ASSOCIATED_PAGES_EXIST, reclaim(h, td->tdr));
}

/* TDCS before vCPUs and tables: unusual, and all pages still come back. */
TEST_F(phymem, control_pages_in_any_order)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 pages[32];
	u32 i, n = 0;

	for (i = 0; i < HOST_TDCS_PAGES; i++)
		pages[n++] = td->tdcx[i];
	pages[n++] = td->vcpu[0].tdvpr;
	for (i = 0; i < HOST_TDVPS_PAGES - 1; i++)
		pages[n++] = td->vcpu[0].tdcx[i];
	pages[n++] = self->reg;
	for (i = 0; i < td->nr_ept; i++)
		pages[n++] = td->ept[i];

	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	for (i = 0; i < n; i++)
		EXPECT_EQ(0, reclaim(h, pages[i]));
	EXPECT_EQ(0, reclaim(h, td->tdr));
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
	EXPECT_EQ(0, h->findings);
}

/* A table that still maps a page of the TD: legal for the module, not for KVM. */
TEST_F(phymem, a_table_before_its_pages_is_reported)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	EXPECT_EQ(0, reclaim(h, td->ept[2]));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("X2", h->finding_id);
	EXPECT_EQ(td->ept[2], h->finding.pa);
	EXPECT_EQ(0, reclaim(h, self->reg));
}

TEST_F(phymem, wbinvd_is_for_pages_that_came_back)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 hkid = (u64)HOST_KEYID << HOST_PHYS_BITS;

	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_WBINVD, self->reg | hkid, 0, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_WBINVD, self->reg | hkid | 8, 0, 0));
	ASSERT_EQ(self->reg, td_zap(td, TEST_GPA));
	EXPECT_EQ(0, seamcall(h, TDH_PHYMEM_PAGE_WBINVD, self->reg | hkid, 0, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_WBINVD, td->tdr, 0, 0));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_WBINVD, (u64)HOST_PAGES << PAGE_SHIFT, 0, 0));
}

/* A TD that failed half way through its creation goes the same way. */
TEST_F(phymem, teardown_from_every_stage)
{
	enum td_stage stage;

	for (stage = STAGE_KEYED; stage <= STAGE_RUNNABLE; stage++) {
		struct test_td td;

		ASSERT_EQ(0, td_start(&self->h, &td, HOST_KEYID + 1, stage, 1));
		EXPECT_EQ(0, td_stop(&td));
	}
	EXPECT_EQ(0, self->h.findings);
	EXPECT_EQ(1, host_counter(&self->h, "td.live"));
}

/* KVM's error path: the key was configured on no package. */
TEST_F(phymem, teardown_without_a_key)
{
	struct test_td td;

	ASSERT_EQ(0, td_start(&self->h, &td, HOST_KEYID + 1, STAGE_CREATED, 0));
	EXPECT_EQ(0, td_stop(&td));
}

TEST_HARNESS_MAIN
