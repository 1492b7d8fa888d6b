// SPDX-License-Identifier: GPL-2.0
/* Counters: names, order, unknown leaves, more status codes than there is room for. */
#include "tdhost.h"
#include "kselftest_harness.h"

FIXTURE(stats) {
	struct host h;
	struct test_td td;
};

FIXTURE_SETUP(stats)
{
	ASSERT_EQ(0, host_start(&self->h, NULL));
	ASSERT_EQ(0, td_start(&self->h, &self->td, HOST_KEYID, STAGE_RUNNABLE, 1));
}

FIXTURE_TEARDOWN(stats)
{
	host_stop(&self->h);
}

TEST_F(stats, unknown_leaves_are_counted)
{
	const u64 bad = TDX_OPERAND_INVALID | TDX_OPERAND_ID_RAX;
	struct host *h = &self->h;

	EXPECT_EQ(bad, seamcall(h, 5, 1, 2, 3));	/* PAGE.RELOCATE */
	EXPECT_EQ(bad, seamcall(h, 12, 1, 2, 3));	/* MEM.RD */
	EXPECT_EQ(bad, seamcall(h, 0xffff, 1, 2, 3));
	EXPECT_EQ(bad, seamcall(h, ~0ULL, 1, 2, 3));
	EXPECT_EQ(1, h->last.rcx);
	EXPECT_EQ(4, host_counter(h, "leaf.unknown.calls"));
	EXPECT_EQ(4, host_counter(h, "leaf.unknown.error"));
	EXPECT_EQ(4, host_counter(h, "status.c000010000000000"));
}

TEST_F(stats, leaves_and_statuses)
{
	struct host *h = &self->h;
	int i;

	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, td_track(&self->td));
	EXPECT_NE(0, td_block(&self->td, TEST_GPA));
	EXPECT_EQ(5, host_counter(h, "leaf.TDH.MEM.TRACK.calls"));
	EXPECT_EQ(0, host_counter(h, "leaf.TDH.MEM.TRACK.error"));
	EXPECT_EQ(1, host_counter(h, "leaf.TDH.MEM.RANGE.BLOCK.error"));
	EXPECT_EQ(1, host_counter(h, "status.c0000b0000000001"));
	EXPECT_EQ(77, td_enter(&self->td, 0));
	EXPECT_EQ(1, host_counter(h, "status.000000000000004d"));
	EXPECT_EQ(0, host_counter(h, "leaf.TDH.VP.ENTER.error"));
}

struct list {
	char names[512][48];
	u64 values[512];
	int n;
};

static void note(void *ctx, const char *name, u64 value)
{
	struct list *l = ctx;

	snprintf(l->names[l->n], sizeof(l->names[0]), "%s", name);
	l->values[l->n++] = value;
}

TEST_F(stats, order_is_stable_and_names_are_words)
{
	struct list *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));
	static const char wanted[][40] = {
		"leaf.TDH.MEM.PAGE.AUG.calls", "leaf.TDH.VP.ENTER.busy",
		"leaf.TDH.MEM.TRACK.injected", "leaf.TDH.MEM.PAGE.REMOVE.error",
		"leaf.TDH.MEM.PAGE.DEMOTE.calls", "leaf.TDH.MEM.PAGE.PROMOTE.calls",
		"leaf.TDH.MEM.SEPT.REMOVE.busy", "leaf.TDH.MEM.RANGE.UNBLOCK.error",
		"lock.TDR.tries", "lock.SEPT_ENTRY.busy", "pamt.REG", "pamt.EPT", "td.live",
		"vcpu.live", "guest.access", "guest.tlb_hit", "guest.accept",
		"guest.ept_violation", "guest.tlb_flush", "guest.zero_step", "violation.L1",
		"violation.X1", "violation.X2", "mem.bytes",
	};
	size_t w;
	int i, j;

	tdxm_for_each_counter(self->h.m, note, a);
	tdxm_for_each_counter(self->h.m, note, b);
	ASSERT_EQ(a->n, b->n);
	for (i = 0; i < a->n; i++) {
		EXPECT_STREQ(a->names[i], b->names[i]);
		EXPECT_EQ(a->values[i], b->values[i]);
		EXPECT_EQ(NULL, strchr(a->names[i], ' '));
		for (j = 0; j < i; j++)
			EXPECT_NE(0, strcmp(a->names[i], a->names[j]));
	}
	for (w = 0; w < ARRAY_SIZE(wanted); w++)
		EXPECT_NE(~0ULL, host_counter(&self->h, wanted[w]))
			TH_LOG("no %s", wanted[w]);
	free(a);
	free(b);
}

TEST_F(stats, more_statuses_than_room)
{
	struct host *h = &self->h;
	u64 other;
	u32 i;

	for (i = 1; i <= 2 * TDXM_NR_STATUSES; i++) {
		ASSERT_EQ(0, tdxm_inject(h->m, TDH_MNG_RD, TDX_OPERAND_INVALID | (i << 8),
					 TDXM_INJECT_ONCE, 1));
		seamcall(h, TDH_MNG_RD, self->td.tdr, 0, 0);
	}
	other = host_counter(h, "status.other");
	EXPECT_GE(other, TDXM_NR_STATUSES);
	EXPECT_LT(other, 2 * TDXM_NR_STATUSES);
	EXPECT_EQ(2 * TDXM_NR_STATUSES, host_counter(h, "leaf.TDH.MNG.RD.calls"));
}

struct seen {
	struct tdxm_td_info td[4];
	struct tdxm_vcpu_info vcpu[4];
	int tds, vcpus;
};

static void see_td(void *ctx, const struct tdxm_td_info *td)
{
	struct seen *seen = ctx;

	seen->td[seen->tds++] = *td;
}

static void see_vcpu(void *ctx, const struct tdxm_vcpu_info *vcpu)
{
	struct seen *seen = ctx;

	seen->vcpu[seen->vcpus++] = *vcpu;
}

TEST_F(stats, what_lives_is_listed)
{
	struct host *h = &self->h;
	struct seen seen = {}, none = {};
	struct test_td young;

	ASSERT_EQ(0, td_start(h, &young, HOST_KEYID + 1, STAGE_KEYED, 0));
	ASSERT_EQ(0, td_track(&self->td));
	tdxm_list_tds(h->m, see_td, see_vcpu, &seen);
	ASSERT_EQ(2, seen.tds);
	ASSERT_EQ(1, seen.vcpus);
	EXPECT_EQ(self->td.tdr, seen.td[0].tdr);
	EXPECT_EQ(HOST_KEYID, seen.td[0].hkid);
	EXPECT_EQ(HOST_TDCS_PAGES + HOST_TDVPS_PAGES, seen.td[0].pages);
	EXPECT_STREQ("keys_configured", seen.td[0].lifecycle);
	EXPECT_STREQ("runnable", seen.td[0].op_state);
	EXPECT_EQ(2, seen.td[0].epoch);
	EXPECT_EQ(0, seen.td[0].inside);
	EXPECT_EQ(1, seen.td[0].vcpus);
	EXPECT_EQ(young.tdr, seen.td[1].tdr);
	EXPECT_STREQ("uninitialized", seen.td[1].op_state);
	EXPECT_EQ(0, seen.td[1].pages);
	EXPECT_EQ(self->td.vcpu[0].tdvpr, seen.vcpu[0].tdvpr);
	EXPECT_EQ(0, seen.vcpu[0].lp);
	ASSERT_EQ(0, seamcall(h, TDH_VP_FLUSH, self->td.vcpu[0].tdvpr, 0, 0));
	seen = none;
	tdxm_list_tds(h->m, see_td, see_vcpu, &seen);
	EXPECT_EQ(-1, seen.vcpu[0].lp);
	ASSERT_EQ(0, td_stop(&self->td));
	ASSERT_EQ(0, td_stop(&young));
	seen = none;
	tdxm_list_tds(h->m, see_td, see_vcpu, &seen);
	EXPECT_EQ(0, seen.tds + seen.vcpus);
}

struct pages {
	struct host *h;
	u64 total;
	int types;
	int wrong;
};

static void add_pages(void *ctx, const char *type, u64 pages)
{
	struct pages *p = ctx;
	char name[32];

	snprintf(name, sizeof(name), "pamt.%s", type);
	p->wrong += !pages || host_counter(p->h, name) != pages;
	p->total += pages;
	p->types++;
}

TEST_F(stats, pages_of_tds_by_type)
{
	struct pages p = { &self->h }, none = { &self->h };

	tdxm_for_each_page_type(self->h.m, add_pages, &p);
	EXPECT_EQ(0, p.wrong);
	/* TDR, and the S-EPT's root among the TD's own */
	EXPECT_GE(p.total, HOST_TDCS_PAGES + HOST_TDVPS_PAGES + 1);
	EXPECT_GE(p.types, 3);
	ASSERT_EQ(0, td_stop(&self->td));
	tdxm_for_each_page_type(self->h.m, add_pages, &none);
	EXPECT_EQ(0, none.types);
}

TEST_HARNESS_MAIN
