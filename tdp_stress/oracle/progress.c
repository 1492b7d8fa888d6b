// SPDX-License-Identifier: GPL-2.0
/*
 * P1: every operation ends, and no fault is retried for ever. See
 * Documentation/invariants.rst.
 */
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "oracle.h"

void progress_op_begin(struct tdps_frame *f)
{
	if (tdps_planted(TDPS_P1))
		f->ns -= 2 * tdps_limits.progress_ns;
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
	ctx->retries++;
	tdps_count(retry_count);
	tdps_max(retry_max, ctx->retries);
	if (ctx->retries == tdps_limits.retry_max && tdps_wants(TDPS_P1))
		tdps_violation(TDPS_P1, &e->where, "fault retried %u times without progress",
			       ctx->retries);
}

void progress_op_end(struct tdps_ctx *ctx, struct tdps_frame *f, enum tdps_op op,
		     const struct tdps_op_end *e, u64 now)
{
	u64 ns = now - f->ns;

	if (op == TDPS_OP_MAP) {
		tdps_max(read_max_ns, ns);
		count_retries(ctx, f, e);
	} else if (op == TDPS_OP_UNMAP || op == TDPS_OP_ZAP_LEAFS || op == TDPS_OP_ZAP_ALL) {
		tdps_max(write_max_ns, ns);
	}
	if (tdps_checking(TDPS_P1) && ns > tdps_limits.progress_ns && !f->reported)
		tdps_violation(TDPS_P1, &e->where, "%s took %llu ms", tdps_op_name(op),
			       ns / NSEC_PER_MSEC);
}

/* The watchdog's look at another thread: everything may change meanwhile. */
void progress_watch(struct tdps_ctx *ctx, u64 now)
{
	struct tdps_frame *f = &ctx->frame[0];
	struct tdps_who who = { .pid = ctx->pid, .op = READ_ONCE(f->op) };
	struct tdps_where w = {
		.vm = READ_ONCE(f->vm), .gfn = READ_ONCE(f->start), .level = 0,
	};
	u64 ns = READ_ONCE(f->ns);

	if (!READ_ONCE(ctx->depth) || f->reported || now < ns ||
	    now - ns <= tdps_limits.progress_ns)
		return;
	if (!READ_ONCE(ctx->depth) || READ_ONCE(f->ns) != ns || !tdps_wants(TDPS_P1))
		return;
	f->reported = true;
	memcpy(who.comm, ctx->comm, sizeof(who.comm));
	tdps_violation_by(TDPS_P1, &w, &who, "%s has been running for %llu ms",
			  tdps_op_name(who.op), (now - ns) / NSEC_PER_MSEC);
}
