// SPDX-License-Identifier: GPL-2.0
/* Injection: its modes, and what KVM may rely on whatever is injected. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define SEPT_BUSY	(TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT)

FIXTURE(inject) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(inject)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
}

FIXTURE_TEARDOWN(inject)
{
	host_stop(&self->h);
}

/* Statuses of @n calls of MNG.RD, which nobody retries: bit i is set if it failed. */
static u64 pattern(struct test_td *td, int n)
{
	u64 bits = 0;
	int i;

	for (i = 0; i < n; i++) {
		if (seamcall(td->h, TDH_MNG_RD, td->tdr, MD_TDCS_TSC_OFFSET, 0))
			bits |= BIT_ULL(i);
	}
	return bits;
}

TEST_F(inject, nth)
{
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_NTH, 3));
	EXPECT_EQ(0x924, pattern(&self->td, 12));
	EXPECT_EQ(4, host_counter(&self->h, "leaf.TDH.MNG.RD.injected"));
	EXPECT_EQ(4, host_counter(&self->h, "leaf.TDH.MNG.RD.busy"));
	EXPECT_EQ(4, host_counter(&self->h, "status.8000020000000001"));
}

TEST_F(inject, burst)
{
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_BURST, 3));
	EXPECT_EQ(0x7, pattern(&self->td, 12));
}

TEST_F(inject, once)
{
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_ONCE, 5));
	EXPECT_EQ(0x10, pattern(&self->td, 40));
}

/* What a sweep needs: how many calls there are, and whether the nth was one of them. */
TEST_F(inject, seen)
{
	struct tdxm *m = self->h.m;
	u64 calls = 1, fired = 1;

	EXPECT_EQ(0, tdxm_inject_seen(m, TDH_MNG_RD, &calls, &fired));
	EXPECT_EQ(0, calls);
	EXPECT_EQ(0, fired);
	ASSERT_EQ(0, tdxm_inject(m, TDH_MNG_RD, 0, TDXM_INJECT_COUNT, 0));
	EXPECT_EQ(0, pattern(&self->td, 7));
	EXPECT_EQ(0, tdxm_inject_seen(m, TDH_MNG_RD, &calls, &fired));
	EXPECT_EQ(7, calls);
	EXPECT_EQ(0, fired);
	ASSERT_EQ(0, tdxm_inject(m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_ONCE, 3));
	EXPECT_EQ(0x4, pattern(&self->td, 5));
	EXPECT_EQ(0, tdxm_inject_seen(m, TDH_MNG_RD, &calls, &fired));
	EXPECT_EQ(5, calls);
	EXPECT_EQ(1, fired);
	ASSERT_EQ(0, tdxm_inject(m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_ONCE, 6));
	EXPECT_EQ(0, pattern(&self->td, 5));
	EXPECT_EQ(0, tdxm_inject_seen(m, TDH_MNG_RD, &calls, &fired));
	EXPECT_EQ(5, calls);
	EXPECT_EQ(0, fired);
	EXPECT_EQ(-EINVAL, tdxm_inject_seen(m, 1000, &calls, &fired));
	EXPECT_EQ(-EINVAL, tdxm_inject_seen(m, TDH_PHYMEM_PAGE_RDMD, &calls, &fired));
}

TEST_F(inject, random_and_off)
{
	int n;

	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MNG_RD, TDX_OPERAND_BUSY, TDXM_INJECT_RANDOM, 4));
	n = __builtin_popcountll(pattern(&self->td, 64));
	EXPECT_GE(n, 4);
	EXPECT_LE(n, 32);
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MNG_RD, 0, TDXM_INJECT_OFF, 0));
	EXPECT_EQ(0, pattern(&self->td, 64));
}

TEST_F(inject, any_status_and_extended_error_info)
{
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MEM_PAGE_AUG, TDX_RND_NO_ENTROPY,
				 TDXM_INJECT_ONCE, 1));
	EXPECT_EQ(TDX_RND_NO_ENTROPY, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(0, self->h.last.rcx);
	EXPECT_EQ(0, self->h.last.rdx);
	/* An operand id that was given is kept. */
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MEM_PAGE_AUG, TDX_OPERAND_BUSY | 0x80,
				 TDXM_INJECT_ONCE, 1));
	EXPECT_EQ(TDX_OPERAND_BUSY | 0x80, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(0, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(1, host_counter(&self->h, "leaf.TDH.MEM.PAGE.AUG.error"));
}

TEST_F(inject, bad_rules)
{
	struct tdxm *m = self->h.m;

	EXPECT_EQ(-EINVAL, tdxm_inject(m, 5, TDX_OPERAND_BUSY, TDXM_INJECT_NTH, 1));
	EXPECT_EQ(-EINVAL, tdxm_inject(m, 1000, TDX_OPERAND_BUSY, TDXM_INJECT_NTH, 1));
	EXPECT_EQ(-EINVAL, tdxm_inject(m, TDH_PHYMEM_PAGE_RDMD, TDX_OPERAND_BUSY,
				       TDXM_INJECT_NTH, 1));
	EXPECT_EQ(-EINVAL, tdxm_inject(m, TDH_VP_ENTER, TDX_OPERAND_BUSY,
				       TDXM_INJECT_COUNT + 1, 1));
	EXPECT_EQ(-EINVAL, tdxm_inject(m, TDH_VP_ENTER, TDX_OPERAND_BUSY, TDXM_INJECT_NTH, 0));
	EXPECT_EQ(-EINVAL, tdxm_inject(m, TDH_VP_ENTER, 0, TDXM_INJECT_NTH, 1));
	EXPECT_EQ(-EPERM, tdxm_inject(m, TDH_MEM_TRACK, TDX_OPERAND_BUSY, TDXM_INJECT_BURST, 2));
	EXPECT_EQ(-EPERM, tdxm_inject(m, TDH_MEM_RANGE_BLOCK, SEPT_BUSY, TDXM_INJECT_BURST, 2));
	EXPECT_EQ(0, tdxm_inject(m, TDH_MEM_TRACK, TDX_OPERAND_BUSY, TDXM_INJECT_BURST, 1));
	EXPECT_EQ(0, tdxm_inject(m, TDH_MEM_PAGE_REMOVE, TDX_RND_NO_ENTROPY,
				 TDXM_INJECT_BURST, 2));
	EXPECT_EQ(-EINVAL, tdxm_inject_busy(m, 1));
	EXPECT_EQ(0, tdxm_inject_busy(m, 2));
	EXPECT_EQ(0, tdxm_inject_busy(m, 0));
}

/* What KVM does: one retry of each leaf, which must not be BUSY again. */
static u64 kvm_zap(struct test_td *td, u64 gpa, int *retries)
{
	u64 status;
	int i;

	for (i = 0; i < 3; i++) {
		u32 leaf = i == 0 ? TDH_MEM_RANGE_BLOCK : i == 1 ? TDH_MEM_TRACK :
								   TDH_MEM_PAGE_REMOVE;
		u64 rcx = i == 1 ? td->tdr : gpa;

		status = seamcall(td->h, leaf, rcx, td->tdr, 0);
		if ((status & TDX_SEAMCALL_STATUS_MASK) == TDX_OPERAND_BUSY) {
			(*retries)++;
			status = seamcall(td->h, leaf, rcx, td->tdr, 0);
		}
		if (status)
			return status;
	}
	return 0;
}

FIXTURE(promise) {
	struct host h;
	struct test_td td;
};

FIXTURE_VARIANT(promise) {
	enum tdxm_inject_mode mode;
	u32 value;
	u32 one_in;
};

FIXTURE_VARIANT_ADD(promise, every_call) { .mode = TDXM_INJECT_NTH, .value = 1 };
FIXTURE_VARIANT_ADD(promise, every_other) { .mode = TDXM_INJECT_NTH, .value = 2 };
FIXTURE_VARIANT_ADD(promise, always_at_random) { .mode = TDXM_INJECT_RANDOM, .value = 1 };
FIXTURE_VARIANT_ADD(promise, one_in_two) { .one_in = 2 };
FIXTURE_VARIANT_ADD(promise, everything_together) {
	.mode = TDXM_INJECT_NTH, .value = 1, .one_in = 2
};

FIXTURE_SETUP(promise)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
}

FIXTURE_TEARDOWN(promise)
{
	host_stop(&self->h);
}

TEST_F(promise, one_retry_is_enough)
{
	static const u32 leaves[] = { TDH_MEM_RANGE_BLOCK, TDH_MEM_TRACK, TDH_MEM_PAGE_REMOVE };
	struct host *h = &self->h;
	u64 pa = host_page(h);
	int i, retries = 0;

	for (i = 0; variant->mode && i < 3; i++)
		ASSERT_EQ(0, tdxm_inject(h->m, leaves[i], TDX_OPERAND_BUSY, variant->mode,
					 variant->value));
	ASSERT_EQ(0, tdxm_inject_busy(h->m, variant->one_in));
	for (i = 0; i < 500; i++) {
		while (td_aug(&self->td, TEST_GPA, pa) == SEPT_BUSY)
			;
		ASSERT_EQ(SEPT_PENDING, td_state(&self->td, TEST_GPA));
		ASSERT_EQ(0, kvm_zap(&self->td, TEST_GPA, &retries));
	}
	EXPECT_GT(retries, 100);
	EXPECT_EQ(0, h->findings);
}

/* A BUSY from a lock counts as well: the retry is KVM's only one. */
TEST_F(promise, no_injection_after_a_real_busy)
{
	u32 *tree = &td_tdcs(&self->td)->sept_lock;

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	tdxm_trylock(&self->h.m->lp[1], LOCK_SEPT_TREE, tree, LOCK_SHARED);
	EXPECT_EQ(SEPT_BUSY, td_block(&self->td, TEST_GPA));
	tdxm_unlock(tree, LOCK_SHARED);
	ASSERT_EQ(0, tdxm_inject(self->h.m, TDH_MEM_RANGE_BLOCK, TDX_OPERAND_BUSY,
				 variant->mode ?: TDXM_INJECT_NTH, variant->value ?: 1));
	EXPECT_EQ(0, td_block(&self->td, TEST_GPA));
}

/* --- the leaves that change the S-EPT's shape are retried once, too --- */

#define RESTART		TDX_INTERRUPTED_RESTARTABLE
#define L1		1

FIXTURE(shape) {
	struct host h;
	struct test_td td;
	u64 table;
};

FIXTURE_SETUP(shape)
{
	struct tdxm_config cfg = host_config;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&self->td, TEST_GPA, 1));
	self->table = host_page(&self->h);
}

FIXTURE_TEARDOWN(shape)
{
	host_stop(&self->h);
}

/* One call and, if that was BUSY or interrupted, one more; counts what came first. */
static u64 retried(struct test_td *td, u32 leaf, u64 rcx, u64 r8, int *busy, int *interrupted)
{
	u64 status = seamcall(td->h, leaf, rcx, td->tdr, r8), class;

	class = status & TDX_SEAMCALL_STATUS_MASK;
	if (class != TDX_OPERAND_BUSY && class != RESTART)
		return status;
	*(class == RESTART ? interrupted : busy) += 1;
	/* Interrupted: as if it had not been called. */
	if (class == RESTART && (td->h->last.rcx != rcx || td->h->last.rdx != td->tdr ||
				 td->h->last.r8 != r8))
		return ~0ULL;
	return seamcall(td->h, leaf, rcx, td->tdr, r8);
}

static u64 split_and_merge(struct test_td *td, u64 table, int *busy, int *interrupted)
{
	struct { u32 leaf; u64 rcx, r8; } calls[] = {
		{ TDH_MEM_RANGE_BLOCK, TEST_GPA | L1 },
		{ TDH_MEM_TRACK, td->tdr },
		{ TDH_MEM_RANGE_UNBLOCK, TEST_GPA | L1 },
		{ TDH_MEM_RANGE_BLOCK, TEST_GPA | L1 },
		{ TDH_MEM_TRACK, td->tdr },
		{ TDH_MEM_PAGE_DEMOTE, TEST_GPA | L1, table },
		{ TDH_MEM_RANGE_BLOCK, TEST_GPA | L1 },
		{ TDH_MEM_TRACK, td->tdr },
		{ TDH_MEM_PAGE_PROMOTE, TEST_GPA | L1 },
	};
	u64 status = 0;
	u32 i;

	for (i = 0; !status && i < ARRAY_SIZE(calls); i++)
		status = retried(td, calls[i].leaf, calls[i].rcx, calls[i].r8, busy, interrupted);
	return status;
}

TEST_F(shape, one_retry_is_enough)
{
	int i, busy = 0, interrupted = 0;
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, tdxm_inject_busy(self->h.m, 2));
	for (i = 0; i < 300; i++)
		ASSERT_EQ(0, split_and_merge(td, self->table, &busy, &interrupted));
	EXPECT_GT(busy, 200);
	EXPECT_GT(interrupted, 30);
	EXPECT_EQ(interrupted, host_counter(&self->h, "status.8000000400000000"));
	EXPECT_EQ(0, host_counter(&self->h, "leaf.TDH.MEM.PAGE.DEMOTE.error"));
	EXPECT_EQ(0, host_counter(&self->h, "leaf.TDH.MEM.PAGE.PROMOTE.error"));
	EXPECT_GT(host_counter(&self->h, "leaf.TDH.MEM.RANGE.UNBLOCK.busy"), 30);
	EXPECT_GT(host_counter(&self->h, "leaf.TDH.MEM.PAGE.DEMOTE.busy"), 10);
	EXPECT_GT(host_counter(&self->h, "leaf.TDH.MEM.PAGE.PROMOTE.busy"), 10);
	EXPECT_EQ(0, td_tdcs(td)->distrust);
}

/* Whatever the rules say, in each mode. */
TEST_F(shape, no_rule_fails_a_leaf_twice)
{
	static const u32 leaves[] = {
		TDH_MEM_PAGE_DEMOTE, TDH_MEM_PAGE_PROMOTE, TDH_MEM_RANGE_UNBLOCK,
		TDH_MEM_RANGE_BLOCK, TDH_MEM_TRACK,
	};
	static const u64 statuses[] = { TDX_OPERAND_BUSY, RESTART };
	int busy = 0, interrupted = 0, round;
	struct test_td *td = &self->td;
	u32 i, j;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	for (j = 0; j < ARRAY_SIZE(statuses); j++) {
		for (i = 0; i < ARRAY_SIZE(leaves); i++) {
			ASSERT_EQ(0, tdxm_inject(self->h.m, leaves[i], statuses[j],
						 TDXM_INJECT_NTH, 1));
			EXPECT_EQ(-EPERM, tdxm_inject(self->h.m, leaves[i], statuses[j],
						      TDXM_INJECT_BURST, 2));
		}
		for (round = 0; round < 20; round++)
			ASSERT_EQ(0, split_and_merge(td, self->table, &busy, &interrupted));
	}
	EXPECT_EQ(20 * 9, busy);
	EXPECT_EQ(20 * 9, interrupted);
	EXPECT_EQ(0, td_tdcs(td)->distrust);
}

TEST_F(shape, interrupted_on_demand)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	ASSERT_EQ(0, tdxm_inject(h->m, TDH_MEM_PAGE_DEMOTE, RESTART, TDXM_INJECT_ONCE, 1));
	EXPECT_EQ(RESTART, td_demote(td, TEST_GPA | L1, self->table));
	EXPECT_EQ(TEST_GPA | L1, h->last.rcx);
	EXPECT_EQ(td->tdr, h->last.rdx);
	EXPECT_EQ(self->table, h->last.r8);
	EXPECT_EQ(SEPT_PENDING_BLOCKED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(0, td_demote(td, TEST_GPA | L1, self->table));
	EXPECT_EQ(1, host_counter(h, "leaf.TDH.MEM.PAGE.DEMOTE.injected"));
	EXPECT_EQ(0, host_counter(h, "leaf.TDH.MEM.PAGE.DEMOTE.error"));
}

/* Without being asked nothing is interrupted. */
TEST_F(shape, nothing_of_itself)
{
	int i, busy = 0, interrupted = 0;

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA | L1, HUGE_PA(0)));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(0, split_and_merge(&self->td, self->table, &busy, &interrupted));
	EXPECT_EQ(0, busy + interrupted);
}

/* Which failure means that KVM and the S-EPT disagree about a page's owner. */
TEST_F(shape, distrust)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_NE(0, td_demote(td, TEST_GPA | L1, self->table));
	EXPECT_NE(0, td_promote(td, TEST_GPA | L1));
	EXPECT_NE(0, td_unblock(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_tdcs(td)->distrust);
	EXPECT_NE(0, td_remove_table(td, TEST_GPA | L1));
	EXPECT_EQ(1, td_tdcs(td)->distrust);
}

TEST_F(inject, tds_do_not_share_the_promise)
{
	struct host *h = &self->h;
	struct test_td other;

	ASSERT_EQ(0, td_start(h, &other, HOST_KEYID + 1, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, tdxm_inject(h->m, TDH_MEM_TRACK, TDX_OPERAND_BUSY, TDXM_INJECT_NTH, 1));
	EXPECT_EQ(TDX_OPERAND_BUSY | TDX_OPERAND_ID_TD_EPOCH, td_track(&self->td));
	EXPECT_EQ(TDX_OPERAND_BUSY | TDX_OPERAND_ID_TD_EPOCH, td_track(&other));
	EXPECT_EQ(0, td_track(&self->td));
	EXPECT_EQ(0, td_track(&other));
}

TEST_F(inject, busy_goes_to_leaves_where_kvm_copes)
{
	struct host *h = &self->h;
	int i;

	ASSERT_EQ(0, tdxm_inject_busy(h->m, 2));
	EXPECT_EQ(0, pattern(&self->td, 64));
	for (i = 0; i < 64; i++)
		td_enter(&self->td, 0);
	EXPECT_GT(host_counter(h, "leaf.TDH.VP.ENTER.injected"), 10);
	EXPECT_EQ(host_counter(h, "leaf.TDH.VP.ENTER.injected"),
		  host_counter(h, "status.8000020000000092"));
	EXPECT_LT(host_counter(h, "leaf.TDH.VP.ENTER.injected"), 54);
}

TEST_F(inject, a_failed_operation_that_kvm_cannot_retry_stops_the_guests_accesses)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(0, td_tdcs(td)->distrust);
	EXPECT_NE(0, td_remove(td, TEST_GPA));
	EXPECT_EQ(1, td_tdcs(td)->distrust);
}

TEST_HARNESS_MAIN
