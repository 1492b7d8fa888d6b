// SPDX-License-Identifier: GPL-2.0
/*
 * Threads on huge pages: a small model of KVM maps 2M regions whole or page by
 * page, splits, merges and zaps them while vCPUs run and accept. A model that keeps
 * KVM's promises meets no status but success, BUSY (once where KVM retries once),
 * interruptions, and "cannot be merged" exactly where that is true; and no finding.
 * Also where several threads change regions at once, with mmu_lock held for read.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tdhost.h"
#include "kselftest_harness.h"

/* A thread may be off its CPU for as long as the host likes. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	200
#define PATIENCE_MS		20000

#define NR_VCPUS	2
#define NR_MMU		2	/* threads that change regions */
#define NR_REGIONS	3
#define NR_TOUCHED	12	/* 4K pages of a region that the guest knows */
#define STRESS_MS	1500
#define L1		1
#define GPA_2M(i)	(TEST_GPA + (u64)(i) * SIZE_2M)

enum shape {
	REGION_NONE,
	REGION_FROZEN,
	REGION_HUGE,
	REGION_TABLE,
};

/* What the model of KVM forgets. */
enum bug {
	BUG_NONE,
	BUG_SPLIT_NO_TRACK,
	BUG_SPLIT_NO_KICK,
	BUG_SPLIT_NOT_BLOCKED,
	BUG_MERGE_NO_TRACK,
	BUG_TABLE_NOT_EMPTY,
};

/* An entry of a region that is a table. */
enum page {
	PAGE_NONE,
	PAGE_FROZEN,		/* by a fault */
	PAGE_PRESENT,
	PAGE_KEPT_OUT,		/* nobody may map it: the region changes */
};

struct region {
	int shape;
	int next;		/* its shape after thaw(), of whoever froze it */
	u8 mapped[512];
};

static struct {
	struct host h;
	struct test_td td;
	enum bug bug;
	bool shared;		/* regions are changed with mmu_lock held for read */
	bool interrupts;	/* BUSY is injected: DEMOTE is interrupted, too */
	int stop, errors;
	u64 first_error;
	u32 first_leaf;
	pthread_rwlock_t mmu_lock;
	pthread_mutex_t track_lock;
	int wait_for_zap;
	int kick[NR_VCPUS], inside[NR_VCPUS];
	struct region region[NR_REGIONS];
	u64 tables[NR_REGIONS];		/* the page for each region's table */
	u64 splits, merges, refused, zaps, huge_maps, maps, retries, interrupted;
} s;

static bool busy(u64 status)
{
	return (status & TDX_SEAMCALL_STATUS_MASK) == TDX_OPERAND_BUSY;
}

static void error(u32 leaf, u64 status)
{
	if (__atomic_fetch_add(&s.errors, 1, __ATOMIC_SEQ_CST))
		return;
	s.first_error = status;
	s.first_leaf = leaf;
}

/* As KVM does: an interrupted leaf is called again, whatever else happens. */
static u64 call(u32 leaf, u64 rcx, u64 r8)
{
	struct tdxm_regs regs;
	u64 status;

	do {
		status = seamcall_on(&s.h, &regs, leaf, rcx, s.td.tdr, r8);
		if (status == TDX_INTERRUPTED_RESTARTABLE)
			__atomic_fetch_add(&s.interrupted, 1, __ATOMIC_RELAXED);
	} while (status == TDX_INTERRUPTED_RESTARTABLE);
	return status;
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static void kick_all(void)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		__atomic_store_n(&s.kick[i], 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&s.inside[i], __ATOMIC_SEQ_CST))
			sched_yield();
	}
}

/*
 * tdh_do_no_vcpus(); @expected is no error either. With mmu_lock held for read other
 * threads are in the way, too, and one retry is not enough.
 */
static u64 do_no_vcpus(u32 leaf, u64 rcx, u64 r8, u64 expected)
{
	u64 status = call(leaf, rcx, r8), end;
	bool tried = false;

	if (busy(status)) {
		__atomic_fetch_add(&s.retries, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&s.wait_for_zap, 1, __ATOMIC_SEQ_CST);
		kick_all();
		end = now_ms() + PATIENCE_MS;
		while (busy(status) && (s.shared ? now_ms() < end : !tried)) {
			tried = true;
			status = call(leaf, rcx, r8);
			if (busy(status) && s.shared)
				sched_yield();
		}
		__atomic_fetch_add(&s.wait_for_zap, -1, __ATOMIC_SEQ_CST);
	}
	if (status && status != expected)
		error(leaf, status);
	return status;
}

/* Out of everybody's reach, unless the model has a bug. */
static bool unreach(u64 rcx, bool block, bool track, bool kick)
{
	bool ok;

	if (block && do_no_vcpus(TDH_MEM_RANGE_BLOCK, rcx, 0, 0))
		return false;
	/* The next epoch begins when nobody is left in the one before: one by one. */
	pthread_mutex_lock(&s.track_lock);
	ok = !track || !do_no_vcpus(TDH_MEM_TRACK, s.td.tdr, 0, 0);
	if (ok && kick)
		kick_all();
	pthread_mutex_unlock(&s.track_lock);
	return ok;
}

/* Also of a frozen region: a late fault looks at what its owner writes, see map(). */
static enum page get_page(struct region *r, int j)
{
	return __atomic_load_n(&r->mapped[j], __ATOMIC_SEQ_CST);
}

static void set_page(struct region *r, int j, enum page page)
{
	__atomic_store_n(&r->mapped[j], page, __ATOMIC_SEQ_CST);
}

static bool change_page(struct region *r, int j, u8 *from, enum page to)
{
	return __atomic_compare_exchange_n(&r->mapped[j], from, to, false,
					   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void set_pages(struct region *r, enum page page)
{
	int j;

	for (j = 0; j < 512; j++)
		set_page(r, j, page);
}

static void split(int i)
{
	struct region *r = &s.region[i];

	if (!unreach(GPA_2M(i) | L1, s.bug != BUG_SPLIT_NOT_BLOCKED,
		     s.bug != BUG_SPLIT_NO_TRACK, s.bug != BUG_SPLIT_NO_KICK))
		return;
	if (do_no_vcpus(TDH_MEM_PAGE_DEMOTE, GPA_2M(i) | L1, s.tables[i], 0))
		return;
	r->next = REGION_TABLE;
	set_pages(r, PAGE_PRESENT);
	__atomic_fetch_add(&s.splits, 1, __ATOMIC_RELAXED);
}

/* What the module will find: asked when nobody can change it any more. */
static bool can_be_merged(int i)
{
	u64 *p = tdxm_env_va(s.tables[i]), first = tdxm_read(&p[0]);
	enum sept_state state = tdxm_sept_state(first);
	int j;

	if (state != SEPT_MAPPED && state != SEPT_PENDING)
		return false;
	for (j = 1; j < 512; j++) {
		if (tdxm_sept_state(tdxm_read(&p[j])) != state)
			return false;
	}
	return true;
}

static void merge(int i)
{
	const u64 cannot = TDX_EPT_INVALID_PROMOTE_CONDITIONS | TDX_OPERAND_ID_RCX;
	struct region *r = &s.region[i];
	u64 status;
	bool can;

	if (!unreach(GPA_2M(i) | L1, true, s.bug != BUG_MERGE_NO_TRACK,
		     s.bug != BUG_MERGE_NO_TRACK))
		return;
	/* Somebody who has not been tracked may still accept one: then it is luck. */
	can = s.bug != BUG_MERGE_NO_TRACK && can_be_merged(i);
	status = do_no_vcpus(TDH_MEM_PAGE_PROMOTE, GPA_2M(i) | L1, 0, can ? 0 : cannot);
	if (!status && !can && s.bug != BUG_MERGE_NO_TRACK)
		error(TDH_MEM_PAGE_PROMOTE, cannot);
	if (!status) {
		memset(tdxm_env_va(s.tables[i]), 0x44, PAGE_SIZE);	/* the host's again */
		r->next = REGION_HUGE;
		__atomic_fetch_add(&s.merges, 1, __ATOMIC_RELAXED);
	} else if (status == cannot) {
		do_no_vcpus(TDH_MEM_RANGE_UNBLOCK, GPA_2M(i) | L1, 0, 0);
		__atomic_fetch_add(&s.refused, 1, __ATOMIC_RELAXED);
	}
}

/* All pages of a table with one TRACK between them. */
static bool zap_pages(int i, int nr)
{
	struct region *r = &s.region[i];
	int j;

	for (j = 0; j < nr; j++) {
		if (get_page(r, j) == PAGE_PRESENT &&
		    !unreach(GPA_2M(i) + j * PAGE_SIZE, true, false, false))
			return false;
	}
	if (!unreach(0, false, true, true))
		return false;
	for (j = 0; j < nr; j++) {
		if (get_page(r, j) != PAGE_PRESENT)
			continue;
		if (do_no_vcpus(TDH_MEM_PAGE_REMOVE, GPA_2M(i) + j * PAGE_SIZE, 0, 0))
			return false;
		memset(tdxm_env_va(HUGE_PA(i) + j * PAGE_SIZE), 0x33, 64);
		set_page(r, j, PAGE_KEPT_OUT);
		__atomic_fetch_add(&s.zaps, 1, __ATOMIC_RELAXED);
	}
	return true;
}

static void zap(int i, bool all)
{
	struct region *r = &s.region[i];

	if (r->next == REGION_HUGE) {
		if (unreach(GPA_2M(i) | L1, true, true, true) &&
		    !do_no_vcpus(TDH_MEM_PAGE_REMOVE, GPA_2M(i) | L1, 0, 0)) {
			memset(tdxm_env_va(HUGE_PA(i)), 0x33, SIZE_2M);
			r->next = REGION_NONE;
			__atomic_fetch_add(&s.zaps, 1, __ATOMIC_RELAXED);
		}
		return;
	}
	if (zap_pages(i, all ? 512 : 2) && (all || s.bug == BUG_TABLE_NOT_EMPTY) &&
	    unreach(GPA_2M(i) | L1, true, true, true) &&
	    !do_no_vcpus(TDH_MEM_SEPT_REMOVE, GPA_2M(i) | L1, 0, 0)) {
		memset(tdxm_env_va(s.tables[i]), 0x44, PAGE_SIZE);
		r->next = REGION_NONE;
	}
}

/* A fault in a table, which may be frozen or gone by now: some are late, to find it so. */
static void map_page(struct region *r, u64 gpa, u64 pa)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	int j = gpa / PAGE_SIZE % 512;
	u8 page = PAGE_NONE;
	u64 status;

	if (s.shared && j % 7 == 0)
		nanosleep(&moment, NULL);
	if (!change_page(r, j, &page, PAGE_FROZEN))
		return;
	status = call(TDH_MEM_PAGE_AUG, gpa, pa);
	set_page(r, j, status ? PAGE_NONE : PAGE_PRESENT);
	if (status && !busy(status))
		error(TDH_MEM_PAGE_AUG, status);
	__atomic_fetch_add(&s.maps, !status, __ATOMIC_RELAXED);
}

/* The fault path, mmu_lock for read: who finds nothing freezes it and maps. */
static void map(u64 gpa, bool huge)
{
	int i = (gpa - TEST_GPA) / SIZE_2M, shape = REGION_NONE;
	struct region *r = &s.region[i];
	u64 status;

	pthread_rwlock_rdlock(&s.mmu_lock);
	if (__atomic_compare_exchange_n(&r->shape, &shape, REGION_FROZEN, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (huge)
			status = call(TDH_MEM_PAGE_AUG, GPA_2M(i) | L1, HUGE_PA(i));
		else
			status = call(TDH_MEM_SEPT_ADD, GPA_2M(i) | L1, s.tables[i]);
		if (!status && !huge)
			set_pages(r, PAGE_NONE);
		if (!status)
			__atomic_fetch_add(&s.huge_maps, huge, __ATOMIC_RELAXED);
		__atomic_store_n(&r->shape, status ? REGION_NONE : huge ? REGION_HUGE :
				 REGION_TABLE, __ATOMIC_SEQ_CST);
		if (status && !busy(status))
			error(TDH_MEM_PAGE_AUG, status);
	} else if (shape == REGION_TABLE) {
		map_page(r, gpa, HUGE_PA(i) + (gpa - GPA_2M(i)));
	}
	pthread_rwlock_unlock(&s.mmu_lock);
}

/* Now and then all of a table is filled, so that it can be merged. */
static void fill(int i)
{
	struct region *r = &s.region[i];
	u64 status;
	int j;

	for (j = 0; j < 512; j++) {
		if (get_page(r, j) == PAGE_PRESENT)
			continue;
		do {
			status = call(TDH_MEM_PAGE_AUG, GPA_2M(i) + j * PAGE_SIZE,
				      HUGE_PA(i) + j * PAGE_SIZE);
		} while (busy(status));
		if (status)
			return error(TDH_MEM_PAGE_AUG, status);
		set_page(r, j, PAGE_PRESENT);
	}
}

/*
 * Freeze a region, and as the TDP MMU does with a table, each of its entries: a
 * fault on one that is frozen already is waited for.
 */
static bool freeze(struct region *r)
{
	int shape = __atomic_load_n(&r->shape, __ATOMIC_SEQ_CST), j;
	u8 page;

	if ((shape != REGION_HUGE && shape != REGION_TABLE) ||
	    !__atomic_compare_exchange_n(&r->shape, &shape, REGION_FROZEN, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	r->next = shape;
	for (j = 0; shape == REGION_TABLE && j < 512; j++) {
		do {
			page = PAGE_NONE;
			if (change_page(r, j, &page, PAGE_KEPT_OUT))
				break;
			if (page == PAGE_FROZEN)
				sched_yield();
		} while (page == PAGE_FROZEN);
	}
	return true;
}

/* Who is late with a fault on a table that is gone finds its entries frozen for ever. */
static void thaw(struct region *r)
{
	int j;

	for (j = 0; r->next == REGION_TABLE && j < 512; j++) {
		if (get_page(r, j) == PAGE_KEPT_OUT)
			set_page(r, j, PAGE_NONE);
	}
	__atomic_store_n(&r->shape, r->next, __ATOMIC_SEQ_CST);
}

static void change(int i, u32 random)
{
	if (s.region[i].next == REGION_HUGE) {
		if (random >> 29)
			split(i);
		else
			zap(i, true);
	} else if (random >> 28 == 0) {
		fill(i);
	} else if (random >> 28 < 4) {
		zap(i, random >> 28 == 1 && s.bug != BUG_TABLE_NOT_EMPTY);
	} else {
		merge(i);
	}
}

static void change_one(u32 random)
{
	int i = random % NR_REGIONS;

	if (s.shared)
		pthread_rwlock_rdlock(&s.mmu_lock);
	else
		pthread_rwlock_wrlock(&s.mmu_lock);
	if (freeze(&s.region[i])) {
		change(i, random);
		thaw(&s.region[i]);
	}
	pthread_rwlock_unlock(&s.mmu_lock);
}

/* The guest: random accesses until it is kicked; ACCEPT where needed. */
static u64 guest(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	u32 id = tdxm_vcpu_index(vcpu), i;
	u32 accesses = s.bug == BUG_SPLIT_NO_KICK ? 100000 : 50;
	enum tdxm_access_result r;

	for (i = 0; i < accesses && !__atomic_load_n(&s.kick[id], __ATOMIC_SEQ_CST); i++) {
		u32 random = tdxm_vcpu_random(vcpu);
		/* The first and last pages of a region, and some in between. */
		u64 gpa = GPA_2M(random % NR_REGIONS) + (random >> 8) % NR_TOUCHED * 46 * PAGE_SIZE;

		if (random >> 28 == 0)
			gpa |= 5 * PAGE_SIZE;
		r = tdxm_guest_access(h->m, vcpu, gpa, random & 128, regs);
		if (r == TDXM_ACCESS_PENDING)
			r = tdxm_guest_accept(h->m, vcpu, gpa, regs);
		if (r == TDXM_ACCESS_EPT_VIOLATION)
			return TDX_EXIT_REASON_EPT_VIOLATION;
	}
	return 77;
}

static void *vcpu_thread(void *arg)
{
	struct tdxm_regs regs;
	long id = (long)arg;
	u64 status, n = 0;

	tdxm_env_user_set_lp(id + 1);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&s.inside[id], 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&s.wait_for_zap, __ATOMIC_SEQ_CST) ||
		    __atomic_exchange_n(&s.kick[id], 0, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&s.inside[id], 0, __ATOMIC_SEQ_CST);
			sched_yield();
			continue;
		}
		status = seamcall_on(&s.h, &regs, TDH_VP_ENTER, s.td.vcpu[id].tdvpr, 0, 0);
		__atomic_store_n(&s.inside[id], 0, __ATOMIC_SEQ_CST);

		if (status == TDX_EXIT_REASON_EPT_VIOLATION)
			map(regs.r8, ++n % 4);
		else if (status != 77 && !busy(status))
			error(TDH_VP_ENTER, status);
		sched_yield();
	}
	seamcall_on(&s.h, &regs, TDH_VP_FLUSH, s.td.vcpu[id].tdvpr, 0, 0);
	return NULL;
}

static void *mmu_thread(void *arg)
{
	u64 random = 4711 + (long)arg;

	tdxm_env_user_set_lp(NR_VCPUS + 1 + (long)arg);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&s.errors, __ATOMIC_SEQ_CST)) {
		change_one(tdxm_random_next(&random) >> 32);
		sched_yield();
	}
	return NULL;
}

/* An observer with mmu_lock for read: what it reads is one of the legal pictures. */
static void *observer_thread(void *arg)
{
	u64 n = 0, pa;
	u8 state;

	tdxm_env_user_set_lp(NR_VCPUS + NR_MMU + 1);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		int i = n++ % NR_REGIONS, j = n % 512;

		pthread_rwlock_rdlock(&s.mmu_lock);
		if (!tdxm_sept_read(s.h.m, s.td.tdr, GPA_2M(i), 1, &pa, &state) &&
		    tdxm_sept_is_leaf(state) && pa != HUGE_PA(i))
			error(TDH_MEM_PAGE_AUG, pa);
		if (!tdxm_sept_read(s.h.m, s.td.tdr, GPA_2M(i) + j * PAGE_SIZE, 0, &pa, &state) &&
		    tdxm_sept_is_leaf(state) && pa != HUGE_PA(i) + j * PAGE_SIZE)
			error(TDH_MEM_PAGE_DEMOTE, pa);
		pthread_rwlock_unlock(&s.mmu_lock);
		sched_yield();
	}
	return NULL;
}

static int setup(enum bug bug, bool shared, u32 hold_ns, u32 busy_one_in)
{
	struct tdxm_config cfg = host_config;
	int i;

	memset(&s, 0, sizeof(s));
	s.bug = bug;
	s.shared = shared;
	s.interrupts = busy_one_in;
	pthread_rwlock_init(&s.mmu_lock, NULL);
	pthread_mutex_init(&s.track_lock, NULL);
	cfg.hold_ns = hold_ns;
	cfg.max_leaf_level = 1;
	if (host_start(&s.h, &cfg) ||
	    td_start(&s.h, &s.td, HOST_KEYID, STAGE_RUNNABLE, NR_VCPUS) ||
	    td_map_tables_to(&s.td, TEST_GPA, 1))
		return -1;
	for (i = 0; i < NR_REGIONS; i++)
		s.tables[i] = host_page(&s.h);
	for (i = 0; i < NR_VCPUS; i++) {
		if (seamcall(&s.h, TDH_VP_FLUSH, s.td.vcpu[i].tdvpr, 0, 0))
			return -1;
	}
	s.h.guest = guest;
	return tdxm_inject_busy(s.h.m, busy_one_in);
}

static bool busy_enough(void)
{
	return __atomic_load_n(&s.splits, __ATOMIC_RELAXED) > 20 &&
	       __atomic_load_n(&s.merges, __ATOMIC_RELAXED) > 5 &&
	       __atomic_load_n(&s.refused, __ATOMIC_RELAXED) > 0 &&
	       __atomic_load_n(&s.zaps, __ATOMIC_RELAXED) > 20 &&
	       __atomic_load_n(&s.huge_maps, __ATOMIC_RELAXED) > 5 &&
	       (!s.interrupts || __atomic_load_n(&s.interrupted, __ATOMIC_RELAXED) > 0) &&
	       host_counter(&s.h, "guest.tlb_hit") > 100 &&
	       host_counter(&s.h, "guest.accept") > 20;
}

/*
 * Run until time is up and enough has happened (on a busy machine that takes
 * longer) or, with a bug, until somebody has noticed.
 */
static void run_threads(void)
{
	struct timespec tick = { .tv_nsec = 10000000 };
	pthread_t t[NR_VCPUS + NR_MMU + 1];
	int ms, n = 0;
	long i;

	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&t[n++], NULL, vcpu_thread, (void *)i);
	for (i = 0; i < NR_MMU; i++)
		pthread_create(&t[n++], NULL, mmu_thread, (void *)i);
	/* With mmu_lock held for read tables go while others look: nothing to observe. */
	if (!s.shared)
		pthread_create(&t[n++], NULL, observer_thread, NULL);
	for (ms = 0; ms < 90000; ms += 10) {
		nanosleep(&tick, NULL);
		if (__atomic_load_n(&s.errors, __ATOMIC_SEQ_CST) ||
		    (!s.bug && ms >= STRESS_MS && busy_enough()))
			break;
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
	while (n--)
		pthread_join(t[n], NULL);
	tdxm_inject_busy(s.h.m, 0);
	tdxm_env_user_set_lp(0);
}

FIXTURE(clean) {
};

FIXTURE_VARIANT(clean) {
	bool shared;
	u32 hold_ns, busy_one_in;
};

FIXTURE_VARIANT_ADD(clean, fast) { .hold_ns = 0 };
FIXTURE_VARIANT_ADD(clean, injected_busy) { .hold_ns = 500, .busy_one_in = 5 };
FIXTURE_VARIANT_ADD(clean, shared) { .shared = true, .hold_ns = 200, .busy_one_in = 50 };

FIXTURE_SETUP(clean)
{
}

FIXTURE_TEARDOWN(clean)
{
}

TEST_F(clean, run)
{
	struct host *h = &s.h;
	int i;

	ASSERT_EQ(0, setup(BUG_NONE, variant->shared, variant->hold_ns, variant->busy_one_in));
	run_threads();
	EXPECT_EQ(0, s.errors)
		TH_LOG("first: leaf %u status %llx", s.first_leaf, s.first_error);
	EXPECT_EQ(0, h->findings)
		TH_LOG("first: %s %s", h->finding_id, h->finding.what);
	EXPECT_GT(s.splits, 20);
	EXPECT_GT(s.merges, 5);
	EXPECT_GT(s.refused, 0);
	EXPECT_GT(s.zaps, 20);
	EXPECT_GT(s.huge_maps, 5);
	EXPECT_GT(host_counter(h, "guest.tlb_hit"), 100);
	EXPECT_GT(host_counter(h, "guest.accept"), 20);
	EXPECT_EQ(!!variant->busy_one_in, s.interrupted > 0);
	TH_LOG("%llu splits, %llu merges, %llu refused, %llu pages zapped", s.splits, s.merges,
	       s.refused, s.zaps);
	TH_LOG("%llu 2M maps, %llu 4K, %llu retries, %llu interrupted, %llu TLB hits", s.huge_maps,
	       s.maps, s.retries, s.interrupted, host_counter(h, "guest.tlb_hit"));

	for (i = 0; i < NR_REGIONS; i++) {
		if (freeze(&s.region[i]))
			zap(i, true);
	}
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(0, td_stop(&s.td));
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(0, host_stop(h));
	EXPECT_EQ(0, tdxm_env_user_live_allocs());
}

/* A model that forgets something is told so by the status of the leaf it then calls. */
FIXTURE(forgetful) {
};

FIXTURE_VARIANT(forgetful) {
	enum bug bug;
	u32 leaf;
	u64 status;
};

FIXTURE_VARIANT_ADD(forgetful, no_track_before_a_split)
{
	.bug = BUG_SPLIT_NO_TRACK, .leaf = TDH_MEM_PAGE_DEMOTE,
	.status = TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX,
};

FIXTURE_VARIANT_ADD(forgetful, no_kick_before_a_split)
{
	.bug = BUG_SPLIT_NO_KICK, .leaf = TDH_MEM_PAGE_DEMOTE,
	.status = TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX,
};

FIXTURE_VARIANT_ADD(forgetful, not_blocked_before_a_split)
{
	.bug = BUG_SPLIT_NOT_BLOCKED, .leaf = TDH_MEM_PAGE_DEMOTE,
	.status = TDX_GPA_RANGE_NOT_BLOCKED | TDX_OPERAND_ID_RCX,
};

FIXTURE_VARIANT_ADD(forgetful, no_track_before_a_merge)
{
	.bug = BUG_MERGE_NO_TRACK, .leaf = TDH_MEM_PAGE_PROMOTE,
	.status = TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX,
};

FIXTURE_VARIANT_ADD(forgetful, a_table_that_is_not_empty)
{
	.bug = BUG_TABLE_NOT_EMPTY, .leaf = TDH_MEM_SEPT_REMOVE,
	.status = TDX_EPT_PAGE_NOT_FREE | TDX_OPERAND_ID_RCX,
};

FIXTURE_SETUP(forgetful)
{
}

FIXTURE_TEARDOWN(forgetful)
{
}

TEST_F(forgetful, is_caught)
{
	ASSERT_EQ(0, setup(variant->bug, false, 0, 0));
	run_threads();
	EXPECT_NE(0, s.errors);
	/* Missing the kick may show at the next TRACK already. */
	if (variant->bug != BUG_SPLIT_NO_KICK || s.first_leaf != TDH_MEM_TRACK) {
		EXPECT_EQ(variant->leaf, s.first_leaf);
		EXPECT_EQ(variant->status, s.first_error);
	} else {
		EXPECT_EQ(TDX_PREVIOUS_TLB_EPOCH_BUSY, s.first_error);
	}
	EXPECT_EQ(0, s.h.findings);
}

TEST_HARNESS_MAIN
