/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One run: its TDs, its threads and its outcome. What the operations, the
 * supervisor and the report share.
 */
#ifndef DRIVER_STRESS_H
#define DRIVER_STRESS_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>

#include "../lib/modules.h"
#include "../lib/rng.h"
#include "../lib/td.h"
#include "ops.h"
#include "options.h"

#define MAX_ERRNO	134

/**
 * struct vcpu_use - who may use a vCPU's ioctls
 * @gate: held while waiting for @run, so that at most one thread waits there and
 *	  neither side starves the other
 * @run: for writing: from KVM_RUN to the end of the answer to its exit; for
 *	 reading: any other ioctl
 *
 * The exit is in memory shared with KVM, which tells of a fault that
 * KVM_PRE_FAULT_MEMORY meets in the same place, and vcpu->mutex is released
 * before the exit has been read. Other ioctls still contend on vcpu->mutex.
 */
struct vcpu_use {
	pthread_mutex_t gate;
	pthread_rwlock_t run;
};

/**
 * struct target - a TD that lives for the whole run, and who changes what
 * @td: the TD
 * @index: its number
 * @slots_lock: serialises changes of td.slots[] and the window's fields. Only
 *		ever tried, so that a hanging owner does not look like many.
 * @backing_lock: whoever holds it may touch or change shared memory; only tried
 * @uses: who uses which vCPU, one for each
 * @window_lock: for writing: changes @window_shared; for reading: conversions
 * @window_shared: the window's slot has no guest_memfd just now
 * @window_since_ns: since when (CLOCK_MONOTONIC)
 * @window_uses: dirty log operations since then
 * @window_home: which home in guest_memfd it has, or will have again
 * @bitmap: room for the window's dirty log
 */
struct target {
	struct td td;
	unsigned int index;
	pthread_mutex_t slots_lock;
	pthread_mutex_t backing_lock;
	struct vcpu_use *uses;
	pthread_rwlock_t window_lock;
	_Atomic bool window_shared;
	_Atomic u64 window_since_ns;
	unsigned int window_uses;
	unsigned int window_home;
	void *bitmap;
};

/* Written by the thread they belong to, read by others at any time. */
struct op_stats {
	_Atomic u64 calls, ok, retry, skip;
	_Atomic u64 ns;			/* spent in it */
	_Atomic u64 errs[MAX_ERRNO];
};

enum worker_role { WORKER_VCPU, WORKER_FREE };

/**
 * struct worker - a thread
 * @stress: the run
 * @role: whose thread
 * @id: number, as in its name "w<id>:<op>"
 * @vcpu: own vCPU (WORKER_VCPU)
 * @target: TD of @vcpu
 * @thread: handle
 * @started: @thread is valid
 * @finished: its function is about to return
 * @tid: thread ID
 * @op: operation in flight, or -1
 * @watch: call in flight
 * @rng: its random choices
 * @stats: per operation
 * @exits: KVM_RUN's outcomes
 * @cycled: pages mapped and unmapped by OP_CYCLE
 * @position: next page of OP_CYCLE
 * @idle_ns: time in KVM_RUN since it last ended by what the guest has done
 * @idle_from: exits of the vCPU when that began
 * @idle_exits: how many there were since
 * @activity: TD_ACT_* that decide which errnos are legal for it just now
 * @nr_ops: operations of WORKER_FREE
 * @digest: FNV-1a of their sequence
 */
struct worker {
	struct stress *stress;
	enum worker_role role;
	unsigned int id;
	struct td_vcpu *vcpu;
	struct target *target;
	pthread_t thread;
	bool started;
	_Atomic bool finished;
	_Atomic pid_t tid;
	_Atomic int op;
	struct td_watch watch;
	struct rng rng;
	struct op_stats stats[NR_OPS];
	_Atomic u64 exits[TD_NR_EXITS];
	_Atomic u64 cycled;
	u64 position;
	u64 idle_ns;
	s64 idle_from;
	s64 idle_exits;
	u32 activity;
	u64 nr_ops;
	u64 digest;
};

/**
 * struct stress - the run
 * @opt: what the user wants
 * @env: the host
 * @targets: opt.tds of them
 * @workers: opt.workers free ones, then each TD's vCPU threads
 * @nr_workers: number of @workers
 * @trace: --trace-ops, or NULL
 * @stop_free: free workers shall stop
 * @stop_vcpus: vCPU threads shall stop
 * @fail_lock: protects @failure
 * @failure: the first failure, or ""
 * @failed: there is one
 * @hung: a thread hangs in the kernel: its TD cannot be torn down
 * @start_ns: begin of the stress (CLOCK_MONOTONIC)
 * @elapsed_ns: its length, once it is over
 * @modules: the two modules' counters
 */
struct stress {
	struct options opt;
	struct td_env env;
	struct target *targets;
	struct worker *workers;
	unsigned int nr_workers;
	FILE *trace;
	_Atomic bool stop_free;
	_Atomic bool stop_vcpus;
	pthread_mutex_t fail_lock;
	char failure[256];
	_Atomic bool failed;
	_Atomic bool hung;
	u64 start_ns;
	u64 elapsed_ns;
	struct modules modules;
};

u64 now_ns(void);
void sleep_us(unsigned int us);
void __printf(2, 3) stress_fail(struct stress *s, const char *fmt, ...);

static inline void count(_Atomic u64 *c)
{
	/* One writer: no read-modify-write is needed. */
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

/* worker.c */
int workers_create(struct stress *s);
void workers_free(struct stress *s);
enum op_result worker_judge(struct worker *w, enum td_call call, int ret,
			    const struct td *td);
void __printf(2, 3) worker_trace(struct worker *w, const char *fmt, ...);
struct target *worker_pick_target(struct worker *w);
struct worker *worker_of_vcpu(struct stress *s, const struct target *t, unsigned int vcpu);
u64 workers_digest(const struct stress *s, u64 *nr_ops);

/* target.c */
int target_create(struct stress *s, struct target *t, unsigned int index);
int targets_create(struct stress *s);
bool targets_destroy(struct stress *s);
void target_begin_run(struct target *t, const struct td_vcpu *vcpu);
void target_begin_ioctl(struct target *t, const struct td_vcpu *vcpu);
void target_end_use(struct target *t, const struct td_vcpu *vcpu);

/* supervise.c */
void supervise(struct stress *s);

/* op_mem.c: conversions, for the guest's sake */
int mem_fault(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private);
int mem_map_gpa(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, bool private);
/* op_slot.c */
bool window_contains(const struct target *t, u64 gfn, u64 nr_pages);
int window_make_private(struct worker *w);

/* payload/image.S */
extern const struct td_image payload_image;

/* report.c */
void report_progress(struct stress *s, bool last);
void report_summary(struct stress *s);
int report_json(struct stress *s, const char *verdict);

#endif
