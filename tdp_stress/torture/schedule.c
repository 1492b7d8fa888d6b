// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting at schedule points, so that races are looked for. Knows workers and
 * their priorities; nothing of what a point means to KVM.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/build_bug.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "worker.h"

DEFINE_STATIC_KEY_FALSE(tdps_scheduling);

/* random: one point in so many waits */
#define WAIT_ONE_IN	8
/* PCT: points between two changes of a worker's priority, at most */
#define CHANGE_POINTS	512

static enum torture_schedule how;
static u32 delay_us;
static unsigned long wait_at;	/* a bit for each point */
static atomic_t lowest;		/* PCT: priorities are handed out downwards */

/* --- points= --- */

static const char * const point_names[] = {
	[TDPS_POINT_OP] = "op",
	[TDPS_POINT_FROZEN] = "frozen",
	[TDPS_POINT_UNFREEZE] = "unfreeze",
	[TDPS_POINT_ZAP] = "zap",
	[TDPS_POINT_FREE] = "free",
	[TDPS_POINT_CHANGE] = "change",
};

static_assert(ARRAY_SIZE(point_names) == TDPS_NR_POINTS);

static unsigned long bits_of(const char *name, size_t len)
{
	int i;

	if (len == 3 && !strncmp(name, "all", len))
		return TDPS_ALL_POINTS;
	for (i = 0; i < TDPS_NR_POINTS; i++)
		if (strlen(point_names[i]) == len && !strncmp(name, point_names[i], len))
			return BIT(i);
	return 0;
}

static size_t names_str(unsigned long points, char *buf, size_t len)
{
	size_t n = 0;
	int i;

	for (i = 0; i < TDPS_NR_POINTS; i++)
		if (points & BIT(i))
			n += scnprintf(buf + n, len - n, "%s%s", n ? "," : "", point_names[i]);
	return n;
}

/**
 * tdps_parse_points() - schedule points by their names
 * @text: "name,..."; "all" is each of them
 * @points: gets a bit for each
 *
 * Return: 0, or -EINVAL with nothing changed and a line that says why.
 */
int tdps_parse_points(const char *text, unsigned long *points)
{
	unsigned long found = 0, bits;
	const char *at = text;
	char known[64];
	size_t len;

	for (;; at += len + 1) {
		len = strcspn(at, ",\n");
		bits = bits_of(at, len);
		if (!bits) {
			names_str(TDPS_ALL_POINTS, known, sizeof(known));
			pr_err("points=%s: '%.*s' is no schedule point; must be all, or some of %s\n",
			       text, (int)len, at, known);
			return -EINVAL;
		}
		found |= bits;
		if (at[len] != ',')
			break;
	}
	*points = found;
	return 0;
}

/**
 * tdps_points_str() - the names of schedule points, as tdps_parse_points() takes them
 * @points: a bit for each
 * @buf: where to
 * @len: its size
 *
 * Return: how long that is.
 */
size_t tdps_points_str(unsigned long points, char *buf, size_t len)
{
	if (points == TDPS_ALL_POINTS)
		return scnprintf(buf, len, "all");
	return names_str(points, buf, len);
}

/* --- waiting --- */

/*
 * A thread that does not wait here takes from its random stream what it would have
 * taken: its next operations are those of the seed, whatever points= says.
 */
static bool waits_at(enum tdps_point p)
{
	return wait_at & BIT(p);
}

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
	while (waits_at(p) && wait_a_little(p, until))
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
	if (!waits_at(p))
		return;
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

void torture_schedule_start(enum torture_schedule schedule, u32 us, unsigned long points)
{
	how = schedule;
	delay_us = us;
	wait_at = points;
	atomic_set(&lowest, INT_MAX);
	if (schedule != TORTURE_SCHEDULE_NONE)
		static_branch_enable(&tdps_scheduling);
}

void torture_schedule_stop(void)
{
	static_branch_disable(&tdps_scheduling);
}
