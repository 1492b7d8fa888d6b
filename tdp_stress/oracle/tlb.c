// SPDX-License-Identifier: GPL-2.0
/*
 * L1: no translation outlives its page. KVM's own flushes are followed here;
 * what the guest really does with its TLB only the emulated TDX module sees,
 * which reports it through the view. See Documentation/invariants.rst.
 */

#include "../stub/view.h"
#include "internal.h"

const struct tdxm_view *tdps_view;

/*
 * The emulated module names an invariant by its id; ours are the same. Called
 * from its trap, with IRQs off.
 */
static void on_finding(void *unused, const struct tdxm_finding *f)
{
	struct tdps_frame *frame = tdps_ctx_frame(tdps_ctx_current());
	struct tdps_where w = {
		/* whose it is: what was made to fail there may have led to it */
		.vm = frame ? frame->vm : 0,
		.gfn = f->gpa == U64_MAX ? TDPS_NO_GFN : f->gpa >> PAGE_SHIFT,
		.level = f->level < 0 ? 0 : f->level + 1,
	};
	enum tdps_check id = tdps_check_by_name(f->id, strlen(f->id));
	char text[160];
	int n;

	if (id == TDPS_NO_CHECK)
		id = TDPS_X3;
	if (!tdps_wants(id))
		return;
	n = scnprintf(text, sizeof(text), "TDX module: %s", f->what);
	if (f->pa != U64_MAX)
		n += scnprintf(text + n, sizeof(text) - n, ", page 0x%llx", f->pa);
	if (f->leaf >= 0)
		n += scnprintf(text + n, sizeof(text) - n, ", %s status 0x%llx",
			       tdxm_leaf_name(f->leaf) ?: "unknown leaf", f->status);
	if (f->state >= 0)
		scnprintf(text + n, sizeof(text) - n, ", entry %s",
			  tdxm_sept_state_name(f->state));
	tdps_violation_deferred(id, &w, text);
}

static const struct tdxm_listener listener = { .finding = on_finding };

static bool stubs_view;	/* tdps_view was taken from tdx_stub */

static void drop_view(void)
{
	if (stubs_view)
		symbol_put(tdx_stub_view);
	stubs_view = false;
}

/**
 * tlb_init() - find the emulated TDX module, if there is one
 * @own: the one that this module embeds, or NULL
 *
 * Return: 0 if it is there or not, -errno if it is there and does not fit.
 */
int tlb_init(const struct tdxm_view *own)
{
	const struct tdxm_view *view = own;
	int err;

	if (!view) {
		view = symbol_get(tdx_stub_view);
		stubs_view = view;
	}
	if (!view)
		return 0;
	if (view->size != sizeof(*view)) {
		pr_err("tdp_stress: tdx_stub.ko is of another build: its view has %u bytes, wanted %zu; build both together\n",
		       view->size, sizeof(*view));
		drop_view();
		return -EINVAL;
	}
	err = view->listen(&listener);
	if (err) {
		pr_err("tdp_stress: the emulated TDX module already has a listener (%d)\n", err);
		drop_view();
		return err;
	}
	tdps_view = view;
	return 0;
}

void tlb_exit(void)
{
	if (!tdps_view)
		return;
	tdps_view->listen(NULL);
	tdps_view = NULL;
	drop_view();
}

/* Remember what a notifier call unmaps: at its end nobody may reach it. */
void tlb_unmapped(struct tdps_ctx *ctx, const struct tdps_frame *f)
{
	if (ctx->nr_ranges >= TDPS_RANGES) {
		tdps_count(missed);
		return;
	}
	ctx->range[ctx->nr_ranges].start = f->start;
	ctx->range[ctx->nr_ranges++].end = f->end;
}

/*
 * A huge leaf that reaches out of the range was mapped while it was being given
 * back (see zap.c): its translations are good until the host splits its huge page.
 */
static bool is_mapped_anew(struct tdps_ctx *ctx, u64 vm, u64 start, u64 end)
{
	struct tdps_where first = { .vm = vm, .gfn = start & ~511ULL, .level = 2 };
	struct tdps_where last = { .vm = vm, .gfn = (end - 1) & ~511ULL, .level = 2 };

	return (start != first.gfn && tdps_mapped_since(ctx, &first)) ||
	       (end & 511 && tdps_mapped_since(ctx, &last));
}

static void give_back(struct tdps_ctx *ctx, const struct tdps_op_end *e)
{
	u32 i;

	if (!tdps_view || !tdps_view->models_shared_tlb() || !e->tdr || !tdps_wants(TDPS_L1))
		return;
	for (i = 0; i < ctx->nr_ranges; i++) {
		u64 start = ctx->range[i].start, end = ctx->range[i].end;

		if (is_mapped_anew(ctx, e->where.vm, start, end))
			continue;
		tdps_checking(TDPS_L1);
		tdps_view->shared_given_back(e->tdr, (start | e->shared_bits) << PAGE_SHIFT,
					     (end - start) << PAGE_SHIFT);
	}
}

/*
 * What a thread has to flush for, and has not yet. By thread; threads that share an entry
 * hide each other's debts, and invent none.
 */
#define DEBTOR_BITS	6

struct debt {
	pid_t owes;
	u32 leafs;
	struct tdps_where where;
};

static struct debtor {
	atomic64_t flushes;
	struct debt told;	/* a zap has told its caller to flush */
	struct debt unlinked;	/* a table, by NX recovery */
} debtors[1 << DEBTOR_BITS];

static struct debtor *debtor_of(pid_t pid)
{
	return &debtors[hash_64(pid, DEBTOR_BITS)];
}

static void owe(struct debt *d, const struct tdps_where *w, u32 leafs)
{
	d->where = *w;
	d->leafs = leafs;
	WRITE_ONCE(d->owes, current->pid);
}

static bool settle(struct debt *d)
{
	if (READ_ONCE(d->owes) != current->pid)
		return false;
	WRITE_ONCE(d->owes, 0);
	return true;
}

/* Does the current thread owe it to @vm, at the latest moment for that? */
static bool is_overdue(struct debt *d, u64 vm)
{
	return READ_ONCE(d->owes) == current->pid && d->where.vm == vm && settle(d);
}

/* Whoever was told to flush does so before it lets faults in again. */
void tlb_invalidate_end(u64 vm)
{
	struct debt *d = &debtor_of(current->pid)->told;

	if (is_overdue(d, vm) && tdps_checking(TDPS_L1))
		tdps_violation(TDPS_L1, &d->where,
			       "%u shared leaves zapped, and the TLB flush that was asked for never came",
			       d->leafs);
}

void tlb_op_end(struct tdps_ctx *ctx, struct tdps_frame *f, enum tdps_op op,
		const struct tdps_op_end *e)
{
	u32 unflushed = f->unflushed;

	switch (op) {
	case TDPS_OP_UNMAP:
		if (f->roots & TDPS_ROOTS_DIRECT)
			tlb_unmapped(ctx, f);
		fallthrough;
	case TDPS_OP_ZAP_LEAFS:
		/* the caller flushes if it is told to */
		if (!tdps_checking(TDPS_L1))
			return;
		if (e->flush) {
			if (unflushed && !e->bugged)
				owe(&debtor_of(current->pid)->told, &e->where, unflushed);
			unflushed = 0;
		}
		unflushed += tdps_planted(TDPS_L1);
		if (unflushed)
			tdps_violation(TDPS_L1, &e->where,
				       "%u shared leaves zapped, and no TLB flush asked for",
				       unflushed);
		return;
	case TDPS_OP_RECOVER:
		/* it flushes itself, before it lets go of RCU or of mmu_lock */
		if (tdps_checking(TDPS_L1) && unflushed)
			tdps_violation(TDPS_L1, &e->where,
				       "%u shared leaves replaced, and the TLBs were not flushed",
				       unflushed);
		return;
	case TDPS_OP_NOTIFIER:
	case TDPS_OP_MEMSLOT:
		if (tdps_checking(TDPS_L1) && unflushed)
			tdps_violation(TDPS_L1, &e->where,
				       "%u shared leaves zapped, memory given back without a TLB flush",
				       unflushed);
		give_back(ctx, e);
		return;
	default:
		return;
	}
}

/*
 * kvm_tdp_mmu_zap_possible_nx_huge_page() unlinks a table, and its caller flushes for
 * all of them. The caller has to do so itself before it lets go of RCU, which alone
 * keeps the tables, or of mmu_lock.
 */
struct tlb_debt tlb_table_zap(struct tdps_ctx *ctx, const struct tdps_where *w)
{
	struct tdps_frame *f = tdps_ctx_frame(ctx);
	struct debtor *me = debtor_of(current->pid);
	struct tlb_debt debt = { .where = *w };

	if (!f || f->op != TDPS_OP_ZAP_NX || !tdps_wants(TDPS_L1))
		return debt;
	debt.pid = current->pid;
	debt.flushes = atomic64_read(&me->flushes);
	owe(&me->unlinked, w, 0);
	return debt;
}

/* A grace period has passed, so the thread has let go of RCU. */
void tlb_table_free(const struct tlb_debt *debt)
{
	if (!tdps_checking(TDPS_L1) ||
	    atomic64_read(&debtor_of(debt->pid)->flushes) != debt->flushes)
		return;
	tdps_violation(TDPS_L1, &debt->where,
		       "page table freed, and thread %d, whose NX recovery has unlinked it, has not flushed the TLBs",
		       debt->pid);
}

/* The current thread flushes, of whatever VM: it works for one at a time. */
void tlb_flush(void)
{
	struct debtor *me = debtor_of(current->pid);

	atomic64_inc(&me->flushes);
	settle(&me->told);
	settle(&me->unlinked);
}

/* What a walk has zapped is flushed before others may have mmu_lock. */
static void check_frame(const struct tdps_frame *f, u64 vm)
{
	const struct tdps_where w = { .vm = vm, .gfn = f->start, .lock = f->lock };

	if (f->vm != vm || (f->op != TDPS_OP_UNMAP && f->op != TDPS_OP_ZAP_LEAFS &&
			    f->op != TDPS_OP_RECOVER))
		return;
	if (tdps_checking(TDPS_L1) && f->unflushed)
		tdps_violation(TDPS_L1, &w,
			       "%u shared leaves zapped by %s, and mmu_lock let go without a TLB flush",
			       f->unflushed, tdps_op_name(f->op));
}

void tlb_yield(struct tdps_ctx *ctx, u64 vm)
{
	struct debt *d = &debtor_of(current->pid)->unlinked;
	struct tdps_frame *f = tdps_ctx_frame(ctx);

	if (f)
		check_frame(f, vm);
	if (is_overdue(d, vm) && tdps_checking(TDPS_L1))
		tdps_violation(TDPS_L1, &d->where,
			       "NX recovery has unlinked a page table, and lets go of mmu_lock without a TLB flush");
}
