// SPDX-License-Identifier: GPL-2.0
/* The TDs that live for the whole run: made before it, torn down after it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stress.h"

/* Pages that are in the TD before it is finalised. */
#define INIT_PAGES	16
/* A page is unmapped and reclaimed in well under this, even with lockdep in TCG. */
#define TEARDOWN_US_PER_PAGE	1000

static u64 window_pages(u64 nr_pages)
{
	u64 pages = nr_pages / 8;

	/* From 16M on, large enough to hold a huge page. */
	return pages >= 512 ? pages & ~511ULL : pages;
}

static int load_initial_memory(struct target *t, u64 seed)
{
	u64 *source = aligned_alloc(TD_PAGE_SIZE, INIT_PAGES * TD_PAGE_SIZE);
	struct rng rng;
	size_t i;
	int ret;

	if (!source)
		return -ENOMEM;
	rng_init(&rng, seed, t->index);
	for (i = 0; i < INIT_PAGES * TD_PAGE_SIZE / sizeof(*source); i++)
		source[i] = rng_next(&rng);
	ret = td_init_mem(&t->td, 0, 0, INIT_PAGES, source, true);
	free(source);
	return ret;
}

static void free_memory(struct target *t)
{
	free(t->bitmap);
	t->bitmap = NULL;
	free(t->uses);
	t->uses = NULL;
}

/**
 * target_create() - make a TD that can run
 * @s: the run
 * @t: filled in
 * @index: its number
 *
 * Return: 0, or -errno with t->td.failed and nothing left behind
 */
int target_create(struct stress *s, struct target *t, unsigned int index)
{
	u64 nr_pages = s->opt.mem >> TD_PAGE_SHIFT;
	struct td_config cfg = {
		.nr_vcpus = s->opt.vcpus,
		.nr_pages = nr_pages,
		.window_pages = window_pages(nr_pages),
		/* Both kinds of dirty log, whatever the seed, from two TDs on. */
		.dirty_log_manual = (s->opt.seed + index) & 1,
	};
	u64 i;
	int ret;

	memset(t, 0, sizeof(*t));
	t->index = index;
	pthread_mutex_init(&t->slots_lock, NULL);
	pthread_rwlock_init(&t->window_lock, NULL);
	pthread_mutex_init(&t->backing_lock, NULL);
	/* KVM rounds the bitmap up to longs. */
	t->bitmap = calloc(cfg.window_pages / 64 + 1, sizeof(u64));
	t->uses = calloc(s->opt.vcpus, sizeof(*t->uses));
	if (!t->bitmap || !t->uses) {
		ret = -ENOMEM;
		goto free_memory;
	}
	for (i = 0; i < s->opt.vcpus; i++) {
		pthread_mutex_init(&t->uses[i].gate, NULL);
		pthread_rwlock_init(&t->uses[i].run, NULL);
	}
	ret = td_create(&t->td, &s->env, &cfg);
	if (ret < 0)
		goto free_memory;
	for (i = 0; !ret && i < s->opt.vcpus; i++)
		ret = td_add_vcpu(&t->td);
	if (!ret)
		ret = load_initial_memory(t, s->opt.seed);
	if (!ret)
		ret = td_finalize(&t->td);
	if (!ret)
		return 0;
	td_destroy(&t->td);
free_memory:
	free_memory(t);
	return ret;
}

/* KVM_RUN, up to the end of the answer to its exit; then target_end_use(). */
void target_begin_run(struct target *t, const struct td_vcpu *vcpu)
{
	struct vcpu_use *use = &t->uses[vcpu->index];

	pthread_mutex_lock(&use->gate);
	pthread_rwlock_wrlock(&use->run);
	pthread_mutex_unlock(&use->gate);
}

/* An ioctl of the vCPU's that may leave something in td_vcpu.run. */
void target_begin_ioctl(struct target *t, const struct td_vcpu *vcpu)
{
	struct vcpu_use *use = &t->uses[vcpu->index];

	pthread_mutex_lock(&use->gate);
	pthread_rwlock_rdlock(&use->run);
	pthread_mutex_unlock(&use->gate);
}

void target_end_use(struct target *t, const struct td_vcpu *vcpu)
{
	pthread_rwlock_unlock(&t->uses[vcpu->index].run);
}

/**
 * targets_create() - make all TDs of the run
 * @s: the run
 *
 * Return: 0, or -1 after stress_fail()
 */
int targets_create(struct stress *s)
{
	unsigned int i;
	int ret;

	s->targets = calloc(s->opt.tds, sizeof(*s->targets));
	if (!s->targets) {
		stress_fail(s, "no memory for %llu TDs", s->opt.tds);
		return -1;
	}
	for (i = 0; i < s->opt.tds; i++) {
		ret = target_create(s, &s->targets[i], i);
		if (!ret)
			continue;
		stress_fail(s, "TD %u: %s: %s, SEAMCALL status 0x%llx", i,
			    td_call_name(s->targets[i].td.failed), td_errno_name(-ret),
			    s->targets[i].td.hw_error);
		return -1;
	}
	return 0;
}

static void *destroy_all(void *arg)
{
	struct stress *s = arg;
	unsigned int i;

	for (i = 0; i < s->opt.tds; i++) {
		td_destroy(&s->targets[i].td);
		free_memory(&s->targets[i]);
	}
	return NULL;
}

/**
 * targets_destroy() - tear down all TDs, in bounded time
 * @s: the run; no other thread uses a TD
 *
 * In a thread of its own: the kernel may hang.
 *
 * Return: true if done, false if it hangs (reported)
 */
bool targets_destroy(struct stress *s)
{
	u64 pages = s->opt.tds * (s->opt.mem >> TD_PAGE_SHIFT);
	u64 bound = s->opt.grace + pages * TEARDOWN_US_PER_PAGE / 1000000;
	struct timespec until;
	pthread_t thread;

	if (!s->targets)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += bound;
	if (pthread_create(&thread, NULL, destroy_all, s)) {
		stress_fail(s, "no thread for the teardown");
		return false;
	}
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until)) {
		stress_fail(s, "P1: tearing down the TDs did not end within %llu s", bound);
		s->hung = true;
		return false;
	}
	free(s->targets);
	s->targets = NULL;
	return true;
}
