// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting at schedule points, so that races are looked for. Knows workers and
 * their priorities; nothing of what a point means to KVM.
 */
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "worker.h"

DEFINE_STATIC_KEY_FALSE(tdps_scheduling);

/* random: one point in so many waits */
#define WAIT_ONE_IN	8
/* PCT: points between two changes of a worker's priority, at most */
#define CHANGE_POINTS	512

static enum torture_schedule how;
static u32 delay_us;
static atomic_t lowest;		/* PCT: priorities are handed out downwards */

static bool may_sleep(enum tdps_point p)
{
	return p == TDPS_POINT_OP;
}

/* A wait that ends by itself; true while it is not over. */
static bool wait_a_little(enum tdps_point p, u64 until)
{
	if (ktime_get_mono_fast_ns() >= until)
		return false;
	if (!may_sleep(p))
		cpu_relax();
	else if (hrtimer_resolution < NSEC_PER_MSEC)
		usleep_range(1, 10);
	else
		cond_resched();	/* (UML: a sleep would take until the next tick) */
	return true;
}

static void wait_random(struct torture_worker *w, enum tdps_point p)
{
	u64 until;

	if (!torture_one_in(w, WAIT_ONE_IN))
		return;
	until = ktime_get_mono_fast_ns() + torture_random(w, delay_us * NSEC_PER_USEC + 1);
	while (wait_a_little(p, until))
		;
}

struct rivals {
	const struct torture_worker *me;
	bool found;
};

/* Somebody who goes first, and is on a CPU doing something. */
static void look_for_rival(struct torture_worker *w, void *arg)
{
	struct rivals *r = arg;

	if (w != r->me && READ_ONCE(w->op) && READ_ONCE(w->priority) > r->me->priority &&
	    w->task && task_is_running(w->task))
		r->found = true;
}

/*
 * Probabilistic concurrency testing: each worker has a priority, at a point the
 * lower ones give way to the higher, and a few random points change a priority to
 * the lowest so far. A wait is bounded, because a higher one may itself wait for
 * a lock that a lower one holds.
 */
static void wait_pct(struct torture_worker *w, enum tdps_point p)
{
	u64 until = ktime_get_mono_fast_ns() + delay_us * NSEC_PER_USEC;
	struct rivals r = { .me = w };

	if (!w->points) {
		w->points = 1 + torture_random(w, CHANGE_POINTS);
		WRITE_ONCE(w->priority, atomic_dec_return(&lowest));
	}
	w->points--;
	do {
		r.found = false;
		torture_visit(look_for_rival, &r);
	} while (r.found && wait_a_little(p, until));
}

/**
 * __tdps_point() - the current thread has come to a schedule point
 * @p: which
 *
 * Context: any but NMI; spins unless @p is TDPS_POINT_OP, which may sleep.
 */
void __tdps_point(enum tdps_point p)
{
	struct torture_worker *w = torture_current();

	if (!w || !delay_us || irqs_disabled())
		return;
	if (how == TORTURE_SCHEDULE_PCT)
		wait_pct(w, p);
	else
		wait_random(w, p);
}

void torture_schedule_start(enum torture_schedule schedule, u32 us)
{
	how = schedule;
	delay_us = us;
	atomic_set(&lowest, INT_MAX);
	if (schedule != TORTURE_SCHEDULE_NONE)
		static_branch_enable(&tdps_scheduling);
}

void torture_schedule_stop(void)
{
	static_branch_disable(&tdps_scheduling);
}
