// SPDX-License-Identifier: GPL-2.0
/*
 * A guest that is run by a CPU (or a CPU model), not played by us, writes to its memory
 * and reads what it wrote, while the host takes, moves, logs, splits and write-protects
 * that memory. What KVM's direct roots say is then what a page walk finds there, and
 * what was flushed is what a CPU has forgotten:
 *
 *  - the guest reads what it wrote last, or nothing where the host has taken the page;
 *  - memory that it does not have any more does not change (L1);
 *  - each of its writes is in the dirty log that is read next (D1).
 */
#include <pthread.h>
#include <sys/mman.h>
#include <linux/mman.h>

#include "ks_test.h"

#define SMALL_PAGES	false
#define HUGE_PAGES	true

#define LONGS		(KS_MOVING / 64)
#define HUGE_BYTES	(KS_HUGE_PAGES << TD_PAGE_SHIFT)
#define MOVING_BYTES	(KS_MOVING << TD_PAGE_SHIFT)
#define LEAST		10	/* steps of each racer, */
#define LEAST_SLOTS	3	/* of those that change memslots, which takes KVM longer */
#define WRITES		8	/* of each vCPU, between two steps of a racer, */
#define REST_MS		2000	/* if they get there by then */
#define SHORT_REST_MS	20
#define WAIT_MS		60000

/* What is done to the guest; 1: the log is cleared by KVM_CLEAR_DIRTY_LOG. */
enum doing { MANUAL, LOG, MOVE, DISCARD, REPLACE, PROTECT, OPERATIONS, COLLAPSE, NR_DOINGS };

#define ALL	(BIT(LOG) | BIT(MOVE) | BIT(DISCARD) | BIT(REPLACE) | BIT(PROTECT) |	\
		 BIT(OPERATIONS))

/**
 * struct kept - pages that the guest does not have any more
 * @at: where the host has them now
 * @first: the guest's number of the first one
 * @nr: how many; 0: none
 * @word: what was in them when they were taken
 */
struct kept {
	char *at;
	u64 first;
	u64 nr;
	u64 word[KS_MOVING];
};

/**
 * struct dirty_log - what the dirty log must have
 * @vcpus: vCPUs
 * @read: how often it was read since it was switched on
 * @after: writes that each vCPU had begun when it had been read last
 * @before_that: when it had been read the time before
 * @last: what it said then
 * @claims: pages that had to be in it, and were
 */
struct dirty_log {
	unsigned int vcpus;
	unsigned int read;
	u64 after[KS_GUEST_CPUS];
	u64 before_that[KS_GUEST_CPUS];
	u64 last[LONGS];
	u64 claims;
};

/**
 * struct host - what is done to the guest, and by whom
 * @ks: the test
 * @guest: the guest
 * @slots: held by who changes memslots, or logs
 * @zaps: for reading: by who zaps. For writing: by who makes leafs huge, see findings;
 *	or the memory behind the moving pages another one
 * @vmas: held by who needs a range to be one VMA, or to stay the guest's
 * @manual: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
 * @log: dirty log
 * @aside: where replaced pages go, 2M
 * @replaced: the last of them
 * @other: memory for the moving pages that they are not in
 * @left: pages in there
 * @progress: writes that each vCPU had begun when they were seen to get on
 */
struct host {
	struct ks *ks;
	struct ks_guest *guest;
	pthread_mutex_t slots;
	pthread_rwlock_t zaps;
	pthread_mutex_t vmas;
	bool manual;
	struct dirty_log log;
	char *aside;
	struct kept replaced;
	char *other;
	struct kept left;
	u64 progress[KS_GUEST_CPUS];
};

FIXTURE(small_guest) {
	struct ks ks;
	struct td vm;
	struct ks_guest guest;
	struct host host;
};

FIXTURE_VARIANT(small_guest) { enum ks_backend backend; };
FIXTURE_VARIANT_ADD(small_guest, external) { .backend = KS_EXTERNAL };
FIXTURE_VARIANT_ADD(small_guest, emulated) { .backend = KS_EMULATED };
FIXTURE_VARIANT_ADD(small_guest, real) { .backend = KS_REAL };

FIXTURE_SETUP(small_guest)
{
	KS_SETUP();
	if (variant->backend != KS_EXTERNAL)
		SKIP(return, "a TD's code is in private memory, where nobody can put it here");
}

FIXTURE_TEARDOWN(small_guest)
{
	ks_guest_stop(&self->guest);
	EXPECT_SOUND(ks_check(&self->ks));
	td_destroy(&self->vm);
	EXPECT_SOUND(ks_close(&self->ks));
}

/* --- memory that is taken --- */

/**
 * struct range - some of the guest's pages, of one memslot
 * @first: the first one's number
 * @nr: how many
 */
struct range {
	u64 first, nr;
};

static struct range pick(struct ks_racer *r)
{
	struct range range = { .first = rng_below(&r->rng, KS_GUEST_PAGES) };
	u64 end = range.first < KS_MOVING ? KS_MOVING : KS_GUEST_PAGES;

	if (rng_one_in(&r->rng, 8)) {
		range.first &= ~(KS_HUGE_PAGES - 1);
		range.nr = KS_HUGE_PAGES;
		return range;
	}
	range.nr = 1 + rng_below(&r->rng, 32);
	if (range.nr > end - range.first)
		range.nr = end - range.first;
	return range;
}

static u64 bytes(const struct range *range)
{
	return range->nr << TD_PAGE_SHIFT;
}

static void count(u64 *counters, const struct range *range)
{
	u64 i;

	for (i = range->first; i < range->first + range->nr; i++)
		__atomic_fetch_add(&counters[i], 1, __ATOMIC_SEQ_CST);
}

static void begin_taking(struct host *h, const struct range *range)
{
	count(h->guest->home->taken, range);
}

static void end_taking(struct host *h, const struct range *range)
{
	count(h->guest->home->given, range);
}

static u64 *kept_word(const struct kept *k, u64 i)
{
	return (u64 *)(k->at + (i << TD_PAGE_SHIFT) + ks_word_offset(k->first + i));
}

static void keep(struct kept *k, char *at, const struct range *range)
{
	u64 i;

	k->at = at;
	k->first = range->first;
	k->nr = range->nr;
	for (i = 0; i < k->nr; i++)
		k->word[i] = KS_GET(*kept_word(k, i));
}

/* L1: who writes there has an old translation. */
static void check_kept(struct host *h, const struct kept *k, const char *what)
{
	u64 i;

	for (i = 0; i < k->nr; i++) {
		u64 now = KS_GET(*kept_word(k, i));

		if (now == k->word[i])
			continue;
		ks_guest_blame(h->guest, "L1: page %llu was written after %s: %#llx, then %#llx",
			       k->first + i, what, k->word[i], now);
		return;
	}
}

static void writes_of(const struct ks_guest *g, u64 *writes)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		writes[i] = KS_GET(g->home->box[i].writes);
}

/* Has every vCPU got on since? */
static bool got_on(const struct ks_guest *g, const u64 *since)
{
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		if (KS_GET(g->home->box[i].writes) < since[i] + WRITES)
			return false;
	return true;
}

/* Time for the guest, which else may come to nothing but faults on a busy machine. */
static void rest_for(struct ks_racer *r, u64 ms)
{
	struct host *h = r->ctx;
	u64 since[KS_GUEST_CPUS], start = ks_now_ms();

	writes_of(h->guest, since);
	do {
		usleep(rng_below(&r->rng, 1000));
	} while (!got_on(h->guest, since) && ks_now_ms() - start < ms);
}

static void rest(struct ks_racer *r)
{
	rest_for(r, REST_MS);
}

/* --- steps --- */

static int step_discard(struct ks_racer *r)
{
	struct range range = pick(r);
	struct host *h = r->ctx;
	int ret;

	r->call = TD_CALL_MADVISE;
	pthread_rwlock_rdlock(&h->zaps);
	begin_taking(h, &range);
	ret = madvise(ks_guest_page(h->guest, range.first), bytes(&range), MADV_DONTNEED);
	end_taking(h, &range);
	pthread_rwlock_unlock(&h->zaps);
	rest(r);
	return ret ? -errno : 0;
}

/* The pages go elsewhere, where the host sees them; there are new ones in their place. */
static int step_replace(struct ks_racer *r)
{
	const int how = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	struct range range = pick(r);
	struct host *h = r->ctx;
	void *to;

	r->call = TD_CALL_MMAP;
	pthread_mutex_lock(&h->vmas);
	check_kept(h, &h->replaced, "the host had replaced it");
	h->replaced.nr = 0;
	pthread_rwlock_rdlock(&h->zaps);
	begin_taking(h, &range);
	to = mremap(ks_guest_page(h->guest, range.first), bytes(&range), bytes(&range), how,
		    h->aside);
	if (to != MAP_FAILED)
		keep(&h->replaced, to, &range);
	end_taking(h, &range);
	pthread_rwlock_unlock(&h->zaps);
	pthread_mutex_unlock(&h->vmas);
	rest(r);
	/* a range that is several VMAs */
	return to == MAP_FAILED ? 1 : 0;
}

/* A page that the guest must not write keeps what it has, or becomes empty. */
static void check_protected(struct host *h, const struct kept *k, const u64 *taken)
{
	u64 i;

	for (i = 0; i < k->nr; i++) {
		u64 now = KS_GET(*kept_word(k, i));

		if (now == k->word[i] ||
		    (!now && KS_GET(h->guest->home->taken[k->first + i]) != taken[i]))
			continue;
		ks_guest_blame(h->guest, "L1: page %llu was written while read-only: %#llx, %#llx",
			       k->first + i, k->word[i], now);
		return;
	}
}

static int step_protect(struct ks_racer *r)
{
	struct range range = pick(r);
	struct host *h = r->ctx;
	u64 taken[KS_HUGE_PAGES];
	struct kept k;
	char *at;
	int ret;

	r->call = TD_CALL_MPROTECT;
	pthread_mutex_lock(&h->vmas);
	pthread_rwlock_rdlock(&h->zaps);
	at = ks_guest_page(h->guest, range.first);
	memcpy(taken, &h->guest->home->taken[range.first], range.nr * sizeof(u64));
	ret = mprotect(at, bytes(&range), PROT_READ);
	keep(&k, at, &range);
	pthread_rwlock_unlock(&h->zaps);
	/* vCPUs that want to write there do not get on */
	rest_for(r, SHORT_REST_MS);
	check_protected(h, &k, taken);
	pthread_rwlock_rdlock(&h->zaps);
	if (!ret)
		ret = mprotect(at, bytes(&range), PROT_READ | PROT_WRITE);
	pthread_rwlock_unlock(&h->zaps);
	pthread_mutex_unlock(&h->vmas);
	rest(r);
	return ret ? -errno : 0;
}

/* Small pages become a huge one: their memory is another one, with the same in it. */
static int step_collapse(struct ks_racer *r)
{
	u64 first = rng_below(&r->rng, KS_GUEST_PAGES / KS_HUGE_PAGES) * KS_HUGE_PAGES;
	struct host *h = r->ctx;
	int ret;

	r->call = TD_CALL_MADVISE;
	pthread_rwlock_rdlock(&h->zaps);
	ret = madvise(ks_guest_page(h->guest, first), HUGE_BYTES, MADV_COLLAPSE);
	pthread_rwlock_unlock(&h->zaps);
	rest(r);
	return ret ? -errno : 0;
}

/* The same pages at another place of the guest's. */
static int move(struct ks_racer *r, struct host *h)
{
	const struct td_slot *slot = &r->vm->slots[TD_SLOT_MOBILE];
	u64 gfn;

	do {
		gfn = td_mobile_gfn(r->vm, rng_below(&r->rng, TD_MOBILE_PLACES));
	} while (gfn == slot->gfn);
	r->call = TD_CALL_SLOT_MOVE;
	return td_slot_move(r->vm, TD_SLOT_MOBILE, gfn);
}

/* What the guest has there goes to the other memory; the old one has to stay as it is. */
static void swap_memory(struct host *h, struct td_slot *slot)
{
	const struct range all = { .nr = KS_MOVING };
	char *old = slot->hva;
	u64 i;

	pthread_mutex_lock(&h->vmas);
	pthread_rwlock_wrlock(&h->zaps);
	check_kept(h, &h->left, "its memslot had got other memory");
	slot->hva = h->other;
	keep(&h->left, old, &all);
	for (i = 0; i < KS_MOVING; i++)
		*(u64 *)(ks_guest_page(h->guest, i) + ks_word_offset(i)) = h->left.word[i];
	h->other = old;
	pthread_rwlock_unlock(&h->zaps);
	pthread_mutex_unlock(&h->vmas);
}

/* Other memory at the same place of the guest's. */
static int exchange(struct ks_racer *r, struct host *h)
{
	int ret;

	r->call = TD_CALL_SLOT_DELETE;
	ret = td_slot_delete(r->vm, TD_SLOT_MOBILE);
	if (ret)
		return ret;
	swap_memory(h, &r->vm->slots[TD_SLOT_MOBILE]);
	r->call = TD_CALL_SLOT_CREATE;
	return td_slot_create(r->vm, TD_SLOT_MOBILE);
}

/* Nobody could emulate an access behind no memslot: the guest stays away meanwhile. */
static int step_move(struct ks_racer *r)
{
	struct host *h = r->ctx;
	int ret = 1;

	pthread_mutex_lock(&h->slots);
	if (ks_guest_keep_off(h->guest, true)) {
		ret = rng_one_in(&r->rng, 2) ? move(r, h) : exchange(r, h);
		ks_guest_keep_off(h->guest, false);
	}
	pthread_mutex_unlock(&h->slots);
	rest(r);
	return ret;
}

/*
 * KVM's own entry points, as /dev/tdp_stress calls them: those that KVM has use for while
 * vCPUs run. @pages: they are done to some; @moving: which have to be moving ones, for
 * KVM does not do it to a memslot with guest_memfd.
 */
static const struct {
	u32 op, flags, level;
	bool pages, moving;
} operations[] = {
	{ .op = TDP_STRESS_OP_UNMAP, .pages = true },
	{ .op = TDP_STRESS_OP_UNMAP, .flags = TDP_STRESS_OP_FLAG_YIELD, .pages = true },
	{ .op = TDP_STRESS_OP_ZAP_LEAFS, .pages = true },
	{ .op = TDP_STRESS_OP_INVALIDATE },
	{ .op = TDP_STRESS_OP_INVALIDATE, .flags = TDP_STRESS_OP_FLAG_SHARED },
	{ .op = TDP_STRESS_OP_AGE, .pages = true },
	{ .op = TDP_STRESS_OP_TEST_AGE, .pages = true },
	{ .op = TDP_STRESS_OP_WRPROT_SLOT, .level = 1, .pages = true, .moving = true },
	{ .op = TDP_STRESS_OP_WRPROT_GFN, .level = 1, .pages = true, .moving = true },
	{ .op = TDP_STRESS_OP_SPLIT, .level = 1, .pages = true },
	{
		.op = TDP_STRESS_OP_SPLIT, .level = 1, .flags = TDP_STRESS_OP_FLAG_SHARED,
		.pages = true,
	},
	{ .op = TDP_STRESS_OP_RECOVER, .pages = true, .moving = true },
};

static int operate(struct ks_racer *r, struct host *h, u32 nr)
{
	struct range range = pick(r);
	struct tdp_stress_op op = {
		.op = operations[nr].op, .flags = operations[nr].flags,
		.level = operations[nr].level,
	};

	while (operations[nr].moving && range.first >= KS_MOVING)
		range = pick(r);
	if (operations[nr].pages) {
		op.gfn = ks_guest_gfn(h->guest, range.first);
		op.nr = range.nr;
	}
	if (op.op == TDP_STRESS_OP_UNMAP || op.op == TDP_STRESS_OP_SPLIT ||
	    op.op == TDP_STRESS_OP_RECOVER)
		op.roots = TDP_STRESS_ROOTS_DIRECT;
	return ks_op(h->ks, r->vm, &op);
}

static int step_operation(struct ks_racer *r)
{
	u32 nr = rng_below(&r->rng, ARRAY_SIZE(operations));
	struct host *h = r->ctx;
	int ret;

	r->call = TD_CALL_NONE;
	if (operations[nr].op == TDP_STRESS_OP_RECOVER)
		pthread_rwlock_wrlock(&h->zaps);
	else
		pthread_rwlock_rdlock(&h->zaps);
	ret = operate(r, h, nr);
	pthread_rwlock_unlock(&h->zaps);
	rest(r);
	/* its memslot has just gone, or moved */
	return ret == -ENOENT || ret == -ERANGE ? 1 : ret;
}

/* --- the dirty log --- */

static bool in(const u64 *bitmap, u64 page)
{
	return bitmap[page / 64] >> page % 64 & 1;
}

static void log_was_read(struct ks_guest *g, struct dirty_log *log, const u64 *bitmap)
{
	unsigned int i;

	memcpy(log->before_that, log->after, sizeof(log->after));
	for (i = 0; i < log->vcpus; i++)
		log->after[i] = KS_GET(g->home->box[i].writes);
	if (bitmap)
		memcpy(log->last, bitmap, sizeof(log->last));
	log->read = bitmap ? log->read + 1 : 0;
}

/*
 * D1. A write that was begun after the log had been read, and was complete before it is
 * read again, is in there. One that was begun a time earlier is in there, or was the
 * last time. @wrote: what was complete before.
 */
static void judge_log(struct ks_guest *g, struct dirty_log *log, const u64 *wrote,
		      const u64 *bitmap)
{
	u64 page;

	for (page = 0; page < KS_MOVING; page++) {
		u64 write = KS_WORD_WRITE(wrote[page]);
		unsigned int cpu = page % log->vcpus;
		bool here = in(bitmap, page), now = write > log->after[cpu];

		log->claims += here && now;
		if (here || (!now && (!log->read || write <= log->before_that[cpu] ||
				      in(log->last, page))))
			continue;
		ks_guest_blame(g, "D1: no page %llu (gfn %#llx) in the log, written at %llu > %llu",
			       page, ks_guest_gfn(g, page), write, log->after[cpu]);
		return;
	}
}

static int harvest(struct ks_racer *r, struct host *h)
{
	u64 wrote[KS_MOVING], bitmap[LONGS] = { 0 }, i;
	int ret;

	for (i = 0; i < KS_MOVING; i++)
		wrote[i] = KS_GET(h->guest->home->wrote[i]);
	r->call = TD_CALL_GET_DIRTY;
	ret = td_get_dirty_log(r->vm, TD_SLOT_MOBILE, bitmap);
	if (!ret && h->manual) {
		u64 clear[LONGS];

		memcpy(clear, bitmap, sizeof(clear));
		r->call = TD_CALL_CLEAR_DIRTY;
		ret = td_clear_dirty_log(r->vm, TD_SLOT_MOBILE, 0, KS_MOVING, clear);
	}
	if (ret)
		return ret;
	judge_log(h->guest, &h->log, wrote, bitmap);
	log_was_read(h->guest, &h->log, bitmap);
	return 0;
}

/* What was split becomes huge again. */
static int end_log(struct ks_racer *r, struct host *h)
{
	int ret;

	r->call = TD_CALL_SLOT_FLAGS;
	pthread_rwlock_wrlock(&h->zaps);
	ret = td_slot_set_flags(r->vm, TD_SLOT_MOBILE, 0);
	pthread_rwlock_unlock(&h->zaps);
	return ret;
}

/* On, read some times, and off again. */
static int step_log(struct ks_racer *r)
{
	struct host *h = r->ctx;
	u64 times = 2 + rng_below(&r->rng, 4);
	int ret;

	pthread_mutex_lock(&h->slots);
	r->call = TD_CALL_SLOT_FLAGS;
	ret = td_slot_set_flags(r->vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES);
	if (!ret)
		log_was_read(h->guest, &h->log, NULL);
	while (!ret && times--) {
		rest(r);
		ret = harvest(r, h);
	}
	if (!ret)
		ret = end_log(r, h);
	pthread_mutex_unlock(&h->slots);
	rest(r);
	return ret;
}

/* --- the guest --- */

/* Ends the race if anything is wrong. */
static int step_watch(struct ks_racer *r)
{
	struct host *h = r->ctx;

	r->call = TD_CALL_NONE;
	if (ks_guest_wrong(h->guest))
		return -EPROTO;
	rest(r);
	if (!got_on(h->guest, h->progress))
		return 1;
	writes_of(h->guest, h->progress);
	return 0;
}

/* All tables are looked at; what is wrong with them is told at the end of the test. */
static int step_check(struct ks_racer *r)
{
	struct host *h = r->ctx;

	r->call = TD_CALL_NONE;
	ks_check(h->ks);
	/* mmu_lock is held for write for as long as it takes */
	usleep(100000);
	return 0;
}

/* When it has stopped: what the host finds in its memory is what it wrote. */
static void compare(struct ks_guest *g)
{
	const struct ks_home *home = g->home;
	u64 page;

	for (page = 0; page < KS_GUEST_PAGES; page++) {
		u64 has = ks_guest_word(g, page), cpu = page % g->nr;

		if (has == home->wrote[page] || (!has && home->taken[page] != home->seen[page]))
			continue;
		/* it was stopped before it could say so */
		if (has == KS_WORD(home->box[cpu].writes, page, cpu))
			continue;
		ks_guest_blame(g, "page %llu has %#llx in the end, wanted %#llx", page, has,
			       home->wrote[page]);
		return;
	}
}

/* Every vCPU has written so often; false: it does not get there. */
static bool wait_writes(struct ks_guest *g, u64 writes)
{
	u64 start = ks_now_ms();
	unsigned int i;

	for (i = 0; i < g->nr; i++) {
		while (KS_GET(g->home->box[i].writes) < writes) {
			if (ks_guest_wrong(g) || ks_now_ms() - start >= WAIT_MS)
				return false;
			usleep(1000);
		}
	}
	return true;
}

static void tell(const struct host *h)
{
	const struct ks_guest *g = h->guest;
	unsigned int i;

	for (i = 0; i < g->nr; i++)
		printf("# guest: vCPU %u: %llu writes, %llu read, %llu empty, %llu no memory\n", i,
		       g->home->box[i].writes, g->home->box[i].reads, g->home->box[i].blanks,
		       (u64)g->cpu[i].refused);
	printf("# guest: %llu pages had to be in the dirty log\n", h->log.claims);
	fflush(stdout);
}

static char *reserve(u64 size, bool huge)
{
	u64 room = size + HUGE_BYTES;
	char *at = mmap(NULL, room, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	at = (char *)(((uintptr_t)at + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1));
	madvise(at, size, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return at;
}

static bool host_init(struct host *h, struct ks *ks, struct ks_guest *g, bool huge)
{
	pthread_rwlockattr_t attr;

	*h = (struct host) {
		.ks = ks, .guest = g, .log.vcpus = g->nr,
		.aside = reserve(HUGE_BYTES, huge), .other = reserve(MOVING_BYTES, huge),
	};
	pthread_mutex_init(&h->slots, NULL);
	pthread_mutex_init(&h->vmas, NULL);
	pthread_rwlockattr_init(&attr);
	/* those who zap never end */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&h->zaps, &attr);
	return h->aside && h->other;
}

/* A guest that runs, and has written to most of its pages. */
#define START(_vcpus, _wants_huge) do {					\
	bool _huge = _wants_huge;					\
									\
	ASSERT_CALL(ks_guest_make(&self->ks, &self->guest, &self->vm, _vcpus, _huge));	\
	ASSERT_TRUE(host_init(&self->host, &self->ks, &self->guest, _huge));	\
	ASSERT_CALL(ks_guest_start(&self->guest));			\
	ASSERT_TRUE(wait_writes(&self->guest, 2 * KS_GUEST_PAGES)) {	\
		TH_LOG("%s", ks_guest_wrong(&self->guest) ?: "the guest does not get on");	\
	}								\
	if (_huge && td_stat(self->vm.vm_fd, "pages_2m") <= 0)		\
		SKIP(return, "the host gave no huge pages (CONFIG_TRANSPARENT_HUGEPAGE, memory)"); \
} while (0)

/* --- races --- */

static const struct {
	const char *name;
	int (*step)(struct ks_racer *r);
	u64 least;
} doings[NR_DOINGS] = {
	[LOG] = { "log", step_log, LEAST_SLOTS },
	[MOVE] = { "move", step_move, LEAST_SLOTS },
	[DISCARD] = { "discard", step_discard, LEAST },
	[REPLACE] = { "replace", step_replace, LEAST },
	[PROTECT] = { "protect", step_protect, LEAST },
	[OPERATIONS] = { "operation", step_operation, LEAST },
	[COLLAPSE] = { "collapse", step_collapse, LEAST },
};

static struct ks_racer racer(struct host *h, const char *name, int (*step)(struct ks_racer *r),
			     u64 least)
{
	return (struct ks_racer) {
		.name = name, .step = step, .vm = h->guest->vm, .least = least, .ctx = h,
	};
}

/* All that @what says against the guest; then the guest stops, and is looked at. */
static const char *race(struct host *h, unsigned long what)
{
	struct ks_racer racers[NR_DOINGS + 2];
	unsigned int nr = 0, i;
	const char *wrong;

	h->manual = what & BIT(MANUAL);
	racers[nr++] = racer(h, "guest", step_watch, LEAST);
	racers[nr++] = racer(h, "check", step_check, 1);
	for (i = LOG; i < NR_DOINGS; i++)
		if (what & BIT(i))
			racers[nr++] = racer(h, doings[i].name, doings[i].step, doings[i].least);
	wrong = ks_race(h->ks, racers, nr);
	ks_guest_stop(h->guest);
	check_kept(h, &h->replaced, "the host had replaced it");
	check_kept(h, &h->left, "its memslot had got other memory");
	if (!ks_guest_wrong(h->guest))
		compare(h->guest);
	tell(h);
	if (!wrong && what & BIT(LOG) && !h->log.claims)
		wrong = "no page ever had to be in the dirty log";
	return ks_guest_wrong(h->guest) ?: wrong;
}

#define RACE(_what) EXPECT_SOUND(race(&self->host, _what))

#define NEEDS_OPERATIONS() do {						\
	u64 _ops = 0;							\
	size_t _i;							\
									\
	for (_i = 0; _i < ARRAY_SIZE(operations); _i++)			\
		_ops |= 1ULL << operations[_i].op;			\
	KS_NEEDS(0, _ops, 0, 0);					\
} while (0)

/* --- can it be seen at all? --- */

/* Nobody disturbs it: no page is ever empty, and all that it wrote is there. */
TEST_KS(small_guest, undisturbed)
{
	START(2, SMALL_PAGES);
	EXPECT_TRUE(wait_writes(&self->guest, 10 * KS_GUEST_PAGES));
	ks_guest_stop(&self->guest);
	EXPECT_EQ(0, self->guest.home->box[0].blanks + self->guest.home->box[1].blanks);
	EXPECT_LE(KS_GUEST_PAGES, ks_mapped(&self->vm));
	compare(&self->guest);
	EXPECT_SOUND(ks_guest_wrong(&self->guest));
	EXPECT_SOUND(ks_audit(&self->ks));
	tell(&self->host);
}

/* One word is another one, in a page of each kind: the guest says which. */
TEST_KS(small_guest, tells_a_wrong_word)
{
	static const u64 pages[KS_GUEST_CPUS] = { 700, KS_MOVING + 301 };
	const struct ks_home *home;
	const char *wrong = NULL;
	unsigned int i;
	u64 start;

	START(2, SMALL_PAGES);
	home = self->guest.home;
	start = ks_now_ms();
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		while (!KS_GET(home->box[i].failed) && ks_now_ms() - start < WAIT_MS) {
			/* until the guest reads it, it may write it first */
			*(u64 *)(ks_guest_page(&self->guest, pages[i]) +
				 ks_word_offset(pages[i])) = 1;
			usleep(1000);
		}
		ASSERT_TRUE(KS_GET(home->box[i].failed));
		EXPECT_EQ(pages[i], home->box[i].page);
		EXPECT_EQ(1, home->box[i].got);
	}
	wrong = ks_guest_wrong(&self->guest);
	ASSERT_NE(NULL, wrong);
	EXPECT_NE(NULL, strstr(wrong, "read 0x1 in page 700"));
}

/* Who would not look at what the log says finds that it lacks pages. */
TEST_KS(small_guest, knows_what_the_log_lacks)
{
	static const u64 nothing[LONGS];
	struct host *h = &self->host;
	u64 bitmap[LONGS], page;
	const char *wrong;

	START(2, SMALL_PAGES);
	ASSERT_CALL(td_slot_set_flags(&self->vm, TD_SLOT_MOBILE, KVM_MEM_LOG_DIRTY_PAGES));
	log_was_read(&self->guest, &h->log, NULL);
	for (page = 0; page < KS_GUEST_CPUS; page++)
		EXPECT_TRUE(wait_writes(&self->guest, h->log.after[page] + 100));
	ASSERT_CALL(td_get_dirty_log(&self->vm, TD_SLOT_MOBILE, bitmap));
	ks_guest_stop(&self->guest);
	judge_log(&self->guest, &h->log, self->guest.home->wrote, nothing);
	wrong = ks_guest_wrong(&self->guest);
	ASSERT_NE(NULL, wrong);
	EXPECT_EQ(wrong, strstr(wrong, "D1: "));
}

/* Memory that was taken, and changes afterwards, is seen. */
TEST_KS(small_guest, knows_a_late_write)
{
	const struct range range = { .first = 64, .nr = 8 };
	struct kept k;
	const char *wrong;

	START(1, SMALL_PAGES);
	ks_guest_stop(&self->guest);
	keep(&k, ks_guest_page(&self->guest, range.first), &range);
	check_kept(&self->host, &k, "nothing");
	EXPECT_SOUND(ks_guest_wrong(&self->guest));
	ks_poke(kept_word(&k, 7));
	check_kept(&self->host, &k, "something");
	wrong = ks_guest_wrong(&self->guest);
	ASSERT_NE(NULL, wrong);
	EXPECT_EQ(wrong, strstr(wrong, "L1: page 71 "));
}

/* --- one thing at a time --- */

TEST_KS(small_guest, logged_small)
{
	START(2, SMALL_PAGES);
	RACE(BIT(LOG));
}

TEST_KS(small_guest, logged_huge)
{
	START(2, HUGE_PAGES);
	RACE(BIT(LOG));
}

TEST_KS(small_guest, logged_and_cleared)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args = { KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	};

	START(2, HUGE_PAGES);
	ASSERT_CALL(td_ioctl(TD_CALL_ENABLE_CAP, self->vm.vm_fd, KVM_ENABLE_CAP, &cap));
	RACE(BIT(LOG) | BIT(MANUAL));
}

TEST_KS(small_guest, moved)
{
	START(2, SMALL_PAGES);
	RACE(BIT(MOVE));
}

TEST_KS(small_guest, taken)
{
	START(2, SMALL_PAGES);
	RACE(BIT(DISCARD) | BIT(REPLACE));
}

TEST_KS(small_guest, protected)
{
	START(2, SMALL_PAGES);
	RACE(BIT(PROTECT));
}

TEST_KS(small_guest, operated_on)
{
	NEEDS_OPERATIONS();
	START(2, HUGE_PAGES);
	RACE(BIT(OPERATIONS));
}

TEST_KS(small_guest, collapsed)
{
	START(1, HUGE_PAGES);
	RACE(BIT(DISCARD) | BIT(COLLAPSE));
}

/* --- all of it --- */

TEST_KS(small_guest, everything_alone)
{
	NEEDS_OPERATIONS();
	START(1, SMALL_PAGES);
	RACE(ALL);
}

TEST_KS(small_guest, everything_small)
{
	NEEDS_OPERATIONS();
	START(2, SMALL_PAGES);
	RACE(ALL);
}

TEST_KS(small_guest, everything_huge)
{
	NEEDS_OPERATIONS();
	START(2, HUGE_PAGES);
	RACE(ALL | BIT(COLLAPSE));
}

KS_TEST_MAIN("small_guest: a guest that a CPU runs, while the host changes its memory.");
