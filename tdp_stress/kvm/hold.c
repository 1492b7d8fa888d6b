// SPDX-License-Identifier: GPL-2.0
/*
 * Holding points: threads of KVM's wait where user space wants them to, and go on when
 * it says so, when its file is closed, when their time is over, and when they are to
 * be killed. Knows no KVM type and no memory of the user's.
 */
#include <linux/delay.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/processor.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "hold.h"

#define NR_HOLDS	64

/* In addition to enum tdp_stress_hold_state: nobody's, and a thread is coming. */
enum {
	HOLD_FREE = 16,
	HOLD_COMING,
};

/**
 * struct hold - a holding point
 * @state: enum tdp_stress_hold_state, or above; changed by cmpxchg()
 * @inside: a thread is spinning here, or about to leave
 * @owner: the open file
 * @id: what the file knows it by
 * @vm: VM
 * @point: enum tdp_stress_point
 * @kinds: a bit for each kind of that point, 0: all
 * @level: only SPTEs of that level, 0: all
 * @start: first GFN
 * @end: GFN after the last; 0: any, and what has none
 * @hold_ns: longest time for which a thread is held, ns
 * @skip: threads that are let pass first; its that is coming
 * @pid: the thread that is or was held
 * @kind: what it was about to do
 * @where: where, and with which lock
 * @since: when it came, monotonic ns
 * @held_ns: how long it was held
 */
struct hold {
	int state;
	bool inside;
	const void *owner;
	u32 id;
	u64 vm;
	u32 point;
	u32 kinds;
	u32 level;
	u64 start;
	u64 end;
	u64 hold_ns;
	u32 skip;
	pid_t pid;
	u32 kind;
	struct tdps_where where;
	u64 since;
	u64 held_ns;
};

DEFINE_STATIC_KEY_FALSE(tdps_holding);

static struct hold holds[NR_HOLDS] = {
	[0 ... NR_HOLDS - 1] = { .state = HOLD_FREE },
};

static DEFINE_MUTEX(holds_mutex);	/* arming, looking, releasing */
static u32 last_id;
static atomic_t live;
static atomic64_t held;

/* --- threads of KVM's --- */

static bool is_meant(const struct hold *h, u32 point, u32 kind, const struct tdps_where *w,
		     u64 end)
{
	if (READ_ONCE(h->vm) != w->vm || READ_ONCE(h->point) != point)
		return false;
	if (READ_ONCE(h->kinds) && !(READ_ONCE(h->kinds) & BIT(kind)))
		return false;
	if (READ_ONCE(h->level) && READ_ONCE(h->level) != w->level)
		return false;
	if (!READ_ONCE(h->end))
		return true;
	return w->gfn != TDPS_NO_GFN && w->gfn < READ_ONCE(h->end) && end > READ_ONCE(h->start);
}

static void spin(struct hold *h)
{
	u64 now;

	/* pairs with be_gone() and look(): all about this thread is written */
	smp_store_release(&h->state, TDP_STRESS_HOLD_HELD);
	atomic64_inc(&held);
	while (READ_ONCE(h->state) == TDP_STRESS_HOLD_HELD) {
		now = ktime_get_mono_fast_ns();
		if (now - h->since >= h->hold_ns)
			cmpxchg(&h->state, TDP_STRESS_HOLD_HELD, TDP_STRESS_HOLD_EXPIRED);
		else if (fatal_signal_pending(current))
			cmpxchg(&h->state, TDP_STRESS_HOLD_HELD, TDP_STRESS_HOLD_KILLED);
		else
			cpu_relax();
	}
	WRITE_ONCE(h->held_ns, ktime_get_mono_fast_ns() - h->since);
	/* pairs with be_gone(): from here on @h is not this thread's */
	smp_store_release(&h->inside, false);
}

/* True: this thread was the one. */
static bool come(struct hold *h, u32 point, u32 kind, const struct tdps_where *w, u64 end)
{
	if (cmpxchg(&h->state, TDP_STRESS_HOLD_ARMED, HOLD_COMING) != TDP_STRESS_HOLD_ARMED)
		return false;
	/* it may be another one than was looked at; until it is armed again it is ours */
	if (!is_meant(h, point, kind, w, end) || h->skip) {
		if (is_meant(h, point, kind, w, end))
			h->skip--;
		/* pairs with __tdps_hold(): skip is written */
		smp_store_release(&h->state, TDP_STRESS_HOLD_ARMED);
		return false;
	}
	h->inside = true;
	h->pid = task_pid_nr(current);
	h->kind = kind;
	h->where = *w;
	h->since = ktime_get_mono_fast_ns();
	spin(h);
	return true;
}

/**
 * __tdps_hold() - the current thread has come to a point
 * @point: which
 * @kind: of the kinds that it has, which
 * @w: where
 * @end: GFN after the last at hand
 *
 * Context: any but NMI; spins, for the time given to tdps_hold_arm() at most. Interrupts,
 * and threads that have them off, are never held.
 */
void __tdps_hold(enum tdp_stress_point point, u32 kind, const struct tdps_where *w, u64 end)
{
	int i;

	if (!in_task() || irqs_disabled())
		return;
	for (i = 0; i < NR_HOLDS; i++) {
		struct hold *h = &holds[i];

		/* pairs with tdps_hold_arm() */
		if (smp_load_acquire(&h->state) == TDP_STRESS_HOLD_ARMED &&
		    is_meant(h, point, kind, w, end) && come(h, point, kind, w, end))
			return;
	}
}

/* --- their masters --- */

/* Release, and wait until nobody is inside. What was it until now? */
static u32 be_gone(struct hold *h)
{
	int was, seen;

	for (;;) {
		was = READ_ONCE(h->state);
		if (was == HOLD_COMING) {
			cond_resched();
			continue;
		}
		if (was != TDP_STRESS_HOLD_ARMED && was != TDP_STRESS_HOLD_HELD)
			break;
		seen = cmpxchg(&h->state, was, TDP_STRESS_HOLD_RELEASED);
		if (seen == was)
			break;
	}
	/* pairs with spin() */
	while (smp_load_acquire(&h->inside))
		usleep_range(10, 100);
	return was;
}

static void give_up(struct hold *h)
{
	h->owner = NULL;
	/* what was armed is over before it is another's */
	smp_store_release(&h->state, HOLD_FREE);
	atomic_dec(&live);
}

static struct hold *find(const void *owner, u32 id)
{
	int i;

	lockdep_assert_held(&holds_mutex);
	for (i = 0; i < NR_HOLDS; i++)
		if (holds[i].owner == owner && holds[i].id == id)
			return &holds[i];
	return NULL;
}

static struct hold *find_room(const void *owner)
{
	struct hold *room = NULL;
	int i, n = 0;

	for (i = 0; i < NR_HOLDS; i++) {
		n += holds[i].owner == owner;
		if (!holds[i].owner && !room)
			room = &holds[i];
	}
	return n < TDPS_MAX_HOLDS ? room : NULL;
}

/**
 * tdps_hold_arm() - arm a holding point
 * @owner: the open file
 * @vm: VM
 * @h: what for, and how long, checked; @id is filled in
 *
 * Context: may sleep.
 *
 * Return: 0, or -ENOSPC.
 */
int tdps_hold_arm(const void *owner, u64 vm, struct tdp_stress_hold *h)
{
	struct hold *at;

	guard(mutex)(&holds_mutex);
	at = find_room(owner);
	if (!at)
		return -ENOSPC;
	*at = (struct hold) {
		.state = HOLD_FREE,
		.owner = owner,
		.id = ++last_id,
		.vm = vm,
		.point = h->point,
		.kinds = h->kinds,
		.level = h->level,
		.start = h->gfn,
		.end = h->gfn + h->nr,
		.hold_ns = h->hold_ms * (u64)NSEC_PER_MSEC,
		.skip = h->skip,
	};
	h->id = at->id;
	atomic_inc(&live);
	/* pairs with __tdps_hold() */
	smp_store_release(&at->state, TDP_STRESS_HOLD_ARMED);
	static_branch_inc(&tdps_holding);
	return 0;
}

/**
 * tdps_hold_look() - what has become of a holding point?
 * @owner: the open file
 * @w: @id is set; the rest is filled in
 *
 * Context: may sleep.
 *
 * Return: 0, or -ENOENT.
 */
int tdps_hold_look(const void *owner, struct tdp_stress_hold_wait *w)
{
	const struct hold *h;
	int state;

	guard(mutex)(&holds_mutex);
	h = find(owner, w->id);
	if (!h)
		return -ENOENT;
	/* pairs with spin() */
	state = smp_load_acquire(&h->state);
	w->state = state == HOLD_COMING ? TDP_STRESS_HOLD_ARMED : state;
	w->gfn = TDPS_NO_GFN;
	if (w->state == TDP_STRESS_HOLD_ARMED || !h->pid)
		return 0;
	w->kind = h->kind;
	w->pid = h->pid;
	w->level = h->where.level;
	w->lock = h->where.lock;
	w->gfn = h->where.gfn;
	w->held_ns = READ_ONCE(h->held_ns) ?: ktime_get_mono_fast_ns() - h->since;
	return 0;
}

/**
 * tdps_hold_release() - release and disarm
 * @owner: the open file
 * @r: @id is set; @state is filled in
 *
 * Context: may sleep.
 *
 * Return: 0: nobody is held there; or -ENOENT.
 */
int tdps_hold_release(const void *owner, struct tdp_stress_hold_release *r)
{
	struct hold *h;

	guard(mutex)(&holds_mutex);
	h = find(owner, r->id);
	if (!h)
		return -ENOENT;
	r->state = be_gone(h);
	give_up(h);
	static_branch_dec(&tdps_holding);
	return 0;
}

void tdps_hold_release_all(const void *owner)
{
	int i;

	guard(mutex)(&holds_mutex);
	/* all at once, so that nobody goes from one to the next */
	for (i = 0; i < NR_HOLDS; i++)
		if (holds[i].owner == owner)
			be_gone(&holds[i]);
	for (i = 0; i < NR_HOLDS; i++) {
		if (holds[i].owner != owner)
			continue;
		give_up(&holds[i]);
		static_branch_dec(&tdps_holding);
	}
}

/* Its number may come back, as another VM's. */
void tdps_hold_vm_gone(u64 vm)
{
	int i;

	for (i = 0; i < NR_HOLDS; i++)
		if (READ_ONCE(holds[i].vm) == vm)
			cmpxchg(&holds[i].state, TDP_STRESS_HOLD_ARMED, TDP_STRESS_HOLD_RELEASED);
}

u32 tdps_holds_live(void)
{
	return atomic_read(&live);
}

/* Is a thread held, or about to be? */
bool tdps_holds_any(void)
{
	u32 state;
	int i;

	for (i = 0; i < NR_HOLDS; i++) {
		state = READ_ONCE(holds[i].state);
		if (state == TDP_STRESS_HOLD_ARMED || state == HOLD_COMING ||
		    state == TDP_STRESS_HOLD_HELD)
			return true;
	}
	return false;
}

u64 tdps_holds_held(void)
{
	return atomic64_read(&held);
}
