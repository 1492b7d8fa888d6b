/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: threads and the operations they do.
 */
#ifndef TDP_STRESS_TORTURE_WORKER_H
#define TDP_STRESS_TORTURE_WORKER_H

#include <linux/atomic.h>
#include <linux/prandom.h>
#include <linux/sched.h>

#include "../kvm/own.h"
#include "schedule.h"
#include "torture.h"

/* What kind of thread does an operation. */
enum torture_kind {
	TORTURE_MMU,	/* calls the TDP MMU */
	TORTURE_SLOT,	/* leads the VM's life */
	TORTURE_VCPU,	/* enters a vCPU */
};

/* What an operation wants of the VM and of the host. */
enum torture_need {
	NEED_NOTHING,
	NEED_PRIVATE,
	NEED_CRAFT,
	NEED_CRAFT_HUGE,
	NEED_GIANT,
	NEED_SHARED_HUGE,
	NEED_HUGETLB,
	NEED_NX,
	NEED_ZAP_WRITE,
};

/* Pages that an operation is done to. */
enum torture_span {
	SPAN_PAGE,	/* one */
	SPAN_FEW,	/* up to 64 */
	SPAN_2M,	/* an aligned 2M */
	SPAN_ALL,	/* the region */
};

/**
 * struct torture_op - an operation on one kind of root
 * @name: what users know it by; several rows may share it
 * @root: direct, mirror, both or -
 * @level: 4K, 2M, 1G or -
 * @fn: does it
 * @kind: who does it
 * @need: what it cannot do without
 * @weight: how often, relative to the others of its @kind
 * @span: pages it is done to
 * @target: the fixed part of what it is done to
 * @not_run: why it is not done in this run, or NULL
 * @calls: how often it was done
 * @result: how it went, by enum tdps_result
 * @yields: times KVM let go of mmu_lock in the middle of it
 */
struct torture_op {
	const char *name;
	const char *root;
	const char *level;
	tdps_entry_fn fn;
	enum torture_kind kind;
	enum torture_need need;
	u32 weight;
	enum torture_span span;
	struct tdps_target target;
	const char *not_run;
	atomic64_t calls;
	atomic64_t result[TDPS_NR_RESULTS];
	atomic64_t yields;
};

extern struct torture_op torture_ops[];
extern const int torture_nr_ops;

/**
 * struct torture_worker - a thread
 * @task: the thread
 * @kind: what it does
 * @index: number among all workers
 * @vm: vCPU threads: number of the VM; others take them in turn
 * @vcpu: vCPU threads: the vCPU. Others: the side vCPU, in each VM
 * @rnd: its random stream
 * @op: operation in flight, or NULL; others read it
 * @since_ns: when it began, monotonic ns; others read it
 * @stuck: the leader has complained about it; its own
 * @priority: PCT: the greater, the later it has to wait; others read it
 * @points: schedule points until the next change of @priority
 * @token: D1: taken before the guest's access in flight
 * @vm_id: the VM whose guest is playing
 * @shared_bit: of that VM
 * @playing: that VM
 * @bitmap: room for a dirty log
 */
struct torture_worker {
	struct task_struct *task;
	enum torture_kind kind;
	u32 index;
	u32 vm;
	u32 vcpu;
	struct rnd_state rnd;
	struct torture_op *op;
	u64 since_ns;
	bool stuck;
	u32 priority;
	u32 points;
	u64 token;
	u64 vm_id;
	u64 shared_bit;
	struct tdps_vm *playing;
	unsigned long *bitmap;
};

#define TORTURE_MAX_VMS		4
#define TORTURE_MAX_WORKERS	(64 + 8 + 32 * TORTURE_MAX_VMS)

/* The worker that the current thread is, or NULL. Any context. */
struct torture_worker *torture_current(void);
void torture_visit(void (*fn)(struct torture_worker *w, void *arg), void *arg);

static inline u32 torture_random(struct torture_worker *w, u32 below)
{
	return below ? prandom_u32_state(&w->rnd) % below : 0;
}

static inline bool torture_one_in(struct torture_worker *w, u32 n)
{
	return !torture_random(w, n);
}

/* ops.c */
void torture_ops_check(const struct tdps_vm *vm);
struct torture_op *torture_pick(struct torture_worker *w);
void torture_do(struct torture_worker *w, struct torture_op *op, struct tdps_vm *vm);
void torture_enter(struct torture_worker *w, struct tdps_vm *vm);

/* guest.c */
void torture_guest_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

/* schedule.c */
void torture_schedule_start(enum torture_schedule how, u32 delay_us, unsigned long points);
void torture_schedule_stop(void);

/* stats.c */
int torture_stats_start(void);
void torture_stats_stop(void);
void torture_stats_line(u64 seconds);

#endif
