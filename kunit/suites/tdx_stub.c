// SPDX-License-Identifier: GPL-2.0
/*
 * Suite tdx_stub: the emulated TDX module by itself, as its ABI describes it. Which
 * leaf may do what to an S-EPT entry of which state, who owns which page, locks and
 * host priority, TLB tracking, the order of teardown, and every status there is.
 * Knows no KVM: tdhost.h plays the host.
 */
#include <kunit/test.h>

#include "../../tdp_stress/core/tests/tdhost.h"

#define RAX	TDX_OPERAND_ID_RAX
#define RCX	TDX_OPERAND_ID_RCX
#define RDX	TDX_OPERAND_ID_RDX
#define R8	TDX_OPERAND_ID_R8
#define R9	TDX_OPERAND_ID_R9

#define GPA_2M(i)	(TEST_GPA + (u64)(i) * SIZE_2M)
#define LEFT		77	/* the guest has left TDH.VP.ENTER by itself */

/* --- the machine: one for the suite, whose TDs all go at the end of a case --- */

static struct host host;
static struct test_td td;

static int start_machine(void)
{
	struct tdxm_config cfg = host_config;

	cfg.max_leaf_level = 1;
	return host_start(&host, &cfg);
}

static int stub_suite_init(struct kunit_suite *suite)
{
	return start_machine();
}

static void stub_suite_exit(struct kunit_suite *suite)
{
	if (host.m)
		host_stop(&host);
	host.m = NULL;
}

static int stub_init(struct kunit *test)
{
	memset(&td, 0, sizeof(td));
	td.h = &host;
	if (!host.m)
		return -ENOMEM;
	machine_set_lp(0);
	return 0;
}

/* Nothing is locked, no finding was left unseen, and all pages come back. */
static void stub_exit(struct kunit *test)
{
	if (!host.m)
		return;
	machine_set_lp(0);
	KUNIT_EXPECT_EQ_MSG(test, host_locked(&host), 0, "locks still held");
	KUNIT_EXPECT_EQ_MSG(test, host.findings, 0, "%s: %s", host.finding_id,
			    host.finding.what);
	host.m->sys_down = 0;
	if (host_sweep(&host)) {
		KUNIT_FAIL(test, "%llu pages cannot be taken back", tdxm_pages_in_use(host.m));
		stub_suite_exit(NULL);
		start_machine();
		return;
	}
	host_reset(&host);
}

#define EXPECT_STATUS(test, call, want, fmt, ...)						\
do {												\
	u64 __got = (call), __want = (want);							\
												\
	KUNIT_EXPECT_EQ_MSG(test, __got, __want, fmt ": status 0x%016llx, not 0x%016llx",	\
			    ##__VA_ARGS__, __got, __want);					\
} while (0)

#define OK(test, call)							\
do {									\
	u64 __ok = (call);						\
									\
	KUNIT_ASSERT_EQ_MSG(test, __ok, 0, #call ": 0x%016llx", __ok);	\
} while (0)

/* A finding that the case has provoked. */
static void expect_finding(struct kunit *test, const char *id, u64 pa)
{
	KUNIT_EXPECT_EQ(test, host.findings, 1);
	KUNIT_EXPECT_STREQ(test, host.finding_id, id);
	KUNIT_EXPECT_EQ(test, host.finding.pa, pa);
	host.findings = 0;
}

static void start(struct kunit *test, enum td_stage stage, u32 vcpus)
{
	OK(test, td_start(&host, &td, HOST_KEYID, stage, vcpus));
}

/* --- every leaf, ready to succeed --- */

static u64 tracked(u64 gpa)
{
	return td_block_and_track(&td, gpa);
}

/* A 2M page, demoted, and the table blocked and tracked again. */
static u64 ready_to_promote(void)
{
	return td_aug(&td, GPA_2M(1) | 1, host.huge) ?: tracked(GPA_2M(1) | 1) ?:
	       td_demote(&td, GPA_2M(1) | 1, host_page(&host)) ?: tracked(GPA_2M(1) | 1);
}

/* TDH.MEM.*: the TD is there, with tables down to TEST_GPA's 4K entry. */
static u64 ready_mem(u32 leaf, struct tdxm_regs *r)
{
	bool big = leaf == TDH_MEM_PAGE_DEMOTE || leaf == TDH_MEM_PAGE_PROMOTE;

	r->rdx = td.tdr;
	r->rcx = big ? GPA_2M(1) | 1 : TEST_GPA;
	switch (leaf) {
	case TDH_MEM_SEPT_ADD:
		r->rcx = GPA_2M(1) | 1;
		fallthrough;
	case TDH_MEM_PAGE_AUG:
		r->r8 = host_page(&host);
		return 0;
	case TDH_MEM_PAGE_ADD:
		r->r8 = host_page(&host);
		r->r9 = host_page(&host);
		return 0;
	case TDH_MR_EXTEND:
		return seamcall4(&host, TDH_MEM_PAGE_ADD, TEST_GPA, td.tdr, host_page(&host),
				 host_page(&host));
	case TDH_MEM_RANGE_BLOCK:
		return td_aug(&td, TEST_GPA, host_page(&host));
	case TDH_MEM_RANGE_UNBLOCK:
	case TDH_MEM_PAGE_REMOVE:
		return td_aug(&td, TEST_GPA, host_page(&host)) ?: tracked(TEST_GPA);
	case TDH_MEM_PAGE_DEMOTE:
		r->r8 = host_page(&host);
		return td_aug(&td, r->rcx, host.huge) ?: tracked(r->rcx);
	case TDH_MEM_PAGE_PROMOTE:
		return ready_to_promote();
	case TDH_MEM_SEPT_REMOVE:
		r->rcx = TEST_GPA | 1;
		return tracked(r->rcx);
	default:
		r->rcx = td.tdr;	/* TRACK */
		return 0;
	}
}

/* All that a vCPU is made of; TDH.VP.INIT is next. */
static u64 new_vcpu(u64 tdvpr)
{
	u64 status = seamcall(&host, TDH_VP_CREATE, tdvpr, td.tdr, 0);
	u32 i;

	for (i = 1; !status && i < HOST_TDVPS_PAGES; i++)
		status = seamcall(&host, TDH_VP_ADDCX, host_page(&host), tdvpr, 0);
	return status;
}

static u64 ready_vp(u32 leaf, struct tdxm_regs *r)
{
	r->rcx = td.vcpu[0].tdvpr;
	switch (leaf) {
	case TDH_VP_CREATE:
		r->rcx = host_page(&host);
		r->rdx = td.tdr;
		return 0;
	case TDH_VP_ADDCX:
		r->rcx = host_page(&host);
		r->rdx = host_page(&host);
		return seamcall(&host, TDH_VP_CREATE, r->rdx, td.tdr, 0);
	case TDH_VP_INIT:
		r->rcx = host_page(&host);
		return new_vcpu(r->rcx);
	case TDH_VP_RD:
	case TDH_VP_WR:
		r->rdx = MD_VMCS_NOTIFY_WINDOW;
		r->r9 = ~0ULL;
		return 0;
	default:
		return 0;
	}
}

/* TDH.PHYMEM.CACHE.WB is interrupted at random: let the next one be, or not be. */
static void choose_write_back(bool interrupted)
{
	u64 *random = &host.m->lp[0].random, next = *random;

	while (!!(tdxm_random_next(&next) >> 62) != interrupted)
		*random = next;
}

/* A TD's life, and its end. */
static u64 ready_life(u32 leaf, struct tdxm_regs *r)
{
	r->rcx = td.tdr;
	switch (leaf) {
	case TDH_MNG_CREATE:
		r->rcx = host_page(&host);
		r->rdx = HOST_KEYID + 1;
		return 0;
	case TDH_MNG_ADDCX:
		r->rcx = host_page(&host);
		r->rdx = td.tdr;
		return 0;
	case TDH_MNG_INIT:
		r->rdx = host_page(&host);
		td_params_init(tdxm_env_va(r->rdx));
		return 0;
	case TDH_MNG_RD:
		r->rdx = MD_TDCS_TSC_OFFSET;
		return 0;
	case TDH_PHYMEM_CACHE_WB:
		r->rcx = 0;
		choose_write_back(false);
		return seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0);
	case TDH_MNG_KEY_FREEID:
		return seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0) ?: host_write_back(&host);
	case TDH_PHYMEM_PAGE_RECLAIM:
		r->rcx = td.tdcx[HOST_TDCS_PAGES - 1];
		return td_free_hkid(&td);
	case TDH_PHYMEM_PAGE_WBINVD:
	case TDH_PHYMEM_PAGE_RDMD:
		r->rcx = host_page(&host);
		return 0;
	default:
		return 0;
	}
}

struct leaf_case {
	u32 leaf;
	enum td_stage stage;
	u32 vcpus;
	u64 (*ready)(u32 leaf, struct tdxm_regs *r);
	u64 want;
};

static const struct leaf_case leaf_cases[] = {
	{ TDH_MEM_SEPT_ADD, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_PAGE_ADD, STAGE_INITIALIZED, 1, ready_mem },
	{ TDH_MEM_PAGE_AUG, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_RANGE_BLOCK, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_RANGE_UNBLOCK, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_TRACK, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_PAGE_REMOVE, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_PAGE_DEMOTE, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_PAGE_PROMOTE, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MEM_SEPT_REMOVE, STAGE_RUNNABLE, 1, ready_mem },
	{ TDH_MR_EXTEND, STAGE_INITIALIZED, 1, ready_mem },
	{ TDH_VP_CREATE, STAGE_INITIALIZED, 0, ready_vp },
	{ TDH_VP_ADDCX, STAGE_INITIALIZED, 0, ready_vp },
	{ TDH_VP_INIT, STAGE_INITIALIZED, 0, ready_vp },
	{ TDH_VP_FLUSH, STAGE_RUNNABLE, 1, ready_vp },
	{ TDH_VP_ENTER, STAGE_RUNNABLE, 1, ready_vp, LEFT },
	{ TDH_VP_RD, STAGE_RUNNABLE, 1, ready_vp },
	{ TDH_VP_WR, STAGE_RUNNABLE, 1, ready_vp },
	{ TDH_MNG_CREATE, STAGE_CREATED, 0, ready_life },
	{ TDH_MNG_KEY_CONFIG, STAGE_CREATED, 0, ready_life },
	{ TDH_MNG_ADDCX, STAGE_KEYED, 0, ready_life },
	{ TDH_MNG_INIT, STAGE_TDCS, 0, ready_life },
	{ TDH_MNG_RD, STAGE_RUNNABLE, 0, ready_life },
	{ TDH_MR_FINALIZE, STAGE_INITIALIZED, 0, ready_life },
	{ TDH_MNG_VPFLUSHDONE, STAGE_RUNNABLE, 0, ready_life },
	{ TDH_PHYMEM_CACHE_WB, STAGE_KEYED, 0, ready_life },
	{ TDH_MNG_KEY_FREEID, STAGE_KEYED, 0, ready_life },
	{ TDH_PHYMEM_PAGE_RECLAIM, STAGE_TDCS, 0, ready_life },
	{ TDH_PHYMEM_PAGE_WBINVD, STAGE_KEYED, 0, ready_life },
	{ TDH_PHYMEM_PAGE_RDMD, STAGE_KEYED, 0, ready_life },
};

static void leaf_desc(const struct leaf_case *l, char *desc)
{
	strscpy(desc, tdxm_leaf_name(l->leaf), KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(leaf, leaf_cases, leaf_desc);

/* The TD as the leaf wants it, and the registers to call it with. */
static struct tdxm_regs ready(struct kunit *test, const struct leaf_case *l)
{
	struct tdxm_regs r = { .rax = l->leaf };

	start(test, l->stage, l->vcpus);
	if (l->ready == ready_mem)
		OK(test, td_map_tables(&td, TEST_GPA));
	OK(test, l->ready(l->leaf, &r));
	return r;
}

static u64 call(struct tdxm_regs r)
{
	machine_call(host.m, &r);
	return r.rax;
}

static void leaf_works(struct kunit *test)
{
	const struct leaf_case *l = test->param_value;
	struct tdxm_regs r = ready(test, l);

	EXPECT_STATUS(test, call(r), l->want, "%s", tdxm_leaf_name(l->leaf));
}

/* BUSY by injection: as if a lock was held, once, and nothing was done. */
static void leaf_busy_on_demand(struct kunit *test)
{
	const struct leaf_case *l = test->param_value;
	const struct tdxm_leaf *info = tdxm_leaf(l->leaf);
	bool always = info->flags & LEAF_NO_LOCK;
	struct tdxm_regs r = ready(test, l);

	KUNIT_EXPECT_EQ(test, tdxm_inject(host.m, l->leaf, TDX_OPERAND_BUSY, TDXM_INJECT_BURST, 1),
			always ? -EINVAL : 0);
	if (!always)
		EXPECT_STATUS(test, call(r), TDX_OPERAND_BUSY | info->busy_operand, "%s, injected",
			      info->name);
	EXPECT_STATUS(test, call(r), l->want, "%s, then", info->name);
	tdxm_inject(host.m, l->leaf, 0, TDXM_INJECT_OFF, 0);
}

/* After TDH.SYS.SHUTDOWN only what #MC calls is answered. */
static void leaf_after_shutdown(struct kunit *test)
{
	const struct leaf_case *l = test->param_value;
	struct tdxm_regs r = ready(test, l);

	host.m->sys_down = 1;
	EXPECT_STATUS(test, call(r), l->leaf == TDH_PHYMEM_PAGE_RDMD ? 0 : TDX_SYS_SHUTDOWN,
		      "%s, shut down", tdxm_leaf_name(l->leaf));
	host.m->sys_down = 0;
	EXPECT_STATUS(test, call(r), l->want, "%s, up again", tdxm_leaf_name(l->leaf));
}

/* --- state x leaf --- */

/* What the leaf says: success, or why not. */
#define YES	0
#define BADST	(TDX_EPT_ENTRY_STATE_INCORRECT | RCX)
#define BLKED	(TDX_GPA_RANGE_ALREADY_BLOCKED | RCX)
#define UNBLK	(TDX_GPA_RANGE_NOT_BLOCKED | RCX)
#define TRACK	(TDX_TLB_TRACKING_NOT_DONE | RCX)
#define UNFIT	(TDX_EPT_INVALID_PROMOTE_CONDITIONS | RCX)
#define BADOP	TDX_OP_STATE_INCORRECT

static const u32 leaves_4k[] = {
	TDH_MEM_PAGE_ADD, TDH_MR_EXTEND, TDH_MEM_PAGE_AUG, TDH_MEM_RANGE_BLOCK,
	TDH_MEM_RANGE_UNBLOCK, TDH_MEM_PAGE_REMOVE,
};

static const u32 leaves_2m[] = {
	TDH_MEM_SEPT_ADD, TDH_MEM_PAGE_AUG, TDH_MEM_RANGE_BLOCK, TDH_MEM_RANGE_UNBLOCK,
	TDH_MEM_PAGE_REMOVE, TDH_MEM_PAGE_DEMOTE, TDH_MEM_PAGE_PROMOTE, TDH_MEM_SEPT_REMOVE,
};

/**
 * struct row - an entry's state, and what each leaf answers
 * @name: for people
 * @level: of the entry, 0 is 4K
 * @stage: STAGE_INITIALIZED or STAGE_RUNNABLE
 * @tracked: TLB tracking has succeeded since the entry was blocked
 * @state: its state
 * @status: by leaf, as in leaves_4k or leaves_2m
 */
struct row {
	const char *name;
	int level;
	enum td_stage stage;
	bool tracked;
	enum sept_state state;
	u64 status[ARRAY_SIZE(leaves_2m)];
};

#define INIT(size, st, ...)	\
	{ "initialized, " #size " " #st, L##size, STAGE_INITIALIZED, false, SEPT_##st,	\
	  { __VA_ARGS__ } }
#define RUN(size, st, ...)	\
	{ "runnable, " #size " " #st, L##size, STAGE_RUNNABLE, false, SEPT_##st, { __VA_ARGS__ } }
#define TRACKED(size, st, ...)	\
	{ "tracked, " #size " " #st, L##size, STAGE_RUNNABLE, true, SEPT_##st, { __VA_ARGS__ } }
#define L4K	0
#define L2M	1

static const struct row rows[] = {
	/*                           ADD    EXTEND AUG    BLOCK  UNBLK  REMOVE */
	INIT(4K, FREE,               YES,   BADST, YES,   BADST, BADST, BADST),
	INIT(4K, REMOVED,            BADST, BADST, YES,   BADST, BADST, BADST),
	INIT(4K, MAPPED,             BADST, YES,   BADST, YES,   BADST, YES),
	INIT(4K, BLOCKED,            BADST, BADST, BADST, BLKED, YES,   YES),
	INIT(4K, PENDING,            BADST, BADST, BADST, YES,   BADST, YES),
	INIT(4K, PENDING_BLOCKED,    BADST, BADST, BADST, BLKED, YES,   YES),
	RUN(4K, FREE,                BADOP, BADOP, YES,   BADST, BADST, BADST),
	RUN(4K, REMOVED,             BADOP, BADOP, YES,   BADST, BADST, BADST),
	RUN(4K, MAPPED,              BADOP, BADOP, BADST, YES,   BADST, UNBLK),
	RUN(4K, BLOCKED,             BADOP, BADOP, BADST, BLKED, TRACK, TRACK),
	RUN(4K, PENDING,             BADOP, BADOP, BADST, YES,   BADST, UNBLK),
	RUN(4K, PENDING_BLOCKED,     BADOP, BADOP, BADST, BLKED, TRACK, TRACK),
	TRACKED(4K, BLOCKED,         BADOP, BADOP, BADST, BLKED, YES,   YES),
	TRACKED(4K, PENDING_BLOCKED, BADOP, BADOP, BADST, BLKED, YES,   YES),
	/*                           SEPT.A AUG    BLOCK  UNBLK  REMOVE DEMOTE PROMO  SEPT.REMOVE */
	INIT(2M, FREE,               YES,   YES,   BADST, BADST, BADST, BADST, BADST, BADST),
	INIT(2M, REMOVED,            BADST, YES,   BADST, BADST, BADST, BADST, BADST, BADST),
	INIT(2M, NL_MAPPED,          BADST, BADST, YES,   BADST, BADST, BADST, UNFIT, YES),
	INIT(2M, NL_BLOCKED,         BADST, BADST, BLKED, YES,   BADST, BADST, UNFIT, YES),
	INIT(2M, MAPPED,             BADST, BADST, YES,   BADST, YES,   YES,   BADST, BADST),
	INIT(2M, BLOCKED,            BADST, BADST, BLKED, YES,   YES,   YES,   BADST, BADST),
	INIT(2M, PENDING,            BADST, BADST, YES,   BADST, YES,   YES,   BADST, BADST),
	INIT(2M, PENDING_BLOCKED,    BADST, BADST, BLKED, YES,   YES,   YES,   BADST, BADST),
	RUN(2M, FREE,                YES,   YES,   BADST, BADST, BADST, BADST, BADST, BADST),
	RUN(2M, REMOVED,             BADST, YES,   BADST, BADST, BADST, BADST, BADST, BADST),
	RUN(2M, NL_MAPPED,           BADST, BADST, YES,   BADST, BADST, BADST, UNBLK, UNBLK),
	RUN(2M, NL_BLOCKED,          BADST, BADST, BLKED, TRACK, BADST, BADST, TRACK, TRACK),
	RUN(2M, MAPPED,              BADST, BADST, YES,   BADST, UNBLK, UNBLK, BADST, BADST),
	RUN(2M, BLOCKED,             BADST, BADST, BLKED, TRACK, TRACK, TRACK, BADST, BADST),
	RUN(2M, PENDING,             BADST, BADST, YES,   BADST, UNBLK, UNBLK, BADST, BADST),
	RUN(2M, PENDING_BLOCKED,     BADST, BADST, BLKED, TRACK, TRACK, TRACK, BADST, BADST),
	TRACKED(2M, NL_BLOCKED,      BADST, BADST, BLKED, YES,   BADST, BADST, UNFIT, YES),
	TRACKED(2M, BLOCKED,         BADST, BADST, BLKED, YES,   YES,   YES,   BADST, BADST),
	TRACKED(2M, PENDING_BLOCKED, BADST, BADST, BLKED, YES,   YES,   YES,   BADST, BADST),
};

KUNIT_ARRAY_PARAM_DESC(row, rows, name);

/**
 * struct effect - what a leaf that succeeds does
 * @to: state of the entry
 * @reg: 4K pages that the TD gets
 * @ept: tables that it gets
 */
struct effect {
	enum sept_state to;
	int reg;
	int ept;
};

static struct effect effect_of(u32 leaf, enum sept_state from, int level)
{
	static const u8 blocked[SEPT_NR_STATES] = {
		[SEPT_MAPPED] = SEPT_BLOCKED,
		[SEPT_PENDING] = SEPT_PENDING_BLOCKED,
		[SEPT_NL_MAPPED] = SEPT_NL_BLOCKED,
	};
	static const u8 unblocked[SEPT_NR_STATES] = {
		[SEPT_BLOCKED] = SEPT_MAPPED,
		[SEPT_PENDING_BLOCKED] = SEPT_PENDING,
		[SEPT_NL_BLOCKED] = SEPT_NL_MAPPED,
	};
	int pages = level ? 512 : 1;

	switch (leaf) {
	case TDH_MEM_SEPT_ADD:
	case TDH_MEM_PAGE_DEMOTE:
		return (struct effect){ SEPT_NL_MAPPED, 0, 1 };
	case TDH_MEM_PAGE_ADD:
		return (struct effect){ SEPT_MAPPED, pages, 0 };
	case TDH_MEM_PAGE_AUG:
		return (struct effect){ SEPT_PENDING, pages, 0 };
	case TDH_MEM_RANGE_BLOCK:
		return (struct effect){ blocked[from], 0, 0 };
	case TDH_MEM_RANGE_UNBLOCK:
		return (struct effect){ unblocked[from], 0, 0 };
	case TDH_MEM_PAGE_REMOVE:
		return (struct effect){ SEPT_FREE, -pages, 0 };
	case TDH_MEM_SEPT_REMOVE:
		return (struct effect){ SEPT_FREE, 0, -1 };
	default:
		return (struct effect){ from, 0, 0 };	/* MR.EXTEND */
	}
}

/* RDX after an error: the level, and the state as the ABI's table has it. */
static u64 info_of(enum sept_state state, int level)
{
	static const u8 public[SEPT_NR_STATES] = {
		[SEPT_REMOVED] = 0x05, [SEPT_NL_MAPPED] = 0x84, [SEPT_NL_BLOCKED] = 0x81,
		[SEPT_MAPPED] = 0x04, [SEPT_BLOCKED] = 0x01, [SEPT_PENDING] = 0x02,
		[SEPT_PENDING_BLOCKED] = 0x03,
	};

	return public[state] << 8 | level;
}

static u64 call_on_entry(u32 leaf, int level)
{
	u64 r8 = level && leaf == TDH_MEM_PAGE_AUG ? host.huge : host_page(&host);

	return seamcall4(&host, leaf, TEST_GPA | level, td.tdr, r8, host_page(&host));
}

/* One leaf, on an entry of that state: status, error information, new state, PAMT. */
static void check_leaf(struct kunit *test, const struct row *row, u32 leaf, u64 want)
{
	u64 *entry = td_entry(&td, TEST_GPA, row->level), before = *entry;
	const char *name = tdxm_leaf_name(leaf);
	struct effect e = { row->state };
	s64 reg, ept;

	if (!want)
		e = effect_of(leaf, row->state, row->level);
	reg = host_counter(&host, "pamt.REG") + e.reg;
	ept = host_counter(&host, "pamt.EPT") + e.ept;
	EXPECT_STATUS(test, call_on_entry(leaf, row->level), want, "%s", name);
	if (want && want != BADOP) {
		KUNIT_EXPECT_EQ_MSG(test, host.last.rcx, before & SEPT_ARCH_MASK, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, host.last.rdx, info_of(row->state, row->level), "%s",
				    name);
	}
	KUNIT_EXPECT_EQ_MSG(test, td_state_at(&td, TEST_GPA, row->level), e.to, "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, *entry & (SEPT_TDEL | SEPT_TDHP), 0, "%s: locked", name);
	KUNIT_EXPECT_EQ_MSG(test, host_counter(&host, "pamt.REG"), reg, "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, host_counter(&host, "pamt.EPT"), ept, "%s", name);
}

/* Every leaf, each on an entry made anew. */
static void matrix(struct kunit *test)
{
	const struct row *row = test->param_value;
	const u32 *leaf = row->level ? leaves_2m : leaves_4k;
	u32 n = row->level ? ARRAY_SIZE(leaves_2m) : ARRAY_SIZE(leaves_4k), i;

	for (i = 0; i < n; i++) {
		start(test, row->stage, 0);
		OK(test, td_map_tables_to(&td, TEST_GPA, row->level));
		KUNIT_ASSERT_EQ(test, 0, td_put_state(&td, TEST_GPA, row->level,
						      row->level ? host.huge : host_page(&host),
						      row->state));
		KUNIT_ASSERT_EQ(test, td_state_at(&td, TEST_GPA, row->level), row->state);
		if (row->tracked)
			OK(test, td_track(&td));
		check_leaf(test, row, leaf[i], row->status[i]);
		KUNIT_EXPECT_EQ(test, host.findings, 0);
		KUNIT_ASSERT_EQ(test, host_sweep(&host), 0);
		host_reset(&host);
	}
}

/* --- PAMT: who owns which page --- */

enum page_kind { A_TDR, A_TDCX, A_TDVPR, A_TDVPX, A_TABLE, A_PAGE, A_HUGE };

static const struct owned {
	const char *name;
	enum page_kind kind;
	u32 type;
	int level;
} owned_pages[] = {
	{ "TDR", A_TDR, PT_TDR, 0 },
	{ "TDCX of a TDCS", A_TDCX, PT_TDCX, 0 },
	{ "TDVPR", A_TDVPR, PT_TDVPR, 0 },
	{ "TDCX of a TDVPS", A_TDVPX, PT_TDCX, 0 },
	{ "S-EPT table", A_TABLE, PT_EPT, 0 },
	{ "private page, 4K", A_PAGE, PT_REG, 0 },
	{ "private page, 2M", A_HUGE, PT_REG, 1 },
};

KUNIT_ARRAY_PARAM_DESC(owned, owned_pages, name);

static u64 page_of(enum page_kind kind)
{
	u64 page;

	switch (kind) {
	case A_TDR:
		return td.tdr;
	case A_TDCX:
		return td.tdcx[HOST_TDCS_PAGES - 1];
	case A_TDVPR:
		return td.vcpu[0].tdvpr;
	case A_TDVPX:
		return td.vcpu[0].tdcx[0];
	case A_TABLE:
		return td.ept[0];
	case A_PAGE:
		page = host_page(&host);
		return td_aug(&td, TEST_GPA, page) ? 0 : page;
	default:
		return td_aug(&td, GPA_2M(1) | 1, host.huge) ? 0 : host.huge;
	}
}

/* Taken, described, and given back at the end: to nobody before that. */
static void page_is_owned(struct kunit *test)
{
	const struct owned *o = test->param_value;
	u64 page, last;

	start(test, STAGE_RUNNABLE, 1);
	OK(test, td_map_tables(&td, TEST_GPA));
	page = page_of(o->kind);
	KUNIT_ASSERT_NE(test, page, 0);
	last = page + tdxm_size(o->level) - PAGE_SIZE;
	OK(test, seamcall(&host, TDH_PHYMEM_PAGE_RDMD, last, 0, 0));
	KUNIT_EXPECT_EQ(test, host.last.rcx, o->type);
	KUNIT_EXPECT_EQ(test, host.last.rdx, td.tdr);
	KUNIT_EXPECT_EQ(test, host.last.r8, o->level);
	EXPECT_STATUS(test, reclaim(&host, page), TDX_LIFECYCLE_STATE_INCORRECT, "%s", o->name);
	EXPECT_STATUS(test, seamcall(&host, TDH_PHYMEM_PAGE_WBINVD, last, 0, 0),
		      TDX_PAGE_METADATA_INCORRECT | RCX, "%s", o->name);
	KUNIT_ASSERT_EQ(test, host_sweep(&host), 0);
	OK(test, seamcall(&host, TDH_PHYMEM_PAGE_RDMD, last, 0, 0));
	KUNIT_EXPECT_EQ(test, host.last.rcx, PT_NDA);
}

/* Leaves that take a page from the host, and in which register. */
static const struct taker {
	const struct leaf_case *l;
	u32 operand;
} takers[] = {
	{ &leaf_cases[0], R8 },		/* SEPT.ADD */
	{ &leaf_cases[1], R8 },		/* PAGE.ADD */
	{ &leaf_cases[2], R8 },		/* PAGE.AUG */
	{ &leaf_cases[7], R8 },		/* PAGE.DEMOTE */
	{ &leaf_cases[11], RCX },	/* VP.CREATE */
	{ &leaf_cases[12], RCX },	/* VP.ADDCX */
	{ &leaf_cases[18], RCX },	/* MNG.CREATE */
	{ &leaf_cases[20], RCX },	/* MNG.ADDCX */
};

static void taker_desc(const struct taker *t, char *desc)
{
	leaf_desc(t->l, desc);
}

KUNIT_ARRAY_PARAM(taker, takers, taker_desc);

static u64 take(const struct taker *t, struct tdxm_regs r, u64 page)
{
	if (t->operand == R8)
		r.r8 = page;
	else
		r.rcx = page;
	return call(r);
}

/* No address of a page, no page, a TD's page, no RAM: refused; then a good one. */
static void page_is_taken(struct kunit *test)
{
	const struct taker *t = test->param_value;
	const char *name = tdxm_leaf_name(t->l->leaf);
	struct tdxm_regs r = ready(test, t->l);
	u64 good = t->operand == R8 ? r.r8 : r.rcx, other = host_page(&host);
	struct pamt_entry *pamt = tdxm_pamt(host.m, good);

	OK(test, seamcall(&host, TDH_MNG_CREATE, other, HOST_KEYID + 2, 0));
	EXPECT_STATUS(test, take(t, r, good + 8), TDX_OPERAND_INVALID | t->operand,
		      "%s, not aligned", name);
	EXPECT_STATUS(test, take(t, r, good | BIT_ULL(HOST_PHYS_BITS)),
		      TDX_OPERAND_INVALID | t->operand, "%s, with an HKID", name);
	EXPECT_STATUS(test, take(t, r, host.m->cfg.nr_pages << PAGE_SHIFT),
		      TDX_OPERAND_ADDR_RANGE_ERROR | t->operand, "%s, beyond memory", name);
	EXPECT_STATUS(test, take(t, r, other), TDX_PAGE_METADATA_INCORRECT | t->operand,
		      "%s, in use", name);
	expect_finding(test, "X2", other);
	pamt->type = PT_RSVD;
	EXPECT_STATUS(test, take(t, r, good), TDX_PAGE_METADATA_INCORRECT | t->operand,
		      "%s, no RAM", name);
	pamt->type = PT_NDA;
	EXPECT_STATUS(test, take(t, r, good), 0, "%s", name);
	KUNIT_EXPECT_NE(test, tdxm_page_type(host.m, good), PT_NDA);
}

/* A 2M page and the 4K pages in it exclude each other. */
static void huge_page_is_one(struct kunit *test)
{
	u64 inside = host.huge + 300 * PAGE_SIZE;

	start(test, STAGE_RUNNABLE, 0);
	OK(test, td_map_tables(&td, TEST_GPA));
	OK(test, td_aug(&td, TEST_GPA, inside));
	EXPECT_STATUS(test, td_aug(&td, GPA_2M(1) | 1, host.huge),
		      TDX_PAGE_METADATA_INCORRECT | R8, "2M with a page in use");
	expect_finding(test, "X2", inside);
	KUNIT_ASSERT_EQ(test, td_zap(&td, TEST_GPA), inside);
	OK(test, td_aug(&td, GPA_2M(1) | 1, host.huge));
	EXPECT_STATUS(test, td_aug(&td, TEST_GPA, inside), TDX_PAGE_METADATA_INCORRECT | R8,
		      "4K of a 2M page");
	expect_finding(test, "X2", inside);
}

/* The size of a private page changes, its owner does not; a promotion gives the table back. */
static void demote_and_promote(struct kunit *test)
{
	struct tdxm_regs r = ready(test, &leaf_cases[8]);	/* PROMOTE: it was demoted */
	u64 inside = host.huge + 511 * PAGE_SIZE, table, tables;

	KUNIT_EXPECT_EQ(test, host_counter(&host, "pamt.REG"), 512);
	OK(test, seamcall(&host, TDH_PHYMEM_PAGE_RDMD, inside, 0, 0));
	KUNIT_EXPECT_EQ(test, host.last.r8, 0);
	KUNIT_EXPECT_EQ(test, host.last.rdx, td.tdr);
	table = td_pa_at(&td, GPA_2M(1), 1);
	tables = host_counter(&host, "pamt.EPT");
	OK(test, td_promote(&td, r.rcx));
	KUNIT_EXPECT_EQ(test, host.last.rcx, table);
	KUNIT_EXPECT_EQ(test, tdxm_page_type(host.m, table), PT_NDA);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "pamt.EPT"), tables - 1);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "pamt.REG"), 512);
	OK(test, seamcall(&host, TDH_PHYMEM_PAGE_RDMD, inside, 0, 0));
	KUNIT_EXPECT_EQ(test, host.last.r8, 1);
	KUNIT_EXPECT_EQ(test, td_state_at(&td, GPA_2M(1), 1), SEPT_PENDING);
}

/* --- locks --- */

enum lock_kind {
	ON_TDR, ON_OP_STATE, ON_TREE, ON_ENTRY, ON_EPOCH, ON_TDVPR, ON_PAGE, ON_HEAD, ON_KOT,
	ON_WBCACHE,
};

/**
 * struct busy - a leaf, and a lock that it needs
 * @name: for people
 * @leaf: place in leaf_cases
 * @lock: which
 * @mode: how another processor holds it
 * @operand: operand id of the status
 */
struct busy {
	const char *name;
	u32 leaf;
	enum lock_kind lock;
	enum tdxm_lock_mode mode;
	u32 operand;
};

static const struct busy busy_cases[] = {
	{ "SEPT.ADD: TDR", 0, ON_TDR, LOCK_EXCLUSIVE, RDX },
	{ "SEPT.ADD: tree", 0, ON_TREE, LOCK_EXCLUSIVE, TDX_OPERAND_ID_SEPT },
	{ "SEPT.ADD: page", 0, ON_PAGE, LOCK_SHARED, R8 },
	{ "PAGE.ADD: TDR, shared", 1, ON_TDR, LOCK_SHARED, RDX },
	{ "PAGE.AUG: OP_STATE", 2, ON_OP_STATE, LOCK_EXCLUSIVE, TDX_OPERAND_ID_OP_STATE },
	{ "PAGE.AUG: tree", 2, ON_TREE, LOCK_EXCLUSIVE, TDX_OPERAND_ID_SEPT },
	{ "PAGE.AUG: entry", 2, ON_ENTRY, LOCK_EXCLUSIVE, RCX },
	{ "PAGE.AUG: page", 2, ON_PAGE, LOCK_SHARED, R8 },
	{ "RANGE.BLOCK: tree, shared", 3, ON_TREE, LOCK_SHARED, TDX_OPERAND_ID_SEPT },
	{ "RANGE.BLOCK: entry", 3, ON_ENTRY, LOCK_EXCLUSIVE, RCX },
	{ "RANGE.UNBLOCK: tree, shared", 4, ON_TREE, LOCK_SHARED, TDX_OPERAND_ID_SEPT },
	{ "TRACK: epoch, shared", 5, ON_EPOCH, LOCK_SHARED, TDX_OPERAND_ID_TD_EPOCH },
	{ "PAGE.REMOVE: entry", 6, ON_ENTRY, LOCK_EXCLUSIVE, RCX },
	{ "PAGE.DEMOTE: 2M page", 7, ON_HEAD, LOCK_SHARED, RCX },
	{ "PAGE.PROMOTE: 2M page", 8, ON_HEAD, LOCK_SHARED, RCX },
	{ "SEPT.REMOVE: tree, shared", 9, ON_TREE, LOCK_SHARED, TDX_OPERAND_ID_SEPT },
	{ "VP.FLUSH: TDVPR, shared", 14, ON_TDVPR, LOCK_SHARED, RCX },
	{ "VP.ENTER: TDVPR", 15, ON_TDVPR, LOCK_EXCLUSIVE, RCX },
	{ "VP.ENTER: TDR", 15, ON_TDR, LOCK_EXCLUSIVE, TDX_OPERAND_ID_TDR },
	{ "VP.ENTER: epoch", 15, ON_EPOCH, LOCK_EXCLUSIVE, TDX_OPERAND_ID_TD_EPOCH },
	{ "MNG.CREATE: KOT, shared", 18, ON_KOT, LOCK_SHARED, TDX_OPERAND_ID_KOT },
	{ "MNG.VPFLUSHDONE: KOT, shared", 24, ON_KOT, LOCK_SHARED, TDX_OPERAND_ID_KOT },
	{ "CACHE.WB: WBCACHE", 25, ON_WBCACHE, LOCK_EXCLUSIVE, TDX_OPERAND_ID_WBCACHE },
	{ "CACHE.WB: KOT", 25, ON_KOT, LOCK_EXCLUSIVE, TDX_OPERAND_ID_KOT },
	{ "PAGE.RECLAIM: TDR", 27, ON_TDR, LOCK_EXCLUSIVE, TDX_OPERAND_ID_TDR },
};

KUNIT_ARRAY_PARAM_DESC(busy, busy_cases, name);

static u32 *lock_word(enum lock_kind lock, const struct tdxm_regs *r)
{
	switch (lock) {
	case ON_TDR:
		return &tdxm_pamt(host.m, td.tdr)->lock;
	case ON_OP_STATE:
		return &td_tdcs(&td)->op_state_lock;
	case ON_TREE:
		return &td_tdcs(&td)->sept_lock;
	case ON_EPOCH:
		return &td_tdcs(&td)->epoch_lock;
	case ON_TDVPR:
		return &tdxm_pamt(host.m, td.vcpu[0].tdvpr)->lock;
	case ON_PAGE:
		return &tdxm_pamt(host.m, r->r8)->lock;
	case ON_HEAD:
		return &tdxm_pamt_at(host.m, host.huge, 1)->lock;
	case ON_KOT:
		return &host.m->kot_lock;
	default:
		return &host.m->wb[0].lock;
	}
}

/* Another processor takes or gives back the lock. */
static void hold(const struct busy *b, const struct tdxm_regs *r, bool yes)
{
	u64 *entry = td_entry(&td, TEST_GPA, 0);

	if (b->lock == ON_ENTRY && yes)
		*entry |= SEPT_TDEL;
	else if (b->lock == ON_ENTRY)
		*entry &= ~SEPT_TDEL;
	else if (yes)
		tdxm_trylock(host.m->lp, LOCK_PAGE, lock_word(b->lock, r), b->mode);
	else
		tdxm_unlock(lock_word(b->lock, r), b->mode);
}

/* BUSY with the operand in the way, as long as it is, and no lock is kept. */
static void lock_is_busy(struct kunit *test)
{
	const struct busy *b = test->param_value;
	const struct leaf_case *l = &leaf_cases[b->leaf];
	struct tdxm_regs r = ready(test, l);

	hold(b, &r, true);
	EXPECT_STATUS(test, call(r), TDX_OPERAND_BUSY | b->operand, "%s", b->name);
	hold(b, &r, false);
	KUNIT_EXPECT_EQ(test, host_locked(&host), 0);
	EXPECT_STATUS(test, call(r), l->want, "%s, released", b->name);
}

/* Those who share a lock do not disturb each other. */
static void sharers_get_along(struct kunit *test)
{
	struct tdxm_regs r = ready(test, &leaf_cases[2]);	/* AUG */
	static const enum lock_kind locks[] = { ON_TDR, ON_OP_STATE, ON_TREE };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(locks); i++)
		tdxm_trylock(host.m->lp, LOCK_PAGE, lock_word(locks[i], &r), LOCK_SHARED);
	EXPECT_STATUS(test, call(r), 0, "PAGE.AUG beside sharers");
	for (i = 0; i < ARRAY_SIZE(locks); i++)
		tdxm_unlock(lock_word(locks[i], &r), LOCK_SHARED);
}

/* A host that lost an entry to the guest gets it next, and the guest only after that. */
static void host_priority(struct kunit *test)
{
	struct tdxm_lp *lp = host.m->lp;
	u64 *entry;

	start(test, STAGE_RUNNABLE, 1);
	OK(test, td_map_tables(&td, TEST_GPA));
	OK(test, td_aug(&td, TEST_GPA, host_page(&host)));
	entry = td_entry(&td, TEST_GPA, 0);
	EXPECT_STATUS(test, tdxm_entry_lock_guest(lp, entry), 0, "guest");
	EXPECT_STATUS(test, td_block(&td, TEST_GPA), TDX_OPERAND_BUSY | RCX, "host, too late");
	KUNIT_EXPECT_TRUE(test, *entry & SEPT_TDHP);
	tdxm_entry_unlock(entry);
	EXPECT_STATUS(test, tdxm_entry_lock_guest(lp, entry), TDX_OPERAND_BUSY_HOST_PRIORITY,
		      "guest, again");
	/* even if the host cannot do anything with it */
	EXPECT_STATUS(test, td_aug(&td, TEST_GPA, host_page(&host)), BADST, "host, again");
	KUNIT_EXPECT_FALSE(test, *entry & SEPT_TDHP);
	EXPECT_STATUS(test, tdxm_entry_lock_guest(lp, entry), 0, "guest, at last");
	EXPECT_STATUS(test, tdxm_entry_lock_guest(lp, entry), TDX_OPERAND_BUSY, "guest, twice");
	tdxm_entry_unlock(entry);
}

/* --- epochs and tracking --- */

/* What the host does while vCPU 0 is inside the TD, and what it is told. */
static u64 told[6];

static u64 zap_from_inside(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	told[0] = td_block(&td, TEST_GPA);
	told[1] = td_remove(&td, TEST_GPA);
	told[2] = td_track(&td);
	told[3] = td_remove(&td, TEST_GPA);
	told[4] = td_track(&td);
	told[5] = td_remove(&td, TEST_GPA);
	return LEFT;
}

static void start_with_page(struct kunit *test)
{
	start(test, STAGE_RUNNABLE, 1);
	OK(test, td_map_tables(&td, TEST_GPA));
	OK(test, td_aug(&td, TEST_GPA, host_page(&host)));
}

static void vcpu_inside_holds_its_epoch(struct kunit *test)
{
	start_with_page(test);
	host.guest = zap_from_inside;
	EXPECT_STATUS(test, td_enter(&td, 0), LEFT, "VP.ENTER");
	EXPECT_STATUS(test, told[0], 0, "RANGE.BLOCK");
	EXPECT_STATUS(test, told[1], TRACK, "PAGE.REMOVE, same epoch");
	EXPECT_STATUS(test, told[2], 0, "TRACK");
	EXPECT_STATUS(test, told[3], TRACK, "PAGE.REMOVE, a vCPU still in the old epoch");
	EXPECT_STATUS(test, told[4], TDX_PREVIOUS_TLB_EPOCH_BUSY, "TRACK, again");
	EXPECT_STATUS(test, told[5], TRACK, "PAGE.REMOVE, nothing has changed");
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), 0, "PAGE.REMOVE, the vCPU is out");
	EXPECT_STATUS(test, td_track(&td), 0, "TRACK, the vCPU is out");
}

static void one_track_without_vcpus(struct kunit *test)
{
	start_with_page(test);
	OK(test, td_block(&td, TEST_GPA));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), TRACK, "PAGE.REMOVE before TRACK");
	OK(test, td_track(&td));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), 0, "PAGE.REMOVE");
}

/* 32 bits of the epoch are kept with a page. */
static void epoch_wraps(struct kunit *test)
{
	start_with_page(test);
	td_tdcs(&td)->td_epoch = U32_MAX;
	OK(test, td_block(&td, TEST_GPA));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), TRACK, "PAGE.REMOVE before TRACK");
	OK(test, td_track(&td));
	KUNIT_EXPECT_EQ(test, td_tdcs(&td)->td_epoch, BIT_ULL(32));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), 0, "PAGE.REMOVE");
}

/* A block begins a new wait: tracking from before does not count. */
static void track_before_block_is_void(struct kunit *test)
{
	start_with_page(test);
	OK(test, td_track(&td));
	OK(test, td_block(&td, TEST_GPA));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), TRACK, "PAGE.REMOVE");
	OK(test, td_track(&td));
	OK(test, td_unblock(&td, TEST_GPA));
	OK(test, td_block(&td, TEST_GPA));
	EXPECT_STATUS(test, td_remove(&td, TEST_GPA), TRACK, "PAGE.REMOVE, blocked anew");
}

static enum tdxm_access_result seen_inside;

static u64 touch(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	tdxm_guest_accept(h->m, vcpu, TEST_GPA, regs);
	seen_inside = tdxm_guest_access(h->m, vcpu, TEST_GPA, true, regs);
	return LEFT;
}

/* A vCPU that enters in a new epoch has forgotten its translations. */
static void entry_flushes_the_tlb(struct kunit *test)
{
	u64 flushes;

	start_with_page(test);
	host.guest = touch;
	td_enter(&td, 0);
	KUNIT_EXPECT_EQ(test, seen_inside, TDXM_ACCESS_OK);
	flushes = host_counter(&host, "guest.tlb_flush");
	td_enter(&td, 0);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "guest.tlb_flush"), flushes);
	KUNIT_EXPECT_NE(test, td_zap(&td, TEST_GPA), 0);
	td_enter(&td, 0);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "guest.tlb_flush"), flushes + 1);
	KUNIT_EXPECT_EQ(test, seen_inside, TDXM_ACCESS_EPT_VIOLATION);
}

static void enter_zero_stepped(void)
{
	struct tdxm_vcpu *vcpu = td.vcpu[0].vcpu;
	u32 i;

	for (i = 0; i < TDXM_ZERO_STEP_FAULTS; i++)
		vcpu->zs_gpa[i] = TEST_GPA;
	vcpu->zs_rip = vcpu->rip;
	vcpu->zs_count = TDXM_ZERO_STEP_FAULTS;
}

/* The filter wants the tree for itself, and the page to be there. */
static void zero_step(struct kunit *test)
{
	start_with_page(test);
	enter_zero_stepped();
	tdxm_trylock(host.m->lp, LOCK_SEPT_TREE, &td_tdcs(&td)->sept_lock, LOCK_SHARED);
	EXPECT_STATUS(test, td_enter(&td, 0), TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT, "VP.ENTER");
	tdxm_unlock(&td_tdcs(&td)->sept_lock, LOCK_SHARED);
	EXPECT_STATUS(test, td_enter(&td, 0), LEFT, "VP.ENTER, page there");
	KUNIT_EXPECT_NE(test, td_zap(&td, TEST_GPA), 0);
	enter_zero_stepped();
	EXPECT_STATUS(test, td_enter(&td, 0), TDX_EXIT_REASON_EPT_VIOLATION, "VP.ENTER, page gone");
}

/* --- teardown --- */

/* One step too early is refused, and does no harm to what comes. */
static void teardown_in_order(struct kunit *test)
{
	u64 page;

	start_with_page(test);
	page = td_pa_at(&td, TEST_GPA, 0);
	EXPECT_STATUS(test, seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0),
		      TDX_FLUSHVP_NOT_DONE, "VPFLUSHDONE, a vCPU is associated");
	EXPECT_STATUS(test, seamcall(&host, TDH_MNG_KEY_FREEID, td.tdr, 0, 0),
		      TDX_LIFECYCLE_STATE_INCORRECT, "KEY.FREEID before VPFLUSHDONE");
	OK(test, td_flush_vcpus(&td));
	OK(test, seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0));
	EXPECT_STATUS(test, seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0),
		      TDX_LIFECYCLE_STATE_INCORRECT, "VPFLUSHDONE, twice");
	EXPECT_STATUS(test, td_track(&td), TDX_TD_KEYS_NOT_CONFIGURED, "TRACK of a blocked TD");
	EXPECT_STATUS(test, seamcall(&host, TDH_MNG_KEY_FREEID, td.tdr, 0, 0),
		      TDX_WBCACHE_NOT_COMPLETE, "KEY.FREEID before CACHE.WB");
	OK(test, host_write_back(&host));
	EXPECT_STATUS(test, reclaim(&host, page), TDX_LIFECYCLE_STATE_INCORRECT,
		      "RECLAIM before KEY.FREEID");
	OK(test, seamcall(&host, TDH_MNG_KEY_FREEID, td.tdr, 0, 0));
	EXPECT_STATUS(test, reclaim(&host, td.tdr), TDX_TD_ASSOCIATED_PAGES_EXIST,
		      "RECLAIM of the TDR before its pages");
	OK(test, reclaim(&host, page));
	OK(test, td_stop_rest(&td));
	KUNIT_EXPECT_EQ(test, tdxm_pages_in_use(host.m), 0);
}

/* The module does not insist on this order; KVM has promised it. */
static void table_before_its_page(struct kunit *test)
{
	start_with_page(test);
	OK(test, td_flush_vcpus(&td) ?: td_free_hkid(&td));
	OK(test, reclaim(&host, td.ept[td.nr_ept - 1]));
	expect_finding(test, "X2", td.ept[td.nr_ept - 1]);
}

static const struct { const char *name; enum td_stage stage; } stages[] = {
	{ "created", STAGE_CREATED },
	{ "keys configured", STAGE_KEYED },
	{ "TDCS there", STAGE_TDCS },
	{ "initialized", STAGE_INITIALIZED },
	{ "runnable", STAGE_RUNNABLE },
};

KUNIT_ARRAY_PARAM_DESC(stage, stages, name);

static void teardown_from_stage(struct kunit *test)
{
	const typeof(stages[0]) *s = test->param_value;

	start(test, s->stage, 1);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "td.live"), 1);
	OK(test, td_stop(&td));
	KUNIT_EXPECT_EQ(test, host_counter(&host, "td.live"), 0);
	KUNIT_EXPECT_EQ(test, host_counter(&host, "vcpu.live"), 0);
	KUNIT_EXPECT_EQ(test, tdxm_pages_in_use(host.m), 0);
}

/* --- every status --- */

static u64 sys(u64 leaf)
{
	return seamcall(&host, leaf, 0, 0, 0);
}

static u64 unknown_leaf(void)
{
	return sys(TDX_LEAF_MASK);
}

static u64 page_beyond_memory(void)
{
	return td_aug(&td, TEST_GPA, host.m->cfg.nr_pages << PAGE_SHIFT);
}

static u64 td_is_locked(void)
{
	u32 *lock = &tdxm_pamt(host.m, td.tdr)->lock;
	u64 status;

	tdxm_trylock(host.m->lp, LOCK_TDR, lock, LOCK_EXCLUSIVE);
	status = td_track(&td);
	tdxm_unlock(lock, LOCK_EXCLUSIVE);
	return status;
}

static u64 guest_stands_back(void)
{
	u64 *entry = td_entry(&td, TEST_GPA, 0), status;

	*entry |= SEPT_TDHP;
	status = tdxm_entry_lock_guest(host.m->lp, entry);
	*entry &= ~SEPT_TDHP;
	return status;
}

static u64 no_tdr(void)
{
	return seamcall(&host, TDH_MEM_TRACK, td.tdcx[0], 0, 0);
}

static u64 tdr_before_its_pages(void)
{
	return td_flush_vcpus(&td) ?: td_free_hkid(&td) ?: reclaim(&host, td.tdr);
}

static u64 asked_while_down(void)
{
	u64 status;

	host.m->sys_down = 1;
	status = td_track(&td);
	host.m->sys_down = 0;
	return status;
}

static u64 one_tdcx_too_many(void)
{
	return seamcall(&host, TDH_MNG_ADDCX, host_page(&host), td.tdr, 0);
}

static u64 id_twice(void)
{
	u64 tdvpr = host_page(&host);

	return new_vcpu(tdvpr) ?:
	       seamcall(&host, TDH_VP_INIT | 1 << TDX_VERSION_SHIFT, tdvpr, 0, 0);
}

static u64 one_vcpu_too_many(void)
{
	u64 tdvpr = host_page(&host);

	return new_vcpu(tdvpr) ?:
	       seamcall(&host, TDH_VP_INIT | 1 << TDX_VERSION_SHIFT, tdvpr, 0, HOST_MAX_VCPUS);
}

static u64 vcpu_twice(void)
{
	return seamcall(&host, TDH_VP_INIT, td.vcpu[0].tdvpr, 0, 0);
}

static u64 vcpu_of_another_processor(void)
{
	u32 *lp = &td.vcpu[0].vcpu->assoc_lp, old = *lp;
	u64 status;

	*lp = old + 1;
	status = td_enter(&td, 0);
	*lp = old;
	return status;
}

static u64 tdr_reclaimed_alive(void)
{
	return reclaim(&host, td.tdr);
}

static u64 flushed_twice(void)
{
	return td_flush_vcpus(&td) ?: seamcall(&host, TDH_VP_FLUSH, td.vcpu[0].tdvpr, 0, 0);
}

static u64 hkid_twice(void)
{
	return seamcall(&host, TDH_MNG_CREATE, host_page(&host), HOST_KEYID, 0);
}

static u64 key_twice(void)
{
	return seamcall(&host, TDH_MNG_KEY_CONFIG, td.tdr, 0, 0);
}

static u64 freed_too_early(void)
{
	return seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0) ?:
	       seamcall(&host, TDH_MNG_KEY_FREEID, td.tdr, 0, 0);
}

static u64 blocked_too_early(void)
{
	return seamcall(&host, TDH_MNG_VPFLUSHDONE, td.tdr, 0, 0);
}

static u64 nothing_to_resume(void)
{
	return seamcall(&host, TDH_PHYMEM_CACHE_WB, 1, 0, 0);
}

static u64 write_back_interrupted(void)
{
	choose_write_back(true);
	return blocked_too_early() ?: sys(TDH_PHYMEM_CACHE_WB);
}

static u64 demote_interrupted(void)
{
	u64 status = td_aug(&td, GPA_2M(1) | 1, host.huge) ?: tracked(GPA_2M(1) | 1);

	if (status)
		return status;
	tdxm_inject(host.m, TDH_MEM_PAGE_DEMOTE, TDX_INTERRUPTED_RESTARTABLE, TDXM_INJECT_ONCE, 1);
	status = td_demote(&td, GPA_2M(1) | 1, host_page(&host));
	tdxm_inject(host.m, TDH_MEM_PAGE_DEMOTE, 0, TDXM_INJECT_OFF, 0);
	return status;
}

static u64 no_table(void)
{
	return td_aug(&td, GPA_2M(1), host_page(&host));
}

static u64 nothing_to_block(void)
{
	return td_block(&td, TEST_GPA);
}

static u64 aug(void)
{
	return td_aug(&td, TEST_GPA, host_page(&host));
}

static u64 removed_unblocked(void)
{
	return aug() ?: td_remove(&td, TEST_GPA);
}

static u64 blocked_twice(void)
{
	return aug() ?: td_block(&td, TEST_GPA) ?: td_block(&td, TEST_GPA);
}

static u64 removed_untracked(void)
{
	return aug() ?: td_block(&td, TEST_GPA) ?: td_remove(&td, TEST_GPA);
}

static u64 promoted_with_holes(void)
{
	return aug() ?: tracked(TEST_GPA | 1) ?: td_promote(&td, TEST_GPA | 1);
}

static u64 table_in_use(void)
{
	return aug() ?: tracked(TEST_GPA | 1) ?: td_remove_table(&td, TEST_GPA | 1);
}

static u64 epoch_in_use(void)
{
	u64 status;

	td_tdcs(&td)->refcount[0] = 1;
	td_tdcs(&td)->refcount[1] = 1;
	status = td_track(&td);
	td_tdcs(&td)->refcount[0] = 0;
	td_tdcs(&td)->refcount[1] = 0;
	return status;
}

static u64 unknown_field(void)
{
	return seamcall(&host, TDH_MNG_RD, td.tdr, ~0ULL, 0);
}

static u64 unreadable_field(void)
{
	return seamcall(&host, TDH_SYS_RD, 0, ~0ULL, 0);
}

static u64 read_only_field(void)
{
	return seamcall(&host, TDH_VP_WR, td.vcpu[0].tdvpr, MD_TDVPS_STATE_DETAILS, 0);
}

static u64 zero_stepped(void)
{
	enter_zero_stepped();
	return td_enter(&td, 0);
}

static u64 track(void)
{
	return td_track(&td);
}

static u64 finalize(void)
{
	return seamcall(&host, TDH_MR_FINALIZE, td.tdr, 0, 0);
}

/**
 * struct status_case - a status, and how it comes about
 * @status: the status
 * @stage: of the TD
 * @vcpus: of the TD
 * @provoke: the last call's status
 * @name: the status' name
 * @leaf: instead of @provoke: a leaf of TDH.SYS.*
 */
struct status_case {
	u64 status;
	enum td_stage stage;
	u32 vcpus;
	u64 (*provoke)(void);
	const char *name;
	u64 leaf;
};

static const struct status_case status_cases[] = {
#define STATUS(s, operand, stage, vcpus, fn)	\
	{ TDX_##s | (operand), STAGE_##stage, vcpus, fn, #s }
#define SYS_STATUS(s, _leaf)	{ TDX_##s, STAGE_CREATED, 0, NULL, #s, _leaf }
	STATUS(SUCCESS, 0, RUNNABLE, 1, track),
	STATUS(OPERAND_INVALID, RAX, CREATED, 0, unknown_leaf),
	STATUS(OPERAND_ADDR_RANGE_ERROR, R8, RUNNABLE, 0, page_beyond_memory),
	STATUS(OPERAND_BUSY, RCX, RUNNABLE, 0, td_is_locked),
	STATUS(OPERAND_BUSY_HOST_PRIORITY, 0, RUNNABLE, 0, guest_stands_back),
	STATUS(PREVIOUS_TLB_EPOCH_BUSY, 0, RUNNABLE, 0, epoch_in_use),
	STATUS(PAGE_METADATA_INCORRECT, RCX, RUNNABLE, 0, no_tdr),
	STATUS(TD_ASSOCIATED_PAGES_EXIST, 0, RUNNABLE, 1, tdr_before_its_pages),
	SYS_STATUS(SYS_INIT_NOT_PENDING, TDH_SYS_INIT),
	SYS_STATUS(SYS_LP_INIT_DONE, TDH_SYS_LP_INIT),
	SYS_STATUS(SYS_CONFIG_NOT_PENDING, TDH_SYS_CONFIG),
	SYS_STATUS(SYS_KEY_CONFIG_NOT_PENDING, TDH_SYS_KEY_CONFIG),
	SYS_STATUS(TDMR_ALREADY_INITIALIZED, TDH_SYS_TDMR_INIT),
	SYS_STATUS(SYS_STATE_INCORRECT, TDH_SYS_SHUTDOWN),	/* a TD lives */
	STATUS(SYS_SHUTDOWN, 0, RUNNABLE, 0, asked_while_down),
	STATUS(TDCS_NOT_ALLOCATED, 0, KEYED, 0, track),
	STATUS(TD_KEYS_NOT_CONFIGURED, 0, CREATED, 0, track),
	STATUS(OP_STATE_INCORRECT, 0, RUNNABLE, 0, finalize),
	STATUS(LIFECYCLE_STATE_INCORRECT, 0, RUNNABLE, 0, tdr_reclaimed_alive),
	STATUS(TDCX_NUM_INCORRECT, 0, TDCS, 0, one_tdcx_too_many),
	STATUS(X2APIC_ID_NOT_UNIQUE, 0, INITIALIZED, 1, id_twice),
	STATUS(MAX_VCPUS_EXCEEDED, 0, INITIALIZED, HOST_MAX_VCPUS, one_vcpu_too_many),
	STATUS(VCPU_STATE_INCORRECT, VCPU_READY, INITIALIZED, 1, vcpu_twice),
	STATUS(VCPU_ASSOCIATED, 0, RUNNABLE, 1, vcpu_of_another_processor),
	STATUS(VCPU_NOT_ASSOCIATED, 0, RUNNABLE, 1, flushed_twice),
	STATUS(FLUSHVP_NOT_DONE, 0, RUNNABLE, 1, blocked_too_early),
	STATUS(HKID_NOT_FREE, RDX, CREATED, 0, hkid_twice),
	STATUS(KEY_CONFIGURED, 0, KEYED, 0, key_twice),
	STATUS(WBCACHE_NOT_COMPLETE, 0, KEYED, 0, freed_too_early),
	STATUS(WBCACHE_RESUME_ERROR, 0, CREATED, 0, nothing_to_resume),
	SYS_STATUS(NO_HKID_READY_TO_WBCACHE, TDH_PHYMEM_CACHE_WB),
	STATUS(INTERRUPTED_RESUMABLE, 0, KEYED, 0, write_back_interrupted),
	STATUS(INTERRUPTED_RESTARTABLE, 0, RUNNABLE, 0, demote_interrupted),
	STATUS(EPT_WALK_FAILED, RCX, RUNNABLE, 0, no_table),
	STATUS(EPT_ENTRY_STATE_INCORRECT, RCX, RUNNABLE, 0, nothing_to_block),
	STATUS(GPA_RANGE_NOT_BLOCKED, RCX, RUNNABLE, 0, removed_unblocked),
	STATUS(GPA_RANGE_ALREADY_BLOCKED, RCX, RUNNABLE, 0, blocked_twice),
	STATUS(TLB_TRACKING_NOT_DONE, RCX, RUNNABLE, 0, removed_untracked),
	STATUS(EPT_INVALID_PROMOTE_CONDITIONS, RCX, RUNNABLE, 0, promoted_with_holes),
	STATUS(EPT_PAGE_NOT_FREE, RCX, RUNNABLE, 0, table_in_use),
	STATUS(METADATA_FIELD_ID_INCORRECT, 0, RUNNABLE, 0, unknown_field),
	STATUS(METADATA_FIELD_NOT_READABLE, 0, RUNNABLE, 0, unreadable_field),
	STATUS(METADATA_FIELD_NOT_WRITABLE, 0, RUNNABLE, 1, read_only_field),
	STATUS(EXIT_REASON_EPT_VIOLATION, 0, RUNNABLE, 1, zero_stepped),
};

KUNIT_ARRAY_PARAM_DESC(status, status_cases, name);

static void status_comes_about(struct kunit *test)
{
	const struct status_case *c = test->param_value;

	start(test, c->stage, c->vcpus);
	if (c->stage == STAGE_RUNNABLE)
		OK(test, td_map_tables(&td, TEST_GPA));
	EXPECT_STATUS(test, c->provoke ? c->provoke() : sys(c->leaf), c->status, "%s", c->name);
}

/* --- planted misbehaviour: the module's own checks can fail --- */

static u64 touch_both(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	tdxm_guest_access(h->m, vcpu, SHARED_BIT | TEST_GPA, true, regs);
	return touch(h, vcpu, regs);
}

/* Private and shared memory comes, is used, goes, and is touched again. */
static void come_and_go(struct kunit *test)
{
	u64 page = host_page(&host), shared = host_page(&host);

	OK(test, td_aug(&td, TEST_GPA, page));
	shared_map(&td, TEST_GPA, shared | EPT_RWX | EPT_SVE);
	OK(test, seamcall4(&host, TDH_VP_WR, td.vcpu[0].tdvpr, MD_VMCS_SHARED_EPTP, td.eptp,
			   ~0ULL));
	host.guest = touch_both;
	td_enter(&td, 0);
	KUNIT_EXPECT_EQ(test, td_zap(&td, TEST_GPA), page);
	shared_map(&td, TEST_GPA, EPT_SVE);
	tdxm_invept(host.m, 0);
	tdxm_shared_given_back(host.m, td.tdr, TEST_GPA, PAGE_SIZE);
	memset(tdxm_env_va(page), 0x77, PAGE_SIZE);
	td_enter(&td, 0);
}

static const struct planted {
	const char *name;
	enum tdxm_plant plant;
	const char *what;
} plants[] = {
	{ "nothing", TDXM_PLANT_NONE },
	{ "L1, private", TDXM_PLANT_L1_PRIVATE,
	  "private access through a translation that is gone" },
	{ "L1, shared", TDXM_PLANT_L1_SHARED, "shared access through a translation that is gone" },
};

KUNIT_ARRAY_PARAM_DESC(plant, plants, name);

static void stale_translation(struct kunit *test)
{
	const struct planted *p = test->param_value;

	start(test, STAGE_RUNNABLE, 1);
	OK(test, td_map_tables(&td, TEST_GPA));
	tdxm_plant(host.m, p->plant);
	come_and_go(test);
	tdxm_plant(host.m, TDXM_PLANT_NONE);
	KUNIT_EXPECT_EQ(test, host.findings, !!p->what);
	if (p->what && host.findings)
		KUNIT_EXPECT_STREQ(test, host.finding.what, p->what);
	host.findings = 0;
}

/* Somebody has written to a page of the TD's: told when it comes back. */
static void page_is_damaged(struct kunit *test)
{
	const struct owned *o = test->param_value;
	u64 page, *word;

	start(test, STAGE_RUNNABLE, 1);
	OK(test, td_map_tables(&td, TEST_GPA));
	page = page_of(o->kind);
	OK(test, td_flush_vcpus(&td) ?: td_free_hkid(&td));
	word = (u64 *)tdxm_env_va(page) + 511;
	*word ^= BIT_ULL(55);
	host_sweep(&host);
	KUNIT_EXPECT_STREQ(test, host.finding_id, "X1");
	expect_finding(test, "X1", page);
}

static struct kunit_case stub_cases[] = {
	KUNIT_CASE_PARAM(leaf_works, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_busy_on_demand, leaf_gen_params),
	KUNIT_CASE_PARAM(leaf_after_shutdown, leaf_gen_params),
	KUNIT_CASE_PARAM(matrix, row_gen_params),
	KUNIT_CASE_PARAM(page_is_owned, owned_gen_params),
	KUNIT_CASE_PARAM(page_is_taken, taker_gen_params),
	KUNIT_CASE(huge_page_is_one),
	KUNIT_CASE(demote_and_promote),
	KUNIT_CASE_PARAM(lock_is_busy, busy_gen_params),
	KUNIT_CASE(sharers_get_along),
	KUNIT_CASE(host_priority),
	KUNIT_CASE(vcpu_inside_holds_its_epoch),
	KUNIT_CASE(one_track_without_vcpus),
	KUNIT_CASE(epoch_wraps),
	KUNIT_CASE(track_before_block_is_void),
	KUNIT_CASE(entry_flushes_the_tlb),
	KUNIT_CASE(zero_step),
	KUNIT_CASE(teardown_in_order),
	KUNIT_CASE(table_before_its_page),
	KUNIT_CASE_PARAM(teardown_from_stage, stage_gen_params),
	KUNIT_CASE_PARAM(status_comes_about, status_gen_params),
	KUNIT_CASE_PARAM(stale_translation, plant_gen_params),
	KUNIT_CASE_PARAM(page_is_damaged, owned_gen_params),
	{}
};

static struct kunit_suite stub_suite = {
	.name = "tdx_stub",
	.suite_init = stub_suite_init,
	.suite_exit = stub_suite_exit,
	.init = stub_init,
	.exit = stub_exit,
	.test_cases = stub_cases,
};

kunit_test_suite(stub_suite);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("KUnit tests of the emulated TDX module");
