// SPDX-License-Identifier: GPL-2.0
/*
 * Threads: which operation comes next, whose name the thread bears meanwhile,
 * and what its errnos mean. Knows no operation by itself.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "stress.h"

#define FNV_OFFSET	0xcbf29ce484222325ULL
#define FNV_PRIME	0x100000001b3ULL

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void sleep_us(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

/**
 * stress_fail() - record a failure; the first one ends the run and names it
 * @s: the run
 * @fmt: one clause, without newline
 *
 * Context: any thread.
 */
void stress_fail(struct stress *s, const char *fmt, ...)
{
	char text[sizeof(s->failure)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	pthread_mutex_lock(&s->fail_lock);
	if (!s->failed)
		memcpy(s->failure, text, sizeof(text));
	s->failed = true;
	printf("tdp-stress: failure: %s\n", text);
	fflush(stdout);
	pthread_mutex_unlock(&s->fail_lock);
}

static u64 fnv(u64 hash, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		hash = (hash ^ *p++) * FNV_PRIME;
	return hash;
}

/**
 * worker_trace() - tell what the operation is about to do
 * @w: the thread
 * @fmt: its choices, all of them, and nothing but choices
 *
 * Goes into the worker's digest, and into --trace-ops. vCPU threads run as often
 * as time allows, so that their operations have no sequence to compare.
 */
void worker_trace(struct worker *w, const char *fmt, ...)
{
	char line[160];
	va_list ap;
	int len;

	if (w->role != WORKER_FREE)
		return;
	len = snprintf(line, sizeof(line), "%s ", ops[w->op].name);
	va_start(ap, fmt);
	len += vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	w->digest = fnv(w->digest, line, len + 1);
	if (w->stress->trace)
		fprintf(w->stress->trace, "w%u %llu %s\n", w->id, w->nr_ops, line);
}

/* One number for all workers' sequences, whatever order they ran in. */
u64 workers_digest(const struct stress *s, u64 *nr_ops)
{
	u64 digest = FNV_OFFSET;
	u64 i;

	*nr_ops = 0;
	for (i = 0; i < s->opt.workers; i++) {
		digest = fnv(digest, &s->workers[i].digest, sizeof(digest));
		*nr_ops += s->workers[i].nr_ops;
	}
	return digest;
}

/**
 * worker_judge() - what a call's result means
 * @w: the thread that made it, within its operation
 * @call: the call
 * @ret: 0 or more, or -errno
 * @td: for the message
 *
 * Return: OP_OK, OP_RETRY (a legal errno) or OP_FAILED (reported)
 */
enum op_result worker_judge(struct worker *w, enum td_call call, int ret, const struct td *td)
{
	int err = -ret;

	if (ret >= 0)
		return OP_OK;
	if (err < MAX_ERRNO)
		count(&w->stats[w->op].errs[err]);
	if (td_errno_legal(call, err, w->activity))
		return OP_RETRY;
	stress_fail(w->stress, "w%u:%s: %s: %s%s (SEAMCALL status 0x%llx)", w->id,
		    ops[w->op].name, td_call_name(call), td_errno_name(err),
		    err == EIO ? ", KVM declared the VM bugged or dead" : "", td->hw_error);
	return OP_FAILED;
}

struct target *worker_pick_target(struct worker *w)
{
	return &w->stress->targets[rng_below(&w->rng, w->stress->opt.tds)];
}

struct worker *worker_of_vcpu(struct stress *s, const struct target *t, unsigned int vcpu)
{
	return &s->workers[s->opt.workers + t->index * s->opt.vcpus + vcpu];
}

/* architecture.rst: a violation names the operation by the thread's name. */
static void set_name(struct worker *w, int op)
{
	char name[16];

	snprintf(name, sizeof(name), "w%u:%s", w->id, ops[op].name);
	prctl(PR_SET_NAME, name);
}

static void perform(struct worker *w, int op)
{
	struct op_stats *stats = &w->stats[op];
	u64 begin = now_ns();

	if (w->op != op)
		set_name(w, op);
	w->op = op;
	count(&stats->calls);
	switch (ops[op].fn(w)) {
	case OP_OK:
		count(&stats->ok);
		break;
	case OP_RETRY:
		count(&stats->retry);
		break;
	case OP_SKIP:
		count(&stats->skip);
		break;
	case OP_FAILED:
		break;
	}
	atomic_store_explicit(&stats->ns, stats->ns + now_ns() - begin, memory_order_relaxed);
	w->nr_ops++;
}

/* One of the operations that @by performs, by weight; -1: there is none. */
static int pick(struct worker *w, u32 by, u32 total)
{
	const u32 *weight = w->stress->opt.weight;
	u32 x = rng_below(&w->rng, total);
	int i;

	for (i = 0; i < NR_OPS; i++) {
		if (!(ops[i].by & by))
			continue;
		if (x < weight[i])
			return i;
		x -= weight[i];
	}
	return -1;
}

static u32 total_weight(const struct stress *s, u32 by)
{
	u32 total = 0;
	int i;

	for (i = 0; i < NR_OPS; i++)
		if (ops[i].by & by)
			total += s->opt.weight[i];
	return total;
}

static bool done(const struct worker *w)
{
	const struct stress *s = w->stress;

	if (s->failed)
		return true;
	if (w->role == WORKER_VCPU)
		return s->stop_vcpus;
	return s->stop_free || (s->opt.count && w->nr_ops >= s->opt.count);
}

static void *thread(void *arg)
{
	struct worker *w = arg;
	u32 by = w->role == WORKER_VCPU ? OP_BY_VCPU : OP_BY_WORKER;
	u32 total = total_weight(w->stress, by);

	w->tid = syscall(SYS_gettid);
	td_watch_set(&w->watch);
	while (!done(w))
		perform(w, pick(w, by, total));
	w->finished = true;
	return NULL;
}

static void init_worker(struct stress *s, unsigned int id)
{
	struct worker *w = &s->workers[id];

	w->stress = s;
	w->id = id;
	w->op = -1;
	w->digest = FNV_OFFSET;
	w->activity = ops_activity(s->opt.weight);
	rng_init(&w->rng, s->opt.seed, 0x10000 + id);
	if (id < s->opt.workers) {
		w->role = WORKER_FREE;
		return;
	}
	w->role = WORKER_VCPU;
	w->target = &s->targets[(id - s->opt.workers) / s->opt.vcpus];
	w->vcpu = &w->target->td.vcpus[(id - s->opt.workers) % s->opt.vcpus];
}

/**
 * workers_create() - start all threads
 * @s: the run, with its targets
 *
 * Return: 0, or -1 after stress_fail()
 */
int workers_create(struct stress *s)
{
	unsigned int i;

	s->nr_workers = s->opt.workers + s->opt.tds * s->opt.vcpus;
	s->workers = calloc(s->nr_workers, sizeof(*s->workers));
	if (!s->workers) {
		s->nr_workers = 0;
		stress_fail(s, "no memory for the threads");
		return -1;
	}
	/* All of them, before the first runs: they look at each other. */
	for (i = 0; i < s->nr_workers; i++)
		init_worker(s, i);
	/* vCPU threads first: they are signalled from the moment others run. */
	for (i = s->nr_workers; i-- > 0;) {
		struct worker *w = &s->workers[i];

		if (w->role == WORKER_VCPU && !total_weight(s, OP_BY_VCPU))
			continue;
		if (pthread_create(&w->thread, NULL, thread, w)) {
			stress_fail(s, "no thread for worker %u", i);
			return -1;
		}
		w->started = true;
	}
	return 0;
}

void workers_free(struct stress *s)
{
	free(s->workers);
	s->workers = NULL;
	s->nr_workers = 0;
}
