// SPDX-License-Identifier: GPL-2.0
/* Huge private pages: taken, used, blocked, given back; their PAMT and canary. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX		TDX_OPERAND_ID_RCX
#define R8		TDX_OPERAND_ID_R8
#define L1		1	/* in a GPA operand: 2M */
#define GPA_2M(i)	(TEST_GPA + (u64)(i) * SIZE_2M)

FIXTURE(huge) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(huge)
{
	struct tdxm_config cfg = host_config;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&self->td, TEST_GPA, 1));
	self->h.arg = &self->td;
}

FIXTURE_TEARDOWN(huge)
{
	host_stop(&self->h);
}

static u32 rdmd_type(struct host *h, u64 pa)
{
	return seamcall(h, TDH_PHYMEM_PAGE_RDMD, pa, 0, 0) ? PT_NR : h->last.rcx;
}

TEST_F(huge, aug_takes_all_of_it)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(SEPT_PENDING, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(HUGE_PA(0), td_pa_at(td, TEST_GPA, 1));
	EXPECT_EQ(SEPT_NR_STATES, td_state(td, TEST_GPA));
	EXPECT_EQ(512, host_counter(h, "pamt.REG"));
	for (i = 0; i < 512; i += 73) {
		EXPECT_EQ(PT_REG, rdmd_type(h, HUGE_PA(0) + i * PAGE_SIZE));
		EXPECT_EQ(td->tdr, h->last.rdx);
		EXPECT_EQ(1, h->last.r8);
	}
	EXPECT_EQ(PT_NDA, rdmd_type(h, HUGE_PA(0) - PAGE_SIZE));
	EXPECT_EQ(PT_NDA, rdmd_type(h, HUGE_PA(1)));
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(0, host_counter(h, "pamt.REG"));
	EXPECT_EQ(PT_NDA, rdmd_type(h, HUGE_PA(0)));
	EXPECT_EQ(0, h->findings);
}

TEST_F(huge, demote_and_promote)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 table = host_page(h);
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_demote(td, TEST_GPA | L1, table));
	EXPECT_EQ(SEPT_NL_MAPPED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(table, td_pa_at(td, TEST_GPA, 1));
	for (i = 0; i < 512; i++) {
		ASSERT_EQ(SEPT_PENDING, td_state(td, GPA_4K(i)));
		ASSERT_EQ(HUGE_PA(0) + i * PAGE_SIZE, td_pa_at(td, GPA_4K(i), 0));
	}
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_promote(td, TEST_GPA | L1));
	EXPECT_EQ(table, h->last.rcx);
	EXPECT_EQ(PT_NDA, rdmd_type(h, table));
	EXPECT_EQ(SEPT_PENDING, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	EXPECT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_remove_table(td, TEST_GPA | L1));
	td->nr_ept--;
	ASSERT_EQ(0, td_stop(td));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
}

TEST_HARNESS_MAIN
