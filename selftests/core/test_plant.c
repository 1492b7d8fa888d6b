// SPDX-License-Identifier: GPL-2.0
/*
 * Each planted misbehaviour shows, and the same steps without it are clean: so
 * the checks that look for it can fail.
 */
#include "tdhost.h"
#include "kselftest_harness.h"

FIXTURE(plant) {
	struct host h;
	struct test_td td;
	u64 pa;
};

FIXTURE_SETUP(plant)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
	self->pa = host_page(&self->h);
	self->h.arg = &self->td;
}

FIXTURE_TEARDOWN(plant)
{
	host_stop(&self->h);
}

static u64 accept_and_write(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	tdxm_guest_accept(h->m, vcpu, TEST_GPA, regs);
	tdxm_guest_access(h->m, vcpu, TEST_GPA, true, regs);
	return 77;
}

static u64 write_private(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	tdxm_guest_access(h->m, vcpu, TEST_GPA, true, regs);
	return 77;
}

static u64 write_shared(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	tdxm_guest_access(h->m, vcpu, SHARED_BIT | TEST_GPA, true, regs);
	return 77;
}

/* A page comes, is used, and goes, as KVM does it; then the guest touches it again. */
static void private_life(struct host *h, struct test_td *td, u64 pa)
{
	td_aug(td, TEST_GPA, pa);
	h->guest = accept_and_write;
	td_enter(td, 0);
	td_zap(td, TEST_GPA);
	memset(tdxm_env_va(pa), 0x77, PAGE_SIZE);
	h->guest = write_private;
	td_enter(td, 0);
}

TEST_F(plant, none_private)
{
	private_life(&self->h, &self->td, self->pa);
	EXPECT_EQ(0, self->h.findings);
	EXPECT_EQ(PT_NDA, PAMT_TYPE(tdxm_pamt(self->h.m, self->pa)->type));
}

TEST_F(plant, l1_private)
{
	u64 *page = tdxm_env_va(self->pa);

	tdxm_plant(self->h.m, TDXM_PLANT_L1_PRIVATE);
	private_life(&self->h, &self->td, self->pa);
	EXPECT_EQ(1, self->h.findings);
	EXPECT_STREQ("L1", self->h.finding_id);
	/* Even then the host's page is not written to. */
	EXPECT_EQ(0x7777777777777777ULL, page[0]);
}

TEST_F(plant, l1_private_removes_without_tracking)
{
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->pa));
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA));
	ASSERT_NE(0, td_remove(&self->td, TEST_GPA));
	tdxm_plant(self->h.m, TDXM_PLANT_L1_PRIVATE);
	EXPECT_EQ(0, td_remove(&self->td, TEST_GPA));
}

static void shared_life(struct host *h, struct test_td *td, u64 pa)
{
	shared_map(td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	seamcall4(h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td->eptp, ~0ULL);
	h->guest = write_shared;
	td_enter(td, 0);
	shared_map(td, TEST_GPA, EPT_SVE);
	tdxm_invept(h->m, 0);
	tdxm_shared_given_back(h->m, td->tdr, TEST_GPA, PAGE_SIZE);
	td_enter(td, 0);
}

TEST_F(plant, none_shared)
{
	shared_life(&self->h, &self->td, self->pa);
	EXPECT_EQ(0, self->h.findings);
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, *(u64 *)tdxm_env_va(self->pa));
}

TEST_F(plant, l1_shared)
{
	tdxm_plant(self->h.m, TDXM_PLANT_L1_SHARED);
	shared_life(&self->h, &self->td, self->pa);
	EXPECT_EQ(1, self->h.findings);
	EXPECT_STREQ("L1", self->h.finding_id);
}

/* Does the S-EPT say what the host asked for? */
static u64 sept_says(struct test_td *td)
{
	u64 pa = ~0ULL;
	u8 state;

	tdxm_sept_read(td->h->m, td->tdr, TEST_GPA, 0, &pa, &state);
	return pa;
}

TEST_F(plant, x1)
{
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->pa));
	EXPECT_EQ(self->pa, sept_says(&self->td));
	ASSERT_EQ(self->pa, td_zap(&self->td, TEST_GPA));

	tdxm_plant(self->h.m, TDXM_PLANT_X1);
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->pa));
	EXPECT_EQ(self->pa ^ PAGE_SIZE, sept_says(&self->td));
	self->h.guest = accept_and_write;
	EXPECT_EQ(77, td_enter(&self->td, 0));
	EXPECT_EQ(self->pa ^ PAGE_SIZE, sept_says(&self->td));
	/* It is a lie only: the right page was used and comes back. */
	EXPECT_EQ(self->pa, td_zap(&self->td, TEST_GPA));
	EXPECT_EQ(0, self->h.findings);
	tdxm_plant(self->h.m, TDXM_PLANT_NONE);
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, self->pa));
	EXPECT_EQ(self->pa, sept_says(&self->td));
}

/* How many of the 512 children are not where they should be? */
static int children_off(struct test_td *td)
{
	int i, off = 0;

	for (i = 0; i < 512; i++)
		off += td_pa_at(td, GPA_4K(i), 0) != HUGE_PA(0) + i * PAGE_SIZE;
	return off;
}

TEST(split)
{
	struct tdxm_config cfg = host_config;
	struct test_td td;
	u64 table, i;
	struct host h;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(&h, &cfg));
	ASSERT_EQ(0, td_start(&h, &td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&td, TEST_GPA, 1));
	table = host_page(&h);
	ASSERT_EQ(0, td_aug(&td, TEST_GPA | 1, HUGE_PA(0)));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 1) ?: td_demote(&td, TEST_GPA | 1, table));
	EXPECT_EQ(0, children_off(&td));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 1) ?: td_promote(&td, TEST_GPA | 1));

	tdxm_plant(h.m, TDXM_PLANT_SPLIT);
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 1) ?: td_demote(&td, TEST_GPA | 1, table));
	EXPECT_EQ(1, children_off(&td));
	/* A lie only: the guest uses and the host gets back the right pages. */
	h.arg = &td;
	h.guest = accept_and_write;
	EXPECT_EQ(77, td_enter(&td, 0));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(HUGE_PA(0) + i * PAGE_SIZE, td_zap(&td, GPA_4K(i)));
	EXPECT_EQ(0, h.findings);
	host_stop(&h);
}

/* Planted in an AUG of any size, and gone with the page. */
TEST(x1_of_a_huge_page)
{
	struct tdxm_config cfg = host_config;
	struct test_td td;
	struct host h;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(&h, &cfg));
	ASSERT_EQ(0, td_start(&h, &td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&td, TEST_GPA, 1));
	tdxm_plant(h.m, TDXM_PLANT_X1);
	ASSERT_EQ(0, td_aug(&td, TEST_GPA | 1, HUGE_PA(0)));
	EXPECT_EQ(HUGE_PA(0) ^ PAGE_SIZE, td_pa_at(&td, TEST_GPA, 1));
	h.guest = accept_and_write;
	EXPECT_EQ(77, td_enter(&td, 0));
	EXPECT_EQ(SEPT_MAPPED, td_state_at(&td, TEST_GPA, 1));
	EXPECT_EQ(HUGE_PA(0) ^ PAGE_SIZE, td_pa_at(&td, TEST_GPA, 1));
	EXPECT_EQ(HUGE_PA(0), td_zap(&td, TEST_GPA | 1));
	EXPECT_EQ(0, h.findings);
	host_stop(&h);
}

static int failed_removes(struct test_td *td, u64 pa, int n)
{
	int failed = 0;

	while (n--) {
		td_aug(td, TEST_GPA, pa);
		td_block(td, TEST_GPA);
		td_track(td);
		while (td_remove(td, TEST_GPA) == (TDX_EPT_ENTRY_STATE_INCORRECT |
						   TDX_OPERAND_ID_RCX))
			failed++;
	}
	return failed;
}

TEST_F(plant, x3)
{
	EXPECT_EQ(0, failed_removes(&self->td, self->pa, 1000));
	tdxm_plant(self->h.m, TDXM_PLANT_X3);
	EXPECT_GT(failed_removes(&self->td, self->pa, 1000), 3);
}

static u32 findings_of_zaps(struct test_td *td, u64 pa, int n)
{
	while (n--) {
		td_aug(td, TEST_GPA, pa);
		td_zap(td, TEST_GPA);
	}
	return td->h->findings;
}

TEST_F(plant, canary)
{
	EXPECT_EQ(0, findings_of_zaps(&self->td, self->pa, 1000));
	tdxm_plant(self->h.m, TDXM_PLANT_CANARY);
	EXPECT_GT(findings_of_zaps(&self->td, self->pa, 1000), 3);
	EXPECT_STREQ("X1", self->h.finding_id);
}

TEST_HARNESS_MAIN
