// SPDX-License-Identifier: GPL-2.0
/* TLB tracking: epochs, who is inside, when a blocked page may go. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define NOT_TRACKED	(TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX)

FIXTURE(epoch) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(epoch)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 2));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	self->h.arg = &self->td;
}

FIXTURE_TEARDOWN(epoch)
{
	host_stop(&self->h);
}

/* What the host does while vCPU 0 is inside; results go to @inside. */
static u64 inside[8];

static u64 host_zaps(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	struct test_td *td = h->arg;

	inside[0] = td_block(td, TEST_GPA);
	inside[1] = td_remove(td, TEST_GPA);
	inside[2] = td_track(td);
	inside[3] = td_remove(td, TEST_GPA);
	inside[4] = td_track(td);
	inside[5] = td_remove(td, TEST_GPA);
	return 77;
}

TEST_F(epoch, a_vcpu_inside_holds_its_epoch)
{
	struct test_td *td = &self->td;

	self->h.guest = host_zaps;
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(0, inside[0]);
	EXPECT_EQ(NOT_TRACKED, inside[1]);	/* same epoch */
	EXPECT_EQ(0, inside[2]);
	EXPECT_EQ(NOT_TRACKED, inside[3]);	/* next epoch, somebody is left in the old */
	EXPECT_EQ(TDX_PREVIOUS_TLB_EPOCH_BUSY, inside[4]);
	EXPECT_EQ(NOT_TRACKED, inside[5]);
	/* Now it is out. */
	EXPECT_EQ(0, td_remove(td, TEST_GPA));
	EXPECT_EQ(0, td_track(td));
}

TEST_F(epoch, without_vcpus_inside_one_track_is_enough)
{
	struct test_td *td = &self->td;

	EXPECT_EQ(0, td_block(td, TEST_GPA));
	EXPECT_EQ(NOT_TRACKED, td_remove(td, TEST_GPA));
	EXPECT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_remove(td, TEST_GPA));
}

TEST_F(epoch, two_tracks_are_enough_whoever_is_inside)
{
	struct test_td *td = &self->td;

	EXPECT_EQ(0, td_block(td, TEST_GPA));
	EXPECT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_track(td));
	td_tdcs(td)->refcount[0]++;
	td_tdcs(td)->refcount[1]++;
	EXPECT_EQ(0, td_remove(td, TEST_GPA));
	td_tdcs(td)->refcount[0]--;
	td_tdcs(td)->refcount[1]--;
}

TEST_F(epoch, track_counts_epochs_and_needs_an_initialized_td)
{
	struct test_td *td = &self->td, created;
	u64 epoch = td_tdcs(td)->td_epoch;

	EXPECT_EQ(0, td_track(td));
	EXPECT_EQ(epoch + 1, td_tdcs(td)->td_epoch);
	ASSERT_EQ(0, td_start(&self->h, &created, HOST_KEYID + 1, STAGE_TDCS, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_track(&created));
}

/* 32 bits of the epoch are kept with a page; crossing 2^32 makes no difference. */
TEST_F(epoch, the_page_keeps_32_bits)
{
	struct test_td *td = &self->td;
	u64 pa;

	td_tdcs(td)->td_epoch = 0xffffffffULL;
	EXPECT_EQ(0, td_block(td, TEST_GPA));
	EXPECT_EQ(NOT_TRACKED, td_remove(td, TEST_GPA));
	EXPECT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_remove(td, TEST_GPA));
	pa = self->h.last.rcx;
	ASSERT_EQ(0, td_aug(td, TEST_GPA, pa));
	EXPECT_EQ(0, td_block(td, TEST_GPA));
	EXPECT_EQ(NOT_TRACKED, td_remove(td, TEST_GPA));
}

static u64 second_enters(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	struct test_td *td = h->arg;

	h->guest = NULL;
	inside[0] = td_tdcs(td)->refcount[td_tdcs(td)->td_epoch & 1];
	inside[1] = td_track(td);
	tdxm_env_user_set_lp(1);
	inside[2] = seamcall(h, TDH_VP_FLUSH, td->vcpu[1].tdvpr, 0, 0);
	inside[3] = td_enter(td, 1);
	tdxm_env_user_set_lp(0);
	inside[4] = td_tdcs(td)->refcount[0] + td_tdcs(td)->refcount[1];
	return 77;
}

TEST_F(epoch, refcounts_follow_entries_and_exits)
{
	struct test_td *td = &self->td;

	/* vCPU 1 moves to another processor, so that both can be inside. */
	ASSERT_EQ(0, seamcall(&self->h, TDH_VP_FLUSH, td->vcpu[1].tdvpr, 0, 0));
	self->h.guest = second_enters;
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(1, inside[0]);
	EXPECT_EQ(0, inside[1]);
	EXPECT_EQ(TDX_VCPU_NOT_ASSOCIATED, inside[2]);
	EXPECT_EQ(77, inside[3]);
	EXPECT_EQ(1, inside[4]);
	EXPECT_EQ(0, td_tdcs(td)->refcount[0] + td_tdcs(td)->refcount[1]);
}

TEST_HARNESS_MAIN
