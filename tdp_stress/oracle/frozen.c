// SPDX-License-Identifier: GPL-2.0
/*
 * F1 to F4: what FROZEN_SPTE may be used for and by whom, and what a failed
 * external operation leaves behind. See Documentation/invariants.rst.
 */

#include "internal.h"

/*
 * Where external operations have failed lately, so that an entry found frozen
 * for ever can be blamed on its failure path. Overwritten without a lock: a
 * torn slot is a slot that does not match.
 */
#define FAILED_BITS	6

static struct {
	u64 vm, gfn;
	int level;
} failed[1 << FAILED_BITS];

static void note_failure(const struct tdps_where *w)
{
	unsigned int i = hash_64(w->gfn ^ w->level, FAILED_BITS);

	WRITE_ONCE(failed[i].vm, w->vm);
	WRITE_ONCE(failed[i].gfn, w->gfn);
	WRITE_ONCE(failed[i].level, w->level);
}

static bool has_failed(u64 vm, u64 gfn, int level)
{
	unsigned int i = hash_64(gfn ^ level, FAILED_BITS);

	return READ_ONCE(failed[i].vm) == vm && READ_ONCE(failed[i].gfn) == gfn &&
	       READ_ONCE(failed[i].level) == level;
}

static const char * const seen_names[] = {
	[TDPS_SEEN_NOTHING] = "cannot be reached",
	[TDPS_SEEN_ABSENT] = "reads non-present",
	[TDPS_SEEN_FROZEN] = "reads FROZEN",
	[TDPS_SEEN_LEAF] = "reads a present leaf",
	[TDPS_SEEN_TABLE] = "reads a page table",
};

/* F2: frozen under shared mmu_lock, never under exclusive. */
void frozen_extop_begin(struct tdps_ctx *ctx, struct tdps_extop *x)
{
	enum tdps_seen seen = x->seen;

	/* an unreachable entry is X2's business; a detached table is frozen for good */
	if (x->kind == TDPS_EXT_FREE || x->detached || seen == TDPS_SEEN_NOTHING)
		return;
	if (x->where.lock != TDPS_LOCK_READ && x->where.lock != TDPS_LOCK_WRITE)
		return;
	if (!tdps_checking(TDPS_F2))
		return;
	if (tdps_planted(TDPS_F2))
		seen = x->where.lock == TDPS_LOCK_READ ? TDPS_SEEN_ABSENT : TDPS_SEEN_FROZEN;
	if (x->where.lock == TDPS_LOCK_READ && seen != TDPS_SEEN_FROZEN)
		tdps_violation(TDPS_F2, &x->where,
			       "external operation outside the frozen window: the SPTE %s",
			       seen_names[seen]);
	if (x->where.lock == TDPS_LOCK_WRITE && seen == TDPS_SEEN_FROZEN)
		tdps_violation(TDPS_F2, &x->where,
			       "FROZEN_SPTE used although mmu_lock is held exclusively");
}

/* F3: the window was the owner's from its beginning to its end. */
static void check_owner(struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	enum tdps_seen after = x->after;

	if (!ctx->win.root || !tdps_checking(TDPS_F3))
		return;
	if (tdps_planted(TDPS_F3))
		after = TDPS_SEEN_ABSENT;
	if (after != TDPS_SEEN_FROZEN)
		tdps_violation(TDPS_F3, &x->where,
			       "somebody else has changed a FROZEN SPTE: after the external operation it %s",
			       seen_names[after]);
}

/* F4: KVM may call success only what the TDX module calls success. */
void frozen_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret, u64 ns)
{
	struct tdps_window *win = &ctx->win;
	u64 status = win->status;

	check_owner(ctx, x);
	if (win->frozen && x->kind != TDPS_EXT_FREE) {
		tdps_count(frozen_count);
		tdps_add(frozen_ns, ns);
		tdps_max(frozen_max_ns, ns);
		tdps_into(frozen_hist, ns);
		if (tdps_checking(TDPS_F1) && ns > tdps_limits.frozen_max_ns)
			tdps_violation(TDPS_F1, &x->where, "SPTE was frozen for %llu ms",
				       ns / NSEC_PER_MSEC);
	}
	if (ret)
		note_failure(&x->where);
	if (!win->called || x->kind == TDPS_EXT_FREE || !tdps_checking(TDPS_F4))
		return;
	if (!ret && tdps_planted(TDPS_F4))
		status = 1;
	/* the VM may be one whose calls are made to fail: KVM's answer is its own all the same */
	if (!ret && status)
		tdps_violation_anyway(TDPS_F4, &x->where,
				      "success reported although %s returned 0x%016llx",
				      tdps_call_name(win->call), status);
	else if (ret && !status)
		tdps_violation(TDPS_F4, &x->where,
			       "failure %d reported although %s succeeded", ret,
			       tdps_call_name(win->call));
}

/*
 * F3: a fault on whose way one SPTE was FROZEN all the time. It must have met it:
 * the way down to that SPTE cannot have changed, as a removal of a table waits
 * for the FROZEN entries in it.
 */
static void check_fault(struct tdps_frame *f, const struct tdps_op_end *e)
{
	struct tdps_window win;

	if (!f->met || !meet_still_open(f->met, f->met_serial, &win) ||
	    win.level < e->goal_level || !tdps_checking(TDPS_F3))
		return;
	if (e->verdict != TDPS_MAP_RETRY)
		tdps_violation(TDPS_F3, &e->where,
			       "fault ended with %s although the SPTE of level %u on its way is FROZEN",
			       e->verdict == TDPS_MAP_DONE ? "success" : "an error", win.level);
	if (f->table_level && f->table_level < win.level)
		tdps_violation(TDPS_F3, &e->where,
			       "fault made a page table of level %u below an SPTE that is FROZEN",
			       f->table_level);
}

static void look_into_table(struct tdps_ctx *other, void *arg)
{
	const struct tdps_extop *x = arg;
	struct tdps_window win;

	if (!meet_still_open(other, READ_ONCE(other->win_serial), &win) || !win.root ||
	    win.table != x->table)
		return;
	tdps_violation(TDPS_F3, &x->where,
		       "page table taken apart while %s holds its entry of gfn 0x%llx FROZEN",
		       other->comm, win.gfn);
}

/* F3: KVM is through with a table's entries: none of them is FROZEN by another. */
void frozen_table_freed(struct tdps_ctx *ctx, const struct tdps_extop *x)
{
	if (x->where.lock != TDPS_LOCK_READ || !x->table || !tdps_checking(TDPS_F3))
		return;
	if (meet_any_window())
		tdps_ctx_visit_busy(look_into_table, (void *)x);
}

/* F3: whoever changes an SPTE has seen that it is not FROZEN. */
void frozen_spte(const struct tdps_change *c)
{
	if (c->old_spte.frozen && tdps_checking(TDPS_F3))
		tdps_violation(TDPS_F3, &c->where, "FROZEN_SPTE replaced by 0x%llx",
			       c->new_spte.raw);
}

/* F4: after a failure the vCPU retries, and a VM whose removal failed is given up. */
void frozen_op_end(struct tdps_frame *f, enum tdps_op op, const struct tdps_op_end *e)
{
	if (op == TDPS_OP_MAP)
		check_fault(f, e);
	if (!f->ext_failed || !tdps_checking(TDPS_F4))
		return;
	if (op == TDPS_OP_MAP) {
		if (e->verdict == TDPS_MAP_DONE)
			tdps_violation(TDPS_F4, &e->where,
				       "the fault succeeded although its external operation failed");
	} else if (f->lock == TDPS_LOCK_WRITE && op != TDPS_OP_SPLIT && !e->bugged) {
		/* there is no way back; a split may be given up before it has begun (S1) */
		tdps_violation(TDPS_F4, &e->where,
			       "an external operation failed under exclusive mmu_lock and the VM lives on");
	}
}

/* F1: nothing is frozen while mmu_lock is held for write. */
void frozen_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s)
{
	const struct tdps_where w = {
		.vm = a->vm, .gfn = s->gfn, .level = s->level, .lock = TDPS_LOCK_WRITE,
	};

	if (!s->spte.frozen)
		return;
	if (has_failed(a->vm, s->gfn, s->level) && tdps_wants(TDPS_F4))
		tdps_violation(TDPS_F4, &w,
			       "SPTE of %s root left FROZEN after its external operation failed",
			       s->mirror ? "a mirror" : "a direct");
	else if (tdps_wants(TDPS_F1))
		tdps_violation(TDPS_F1, &w, "FROZEN_SPTE at rest in %s%s root",
			       s->invalid ? "an invalid " : "a ", s->mirror ? "mirror" : "direct");
}

/* F1: a thread that does not come back has frozen its SPTE for ever. */
void frozen_watch(struct tdps_ctx *ctx, u64 now)
{
	struct tdps_window *win = &ctx->win;
	u64 ns = READ_ONCE(win->ns);
	struct tdps_who who = { .pid = ctx->pid, .op = TDPS_OP_NONE };
	struct tdps_where w = {
		.vm = win->vm, .gfn = win->gfn, .level = win->level, .lock = TDPS_LOCK_READ,
	};

	if (!READ_ONCE(win->open) || !win->frozen || win->kind == TDPS_EXT_FREE ||
	    win->reported || now < ns || now - ns <= tdps_limits.frozen_max_ns)
		return;
	/* still the same window? it could have ended while its start was read */
	if (!READ_ONCE(win->open) || READ_ONCE(win->ns) != ns || !tdps_wants(TDPS_F1))
		return;
	win->reported = true;
	memcpy(who.comm, ctx->comm, sizeof(who.comm));
	tdps_violation_by(TDPS_F1, &w, &who, "SPTE has been frozen for %llu ms and still is",
			  (now - ns) / NSEC_PER_MSEC);
}
