// SPDX-License-Identifier: GPL-2.0
/* Secure EPT: which leaf may do what to which state, walks, error information. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define RCX		TDX_OPERAND_ID_RCX
#define RDX		TDX_OPERAND_ID_RDX
#define R8		TDX_OPERAND_ID_R8
#define STATE_BAD	(TDX_EPT_ENTRY_STATE_INCORRECT | RCX)
#define NOT_BLOCKED	(TDX_GPA_RANGE_NOT_BLOCKED | RCX)
#define ALREADY		(TDX_GPA_RANGE_ALREADY_BLOCKED | RCX)
#define NOT_TRACKED	(TDX_TLB_TRACKING_NOT_DONE | RCX)
#define WALK_FAILED	(TDX_EPT_WALK_FAILED | RCX)

/* RDX after an error at a 4K entry of each state, from the ABI's table. */
static const u64 info_4k[SEPT_NR_STATES] = {
	[SEPT_FREE] = 0x0000,
	[SEPT_REMOVED] = 0x0500,
	[SEPT_MAPPED] = 0x0400,
	[SEPT_BLOCKED] = 0x0100,
	[SEPT_PENDING] = 0x0200,
	[SEPT_PENDING_BLOCKED] = 0x0300,
};

/* Put the 4K entry of @gpa into @state by leaves where there are any. */
static int put_state(struct test_td *td, u64 gpa, enum sept_state state)
{
	u64 *entry = td_entry(td, gpa, 0);

	if (state == SEPT_FREE)
		return 0;
	if (state == SEPT_REMOVED) {
		tdxm_sept_set(entry, 0, SEPT_REMOVED, 0);
		tdxm_entry_unlock(entry);
		return 0;
	}
	if (td_aug(td, gpa, host_page(td->h)))
		return -1;
	if (state == SEPT_MAPPED || state == SEPT_BLOCKED) {
		tdxm_sept_accept(entry);
		tdxm_entry_unlock(entry);
	}
	if (state == SEPT_BLOCKED || state == SEPT_PENDING_BLOCKED)
		return td_block(td, gpa) ? -1 : 0;
	return 0;
}

FIXTURE(matrix) {
	struct host h;
	struct test_td td;
};

/* One line for each state of a 4K entry: the status of each leaf, 0 is success. */
FIXTURE_VARIANT(matrix) {
	enum td_stage stage;
	enum sept_state state;
	u64 add, extend, aug, block, remove;
	enum sept_state blocked;
};

#define OP_BAD	TDX_OP_STATE_INCORRECT

FIXTURE_VARIANT_ADD(matrix, init_free)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_FREE,
	.add = 0, .extend = STATE_BAD, .aug = 0,
	.block = STATE_BAD, .remove = STATE_BAD, .blocked = SEPT_FREE,
};

FIXTURE_VARIANT_ADD(matrix, init_removed)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_REMOVED,
	.add = STATE_BAD, .extend = STATE_BAD, .aug = 0,
	.block = STATE_BAD, .remove = STATE_BAD, .blocked = SEPT_REMOVED,
};

FIXTURE_VARIANT_ADD(matrix, init_mapped)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_MAPPED,
	.add = STATE_BAD, .extend = 0, .aug = STATE_BAD,
	.block = 0, .remove = 0, .blocked = SEPT_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, init_blocked)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_BLOCKED,
	.add = STATE_BAD, .extend = STATE_BAD, .aug = STATE_BAD,
	.block = ALREADY, .remove = 0, .blocked = SEPT_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, init_pending)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_PENDING,
	.add = STATE_BAD, .extend = STATE_BAD, .aug = STATE_BAD,
	.block = 0, .remove = 0, .blocked = SEPT_PENDING_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, init_pending_blocked)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_PENDING_BLOCKED,
	.add = STATE_BAD, .extend = STATE_BAD, .aug = STATE_BAD,
	.block = ALREADY, .remove = 0, .blocked = SEPT_PENDING_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, run_free)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_FREE,
	.add = OP_BAD, .extend = OP_BAD, .aug = 0,
	.block = STATE_BAD, .remove = STATE_BAD, .blocked = SEPT_FREE,
};

FIXTURE_VARIANT_ADD(matrix, run_removed)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_REMOVED,
	.add = OP_BAD, .extend = OP_BAD, .aug = 0,
	.block = STATE_BAD, .remove = STATE_BAD, .blocked = SEPT_REMOVED,
};

FIXTURE_VARIANT_ADD(matrix, run_mapped)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_MAPPED,
	.add = OP_BAD, .extend = OP_BAD, .aug = STATE_BAD,
	.block = 0, .remove = NOT_BLOCKED, .blocked = SEPT_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, run_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_BLOCKED,
	.add = OP_BAD, .extend = OP_BAD, .aug = STATE_BAD,
	.block = ALREADY, .remove = NOT_TRACKED, .blocked = SEPT_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, run_pending)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING,
	.add = OP_BAD, .extend = OP_BAD, .aug = STATE_BAD,
	.block = 0, .remove = NOT_BLOCKED, .blocked = SEPT_PENDING_BLOCKED,
};

FIXTURE_VARIANT_ADD(matrix, run_pending_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING_BLOCKED,
	.add = OP_BAD, .extend = OP_BAD, .aug = STATE_BAD,
	.block = ALREADY, .remove = NOT_TRACKED, .blocked = SEPT_PENDING_BLOCKED,
};

FIXTURE_SETUP(matrix)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, variant->stage, 1));
	ASSERT_EQ(0, td_map_tables(&self->td, TEST_GPA));
	ASSERT_EQ(0, put_state(&self->td, TEST_GPA, variant->state));
	ASSERT_EQ(variant->state, td_state(&self->td, TEST_GPA));
}

FIXTURE_TEARDOWN(matrix)
{
	host_stop(&self->h);
}

/* Extended error information: entry in RCX, level and state in RDX; else 0. */
static bool info_is(struct host *h, u64 *entry, u64 status, enum sept_state state)
{
	if ((status & 0xff) != RCX || status == OP_BAD)
		return true;
	return h->last.rcx == (*entry & SEPT_ARCH_MASK) && h->last.rdx == info_4k[state];
}

TEST_F(matrix, page_add)
{
	struct host *h = &self->h;

	EXPECT_EQ(variant->add, seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, self->td.tdr,
					  host_page(h), host_page(h)));
	EXPECT_TRUE(info_is(h, td_entry(&self->td, TEST_GPA, 0), variant->add, variant->state));
	EXPECT_EQ(variant->add ? variant->state : SEPT_MAPPED, td_state(&self->td, TEST_GPA));
}

TEST_F(matrix, mr_extend)
{
	EXPECT_EQ(variant->extend, seamcall(&self->h, TDH_MR_EXTEND, TEST_GPA + 512,
					    self->td.tdr, 0));
	EXPECT_TRUE(info_is(&self->h, td_entry(&self->td, TEST_GPA, 0), variant->extend,
			    variant->state));
	EXPECT_EQ(variant->state, td_state(&self->td, TEST_GPA));
}

TEST_F(matrix, page_aug)
{
	EXPECT_EQ(variant->aug, td_aug(&self->td, TEST_GPA, host_page(&self->h)));
	EXPECT_TRUE(info_is(&self->h, td_entry(&self->td, TEST_GPA, 0), variant->aug,
			    variant->state));
	EXPECT_EQ(variant->aug ? variant->state : SEPT_PENDING, td_state(&self->td, TEST_GPA));
}

TEST_F(matrix, range_block)
{
	EXPECT_EQ(variant->block, td_block(&self->td, TEST_GPA));
	EXPECT_TRUE(info_is(&self->h, td_entry(&self->td, TEST_GPA, 0), variant->block,
			    variant->state));
	EXPECT_EQ(variant->blocked, td_state(&self->td, TEST_GPA));
}

TEST_F(matrix, page_remove)
{
	u64 pa = *td_entry(&self->td, TEST_GPA, 0) & SEPT_HPA;

	EXPECT_EQ(variant->remove, td_remove(&self->td, TEST_GPA));
	if (!variant->remove) {
		EXPECT_EQ(pa, self->h.last.rcx);
		EXPECT_EQ(0, self->h.last.rdx);
	}
	EXPECT_TRUE(info_is(&self->h, td_entry(&self->td, TEST_GPA, 0), variant->remove,
			    variant->state));
	EXPECT_EQ(variant->remove ? variant->state : SEPT_FREE, td_state(&self->td, TEST_GPA));
	/* Every failure left the entry unlocked. */
	EXPECT_EQ(0, *td_entry(&self->td, TEST_GPA, 0) & SEPT_TDEL);
}

FIXTURE(sept) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(sept)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
}

FIXTURE_TEARDOWN(sept)
{
	host_stop(&self->h);
}

TEST_F(sept, tables_are_linked_from_the_top)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 page = host_page(h);

	/* Root entries are at level 3; level 2 needs the table of level 3 first. */
	EXPECT_EQ(WALK_FAILED, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 2, td->tdr, page));
	EXPECT_EQ(3, h->last.rdx);	/* level 3, FREE */
	EXPECT_EQ(SEPT_SVE, h->last.rcx);
	EXPECT_EQ(0, seamcall(h, TDH_MEM_SEPT_ADD, 0 | 3, td->tdr, page));
	EXPECT_EQ(0, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 2, td->tdr, host_page(h)));
	EXPECT_EQ(WALK_FAILED, td_aug(td, TEST_GPA, host_page(h)));
	EXPECT_EQ(1, h->last.rdx);
	EXPECT_EQ(0, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, host_page(h)));
	EXPECT_EQ(0, td_aug(td, TEST_GPA, host_page(h)));
	EXPECT_EQ(3, host_counter(h, "pamt.EPT"));
}

TEST_F(sept, a_table_is_linked_once)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	EXPECT_EQ(STATE_BAD, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr, host_page(h)));
	EXPECT_EQ(0x8401, h->last.rdx);	/* level 1, non-leaf present */
	EXPECT_EQ(td->ept[2], h->last.rcx & SEPT_HPA);
}

TEST_F(sept, a_blocked_table_hides_what_is_below)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	ASSERT_EQ(0, td_aug(td, TEST_GPA, host_page(&self->h)));
	EXPECT_EQ(0, td_block(td, TEST_GPA | 1));
	EXPECT_EQ(ALREADY, td_block(td, TEST_GPA | 1));
	EXPECT_EQ(0x8101, self->h.last.rdx);
	EXPECT_EQ(WALK_FAILED, td_aug(td, GPA_4K(1), host_page(&self->h)));
	EXPECT_EQ(WALK_FAILED, td_block(td, TEST_GPA));
	EXPECT_EQ(SEPT_NR_STATES, td_state(td, TEST_GPA));
	EXPECT_EQ(STATE_BAD, seamcall(&self->h, TDH_MEM_SEPT_ADD, TEST_GPA | 1, td->tdr,
				      host_page(&self->h)));
}

TEST_F(sept, gpa_operand_is_checked)
{
	const u64 bad = TDX_OPERAND_INVALID | RCX;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	EXPECT_EQ(bad, td_aug(td, TEST_GPA | 1, host_page(h)));		/* level */
	EXPECT_EQ(bad, td_aug(td, TEST_GPA | 8, host_page(h)));		/* reserved bits */
	EXPECT_EQ(bad, td_aug(td, TEST_GPA | SHARED_BIT, host_page(h)));
	EXPECT_EQ(bad, td_aug(td, TEST_GPA | BIT_ULL(50), host_page(h)));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 0, td->tdr, host_page(h)));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_SEPT_ADD, TEST_GPA | 4, td->tdr, host_page(h)));
	EXPECT_EQ(bad, seamcall(h, TDH_MEM_SEPT_ADD, GPA_4K(1) | 1, td->tdr, host_page(h)));
	EXPECT_EQ(bad, td_block(td, TEST_GPA | 4));
	EXPECT_EQ(bad, td_remove(td, TEST_GPA | 1));
	EXPECT_EQ(0, h->last.rcx);
	EXPECT_EQ(0, h->last.rdx);
}

TEST_F(sept, the_tdr_operand_is_checked_by_every_leaf)
{
	static const u32 leaves[] = { TDH_MEM_SEPT_ADD, TDH_MEM_PAGE_ADD, TDH_MEM_PAGE_AUG,
				      TDH_MEM_RANGE_BLOCK, TDH_MEM_PAGE_REMOVE, TDH_MR_EXTEND };
	struct host *h = &self->h;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		EXPECT_EQ(TDX_OPERAND_INVALID | RDX,
			  seamcall(h, leaves[i], TEST_GPA, self->td.tdr + 1, 0));
		EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RDX,
			  seamcall(h, leaves[i], TEST_GPA, self->td.tdcx[0], 0));
		EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | RDX,
			  seamcall(h, leaves[i], TEST_GPA, (u64)HOST_PAGES << PAGE_SHIFT, 0));
	}
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_MEM_TRACK, host_page(h), 0, 0));
}

TEST_F(sept, page_add_checks_its_source)
{
	struct test_td td;
	struct host *h = &self->h;
	u64 page = host_page(h), reg = host_page(h);

	ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
	ASSERT_EQ(0, td_map_tables(&td, TEST_GPA));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R9,
		  seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, td.tdr, page, 0x1008));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R9,
		  seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, td.tdr, page, td.tdr));
	EXPECT_EQ(0, td_aug(&td, TEST_GPA, reg));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R9,
		  seamcall4(h, TDH_MEM_PAGE_ADD, GPA_4K(1), td.tdr, page, reg));
	/* In place is fine. */
	EXPECT_EQ(0, seamcall4(h, TDH_MEM_PAGE_ADD, GPA_4K(1), td.tdr, page, page));
	EXPECT_EQ(SEPT_MAPPED, td_state(&td, GPA_4K(1)));
}

TEST_F(sept, the_measurement_depends_on_content_and_place)
{
	struct host *h = &self->h;
	u64 source = host_page(h), *word = tdxm_env_va(source), m[4];
	struct test_td td;
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
		ASSERT_EQ(0, td_map_tables(&td, TEST_GPA));
		*word = i == 1;
		ASSERT_EQ(0, seamcall4(h, TDH_MEM_PAGE_ADD, GPA_4K(i == 2), td.tdr, host_page(h),
				       source));
		if (i == 3)
			ASSERT_EQ(0, seamcall(h, TDH_MR_EXTEND, GPA_4K(0), td.tdr, 0));
		m[i] = td_tdcs(&td)->measurement;
		ASSERT_EQ(0, td_remove(&td, GPA_4K(i == 2)));
		ASSERT_EQ(0, td_stop(&td));
	}
	EXPECT_NE(m[0], m[1]);
	EXPECT_NE(m[0], m[2]);
	EXPECT_NE(m[0], m[3]);
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, ({
		ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
		seamcall(h, TDH_MR_EXTEND, TEST_GPA + 8, td.tdr, 0);
	}));
}

TEST_F(sept, an_observer_reads_what_the_leaves_wrote)
{
	struct test_td *td = &self->td;
	u64 page = host_page(&self->h), pa;
	u8 state;

	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, 0, &pa, &state));
	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	ASSERT_EQ(0, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, 0, &pa, &state));
	EXPECT_EQ(SEPT_FREE, state);
	EXPECT_EQ(0, pa);
	ASSERT_EQ(0, td_aug(td, TEST_GPA, page));
	ASSERT_EQ(0, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, 0, &pa, &state));
	EXPECT_EQ(SEPT_PENDING, state);
	EXPECT_EQ(page, pa);
	ASSERT_EQ(0, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, 1, &pa, &state));
	EXPECT_EQ(SEPT_NL_MAPPED, state);
	EXPECT_EQ(td->ept[2], pa);
	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, td->tdcx[0], TEST_GPA, 0, &pa, &state));
	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, ~0ULL, TEST_GPA, 0, &pa, &state));
	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, 4, &pa, &state));
	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, td->tdr, TEST_GPA, -1, &pa, &state));
	EXPECT_EQ(-ENOENT, tdxm_sept_read(self->h.m, td->tdr, SHARED_BIT, 0, &pa, &state));
}

TEST_F(sept, five_levels)
{
	struct host *h = &self->h;
	u64 params = host_page(h), high = BIT_ULL(50) | TEST_GPA;
	struct tdxm_td_params *p = tdxm_env_va(params);
	struct test_td td;

	ASSERT_EQ(0, td_start(h, &td, HOST_KEYID + 1, STAGE_TDCS, 0));
	td_params_init(p);
	p->eptp_controls = TD_PARAMS_EPTP_MT_WB | 4 << TD_PARAMS_EPTP_PWL_SHIFT;
	p->config_flags = TD_PARAMS_CONFIG_MAX_GPAW;
	ASSERT_EQ(0, seamcall(h, TDH_MNG_INIT, td.tdr, params, 0));
	ASSERT_EQ(0, td_map_tables(&td, high));
	EXPECT_EQ(4, td.nr_ept);
	EXPECT_EQ(0, td_aug(&td, high, host_page(h)));
	EXPECT_EQ(SEPT_PENDING, td_state(&td, high));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, td_aug(&td, BIT_ULL(51), host_page(h)));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX,
		  seamcall(h, TDH_MEM_SEPT_ADD, 5, td.tdr, host_page(h)));
}

TEST_HARNESS_MAIN
