// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that get in each other's way for a while, and the steps they are made
 * of. Knows which errnos are legal (selftests/lib/call.c has the table).
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "ks.h"

/* So much longer a race lasts, if need be. */
#define MORE_MS	120000

/**
 * struct ks_race - one race
 * @over: the threads are to stop
 */
struct ks_race {
	atomic_bool over;
};

static void *racer(void *arg)
{
	struct ks_racer *r = arg;
	char name[16];

	/* as architecture.rst has it: a violation names the operation in flight */
	snprintf(name, sizeof(name), "w%u:%s", r->vcpu, r->name);
	prctl(PR_SET_NAME, name);
	while (!r->race->over) {
		int ret = r->step(r);

		r->steps++;
		if (!ret)
			r->ok++;
		if (ret >= 0 || td_errno_legal(r->call, -ret, r->activity))
			continue;
		snprintf(r->failure, sizeof(r->failure), "%s: %s: %s%s", r->name,
			 td_call_name(r->call), td_errno_name(-ret),
			 ret == -EIO ? ", KVM declared the VM bugged or dead" : "");
		r->race->over = true;
	}
	return NULL;
}

static bool got_anywhere(const struct ks_racer *r)
{
	return r->ok >= (r->least ?: 1);
}

static bool all_got_anywhere(const struct ks_racer *racers, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!got_anywhere(&racers[i]))
			return false;
	return true;
}

/**
 * ks_now_ms() - a clock that only goes forward
 *
 * Return: milliseconds.
 */
u64 ks_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

/* For @ms; on a slow machine until each racer has done something, within limits. */
static void wait_ms(struct ks_race *race, const struct ks_racer *racers, unsigned int nr,
		    unsigned int ms)
{
	struct timespec ts = { .tv_nsec = 10 * 1000000L };
	u64 start = ks_now_ms(), waited = 0;

	while (waited < (u64)ms + MORE_MS && !race->over) {
		if (waited >= ms && all_got_anywhere(racers, nr))
			break;
		nanosleep(&ts, NULL);
		waited = ks_now_ms() - start;
	}
}

/* Several runs of the same race differ by the seed, and only by that. */
static void start(struct ks *ks, struct ks_racer *r, unsigned int stream, struct ks_race *race)
{
	rng_init(&r->rng, ks->seed, stream);
	r->ok = 0;
	r->steps = 0;
	r->failure[0] = '\0';
	r->race = race;
}

/**
 * ks_racers() - a racer for each vCPU
 * @ks: the test
 * @vm: of ks_vm_start()
 * @racers: filled in, KS_MAX_VCPUS at most
 * @like: what they are but for @vm and @vcpu
 *
 * Return: how many there are
 */
unsigned int ks_racers(struct ks *ks, struct td *vm, struct ks_racer *racers,
		       const struct ks_racer *like)
{
	unsigned int i;

	for (i = 0; i < ks->nr_vcpus; i++) {
		racers[i] = *like;
		racers[i].vm = vm;
		racers[i].vcpu = i;
	}
	return i;
}

/**
 * ks_race() - let the racers race for ks->race_ms
 * @ks: the test
 * @racers: the threads
 * @nr: how many
 *
 * Return: NULL, or what was wrong: an errno that is not legal, or a racer that
 * never got anywhere
 */
const char *ks_race(struct ks *ks, struct ks_racer *racers, unsigned int nr)
{
	struct ks_race race = { .over = false };
	const char *wrong = NULL;
	unsigned int i, started;

	for (started = 0; started < nr; started++) {
		start(ks, &racers[started], started, &race);
		if (pthread_create(&racers[started].thread, NULL, racer, &racers[started])) {
			wrong = "no thread";
			race.over = true;
			break;
		}
	}
	wait_ms(&race, racers, started, ks->race_ms);
	race.over = true;
	for (i = 0; i < started; i++) {
		struct ks_racer *r = &racers[i];

		pthread_join(r->thread, NULL);
		printf("# race: %-10s %llu of %llu steps, seed %llu\n", r->name, r->ok, r->steps,
		       ks->seed);
		if (wrong)
			continue;
		if (r->failure[0])
			wrong = r->failure;
		else if (!got_anywhere(r))
			wrong = r->ok ? "a racer did too little" :
					"a racer never did what it is for";
	}
	fflush(stdout);
	return wrong;
}

/* --- gates --- */

/* Slots come before faults: a guest that faults without end would keep them away. */
void ks_gates_init(struct ks_gates *gates)
{
	pthread_rwlockattr_t attr;
	int i;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < KS_NR_GATES; i++)
		pthread_rwlock_init(&gates->gate[i], &attr);
	pthread_rwlockattr_destroy(&attr);
}

static void pass(struct ks_racer *r, int gate)
{
	if (r->gates)
		pthread_rwlock_rdlock(&r->gates->gate[gate]);
}

static void close_gate(struct ks_racer *r, int gate)
{
	if (r->gates)
		pthread_rwlock_wrlock(&r->gates->gate[gate]);
}

static int leave(struct ks_racer *r, int gate, int ret)
{
	if (r->gates)
		pthread_rwlock_unlock(&r->gates->gate[gate]);
	return ret;
}

/* --- steps --- */

/**
 * struct range - some pages
 * @gfn: the first
 * @nr: how many
 */
struct range {
	u64 gfn, nr;
};

/* Some of the guest's private range: anything from a page to a table and a bit. */
static struct range pick(struct ks_racer *r)
{
	u64 pages = r->vm->cfg.nr_pages;
	struct range range = { .gfn = rng_below(&r->rng, pages) };

	range.nr = 1 + rng_below(&r->rng, rng_one_in(&r->rng, 4) ? KS_HUGE_PAGES + 32 : 32);
	if (range.nr > pages - range.gfn)
		range.nr = pages - range.gfn;
	return range;
}

int ks_step_map(struct ks_racer *r)
{
	struct range range = pick(r);

	r->call = TD_CALL_PREFAULT;
	pass(r, KS_GATE_GUEST);
	return leave(r, KS_GATE_GUEST,
		     td_prefault(&r->vm->vcpus[r->vcpu], range.gfn, range.nr, NULL));
}

/* A fault where the mobile slot is, or might be. */
int ks_step_map_mobile(struct ks_racer *r)
{
	unsigned int place = rng_below(&r->rng, TD_MOBILE_PLACES);
	u64 page = rng_below(&r->rng, r->vm->slots[TD_SLOT_MOBILE].nr_pages);

	r->call = TD_CALL_PREFAULT;
	pass(r, KS_GATE_MOBILE(place));
	return leave(r, KS_GATE_MOBILE(place),
		     td_prefault(&r->vm->vcpus[r->vcpu], td_mobile_gfn(r->vm, place) + page, 1,
				 NULL));
}

/* A fault at @nr pages in a row, somewhere in the mobile slot, which stays where it is. */
int ks_fault_mobile(struct ks_racer *r, u64 nr)
{
	const struct td_slot *slot = &r->vm->slots[TD_SLOT_MOBILE];

	r->call = TD_CALL_PREFAULT;
	return td_prefault(&r->vm->vcpus[r->vcpu],
			   slot->gfn + rng_below(&r->rng, KS_WINDOW - nr), nr, NULL);
}

int ks_step_punch(struct ks_racer *r)
{
	struct range range = pick(r);

	r->call = TD_CALL_PUNCH;
	return td_punch(r->vm, range.gfn, range.nr);
}

int ks_step_convert(struct ks_racer *r)
{
	struct range range = pick(r);

	r->call = TD_CALL_SET_ATTRS;
	return td_set_private(r->vm, range.gfn, range.nr, rng_one_in(&r->rng, 2));
}

/* The window comes back with other pages of guest_memfd behind it. */
int ks_step_window(struct ks_racer *r)
{
	struct td_slot *slot = &r->vm->slots[TD_SLOT_WINDOW];

	if (slot->present) {
		r->call = TD_CALL_SLOT_DELETE;
		return td_slot_delete(r->vm, TD_SLOT_WINDOW);
	}
	slot->gmem_page = td_window_home(r->vm, rng_below(&r->rng, 2));
	r->call = TD_CALL_SLOT_CREATE;
	close_gate(r, KS_GATE_GUEST);
	return leave(r, KS_GATE_GUEST, td_slot_create(r->vm, TD_SLOT_WINDOW));
}

static int come(struct ks_racer *r, unsigned int place)
{
	struct td_slot *slot = &r->vm->slots[TD_SLOT_MOBILE];
	int ret;

	close_gate(r, KS_GATE_MOBILE(place));
	if (slot->present) {
		r->call = TD_CALL_SLOT_MOVE;
		ret = td_slot_move(r->vm, TD_SLOT_MOBILE, td_mobile_gfn(r->vm, place));
	} else {
		r->call = TD_CALL_SLOT_CREATE;
		slot->gfn = td_mobile_gfn(r->vm, place);
		ret = td_slot_create(r->vm, TD_SLOT_MOBILE);
	}
	return leave(r, KS_GATE_MOBILE(place), ret);
}

/* The mobile slot moves, or toggles its dirty log, or goes and comes. */
int ks_step_mobile(struct ks_racer *r)
{
	struct td_slot *slot = &r->vm->slots[TD_SLOT_MOBILE];
	unsigned int place = rng_below(&r->rng, TD_MOBILE_PLACES);

	if (!slot->present)
		return come(r, place);
	switch (rng_below(&r->rng, 4)) {
	case 0:
		r->call = TD_CALL_SLOT_DELETE;
		return td_slot_delete(r->vm, TD_SLOT_MOBILE);
	case 1:
		return td_mobile_gfn(r->vm, place) == slot->gfn ? 1 : come(r, place);
	default:
		r->call = TD_CALL_SLOT_FLAGS;
		return td_slot_set_flags(r->vm, TD_SLOT_MOBILE,
					 slot->flags ^ KVM_MEM_LOG_DIRTY_PAGES);
	}
}

/* The host takes back some of the shared memory; a touch brings it again. */
int ks_step_discard(struct ks_racer *r)
{
	const struct td_slot *slot = &r->vm->slots[TD_SLOT_MOBILE];
	u64 page = rng_below(&r->rng, slot->nr_pages);
	char *at = (char *)slot->hva + (page << TD_PAGE_SHIFT);
	int ret;

	r->call = TD_CALL_MADVISE;
	td_call_begin(TD_CALL_MADVISE);
	ret = td_call_end(madvise(at, TD_PAGE_SIZE, MADV_DONTNEED));
	ks_poke(at);
	return ret;
}

int ks_step_run(struct ks_racer *r)
{
	int ret;

	r->call = TD_CALL_RUN;
	pass(r, KS_GATE_GUEST);
	ret = leave(r, KS_GATE_GUEST, ks_enter(r->vm, r->vcpu));
	/* whatever it asks for, it ran */
	return ret == KS_ASKED ? 0 : ret;
}
