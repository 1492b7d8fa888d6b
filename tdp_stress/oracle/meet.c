// SPDX-License-Identifier: GPL-2.0
/*
 * Meetings: how often one thread's operation really overlapped another's window,
 * the time of an external operation at a GFN of the former's range. A run that
 * raced nothing is visible by that. Also finds, for F3, the frozen window on a
 * fault's way. Judges nothing.
 *
 * Whoever comes later counts: an operation that begins looks for open windows, a
 * window that opens looks for operations. Everything is read while its owner may
 * change it.
 */

#include "internal.h"

const char * const tdps_meet_windows[TDPS_NR_MEET_WINDOWS] = {
	[TDPS_MEET_FROZEN] = "frozen",
	[TDPS_MEET_MAP] = "map",
	[TDPS_MEET_LINK] = "link",
	[TDPS_MEET_ZAP] = "zap",
	[TDPS_MEET_SPLIT] = "split",
	[TDPS_MEET_PROMOTE] = "promote",
	[TDPS_MEET_FREE] = "free",
};

const char * const tdps_meet_ops[TDPS_NR_MEET_OPS] = {
	[TDPS_MEET_BY_FAULT] = "fault",
	[TDPS_MEET_BY_ZAP] = "zap",
	[TDPS_MEET_BY_REMOVAL] = "removal",
	[TDPS_MEET_BY_SPLIT] = "split",
	[TDPS_MEET_BY_RECOVER] = "recover",
	[TDPS_MEET_BY_AGE] = "age",
	[TDPS_MEET_BY_WRPROT] = "wrprot",
	[TDPS_MEET_BY_CLEAR] = "clear_dirty",
	[TDPS_MEET_BY_WALK] = "walk",
};

static atomic_t open_windows;

void meet_window_opens(void)
{
	atomic_inc(&open_windows);
}

void meet_window_closes(void)
{
	atomic_dec(&open_windows);
}

/* Most of the time there is none, and nobody need be looked at. */
bool meet_any_window(void)
{
	return atomic_read(&open_windows);
}

static enum tdps_meet_op op_of(u8 op)
{
	switch (op) {
	case TDPS_OP_MAP:
		return TDPS_MEET_BY_FAULT;
	case TDPS_OP_UNMAP:
	case TDPS_OP_ZAP_LEAFS:
	case TDPS_OP_ZAP_ALL:
	case TDPS_OP_ZAP_INVALID:
	case TDPS_OP_ZAP_NX:
		return TDPS_MEET_BY_ZAP;
	case TDPS_OP_SPLIT:
		return TDPS_MEET_BY_SPLIT;
	case TDPS_OP_RECOVER:
		return TDPS_MEET_BY_RECOVER;
	case TDPS_OP_AGE:
	case TDPS_OP_TEST_AGE:
		return TDPS_MEET_BY_AGE;
	case TDPS_OP_WRPROT_SLOT:
	case TDPS_OP_WRPROT_GFN:
		return TDPS_MEET_BY_WRPROT;
	case TDPS_OP_CLEAR_SLOT:
	case TDPS_OP_CLEAR_MASKED:
		return TDPS_MEET_BY_CLEAR;
	case TDPS_OP_WALK:
	case TDPS_OP_LAST_SPTEP:
		return TDPS_MEET_BY_WALK;
	default:
		return TDPS_MEET_BY_NOBODY;
	}
}

static enum tdps_meet_window window_of(u8 kind)
{
	switch (kind) {
	case TDPS_EXT_MAP:
		return TDPS_MEET_MAP;
	case TDPS_EXT_LINK:
		return TDPS_MEET_LINK;
	case TDPS_EXT_SPLIT:
		return TDPS_MEET_SPLIT;
	case TDPS_EXT_PROMOTE:
		return TDPS_MEET_PROMOTE;
	case TDPS_EXT_FREE:
		return TDPS_MEET_FREE;
	default:
		return TDPS_MEET_ZAP;
	}
}

static u64 gfns_of(int level)
{
	return 1ULL << ((level - 1) * 9);
}

/* A copy of the window, if it stays the same meanwhile. */
static bool peek(const struct tdps_ctx *ctx, struct tdps_window *win, u32 *serial)
{
	/* pairs with tdps_extop_begin(): an open window is complete */
	if (!smp_load_acquire(&ctx->win.open))
		return false;
	*serial = READ_ONCE(ctx->win_serial);
	*win = ctx->win;
	/* the copy before the second look */
	smp_rmb();
	return READ_ONCE(ctx->win.open) && READ_ONCE(ctx->win_serial) == *serial;
}

/**
 * meet_still_open() - is that window still the same, and open?
 * @met: whose
 * @serial: which
 * @win: filled in
 *
 * Return: if so, what was done since it was first seen was done while the SPTE
 * was frozen: it is thawed after the window has closed.
 */
bool meet_still_open(const struct tdps_ctx *met, u32 serial, struct tdps_window *win)
{
	u32 now;

	/* what KVM has read, before the look at the window */
	smp_rmb();
	return peek(met, win, &now) && now == serial;
}

static void count(const struct tdps_window *win, enum tdps_meet_op op)
{
	if (op == TDPS_MEET_BY_NOBODY)
		return;
	this_cpu_inc(tdps_counters.meet[window_of(win->kind)][op]);
	if (win->lock == TDPS_LOCK_READ && win->kind != TDPS_EXT_FREE)
		this_cpu_inc(tdps_counters.meet[TDPS_MEET_FROZEN][op]);
}

static bool touches(const struct tdps_window *win, u64 vm, u8 roots, u64 start, u64 end)
{
	/* a table stands for an entry of the level above */
	u64 gfns = gfns_of(win->level + (win->kind == TDPS_EXT_FREE));

	if (win->vm != vm || !(roots & TDPS_ROOTS_MIRROR))
		return false;
	return start == TDPS_NO_GFN || (win->gfn < end && start < win->gfn + gfns);
}

/* Who waits for mmu_lock has met nobody; without the lock anybody can be met. */
static bool excluded(u8 op_lock, u8 win_lock)
{
	return op_lock == TDPS_LOCK_WRITE ||
	       (win_lock == TDPS_LOCK_WRITE && op_lock != TDPS_LOCK_NONE);
}

struct newcomer {
	struct tdps_ctx *ctx;
	struct tdps_frame *f;
};

static void look_at_window(struct tdps_ctx *other, void *arg)
{
	struct newcomer *n = arg;
	struct tdps_window win;
	u32 serial;

	if (other == n->ctx || !peek(other, &win, &serial) ||
	    excluded(n->f->lock, win.lock) ||
	    !touches(&win, n->f->vm, n->f->roots, n->f->start, n->f->end))
		return;
	count(&win, op_of(n->f->op));
	if (n->f->op != TDPS_OP_MAP || !win.frozen || !win.root || win.root != n->f->root)
		return;
	n->f->met = other;
	n->f->met_serial = serial;
}

/**
 * meet_op_begin() - an operation begins: which windows does it find open?
 * @ctx: the current thread's
 * @f: the operation; F3's @met is filled in
 */
void meet_op_begin(struct tdps_ctx *ctx, struct tdps_frame *f)
{
	struct newcomer n = { .ctx = ctx, .f = f };

	if (meet_any_window() && (f->roots & TDPS_ROOTS_MIRROR) &&
	    op_of(f->op) != TDPS_MEET_BY_NOBODY)
		tdps_ctx_visit_busy(look_at_window, &n);
}

static void look_at_op(struct tdps_ctx *other, void *arg)
{
	struct tdps_ctx *me = arg;
	u32 depth = smp_load_acquire(&other->depth);	/* pairs with tdps_op_begin() */
	struct tdps_frame *f;

	if (other == me || !depth || depth > TDPS_DEPTH)
		return;
	f = &other->frame[depth - 1];
	if (!excluded(READ_ONCE(f->lock), me->win.lock) &&
	    touches(&me->win, READ_ONCE(f->vm), READ_ONCE(f->roots), READ_ONCE(f->start),
		    READ_ONCE(f->end)))
		count(&me->win, op_of(READ_ONCE(f->op)));
}

/**
 * meet_window() - a window opens: which operations are in flight around it?
 * @ctx: the current thread's
 */
void meet_window(struct tdps_ctx *ctx)
{
	tdps_ctx_visit_busy(look_at_op, ctx);
}

struct removal {
	struct tdps_ctx *ctx;
	const struct tdps_where *w;
};

static void look_at_child(struct tdps_ctx *other, void *arg)
{
	struct removal *r = arg;
	struct tdps_window win;
	u32 serial;

	if (other == r->ctx || !peek(other, &win, &serial) || !win.frozen || !win.root ||
	    win.level > r->w->level)
		return;
	if (touches(&win, r->w->vm, TDPS_ROOTS_MIRROR, r->w->gfn,
		    r->w->gfn + gfns_of(r->w->level + 1)))
		count(&win, TDPS_MEET_BY_REMOVAL);
}

/**
 * meet_removal() - a page table is taken apart under mmu_lock held for read
 * @ctx: the current thread's
 * @w: the table: its VM, its first GFN and the level of its entries
 */
void meet_removal(struct tdps_ctx *ctx, const struct tdps_where *w)
{
	struct removal r = { .ctx = ctx, .w = w };

	if (meet_any_window())
		tdps_ctx_visit_busy(look_at_child, &r);
}
