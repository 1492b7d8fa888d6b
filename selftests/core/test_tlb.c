// SPDX-License-Identifier: GPL-2.0
/* The guest's way to memory: private and shared TLB, walks, A/D bits, ACCEPT. */
#include "tdhost.h"
#include "kselftest_harness.h"

#define NR_STEPS	16

/* One thing that the guest does, and what came of it. */
struct step {
	u64 gpa;
	bool write, accept, insist;
	void (*before)(struct test_td *td);
	enum tdxm_access_result result;
	struct tdxm_regs regs;
};

static struct step steps[NR_STEPS];
static int nr_steps;

static u64 play(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	int i;

	for (i = 0; i < nr_steps; i++) {
		struct step *s = &steps[i];

		memset(&s->regs, 0xff, sizeof(s->regs));
		if (s->before)
			s->before(h->arg);
		s->result = s->accept ? tdxm_guest_accept(h->m, vcpu, s->gpa, &s->regs) :
					tdxm_guest_access(h->m, vcpu, s->gpa, s->write, &s->regs);
		if (s->insist && s->result == TDXM_ACCESS_PENDING)
			s->result = tdxm_guest_unaccepted(h->m, vcpu, s->gpa, s->write, &s->regs);
	}
	return 77;
}

static struct step *step(u64 gpa, bool write)
{
	struct step *s = &steps[nr_steps++];

	*s = (struct step){ .gpa = gpa, .write = write };
	return s;
}

FIXTURE(tlb) {
	struct host h;
	struct test_td td;
	u64 reg;
};

FIXTURE_SETUP(tlb)
{
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	ASSERT_EQ(0, host_start(h, NULL));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	ASSERT_EQ(0, td_map_tables(td, TEST_GPA));
	self->reg = host_page(h);
	ASSERT_EQ(0, td_aug(td, TEST_GPA, self->reg));
	shared_map(td, TEST_GPA, 0);	/* the tables above it */
	shared_map(td, TEST_GPA, EPT_SVE);
	ASSERT_EQ(0, seamcall4(h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td->eptp,
			       ~0ULL));
	h->guest = play;
	h->arg = td;
	nr_steps = 0;
}

FIXTURE_TEARDOWN(tlb)
{
	host_stop(&self->h);
}

/* Play the steps in one stay; they are forgotten by the next call of step(). */
static u64 run(struct test_td *td)
{
	u64 status = td_enter(td, 0);

	nr_steps = 0;
	return status;
}

TEST_F(tlb, private_access_needs_accept)
{
	struct step *read = step(TEST_GPA + 8, false), *accept = step(TEST_GPA, false);
	struct step *again = step(TEST_GPA, false), *write = step(TEST_GPA + 16, true);
	struct step *missing = step(GPA_4K(5) + 24, true);
	u64 *p = tdxm_env_va(self->reg), canary = p[2];

	accept->accept = true;
	again->accept = true;
	EXPECT_EQ(77, run(&self->td));
	EXPECT_EQ(TDXM_ACCESS_PENDING, read->result);
	EXPECT_EQ(TDXM_ACCESS_OK, accept->result);
	EXPECT_EQ(TDXM_ACCESS_OK, again->result);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, missing->result);
	EXPECT_EQ(EPT_QUAL_WRITE, missing->regs.rcx);
	EXPECT_EQ(0, missing->regs.rdx);
	EXPECT_EQ(GPA_4K(5), missing->regs.r8);
	EXPECT_EQ(0, missing->regs.r9);

	/* The write is there, is the guest's, and only there. */
	EXPECT_NE(canary, p[2]);
	EXPECT_EQ(canary, p[3]);
	EXPECT_EQ(SEPT_MAPPED, td_state(&self->td, TEST_GPA));
	EXPECT_EQ(1, host_counter(&self->h, "guest.accept"));
	EXPECT_EQ(1, host_counter(&self->h, "guest.ept_violation"));
	EXPECT_EQ(3, host_counter(&self->h, "guest.access"));
	ASSERT_EQ(self->reg, td_zap(&self->td, TEST_GPA));
	EXPECT_EQ(0, self->h.findings);
}

/* The TD of the fixture takes #VE; with SEPT_VE_DISABLE its host hears of it. */
TEST_F(tlb, access_before_accept)
{
	struct step *ve = step(TEST_GPA + 8, false), *out;

	ve->insist = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_PENDING, ve->result);
	EXPECT_EQ(0, host_counter(&self->h, "guest.ept_violation"));

	self->td.vcpu[0].vcpu->tdcs->attributes = TD_ATTRIBUTE_SEPT_VE_DISABLE;
	out = step(TEST_GPA + 8, true);
	out->insist = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, out->result);
	EXPECT_EQ(EPT_QUAL_WRITE, out->regs.rcx);
	EXPECT_EQ(EPT_EXT_QUAL_PENDING, out->regs.rdx);
	EXPECT_EQ(TEST_GPA, out->regs.r8);
	EXPECT_EQ(1, host_counter(&self->h, "guest.ept_violation"));
	EXPECT_EQ(SEPT_PENDING, td_state(&self->td, TEST_GPA));
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(tlb, accept_of_what_is_not_pending)
{
	struct step *missing = step(GPA_4K(1), false), *blocked;

	missing->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, missing->result);
	EXPECT_EQ(GPA_4K(1), missing->regs.r8);
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA));
	blocked = step(TEST_GPA, false);
	blocked->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, blocked->result);
	EXPECT_EQ(SEPT_PENDING_BLOCKED, td_state(&self->td, TEST_GPA));
}

TEST_F(tlb, accept_stands_back_for_the_host)
{
	u64 *entry = td_entry(&self->td, TEST_GPA, 0);
	struct step *s = step(TEST_GPA, false);

	s->accept = true;
	*entry |= SEPT_TDHP;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_BUSY, s->result);
	*entry ^= SEPT_TDHP | SEPT_TDEL;
	s = step(TEST_GPA, false);
	s->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_BUSY, s->result);
	EXPECT_EQ(SEPT_PENDING, td_state(&self->td, TEST_GPA));
}

static void host_blocks(struct test_td *td)
{
	td_block(td, TEST_GPA);
}

static void host_blocks_and_tracks(struct test_td *td)
{
	td_block(td, TEST_GPA);
	td_track(td);
}

/* A cached translation works until the epoch is over, then it is flushed. */
TEST_F(tlb, private_translations_live_until_the_next_epoch)
{
	struct step *accept = step(TEST_GPA, false), *write = step(TEST_GPA, true);
	struct step *cached = step(TEST_GPA, true), *after;
	u64 hits;

	accept->accept = true;
	cached->before = host_blocks_and_tracks;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	EXPECT_EQ(TDXM_ACCESS_OK, cached->result);
	hits = host_counter(&self->h, "guest.tlb_hit");
	EXPECT_EQ(1, hits);
	after = step(TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, after->result);
	EXPECT_EQ(hits, host_counter(&self->h, "guest.tlb_hit"));
	EXPECT_EQ(0, td_remove(&self->td, TEST_GPA));
	EXPECT_EQ(0, self->h.findings);
}

/* Without a new epoch even a new entry may use it: that is why TRACK exists. */
TEST_F(tlb, blocking_alone_does_not_flush)
{
	struct step *accept = step(TEST_GPA, false), *write = step(TEST_GPA, true), *s;

	accept->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	s = step(TEST_GPA, true);
	s->before = host_blocks;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);
}

TEST_F(tlb, a_flush_by_the_host_empties_it)
{
	struct step *accept = step(TEST_GPA, false), *write = step(TEST_GPA, true), *s;

	accept->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA));
	ASSERT_EQ(0, seamcall(&self->h, TDH_VP_FLUSH, self->td.vcpu[0].tdvpr, 0, 0));
	s = step(TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, s->result);
}

/* The page behind a cached translation changes hands: found, reported, not used. */
TEST_F(tlb, a_stale_private_hit_is_found)
{
	struct step *accept = step(TEST_GPA, false), *write = step(TEST_GPA, true), *s;
	struct pamt_entry *p = tdxm_pamt(self->h.m, self->reg);
	u64 *page = tdxm_env_va(self->reg);

	accept->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	/* As if the module had let it go: free, then another life of the same page. */
	p->type = PAMT_GENERATION(p->type) << 8 | PT_NDA;
	memset(page, 0x5a, PAGE_SIZE);
	s = step(TEST_GPA, true);
	ASSERT_EQ(0, td_block(&self->td, TEST_GPA));
	run(&self->td);
	EXPECT_EQ(1, self->h.findings);
	EXPECT_STREQ("L1", self->h.finding_id);
	EXPECT_EQ(self->reg, self->h.finding.pa);
	EXPECT_EQ(TEST_GPA, self->h.finding.gpa);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, s->result);
	EXPECT_EQ(0x5a5a5a5a5a5a5a5aULL, page[0]);
}

TEST_F(tlb, a_later_life_of_the_page_is_stale_too)
{
	struct step *accept = step(TEST_GPA, false), *write = step(TEST_GPA, true);
	struct pamt_entry *p = tdxm_pamt(self->h.m, self->reg);

	accept->accept = true;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, write->result);
	p->type += 1 << 8;
	step(TEST_GPA, true);
	run(&self->td);
	EXPECT_STREQ("L1", self->h.finding_id);
}

/* --- shared memory --- */

TEST_F(tlb, shared_violation_and_mmio)
{
	struct step *read = step(SHARED_BIT | TEST_GPA, false);
	struct step *write = step(SHARED_BIT | TEST_GPA | 0x123, true), *ve;

	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, read->result);
	EXPECT_EQ(EPT_QUAL_READ, read->regs.rcx);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, write->result);
	EXPECT_EQ(EPT_QUAL_WRITE, write->regs.rcx);
	EXPECT_EQ(SHARED_BIT | TEST_GPA, write->regs.r8);

	shared_map(&self->td, TEST_GPA, 0);	/* KVM's MMIO SPTE lets the guest see #VE */
	ve = step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_VE, ve->result);
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(tlb, accessed_and_dirty_bits)
{
	u64 pa = host_page(&self->h), *spte, *page = tdxm_env_va(pa);
	struct step *s;

	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	spte = shared_spte(&self->td, TEST_GPA);
	s = step(SHARED_BIT | TEST_GPA, false);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);
	EXPECT_EQ(pa | EPT_RWX | EPT_SVE | EPT_A, *spte);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, page[1]);
	/* Table entries are accessed too, never dirty. */
	EXPECT_EQ(EPT_A, ((u64 *)tdxm_env_va(self->td.eptp))[256] & (EPT_A | EPT_D));

	/* The first write through the cached translation sets D. */
	s = step(SHARED_BIT | TEST_GPA | 8, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);
	EXPECT_EQ(EPT_A | EPT_D, *spte & (EPT_A | EPT_D));
	EXPECT_NE(0xa5a5a5a5a5a5a5a5ULL, page[1]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, page[2]);

	/* Cached as dirty: a cleared D is not set again before a flush. */
	*spte &= ~EPT_D;
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(0, *spte & EPT_D);
	tdxm_invept(self->h.m, 0);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(EPT_D, *spte & EPT_D);
}

TEST_F(tlb, write_protection)
{
	u64 pa = host_page(&self->h);
	struct step *read, *write;

	shared_map(&self->td, TEST_GPA, pa | EPT_R | EPT_X | EPT_SVE);
	read = step(SHARED_BIT | TEST_GPA, false);
	write = step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, read->result);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, write->result);
	EXPECT_EQ(EPT_QUAL_WRITE | (EPT_R | EPT_X) << EPT_QUAL_PROT_SHIFT, write->regs.rcx);
	EXPECT_EQ(0, *shared_spte(&self->td, TEST_GPA) & EPT_D);

	/* A table that may not be written through protects what is below it. */
	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	((u64 *)tdxm_env_va(self->td.eptp))[256] &= ~EPT_W;
	tdxm_invept(self->h.m, 0);
	write = step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, write->result);
	EXPECT_EQ(0, *shared_spte(&self->td, TEST_GPA) & EPT_D);

	/* Also where a read has cached the translation of a dirty page. */
	*shared_spte(&self->td, TEST_GPA) |= EPT_D;
	read = step(SHARED_BIT | TEST_GPA, false);
	write = step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, read->result);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, write->result);
}

TEST_F(tlb, a_huge_shared_page)
{
	u64 *entry, table = self->td.eptp, base = 0x400000;
	struct step *s;
	int level;

	for (level = 3; level > 1; level--) {
		entry = (u64 *)tdxm_env_va(table) +
			((SHARED_BIT | TEST_GPA) >> (PAGE_SHIFT + 9 * level) & 511);
		table = *entry & EPT_HPA;
	}
	entry = (u64 *)tdxm_env_va(table) + (TEST_GPA >> 21 & 511);
	*entry = base | EPT_RWX | EPT_PS | EPT_SVE;
	s = step(SHARED_BIT | (TEST_GPA + 0x5018), true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);
	EXPECT_EQ(EPT_A | EPT_D, *entry & (EPT_A | EPT_D));
	EXPECT_NE(0, *(u64 *)tdxm_env_va(base + 0x5018));
	EXPECT_EQ(0, *(u64 *)tdxm_env_va(base + 0x5010));
}

static void remap(struct test_td *td)
{
	shared_map(td, TEST_GPA, host_page(td->h) | EPT_RWX | EPT_SVE);
}

static void remap_and_invept(struct test_td *td)
{
	remap(td);
	tdxm_invept(td->h->m, 0);
}

/* The shared TLB is flushed by INVEPT on the vCPU's processor and by nothing else. */
TEST_F(tlb, shared_translations_live_until_invept)
{
	u64 pa = host_page(&self->h), *page = tdxm_env_va(pa), first, second;
	struct step *s;

	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	s = step(SHARED_BIT | TEST_GPA, true);
	s->before = remap;
	run(&self->td);
	first = page[0];
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);

	/* TRACK and INVEPT elsewhere do not help. */
	ASSERT_EQ(0, td_track(&self->td));
	tdxm_invept(self->h.m, 1);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	second = page[0];
	EXPECT_NE(first, second);

	s = step(SHARED_BIT | TEST_GPA, true);
	s->before = remap_and_invept;
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, s->result);
	EXPECT_EQ(second, page[0]);
	EXPECT_EQ(0, self->h.findings);
}

static void give_back(struct test_td *td)
{
	shared_map(td, TEST_GPA, EPT_SVE);
	tdxm_shared_given_back(td->h->m, td->tdr, TEST_GPA, PAGE_SIZE);
}

TEST_F(tlb, a_stale_shared_hit_is_found)
{
	u64 pa = host_page(&self->h), *page = tdxm_env_va(pa), before;
	struct step *s;

	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	before = page[0];
	s = step(SHARED_BIT | TEST_GPA, true);
	s->before = give_back;
	run(&self->td);
	EXPECT_EQ(1, self->h.findings);
	EXPECT_STREQ("L1", self->h.finding_id);
	EXPECT_EQ(pa, self->h.finding.pa);
	EXPECT_EQ(before, page[0]);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, s->result);
}

TEST_F(tlb, given_back_and_flushed_is_fine)
{
	u64 pa = host_page(&self->h);
	struct step *s;

	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	tdxm_invept(self->h.m, 0);
	give_back(&self->td);
	s = step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(0, self->h.findings);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, s->result);
}

/* Only the range that was given back is dead; SHARED bit or not. */
TEST_F(tlb, given_back_is_exact)
{
	struct host *h = &self->h;
	u64 tdr = self->td.tdr;
	int i;

	for (i = 0; i < 4; i++)
		shared_map(&self->td, GPA_4K(i), host_page(h) | EPT_RWX | EPT_SVE);
	for (i = 0; i < 4; i++)
		step(SHARED_BIT | GPA_4K(i), true);
	run(&self->td);
	tdxm_shared_given_back(h->m, tdr, SHARED_BIT | GPA_4K(1), 2 * PAGE_SIZE);
	tdxm_shared_given_back(h->m, self->td.tdcx[0], TEST_GPA, 16 * PAGE_SIZE);
	step(SHARED_BIT | GPA_4K(0), true);
	step(SHARED_BIT | GPA_4K(3), true);
	run(&self->td);
	EXPECT_EQ(0, h->findings);
	step(SHARED_BIT | GPA_4K(1), true);
	step(SHARED_BIT | GPA_4K(2), true);
	run(&self->td);
	EXPECT_EQ(2, h->findings);
}

TEST_F(tlb, a_volatile_shared_tlb_is_never_stale)
{
	struct tdxm_config cfg = host_config;
	struct test_td *td = &self->td;
	struct host *h = &self->h;

	host_stop(h);
	cfg.shared_tlb_volatile = true;
	ASSERT_EQ(0, host_start(h, &cfg));
	ASSERT_EQ(0, td_start(h, td, HOST_KEYID, STAGE_RUNNABLE, 1));
	shared_map(td, TEST_GPA, host_page(h) | EPT_RWX | EPT_SVE);
	ASSERT_EQ(0, seamcall4(h, TDH_VP_WR, td->vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td->eptp,
			       ~0ULL));
	h->guest = play;
	h->arg = td;
	step(SHARED_BIT | TEST_GPA, true);
	run(td);
	give_back(td);
	step(SHARED_BIT | TEST_GPA, true);
	run(td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, steps[0].result);
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(0, host_counter(h, "guest.tlb_hit"));
}

TEST_F(tlb, a_shared_mapping_of_a_private_page_is_found)
{
	u64 *page = tdxm_env_va(self->reg), before = page[0];

	shared_map(&self->td, TEST_GPA, self->reg | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_STREQ("H1", self->h.finding_id);
	EXPECT_EQ(1, host_counter(&self->h, "violation.H1"));
	EXPECT_EQ(before, page[0]);
}

/* Cached as shared, then handed to the TD: the translation should be gone. */
TEST_F(tlb, a_shared_page_that_became_private_is_stale)
{
	u64 pa = host_page(&self->h);

	shared_map(&self->td, TEST_GPA, pa | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	shared_map(&self->td, TEST_GPA, EPT_SVE);
	ASSERT_EQ(0, td_aug(&self->td, GPA_4K(1), pa));
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_STREQ("L1", self->h.finding_id);
}

TEST_F(tlb, a_misconfigured_shared_entry_is_found)
{
	shared_map(&self->td, TEST_GPA, host_page(&self->h) | EPT_W | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_STREQ("T1", self->h.finding_id);
}

TEST_F(tlb, a_shared_mapping_of_mmio_is_not_touched)
{
	u64 *word = tdxm_env_va((u64)HOST_HOLE << PAGE_SHIFT);

	shared_map(&self->td, TEST_GPA, (u64)HOST_HOLE << PAGE_SHIFT | EPT_RWX | EPT_SVE);
	shared_map(&self->td, GPA_4K(1), (u64)HOST_PAGES << PAGE_SHIFT | EPT_RWX | EPT_SVE);
	step(SHARED_BIT | TEST_GPA, true);
	step(SHARED_BIT | GPA_4K(1), true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_OK, steps[0].result);
	EXPECT_EQ(TDXM_ACCESS_OK, steps[1].result);
	EXPECT_EQ(0, *word);
	EXPECT_EQ(0, self->h.findings);
}

TEST_F(tlb, a_wild_shared_root_is_an_ept_violation)
{
	self->td.vcpu[0].vcpu->shared_eptp = (u64)HOST_PAGES << PAGE_SHIFT;
	step(SHARED_BIT | TEST_GPA, true);
	run(&self->td);
	EXPECT_EQ(TDXM_ACCESS_EPT_VIOLATION, steps[0].result);
}

TEST_HARNESS_MAIN
