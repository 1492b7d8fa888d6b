// SPDX-License-Identifier: GPL-2.0
/*
 * P1: every operation ends, and no fault is retried for ever. See
 * Documentation/invariants.rst.
 */

#include "internal.h"

/*
 * An operation that waits for mmu_lock is not stuck: a thread that zaps a whole
 * TD may keep it for long, though it lets others in.
 */
#define PATIENCE	6

static u64 limit(const struct tdps_frame *f)
{
	return tdps_limits.progress_ns * (f->slow ? PATIENCE : 1);
}

/*
 * Retries alone prove nothing: the thread that is waited for may have lost its
 * CPU, in a guest for as long as the host likes. Many of them over a long time do.
 */
static bool is_endless(u32 *count, u64 *since_ns)
{
	u64 now = ktime_get_mono_fast_ns();

	if (!(*count)++)
		*since_ns = now;
	if (*count < tdps_limits.retry_max || now - *since_ns < tdps_limits.progress_ns)
		return false;
	*since_ns = now;
	return tdps_wants(TDPS_P1);
}

/* One and the same external operation, again and again within an operation. */
void progress_extop_begin(struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	const struct tdps_window *last = &ctx->win;

	if (last->vm != x->where.vm || last->gfn != x->where.gfn ||
	    last->level != x->where.level || last->kind != x->kind) {
		ctx->ext_repeats = 0;
		return;
	}
	if (is_endless(&ctx->ext_repeats, &ctx->ext_since_ns))
		tdps_violation(TDPS_P1, &x->where,
			       "external operation tried %u times without progress",
			       ctx->ext_repeats);
}

static void count_retries(struct tdps_ctx *ctx, struct tdps_frame *f, const struct tdps_op_end *e)
{
	if (e->verdict != TDPS_MAP_RETRY) {
		ctx->retries = 0;
		return;
	}
	if (ctx->retry_gfn != f->start) {
		ctx->retry_gfn = f->start;
		ctx->retries = 0;
	}
	tdps_count(retry_count);
	if (is_endless(&ctx->retries, &ctx->retry_since_ns))
		tdps_violation(TDPS_P1, &e->where, "fault retried %u times without progress",
			       ctx->retries);
	tdps_max(retry_max, ctx->retries);
}

void progress_op_end(struct tdps_ctx *ctx, struct tdps_frame *f, enum tdps_op op,
		     const struct tdps_op_end *e, u64 now)
{
	u64 ns = now - f->ns, gap;

	if (op == TDPS_OP_MAP)
		count_retries(ctx, f, e);
	if (op == TDPS_OP_MAP || (!f->slow && f->lock == TDPS_LOCK_READ)) {
		tdps_max(read_max_ns, ns);
		tdps_into(read_hist, ns);
	} else if (!f->slow && f->lock == TDPS_LOCK_WRITE) {
		tdps_max(write_max_ns, ns);
		tdps_into(write_hist, ns);
	}
	if (!tdps_checking(TDPS_P1))
		return;
	gap = now - ctx->active_ns;
	if (tdps_planted(TDPS_P1))
		gap += limit(f) + 1;
	if (gap > limit(f) && !f->reported)
		tdps_violation(TDPS_P1, &e->where, "%s made no progress for %llu ms",
			       tdps_op_name(op), gap / NSEC_PER_MSEC);
	ctx->active_ns = now;
}

/* The watchdog's look at another thread: everything may change meanwhile. */
void progress_watch(struct tdps_ctx *ctx, u64 now)
{
	u32 depth = smp_load_acquire(&ctx->depth);	/* pairs with tdps_op_begin() */
	struct tdps_frame *f = &ctx->frame[depth ? min(depth, TDPS_DEPTH) - 1 : 0];
	u64 active = READ_ONCE(ctx->active_ns);
	struct tdps_who who = { .pid = ctx->pid };
	struct tdps_where w = { .gfn = TDPS_NO_GFN };

	if (!depth || READ_ONCE(f->reported) || now < active || now - active <= limit(f))
		return;
	who.op = READ_ONCE(f->op);
	w.vm = READ_ONCE(f->vm);
	w.gfn = READ_ONCE(f->start);
	w.lock = READ_ONCE(f->lock);
	if (READ_ONCE(ctx->depth) != depth || READ_ONCE(ctx->active_ns) != active ||
	    !tdps_wants(TDPS_P1))
		return;
	f->reported = true;
	memcpy(who.comm, ctx->comm, sizeof(who.comm));
	tdps_violation_by(TDPS_P1, &w, &who, "%s has made no progress for %llu ms",
			  tdps_op_name(who.op), (now - active) / NSEC_PER_MSEC);
}
