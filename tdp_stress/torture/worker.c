// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: workers that do operations, and the one that leads them: makes and
 * unmakes VMs, stutters, prints statistics, ends the run. Knows no operation.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/wait.h>

#include "../oracle/oracle.h"
#include "worker.h"

#define LEAD_MS		100	/* between two looks of the leader */
#define LAST_LOOKS	5	/* of the leader, after a violation: what comes along with it */
#define STUCK_FACTOR	6	/* times progress_ms: others hold locks for long, too */
#define REBUILD_MAX	64	/* VMs made anew in a run that has failed */

/* Look-up of the current thread: twice as much room as there can be workers. */
#define TABLE_BITS	9

static struct torture_config cfg;
static struct tdps_vm *vms[TORTURE_MAX_VMS];
static struct torture_worker *workers;
static struct torture_worker *table[BIT(TABLE_BITS)];
static_assert(ARRAY_SIZE(table) >= 2 * TORTURE_MAX_WORKERS);
static u32 nr_workers;
static struct task_struct *leader;
static u64 start_s;
static u64 rebuilt;
static bool paused;
static DECLARE_WAIT_QUEUE_HEAD(pause_wait);

static enum { WATCHING, RUNNING, DONE } state;
static u64 done_s;		/* DONE: seconds that it ran */

static u64 now_s(void)
{
	return ktime_get_seconds();
}

/* --- who am I? --- */

static u32 bucket_of(const struct task_struct *task)
{
	return hash_ptr(task, TABLE_BITS);
}

/* Only while no worker runs; readers may look at any time. */
static void table_add(struct torture_worker *w)
{
	u32 i = bucket_of(w->task);

	while (table[i])
		i = (i + 1) % BIT(TABLE_BITS);
	WRITE_ONCE(table[i], w);
}

static void table_clear(void)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(table); i++)
		WRITE_ONCE(table[i], NULL);
}

struct torture_worker *torture_current(void)
{
	u32 i = bucket_of(current);
	struct torture_worker *w;

	if (!in_task())
		return NULL;
	while ((w = READ_ONCE(table[i]))) {
		if (w->task == current)
			return w;
		i = (i + 1) % BIT(TABLE_BITS);
	}
	return NULL;
}

/* For workers, to look at each other: all of them stay while one is running. */
void torture_visit(void (*fn)(struct torture_worker *w, void *arg), void *arg)
{
	u32 i;

	for (i = 0; i < nr_workers; i++)
		fn(&workers[i], arg);
}

/* --- a worker --- */

static void work(struct torture_worker *w)
{
	u32 i = w->kind == TORTURE_VCPU ? w->vm : torture_random(w, cfg.vms);
	struct tdps_vm *vm = vms[i];
	struct torture_op *op;

	if (!vm || tdps_own_bugged(vm)) {
		msleep(20);
		return;
	}
	if (w->kind == TORTURE_VCPU) {
		torture_enter(w, vm);
		return;
	}
	op = torture_pick(w);
	if (op)
		torture_do(w, op, vm);
	else
		msleep(20);
}

static int worker_fn(void *arg)
{
	struct torture_worker *w = arg;

	tdps_own_use();
	allow_signal(SIGUSR1);
	while (!kthread_should_stop()) {
		wait_event_idle(pause_wait, !READ_ONCE(paused) || kthread_should_stop());
		work(w);
		cond_resched();
	}
	tdps_own_unuse();
	return 0;
}

static void stop_workers(void)
{
	u32 i;

	for (i = 0; i < nr_workers; i++)
		if (workers[i].task)
			kthread_stop(workers[i].task);
	table_clear();
	/* whoever found a worker in the table has preemption off or is one */
	synchronize_rcu();
	for (i = 0; i < nr_workers; i++) {
		kvfree(workers[i].bitmap);
		workers[i].bitmap = NULL;
		workers[i].task = NULL;
		workers[i].playing = NULL;
	}
}

static int make_worker(struct torture_worker *w)
{
	struct task_struct *task;
	u64 pages = 0;
	u32 i;

	if (w->kind == TORTURE_SLOT) {
		for (i = 0; i < cfg.vms; i++)
			if (vms[i])
				pages = max(pages, tdps_own_pages(vms[i], TDPS_SHARED));
		w->bitmap = kvcalloc(BITS_TO_LONGS(pages) ?: 1, sizeof(long), GFP_KERNEL);
		if (!w->bitmap)
			return -ENOMEM;
	}
	task = kthread_create(worker_fn, w, "w%u", w->index);
	if (IS_ERR(task))
		return PTR_ERR(task);
	w->task = task;
	return 0;
}

static int start_workers(void)
{
	u32 i;
	int err;

	for (i = 0; i < nr_workers; i++) {
		err = make_worker(&workers[i]);
		if (err) {
			pr_err("cannot start worker %u of %u (%d)\n", i, nr_workers, err);
			stop_workers();
			return err;
		}
		table_add(&workers[i]);
	}
	for (i = 0; i < nr_workers; i++)
		wake_up_process(workers[i].task);
	return 0;
}

/* Who is who: the streams of all are set by the seed, whatever is made anew. */
static int plan_workers(void)
{
	u32 i, side = 0, vcpu = 0;

	nr_workers = cfg.mmu_workers + cfg.slot_workers + cfg.vms * cfg.vcpus;
	workers = kvcalloc(nr_workers, sizeof(*workers), GFP_KERNEL);
	if (!workers)
		return -ENOMEM;
	for (i = 0; i < nr_workers; i++) {
		struct torture_worker *w = &workers[i];

		w->index = i;
		prandom_seed_state(&w->rnd, cfg.seed + i * 0x9e3779b97f4a7c15ull);
		w->priority = S32_MAX / 2 + torture_random(w, S32_MAX / 2);
		if (i < cfg.mmu_workers + cfg.slot_workers) {
			w->kind = i < cfg.mmu_workers ? TORTURE_MMU : TORTURE_SLOT;
			w->vcpu = side++;
		} else {
			w->kind = TORTURE_VCPU;
			w->vm = vcpu / cfg.vcpus;
			w->vcpu = vcpu++ % cfg.vcpus;
		}
	}
	return 0;
}

/* --- VMs --- */

static int make_vm(u32 i)
{
	const struct tdps_own_config own = {
		.vcpus = cfg.vcpus,
		.side_vcpus = max(cfg.mmu_workers + cfg.slot_workers, 1u),
		.mem_bytes = cfg.mem_bytes,
		.giant = cfg.giant,
		.hugetlb = cfg.hugetlb,
	};
	struct tdps_vm *vm = tdps_own_create(&own);

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	vms[i] = vm;
	torture_ops_check(vm);
	return 0;
}

static void drop_vms(void)
{
	u32 i;

	for (i = 0; i < cfg.vms; i++) {
		if (vms[i])
			tdps_own_destroy(vms[i]);
		vms[i] = NULL;
	}
}

static bool any_bugged(void)
{
	u32 i;

	for (i = 0; i < cfg.vms; i++)
		if (vms[i] && tdps_own_bugged(vms[i]))
			return true;
	return false;
}

/* KVM has given a VM up: make it anew and go on. False: it is no use. */
static bool rebuild(void)
{
	u32 i;

	stop_workers();
	for (i = 0; i < cfg.vms; i++) {
		if (!vms[i] || !tdps_own_bugged(vms[i]))
			continue;
		tdps_own_destroy(vms[i]);
		vms[i] = NULL;
		/* after a refusal, or a failure on purpose, the next one is as good as any */
		if (rebuilt++ >= REBUILD_MAX && tdps_violations_total()) {
			pr_warn("KVM has given up %llu VMs: no more are made\n", rebuilt);
			return false;
		}
		if (make_vm(i))
			return false;
	}
	return !start_workers();
}

/* --- the leader --- */

static void stutter(u64 seconds)
{
	bool pause = cfg.stutter && seconds / cfg.stutter % 2;

	if (pause == paused)
		return;
	WRITE_ONCE(paused, pause);
	wake_up_all(&pause_wait);
}

/*
 * P1, for what is no operation to the oracles: some loops of KVM end only with
 * success or a signal.
 */
static void look_after(struct torture_worker *w, void *arg)
{
	const struct tdps_where where = { .vm = *(u64 *)arg, .gfn = TDPS_NO_GFN };
	struct tdps_who who = { .pid = task_pid_nr(w->task) };
	struct torture_op *op = READ_ONCE(w->op);
	u64 since, now;

	/* pairs with begin() in ops.c: not the time of an earlier one */
	smp_rmb();
	since = READ_ONCE(w->since_ns);
	now = ktime_get_mono_fast_ns();
	if (!op || now < since || now - since < STUCK_FACTOR * tdps_limits.progress_ns) {
		w->stuck = false;
		return;
	}
	if (!w->stuck && tdps_wants(TDPS_P1)) {
		get_task_comm(who.comm, w->task);
		tdps_violation_by(TDPS_P1, &where, &who, "%s (%s) does not end, after %llu ms",
				  op->name, op->root, (now - since) / NSEC_PER_MSEC);
	}
	w->stuck = true;
	send_sig(SIGUSR1, w->task, 1);
}

static void lead(void)
{
	u64 vm = vms[0] ? tdps_own_id(vms[0]) : 0;
	u64 last_line = 0, seconds;
	int looks = LAST_LOOKS;

	while (!kthread_should_stop()) {
		schedule_timeout_idle(msecs_to_jiffies(LEAD_MS));
		seconds = now_s() - start_s;
		if (cfg.duration && seconds >= cfg.duration)
			return;
		/* another VM would meet the same bug */
		if (cfg.stop_early && tdps_violations_total() && (any_bugged() || !looks--))
			return;
		stutter(seconds);
		if (cfg.stat_interval && seconds >= last_line + cfg.stat_interval) {
			last_line = seconds;
			torture_stats_line(seconds);
		}
		torture_visit(look_after, &vm);
		if (any_bugged() && !rebuild())
			return;
	}
}

static int leader_fn(void *unused)
{
	tdps_own_use();
	lead();
	stop_workers();
	drop_vms();
	tdps_own_unuse();
	done_s = now_s() - start_s;
	WRITE_ONCE(state, DONE);
	torture_stats_line(done_s);
	if (!kthread_should_stop() && cfg.finish)
		cfg.finish();
	while (!kthread_should_stop())
		schedule_timeout_idle(MAX_SCHEDULE_TIMEOUT);
	return 0;
}

static void close_all(void)
{
	torture_schedule_stop();
	torture_stats_stop();
	kvfree(workers);
	workers = NULL;
	nr_workers = 0;
	tdps_entry_close();
	tdps_own_close();
}

static int start_threads(void)
{
	int err = start_workers();

	if (err)
		return err;
	start_s = now_s();
	leader = kthread_run(leader_fn, NULL, "tdp_stress");
	if (!IS_ERR(leader))
		return 0;
	err = PTR_ERR(leader);
	leader = NULL;
	pr_err("cannot start the leading thread (%d)\n", err);
	stop_workers();
	return err;
}

/**
 * torture_start() - make VMs and start working on them
 * @config: what is run
 *
 * Context: may sleep; a process with an address space, after tdps_entry_find().
 *
 * Return: 0 or -errno, nothing left then and the reason printed.
 */
int torture_start(const struct torture_config *config)
{
	u32 i;
	int err;

	cfg = *config;
	if (!cfg.vms)
		return 0;
	err = tdps_own_open();
	if (!err) {
		tdps_entry_open();
		err = torture_stats_start();
	}
	if (!err)
		err = plan_workers();
	for (i = 0; i < cfg.vms && !err; i++)
		err = make_vm(i);
	if (!err) {
		torture_schedule_start(cfg.schedule, cfg.delay_us, cfg.points);
		WRITE_ONCE(state, RUNNING);
		err = start_threads();
	}
	if (err) {
		WRITE_ONCE(state, WATCHING);
		drop_vms();
		close_all();
	}
	return err;
}

void torture_stop(void)
{
	if (!leader)
		return;
	kthread_stop(leader);
	leader = NULL;
	close_all();
}

void torture_state(char *buf, size_t len)
{
	switch (READ_ONCE(state)) {
	case WATCHING:
		scnprintf(buf, len, "watching");
		break;
	case RUNNING:
		scnprintf(buf, len, "running %llu", now_s() - start_s);
		break;
	case DONE:
		scnprintf(buf, len, "done %llu", done_s);
		break;
	}
}

u64 torture_rebuilt(void)
{
	return READ_ONCE(rebuilt);
}
