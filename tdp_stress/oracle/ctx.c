// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts: what each thread is in the middle of, so that a fact can be judged
 * together with the ones before it. A fixed table without locks; knows nothing
 * of the facts themselves.
 */

#include "internal.h"

#define WAYS		8
#define BUCKETS		32
#define OWNER_BUSY	1UL

/* Owners apart from the contexts: a look-up touches one cache line. */
struct bucket {
	unsigned long owner[WAYS];	/* task_struct | OWNER_BUSY while inside */
} ____cacheline_aligned;

static struct bucket *buckets;
static struct tdps_ctx *ctxs;
static unsigned long used;	/* buckets that have ever had an owner: the others need no look */

static_assert(BUCKETS <= BITS_PER_LONG);

int tdps_ctx_init(void)
{
	buckets = vzalloc(BUCKETS * sizeof(*buckets));
	ctxs = vzalloc(BUCKETS * WAYS * sizeof(*ctxs));
	if (!buckets || !ctxs) {
		tdps_ctx_exit();
		return -ENOMEM;
	}
	tdps_mem_account(BUCKETS * sizeof(*buckets) + BUCKETS * WAYS * sizeof(*ctxs));
	return 0;
}

void tdps_ctx_exit(void)
{
	vfree(buckets);
	vfree(ctxs);
	buckets = NULL;
	ctxs = NULL;
	used = 0;
}

static struct bucket *my_bucket(unsigned int *index)
{
	*index = hash_ptr(current, ilog2(BUCKETS));
	return &buckets[*index];
}

/**
 * tdps_ctx_current() - what the current thread is in the middle of
 *
 * Context: any; an interrupt is nobody's operation.
 *
 * Return: the context, or NULL if the thread is in no operation.
 */
struct tdps_ctx *tdps_ctx_current(void)
{
	unsigned long me = (unsigned long)current | OWNER_BUSY;
	struct bucket *b;
	unsigned int i, n;

	if (!buckets || !in_task())
		return NULL;
	b = my_bucket(&n);
	for (i = 0; i < WAYS; i++)
		if (READ_ONCE(b->owner[i]) == me)
			return &ctxs[n * WAYS + i];
	return NULL;
}

static void forget(struct tdps_ctx *ctx)
{
	/* who has met a window of an earlier owner's sees that it is over */
	u32 serial = ctx->win_serial;

	memset(ctx, 0, sizeof(*ctx));
	ctx->win_serial = serial;
	ctx->pid = current->pid;
	ctx->blocked_gfn = TDPS_NO_GFN;
	ctx->retry_gfn = TDPS_NO_GFN;
	ctx->busy_call = -1;
}

/* One of nobody's, or if @idle of somebody who is in no operation now. */
static struct tdps_ctx *take(struct bucket *b, unsigned int n, bool idle)
{
	unsigned long me = (unsigned long)current, owner;
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		owner = READ_ONCE(b->owner[i]);
		if (idle ? owner & OWNER_BUSY : owner)
			continue;
		if (cmpxchg(&b->owner[i], owner, me | OWNER_BUSY) == owner) {
			if (!test_bit(n, &used))
				set_bit(n, &used);
			forget(&ctxs[n * WAYS + i]);
			return &ctxs[n * WAYS + i];
		}
	}
	return NULL;
}

/* The owner word settles all races: whoever sets its busy bit owns the slot. */
static struct tdps_ctx *claim(void)
{
	unsigned long me = (unsigned long)current;
	struct bucket *b;
	unsigned int i, n;

	b = my_bucket(&n);
	for (i = 0; i < WAYS; i++) {
		if (READ_ONCE(b->owner[i]) != me)
			continue;
		if (cmpxchg(&b->owner[i], me, me | OWNER_BUSY) == me) {
			/* a task_struct may have been recycled */
			if (ctxs[n * WAYS + i].pid != current->pid)
				forget(&ctxs[n * WAYS + i]);
			return &ctxs[n * WAYS + i];
		}
	}
	/* an owner who is idle comes back to what it knows */
	return take(b, n, false) ?: take(b, n, true);
}

/**
 * tdps_ctx_enter() - one more operation of the current thread begins
 *
 * Context: task context. Pair with tdps_ctx_leave() unless NULL.
 *
 * Return: its context, NULL if there is no room (counted as missed).
 */
struct tdps_ctx *tdps_ctx_enter(void)
{
	struct tdps_ctx *ctx;

	if (!in_task())
		return NULL;
	ctx = tdps_ctx_current();
	if (!ctx) {
		ctx = claim();
		if (!ctx) {
			tdps_count(missed);
			return NULL;
		}
		strscpy(ctx->comm, current->comm);
		ctx->depth = 0;
		ctx->users = 0;
	}
	ctx->users++;
	return ctx;
}

/**
 * tdps_ctx_leave() - the operation has ended
 * @ctx: the current thread's context
 */
void tdps_ctx_leave(struct tdps_ctx *ctx)
{
	unsigned int slot = ctx - ctxs;

	if (--ctx->users)
		return;
	/* the context is written before it is given up; claim() and the watchdog read it after */
	smp_store_release(&buckets[slot / WAYS].owner[slot % WAYS], (unsigned long)current);
}

/**
 * tdps_ctx_visit_busy() - look at every thread that is inside
 * @fn: called for each; what it reads may change under its eyes
 * @arg: handed to @fn
 */
void tdps_ctx_visit_busy(tdps_ctx_fn fn, void *arg)
{
	unsigned int n, i;

	for_each_set_bit(n, &used, BUCKETS)
		for (i = 0; i < WAYS; i++)
			/* pairs with cmpxchg() in claim() */
			if (smp_load_acquire(&buckets[n].owner[i]) & OWNER_BUSY)
				fn(&ctxs[n * WAYS + i], arg);
}

/**
 * tdps_ctx_visit_all() - look at every thread that was inside lately
 * @fn: called for each; what it reads may change under its eyes
 * @arg: handed to @fn
 */
void tdps_ctx_visit_all(tdps_ctx_fn fn, void *arg)
{
	unsigned int n, i;

	for_each_set_bit(n, &used, BUCKETS)
		for (i = 0; i < WAYS; i++)
			if (READ_ONCE(buckets[n].owner[i]))
				fn(&ctxs[n * WAYS + i], arg);
}
