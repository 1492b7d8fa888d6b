// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves that change the shape of the S-EPT: every status of PAGE.DEMOTE,
 * PAGE.PROMOTE, SEPT.REMOVE and RANGE.UNBLOCK, and what each leaves behind.
 */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX		TDX_OPERAND_ID_RCX
#define RDX		TDX_OPERAND_ID_RDX
#define R8		TDX_OPERAND_ID_R8
#define L1		1	/* in a GPA operand: 2M */
#define GPA_2M(i)	(TEST_GPA + (u64)(i) * SIZE_2M)

#define STATE_BAD	(TDX_EPT_ENTRY_STATE_INCORRECT | RCX)
#define NOT_BLOCKED	(TDX_GPA_RANGE_NOT_BLOCKED | RCX)
#define NOT_TRACKED	(TDX_TLB_TRACKING_NOT_DONE | RCX)
#define NOT_UNIFORM	(TDX_EPT_INVALID_PROMOTE_CONDITIONS | RCX)
#define NOT_FREE	(TDX_EPT_PAGE_NOT_FREE | RCX)

/* --- the matrix: each leaf on each state of a 2M entry --- */

FIXTURE(state) {
	struct host h;
	struct test_td td;
	u64 table;
};

/* Statuses before and after TDH.MEM.TRACK; 0 is success. */
FIXTURE_VARIANT(state) {
	enum td_stage stage;
	enum sept_state state;
	u64 demote, promote, remove, unblock;
	u64 demote_tracked, promote_tracked, remove_tracked, unblock_tracked;
	u64 info;	/* RDX after an error */
};

FIXTURE_VARIANT_ADD(state, run_free)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_FREE, .info = 0x0001,
	.demote = STATE_BAD, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = STATE_BAD,
	.demote_tracked = STATE_BAD, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = STATE_BAD,
};

FIXTURE_VARIANT_ADD(state, run_table)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_NL_MAPPED, .info = 0x8401,
	.demote = STATE_BAD, .promote = NOT_BLOCKED, .remove = NOT_BLOCKED, .unblock = STATE_BAD,
	.demote_tracked = STATE_BAD, .promote_tracked = NOT_BLOCKED,
	.remove_tracked = NOT_BLOCKED, .unblock_tracked = STATE_BAD,
};

/* The table is empty: it can be removed, not merged. */
FIXTURE_VARIANT_ADD(state, run_table_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_NL_BLOCKED, .info = 0x8101,
	.demote = STATE_BAD, .promote = NOT_TRACKED, .remove = NOT_TRACKED, .unblock = NOT_TRACKED,
	.demote_tracked = STATE_BAD, .promote_tracked = NOT_UNIFORM,
	.remove_tracked = 0, .unblock_tracked = 0,
};

FIXTURE_VARIANT_ADD(state, run_mapped)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_MAPPED, .info = 0x0401,
	.demote = NOT_BLOCKED, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = STATE_BAD,
	.demote_tracked = NOT_BLOCKED, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = STATE_BAD,
};

FIXTURE_VARIANT_ADD(state, run_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_BLOCKED, .info = 0x0101,
	.demote = NOT_TRACKED, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = NOT_TRACKED,
	.demote_tracked = 0, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = 0,
};

FIXTURE_VARIANT_ADD(state, run_pending)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING, .info = 0x0201,
	.demote = NOT_BLOCKED, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = STATE_BAD,
	.demote_tracked = NOT_BLOCKED, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = STATE_BAD,
};

FIXTURE_VARIANT_ADD(state, run_pending_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING_BLOCKED, .info = 0x0301,
	.demote = NOT_TRACKED, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = NOT_TRACKED,
	.demote_tracked = 0, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = 0,
};

/* A TD that cannot run yet has no TLB: blocking and tracking are not needed. */
FIXTURE_VARIANT_ADD(state, init_table)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_NL_MAPPED, .info = 0x8401,
	.demote = STATE_BAD, .promote = NOT_UNIFORM, .remove = 0, .unblock = STATE_BAD,
	.demote_tracked = STATE_BAD, .promote_tracked = NOT_UNIFORM,
	.remove_tracked = 0, .unblock_tracked = STATE_BAD,
};

FIXTURE_VARIANT_ADD(state, init_table_blocked)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_NL_BLOCKED, .info = 0x8101,
	.demote = STATE_BAD, .promote = NOT_UNIFORM, .remove = 0, .unblock = 0,
	.demote_tracked = STATE_BAD, .promote_tracked = NOT_UNIFORM,
	.remove_tracked = 0, .unblock_tracked = 0,
};

FIXTURE_VARIANT_ADD(state, init_pending)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_PENDING, .info = 0x0201,
	.demote = 0, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = STATE_BAD,
	.demote_tracked = 0, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = STATE_BAD,
};

FIXTURE_VARIANT_ADD(state, init_blocked)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_BLOCKED, .info = 0x0101,
	.demote = 0, .promote = STATE_BAD, .remove = STATE_BAD, .unblock = 0,
	.demote_tracked = 0, .promote_tracked = STATE_BAD,
	.remove_tracked = STATE_BAD, .unblock_tracked = 0,
};

static int start(struct host *h, struct test_td *td, enum td_stage stage)
{
	struct tdxm_config cfg = host_config;

	cfg.max_leaf_level = 1;
	if (host_start(h, &cfg) || td_start(h, td, HOST_KEYID, stage, 1))
		return -1;
	h->arg = td;
	return td_map_tables_to(td, TEST_GPA, 1) ? -1 : 0;
}

FIXTURE_SETUP(state)
{
	ASSERT_EQ(0, start(&self->h, &self->td, variant->stage));
	ASSERT_EQ(0, td_put_state(&self->td, TEST_GPA, 1, HUGE_PA(0), variant->state));
	ASSERT_EQ(variant->state, td_state_at(&self->td, TEST_GPA, 1));
	self->table = host_page(&self->h);
}

FIXTURE_TEARDOWN(state)
{
	host_stop(&self->h);
}

/* A failure says what is there, changes nothing, takes nothing, leaves nothing locked. */
#define EXPECT_STATUS(expected, call)						\
do {										\
	u64 want = (expected);							\
										\
	EXPECT_EQ(want, call);							\
	if (want) {								\
		EXPECT_EQ(variant->info, self->h.last.rdx);			\
		EXPECT_EQ(variant->state, td_state_at(&self->td, TEST_GPA, 1));	\
	}									\
	EXPECT_EQ(0, *td_entry(&self->td, TEST_GPA, 1) & SEPT_TDEL);		\
	EXPECT_EQ(0, tdxm_pamt(self->h.m, self->table)->lock);			\
	EXPECT_EQ(0, tdxm_pamt_at(self->h.m, HUGE_PA(0), 1)->lock);		\
	EXPECT_EQ(0, td_tdcs(&self->td)->sept_lock);				\
} while (0)

TEST_F(state, demote)
{
	u64 at = TEST_GPA | L1;

	EXPECT_STATUS(variant->demote, td_demote(&self->td, at, self->table));
	if (!variant->demote)
		return;
	ASSERT_EQ(0, td_track(&self->td));
	EXPECT_STATUS(variant->demote_tracked, td_demote(&self->td, at, self->table));
	if (!variant->demote_tracked) {
		EXPECT_EQ(0, self->h.last.rcx);
		EXPECT_EQ(0, self->h.last.rdx);
		EXPECT_EQ(SEPT_NL_MAPPED, td_state_at(&self->td, TEST_GPA, 1));
	}
}

TEST_F(state, promote)
{
	u64 at = TEST_GPA | L1;

	EXPECT_STATUS(variant->promote, td_promote(&self->td, at));
	ASSERT_EQ(0, td_track(&self->td));
	EXPECT_STATUS(variant->promote_tracked, td_promote(&self->td, at));
}

TEST_F(state, sept_remove)
{
	u64 at = TEST_GPA | L1, table = td_pa_at(&self->td, TEST_GPA, 1);

	EXPECT_STATUS(variant->remove, td_remove_table(&self->td, at));
	if (variant->remove) {
		ASSERT_EQ(0, td_track(&self->td));
		EXPECT_STATUS(variant->remove_tracked, td_remove_table(&self->td, at));
	}
	if (!variant->remove_tracked) {
		EXPECT_EQ(table, self->h.last.rcx);
		EXPECT_EQ(0, self->h.last.rdx);
		EXPECT_EQ(SEPT_FREE, td_state_at(&self->td, TEST_GPA, 1));
		EXPECT_EQ(PT_NDA, tdxm_page_type(self->h.m, table));
		EXPECT_EQ(2, host_counter(&self->h, "pamt.EPT"));
	}
}

TEST_F(state, range_unblock)
{
	u64 at = TEST_GPA | L1, pa = td_pa_at(&self->td, TEST_GPA, 1);

	EXPECT_STATUS(variant->unblock, td_unblock(&self->td, at));
	if (variant->unblock) {
		ASSERT_EQ(0, td_track(&self->td));
		EXPECT_STATUS(variant->unblock_tracked, td_unblock(&self->td, at));
	}
	if (!variant->unblock_tracked) {
		EXPECT_EQ(0, self->h.last.rcx);
		EXPECT_EQ(tdxm_sept_unblocked(variant->state),
			  td_state_at(&self->td, TEST_GPA, 1));
		EXPECT_NE(variant->state, td_state_at(&self->td, TEST_GPA, 1));
		EXPECT_EQ(pa, td_pa_at(&self->td, TEST_GPA, 1));
	}
}

/* --- effects --- */

FIXTURE(split) {
	struct host h;
	struct test_td td;
	u64 table;
};

FIXTURE_SETUP(split)
{
	ASSERT_EQ(0, start(&self->h, &self->td, STAGE_RUNNABLE));
	self->table = host_page(&self->h);
}

FIXTURE_TEARDOWN(split)
{
	host_stop(&self->h);
}

static u64 split(struct test_td *td, u64 gpa, u64 table)
{
	return td_block_and_track(td, gpa | L1) ?: td_demote(td, gpa | L1, table);
}

static u64 merge(struct test_td *td, u64 gpa)
{
	return td_block_and_track(td, gpa | L1) ?: td_promote(td, gpa | L1);
}

/* Of the 512 children, those that are @state, of the right page, owned by the TD. */
static int children(struct test_td *td, u64 gpa, u64 pa, enum sept_state state)
{
	struct host *h = td->h;
	int i, good = 0, level;

	for (i = 0; i < 512; i++, gpa += PAGE_SIZE, pa += PAGE_SIZE) {
		struct pamt_entry *p = tdxm_pamt_leaf(h->m, pa, &level);

		good += td_state(td, gpa) == state && td_pa_at(td, gpa, 0) == pa && !level &&
			PAMT_TYPE(p->type) == PT_REG && (u64)p->owner << PAGE_SHIFT == td->tdr &&
			!(*td_entry(td, gpa, 0) & (SEPT_TDEL | SEPT_PS));
	}
	return good;
}

TEST_F(split, there_and_back)
{
	static const enum sept_state states[] = { SEPT_PENDING, SEPT_MAPPED };
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 own = td_tdr(td)->chldcnt;
	u32 i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), states[i]));
		EXPECT_EQ(own + 512, td_tdr(td)->chldcnt);
		ASSERT_EQ(0, split(td, TEST_GPA, self->table));
		EXPECT_EQ(512, children(td, TEST_GPA, HUGE_PA(0), states[i]));
		EXPECT_EQ(SEPT_NL_MAPPED, td_state_at(td, TEST_GPA, 1));
		EXPECT_EQ(self->table, td_pa_at(td, TEST_GPA, 1));
		EXPECT_EQ(PT_EPT, tdxm_page_type(h->m, self->table));
		EXPECT_EQ(own + 513, td_tdr(td)->chldcnt);
		EXPECT_EQ(512, host_counter(h, "pamt.REG"));
		EXPECT_EQ(3, host_counter(h, "pamt.EPT"));

		ASSERT_EQ(0, merge(td, TEST_GPA));
		EXPECT_EQ(self->table, h->last.rcx);
		EXPECT_EQ(0, h->last.rdx);
		EXPECT_EQ(states[i], td_state_at(td, TEST_GPA, 1));
		EXPECT_EQ(HUGE_PA(0), td_pa_at(td, TEST_GPA, 1));
		EXPECT_EQ(SEPT_PS, *td_entry(td, TEST_GPA, 1) & (SEPT_PS | SEPT_TDEL));
		EXPECT_EQ(PT_NDA, tdxm_page_type(h->m, self->table));
		EXPECT_EQ(own + 512, td_tdr(td)->chldcnt);
		EXPECT_EQ(512, host_counter(h, "pamt.REG"));
		EXPECT_EQ(2, host_counter(h, "pamt.EPT"));
		ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
		EXPECT_EQ(own, td_tdr(td)->chldcnt);
	}
	EXPECT_EQ(0, h->findings);
}

/* Split, then the pages go one by one and the table after them. */
TEST_F(split, children_are_pages_of_their_own)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	for (i = 0; i < 512; i++) {
		ASSERT_EQ(HUGE_PA(0) + i * PAGE_SIZE, td_zap(td, GPA_4K(i)));
		if (i == 100) {
			EXPECT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
			EXPECT_EQ(NOT_FREE, td_remove_table(td, TEST_GPA | L1));
			EXPECT_EQ(0x8101, h->last.rdx);
			EXPECT_EQ(0, td_unblock(td, TEST_GPA | L1));
		}
		/* While one is left the range is no free huge page. */
		if (i < 511)
			ASSERT_EQ(TDX_PAGE_METADATA_INCORRECT | R8,
				  td_aug(td, GPA_2M(1) | L1, HUGE_PA(0)));
	}
	EXPECT_EQ(511, h->findings);	/* those of the last line, and no others */
	EXPECT_EQ(511, host_counter(h, "violation.X2"));
	EXPECT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_remove_table(td, TEST_GPA | L1));
	EXPECT_EQ(self->table, h->last.rcx);
	EXPECT_EQ(0, td_aug(td, GPA_2M(1) | L1, HUGE_PA(0)));
}

/* Pages that came one by one become one, and go as one. */
TEST_F(split, merge_of_pages_that_were_added_singly)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 *word = tdxm_env_va(HUGE_PA(0));
	int i;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, td_aug(td, GPA_4K(i), HUGE_PA(0) + i * PAGE_SIZE));
	ASSERT_EQ(0, merge(td, TEST_GPA));
	EXPECT_EQ(1, h->last.rcx == td->ept[td->nr_ept - 1]);
	EXPECT_EQ(SEPT_PENDING, td_state_at(td, TEST_GPA, 1));
	/* Their canaries still count. */
	word[3] ^= BIT_ULL(40);
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("X1", h->finding_id);
	EXPECT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(1, h->findings);
}

/* What was a sample has a canary after the split, what was none has not. */
TEST_F(split, canary_of_children)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	int i, found = 0;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	for (i = 0; i < 512; i++) {
		((u64 *)tdxm_env_va(HUGE_PA(0) + i * PAGE_SIZE))[9] ^= BIT_ULL(50);
		h->findings = 0;
		ASSERT_NE(0, td_zap(td, GPA_4K(i)));
		found += h->findings;
		if (i == 0 || i == 511)
			EXPECT_EQ(1, h->findings);
	}
	EXPECT_GE(found, 4);
	EXPECT_LE(found, 8);
	/* A page that was taken since has one in any case. */
	h->findings = 0;
	for (i = 0; i < 512; i++) {
		ASSERT_EQ(0, td_aug(td, GPA_4K(i), HUGE_PA(0) + i * PAGE_SIZE));
		((u64 *)tdxm_env_va(HUGE_PA(0) + i * PAGE_SIZE))[9] ^= BIT_ULL(50);
		ASSERT_NE(0, td_zap(td, GPA_4K(i)));
	}
	EXPECT_EQ(512, h->findings);
}

static u64 step_gpa;
static enum tdxm_access_result step_result;

static u64 touch(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	step_result = tdxm_guest_access(h->m, vcpu, step_gpa, true, regs);
	if (step_result == TDXM_ACCESS_PENDING) {
		tdxm_guest_accept(h->m, vcpu, step_gpa, regs);
		step_result = tdxm_guest_access(h->m, vcpu, step_gpa, true, regs);
	}
	return 77;
}

static enum tdxm_access_result go(struct test_td *td, u64 gpa)
{
	td->h->guest = touch;
	step_gpa = gpa;
	td_enter(td, 0);
	return step_result;
}

/* What the guest wrote is the guest's in any size, through splits and merges. */
TEST_F(split, the_guest_goes_on)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	for (i = 0; i < 512; i += 3)
		ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(i) + 64));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	for (i = 0; i < 512; i += 5)
		ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(i) + 128));
	ASSERT_EQ(0, merge(td, TEST_GPA));
	for (i = 0; i < 512; i += 7)
		ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(i) + 256));
	EXPECT_EQ(1, host_counter(h, "guest.accept"));
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(0, h->findings);
}

/* A PENDING page that is split is accepted page by page; then it cannot be merged. */
TEST_F(split, partly_accepted)
{
	struct test_td *td = &self->td;
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(511)));
	EXPECT_EQ(SEPT_MAPPED, td_state(td, GPA_4K(511)));
	EXPECT_EQ(SEPT_PENDING, td_state(td, GPA_4K(510)));
	EXPECT_EQ(NOT_UNIFORM, merge(td, TEST_GPA));
	EXPECT_EQ(0x8101, self->h.last.rdx);
	EXPECT_EQ(0, td_unblock(td, TEST_GPA | L1));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(i)));
	EXPECT_EQ(0, merge(td, TEST_GPA));
	EXPECT_EQ(SEPT_MAPPED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(0, self->h.findings);
}

/* --- TLB: a change of size needs a flush like any other --- */

TEST_F(split, translations_of_the_huge_page_are_stale_after_the_split)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	EXPECT_EQ(0, h->findings);

	ASSERT_EQ(0, merge(td, TEST_GPA));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	EXPECT_EQ(0, h->findings);
	tdxm_plant(h->m, TDXM_PLANT_L1_PRIVATE);
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("L1", h->finding_id);
	EXPECT_EQ(GPA_4K(9), h->finding.gpa);
}

TEST_F(split, translations_of_children_are_stale_after_the_merge)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), SEPT_MAPPED));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	tdxm_plant(h->m, TDXM_PLANT_L1_PRIVATE);
	ASSERT_EQ(0, merge(td, TEST_GPA));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("L1", h->finding_id);
}

/* As it was, and still: there was a time when the translation was wrong. */
TEST_F(split, translations_are_stale_after_a_split_and_a_merge)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), SEPT_MAPPED));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	tdxm_plant(h->m, TDXM_PLANT_L1_PRIVATE);
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(0, merge(td, TEST_GPA));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("L1", h->finding_id);
}

/* Blocked, tracked, unblocked: nothing has changed, and nothing is stale. */
TEST_F(split, unblocked_pages_work_again)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), SEPT_MAPPED));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA_4K(9)));
	ASSERT_EQ(0, td_unblock(td, TEST_GPA | L1));
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(9)));
	/* The old epoch of blocking is worth nothing: it must be blocked again. */
	EXPECT_EQ(NOT_BLOCKED, td_remove(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_block(td, TEST_GPA | L1));
	EXPECT_EQ(NOT_TRACKED, td_remove(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_remove(td, TEST_GPA | L1));
	EXPECT_EQ(0, h->findings);
}

TEST_F(split, unblock_of_a_table_and_of_a_4k_page)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	ASSERT_EQ(0, td_aug(td, GPA_4K(3), HUGE_PA(0)));
	ASSERT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(3)));
	ASSERT_EQ(0, td_block(td, GPA_4K(3)));
	EXPECT_EQ(NOT_TRACKED, td_unblock(td, GPA_4K(3)));
	ASSERT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_unblock(td, GPA_4K(3)));
	EXPECT_EQ(SEPT_MAPPED, td_state(td, GPA_4K(3)));
	EXPECT_EQ(STATE_BAD, td_unblock(td, GPA_4K(3)));
	ASSERT_EQ(0, td_block(td, TEST_GPA | L1));
	EXPECT_EQ(NOT_TRACKED, td_unblock(td, TEST_GPA | L1));
	EXPECT_EQ(TDX_EPT_WALK_FAILED | RCX, td_unblock(td, GPA_4K(3)));
	ASSERT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_unblock(td, TEST_GPA | L1));
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA_4K(3)));
}

/* While somebody is inside since before, nothing is tracked. */
static u64 inside[5];

static u64 host_works(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	struct test_td *td = h->arg;

	inside[0] = td_block(td, TEST_GPA | L1) ?: td_track(td);
	inside[1] = td_demote(td, TEST_GPA | L1, host_page(h));
	inside[2] = td_unblock(td, TEST_GPA | L1);
	inside[3] = td_block(td, GPA_2M(1) | L1);
	inside[4] = td_promote(td, GPA_2M(1) | L1);
	return 77;
}

TEST_F(split, a_vcpu_inside_keeps_everything_in_place)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, td_aug(td, GPA_2M(1) | L1, HUGE_PA(1)));
	ASSERT_EQ(0, split(td, GPA_2M(1), self->table));
	self->h.guest = host_works;
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(0, inside[0]);
	EXPECT_EQ(NOT_TRACKED, inside[1]);
	EXPECT_EQ(NOT_TRACKED, inside[2]);
	EXPECT_EQ(0, inside[3]);
	EXPECT_EQ(NOT_TRACKED, inside[4]);
	EXPECT_EQ(0, td_demote(td, TEST_GPA | L1, host_page(&self->h)));
	EXPECT_EQ(NOT_TRACKED, td_promote(td, GPA_2M(1) | L1));
	ASSERT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_promote(td, GPA_2M(1) | L1));
}

/* --- operands --- */

TEST_F(split, operands)
{
	const u64 bad = TDX_OPERAND_INVALID | RCX;
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	static const u32 leaves[] = {
		TDH_MEM_PAGE_DEMOTE, TDH_MEM_PAGE_PROMOTE, TDH_MEM_SEPT_REMOVE,
		TDH_MEM_RANGE_UNBLOCK,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		u32 leaf = leaves[i];

		EXPECT_EQ(bad, seamcall(h, leaf, GPA_4K(1) | L1, td->tdr, self->table));
		EXPECT_EQ(bad, seamcall(h, leaf, TEST_GPA | L1 | 8, td->tdr, self->table));
		EXPECT_EQ(bad, seamcall(h, leaf, TEST_GPA | L1 | SHARED_BIT, td->tdr, self->table));
		EXPECT_EQ(bad, seamcall(h, leaf, TEST_GPA | 4, td->tdr, self->table));
		EXPECT_EQ(leaf == TDH_MEM_RANGE_UNBLOCK ? TDX_EPT_WALK_FAILED | RCX : bad,
			  seamcall(h, leaf, TEST_GPA, td->tdr, self->table));
		EXPECT_EQ(TDX_OPERAND_INVALID | RDX,
			  seamcall(h, leaf, TEST_GPA | L1, td->tdr | 8, self->table));
		EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RDX,
			  seamcall(h, leaf, TEST_GPA | L1, self->table, self->table));
		EXPECT_EQ(TDX_EPT_WALK_FAILED | RCX,
			  seamcall(h, leaf, (TEST_GPA + 4 * SIZE_1G) | L1, td->tdr, self->table));
		EXPECT_EQ(2, h->last.rdx);
	}
	EXPECT_EQ(bad, td_demote(td, TEST_GPA | 2, self->table));
	EXPECT_EQ(bad, td_promote(td, TEST_GPA | 2));
	EXPECT_EQ(0, h->findings);
}

TEST_F(split, not_before_the_td_is_initialized)
{
	struct host *h = &self->h;
	struct test_td td;

	ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_TDCS, 0));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_demote(&td, TEST_GPA | L1, self->table));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_promote(&td, TEST_GPA | L1));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_remove_table(&td, TEST_GPA | L1));
	EXPECT_EQ(TDX_OP_STATE_INCORRECT, td_unblock(&td, TEST_GPA | L1));
}

/* The page for the table: free, aligned, memory; in case of error nothing has happened. */
TEST_F(split, the_page_for_the_table)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 at = TEST_GPA | L1;

	ASSERT_EQ(0, td_aug(td, at, HUGE_PA(0)));
	ASSERT_EQ(0, td_block_and_track(td, at));
	EXPECT_EQ(TDX_OPERAND_INVALID | R8, td_demote(td, at, self->table + 8));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | R8,
		  td_demote(td, at, (u64)HOST_PAGES << PAGE_SHIFT));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8,
		  td_demote(td, at, (u64)HOST_HOLE << PAGE_SHIFT));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8, td_demote(td, at, td->ept[0]));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8, td_demote(td, at, HUGE_PA(0) + 5 * PAGE_SIZE));
	EXPECT_EQ(2, h->findings);
	EXPECT_STREQ("X2", h->finding_id);
	EXPECT_EQ(SEPT_PENDING_BLOCKED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(512, host_counter(h, "pamt.REG"));
	EXPECT_EQ(0, td_demote(td, at, self->table));
}

/* --- what may be merged --- */

/* The children as the module has them, changed by hand: each must be noticed. */
TEST_F(split, children_that_are_not_one_page)
{
	static const u32 index[] = { 0, 1, 255, 511 };
	struct test_td *td = &self->td;
	u64 *child, good;
	u32 i;

	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), SEPT_MAPPED));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	for (i = 0; i < ARRAY_SIZE(index); i++) {
		child = (u64 *)tdxm_env_va(self->table) + index[i];
		good = *child;
		tdxm_sept_set(child, tdxm_sept_pa(good), SEPT_PENDING, 0);
		tdxm_entry_unlock(child);
		EXPECT_EQ(NOT_UNIFORM, td_promote(td, TEST_GPA | L1));
		tdxm_sept_set(child, tdxm_sept_pa(good), SEPT_BLOCKED, 0);
		tdxm_entry_unlock(child);
		EXPECT_EQ(NOT_UNIFORM, td_promote(td, TEST_GPA | L1));
		tdxm_sept_set(child, 0, SEPT_FREE, 0);
		tdxm_entry_unlock(child);
		EXPECT_EQ(NOT_UNIFORM, td_promote(td, TEST_GPA | L1));
		*child = good ^ PAGE_SIZE;
		EXPECT_EQ(NOT_UNIFORM, td_promote(td, TEST_GPA | L1));
		*child = good | SEPT_TDEL;
		EXPECT_EQ(TDX_OPERAND_BUSY | RCX, td_promote(td, TEST_GPA | L1));
		*child = good | SEPT_TDHP;	/* of no interest to the host */
		if (i)
			*child = good;
	}
	EXPECT_EQ(SEPT_NL_BLOCKED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(0, td_promote(td, TEST_GPA | L1));
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
}

/* In one piece, but not where a huge page could be. */
TEST_F(split, children_that_are_not_aligned)
{
	struct test_td *td = &self->td;
	int i;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, td_aug(td, GPA_4K(i), HUGE_PA(0) + (i + 1) * PAGE_SIZE));
	EXPECT_EQ(NOT_UNIFORM, merge(td, TEST_GPA));
}

TEST_F(split, all_blocked_is_not_enough)
{
	struct test_td *td = &self->td;
	int i;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	ASSERT_EQ(0, split(td, TEST_GPA, self->table));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(0, td_block(td, GPA_4K(i)));
	EXPECT_EQ(NOT_UNIFORM, merge(td, TEST_GPA));
}

/* --- tables --- */

TEST_F(split, a_table_of_tables)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 at = TEST_GPA | 2;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	ASSERT_EQ(0, td_block_and_track(td, at));
	EXPECT_EQ(NOT_FREE, td_remove_table(td, at));
	ASSERT_EQ(0, td_unblock(td, at));
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_remove_table(td, TEST_GPA | L1));
	EXPECT_EQ(td->ept[2], h->last.rcx);
	ASSERT_EQ(0, td_block_and_track(td, at));
	EXPECT_EQ(0, td_remove_table(td, at));
	EXPECT_EQ(td->ept[1], h->last.rcx);
	ASSERT_EQ(0, td_block_and_track(td, 0 | 3));
	EXPECT_EQ(0, td_remove_table(td, 0 | 3));
	td->nr_ept = 0;
	EXPECT_EQ(0, td_map_tables(td, TEST_GPA));
	EXPECT_EQ(0, td_stop(td));
	EXPECT_EQ(0, h->findings);
}

TEST_F(split, a_host_write_to_a_table_is_found_when_it_goes)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	((u64 *)tdxm_env_va(td->ept[2]))[300] = 0x1000;	/* still FREE */
	ASSERT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_remove_table(td, TEST_GPA | L1));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("X1", h->finding_id);
	EXPECT_EQ(td->ept[2], h->finding.pa);
	EXPECT_EQ(1, h->finding.level);
}

/* --- 1G --- */

TEST(one_gigabyte)
{
	struct tdxm_config cfg = host_config;
	struct test_td td;
	struct host h;
	u64 table;
	int i, level;

	cfg.max_leaf_level = 2;
	cfg.nr_pages = 2ULL << 18;
	ASSERT_EQ(0, host_start(&h, &cfg));
	ASSERT_EQ(0, td_start(&h, &td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&td, TEST_GPA, 2));
	table = host_page(&h);
	ASSERT_EQ(0, td_aug(&td, TEST_GPA | 2, SIZE_1G));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_demote(&td, TEST_GPA | 2, table));
	for (i = 0; i < 512; i++) {
		ASSERT_EQ(SEPT_PENDING, td_state_at(&td, GPA_2M(i), 1));
		ASSERT_EQ(SIZE_1G + i * SIZE_2M, td_pa_at(&td, GPA_2M(i), 1));
		tdxm_pamt_leaf(h.m, SIZE_1G + i * SIZE_2M + 0x5000, &level);
		ASSERT_EQ(1, level);
	}
	EXPECT_EQ(262144, host_counter(&h, "pamt.REG"));
	ASSERT_EQ(TDXM_ACCESS_OK, go(&td, GPA_2M(7)));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	EXPECT_EQ(NOT_UNIFORM, td_promote(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_unblock(&td, TEST_GPA | 2));
	for (i = 0; i < 512; i++)
		ASSERT_EQ(TDXM_ACCESS_OK, go(&td, GPA_2M(i)));

	/* Down to 4K in one place, and all the way up again. */
	ASSERT_EQ(0, split(&td, GPA_2M(3), host_page(&h)));
	EXPECT_EQ(512, children(&td, GPA_2M(3), SIZE_1G + 3 * SIZE_2M, SEPT_MAPPED));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	EXPECT_EQ(NOT_UNIFORM, td_promote(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_unblock(&td, TEST_GPA | 2));
	ASSERT_EQ(0, merge(&td, GPA_2M(3)));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_promote(&td, TEST_GPA | 2));
	EXPECT_EQ(table, h.last.rcx);
	EXPECT_EQ(SEPT_MAPPED, td_state_at(&td, TEST_GPA, 2));
	EXPECT_EQ(SIZE_1G, td_pa_at(&td, TEST_GPA, 2));
	ASSERT_EQ(TDXM_ACCESS_OK, go(&td, GPA_2M(300)));
	EXPECT_EQ(SIZE_1G, td_zap(&td, TEST_GPA | 2));
	EXPECT_EQ(0, host_counter(&h, "pamt.REG"));
	/* All of it is free again, in every size. */
	EXPECT_EQ(0, td_aug(&td, TEST_GPA | 2, SIZE_1G));
	EXPECT_EQ(SIZE_1G, td_zap(&td, TEST_GPA | 2));
	EXPECT_EQ(0, h.findings);
	ASSERT_EQ(0, td_stop(&td));
	EXPECT_EQ(0, host_stop(&h));
}

/* Split twice and given back in pieces of three sizes: then it is one free range. */
TEST(one_gigabyte_in_pieces)
{
	struct tdxm_config cfg = host_config;
	struct test_td td;
	struct host h;
	int i;

	cfg.max_leaf_level = 2;
	cfg.nr_pages = 2ULL << 18;
	ASSERT_EQ(0, host_start(&h, &cfg));
	ASSERT_EQ(0, td_start(&h, &td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&td, TEST_GPA, 2));
	ASSERT_EQ(0, td_aug(&td, TEST_GPA | 2, SIZE_1G));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_demote(&td, TEST_GPA | 2, host_page(&h)));
	/* 2M: of what is in it nobody knows, so that nothing is damage. */
	ASSERT_EQ(0, split(&td, GPA_2M(1), host_page(&h)));
	ASSERT_EQ(0, merge(&td, GPA_2M(1)));
	ASSERT_EQ(0, split(&td, GPA_2M(2), host_page(&h)));
	for (i = 0; i < 512; i++) {
		ASSERT_NE(0, td_zap(&td, TEST_GPA + 2 * SIZE_2M + i * PAGE_SIZE));
		if (i != 2)
			ASSERT_EQ(SIZE_1G + i * SIZE_2M, td_zap(&td, GPA_2M(i) | L1));
	}
	ASSERT_EQ(0, td_block_and_track(&td, GPA_2M(2) | L1));
	ASSERT_EQ(0, td_remove_table(&td, GPA_2M(2) | L1));
	ASSERT_EQ(0, td_block_and_track(&td, TEST_GPA | 2));
	ASSERT_EQ(0, td_remove_table(&td, TEST_GPA | 2));
	EXPECT_EQ(0, host_counter(&h, "pamt.REG"));
	EXPECT_EQ(0, td_aug(&td, TEST_GPA | 2, SIZE_1G));
	EXPECT_EQ(SIZE_1G, td_zap(&td, TEST_GPA | 2));
	EXPECT_EQ(0, h.findings);
	ASSERT_EQ(0, td_stop(&td));
	EXPECT_EQ(0, host_stop(&h));
}

TEST_HARNESS_MAIN
