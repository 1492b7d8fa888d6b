// SPDX-License-Identifier: GPL-2.0
/* PAMT: every way to take a page and to give it back, and who may not. */
#include "tdhost.h"
#include "kselftest_harness.h"

FIXTURE(pamt) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(pamt)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
}

FIXTURE_TEARDOWN(pamt)
{
	host_stop(&self->h);
}

static u32 rdmd_type(struct host *h, u64 pa)
{
	return seamcall(h, TDH_PHYMEM_PAGE_RDMD, pa, 0, 0) ? PT_NR : h->last.rcx;
}

TEST_F(pamt, rdmd_tells_type_and_owner_of_each_kind)
{
	struct host *h = &self->h;
	u64 reg = host_page(h);

	EXPECT_EQ(PT_NDA, rdmd_type(h, reg));
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, reg));
	EXPECT_EQ(PT_REG, rdmd_type(h, reg));
	EXPECT_EQ(self->td.tdr, h->last.rdx);
	EXPECT_EQ(PT_TDR, rdmd_type(h, self->td.tdr));
	EXPECT_EQ(PT_TDCX, rdmd_type(h, self->td.tdcx[0]));
	EXPECT_EQ(PT_TDCX, rdmd_type(h, self->td.vcpu[0].tdcx[0]));
	EXPECT_EQ(PT_TDVPR, rdmd_type(h, self->td.vcpu[0].tdvpr));
	EXPECT_EQ(PT_EPT, rdmd_type(h, self->td.ept[0]));
	EXPECT_EQ(PT_RSVD, rdmd_type(h, (u64)HOST_HOLE << PAGE_SHIFT));
}

TEST_F(pamt, rdmd_operands)
{
	struct host *h = &self->h;

	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_RDMD, 0x1001, 0, 0));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_RDMD, BIT_ULL(HOST_PHYS_BITS), 0, 0));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_RDMD, (u64)HOST_PAGES << PAGE_SHIFT, 0, 0));
}

TEST_F(pamt, counts_follow_take_and_return)
{
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, host_page(h)));
	EXPECT_EQ(1, host_counter(h, "pamt.REG"));
	EXPECT_EQ(1, host_counter(h, "pamt.TDR"));
	EXPECT_EQ(HOST_TDCS_PAGES + HOST_TDVPS_PAGES - 1, host_counter(h, "pamt.TDCX"));
	EXPECT_EQ(1, host_counter(h, "pamt.TDVPR"));
	EXPECT_EQ(3, host_counter(h, "pamt.EPT"));
	EXPECT_EQ(1, host_counter(h, "td.live"));
	EXPECT_EQ(1, host_counter(h, "vcpu.live"));
	ASSERT_NE(0, td_zap(&self->td, TEST_GPA));
	EXPECT_EQ(0, host_counter(h, "pamt.REG"));
	ASSERT_EQ(0, td_stop(&self->td));
	EXPECT_EQ(0, host_counter(h, "pamt.TDR"));
	EXPECT_EQ(0, host_counter(h, "pamt.TDCX"));
	EXPECT_EQ(0, host_counter(h, "pamt.TDVPR"));
	EXPECT_EQ(0, host_counter(h, "pamt.EPT"));
	EXPECT_EQ(0, host_counter(h, "td.live"));
	EXPECT_EQ(0, host_counter(h, "vcpu.live"));
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
	EXPECT_EQ(0, h->findings);
}

/* Each leaf that takes a page, with a page that somebody has already. */
TEST_F(pamt, a_page_in_use_cannot_be_taken_again)
{
	struct host *h = &self->h;
	struct test_td other, early;
	u64 used = host_page(h), vpr;

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, used));
	ASSERT_EQ(0, td_start(h, &other, HOST_KEYID + 1, STAGE_KEYED, 0));
	ASSERT_EQ(0, td_start(h, &early, HOST_KEYID + 2, STAGE_INITIALIZED, 1));
	ASSERT_EQ(0, td_map_tables(&early, TEST_GPA));
	vpr = host_page(h);
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vpr, early.tdr, 0));

	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_MNG_CREATE, used, HOST_KEYID + 3, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_MNG_ADDCX, used, other.tdr, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_VP_CREATE, used, early.tdr, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX,
		  seamcall(h, TDH_VP_ADDCX, used, vpr, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_R8,
		  seamcall(h, TDH_MEM_SEPT_ADD, (TEST_GPA + (2ULL << 20)) | 1, self->td.tdr, used));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_R8,
		  td_aug(&self->td, GPA_4K(1), used));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_R8,
		  seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, early.tdr, used, host_page(h)));
	EXPECT_STREQ("X2", h->finding_id);
	EXPECT_EQ(7, h->findings);
	EXPECT_EQ(self->td.tdr, h->finding.tdr);
	EXPECT_EQ(used, h->finding.pa);
}

TEST_F(pamt, a_page_without_ram_cannot_be_taken)
{
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_R8,
		  td_aug(&self->td, TEST_GPA, (u64)HOST_HOLE << PAGE_SHIFT));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | TDX_OPERAND_ID_R8,
		  td_aug(&self->td, TEST_GPA, (u64)HOST_PAGES << PAGE_SHIFT));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R8, td_aug(&self->td, TEST_GPA, 0x10800));
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(pamt, a_private_page_is_overwritten_when_taken)
{
	u64 pa = host_page(&self->h), *p = tdxm_env_va(pa);

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, pa));
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, p[0]);
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, p[511]);
	EXPECT_TRUE(tdxm_canary_intact(self->h.m, pa, 0, false));
}

TEST_F(pamt, canaries_differ_between_pages_and_lives)
{
	u64 a = host_page(&self->h), b = host_page(&self->h), first;
	u64 *pa = tdxm_env_va(a), *pb = tdxm_env_va(b);

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, a));
	ASSERT_EQ(0, td_aug(&self->td, GPA_4K(1), b));
	EXPECT_NE(*pa, *pb);
	first = *pa;
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA));
	EXPECT_EQ(PT_REG, rdmd_type(&self->h, a));
	EXPECT_EQ(td_tdcs(&self->td)->td_epoch, self->h.last.r9);	/* BEPOCH */
	ASSERT_EQ(0, td_track(&self->td));
	ASSERT_EQ(0, td_remove(&self->td, TEST_GPA));
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, a));
	EXPECT_NE(first, *pa);
	EXPECT_EQ(PT_REG, rdmd_type(&self->h, a));
	EXPECT_EQ(0, self->h.last.r9);
}

TEST_F(pamt, a_host_write_to_a_private_page_is_found_on_remove)
{
	u64 pa = host_page(&self->h), *p = tdxm_env_va(pa);

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, pa));
	p[300] ^= 1ULL << 40;
	EXPECT_EQ(pa, td_zap(&self->td, TEST_GPA));
	EXPECT_STREQ("X1", self->h.finding_id);
	EXPECT_EQ(1, self->h.findings);
	EXPECT_EQ(TEST_GPA, self->h.finding.gpa);
	EXPECT_EQ(1, host_counter(&self->h, "violation.X1"));
}

TEST_F(pamt, zeroing_a_private_page_is_found)
{
	u64 pa = host_page(&self->h);

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, pa));
	memset(tdxm_env_va(pa), 0, PAGE_SIZE);
	EXPECT_EQ(pa, td_zap(&self->td, TEST_GPA));
	EXPECT_EQ(1, self->h.findings);
}

/* Damage in the canary of a control page is found when it comes back. */
TEST_F(pamt, a_host_write_to_a_control_page_is_found_on_reclaim)
{
	struct test_td *td = &self->td;
	u64 pages[] = { td->tdr, td->tdcx[0], td->tdcx[2], td->vcpu[0].tdcx[0],
			td->vcpu[0].tdvpr, td->ept[2], td->tdcx[TDCS_PAGE_ROOT] };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		((u64 *)tdxm_env_va(pages[i]))[511] = 0x1234;
	ASSERT_EQ(0, td_stop(td));
	EXPECT_EQ(ARRAY_SIZE(pages), self->h.findings);
	EXPECT_STREQ("X1", self->h.finding_id);
}

/* Damage in the structure itself: the leaf fails at once, nothing crashes. */
TEST_F(pamt, a_host_write_to_a_structure_is_found_at_once)
{
	struct test_td *td = &self->td;

	td_tdr(td)->magic = 0;
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX, td_track(td));
	EXPECT_EQ(1, self->h.findings);
	EXPECT_EQ(td->tdr, self->h.finding.pa);
	td_tdr(td)->magic = TDXM_TDR_MAGIC;
	td_tdcs(td)->magic = 0;
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_TDR, td_track(td));
	EXPECT_EQ(2, self->h.findings);
	td_tdcs(td)->magic = TDXM_TDCS_MAGIC;
	td->vcpu[0].vcpu->magic = 0;
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | TDX_OPERAND_ID_RCX, td_enter(td, 0));
	EXPECT_EQ(3, self->h.findings);
}

TEST_HARNESS_MAIN
