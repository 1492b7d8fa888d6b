// SPDX-License-Identifier: GPL-2.0
/* Operations on vCPUs: run one, interrupt one. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>

#include "stress.h"

/*
 * A guest asks for something every few milliseconds. Where KVM_RUN ends by signals only,
 * for that long, and the vCPU has left the guest (or what KVM takes for it) so often
 * meanwhile, KVM does not let it in. Time alone says nothing where somebody else has the
 * CPU or mmu_lock.
 */
#define IDLE_NS		(10 * 1000000000ULL)
#define IDLE_EXITS	20000

static s64 exits_of(struct worker *w)
{
	s64 exits = td_stat(w->vcpu->fd, "exits");

	if (exits < 0)
		stress_fail(w->stress, "TD %u vCPU %u: KVM's count of exits cannot be read: %s",
			    w->target->index, w->vcpu->index, td_errno_name(-exits));
	return exits;
}

/* KVM_RUN has taken @ns. Returns false if the guest is kept out. */
static bool is_let_in(struct worker *w, int err, u64 ns)
{
	if (err != EINTR) {
		w->idle_ns = 0;
		return true;
	}
	if (!w->idle_ns)
		w->idle_from = exits_of(w);
	w->idle_ns += ns;
	if (w->idle_ns < IDLE_NS)
		return true;
	w->idle_exits = exits_of(w) - w->idle_from;
	return w->idle_exits < IDLE_EXITS;
}

enum op_result op_run(struct worker *w)
{
	u64 begun = now_ns();
	struct td_run_handler handler = {
		.fault = mem_fault, .map_gpa = mem_map_gpa, .ctx = w,
	};
	struct td_run_result res;
	bool let_in;

	target_begin_run(w->target, w->vcpu);
	td_run(w->vcpu, &handler, &res);
	let_in = is_let_in(w, res.err, now_ns() - begun);
	target_end_use(w->target, w->vcpu);
	count(&w->exits[res.exit]);
	if (res.err > 0 && res.err < MAX_ERRNO)
		count(&w->stats[OP_RUN].errs[res.err]);

	if (!let_in) {
		stress_fail(w->stress,
			    "TD %u vCPU %u: the guest is not let in: nothing but signals has ended KVM_RUN for %llu s and %lld exits",
			    w->target->index, w->vcpu->index, w->idle_ns / 1000000000ULL,
			    w->idle_exits);
		return OP_FAILED;
	}
	if (res.exit == TD_EXIT_UNEXPECTED) {
		stress_fail(w->stress, "TD %u vCPU %u: KVM_RUN: %s", w->target->index,
			    w->vcpu->index, res.text);
		return OP_FAILED;
	}
	if (!res.err)
		return OP_OK;
	if (td_errno_legal(TD_CALL_RUN, res.err, w->activity))
		return OP_RETRY;
	stress_fail(w->stress, "TD %u vCPU %u: KVM_RUN: %s, and nothing that goes on explains it",
		    w->target->index, w->vcpu->index, td_errno_name(res.err));
	return OP_FAILED;
}

enum op_result op_signal(struct worker *w)
{
	struct target *t = worker_pick_target(w);
	unsigned int vcpu = rng_below(&w->rng, t->td.nr_vcpus);
	bool immediate = rng_one_in(&w->rng, 8);
	struct worker *victim = worker_of_vcpu(w->stress, t, vcpu);

	worker_trace(w, "td %u vcpu %u immediate_exit %d", t->index, vcpu, immediate);
	/* A byte of its own, made for being set from elsewhere; td_run() clears it. */
	if (immediate)
		t->td.vcpus[vcpu].run->immediate_exit = 1;
	/* vCPU threads outlive the free workers. */
	if (victim->started)
		pthread_kill(victim->thread, SIGUSR1);
	return OP_OK;
}
