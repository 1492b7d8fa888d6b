// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: a small model of KVM (mmu_lock, a mirror with frozen entries, kicks)
 * drives vCPUs, faults and zaps on several processors at once. A model that keeps
 * KVM's promises meets no status but success and BUSY, at most one BUSY in a row
 * where KVM retries once, and no finding; one that breaks them is caught.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "tdhost.h"
#include "kselftest_harness.h"

/* A thread may be off its CPU for as long as the host likes. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	200

#define NR_VCPUS	2
#define NR_GFNS		24
#define STRESS_MS	1500

enum mirror {
	MIRROR_NONE,
	MIRROR_FROZEN,
	MIRROR_PRESENT,
};

/* What the model of KVM forgets. */
enum bug {
	BUG_NONE,
	BUG_NO_KICK_AFTER_TRACK,
	BUG_NO_TRACK,
	BUG_NO_SHARED_FLUSH,
};

static struct {
	struct host h;
	struct test_td td;
	enum bug bug;
	int stop;
	int errors;		/* statuses that KVM would call a bug */
	u64 first_error;
	u32 first_leaf;
	pthread_rwlock_t mmu_lock;
	int wait_for_zap;
	int kick[NR_VCPUS], inside[NR_VCPUS], flush[NR_VCPUS];
	int mirror[NR_GFNS];
	u64 page[NR_GFNS + 8];
	u64 shared_page, *shared_spte;
	u64 zaps, maps, retries, shared_zaps, tds;
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

static u64 call(u32 leaf, u64 rcx, u64 rdx, u64 r8)
{
	struct tdxm_regs regs;

	return seamcall_on(&s.h, &regs, leaf, rcx, rdx, r8);
}

/* KVM_REQ_OUTSIDE_GUEST_MODE: returns when every vCPU has been outside. */
static void kick_all(void)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		__atomic_store_n(&s.kick[i], 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&s.inside[i], __ATOMIC_SEQ_CST))
			sched_yield();
	}
}

/* tdh_do_no_vcpus() */
static u64 do_no_vcpus(u32 leaf, u64 rcx)
{
	u64 status = call(leaf, rcx, s.td.tdr, 0);

	if (!busy(status))
		return status;
	s.retries++;
	__atomic_store_n(&s.wait_for_zap, 1, __ATOMIC_SEQ_CST);
	kick_all();
	status = call(leaf, rcx, s.td.tdr, 0);
	__atomic_store_n(&s.wait_for_zap, 0, __ATOMIC_SEQ_CST);
	return status;
}

static void zap(int gfn)
{
	u64 gpa = GPA_4K(gfn), status;

	status = do_no_vcpus(TDH_MEM_RANGE_BLOCK, gpa);
	if (status)
		return error(TDH_MEM_RANGE_BLOCK, status);
	if (s.bug != BUG_NO_TRACK) {
		status = do_no_vcpus(TDH_MEM_TRACK, s.td.tdr);
		if (status)
			return error(TDH_MEM_TRACK, status);
		if (s.bug != BUG_NO_KICK_AFTER_TRACK)
			kick_all();
	}
	status = do_no_vcpus(TDH_MEM_PAGE_REMOVE, gpa);
	if (status)
		return error(TDH_MEM_PAGE_REMOVE, status);
	status = call(TDH_PHYMEM_PAGE_WBINVD, s.page[gfn] | (u64)s.td.hkid << HOST_PHYS_BITS, 0, 0);
	if (status)
		return error(TDH_PHYMEM_PAGE_WBINVD, status);
	/* The host uses the page, and another guest page gets it. */
	memset(tdxm_env_va(s.page[gfn]), 0x33, 64);
	s.mirror[gfn] = MIRROR_NONE;
	__atomic_fetch_add(&s.zaps, 1, __ATOMIC_RELAXED);
}

/* Zap a page or two under mmu_lock for write, and shuffle the free pages. */
static void zap_some(u32 random)
{
	int gfn = random % NR_GFNS, spare = NR_GFNS + random / NR_GFNS % 8;

	pthread_rwlock_wrlock(&s.mmu_lock);
	if (s.mirror[gfn] == MIRROR_PRESENT)
		zap(gfn);
	if (s.mirror[gfn] == MIRROR_NONE) {
		u64 page = s.page[gfn];

		s.page[gfn] = s.page[spare];
		s.page[spare] = page;
	}
	pthread_rwlock_unlock(&s.mmu_lock);
}

/* mmu_notifier: the shared page goes away, all TLBs are flushed, then it is reused. */
static void zap_shared(void)
{
	int i;

	pthread_rwlock_wrlock(&s.mmu_lock);
	if (__atomic_exchange_n(s.shared_spte, EPT_SVE, __ATOMIC_SEQ_CST) != EPT_SVE) {
		for (i = 0; s.bug != BUG_NO_SHARED_FLUSH && i < NR_VCPUS; i++)
			__atomic_store_n(&s.flush[i], 1, __ATOMIC_SEQ_CST);
		if (s.bug != BUG_NO_SHARED_FLUSH)
			kick_all();
		tdxm_shared_given_back(s.h.m, s.td.tdr, TEST_GPA, PAGE_SIZE);
		s.shared_zaps++;
	}
	pthread_rwlock_unlock(&s.mmu_lock);
}

/* The fault path: mmu_lock for read, the entry is frozen around the SEAMCALL. */
static void map(int gfn)
{
	u64 status;
	int none = MIRROR_NONE;

	pthread_rwlock_rdlock(&s.mmu_lock);
	if (__atomic_compare_exchange_n(&s.mirror[gfn], &none, MIRROR_FROZEN, false,
					__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		status = call(TDH_MEM_PAGE_AUG, GPA_4K(gfn), s.td.tdr, s.page[gfn]);
		__atomic_store_n(&s.mirror[gfn], status ? MIRROR_NONE : MIRROR_PRESENT,
				 __ATOMIC_SEQ_CST);
		if (status && !busy(status))
			error(TDH_MEM_PAGE_AUG, status);
		if (!status)
			__atomic_fetch_add(&s.maps, 1, __ATOMIC_SEQ_CST);
	}
	pthread_rwlock_unlock(&s.mmu_lock);
}

static void map_shared(void)
{
	pthread_rwlock_rdlock(&s.mmu_lock);
	__atomic_store_n(s.shared_spte, s.shared_page | EPT_RWX | EPT_SVE,
			 __ATOMIC_SEQ_CST);
	pthread_rwlock_unlock(&s.mmu_lock);
}

/* The guest: random accesses until it is kicked; ACCEPT where needed. */
static u64 guest(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	u32 id = tdxm_vcpu_index(vcpu), i;
	/* Short stays make more faults; a missing kick shows if the guest stays. */
	u32 accesses = s.bug == BUG_NO_KICK_AFTER_TRACK ? 100000 : 50;
	enum tdxm_access_result r;
	u64 gpa;

	for (i = 0; i < accesses && !__atomic_load_n(&s.kick[id], __ATOMIC_SEQ_CST); i++) {
		u32 random = tdxm_vcpu_random(vcpu);

		gpa = GPA_4K(random % NR_GFNS);
		if (random >> 28 == 0)
			gpa = SHARED_BIT | TEST_GPA;
		if (random >> 27 == 7)
			tdxm_vcpu_set_rip(vcpu, random & 256);
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
	u64 status;

	tdxm_env_user_set_lp(id + 1);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&s.inside[id], 1, __ATOMIC_SEQ_CST);
		/* After the line above: either the kicker sees it, or this sees the kick. */
		if (__atomic_load_n(&s.wait_for_zap, __ATOMIC_SEQ_CST) ||
		    __atomic_exchange_n(&s.kick[id], 0, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&s.inside[id], 0, __ATOMIC_SEQ_CST);
			sched_yield();
			continue;
		}
		if (__atomic_exchange_n(&s.flush[id], 0, __ATOMIC_SEQ_CST))
			tdxm_invept(s.h.m, id + 1);
		status = seamcall_on(&s.h, &regs, TDH_VP_ENTER, s.td.vcpu[id].tdvpr, 0, 0);
		__atomic_store_n(&s.inside[id], 0, __ATOMIC_SEQ_CST);

		if (status == TDX_EXIT_REASON_EPT_VIOLATION) {
			if (regs.r8 & SHARED_BIT)
				map_shared();
			else
				map((regs.r8 - TEST_GPA) >> PAGE_SHIFT);
		} else if (status != 77 && !busy(status)) {
			error(TDH_VP_ENTER, status);
		}
		sched_yield();	/* fewer processors than threads: let the host in */
	}
	call(TDH_VP_FLUSH, s.td.vcpu[id].tdvpr, 0, 0);
	return NULL;
}

static void *zap_thread(void *arg)
{
	u64 random = 12345;

	tdxm_env_user_set_lp(NR_VCPUS + 1);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&s.errors, __ATOMIC_SEQ_CST)) {
		zap_some(tdxm_random_next(&random) >> 33);
		if (random >> 61 == 0)
			zap_shared();
		sched_yield();
	}
	return NULL;
}

/* Other TDs come and go meanwhile; they share nothing but the module. */
static void *life_thread(void *arg)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	u64 next = HOST_PAGES / 4 * 3;
	struct host own = { .m = s.h.m };
	struct test_td td;

	tdxm_env_user_set_lp(0);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		own.next_pfn = next;
		if (td_start(&own, &td, HOST_KEYID + 1, STAGE_RUNNABLE, 1) ||
		    td_map_tables(&td, TEST_GPA) || td_aug(&td, TEST_GPA, host_page(&own)) ||
		    !td_zap(&td, TEST_GPA) || td_stop(&td)) {
			error(TDH_MNG_CREATE, own.last.rax);
			return NULL;
		}
		__atomic_fetch_add(&s.tds, 1, __ATOMIC_RELAXED);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int setup(enum bug bug, u32 hold_ns, u32 busy_one_in)
{
	struct tdxm_config cfg = host_config;
	int i;

	memset(&s, 0, sizeof(s));
	s.bug = bug;
	pthread_rwlock_init(&s.mmu_lock, NULL);
	cfg.hold_ns = hold_ns;
	if (host_start(&s.h, &cfg) || td_start(&s.h, &s.td, HOST_KEYID, STAGE_RUNNABLE, NR_VCPUS) ||
	    td_map_tables(&s.td, TEST_GPA))
		return -1;
	for (i = 0; i < NR_GFNS + 8; i++)
		s.page[i] = host_page(&s.h);
	s.shared_page = host_page(&s.h);
	shared_map(&s.td, TEST_GPA, EPT_SVE);
	s.shared_spte = shared_spte(&s.td, TEST_GPA);
	for (i = 0; i < NR_VCPUS; i++) {
		u64 vpr = s.td.vcpu[i].tdvpr;

		if (seamcall4(&s.h, TDH_VP_WR, vpr, MD_VMCS_SHARED_EPTP, s.td.eptp, ~0ULL) ||
		    seamcall(&s.h, TDH_VP_FLUSH, vpr, 0, 0))
			return -1;
	}
	s.h.guest = guest;
	return tdxm_inject_busy(s.h.m, busy_one_in);
}

static bool busy_enough(bool life)
{
	return __atomic_load_n(&s.zaps, __ATOMIC_RELAXED) > 50 &&
	       (!life || __atomic_load_n(&s.tds, __ATOMIC_RELAXED) > 2) &&
	       host_counter(&s.h, "guest.tlb_hit") > 100 &&
	       host_counter(&s.h, "guest.accept") > 50;
}

/*
 * Run until time is up and enough has happened (on a busy machine that takes
 * longer) or, with a bug, until somebody has noticed.
 */
static void run_threads(bool life)
{
	pthread_t t[NR_VCPUS + 2];
	struct timespec tick = { .tv_nsec = 10000000 };
	long i;
	int ms;

	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&t[i], NULL, vcpu_thread, (void *)i);
	pthread_create(&t[NR_VCPUS], NULL, zap_thread, NULL);
	if (life)
		pthread_create(&t[NR_VCPUS + 1], NULL, life_thread, NULL);
	for (ms = 0; ms < 90000; ms += 10) {
		nanosleep(&tick, NULL);
		if (__atomic_load_n(&s.errors, __ATOMIC_SEQ_CST) ||
		    __atomic_load_n(&s.h.findings, __ATOMIC_SEQ_CST) ||
		    (!s.bug && ms >= STRESS_MS && busy_enough(life)))
			break;
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < NR_VCPUS + 1 + life; i++)
		pthread_join(t[i], NULL);
	tdxm_inject_busy(s.h.m, 0);
	tdxm_env_user_set_lp(0);
}

FIXTURE(clean) {
};

FIXTURE_VARIANT(clean) {
	u32 hold_ns, busy_one_in;
};

FIXTURE_VARIANT_ADD(clean, fast) { .hold_ns = 0 };
FIXTURE_VARIANT_ADD(clean, locks_held_longer) { .hold_ns = 3000 };
FIXTURE_VARIANT_ADD(clean, injected_busy) { .hold_ns = 500, .busy_one_in = 5 };

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

	ASSERT_EQ(0, setup(BUG_NONE, variant->hold_ns, variant->busy_one_in));
	run_threads(!variant->busy_one_in);	/* nobody retries for the other TDs */
	EXPECT_EQ(0, s.errors)
		TH_LOG("first: leaf %u status %llx", s.first_leaf, s.first_error);
	EXPECT_EQ(0, h->findings)
		TH_LOG("first: %s %s", h->finding_id, h->finding.what);
	EXPECT_GT(s.zaps, 50);
	EXPECT_EQ(!variant->busy_one_in, s.tds > 2);
	EXPECT_GT(host_counter(h, "guest.tlb_hit"), 100);
	EXPECT_GT(host_counter(h, "guest.accept"), 50);
	TH_LOG("%llu maps, %llu zaps (%llu retried), %llu shared zaps, %llu other TDs",
	       s.maps, s.zaps, s.retries, s.shared_zaps, s.tds);
	TH_LOG("%llu TLB hits, busy locks: %llu entry, %llu tree; zero-step %llu",
	       host_counter(h, "guest.tlb_hit"), host_counter(h, "lock.SEPT_ENTRY.busy"),
	       host_counter(h, "lock.SEPT_TREE.busy"), host_counter(h, "guest.zero_step"));

	/* The end: everything comes back. */
	for (i = 0; i < NR_GFNS; i++) {
		if (s.mirror[i] == MIRROR_PRESENT)
			zap(i);
	}
	EXPECT_EQ(0, s.errors);
	EXPECT_EQ(0, td_stop(&s.td));
	EXPECT_EQ(0, tdxm_pages_in_use(h->m));
	EXPECT_EQ(0, h->findings);
	EXPECT_EQ(0, host_stop(h));
	EXPECT_EQ(0, tdxm_env_user_live_allocs());
}

TEST(no_kick_after_track_is_caught)
{
	ASSERT_EQ(0, setup(BUG_NO_KICK_AFTER_TRACK, 0, 0));
	run_threads(false);
	EXPECT_NE(0, s.errors);
	EXPECT_TRUE((s.first_leaf == TDH_MEM_PAGE_REMOVE &&
		     s.first_error == (TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX)) ||
		    (s.first_leaf == TDH_MEM_TRACK &&
		     s.first_error == TDX_PREVIOUS_TLB_EPOCH_BUSY));
	EXPECT_EQ(0, s.h.findings);
}

TEST(no_track_is_caught)
{
	ASSERT_EQ(0, setup(BUG_NO_TRACK, 0, 0));
	run_threads(false);
	EXPECT_EQ(TDH_MEM_PAGE_REMOVE, s.first_leaf);
	EXPECT_EQ(TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX, s.first_error);
}

TEST(no_shared_flush_is_caught)
{
	ASSERT_EQ(0, setup(BUG_NO_SHARED_FLUSH, 0, 0));
	run_threads(false);
	EXPECT_NE(0, s.h.findings);
	EXPECT_STREQ("L1", s.h.finding_id);
}

TEST(a_planted_stale_private_translation_is_caught)
{
	ASSERT_EQ(0, setup(BUG_NO_TRACK, 0, 0));
	tdxm_plant(s.h.m, TDXM_PLANT_L1_PRIVATE);
	run_threads(false);
	EXPECT_NE(0, s.h.findings);
	EXPECT_STREQ("L1", s.h.finding_id);
}

/*
 * No model of KVM: one thread blocks and removes a page as soon as the module lets
 * it, another begins new epochs all the time, a vCPU uses the page. Whatever their
 * order, a page that could be removed is in nobody's TLB.
 */
static u64 use_page(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	u32 i, n = tdxm_vcpu_random(vcpu) % 1000;

	for (i = 0; i < n; i++) {
		if (tdxm_guest_access(h->m, vcpu, TEST_GPA, true, regs) == TDXM_ACCESS_PENDING)
			tdxm_guest_accept(h->m, vcpu, TEST_GPA, regs);
	}
	return 77;
}

static void *enter_thread(void *arg)
{
	struct tdxm_regs regs;

	tdxm_env_user_set_lp(1);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		seamcall_on(&s.h, &regs, TDH_VP_ENTER, s.td.vcpu[0].tdvpr, 0, 0);
		sched_yield();
	}
	return NULL;
}

static void *track_thread(void *arg)
{
	tdxm_env_user_set_lp(2);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		call(TDH_MEM_TRACK, s.td.tdr, 0, 0);
		sched_yield();
	}
	return NULL;
}

/* Until it is neither BUSY nor too early, or it is time to stop. */
static u64 insist(u32 leaf, u64 r8)
{
	u64 status;

	for (;;) {
		status = call(leaf, TEST_GPA, s.td.tdr, r8);
		if (!busy(status) && status != (TDX_TLB_TRACKING_NOT_DONE | TDX_OPERAND_ID_RCX))
			break;
		if (__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST))
			return status;
		sched_yield();
	}
	if (status)
		error(leaf, status);
	return status;
}

static void *remove_thread(void *arg)
{
	int i;

	tdxm_env_user_set_lp(3);
	while (!__atomic_load_n(&s.stop, __ATOMIC_SEQ_CST)) {
		if (insist(TDH_MEM_PAGE_AUG, s.page[0]))
			break;
		for (i = 0; i < 100 && td_state(&s.td, TEST_GPA) == SEPT_PENDING; i++)
			sched_yield();
		if (insist(TDH_MEM_RANGE_BLOCK, 0) || insist(TDH_MEM_PAGE_REMOVE, 0))
			break;
		memset(tdxm_env_va(s.page[0]), 0x33, PAGE_SIZE);
		__atomic_fetch_add(&s.zaps, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(what_can_be_removed_is_in_no_tlb)
{
	void *(*threads[])(void *) = { enter_thread, track_thread, remove_thread };
	struct timespec tick = { .tv_nsec = 10000000 };
	pthread_t t[ARRAY_SIZE(threads)];
	u32 i;
	int ms;

	ASSERT_EQ(0, setup(BUG_NONE, 0, 0));
	s.h.guest = use_page;
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_create(&t[i], NULL, threads[i], NULL);
	for (ms = 0; ms < 90000; ms += 10) {
		nanosleep(&tick, NULL);
		if (__atomic_load_n(&s.errors, __ATOMIC_SEQ_CST) ||
		    (ms >= STRESS_MS && __atomic_load_n(&s.zaps, __ATOMIC_RELAXED) > 50))
			break;
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(t[i], NULL);
	EXPECT_EQ(0, s.errors)
		TH_LOG("first: leaf %u status %llx", s.first_leaf, s.first_error);
	EXPECT_EQ(0, s.h.findings)
		TH_LOG("first: %s %s", s.h.finding_id, s.h.finding.what);
	EXPECT_GT(s.zaps, 50);
	TH_LOG("%llu pages removed, %llu accepted, %llu TLB hits", s.zaps,
	       host_counter(&s.h, "guest.accept"), host_counter(&s.h, "guest.tlb_hit"));
	host_stop(&s.h);
}

TEST_HARNESS_MAIN
