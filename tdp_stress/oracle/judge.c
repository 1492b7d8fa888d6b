// SPDX-License-Identifier: GPL-2.0
/*
 * Where facts arrive: keeps the thread's context up to date, has the event
 * recorded and passes it to the families it concerns. Holds no opinion itself.
 *
 * While hooks come and go with TDs alive, only a part of what happens is seen.
 * So nothing is judged unless all of it, from its beginning, happened while
 * tdps_live was set.
 */

#include "internal.h"
#include "tracepoints.h"

unsigned long tdps_enabled;
bool tdps_live;
int tdps_plant = TDPS_NO_CHECK;
struct tdps_limits tdps_limits;
bool tdps_kicks_visible;
bool tdps_writebacks_visible;
bool tdps_recover_zaps;
DEFINE_PER_CPU(struct tdps_counters, tdps_counters);

/*
 * Operations that stay under mmu_lock from beginning to end, but for a yield
 * while there is much to do. All others begin before they take it, or do next to
 * nothing before they let others in.
 */
static bool holds_lock(enum tdps_op op)
{
	switch (op) {
	case TDPS_OP_MAP:
	case TDPS_OP_UNMAP:
	case TDPS_OP_ZAP_LEAFS:
	case TDPS_OP_ZAP_ALL:
	case TDPS_OP_ZAP_NX:
	case TDPS_OP_AGE:
	case TDPS_OP_TEST_AGE:
	case TDPS_OP_WRPROT_GFN:
	case TDPS_OP_CLEAR_MASKED:
	case TDPS_OP_WALK:
	case TDPS_OP_LAST_SPTEP:
		return true;
	default:
		return false;
	}
}

/**
 * tdps_op_begin() - the current thread enters an operation
 * @op: which
 * @w: VM, first GFN or TDPS_NO_GFN, lock if known
 * @end: GFN after the last
 * @roots: kinds of root it may touch
 * @root: TDPS_OP_MAP: the root of the fault; else 0
 *
 * Context: task context.
 *
 * Return: to be handed to tdps_op_end(), NULL if it cannot be followed.
 */
struct tdps_ctx *tdps_op_begin(enum tdps_op op, const struct tdps_where *w, u64 end, u8 roots,
			       u64 root)
{
	struct tdps_ctx *ctx;
	struct tdps_frame *f;
	u64 now;

	if (!READ_ONCE(tdps_live))
		return NULL;
	tdps_td_seen();
	now = tdps_record(TDPS_EV_OP_BEGIN, op, w, end, 0, 0);
	tdps_trace(op_begin, op, w, end, roots, root);
	ctx = tdps_ctx_enter();
	if (!ctx)
		return NULL;
	if (!ctx->depth) {
		ctx->nr_ranges = 0;
		ctx->gone.level = 0;
		ctx->merged_level = 0;
	}
	if (ctx->depth >= TDPS_DEPTH) {
		ctx->depth++;
		return ctx;
	}
	f = &ctx->frame[ctx->depth];
	*f = (struct tdps_frame) {
		.op = op,
		.roots = roots,
		.lock = w->lock,
		.vm = w->vm,
		.start = w->gfn,
		.end = end,
		.ns = now,
		.slow = !holds_lock(op),
		.token = tdps_token(),
		.root = root,
	};
	ctx->active_ns = f->ns;
	ctx->ext_repeats = 0;
	/* the watchdog and whoever meets it look at what is there by now */
	smp_store_release(&ctx->depth, ctx->depth + 1);
	meet_op_begin(ctx, f);
	return ctx;
}

/* What an inner operation zapped, the outer one has zapped. */
static void hand_up(struct tdps_ctx *ctx, const struct tdps_frame *f)
{
	struct tdps_frame *outer;

	if (ctx->depth < 2 || ctx->depth > TDPS_DEPTH)
		return;
	outer = &ctx->frame[ctx->depth - 2];
	outer->mirror_zapped += f->mirror_zapped;
	outer->direct_zapped += f->direct_zapped;
	outer->unflushed += f->unflushed;
}

/* VMs that KVM has given up and of which that was said. */
static u64 told_bugged[8];

static u64 *bugged_slot(u64 vm)
{
	return &told_bugged[hash_64(vm, ilog2(ARRAY_SIZE(told_bugged)))];
}

/* Its number may come back, as another VM's. */
static void bugged_vm_gone(u64 vm)
{
	cmpxchg64(bugged_slot(vm), vm, 0);
}

/**
 * tdps_op_end() - the operation returns
 * @ctx: what tdps_op_begin() returned
 * @op: which
 * @e: facts at this moment
 */
void tdps_op_end(struct tdps_ctx *ctx, enum tdps_op op, const struct tdps_op_end *e)
{
	u64 now = ktime_get_mono_fast_ns();
	struct tdps_frame *f = tdps_ctx_frame(ctx);
	bool live = READ_ONCE(tdps_live);

	if (!ctx)
		return;
	if (live) {
		tdps_record(TDPS_EV_OP_END, op, &e->where, 0, f ? now - f->ns : 0,
			    op == TDPS_OP_MAP ? (int)e->verdict : e->flush);
		tdps_trace(op_end, op, e, f ? now - f->ns : 0);
	}
	if (f && live) {
		frozen_op_end(f, op, e);
		zap_op_end(f, op, e);
		tlb_op_end(ctx, f, op, e);
		progress_op_end(ctx, f, op, e, now);
		hand_up(ctx, f);
	}
	if (live)
		accounting_op_end(op, e);
	if (op == TDPS_OP_DESTROY) {
		dirty_vm_gone(e->where.vm);
		bugged_vm_gone(e->where.vm);
		splat_vm_gone(e->where.vm);
		tdps_excuse_gone(e->where.vm);
	}
	ctx->depth--;
	tdps_ctx_leave(ctx);
}

static void open_window(struct tdps_ctx *ctx, const struct tdps_extop *x, u64 now)
{
	progress_extop_begin(ctx, x);
	WRITE_ONCE(ctx->win_serial, ctx->win_serial + 1);
	ctx->win = (struct tdps_window) {
		.kind = x->kind,
		.level = x->where.level,
		.lock = x->where.lock,
		.lenient = external_is_lenient(x),
		.vm = x->where.vm,
		.gfn = x->where.gfn,
		.old_spte = x->old_spte,
		.new_spte = x->new_spte,
		.page = x->page,
		.frozen = x->where.lock == TDPS_LOCK_READ,
		.ns = now,
	};
	if (x->seen == TDPS_SEEN_FROZEN) {
		ctx->win.root = x->root;
		ctx->win.table = x->table;
	}
	ctx->active_ns = ctx->win.ns;
	meet_window_opens();
	/* pairs with meet.c: an open window is complete */
	smp_store_release(&ctx->win.open, true);
	meet_window(ctx);
}

/* KVM thaws the SPTE only after this. */
static void close_window(struct tdps_ctx *ctx)
{
	WRITE_ONCE(ctx->win.open, false);
	/* pairs with meet_still_open() */
	smp_wmb();
	meet_window_closes();
}

/**
 * tdps_extop_begin() - KVM asks for a change of the S-EPT
 * @x: what is asked for; a planted violation may alter it
 *
 * Context: task context, whatever locks KVM holds.
 *
 * Return: to be handed to tdps_extop_end(), NULL if it cannot be followed.
 */
struct tdps_ctx *tdps_extop_begin(struct tdps_extop *x)
{
	struct tdps_ctx *ctx;
	u64 now;

	if (!READ_ONCE(tdps_live))
		return NULL;
	tdps_td_seen();
	ctx = tdps_ctx_enter();
	now = tdps_record(TDPS_EV_EXT_BEGIN, x->kind, &x->where, x->old_spte, x->new_spte, 0);
	tdps_trace(ext_begin, x);
	if (ctx)
		open_window(ctx, x, now);
	/* of a VM that was given up nothing is expected any more */
	if (x->bugged)
		return ctx;
	frozen_extop_begin(ctx, x);
	external_extop_begin(ctx, x);
	return ctx;
}

/*
 * What tdx.c cannot do the backend may refuse: a split for which this kernel
 * brings no external page, a change of permissions. If that happens under
 * exclusive mmu_lock KVM gives the VM up, and says so.
 */
static void ext_failed(struct tdps_frame *f, const struct tdps_extop *x)
{
	bool refused = x->ours && ((x->kind == TDPS_EXT_SPLIT && !x->page) ||
				   x->kind == TDPS_EXT_OTHER);

	if (refused) {
		tdps_count(refused);
		if (x->where.lock == TDPS_LOCK_WRITE)
			splat_refused(x->where.vm);
	}
	if (!f)
		return;
	f->ext_failed = true;
	f->ext_refused |= refused;
}

/**
 * tdps_extop_end() - the change of the S-EPT was made, or refused
 * @ctx: what tdps_extop_begin() returned
 * @x: what was asked for
 * @ret: 0 or -errno, as KVM gets it
 */
void tdps_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret)
{
	struct tdps_frame *f = tdps_ctx_frame(ctx);
	u64 now = ktime_get_mono_fast_ns(), ns;

	if (!ctx)
		return;
	if (!READ_ONCE(tdps_live))
		goto leave;
	ns = now - ctx->win.ns;
	if (!ret)
		tdps_count(ext_ok);
	else if (ret == -EBUSY)
		tdps_count(ext_busy);
	else
		tdps_count(ext_error);
	/* what fails is taken back: by whoever has asked for it */
	tdps_record(TDPS_EV_EXT_END, x->kind, &x->where, ret ? tdps_calls_now() : 0, ns, ret);
	tdps_trace(ext_end, x, ret, ns);
	ctx->active_ns = now;
	external_extop_end(ctx, x, ret);
	if (x->kind == TDPS_EXT_FREE && !x->bugged)
		frozen_table_freed(ctx, x);
	else if (!x->bugged)
		frozen_extop_end(ctx, x, ret, ns);
	if (ret) {
		ctx->win.paired = true;	/* no SPTE change will follow */
		ctx->win.failed = true;
		ext_failed(f, x);
	}
leave:
	close_window(ctx);
	tdps_ctx_leave(ctx);
}

/* Does this change complete the external operation that has just ended? */
static bool is_mirror_change(struct tdps_ctx *ctx, const struct tdps_where *w,
			     const struct tdps_spte *old_spte)
{
	struct tdps_window *win = &ctx->win;

	if (win->open || win->paired || win->gfn != w->gfn || win->level != w->level ||
	    win->old_spte != old_spte->raw)
		return false;
	win->paired = true;
	return true;
}

/* A table goes in a recovery, see tdps_recover_zaps; tables in it went with it. */
static void table_zapped(struct tdps_frame *f, const struct tdps_change *c)
{
	u64 gfn = c->where.gfn, pages = 1ull << 9 * (c->where.level - 1);

	if (gfn >= f->flushed_start && gfn < f->flushed_end)
		return;
	f->flushed_start = gfn;
	f->flushed_end = f->flushed ? gfn + pages : gfn;
	f->flushed = false;
}

static bool was_flushed(const struct tdps_frame *f, const struct tdps_change *c)
{
	return c->where.gfn >= f->flushed_start && c->where.gfn < f->flushed_end;
}

/**
 * tdps_spte_changed() - the TDP MMU has changed an SPTE
 * @c: the change
 */
void tdps_spte_changed(const struct tdps_change *c)
{
	struct tdps_ctx *ctx = tdps_ctx_current();
	struct tdps_frame *f = tdps_ctx_frame(ctx);
	bool mirror;
	u64 now;

	if (!READ_ONCE(tdps_live))
		return;
	now = tdps_record(TDPS_EV_SPTE, 0, &c->where, c->old_spte.raw, c->new_spte.raw, 0);
	tdps_trace(spte, c);
	transition_spte(c);
	frozen_spte(c);
	if (c->new_spte.leaf && !c->old_spte.leaf && c->where.level > 1)
		zap_mapped(&c->where);
	mirror = ctx && (is_mirror_change(ctx, &c->where, &c->old_spte) ||
			 split_in_mirror(ctx, &c->where));
	if (c->old_spte.leaf && !mirror)
		dirty_spte(c, f);
	if (!ctx)
		return;
	ctx->active_ns = now;
	split_spte(ctx, c);
	if (f && tdps_recover_zaps && f->op == TDPS_OP_RECOVER && c->old_spte.present &&
	    !c->old_spte.leaf && !c->new_spte.present)
		table_zapped(f, c);
	if (!f || !c->old_spte.leaf || c->new_spte.present)
		return;
	if (mirror) {
		f->mirror_zapped++;
	} else {
		f->direct_zapped++;
		f->unflushed += !c->unused && !was_flushed(f, c);
	}
}

/**
 * tdps_split_seen() - a huge leaf was replaced by a page table, or was to be, or
 * the other way round
 * @s: what is known of it
 */
void tdps_split_seen(const struct tdps_split *s)
{
	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(split, s);
	if (s->merge)
		merge_seen(s);
	else
		split_seen(s);
}

u64 tdps_splitting(void)
{
	struct tdps_frame *f = tdps_ctx_frame(tdps_ctx_current());

	return f && f->op == TDPS_OP_SPLIT ? f->vm : 0;
}

/**
 * tdps_seamcall() - a SEAMCALL has returned to KVM
 * @c: which, and how
 *
 * Context: any but NMI; some are made by an IPI.
 */
void tdps_seamcall(const struct tdps_seamcall *c)
{
	struct tdps_ctx *ctx = tdps_ctx_current();

	if (!READ_ONCE(tdps_live))
		return;
	tdps_td_seen();
	tdps_record(TDPS_EV_SEAMCALL, c->call, &c->where, c->status,
		    tdps_calls ? tdps_calls->site() : 0, 0);
	tdps_trace(seamcall, c);
	/* outside a window that was seen to open, what came before is unknown */
	if (ctx && !ctx->win.open)
		ctx = NULL;
	/* an unblock takes a step back; the step that made it necessary counts */
	if (ctx && c->call <= TDPS_CALL_PHYMEM_PAGE_WBINVD &&
	    c->call != TDPS_CALL_MEM_RANGE_UNBLOCK) {
		ctx->win.called = true;
		ctx->win.call = c->call;
		ctx->win.status = c->status;
	}
	external_seamcall(ctx, c);
}

void tdps_table_new(const struct tdps_where *w, u64 table)
{
	struct tdps_frame *f = tdps_ctx_frame(tdps_ctx_current());

	if (!READ_ONCE(tdps_live))
		return;
	if (f && f->op == TDPS_OP_MAP)
		f->table_level = w->level;	/* they are made from top to bottom */
	tdps_record(TDPS_EV_TABLE_NEW, 0, w, table, 0, 0);
	tdps_trace(table_new, w, table);
}

void tdps_table_zap(const struct tdps_where *w, u64 table, bool mirror)
{
	struct tdps_ctx *ctx = tdps_ctx_current();
	struct tlb_debt debt;

	if (!READ_ONCE(tdps_live))
		return;
	tdps_record(TDPS_EV_TABLE_ZAP, 0, w, table, 0, 0);
	tdps_trace(table_zap, w, table, mirror);
	debt = tlb_table_zap(ctx, w);
	if (ctx) {
		split_table_zap(ctx, w, mirror);
		if (w->lock == TDPS_LOCK_READ)
			meet_removal(ctx, w);
	}
	rcu_table_zap(table, &debt);
}

void tdps_table_free(u64 table)
{
	bool unlinked, gp_passed = true;

	if (!READ_ONCE(tdps_live))
		return;
	zap_root_free(table);
	/* most frees of this cache are of tables that were never linked */
	unlinked = rcu_table_free(table, &gp_passed);
	if (unlinked)
		tdps_record(TDPS_EV_TABLE_FREE, 0, NULL, table, 0, 0);
	tdps_trace(table_free, table, unlinked, gp_passed);
}

/**
 * tdps_flush() - the TLBs of all vCPUs are flushed
 * @vm: VM
 * @request: seen by the request to the vCPUs; the flush itself may have been
 *	     seen before, or not, if the compiler has inlined it
 */
void tdps_flush(u64 vm, bool request)
{
	const struct tdps_where w = { .vm = vm, .gfn = TDPS_NO_GFN };
	struct tdps_ctx *ctx = tdps_ctx_current();
	u32 i;

	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(flush, vm, request);
	tlb_flush();
	if (request && (!ctx || ctx->flushing)) {
		if (ctx)
			ctx->flushing = false;
		return;
	}
	tdps_record(TDPS_EV_FLUSH, 0, &w, 0, 0, 0);
	if (!ctx)
		return;
	ctx->flushing = !request;
	for (i = 0; i < min(ctx->depth, TDPS_DEPTH); i++)
		if (ctx->frame[i].vm == vm) {
			ctx->frame[i].unflushed = 0;
			ctx->frame[i].flushed = true;
		}
}

void tdps_kick(u64 vm)
{
	const struct tdps_where w = { .vm = vm, .gfn = TDPS_NO_GFN };
	struct tdps_ctx *ctx = tdps_ctx_current();

	if (!READ_ONCE(tdps_live))
		return;
	tdps_record(TDPS_EV_KICK, 0, &w, 0, 0, 0);
	tdps_trace(kick, vm);
	if (ctx)
		ctx->kicked = true;
}

void tdps_invalidate_end(u64 vm)
{
	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(invalidate_end, vm);
	tlb_invalidate_end(vm);
}

void tdps_yield(u64 vm)
{
	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(yield, vm);
	tlb_yield(tdps_ctx_current(), vm);
}

/**
 * tdps_bugged() - an audit has met a VM that KVM has given up
 * @vm: VM
 *
 * Context: audits, which are serialised.
 */
void tdps_bugged(u64 vm)
{
	const struct tdps_where w = { .vm = vm, .gfn = TDPS_NO_GFN };
	u64 *told = bugged_slot(vm);

	tdps_trace(bugged, vm, splat_is_refused(vm), tdps_is_excused(vm));
	/* it stays so, and one word is enough */
	if (!tdps_wants(TDPS_SPLAT) || READ_ONCE(*told) == vm)
		return;
	WRITE_ONCE(*told, vm);
	if (splat_is_refused(vm)) {
		pr_info("tdp_stress: KVM has given up a VM after a refusal under exclusive mmu_lock (split=strict)\n");
		tdps_count(refused_splat);
		return;
	}
	tdps_violation(TDPS_SPLAT, &w, "KVM has given up this VM (KVM_BUG_ON)");
}

void tdps_audit_root(struct tdps_audit *a, const struct tdps_audit_root *r)
{
	tdps_trace(audit_root, a, r);
	tdps_checking(TDPS_F1);		/* of every entry that follows */
	if (!a->bugged)
		zap_audit_root(a, r);
}

void tdps_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s)
{
	frozen_audit_spte(a, s);
	if (!a->bugged)
		transition_audit_spte(a, s);
}

bool tdps_audit_sept(struct tdps_audit *a, const struct tdps_audit_spte *s)
{
	return external_audit(a, s);
}

void tdps_audit_counts(struct tdps_audit *a, const s64 pages[3], s64 tables)
{
	tdps_trace(audit_counts, a, pages, tables);
	if (!a->bugged && a->complete)
		accounting_audit(a, pages, tables);
}

void tdps_audit_end(struct tdps_audit *a, u64 ns)
{
	const struct tdps_where w = {
		.vm = a->vm, .gfn = TDPS_NO_GFN, .lock = TDPS_LOCK_WRITE,
	};

	tdps_td_seen();
	tdps_count(audit_count);
	tdps_max(audit_max_ns, ns);
	tdps_add(audit_sptes, a->sptes);
	tdps_record(TDPS_EV_AUDIT, 0, &w, a->sptes, ns, 0);
	tdps_trace(audit, a, ns);
}

static void watch(struct tdps_ctx *ctx, void *arg)
{
	u64 now = *(u64 *)arg;

	frozen_watch(ctx, now);
	progress_watch(ctx, now);
}

/**
 * tdps_watchdog() - look for threads that are stuck
 *
 * Context: process context, takes no lock that KVM knows: it must work while
 * a thread sits on mmu_lock for ever.
 */
void tdps_watchdog(void)
{
	u64 now = ktime_get_mono_fast_ns();

	tdps_checking(TDPS_P1);
	tdps_ctx_visit_busy(watch, &now);
}
