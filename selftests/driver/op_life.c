// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on whole TDs: small ones, made and destroyed next to those that
 * live for the whole run.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "stress.h"

#define SMALL_PAGES	128
#define SMALL_VCPUS	2
#define RUNS		16

/* Source of initial memory: what is in it does not matter. */
static const char source[SMALL_PAGES * TD_PAGE_SIZE] __aligned(TD_PAGE_SIZE);

/* Nobody but this thread changes anything in a small TD. */
static int small_fault(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private)
{
	(void)ctx;
	return td_set_private(vcpu->td, gfn, 1, private);
}

static int small_map_gpa(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages,
			 bool private)
{
	int ret = td_set_private(vcpu->td, gfn, nr_pages, private);

	(void)ctx;
	return ret < 0 ? ret : TD_MAP_DONE;
}

static enum op_result run_small(struct worker *w, struct td *td)
{
	struct td_run_handler handler = { .fault = small_fault, .map_gpa = small_map_gpa };
	unsigned int i;

	for (i = 0; i < RUNS * td->nr_vcpus; i++) {
		struct td_vcpu *vcpu = &td->vcpus[i % td->nr_vcpus];
		struct td_run_result res;

		td_run(vcpu, &handler, &res);
		if (res.exit != TD_EXIT_UNEXPECTED)
			continue;
		stress_fail(w->stress, "w%u:%s: KVM_RUN: %s", w->id, ops[w->op].name, res.text);
		return OP_FAILED;
	}
	return OP_OK;
}

static enum op_result create_small(struct worker *w, struct td *td, unsigned int vcpus,
				   unsigned int room)
{
	struct td_config cfg = { .nr_vcpus = room, .nr_pages = SMALL_PAGES };
	int ret = td_create(td, &w->stress->env, &cfg);
	enum op_result res;

	if (ret < 0)
		return worker_judge(w, td->failed, ret, td);
	while (td->nr_vcpus < vcpus) {
		ret = td_add_vcpu(td);
		if (ret >= 0)
			continue;
		res = worker_judge(w, td->failed, ret, td);
		td_destroy(td);
		return res;
	}
	return OP_OK;
}

static unsigned int small_vcpus(const struct worker *w)
{
	return w->stress->opt.vcpus < SMALL_VCPUS ? w->stress->opt.vcpus : SMALL_VCPUS;
}

static enum op_result init_mem(struct worker *w, struct td *td, u64 gfn, u64 nr,
			       bool measure)
{
	return worker_judge(w, TD_CALL_INIT_MEM, td_init_mem(td, 0, gfn, nr, source, measure), td);
}

static enum op_result finalize(struct worker *w, struct td *td)
{
	return worker_judge(w, TD_CALL_FINALIZE, td_finalize(td), td);
}

/* A whole life, at times cut short at any of its stages. */
enum op_result op_td_cycle(struct worker *w)
{
	unsigned int vcpus = 1 + rng_below(&w->rng, small_vcpus(w));
	u64 nr_init = rng_below(&w->rng, 16);
	unsigned int stages = rng_one_in(&w->rng, 4) ? rng_below(&w->rng, 3) : 3;
	bool punch = rng_below(&w->rng, 2);
	enum op_result res;
	struct td td;

	worker_trace(w, "vcpus %u init %llu stages %u punch %d", vcpus, nr_init, stages, punch);
	res = create_small(w, &td, vcpus, vcpus);
	if (res != OP_OK)
		return res;
	if (stages >= 1 && nr_init)
		res = init_mem(w, &td, 0, nr_init, true);
	if (res == OP_OK && stages >= 2)
		res = finalize(w, &td);
	if (res == OP_OK && stages >= 3)
		res = run_small(w, &td);
	if (res == OP_OK && punch)
		res = worker_judge(w, TD_CALL_PUNCH, td_punch(&td, 0, SMALL_PAGES), &td);
	td_destroy(&td);
	return res;
}

/* PAGE.ADD and REMOVE without BLOCK and TRACK: the TD is not finalised. */
enum op_result op_init_region(struct worker *w)
{
	u64 first = rng_below(&w->rng, SMALL_PAGES);
	u64 nr = 1 + rng_below(&w->rng, SMALL_PAGES - first);
	bool measure = rng_below(&w->rng, 2);
	bool again = rng_below(&w->rng, 2);
	enum op_result res;
	struct td td;

	worker_trace(w, "gfn 0x%llx pages %llu measure %d again %d", first, nr, measure, again);
	res = create_small(w, &td, 1, 1);
	if (res != OP_OK)
		return res;
	res = init_mem(w, &td, first, nr, measure);
	if (res == OP_OK && again) {
		res = worker_judge(w, TD_CALL_PUNCH, td_punch(&td, first, nr), &td);
		if (res == OP_OK)
			res = init_mem(w, &td, first, nr, measure);
	}
	td_destroy(&td);
	return res;
}

/**
 * struct loader - initialises memory while vCPUs are added
 * @td: the TD
 * @ret: what KVM said
 */
struct loader {
	struct td *td;
	int ret;
};

static void *load(void *arg)
{
	struct loader *l = arg;
	u64 gfn;

	for (gfn = 0; !l->ret && gfn < SMALL_PAGES; gfn += 8)
		l->ret = td_init_mem(l->td, 0, gfn, 8, source, true);
	return NULL;
}

/* KVM takes no vCPU once a TD is finalised; until then it may be in the middle of that. */
static enum op_result add_in_time(struct worker *w, struct td *td)
{
	struct loader l = { .td = td };
	enum op_result res = OP_OK;
	pthread_t thread;
	int ret = 0;

	if (pthread_create(&thread, NULL, load, &l)) {
		stress_fail(w->stress, "w%u:%s: no thread", w->id, ops[w->op].name);
		return OP_FAILED;
	}
	while (!ret && td->nr_vcpus < td->cfg.nr_vcpus)
		ret = td_add_vcpu(td);
	pthread_join(thread, NULL);
	if (ret < 0)
		res = worker_judge(w, td->failed, ret, td);
	if (res == OP_OK && l.ret < 0)
		res = worker_judge(w, TD_CALL_INIT_MEM, l.ret, td);
	return res;
}

static enum op_result add_too_late(struct worker *w, struct td *td)
{
	int ret = td_try_late_vcpu(td);

	if (!ret) {
		stress_fail(w->stress, "w%u:%s: KVM_CREATE_VCPU succeeded on a finalised TD", w->id,
			    ops[w->op].name);
		return OP_FAILED;
	}
	/* The refusal is what is wanted. */
	return worker_judge(w, TD_CALL_LATE_VCPU, ret, td) == OP_FAILED ? OP_FAILED : OP_OK;
}

enum op_result op_vcpu_add(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	bool late = rng_below(&w->rng, 2);
	enum op_result res;
	struct td td;

	worker_trace(w, "td %u late %d", t->index, late);
	if (late)
		return add_too_late(w, &t->td);
	w->activity |= TD_ACT_VCPUS;
	res = create_small(w, &td, 1, w->stress->opt.vcpus);
	if (res != OP_OK)
		goto out;
	res = add_in_time(w, &td);
	if (res == OP_OK)
		res = finalize(w, &td);
	if (res == OP_OK)
		res = run_small(w, &td);
	td_destroy(&td);
out:
	w->activity &= ~TD_ACT_VCPUS;
	return res;
}
