/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations of user space in flight: what KVM does in their threads is counted.
 */
#ifndef TDP_STRESS_KVM_FLIGHT_H
#define TDP_STRESS_KVM_FLIGHT_H

#include <linux/atomic.h>
#include <linux/types.h>

struct task_struct;

/**
 * struct tdps_flight - an operation in flight
 * @task: its thread; NULL: there is none
 * @changed: SPTEs changed, by this thread
 * @yields: times that KVM let go of mmu_lock, in this thread
 */
struct tdps_flight {
	struct task_struct *task;
	u64 changed;
	u64 yields;
};

extern atomic_t tdps_flights;	/* how many there are */

/* The current thread begins an operation; NULL: there are too many, count nothing. */
struct tdps_flight *tdps_flight_begin(void);
void tdps_flight_end(struct tdps_flight *f);

void __tdps_flight_changed(void);

/* The current thread has changed an SPTE. Any context. */
static inline void tdps_flight_changed(void)
{
	if (atomic_read(&tdps_flights))
		__tdps_flight_changed();
}

/*
 * Yields are counted in between; not counting them is no error. Start only if there is
 * an operation, so that nothing is hooked for nothing; again is nothing. May sleep.
 */
void tdps_flight_start(void);
void tdps_flight_stop(void);

#endif
