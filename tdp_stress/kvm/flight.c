// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM does in the threads of user space's operations. Each thread counts for
 * itself; knows nothing of what is done.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/cleanup.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "flight.h"
#include "probe.h"

#define NR_FLIGHTS	256

atomic_t tdps_flights;

static struct tdps_flight flights[NR_FLIGHTS];

struct tdps_flight *tdps_flight_begin(void)
{
	int i;

	for (i = 0; i < NR_FLIGHTS; i++) {
		if (READ_ONCE(flights[i].task) || cmpxchg(&flights[i].task, NULL, current))
			continue;
		flights[i].changed = 0;
		flights[i].yields = 0;
		atomic_inc(&tdps_flights);
		return &flights[i];
	}
	return NULL;
}

void tdps_flight_end(struct tdps_flight *f)
{
	if (!f)
		return;
	atomic_dec(&tdps_flights);
	/* what was counted has been read */
	smp_store_release(&f->task, NULL);
}

static struct tdps_flight *current_flight(void)
{
	int i;

	if (!in_task())
		return NULL;
	for (i = 0; i < NR_FLIGHTS; i++)
		if (READ_ONCE(flights[i].task) == current)
			return &flights[i];
	return NULL;
}

void __tdps_flight_changed(void)
{
	struct tdps_flight *f = current_flight();

	if (f)
		f->changed++;
}

/* --- yields --- */

/* As torture/stats.c has it: KVM's walks yield through these two. */
static const char * const yield_symbols[] = {
	"__cond_resched_rwlock_read", "__cond_resched_rwlock_write",
};

static void yield_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	struct tdps_flight *f;

	if (!atomic_read(&tdps_flights) || !(int)tdps_ret(regs))
		return;
	f = current_flight();
	if (f)
		f->yields++;
}

static struct fprobe yield_probe = { .exit_handler = yield_exit };
static DEFINE_MUTEX(start_mutex);	/* @started, @counts_yields */
static bool started;
static bool counts_yields;

void tdps_flight_start(void)
{
	const char *symbols[ARRAY_SIZE(yield_symbols)];	/* will be sorted */
	int err;

	guard(mutex)(&start_mutex);
	if (started)
		return;
	started = true;
	memcpy(symbols, yield_symbols, sizeof(symbols));
	tdps_probe_room(&yield_probe);
	err = register_fprobe_syms(&yield_probe, symbols, ARRAY_SIZE(symbols));
	counts_yields = !err;
	if (err)
		pr_info("yields of user space's operations are not counted: no probe on %s (%d)\n",
			yield_symbols[0], err);
}

void tdps_flight_stop(void)
{
	if (counts_yields)
		unregister_fprobe(&yield_probe);
	counts_yields = false;
	started = false;
}
