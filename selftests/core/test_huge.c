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

/* Operands: level, alignment of both addresses, the end of memory. */
TEST_F(huge, operands)
{
	const u64 bad_gpa = TDX_OPERAND_INVALID | RCX, bad_pa = TDX_OPERAND_INVALID | R8;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	EXPECT_EQ(bad_gpa, td_aug(td, TEST_GPA | 2, HUGE_PA(0)));
	EXPECT_EQ(bad_gpa, td_aug(td, (TEST_GPA + SIZE_2M / 2) | L1, HUGE_PA(0)));
	EXPECT_EQ(bad_gpa, td_aug(td, GPA_4K(1) | L1, HUGE_PA(0)));
	EXPECT_EQ(bad_gpa, td_remove(td, TEST_GPA | 2));
	EXPECT_EQ(bad_pa, td_aug(td, TEST_GPA | L1, HUGE_PA(0) + PAGE_SIZE));
	EXPECT_EQ(bad_pa, td_aug(td, TEST_GPA | L1, HUGE_PA(0) + SIZE_2M / 2));
	EXPECT_EQ(bad_pa, td_aug(td, TEST_GPA | L1, HUGE_PA(0) | BIT_ULL(HOST_PHYS_BITS)));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | R8,
		  td_aug(td, TEST_GPA | L1, (u64)HOST_PAGES << PAGE_SHIFT));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(SEPT_FREE, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(0, host_counter(h, "pamt.REG"));
}

/* The PAMT ends within a 2M range: that range is no page. */
TEST_F(huge, a_range_that_is_not_all_memory)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	host_stop(h);
	cfg.max_leaf_level = 1;
	cfg.nr_pages = HOST_PAGES - 1;
	ASSERT_EQ(0, host_start(h, &cfg));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(td, TEST_GPA, 1));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | R8,
		  td_aug(td, TEST_GPA | L1, (u64)(HOST_PAGES - 512) << PAGE_SHIFT));
	EXPECT_EQ(0, td_aug(td, TEST_GPA | L1, (u64)(HOST_PAGES - 1024) << PAGE_SHIFT));
}

/* Not one of the 512 may be taken: first, last, whatever it is taken as. */
TEST_F(huge, a_range_with_a_page_in_use)
{
	const u64 in_use = TDX_PAGE_METADATA_INCORRECT | R8;
	static const u32 index[] = { 0, 511, 200 };
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u32 i;

	ASSERT_EQ(0, td_map_tables(td, GPA_2M(1)));
	for (i = 0; i < ARRAY_SIZE(index); i++) {
		u64 pa = HUGE_PA(0) + index[i] * PAGE_SIZE;

		h->findings = 0;
		ASSERT_EQ(0, td_aug(td, GPA_2M(1), pa));
		EXPECT_EQ(in_use, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
		EXPECT_EQ(1, h->findings);
		EXPECT_STREQ("X2", h->finding_id);
		EXPECT_EQ(pa, h->finding.pa);
		EXPECT_EQ(td->tdr, h->finding.tdr);
		ASSERT_EQ(pa, td_zap(td, GPA_2M(1)));
	}
	h->findings = 0;
	ASSERT_EQ(0, seamcall(h, TDH_MEM_SEPT_ADD, GPA_2M(2) | L1, td->tdr,
			      HUGE_PA(1) + 7 * PAGE_SIZE));
	EXPECT_EQ(in_use, td_aug(td, TEST_GPA | L1, HUGE_PA(1)));
	EXPECT_EQ(HUGE_PA(1) + 7 * PAGE_SIZE, h->finding.pa);
	EXPECT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(in_use, td_aug(td, GPA_2M(3) | L1, HUGE_PA(0)));
	EXPECT_EQ(2, h->findings);
}

/* What is no RAM is no TD's either: refused, but nobody's fault. */
TEST_F(huge, a_range_with_a_hole)
{
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8,
		  td_aug(&self->td, TEST_GPA | L1, (u64)HOST_HOLE << PAGE_SHIFT));
	EXPECT_EQ(0, self->h.findings);
}

/* Every leaf that takes a 4K page, with one out of a huge page. */
TEST_F(huge, no_part_of_it_can_be_taken)
{
	u64 used = HUGE_PA(0) + 300 * PAGE_SIZE;
	struct test_td *td = &self->td, early;
	struct host *h = &self->h;
	u64 vpr = host_page(h);

	ASSERT_EQ(0, td_start(h, &early, HOST_KEYID + 1, STAGE_INITIALIZED, 1));
	ASSERT_EQ(0, td_map_tables(&early, TEST_GPA));
	ASSERT_EQ(0, seamcall(h, TDH_VP_CREATE, vpr, early.tdr, 0));
	ASSERT_EQ(0, td_map_tables(td, GPA_2M(1)));
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8, td_aug(td, GPA_2M(1), used));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8,
		  seamcall(h, TDH_MEM_SEPT_ADD, GPA_2M(2) | L1, td->tdr, used));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | R8,
		  seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, early.tdr, used, host_page(h)));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_MNG_CREATE, used, HOST_KEYID + 2, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_VP_CREATE, used, early.tdr, 0));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX, seamcall(h, TDH_VP_ADDCX, used, vpr, 0));
	EXPECT_EQ(6, h->findings);
	EXPECT_STREQ("X2", h->finding_id);
	EXPECT_EQ(used, h->finding.pa);
	EXPECT_EQ(td->tdr, h->finding.tdr);
	/* Nor read as if it were the host's. */
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_R9,
		  seamcall4(h, TDH_MEM_PAGE_ADD, TEST_GPA, early.tdr, host_page(h), used));
	EXPECT_EQ(TDX_PAGE_METADATA_INCORRECT | RCX,
		  seamcall(h, TDH_PHYMEM_PAGE_WBINVD, used, 0, 0));
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(0, seamcall(h, TDH_PHYMEM_PAGE_WBINVD, used, 0, 0));
	EXPECT_EQ(0, td_aug(td, GPA_2M(1), used));
}

/* One line for each state of a 2M entry: the status of each leaf, 0 is success. */
FIXTURE(state) {
	struct host h;
	struct test_td td;
};

FIXTURE_VARIANT(state) {
	enum td_stage stage;
	enum sept_state state;
	u64 aug, block, remove;
	u64 info;	/* RDX after an error */
};

#define STATE_BAD	(TDX_EPT_ENTRY_STATE_INCORRECT | RCX)
#define ALREADY		(TDX_GPA_RANGE_ALREADY_BLOCKED | RCX)
#define NOT_BLOCKED	(TDX_GPA_RANGE_NOT_BLOCKED | RCX)
#define NOT_TRACKED	(TDX_TLB_TRACKING_NOT_DONE | RCX)

FIXTURE_VARIANT_ADD(state, run_free)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_FREE,
	.aug = 0, .block = STATE_BAD, .remove = STATE_BAD, .info = 0x0001,
};

FIXTURE_VARIANT_ADD(state, run_table)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_NL_MAPPED,
	.aug = STATE_BAD, .block = 0, .remove = STATE_BAD, .info = 0x8401,
};

FIXTURE_VARIANT_ADD(state, run_mapped)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_MAPPED,
	.aug = STATE_BAD, .block = 0, .remove = NOT_BLOCKED, .info = 0x0401,
};

FIXTURE_VARIANT_ADD(state, run_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_BLOCKED,
	.aug = STATE_BAD, .block = ALREADY, .remove = NOT_TRACKED, .info = 0x0101,
};

FIXTURE_VARIANT_ADD(state, run_pending)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING,
	.aug = STATE_BAD, .block = 0, .remove = NOT_BLOCKED, .info = 0x0201,
};

FIXTURE_VARIANT_ADD(state, run_pending_blocked)
{
	.stage = STAGE_RUNNABLE, .state = SEPT_PENDING_BLOCKED,
	.aug = STATE_BAD, .block = ALREADY, .remove = NOT_TRACKED, .info = 0x0301,
};

FIXTURE_VARIANT_ADD(state, init_pending)
{
	.stage = STAGE_INITIALIZED, .state = SEPT_PENDING,
	.aug = STATE_BAD, .block = 0, .remove = 0, .info = 0x0201,
};

FIXTURE_SETUP(state)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td;

	cfg.max_leaf_level = 1;
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, td, HOST_KEYID, variant->stage, 1));
	ASSERT_EQ(0, td_map_tables_to(td, TEST_GPA, 1));
	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), variant->state));
	ASSERT_EQ(variant->state, td_state_at(td, TEST_GPA, 1));
}

FIXTURE_TEARDOWN(state)
{
	host_stop(&self->h);
}

/* A failure says what is there, and leaves it alone and unlocked. */
#define EXPECT_STATUS(expected, call)						\
do {										\
	u64 want = (expected);							\
										\
	EXPECT_EQ(want, call);							\
	if (want)								\
		EXPECT_EQ(variant->info, self->h.last.rdx);			\
	EXPECT_EQ(0, *td_entry(&self->td, TEST_GPA, 1) & SEPT_TDEL);		\
} while (0)

TEST_F(state, aug)
{
	EXPECT_STATUS(variant->aug, td_aug(&self->td, TEST_GPA | L1, HUGE_PA(1)));
	EXPECT_EQ(variant->aug ? variant->state : SEPT_PENDING,
		  td_state_at(&self->td, TEST_GPA, 1));
}

TEST_F(state, block)
{
	EXPECT_STATUS(variant->block, td_block(&self->td, TEST_GPA | L1));
	if (!variant->block)
		EXPECT_TRUE(tdxm_sept_is_blocked(td_state_at(&self->td, TEST_GPA, 1)));
}

TEST_F(state, remove)
{
	EXPECT_STATUS(variant->remove, td_remove(&self->td, TEST_GPA | L1));
	if (!variant->remove) {
		EXPECT_EQ(HUGE_PA(0), self->h.last.rcx);
		EXPECT_EQ(SEPT_FREE, td_state_at(&self->td, TEST_GPA, 1));
	}
}

/* Below a huge page there is nothing to be found. */
TEST_F(huge, a_walk_ends_at_it)
{
	const u64 failed = TDX_EPT_WALK_FAILED | RCX;
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(failed, td_aug(td, GPA_4K(1), host_page(&self->h)));
	EXPECT_EQ(0x0201, self->h.last.rdx);
	EXPECT_EQ(failed, td_block(td, GPA_4K(1)));
	EXPECT_EQ(failed, td_remove(td, GPA_4K(1)));
	EXPECT_EQ(STATE_BAD, seamcall(&self->h, TDH_MEM_SEPT_ADD, TEST_GPA | L1, td->tdr,
				      host_page(&self->h)));
}

/* The epoch of blocking is the huge page's. */
TEST_F(huge, bepoch)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	td_tdcs(td)->td_epoch = 77;
	ASSERT_EQ(0, td_block(td, TEST_GPA | L1));
	EXPECT_EQ(PT_REG, rdmd_type(h, HUGE_PA(0) + 5 * PAGE_SIZE));
	EXPECT_EQ(77, h->last.r9);
	EXPECT_EQ(NOT_TRACKED, td_remove(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_track(td));
	EXPECT_EQ(0, td_remove(td, TEST_GPA | L1));
}

/* --- canary --- */

static u32 findings_of_write(struct host *h, struct test_td *td, u64 at)
{
	u64 *word = tdxm_env_va(HUGE_PA(0) + at);

	h->findings = 0;
	if (td_aug(td, TEST_GPA | L1, HUGE_PA(0)))
		return ~0U;
	*word ^= BIT_ULL(40);
	if (td_zap(td, TEST_GPA | L1) != HUGE_PA(0))
		return ~0U;
	return h->findings;
}

TEST_F(huge, a_host_write_to_a_sample_is_found)
{
	struct host *h = &self->h;
	u32 i, found = 0;

	EXPECT_EQ(1, findings_of_write(h, &self->td, 0));
	EXPECT_STREQ("X1", h->finding_id);
	EXPECT_EQ(HUGE_PA(0), h->finding.pa);
	EXPECT_EQ(1, h->finding.level);
	EXPECT_EQ(1, findings_of_write(h, &self->td, SIZE_2M - 8));
	EXPECT_EQ(HUGE_PA(0) + SIZE_2M - PAGE_SIZE, h->finding.pa);
	for (i = 0; i < 512; i++)
		found += findings_of_write(h, &self->td, i * PAGE_SIZE + 80);
	/* A few pages, and no more than a few: this must stay cheap. */
	EXPECT_GE(found, 4);
	EXPECT_LE(found, 8);
}

TEST_F(huge, the_whole_page_overwritten_is_found)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	memset(tdxm_env_va(HUGE_PA(0)), 0, SIZE_2M);
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(1, self->h.findings);
}

/* The host's own use of the page between two lives is its own business. */
TEST_F(huge, lives_do_not_mix)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	u64 first;
	int i;

	ASSERT_EQ(0, td_map_tables(td, GPA_2M(1)));
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	first = *(u64 *)tdxm_env_va(HUGE_PA(0));
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	for (i = 0; i < 512; i += 7) {
		ASSERT_EQ(0, td_aug(td, GPA_2M(1), HUGE_PA(0) + i * PAGE_SIZE));
		ASSERT_EQ(HUGE_PA(0) + i * PAGE_SIZE, td_zap(td, GPA_2M(1)));
	}
	memset(tdxm_env_va(HUGE_PA(0)), 0x11, SIZE_2M);
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_NE(first, *(u64 *)tdxm_env_va(HUGE_PA(0)));
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(0, h->findings);
}

TEST_F(huge, each_life_has_its_own_canary)
{
	struct test_td *td = &self->td;
	u64 *word = tdxm_env_va(HUGE_PA(0)), first;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	first = *word;
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_NE(first, *word);
}

/* --- the guest --- */

struct step {
	u64 gpa;
	bool write, accept;
	void (*before)(struct test_td *td);
	enum tdxm_access_result result;
	struct tdxm_regs regs;
};

static struct step steps[8];
static int nr_steps;

static u64 play(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	int i;

	for (i = 0; i < nr_steps; i++) {
		struct step *s = &steps[i];

		if (s->before)
			s->before(h->arg);
		s->result = s->accept ? tdxm_guest_accept(h->m, vcpu, s->gpa, &s->regs) :
					tdxm_guest_access(h->m, vcpu, s->gpa, s->write, &s->regs);
	}
	return 77;
}

static struct step *step(u64 gpa, bool write, bool accept)
{
	struct step *s = &steps[nr_steps++];

	*s = (struct step){ .gpa = gpa, .write = write, .accept = accept };
	return s;
}

/* Enter once for all steps since the last time. */
static void run(struct test_td *td)
{
	td->h->guest = play;
	td_enter(td, 0);
	nr_steps = 0;
}

TEST_F(huge, the_guest_accepts_it_at_once_and_uses_all_of_it)
{
	struct test_td *td = &self->td;
	u64 *far = tdxm_env_va(HUGE_PA(0) + 0x123450);
	struct step *pending, *accept, *again, *first, *last;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	*far = 0;
	pending = step(TEST_GPA + 0x123450, true, false);
	accept = step(TEST_GPA + 0x4000, false, true);
	again = step(TEST_GPA + 0x5000, false, true);
	first = step(TEST_GPA, true, false);
	last = step(TEST_GPA + 0x123450, true, false);
	run(td);
	EXPECT_EQ(TDXM_ACCESS_PENDING, pending->result);
	EXPECT_EQ(TDXM_ACCESS_OK, accept->result);
	EXPECT_EQ(TDXM_ACCESS_OK, again->result);
	EXPECT_EQ(TDXM_ACCESS_OK, first->result);
	EXPECT_EQ(TDXM_ACCESS_OK, last->result);
	EXPECT_EQ(1, host_counter(&self->h, "guest.accept"));
	EXPECT_NE(0, *far);
	EXPECT_EQ(SEPT_MAPPED, td_state_at(td, TEST_GPA, 1));
	EXPECT_EQ(HUGE_PA(0), td_pa_at(td, TEST_GPA, 1));
	EXPECT_EQ(SEPT_PS, *td_entry(td, TEST_GPA, 1) & SEPT_PS);
	EXPECT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(huge, accept_meets_the_host)
{
	u64 *entry;

	ASSERT_EQ(0, td_aug(&self->td, TEST_GPA | L1, HUGE_PA(0)));
	entry = td_entry(&self->td, TEST_GPA, 1);
	*entry |= SEPT_TDHP;
	step(GPA_4K(3), false, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_BUSY, steps[0].result);
	*entry ^= SEPT_TDHP;
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA | L1));
	step(GPA_4K(3), false, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, steps[0].result);
	EXPECT_EQ(GPA_4K(3), steps[0].regs.r8);
	EXPECT_EQ(SEPT_PENDING_BLOCKED, td_state_at(&self->td, TEST_GPA, 1));
}

/* Cached 4K by 4K, gone all at once. */
TEST_F(huge, translations_of_a_removed_page_are_stale)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	step(TEST_GPA, false, true);
	step(TEST_GPA + 0x7000, true, false);
	step(TEST_GPA + 0x1ff000, true, false);
	run(td);
	tdxm_plant(h->m, TDXM_PLANT_L1_PRIVATE);
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	memset(tdxm_env_va(HUGE_PA(0)), 0x5a, SIZE_2M);
	step(TEST_GPA + 0x7000, true, false);
	step(TEST_GPA + 0x1ff000, true, false);
	run(td);
	EXPECT_EQ(2, h->findings);
	EXPECT_STREQ("L1", h->finding_id);
	EXPECT_EQ(HUGE_PA(0) + 0x7000, h->finding.pa);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, steps[0].result);
	EXPECT_EQ(0x5a5a5a5a5a5a5a5aULL, *(u64 *)tdxm_env_va(HUGE_PA(0) + 0x7000));

	/* Also of a later life in the same size at the same place. */
	tdxm_plant(h->m, TDXM_PLANT_NONE);
	h->findings = 0;
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	step(TEST_GPA, false, true);
	step(TEST_GPA + 0x9000, true, false);
	run(td);
	tdxm_plant(h->m, TDXM_PLANT_L1_PRIVATE);
	ASSERT_EQ(HUGE_PA(0), td_zap(td, TEST_GPA | L1));
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	step(TEST_GPA + 0x9000, true, false);
	run(td);
	EXPECT_EQ(1, h->findings);
	EXPECT_EQ(TDXM_ACCESS_PENDING, steps[0].result);
}

/* Even while it misbehaves the module touches no page that somebody takes away. */
TEST_F(huge, the_plant_respects_the_lock)
{
	u64 *word = tdxm_env_va(HUGE_PA(0) + 0x7000);
	u32 *lock = &tdxm_pamt_at(self->h.m, HUGE_PA(0), 1)->lock;
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_put_state(td, TEST_GPA, 1, HUGE_PA(0), SEPT_MAPPED));
	*word = 4;
	tdxm_plant(self->h.m, TDXM_PLANT_L1_PRIVATE);
	tdxm_trylock(&self->h.m->lp[7], LOCK_PAGE, lock, LOCK_EXCLUSIVE);
	step(TEST_GPA + 0x7000, true, false);
	run(td);
	EXPECT_EQ(4, *word);
	tdxm_unlock(lock, LOCK_EXCLUSIVE);
	step(TEST_GPA + 0x7000, true, false);
	run(td);
	EXPECT_NE(4, *word);
	EXPECT_EQ(0, *lock);
}

TEST_F(huge, translations_of_a_blocked_page_live_until_the_next_epoch)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	step(TEST_GPA, false, true);
	step(TEST_GPA + 0x7000, true, false);
	run(td);
	ASSERT_EQ(0, td_block(td, TEST_GPA | L1));
	step(TEST_GPA + 0x7000, true, false);
	run(td);
	EXPECT_EQ(TDXM_ACCESS_OK, steps[0].result);
	ASSERT_EQ(0, td_track(td));
	step(TEST_GPA + 0x7000, true, false);
	run(td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, steps[0].result);
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(huge, a_shared_mapping_of_a_part_of_it_is_found)
{
	struct test_td *td = &self->td;
	u64 part = HUGE_PA(0) + 123 * PAGE_SIZE;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	*(u64 *)tdxm_env_va(part) = 1;
	shared_map(td, TEST_GPA, part | EPT_RWX | EPT_SVE);
	ASSERT_EQ(0, seamcall4(&self->h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP,
			       td->eptp, ~0ULL));
	step(SHARED_BIT | TEST_GPA, true, false);
	run(td);
	EXPECT_STREQ("H1", self->h.finding_id);
	EXPECT_EQ(1, *(u64 *)tdxm_env_va(part));
}

/* Enough faults at one RIP, and the filter looks for huge pages, too. */
TEST_F(huge, zero_step_is_satisfied_by_a_huge_page)
{
	struct test_td *td = &self->td;
	int i;

	td->vcpu[0].vcpu->rip_fixed = true;
	for (i = 0; i < TDXM_ZERO_STEP_FAULTS; i++) {
		step(GPA_4K(i), true, false);
		run(td);
	}
	EXPECT_EQ(TDX_EXIT_REASON_EPT_VIOLATION, td_enter(td, 0));
	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(77, td_enter(td, 0));
	EXPECT_EQ(2, host_counter(&self->h, "guest.zero_step"));
}

/* --- teardown --- */

TEST_F(huge, reclaim)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(TDX_LIFECYCLE_STATE_INCORRECT, reclaim(h, HUGE_PA(0)));
	EXPECT_EQ(1, h->last.r8);
	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, reclaim(h, HUGE_PA(0) + PAGE_SIZE));
	EXPECT_EQ(0, reclaim(h, HUGE_PA(0)));
	EXPECT_EQ(PT_REG, h->last.rcx);
	EXPECT_EQ(td->tdr, h->last.rdx);
	EXPECT_EQ(1, h->last.r8);
	EXPECT_EQ(PT_NDA, rdmd_type(h, HUGE_PA(0) + 99 * PAGE_SIZE));
	EXPECT_EQ(0, host_counter(h, "pamt.REG"));
	EXPECT_EQ(0, h->findings);
	/* With its last page the TD can go: the count of its pages was right. */
	td->nr_vcpus = 0;
	EXPECT_EQ(TDX_TD_ASSOCIATED_PAGES_EXIST, reclaim(h, td->tdr));
}

TEST_F(huge, reclaim_finds_damage_and_tables_that_map_it)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	*(u64 *)tdxm_env_va(HUGE_PA(0) + SIZE_2M - 16) = 1;
	ASSERT_EQ(0, td_flush_vcpus(td));
	ASSERT_EQ(0, td_free_hkid(td));
	EXPECT_EQ(0, reclaim(h, td->ept[td->nr_ept - 1]));
	EXPECT_EQ(1, h->findings);
	EXPECT_STREQ("X2", h->finding_id);
	EXPECT_EQ(0, reclaim(h, HUGE_PA(0)));
	EXPECT_EQ(2, h->findings);
	EXPECT_EQ(1, host_counter(h, "violation.X1"));
}

/* --- 1G --- */

#define PAGES_1G	(3ULL << 18)
#define PA_1G		SIZE_1G		/* the first has the hole */

FIXTURE(giga) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(giga)
{
	struct tdxm_config cfg = host_config;

	cfg.max_leaf_level = 2;
	cfg.nr_pages = PAGES_1G;
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(&self->td, TEST_GPA, 2));
	self->h.arg = &self->td;
}

FIXTURE_TEARDOWN(giga)
{
	host_stop(&self->h);
}

TEST_F(giga, life)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | 2, PA_1G));
	EXPECT_EQ(262144, host_counter(h, "pamt.REG"));
	EXPECT_EQ(PT_REG, rdmd_type(h, PA_1G + 0x12345000));
	EXPECT_EQ(2, h->last.r8);
	step(TEST_GPA + 0x3ffff000, false, true);
	step(TEST_GPA + 0x12345008, true, false);
	run(td);
	EXPECT_EQ(TDXM_ACCESS_OK, steps[0].result);
	EXPECT_EQ(TDXM_ACCESS_OK, steps[1].result);
	EXPECT_NE(0, *(u64 *)tdxm_env_va(PA_1G + 0x12345008));
	EXPECT_EQ(PA_1G, td_zap(td, TEST_GPA | 2));
	EXPECT_EQ(0, host_counter(h, "pamt.REG"));
	EXPECT_EQ(0, h->findings);
}

TEST_F(giga, operands_and_pages_in_use)
{
	const u64 in_use = TDX_PAGE_METADATA_INCORRECT | R8;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	EXPECT_EQ(TDX_OPERAND_INVALID | RCX, td_aug(td, TEST_GPA | 3, PA_1G));
	EXPECT_EQ(TDX_OPERAND_INVALID | R8, td_aug(td, TEST_GPA | 2, PA_1G + SIZE_2M));
	EXPECT_EQ(TDX_OPERAND_ADDR_RANGE_ERROR | R8, td_aug(td, TEST_GPA | 2, 3 * SIZE_1G));
	EXPECT_EQ(in_use, td_aug(td, TEST_GPA | 2, 0));		/* TDR, tables, a hole */
	EXPECT_EQ(1, h->findings);
	EXPECT_EQ(td->tdr, h->finding.pa);

	/* One 2M page, then one 4K page in it. */
	ASSERT_EQ(0, td_map_tables(td, TEST_GPA + SIZE_1G));
	ASSERT_EQ(0, td_aug(td, (TEST_GPA + SIZE_1G + SIZE_2M) | L1, PA_1G + 5 * SIZE_2M));
	EXPECT_EQ(in_use, td_aug(td, TEST_GPA | 2, PA_1G));
	EXPECT_EQ(PA_1G + 5 * SIZE_2M, td_zap(td, (TEST_GPA + SIZE_1G + SIZE_2M) | L1));
	ASSERT_EQ(0, td_aug(td, TEST_GPA + SIZE_1G, PA_1G + 0x3ffff000));
	h->findings = 0;
	EXPECT_EQ(in_use, td_aug(td, TEST_GPA | 2, PA_1G));
	EXPECT_EQ(1, h->findings);
	EXPECT_EQ(PA_1G + 0x3ffff000, h->finding.pa);
	ASSERT_EQ(PA_1G + 0x3ffff000, td_zap(td, TEST_GPA + SIZE_1G));
	EXPECT_EQ(0, td_aug(td, TEST_GPA | 2, PA_1G));
	EXPECT_EQ(in_use, td_aug(td, (TEST_GPA + SIZE_1G + SIZE_2M) | L1, PA_1G + 5 * SIZE_2M));
	EXPECT_EQ(in_use, td_aug(td, TEST_GPA + SIZE_1G, PA_1G + 0x3ffff000));
}

TEST_F(giga, damage_is_found)
{
	struct test_td *td = &self->td;

	ASSERT_EQ(0, td_aug(td, TEST_GPA | 2, PA_1G));
	*(u64 *)tdxm_env_va(PA_1G + SIZE_1G - 8) ^= BIT_ULL(33);
	EXPECT_EQ(PA_1G, td_zap(td, TEST_GPA | 2));
	EXPECT_EQ(1, self->h.findings);
	EXPECT_EQ(2, self->h.finding.level);
}

/* --- as it was: 4K only --- */

TEST_F(huge, not_without_being_asked_for)
{
	const u64 bad = TDX_OPERAND_INVALID | RCX;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	host_stop(h);
	ASSERT_EQ(0, host_start(h, NULL));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables_to(td, TEST_GPA, 1));
	EXPECT_EQ(bad, td_aug(td, TEST_GPA | L1, HUGE_PA(0)));
	EXPECT_EQ(bad, td_remove(td, TEST_GPA | L1));
	EXPECT_EQ(bad, td_demote(td, TEST_GPA | L1, host_page(h)));
	EXPECT_EQ(bad, td_promote(td, TEST_GPA | L1));
	/* Tables are no huge pages: they can go. */
	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	EXPECT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_unblock(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_block_and_track(td, TEST_GPA | L1));
	EXPECT_EQ(0, td_remove_table(td, TEST_GPA | L1));
}

TEST_HARNESS_MAIN
