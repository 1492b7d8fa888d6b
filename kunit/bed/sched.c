// SPDX-License-Identifier: GPL-2.0
/*
 * Plays scripts: threads on CPUs of their own, of which the script lets one run at a
 * time, to the next point that it names. A thread that is stopped spins, because it
 * may hold mmu_lock, be in an RCU read section, and have preemption off. So nothing
 * that the script needs meanwhile may sleep on a stopped thread.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "../../tdp_stress/kvm/lock.h"
#include "internal.h"

/*
 * How long a step may take: since the thread was last seen to move, and in all. A
 * machine that stands still is not counted: each look adds LOOK_MAX_NS at most.
 */
#define PATIENCE_NS	(5ULL * NSEC_PER_SEC)
#define PATIENCE_ALL_NS	(15ULL * NSEC_PER_SEC)
#define LOOK_MAX_NS	(20ULL * NSEC_PER_MSEC)
#define TOLD_STEPS	32	/* of the last script, for a case that fails */

/**
 * struct actor - a thread of a script
 * @b: bed
 * @what: its function
 * @task: the thread
 * @done: it has returned
 * @name: 'A', 'B', ...
 * @cpu: its own
 * @at: point it was at last; it writes this and the following
 * @gfn: of that point
 * @level: of that point
 * @lock: how it held mmu_lock there
 * @has: how it holds mmu_lock, by its own account; 0: not
 * @wants: how it is about to take it; 0: it is not
 * @passed: points so far
 * @yields: it wants to yield at every entry
 * @over: its function has returned
 * @held: it is stopped; the script lets it go
 * @goal: step that stops it; the script writes this and the next while it is stopped
 * @left: times that it is to get there
 */
struct actor {
	struct bed *b;
	struct bed_actor *what;
	struct task_struct *task;
	struct completion done;
	char name;
	int cpu;
	enum bed_point at;
	gfn_t gfn;
	int level;
	char lock;
	char has;
	char wants;
	u32 passed;
	bool yields;
	bool over;
	bool held;
	const struct bed_step *goal;
	u32 left;
};

static struct actor actors[BED_THREADS];
static int nr_actors;
static bool everybody_free;	/* nobody stops any more */
static bool lost;		/* a thread did not come back */
static u64 patience = PATIENCE_NS;
static bool case_yields;	/* bed_want_yield() of the case's own thread */
static struct task_struct *case_task;

/* --- points --- */

static const char * const point_names[BED_NR_POINTS] = {
	[BED_START] = "start",
	[BED_BEFORE_FREEZE] = "before_freeze",
	[BED_AFTER_FREEZE] = "after_freeze",
	[BED_BEFORE_CMPXCHG] = "before_cmpxchg",
	[BED_BEFORE_WRITE] = "before_write",
	[BED_IN_EXTERNAL] = "in_external",
	[BED_AFTER_EXTERNAL] = "after_external",
	[BED_IN_FREE] = "in_free",
	[BED_BEFORE_UNFREEZE] = "before_unfreeze",
	[BED_AFTER_WRITE] = "after_write",
	[BED_WAIT_OWNER] = "wait_owner",
	[BED_BEFORE_PAGES_LOCK] = "before_pages_lock",
	[BED_BEFORE_CALL_RCU] = "before_call_rcu",
	[BED_YIELD] = "yield",
	[BED_YIELDED] = "yielded",
	[BED_WALK] = "walk",
	[BED_RETRY] = "retry",
	[BED_DONE] = "done",
};

/**
 * bed_point_name() - a point in words
 * @p: which
 *
 * Context: any.
 *
 * Return: as in scripts' reports, "after_freeze".
 */
const char *bed_point_name(enum bed_point p)
{
	return p < BED_NR_POINTS ? point_names[p] : "?";
}

/* How the current thread holds mmu_lock, by lockdep: 'r', 'w', '-'; '?': it cannot say. */
char bed_lock_of(struct bed *b)
{
	static const char names[] = {
		[TDPS_LOCK_UNKNOWN] = '?',
		[TDPS_LOCK_NONE] = '-',
		[TDPS_LOCK_READ] = 'r',
		[TDPS_LOCK_WRITE] = 'w',
	};

	return names[tdps_lockdep_of(b->kvm)];
}

static bool is_held(struct actor *a)
{
	/* pairs with stop() and let_go(): what the other side wrote before is seen */
	return smp_load_acquire(&a->held);
}

static bool is_over(struct actor *a)
{
	/* pairs with act(), where the thread ends */
	return smp_load_acquire(&a->over);
}

static u32 points_passed(struct actor *a)
{
	/* pairs with note_place() */
	return smp_load_acquire(&a->passed);
}

static struct actor *actor_now(void)
{
	int i;

	for (i = 0; i < READ_ONCE(nr_actors); i++)
		if (READ_ONCE(actors[i].task) == current)
			return &actors[i];
	return NULL;
}

static bool is_goal(struct actor *a, enum bed_point p, gfn_t gfn, int level)
{
	const struct bed_step *s = a->goal;

	if (!s || s->to != p || (s->level && s->level != level) ||
	    (s->gfn_too && s->gfn != gfn))
		return false;
	return !--a->left;
}

static void stop(struct actor *a)
{
	/* pairs with is_held() of the script */
	smp_store_release(&a->held, true);
	while (is_held(a) && !READ_ONCE(everybody_free))
		cpu_relax();
	WRITE_ONCE(a->held, false);
}

/* Whoever gets to a point has got the lock that it was about to take. */
static void note_place(struct actor *a, enum bed_point p, gfn_t gfn, int level)
{
	char lock = bed_lock_of(a->b);

	if (a->wants) {
		a->has = a->wants;
		WRITE_ONCE(a->wants, 0);
	}
	if (lock == '?')
		lock = a->has ?: '-';
	a->gfn = gfn & ~kvm_gfn_direct_bits(a->b->kvm);
	a->level = level;
	a->lock = lock;
	WRITE_ONCE(a->at, p);
	/* pairs with points_passed() of the script */
	smp_store_release(&a->passed, a->passed + 1);
}

/*
 * The case has been given up, and what this thread works on with it. Where it holds no
 * lock it can be kept from that for ever.
 */
static void park(enum bed_point p)
{
	while (READ_ONCE(lost) && p == BED_RETRY)
		schedule_timeout_idle(HZ);
}

/**
 * bed_point() - a thread has got to a point
 * @p: which
 * @gfn: of the entry or table at hand
 * @level: its level
 *
 * Context: any. Spins if the script wants the thread to stop here; nothing happens to
 * threads that are not of a script.
 */
void bed_point(enum bed_point p, gfn_t gfn, int level)
{
	struct actor *a;

	if (!READ_ONCE(nr_actors) || !in_task())
		return;
	a = actor_now();
	if (!a)
		return;
	if (READ_ONCE(everybody_free)) {
		park(p);
		return;
	}
	note_place(a, p, gfn, level);
	if (is_goal(a, p, a->gfn, level))
		stop(a);
}

/**
 * bed_want_yield() - walks of this thread yield at every entry, or not any more
 * @b: bed
 * @yes: they do
 *
 * KVM itself never yields twice before it has got on.
 *
 * Context: a script's thread, or the case's own. Until the case ends.
 */
void bed_want_yield(struct bed *b, bool yes)
{
	struct actor *a = actor_now();

	if (a) {
		a->yields = yes;
		return;
	}
	case_task = current;
	WRITE_ONCE(case_yields, yes);
}

/**
 * bed_wants_yield() - does the current thread want to yield?
 *
 * Context: any.
 *
 * Return: as bed_want_yield() said.
 */
bool bed_wants_yield(void)
{
	struct actor *a;

	if (READ_ONCE(case_yields) && case_task == current)
		return true;
	if (!READ_ONCE(nr_actors))
		return false;
	a = actor_now();
	return a && a->yields;
}

/* --- mmu_lock --- */

void bed_will_lock(char how)
{
	struct actor *a = actor_now();

	if (a)
		WRITE_ONCE(a->wants, how);
}

static void has_locked(void)
{
	struct actor *a = actor_now();

	if (!a)
		return;
	a->has = a->wants;
	WRITE_ONCE(a->wants, 0);
}

void bed_has_unlocked(void)
{
	struct actor *a = actor_now();

	if (!a)
		return;
	a->has = 0;
	WRITE_ONCE(a->wants, 0);
}

void bed_read_lock(struct bed *b)
{
	bed_will_lock('r');
	read_lock(&b->kvm->mmu_lock);
	has_locked();
}

void bed_read_unlock(struct bed *b)
{
	read_unlock(&b->kvm->mmu_lock);
	bed_has_unlocked();
}

void bed_write_lock(struct bed *b)
{
	bed_will_lock('w');
	write_lock(&b->kvm->mmu_lock);
	has_locked();
}

void bed_write_unlock(struct bed *b)
{
	write_unlock(&b->kvm->mmu_lock);
	bed_has_unlocked();
}

/* --- threads --- */

static int act(void *arg)
{
	struct actor *a = arg;

	/* nothing is held yet: sleep */
	while (is_held(a) && !READ_ONCE(everybody_free))
		usleep_range(20, 50);
	a->held = false;
	a->what->ret = a->what->fn(a->b, a->what->arg);
	note_place(a, BED_DONE, 0, 0);
	/* pairs with is_over() of the script */
	smp_store_release(&a->over, true);
	complete(&a->done);
	return 0;
}

static bool start(struct actor *a)
{
	struct task_struct *task = kthread_create(act, a, "bed/%c", a->name);

	if (IS_ERR(task))
		return false;
	kthread_bind(task, a->cpu);
	WRITE_ONCE(a->task, get_task_struct(task));
	wake_up_process(task);
	return true;
}

static void prepare(struct bed *b, struct bed_actor *what, int nr)
{
	int cpu = raw_smp_processor_id(), i;

	memset(actors, 0, sizeof(actors));
	WRITE_ONCE(everybody_free, false);
	for (i = 0; i < nr; i++) {
		do {
			cpu = cpumask_next_wrap(cpu, cpu_online_mask);
		} while (cpu == raw_smp_processor_id());
		actors[i].b = b;
		actors[i].what = &what[i];
		actors[i].name = 'A' + i;
		actors[i].cpu = cpu;
		actors[i].held = true;
		init_completion(&actors[i].done);
	}
	WRITE_ONCE(nr_actors, nr);
}

/* Let everybody go, and wait for them; false: somebody does not come back. */
static bool join(void)
{
	u64 waited;
	int i;

	WRITE_ONCE(everybody_free, true);
	for (i = 0; i < nr_actors; i++) {
		waited = 0;
		while (actors[i].task && waited < PATIENCE_ALL_NS) {
			if (wait_for_completion_timeout(&actors[i].done, msecs_to_jiffies(20) + 1))
				break;
			waited += LOOK_MAX_NS;
		}
		if (waited >= PATIENCE_ALL_NS)
			return false;
		if (actors[i].task)
			kthread_stop_put(actors[i].task);
		WRITE_ONCE(actors[i].task, NULL);
	}
	WRITE_ONCE(nr_actors, 0);
	return true;
}

/* --- who waits for whom --- */

static bool excludes(char has, char wants)
{
	return has == 'w' || (has == 'r' && wants == 'w');
}

/* Between yield and yielded it wants the lock back that it had. */
static char wanted_lock(struct actor *a)
{
	char wants = READ_ONCE(a->wants);

	return wants ?: READ_ONCE(a->at) == BED_YIELD ? a->lock : 0;
}

/*
 * Does somebody wait for mmu_lock in this way? Not before it is seen in the lock itself is
 * a thread's turn sure to come before that of one which drops the lock and takes it again.
 */
static bool is_queued(struct bed *b, char wants)
{
#if defined(CONFIG_QUEUED_RWLOCKS) && !defined(CONFIG_PREEMPT_RT)
	arch_rwlock_t *lock = &b->kvm->mmu_lock.raw_lock;

	return wants == 'w' ? atomic_read(&lock->cnts) & _QW_WAITING :
			      queued_rwlock_is_contended(lock);
#else
	return true;
#endif
}

/* A thread that is stopped and has the lock does not move: whoever wants it, too, waits. */
static bool waits_for_lock(struct actor *a)
{
	char wants = wanted_lock(a);
	int i;

	if (!wants || !is_queued(a->b, wants))
		return false;
	for (i = 0; i < nr_actors; i++)
		if (&actors[i] != a && is_held(&actors[i]) && excludes(actors[i].lock, wants))
			return true;
	return false;
}

static bool is_blocked(struct actor *a, u32 passed)
{
	if (points_passed(a) != passed && READ_ONCE(a->at) == BED_WAIT_OWNER)
		return true;
	return waits_for_lock(a);
}

/* --- the script --- */

struct script {
	struct bed *b;
	const struct bed_step *steps;
	int nr_steps;
	int at;
	u64 look;	/* when the script last looked, ns */
	u64 still;	/* how long the thread has not moved, ns */
	u64 all;	/* how long the step has taken, ns */
	u32 passed;
};

static struct actor *actor_of(const struct bed_step *s)
{
	return &actors[s->thread - 'A'];
}

/* A thread that is blocked runs on by itself, to where the script wants it next. */
static const struct bed_step *next_goal(const struct bed_step *s)
{
	char thread = s->thread;

	while (s->thread && (s->thread != thread || s->blocked))
		s++;
	return s->thread ? s : NULL;
}

static void let_go(struct actor *a, const struct bed_step *goal)
{
	a->goal = goal;
	a->left = goal ? goal->nth ?: 1 : 0;
	/* pairs with is_held() of the thread */
	smp_store_release(&a->held, false);
}

static void begin_wait(struct script *s, struct actor *a)
{
	s->look = ktime_get_ns();
	s->still = 0;
	s->all = 0;
	s->passed = points_passed(a);
}

/* Sleep a little; false: patience is at an end. */
static bool keep_waiting(struct script *s, struct actor *a)
{
	u64 now, delta;
	u32 passed;

	usleep_range(10, 50);
	now = ktime_get_ns();
	delta = min(now - s->look, LOOK_MAX_NS);
	s->look = now;
	s->all += delta;
	s->still += delta;
	passed = points_passed(a);
	if (passed != s->passed)
		s->still = 0;
	s->passed = passed;
	return s->still < patience && s->all < PATIENCE_ALL_NS;
}

/* It is at, or already on its way to, @step. NULL, or why it does not get there. */
static const char *run_to(struct script *s, const struct bed_step *step)
{
	struct actor *a = actor_of(step);

	if (a->goal != step)
		let_go(a, step);
	begin_wait(s, a);
	for (;;) {
		if (step->to == BED_DONE ? is_over(a) : is_held(a))
			return NULL;
		if (is_over(a) && !is_held(a))
			return "its function returned before it got there";
		if (!keep_waiting(s, a))
			return "it does not get there";
	}
}

static const char *run_into_block(struct script *s, const struct bed_step *step)
{
	struct actor *a = actor_of(step);
	u32 passed = points_passed(a);

	let_go(a, next_goal(step));
	begin_wait(s, a);
	for (;;) {
		if (is_blocked(a, passed))
			return NULL;
		if (is_over(a))
			return "it was to wait for another, and has returned";
		if (is_held(a))
			return "it was to wait for another, and got on";
		if (!keep_waiting(s, a))
			return "it was to wait for another, and is not seen to";
	}
}

/* --- words --- */

static int say_step(char *text, int size, const struct bed_step *s)
{
	int n = scnprintf(text, size, "%c %s %s", s->thread, s->blocked ? "waits before" : "to",
			  bed_point_name(s->to));

	if (s->nth > 1)
		n += scnprintf(text + n, size - n, ", time %u", s->nth);
	if (s->level)
		n += scnprintf(text + n, size - n, ", level %s", bed_level_name(s->level));
	if (s->gfn_too)
		n += scnprintf(text + n, size - n, ", gfn 0x%llx", s->gfn);
	return n;
}

static int say_place(char *text, int size, struct actor *a)
{
	char wants = wanted_lock(a);
	int n;

	if (is_over(a))
		return scnprintf(text, size, "; %c is done", a->name);
	n = scnprintf(text, size, "; %c %s at %s", a->name, READ_ONCE(a->held) ? "stopped" : "runs",
		      bed_point_name(READ_ONCE(a->at)));
	if (a->level)
		n += scnprintf(text + n, size - n, " gfn 0x%llx level %s", a->gfn,
			       bed_level_name(a->level));
	if (a->passed)
		n += scnprintf(text + n, size - n, ", mmu_lock %c", a->lock);
	if (wants && !READ_ONCE(a->held))
		n += scnprintf(text + n, size - n, ", wants mmu_lock for %s",
			       wants == 'w' ? "write" : "read");
	return n;
}

static const char *say_stuck(struct script *s, const char *why)
{
	char text[280];
	int n, i;

	n = scnprintf(text, sizeof(text), "step %d of %d (", s->at + 1, s->nr_steps);
	n += say_step(text + n, sizeof(text) - n, &s->steps[s->at]);
	n += scnprintf(text + n, sizeof(text) - n, "): %s", why);
	for (i = 0; i < nr_actors; i++)
		n += say_place(text + n, sizeof(text) - n, &actors[i]);
	return bed_say(s->b, "%s", text);
}

/* What the last script of this case has done, in case it fails. */
static struct {
	int n;
	char step[TOLD_STEPS][120];
} told;

static void tell(struct script *s)
{
	const struct bed_step *step = &s->steps[s->at];
	char *text;
	int n;

	if (told.n == TOLD_STEPS)
		return;
	text = told.step[told.n++];
	n = say_step(text, sizeof(told.step[0]), step);
	say_place(text + n, sizeof(told.step[0]) - n, actor_of(step));
}

void bed_sched_print(struct bed *b)
{
	int i;

	for (i = 0; i < told.n; i++)
		kunit_info(b->test, "schedule step %d: %s", i + 1, told.step[i]);
}

/**
 * bed_patience() - for tests of scripts that cannot be followed
 * @ms: how long a thread may not move, in milliseconds, until the case ends
 *
 * Context: the case's thread.
 */
void bed_patience(u32 ms)
{
	patience = ms * NSEC_PER_MSEC;
}

void bed_sched_reset(void)
{
	patience = PATIENCE_NS;
	told.n = 0;
	WRITE_ONCE(case_yields, false);
}

bool bed_sched_lost(void)
{
	return lost;
}

/* --- play --- */

static const char *follow(struct script *s)
{
	const struct bed_step *step;
	const char *why;

	for (s->at = 0; s->at < s->nr_steps; s->at++) {
		step = &s->steps[s->at];
		why = step->blocked ? run_into_block(s, step) : run_to(s, step);
		if (why)
			return say_stuck(s, why);
		tell(s);
	}
	return NULL;
}

/* The case ends here, with a SKIP, if this place cannot play the script. */
static int need(struct bed *b, const struct bed_step *steps, int nr)
{
	int n = 0;

	if (num_online_cpus() <= nr)
		kunit_skip(b->test, "%d CPUs online, the script needs %d", num_online_cpus(),
			   nr + 1);
	for (; steps[n].thread; n++) {
		if (!bed_has_point(steps[n].to))
			kunit_skip(b->test, "there is no point %s here",
				   bed_point_name(steps[n].to));
		KUNIT_ASSERT_LT(b->test, steps[n].thread - 'A', nr);
	}
	return n;
}

/**
 * bed_play() - play a script
 * @b: bed
 * @steps: the script
 * @actor: threads 'A', 'B', ...
 * @nr: how many
 *
 * Context: the case's thread; may sleep. All threads have returned at the end.
 *
 * Return: NULL, or why it could not be followed, and where each thread stood.
 */
const char *bed_play(struct bed *b, const struct bed_step *steps, struct bed_actor *actor, int nr)
{
	struct script s = { .b = b, .steps = steps, .nr_steps = need(b, steps, nr) };
	const char *wrong = NULL;
	cpumask_var_t before;
	int i;

	if (!alloc_cpumask_var(&before, GFP_KERNEL))
		return "no memory to play the script";
	cpumask_copy(before, current->cpus_ptr);
	/* not where a stopped thread spins */
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	told.n = 0;
	prepare(b, actor, nr);
	for (i = 0; i < nr && !wrong; i++)
		if (!start(&actors[i]))
			wrong = "no memory for the threads";
	if (!wrong)
		wrong = follow(&s);
	if (!join()) {
		lost = true;
		wrong = bed_say(b, "%s; then a thread did not come back",
				wrong ?: "all steps done");
	}
	set_cpus_allowed_ptr(current, before);
	free_cpumask_var(before);
	return wrong;
}

/**
 * bed_follow() - play a script, or fail the case
 * @b: bed
 * @steps: the script
 * @actor: threads 'A', 'B', ...
 * @nr: how many
 *
 * Context: as bed_play().
 *
 * Return: true if the script was followed.
 */
bool bed_follow(struct bed *b, const struct bed_step *steps, struct bed_actor *actor, int nr)
{
	const char *wrong = bed_play(b, steps, actor, nr);

	if (wrong)
		KUNIT_FAIL(b->test, "schedule: %s", wrong);
	return !wrong;
}
