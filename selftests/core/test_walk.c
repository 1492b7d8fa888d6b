// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of KVM's shared tables in both formats: presence, permissions, MMIO,
 * accessed and dirty bits and who is told of them, huge pages. Each test runs on
 * EPT and on NPT.
 */
#include "tdhost.h"
#include "kselftest_harness.h"

#define GPA		(SHARED_BIT | TEST_GPA)

/* One access, and what came of it. */
struct step {
	u64 gpa;
	bool write;
	enum tdxm_access_result result;
	struct tdxm_regs regs;
};

static struct step step;

static u64 play(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	memset(&step.regs, 0xff, sizeof(step.regs));
	step.result = tdxm_guest_access(h->m, vcpu, step.gpa, step.write, &step.regs);
	return 77;
}

FIXTURE(walk) {
	struct host h;
	struct test_td td;
};

/* A format: what makes an entry readable, writable and so on. */
FIXTURE_VARIANT(walk) {
	u32 format;
	u64 r, w, x, a, d;	/* @x: executable, @nx: not */
	u64 nx;
	u64 none, frozen, mmio;	/* entries that map nothing */
	u64 table;		/* bits of an entry that links a table */
};

FIXTURE_VARIANT_ADD(walk, ept)
{
	.format = TDXM_SHARED_EPT,
	.r = EPT_R | EPT_SVE, .w = EPT_W, .x = EPT_X, .a = BIT_ULL(8), .d = BIT_ULL(9),
	.none = EPT_SVE, .frozen = EPT_SVE | 0x5a0, .mmio = 0x123000,
	.table = EPT_RWX | EPT_SVE,
};

FIXTURE_VARIANT_ADD(walk, npt)
{
	.format = TDXM_SHARED_NPT,
	.r = BIT_ULL(0) | BIT_ULL(2), .w = BIT_ULL(1), .nx = BIT_ULL(63),
	.a = BIT_ULL(5), .d = BIT_ULL(6),
	.none = BIT_ULL(63), .frozen = BIT_ULL(63) | 0x5a0,
	.mmio = BIT_ULL(51) | 0x123000 | BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2),
	.table = 7,
};

FIXTURE_SETUP(walk)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	cfg.shared_format = variant->format;
	ASSERT_EQ(0, host_start(h, &cfg));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	td->npt = variant->format == TDXM_SHARED_NPT;
	shared_map(td, TEST_GPA, variant->none);
	ASSERT_EQ(0, seamcall4(h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td->eptp,
			       ~0ULL));
	h->guest = play;
}

FIXTURE_TEARDOWN(walk)
{
	host_stop(&self->h);
}

/* One access with a TLB that is @fresh. */
static enum tdxm_access_result go(struct test_td *td, u64 gpa, bool write, bool fresh)
{
	if (fresh)
		tdxm_invept(td->h->m, 0);
	step.gpa = gpa;
	step.write = write;
	td_enter(td, 0);
	return step.result;
}

TEST_F(walk, what_is_not_there)
{
	struct test_td *td = &self->td;
	u64 *spte = shared_spte(td, TEST_GPA);

	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA | 0x18, false, true));
	EXPECT_EQ(EPT_QUAL_READ, step.regs.rcx);
	EXPECT_EQ(0, step.regs.rdx);
	EXPECT_EQ(GPA, step.regs.r8);
	EXPECT_EQ(0, step.regs.r9);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, true));
	EXPECT_EQ(EPT_QUAL_WRITE, step.regs.rcx);
	*spte = variant->frozen;
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, true));
	EXPECT_EQ(variant->frozen, *spte);
	*spte = variant->mmio;
	EXPECT_EQ(TDXM_ACCESS_VE, go(td, GPA, true, true));
	EXPECT_EQ(variant->mmio, *spte);
	EXPECT_EQ(0, self->h.dirtied);
	EXPECT_EQ(0, self->h.findings);
	EXPECT_EQ(3, host_counter(&self->h, "guest.ept_violation"));
}

/* A read sets A, the first write D, and whoever asked is told of D once. */
TEST_F(walk, accessed_and_dirty)
{
	u64 pa = host_page(&self->h), clean = pa | variant->r | variant->w | variant->x;
	u64 *spte = shared_spte(&self->td, TEST_GPA);
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	*spte = clean;
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, false, true));
	EXPECT_EQ(clean | variant->a, *spte);
	EXPECT_EQ(variant->table | variant->a, *shared_entry(td, TEST_GPA, 3) & ~EPT_HPA);
	EXPECT_EQ(variant->table | variant->a, *shared_entry(td, TEST_GPA, 1) & ~EPT_HPA);
	EXPECT_EQ(0, h->dirtied);

	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA | 8, true, false));
	EXPECT_EQ(clean | variant->a | variant->d, *spte);
	EXPECT_EQ(variant->table | variant->a, *shared_entry(td, TEST_GPA, 1) & ~EPT_HPA);
	EXPECT_EQ(1, h->dirtied);
	EXPECT_EQ(GPA | 8, h->dirtied_gpa);
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, ((u64 *)tdxm_env_va(pa))[1]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, ((u64 *)tdxm_env_va(pa))[2]);

	/* Cached as dirty, and dirty in the table: nothing new. */
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, false));
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, true));
	EXPECT_EQ(1, h->dirtied);
	/* Cleared, not flushed: the CPU does not look. Flushed: it sets D again. */
	*spte = clean;
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, false));
	EXPECT_EQ(clean, *spte);
	EXPECT_EQ(1, h->dirtied);
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, true));
	EXPECT_EQ(clean | variant->a | variant->d, *spte);
	EXPECT_EQ(2, h->dirtied);
	EXPECT_EQ(0, h->findings);
}

TEST_F(walk, write_protection)
{
	u64 pa = host_page(&self->h), *spte = shared_spte(&self->td, TEST_GPA);
	u64 *above = shared_entry(&self->td, TEST_GPA, 2);
	struct test_td *td = &self->td;

	*spte = pa | variant->r | variant->x;
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, false, true));
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, false));
	EXPECT_EQ(EPT_QUAL_WRITE | (EPT_R | EPT_X) << EPT_QUAL_PROT_SHIFT, step.regs.rcx);
	EXPECT_EQ(pa | variant->r | variant->x | variant->a, *spte);
	*spte = pa | variant->r | variant->nx;
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, true));
	EXPECT_EQ(EPT_QUAL_WRITE | EPT_R << EPT_QUAL_PROT_SHIFT, step.regs.rcx);

	/* A table that may not be written through protects what is below it. */
	*spte = pa | variant->r | variant->w | variant->x;
	*above &= ~variant->w;
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, true));
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, false, true));
	EXPECT_EQ(0, *spte & variant->d);
	EXPECT_EQ(0, self->h.dirtied);
	EXPECT_EQ(0, self->h.findings);
}

/* 2M and 1G: the right page, A and D in the leaf, and the bit that makes it one. */
TEST_F(walk, huge_pages)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;
	int level;

	for (level = 1; level <= 2; level++) {
		u64 gpa = TEST_GPA + level * 4 * SIZE_1G, base = (level == 1) * 0x400000;
		u64 leaf = base | variant->r | variant->w | variant->x | EPT_PS;
		u64 *entry = shared_entry(td, gpa, level);
		u64 *word = tdxm_env_va(base + 0x105018);

		*word = 0;
		*entry = leaf;
		EXPECT_EQ(TDXM_ACCESS_OK, go(td, SHARED_BIT | (gpa + 0x105018), true, true));
		EXPECT_EQ(leaf | variant->a | variant->d, *entry);
		EXPECT_NE(0, *word);
		EXPECT_EQ(level, h->dirtied);
		/* Another page of it is dirty already. */
		EXPECT_EQ(TDXM_ACCESS_OK, go(td, SHARED_BIT | (gpa + 0x106000), true, true));
		EXPECT_EQ(level, h->dirtied);
	}
	EXPECT_EQ(0, h->findings);
}

/* Flags of a huge leaf that is in no table of that size mean nothing. */
TEST_F(walk, page_size_bit_of_a_4k_entry)
{
	u64 pa = host_page(&self->h), *spte = shared_spte(&self->td, TEST_GPA);

	*spte = pa | variant->r | variant->w | EPT_PS;
	EXPECT_EQ(TDXM_ACCESS_OK, go(&self->td, GPA | 16, true, true));
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, ((u64 *)tdxm_env_va(pa))[2]);
}

TEST_F(walk, stale_after_it_was_given_back)
{
	u64 *spte = shared_spte(&self->td, TEST_GPA);
	struct test_td *td = &self->td;

	*spte = host_page(&self->h) | variant->r | variant->w;
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, true));
	*spte = variant->none;
	tdxm_shared_given_back(self->h.m, td->tdr, TEST_GPA, PAGE_SIZE);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, false));
	EXPECT_STREQ("L1", self->h.finding_id);
}

FIXTURE(npt) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(npt)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td;

	cfg.shared_format = TDXM_SHARED_NPT;
	ASSERT_EQ(0, host_start(&self->h, &cfg));
	ASSERT_EQ(0, td_start(&self->h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	td->npt = true;
	shared_map(td, TEST_GPA, 0);
	ASSERT_EQ(0, seamcall4(&self->h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP,
			       td->eptp, ~0ULL));
	self->h.guest = play;
}

FIXTURE_TEARDOWN(npt)
{
	host_stop(&self->h);
}

TEST_F(npt, presence_is_bit_0_and_access_is_the_users)
{
	u64 pa = host_page(&self->h), *spte = shared_spte(&self->td, TEST_GPA);
	struct test_td *td = &self->td;

	*spte = pa | NPT_W | NPT_U | NPT_A | NPT_D;
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, false, true));
	EXPECT_EQ(EPT_QUAL_READ, step.regs.rcx);
	*spte = pa | NPT_P | NPT_W;
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, false, true));
	EXPECT_EQ(pa | NPT_P | NPT_W, *spte);
	/* All address bits below phys_bits are addresses: beyond the PAMT is no RAM. */
	*spte = BIT_ULL(HOST_PHYS_BITS - 1) | NPT_P | NPT_W | NPT_U;
	EXPECT_EQ(TDXM_ACCESS_OK, go(td, GPA, true, true));
	*spte = BIT_ULL(HOST_PHYS_BITS) | NPT_P | NPT_W | NPT_U;
	EXPECT_EQ(TDXM_ACCESS_VE, go(td, GPA, true, true));
	*spte = BIT_ULL(HOST_PHYS_BITS);	/* not present: reserved bits do not count */
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, go(td, GPA, true, true));
	EXPECT_EQ(0, self->h.findings);
}

/* A host whose addresses are shorter than 48 bits has the SHARED bit lower. */
TEST(a_lower_shared_bit)
{
	const u64 shared_bit = BIT_ULL(39);
	struct tdxm_config cfg = host_config;
	struct test_td td;
	struct host h;
	u64 *root;

	cfg.shared_bit = shared_bit;
	ASSERT_EQ(0, host_start(&h, &cfg));
	ASSERT_EQ(0, td_start(&h, &td, HOST_KEYID, STAGE_RUNNABLE, 1));
	EXPECT_EQ(shared_bit, tdxm_vcpu_shared_bit(td.vcpu[0].vcpu));
	shared_map(&td, TEST_GPA, EPT_SVE);
	/* The test's own walk puts bit 47 in: the same tables at bit 39. */
	root = tdxm_env_va(td.eptp);
	root[shared_bit >> 39] = root[SHARED_BIT >> 39];
	*shared_spte(&td, TEST_GPA) = host_page(&h) | EPT_RWX | EPT_SVE;
	ASSERT_EQ(0, seamcall4(&h, TDH_VP_WR, td.vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td.eptp,
			       ~0ULL));
	h.guest = play;
	EXPECT_EQ(TDXM_ACCESS_OK, go(&td, shared_bit | TEST_GPA, true, true));
	EXPECT_EQ(shared_bit | TEST_GPA, h.dirtied_gpa);
	/* Nothing at or above it is private. */
	ASSERT_EQ(0, td_map_tables(&td, TEST_GPA));
	EXPECT_EQ(TDX_OPERAND_INVALID | TDX_OPERAND_ID_RCX,
		  td_aug(&td, shared_bit | TEST_GPA, host_page(&h)));
	EXPECT_EQ(0, td_aug(&td, TEST_GPA, host_page(&h)));
	host_stop(&h);
}

TEST_HARNESS_MAIN
