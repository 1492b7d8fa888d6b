// SPDX-License-Identifier: GPL-2.0
/*
 * Operations on private memory: prefault, punch, convert; and the conversions
 * the guest asks for, with or without words.
 */
#include <errno.h>

#include "stress.h"

#define MAX_PAGES	64
#define HUGE_PAGES	512
/* Pages per prefault and punch of OP_CYCLE: long enough to hide the two ioctls. */
#define CYCLE_PAGES	64
/* A guest that keeps asking for the window gets it back after this. */
#define WINDOW_NS	30000000
#define WINDOW_PAUSE_US	200

struct range {
	u64 first, nr;
};

/* Mostly a few pages, at times a whole 2M region, within [0, @limit). */
static struct range pick_range(struct rng *rng, u64 limit)
{
	struct range r;

	if (limit >= HUGE_PAGES && rng_one_in(rng, 32)) {
		r.first = rng_below(rng, limit / HUGE_PAGES) * HUGE_PAGES;
		r.nr = HUGE_PAGES;
		return r;
	}
	r.first = rng_below(rng, limit);
	r.nr = 1 + rng_below(rng, MAX_PAGES);
	if (r.nr > limit - r.first)
		r.nr = limit - r.first;
	return r;
}

static int prefault(struct target *t, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, u64 *done)
{
	int ret;

	target_begin_ioctl(t, vcpu);
	ret = td_prefault(vcpu, gfn, nr_pages, done);
	target_end_use(t, vcpu);
	return ret;
}

/* On the own vCPU, or on any: then vCPU, thread and CPU change hands. */
enum op_result op_prefault(struct worker *w)
{
	struct target *t = w->vcpu ? w->target : worker_pick_target(w);
	struct range r = pick_range(&w->rng, t->td.cfg.nr_pages);
	struct td_vcpu *vcpu = w->vcpu;

	if (!vcpu)
		vcpu = &t->td.vcpus[rng_below(&w->rng, t->td.nr_vcpus)];
	worker_trace(w, "td %u vcpu %u gfn 0x%llx pages %llu", t->index, vcpu->index, r.first,
		     r.nr);
	return worker_judge(w, TD_CALL_PREFAULT, prefault(t, vcpu, r.first, r.nr, NULL), &t->td);
}

/* Map and unmap, nothing else: each vCPU in its own part of the main slot. */
enum op_result op_cycle(struct worker *w)
{
	struct td *td = &w->target->td;
	u64 share = td->slots[TD_SLOT_MAIN].nr_pages / td->cfg.nr_vcpus;
	u64 nr = share < CYCLE_PAGES ? share : CYCLE_PAGES;
	u64 gfn = share * w->vcpu->index + w->position;
	enum op_result res;
	u64 done = 0;

	w->position += nr;
	if (w->position + nr > share)
		w->position = 0;
	res = worker_judge(w, TD_CALL_PREFAULT, prefault(w->target, w->vcpu, gfn, nr, &done), td);
	if (res == OP_FAILED)
		return res;
	if (worker_judge(w, TD_CALL_PUNCH, td_punch(td, gfn, nr), td) == OP_FAILED)
		return OP_FAILED;
	atomic_store_explicit(&w->cycled, w->cycled + done, memory_order_relaxed);
	return res;
}

enum op_result op_punch(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	struct range r = pick_range(&w->rng, t->td.gmem_pages);

	worker_trace(w, "td %u page 0x%llx pages %llu", t->index, r.first, r.nr);
	return worker_judge(w, TD_CALL_PUNCH, td_punch(&t->td, r.first, r.nr), &t->td);
}

/* Give the private pages of a range back that was made shared, as a VMM would. */
static int discard(struct target *t, u64 gfn, u64 nr_pages)
{
	u64 main_pages = t->td.slots[TD_SLOT_MAIN].nr_pages;

	if (gfn >= main_pages)
		return 0;
	if (nr_pages > main_pages - gfn)
		nr_pages = main_pages - gfn;
	return td_punch(&t->td, gfn, nr_pages);
}

/*
 * Convert a range on behalf of host or guest, but for what would become private
 * in a window that has no guest_memfd just now. Returns 0 or -errno.
 */
static int target_set_private(struct target *t, u64 gfn, u64 nr_pages, bool private)
{
	u64 end = t->td.slots[TD_SLOT_WINDOW].gfn;
	int ret = 0;

	pthread_rwlock_rdlock(&t->window_lock);
	if (private && t->window_shared && gfn + nr_pages > end)
		nr_pages = gfn < end ? end - gfn : 0;
	if (nr_pages)
		ret = td_set_private(&t->td, gfn, nr_pages, private);
	pthread_rwlock_unlock(&t->window_lock);
	return ret;
}

enum op_result op_convert(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	struct range r = pick_range(&w->rng, t->td.cfg.nr_pages);
	/* Mostly private, or the guest would do nothing but fault. */
	bool private = rng_below(&w->rng, 4);
	bool give_back = rng_below(&w->rng, 2);
	enum op_result res;

	worker_trace(w, "td %u gfn 0x%llx pages %llu to %s%s", t->index, r.first, r.nr,
		     private ? "private" : "shared", give_back ? " discard" : "");
	res = worker_judge(w, TD_CALL_SET_ATTRS,
			   target_set_private(t, r.first, r.nr, private), &t->td);
	if (res != OP_OK || private || !give_back)
		return res;
	return worker_judge(w, TD_CALL_PUNCH, discard(t, r.first, r.nr), &t->td);
}

/* Private memory in a window without guest_memfd: can wait, but not for ever. */
static int want_window(struct worker *w)
{
	struct target *t = w->target;

	if (!t->window_shared)
		return 0;
	if (now_ns() - t->window_since_ns < WINDOW_NS) {
		sleep_us(WINDOW_PAUSE_US);
		return 0;
	}
	return window_make_private(w);
}

/* struct td_run_handler.fault: make it what the guest believes it to be. */
int mem_fault(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private)
{
	struct worker *w = ctx;
	struct target *t = w->target;
	u64 first = gfn, nr = 1;

	if (gfn >= vcpu->td->cfg.nr_pages)
		return -EFAULT;
	if (private && window_contains(t, gfn, 1) && t->window_shared)
		return want_window(w);
	/* Often the neighbours too: mixed sizes, and the guest gets on. */
	if (rng_below(&w->rng, 2)) {
		nr = BIT(rng_below(&w->rng, 10));
		first = gfn & ~(nr - 1);
		if (first + nr > vcpu->td->cfg.nr_pages)
			nr = vcpu->td->cfg.nr_pages - first;
	}
	return target_set_private(t, first, nr, private);
}

/* struct td_run_handler.map_gpa */
int mem_map_gpa(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, bool private)
{
	struct worker *w = ctx;
	struct target *t = w->target;
	struct op_stats *stats = &w->stats[OP_MAP_GPA];
	int ret;

	count(&stats->calls);
	if (!w->stress->opt.weight[OP_MAP_GPA] || gfn >= vcpu->td->cfg.nr_pages ||
	    nr_pages > vcpu->td->cfg.nr_pages - gfn) {
		count(&stats->errs[EINVAL]);
		return TD_MAP_REFUSED;
	}
	if (private && window_contains(t, gfn, nr_pages) && t->window_shared) {
		ret = want_window(w);
		count(&stats->retry);
		return ret < 0 ? ret : TD_MAP_RETRY;
	}
	/* The guest must be able to cope with a refusal, and KVM with telling it. */
	if (rng_one_in(&w->rng, 16)) {
		count(&stats->retry);
		return TD_MAP_RETRY;
	}
	ret = target_set_private(t, gfn, nr_pages, private);
	if (!ret && !private && rng_below(&w->rng, 2))
		ret = discard(t, gfn, nr_pages);
	if (ret < 0)
		return ret;
	count(&stats->ok);
	return TD_MAP_DONE;
}
