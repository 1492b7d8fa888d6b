// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks: turns what KVM does into facts. SPTE changes and page tables through
 * tracepoints, operations and TLB flushes through fprobes; SEAMCALL wrappers are
 * seamcall.c's, external operations extops.c's. Judges nothing.
 *
 * Where operations begin and end is made known as soon as any check is on: every
 * violation says in which it was. A tracepoint is hooked only for a check that needs
 * it, or for the flight recorder. None stays after tdps_kvm_unhook(), whatever TDs
 * are doing meanwhile.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/debug_locks.h>
#include <linux/rcupdate.h>
#include <linux/tracepoint.h>

#include "external.h"
#include "fail.h"
#include "flight.h"
#include "hold.h"
#include "hooks.h"
#include "insight.h"
#include "kvm.h"
#include "probe.h"

/* --- symbols that may be missing --- */

/* An error if a check that was asked for is among those of @need. */
static int missing(const char *symbol, unsigned long need)
{
	if (need & tdps_enabled) {
		pr_err("symbol %s not found in this kernel: nothing hooked\n", symbol);
		return -ENOENT;
	}
	pr_warn("symbol %s not found in this kernel: less is checked\n", symbol);
	return 0;
}

static int add_probe(struct fprobe *fp, const char *symbol)
{
	unsigned long addr = tdps_lookup(symbol);
	int err;

	if (!addr)
		return -ENOENT;
	tdps_probe_room(fp);
	err = register_fprobe_ips(fp, &addr, 1);
	if (err)
		pr_err("cannot probe %s (%d): is it traceable (CONFIG_FPROBE)?\n", symbol, err);
	return err;
}

/**
 * hook_probe() - probe a function
 * @fp: its handlers
 * @symbol: its name
 * @need: checks that cannot do without
 * @hooked: whether there is a probe now
 *
 * Context: may sleep.
 *
 * Return: 0, also without the function if no check that was asked for needs it; or
 * -errno, the reason printed.
 */
int hook_probe(struct fprobe *fp, const char *symbol, unsigned long need, bool *hooked)
{
	int err = add_probe(fp, symbol);

	*hooked = !err;
	return err == -ENOENT ? missing(symbol, need) : err;
}

/**
 * unhook_probe() - take a probe away again
 * @fp: its handlers
 * @hooked: whether there is one; false afterwards
 *
 * Context: may sleep. Handlers may still run until the next grace period of RCU.
 */
void unhook_probe(struct fprobe *fp, bool *hooked)
{
	if (!*hooked)
		return;
	unregister_fprobe(fp);
	tdps_add(missed, fp->nmissed);
	*hooked = false;
}

/* --- tracepoints --- */

static struct tdps_where in_frame(const struct tdps_frame *f, gfn_t gfn, int level)
{
	return (struct tdps_where) {
		.vm = f ? f->vm : 0, .gfn = gfn, .level = level,
		.lock = f ? f->lock : TDPS_LOCK_UNKNOWN,
	};
}

/* Splits in mirror roots are looked at before others can reach the table. */
static void see_split(const struct tdps_change *c)
{
	struct tdps_split s = {
		.where = c->where, .reachable = true, .huge = c->old_spte.raw,
	};

	tdps_examine_split(c->new_spte.raw, &s);
	if (!s.mirror)
		tdps_split_seen(&s);
}

/*
 * Which root a change is of KVM does not say. Those that zap leaves one by one, with
 * mmu_lock held for write, leave the tables around it where they are.
 */
static bool may_be_invalids(const struct tdps_frame *f, struct kvm *kvm,
			    const struct tdps_where *w)
{
	return (f->op != TDPS_OP_UNMAP && f->op != TDPS_OP_ZAP_LEAFS) ||
	       tdps_absent_in_invalid(kvm, w->gfn, w->level);
}

static void on_spte_changed(void *unused, int as_id, gfn_t gfn, int level, u64 old_spte,
			    u64 new_spte)
{
	struct tdps_frame *f = tdps_ctx_frame(tdps_ctx_current());
	struct kvm *kvm = f ? tdps_id_vm(f->vm) : NULL;
	struct tdps_change c = { .where = in_frame(f, gfn, level) };
	const struct tdps_spte *was = &c.old_spte, *is = &c.new_spte;
	int invalid;

	/* a walk over a whole direct root names GFNs with these bits */
	if (kvm)
		c.where.gfn &= ~kvm_gfn_direct_bits(kvm);
	tdps_decode(kvm, old_spte, level, &c.old_spte);
	tdps_decode(kvm, new_spte, level, &c.new_spte);
	if (was->leaf && is->present && !is->leaf && tdps_wants(TDPS_S1))
		see_split(&c);
	if (was->present && !was->leaf && is->leaf && tdps_wants(TDPS_S2))
		c.children = tdps_children_left(old_spte);
	/* where the answers matter: a leaf zapped, or changed without a dirty bit */
	if (was->leaf && kvm && (!is->present || !was->dirty)) {
		c.alone = tdps_direct_roots(kvm, &invalid) == 1;
		c.unused = invalid && may_be_invalids(f, kvm, &c.where);
	}
	tdps_spte_changed(&c);
	tdps_flight_changed();
	tdps_hold(TDP_STRESS_POINT_SPTE, 0, &c.where, c.where.gfn + KVM_PAGES_PER_HPAGE(level));
}

static void on_split(void *unused, u64 gfn, u64 spte, int level, int err)
{
	struct tdps_ctx *ctx = tdps_ctx_current();
	struct tdps_frame *f = tdps_ctx_frame(ctx);
	struct tdps_where w = in_frame(f, gfn, level);
	struct tdps_place at;
	bool linked;

	/* of interest is what becomes of it when the external operation has failed */
	if (!f || !ctx->win.failed || ctx->win.kind != TDPS_EXT_SPLIT || ctx->win.gfn != gfn ||
	    ctx->win.level != level || ctx->win.old_spte != spte ||
	    tdps_id_vm(f->vm)->vm_bugged)
		return;
	rcu_read_lock();
	tdps_look_at(tdps_id_vm(f->vm), gfn, level, &at);
	linked = at.sptep && READ_ONCE(*at.sptep) == ctx->win.new_spte;
	rcu_read_unlock();
	tdps_split_failed(&w, err, linked);
}

static void on_get_page(void *unused, struct kvm_mmu_page *sp, bool created)
{
	struct tdps_where w = { .gfn = sp->gfn, .level = sp->role.level };

	if (is_tdp_mmu_page(sp))
		tdps_table_new(&w, (u64)(unsigned long)sp);
}

static void on_zap_page(void *unused, struct kvm_mmu_page *sp)
{
	struct tdps_frame *f = tdps_ctx_frame(tdps_ctx_current());
	struct tdps_where w = in_frame(f, sp->gfn, sp->role.level);

	if (is_tdp_mmu_page(sp))
		tdps_table_zap(&w, (u64)(unsigned long)sp, is_mirror_sp(sp));
}

/* All frees of all caches come by here. */
static void on_cache_free(void *unused, unsigned long call_site, const void *ptr,
			  const struct kmem_cache *s)
{
	if (unlikely(s == *tdps_sym.mmu_page_header_cache))
		tdps_table_free((u64)(unsigned long)ptr);
}

static bool lock_state_is_own(void)
{
#ifdef CONFIG_LOCKDEP
	return debug_locks;
#else
	return false;
#endif
}

/*
 * Likewise all allocations. Only lockdep knows for sure whether it is this
 * thread that holds mmu_lock.
 */
static void on_cache_alloc(void *unused, unsigned long call_site, const void *ptr,
			   struct kmem_cache *s, gfp_t flags, int node)
{
	struct tdps_where w = { .gfn = TDPS_NO_GFN };

	if (likely(s != *tdps_sym.mmu_page_header_cache))
		return;
	w.vm = tdps_splitting();
	if (!w.vm)
		return;
	if (lock_state_is_own())
		w.lock = tdps_lock_of(tdps_id_vm(w.vm));
	tdps_split_alloc(&w, rcu_preempt_depth());
}

static struct trace_hook {
	const char *symbol;
	void *probe;
	unsigned long need;	/* without it none of these checks can be asked for */
	bool for_record;	/* also wanted for the flight recorder */
	struct tracepoint *tp;
} trace_hooks[] = {
	{ "__tracepoint_kvm_tdp_mmu_spte_changed", on_spte_changed,
	  BIT(TDPS_T1) | BIT(TDPS_Z1) | BIT(TDPS_L1) | BIT(TDPS_S1) | BIT(TDPS_S2) |
	  BIT(TDPS_D1) | BIT(TDPS_F3), true },
	{ "__tracepoint_kvm_mmu_split_huge_page", on_split, BIT(TDPS_S1), false },
	{ "__tracepoint_kvm_mmu_get_page", on_get_page, BIT(TDPS_F3), true },
	{ "__tracepoint_kvm_mmu_prepare_zap_page", on_zap_page, BIT(TDPS_R1) | BIT(TDPS_S2), true },
	{ "__tracepoint_kmem_cache_free", on_cache_free, BIT(TDPS_R1) | BIT(TDPS_Z2), false },
	{ "__tracepoint_kmem_cache_alloc", on_cache_alloc, BIT(TDPS_S1), false },
};

static int hook_traces(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(trace_hooks); i++) {
		struct trace_hook *t = &trace_hooks[i];
		struct tracepoint *tp;

		if (!(t->need & tdps_enabled) && !t->for_record)
			continue;
		tp = (struct tracepoint *)tdps_lookup(t->symbol);
		if (!tp) {
			err = missing(t->symbol, t->need);
			if (err)
				return err;
			continue;
		}
		err = tracepoint_probe_register(tp, t->probe, NULL);
		if (err) {
			pr_err("cannot probe %s (%d)\n", t->symbol, err);
			return err;
		}
		t->tp = tp;
	}
	return 0;
}

static void unhook_traces(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(trace_hooks); i++) {
		if (trace_hooks[i].tp)
			tracepoint_probe_unregister(trace_hooks[i].tp, trace_hooks[i].probe, NULL);
		trace_hooks[i].tp = NULL;
	}
	tracepoint_synchronize_unregister();
}

/* --- operations --- */

struct op_data {
	struct tdps_ctx *ctx;
	struct kvm *kvm;
	gfn_t start;
	gfn_t end;
	const struct kvm_page_fault *fault;
	struct kvm_mmu_page *root;	/* of the fault */
	s16 as_id;
	u8 roots;
	u8 lock;	/* that it is going to take itself, else unknown */
	bool closed;	/* nobody can map in the range meanwhile */
	bool untold;	/* and those who may were not told that they must not */
};

static_assert(sizeof(struct op_data) <= TDPS_PROBE_DATA_MAX);

struct op_hook {
	const char *symbol;
	enum tdps_op op;
	void (*args)(struct tdps_regs *regs, struct op_data *d);
	unsigned long need;	/* without it none of these checks can be asked for */
	struct fprobe fp;
	bool hooked;
};

#define ARG(regs, n)	tdps_arg(regs, n)

static void args_kvm(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
}

static void args_map(struct tdps_regs *regs, struct op_data *d)
{
	struct kvm_vcpu *vcpu = (struct kvm_vcpu *)ARG(regs, 0);
	struct kvm_page_fault *fault = (struct kvm_page_fault *)ARG(regs, 1);

	d->kvm = vcpu->kvm;
	d->start = fault->gfn;
	d->end = fault->gfn + 1;
	d->fault = fault;
	d->root = tdp_mmu_get_root_for_fault(vcpu, fault);
	d->roots = kvm_is_addr_direct(d->kvm, fault->addr) ? TDPS_ROOTS_DIRECT : TDPS_ROOTS_MIRROR;
}

/* Is the range announced, so that no fault maps there while a zap yields? */
static bool announced(struct kvm *kvm, gfn_t start, gfn_t end)
{
	return kvm->mmu_invalidate_in_progress && start >= kvm->mmu_invalidate_range_start &&
	       end <= kvm->mmu_invalidate_range_end;
}

static void use_slot(struct op_data *d, const struct kvm_memory_slot *slot)
{
	d->start = slot->base_gfn;
	d->end = slot->base_gfn + slot->npages;
	d->as_id = slot->as_id;
}

/* Is it about to go? Faults find it so. KVM hands it on as it was before. */
static bool slot_goes(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	const struct kvm_memory_slot *active;

	guard(srcu)(&kvm->srcu);
	active = id_to_memslot(__kvm_memslots(kvm, slot->as_id), slot->id);
	return active && active->flags & KVM_MEMSLOT_INVALID;
}

/* Faults are told of each zap of a range, but for that of a memslot that goes. */
static void ask_told(struct op_data *d, const struct kvm_memory_slot *slot)
{
	bool told = announced(d->kvm, d->start, d->end);

	d->closed |= told;
	d->untold = !told && !(slot && slot_goes(d->kvm, slot));
}

static void args_range(struct tdps_regs *regs, struct op_data *d)
{
	struct kvm_gfn_range *range = (struct kvm_gfn_range *)ARG(regs, 1);

	d->kvm = (struct kvm *)ARG(regs, 0);
	d->start = range->start;
	d->end = range->end;
	d->as_id = range->slot->as_id;
	d->closed = !range->may_block;
	if (!TDPS_MIRROR_ROOTS)
		d->roots = TDPS_ROOTS_DIRECT;
	else
		d->roots = (range->attr_filter & KVM_FILTER_PRIVATE ? TDPS_ROOTS_MIRROR : 0) |
			   (range->attr_filter & KVM_FILTER_SHARED ? TDPS_ROOTS_DIRECT : 0);
}

static void args_unmap(struct tdps_regs *regs, struct op_data *d)
{
	args_range(regs, d);
	ask_told(d, ((struct kvm_gfn_range *)ARG(regs, 1))->slot);
}

/*
 * What is private becomes shared, or the other way round: which, the attributes say;
 * the filter of the zap is made of them by what is looked at.
 */
static void args_convert(struct tdps_regs *regs, struct op_data *d)
{
	const struct kvm_gfn_range *range = (struct kvm_gfn_range *)ARG(regs, 1);

	args_range(regs, d);
	d->roots = TDPS_ROOTS_DIRECT;
	if (TDPS_MIRROR_ROOTS && !(range->arg.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE))
		d->roots = TDPS_ROOTS_MIRROR;
}

/* mmu_lock may be held, but by somebody else. */
static void args_age(struct tdps_regs *regs, struct op_data *d)
{
	args_range(regs, d);
	if (TDPS_AGE_LOCKLESS)
		d->lock = TDPS_LOCK_NONE;
}

static void args_zap_leafs(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	d->start = ARG(regs, 1);
	d->end = ARG(regs, 2);
	ask_told(d, NULL);
}

static void args_zap_invalid(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	d->lock = (bool)(ARG(regs, 1) & 0xff) ? TDPS_LOCK_READ : TDPS_LOCK_WRITE;
}

static void args_zap_nx(struct tdps_regs *regs, struct op_data *d)
{
	struct kvm_mmu_page *sp = (struct kvm_mmu_page *)ARG(regs, 1);

	d->kvm = (struct kvm *)ARG(regs, 0);
	d->start = sp->gfn;
	d->end = sp->gfn + KVM_PAGES_PER_HPAGE(sp->role.level + 1);
	d->roots = is_mirror_sp(sp) ? TDPS_ROOTS_MIRROR : TDPS_ROOTS_DIRECT;
}

static void args_split(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	d->start = ARG(regs, 2);
	d->end = ARG(regs, 3);
}

static void args_slot(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	use_slot(d, (const struct kvm_memory_slot *)ARG(regs, 1));
}

/* Of a VM without private memory KVM may do away with all roots instead. */
static void args_memslot(struct tdps_regs *regs, struct op_data *d)
{
	args_slot(regs, d);
	d->roots = TDPS_ROOTS_DIRECT;
	if (d->kvm->arch.vm_type != KVM_X86_DEFAULT_VM)
		d->roots |= TDPS_ROOTS_MIRROR;
}

static void args_slot_gfn(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	d->start = ARG(regs, 2);
	d->end = d->start + 1;
}

static void args_slot_masked(struct tdps_regs *regs, struct op_data *d)
{
	args_slot_gfn(regs, d);
	d->end = d->start + BITS_PER_LONG;
}

/* Lockless, of direct roots only. */
static void args_walk(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = ((struct kvm_vcpu *)ARG(regs, 0))->kvm;
	d->start = gpa_to_gfn(ARG(regs, 1)) & ~kvm_gfn_direct_bits(d->kvm);
	d->end = d->start + 1;
	d->roots = TDPS_ROOTS_DIRECT;
	d->lock = TDPS_LOCK_NONE;
}

static void args_last_sptep(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = ((struct kvm_vcpu *)ARG(regs, 0))->kvm;
	d->start = ARG(regs, 1);
	d->end = d->start + 1;
	d->roots = TDPS_ROOTS_DIRECT;
	d->lock = TDPS_LOCK_NONE;
}

static void args_alloc_root(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = ((struct kvm_vcpu *)ARG(regs, 0))->kvm;
	d->roots = TDPS_MIRROR_ROOTS && (bool)(ARG(regs, 1) & 0xff) ? TDPS_ROOTS_MIRROR :
								      TDPS_ROOTS_DIRECT;
}

static void args_zap_all(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = (struct kvm *)ARG(regs, 0);
	d->roots = TDPS_ROOTS_DIRECT;
	/* its caller is the end of all vCPUs */
	d->closed = true;
}

static void args_notifier(struct tdps_regs *regs, struct op_data *d)
{
	d->kvm = container_of((struct mmu_notifier *)ARG(regs, 0), struct kvm, mmu_notifier);
	d->roots = TDPS_ROOTS_DIRECT;
}

static struct op_hook op_hooks[] = {
	{ "kvm_tdp_mmu_map", TDPS_OP_MAP, args_map, BIT(TDPS_F3) | BIT(TDPS_F4) | BIT(TDPS_P1) },
	{ "kvm_tdp_mmu_unmap_gfn_range", TDPS_OP_UNMAP, args_unmap,
	  BIT(TDPS_Z1) | BIT(TDPS_L1) | BIT(TDPS_F4) },
	{ "kvm_tdp_mmu_zap_leafs", TDPS_OP_ZAP_LEAFS, args_zap_leafs, 0 },
	{ "kvm_tdp_mmu_zap_all", TDPS_OP_ZAP_ALL, args_zap_all, 0 },
	{ "kvm_tdp_mmu_zap_invalidated_roots", TDPS_OP_ZAP_INVALID, args_zap_invalid, 0 },
	{ __stringify(TDPS_FN_ZAP_NX), TDPS_OP_ZAP_NX, args_zap_nx, 0 },
	{ __stringify(TDPS_FN_INVALIDATE_ROOTS), TDPS_OP_INVALIDATE, args_kvm, 0 },
	{ "kvm_tdp_mmu_try_split_huge_pages", TDPS_OP_SPLIT, args_split, BIT(TDPS_S1) },
	{ __stringify(TDPS_FN_RECOVER), TDPS_OP_RECOVER, args_slot, 0 },
	{ "kvm_tdp_mmu_age_gfn_range", TDPS_OP_AGE, args_age, 0 },
	{ "kvm_tdp_mmu_test_age_gfn", TDPS_OP_TEST_AGE, args_age, 0 },
	{ "kvm_tdp_mmu_wrprot_slot", TDPS_OP_WRPROT_SLOT, args_slot, 0 },
	{ "kvm_tdp_mmu_write_protect_gfn", TDPS_OP_WRPROT_GFN, args_slot_gfn, 0 },
	{ "kvm_tdp_mmu_clear_dirty_slot", TDPS_OP_CLEAR_SLOT, args_slot, 0 },
	{ "kvm_tdp_mmu_clear_dirty_pt_masked", TDPS_OP_CLEAR_MASKED, args_slot_masked, 0 },
	{ "kvm_tdp_mmu_get_walk", TDPS_OP_WALK, args_walk, 0 },
	{ "kvm_tdp_mmu_fast_pf_get_last_sptep", TDPS_OP_LAST_SPTEP, args_last_sptep, 0 },
	{ "kvm_tdp_mmu_alloc_root", TDPS_OP_ALLOC_ROOT, args_alloc_root, 0 },
	{ "kvm_mmu_notifier_invalidate_range_start", TDPS_OP_NOTIFIER, args_notifier, 0 },
	{ "kvm_arch_flush_shadow_memslot", TDPS_OP_MEMSLOT, args_memslot, 0 },
	{ "kvm_arch_pre_set_memory_attributes", TDPS_OP_CONVERT, args_convert, 0 },
	{ "kvm_mmu_uninit_tdp_mmu", TDPS_OP_UNINIT, args_kvm, 0 },
	{ "kvm_arch_destroy_vm", TDPS_OP_DESTROY, args_kvm, 0 },
};

/* Those that can be held are the user interface's, in its order. */
#define SAME_OP(op, mmu) \
	static_assert(TDPS_OP_##op - TDPS_OP_MAP == (int)TDP_STRESS_MMU_##mmu)

SAME_OP(MAP, MAP);
SAME_OP(UNMAP, UNMAP);
SAME_OP(ZAP_LEAFS, ZAP_LEAFS);
SAME_OP(ZAP_ALL, ZAP_ALL);
SAME_OP(ZAP_INVALID, ZAP_INVALID);
SAME_OP(ZAP_NX, ZAP_NX);
SAME_OP(INVALIDATE, INVALIDATE);
SAME_OP(SPLIT, SPLIT);
SAME_OP(RECOVER, RECOVER);
SAME_OP(AGE, AGE);
SAME_OP(TEST_AGE, TEST_AGE);
SAME_OP(WRPROT_SLOT, WRPROT_SLOT);
SAME_OP(WRPROT_GFN, WRPROT_GFN);
SAME_OP(CLEAR_SLOT, CLEAR_DIRTY_SLOT);
SAME_OP(CLEAR_MASKED, CLEAR_DIRTY_MASKED);
SAME_OP(WALK, GET_WALK);
SAME_OP(LAST_SPTEP, LAST_SPTEP);

/* @op begins or ends: where user space can have it held. */
static void hold_op(enum tdp_stress_point point, enum tdps_op op, const struct tdps_where *w,
		    gfn_t end)
{
	if (op >= TDPS_OP_MAP && op <= TDPS_OP_LAST_SPTEP)
		tdps_hold(point, op - TDPS_OP_MAP, w, end);
}

static int op_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		    struct tdps_regs *regs, void *data)
{
	struct op_hook *h = container_of(fp, struct op_hook, fp);
	struct op_data *d = data;
	struct tdps_where w;

	*d = (struct op_data) {
		.start = TDPS_NO_GFN,
		.as_id = -1,
		.roots = TDPS_ROOTS_DIRECT | TDPS_ROOTS_MIRROR,
	};
	h->args(regs, d);
	if (!tdps_watched(d->kvm))
		return 1;	/* not one of those: leave its exit alone */
	w = (struct tdps_where) {
		.vm = tdps_vm_id(d->kvm), .gfn = d->start,
		.lock = d->lock ?: tdps_lock_of(d->kvm),
	};
	hold_op(TDP_STRESS_POINT_OP_BEGIN, h->op, &w, d->end);
	d->ctx = tdps_op_begin(h->op, &w, d->end, d->roots, (u64)(unsigned long)d->root);
	return 0;
}

static void facts_zap(struct op_data *d, enum tdps_op op, struct tdps_op_end *e)
{
	bool all = op == TDPS_OP_ZAP_ALL;

	if (d->untold && tdps_wants(TDPS_Z1))
		tdps_violation(TDPS_Z1, &e->where,
			       "%s of gfn 0x%llx to 0x%llx, of which faults are not told",
			       tdps_op_name(op), d->start, d->end);
	/* else others may map behind the zap's back */
	if (tdps_wants(TDPS_Z1) && d->closed && e->where.lock != TDPS_LOCK_READ &&
	    e->where.lock != TDPS_LOCK_NONE)
		e->leafs_left = tdps_count_leafs(d->kvm, d->ctx, d->roots,
						 op != TDPS_OP_ZAP_LEAFS, d->as_id,
						 all ? 0 : d->start, all ? TDPS_LAST_GFN : d->end,
						 &e->left_gfn);
}

/*
 * Nobody maps behind a memslot that is marked invalid, so that no lock is needed: tables
 * go by RCU.
 */
static void facts_memslot(struct op_data *d, struct tdps_op_end *e)
{
	if (tdps_wants(TDPS_Z1))
		e->leafs_left = tdps_count_leafs(d->kvm, d->ctx, d->roots,
						 d->roots & TDPS_ROOTS_MIRROR, d->as_id,
						 d->start, d->end, &e->left_gfn);
}

static void facts_uninit(struct op_data *d, struct tdps_op_end *e)
{
	struct kvm_mmu_page *root;
	s64 tables = tdps_tables_counted(d->kvm);
	int i;

	list_for_each_entry(root, &d->kvm->arch.tdp_mmu_roots, link)
		e->roots_left++;
	for (i = 0; i < ARRAY_SIZE(d->kvm->stat.pages); i++)
		e->pages_left += atomic64_read(&d->kvm->stat.pages[i]);
	e->tables_left = tables < 0 ? 0 : tables;
}

static void op_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		    struct tdps_regs *regs, void *data)
{
	struct op_hook *h = container_of(fp, struct op_hook, fp);
	struct op_data *d = data;
	unsigned long ret = tdps_ret(regs);
	struct tdps_op_end e = {
		.where = {
			.vm = tdps_vm_id(d->kvm), .gfn = d->start,
			.lock = h->op == TDPS_OP_DESTROY ? TDPS_LOCK_UNKNOWN :
							   tdps_lock_of(d->kvm),
		},
		.bugged = d->kvm->vm_bugged,
	};

	switch (h->op) {
	case TDPS_OP_MAP:
		if ((int)ret == RET_PF_RETRY)
			e.verdict = TDPS_MAP_RETRY;
		else
			e.verdict = (int)ret < 0 ? TDPS_MAP_ERROR : TDPS_MAP_DONE;
		e.goal_level = d->fault->goal_level;
		break;
	case TDPS_OP_UNMAP:
	case TDPS_OP_ZAP_LEAFS:
	case TDPS_OP_ZAP_ALL:
		e.flush = (bool)(ret & 0xff);
		facts_zap(d, h->op, &e);
		break;
	case TDPS_OP_MEMSLOT:
		facts_memslot(d, &e);
		fallthrough;
	case TDPS_OP_NOTIFIER:
		e.tdr = tdps_tdr_of(d->kvm);
		e.shared_bits = kvm_gfn_direct_bits(d->kvm);
		break;
	case TDPS_OP_UNINIT:
		facts_uninit(d, &e);
		break;
	default:
		break;
	}
	tdps_calls_return(ret_ip);
	tdps_op_end(d->ctx, h->op, &e);
	tdps_calls_return(0);
	if (h->op == TDPS_OP_DESTROY) {
		tdps_hold_vm_gone(e.where.vm);
		tdps_fail_vm_gone(e.where.vm);
	}
	hold_op(TDP_STRESS_POINT_OP_END, h->op, &e.where, d->end);
}

/* --- flushes and kicks --- */

static int flush_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	struct kvm *kvm = (struct kvm *)ARG(regs, 0);
	struct tdps_where w = { .vm = tdps_vm_id(kvm), .gfn = TDPS_NO_GFN };

	if (!tdps_watched(kvm))
		return 0;
	w.lock = tdps_lock_of(kvm);
	tdps_hold(TDP_STRESS_POINT_FLUSH, 0, &w, 0);
	tdps_flush(w.vm, false);
	return 0;
}

static int kick_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct kvm *kvm = (struct kvm *)ARG(regs, 0);
	unsigned int req = ARG(regs, 1);

	if (!tdps_watched(kvm))
		return 0;
	if (req == KVM_REQ_OUTSIDE_GUEST_MODE)
		tdps_kick(tdps_vm_id(kvm));
	else if (req == KVM_REQ_TLB_FLUSH)
		tdps_flush(tdps_vm_id(kvm), true);
	return 0;
}

static int invalidate_end_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
				struct tdps_regs *regs, void *data)
{
	struct kvm *kvm = (struct kvm *)ARG(regs, 0);

	if (tdps_watched(kvm))
		tdps_invalidate_end(tdps_vm_id(kvm));
	return 0;
}

static int yield_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	rwlock_t *lock = (rwlock_t *)ARG(regs, 0);

	/* it may be anybody's lock: the number is compared with those of known VMs */
	tdps_yield(tdps_vm_id(container_of(lock, struct kvm, mmu_lock)));
	return 0;
}

struct mark_data {
	struct kvm *kvm;
	gfn_t gfn;
};

static_assert(sizeof(struct mark_data) <= TDPS_PROBE_DATA_MAX);

static int mark_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct mark_data *d = data;

	d->kvm = (struct kvm *)ARG(regs, 0);
	d->gfn = ARG(regs, 2);
	return tdps_watched(d->kvm) ? 0 : 1;
}

/* It is in the bitmap now; at the entry a harvest could still come before that. */
static void mark_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct mark_data *d = data;

	tdps_page_marked(tdps_vm_id(d->kvm), d->gfn);
}

static struct entry_hook {
	const char *symbol;
	fprobe_entry_cb fn;
	enum tdps_check loses;	/* the check that is not possible without */
	const char *why;	/* it is not */
	fprobe_exit_cb exit;
	size_t data_size;
	struct fprobe fp;
	bool hooked;
} entry_hooks[] = {
	{ "kvm_flush_remote_tlbs", flush_entry, TDPS_L1, "no symbol kvm_flush_remote_tlbs" },
	{ "kvm_make_all_cpus_request", kick_entry, TDPS_NO_CHECK },
	{ "mark_page_dirty_in_slot", mark_entry, TDPS_D1, "no symbol mark_page_dirty_in_slot",
	  mark_exit, sizeof(struct mark_data) },
	{ "kvm_mmu_invalidate_end", invalidate_end_entry, TDPS_NO_CHECK },
	{ "__cond_resched_rwlock_read", yield_entry, TDPS_NO_CHECK },
	{ "__cond_resched_rwlock_write", yield_entry, TDPS_NO_CHECK },
};

/* --- making and removing the probes --- */

static int hook_probes(void)
{
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(op_hooks) && !err; i++) {
		struct op_hook *h = &op_hooks[i];

		h->fp.entry_handler = op_entry;
		h->fp.exit_handler = op_exit;
		h->fp.entry_data_size = sizeof(struct op_data);
		err = hook_probe(&h->fp, h->symbol, h->need, &h->hooked);
	}
	for (i = 0; i < ARRAY_SIZE(entry_hooks) && !err; i++) {
		struct entry_hook *h = &entry_hooks[i];

		h->fp.entry_handler = h->fn;
		h->fp.exit_handler = h->exit;
		h->fp.entry_data_size = h->data_size;
		err = hook_probe(&h->fp, h->symbol, 0, &h->hooked);
		if (!h->hooked && h->loses != TDPS_NO_CHECK)
			tdps_not_possible(h->loses, h->why);
		if (h->fn == kick_entry)
			tdps_kicks_visible = h->hooked;
	}
	tdps_recover_zaps = TDPS_RECOVER_ZAPS;
	return err ?: tdps_seamcalls_hook();
}

static void unhook_probes(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(op_hooks); i++)
		unhook_probe(&op_hooks[i].fp, &op_hooks[i].hooked);
	for (i = 0; i < ARRAY_SIZE(entry_hooks); i++)
		unhook_probe(&entry_hooks[i].fp, &entry_hooks[i].hooked);
	tdps_seamcalls_unhook();
	/* a handler runs with preemption disabled */
	synchronize_rcu();
}

static const struct tdps_calls calls = {
	.here = tdps_calls_here, .site = tdps_calls_site, .str = tdps_calls_str,
};

/**
 * tdps_kvm_hook() - start watching
 *
 * Context: may sleep. After an error nothing is hooked.
 *
 * Return: 0 or -errno, the reason printed.
 */
int tdps_kvm_hook(void)
{
	int err = 0;

	if (!tdps_host_visible())
		tdps_not_possible(TDPS_H2, "no memory of a host's here");
	tdps_walk_open();
	tdps_tables = tdps_tell_tables;
	tdps_calls = &calls;
	/* the external backend's answers are wanted even if nobody watches */
	if (tdps_enabled) {
		err = hook_probes();
		if (!err)
			err = hook_traces();
	}
	if (err) {
		tdps_kvm_unhook();
		return err;
	}
	tdps_extops_hook();
	WRITE_ONCE(tdps_live, tdps_enabled);
	return 0;
}

/**
 * tdps_kvm_unhook() - stop watching
 *
 * Context: may sleep. On return no thread is in this module's code because of
 * a hook, TDs alive or not.
 */
void tdps_kvm_unhook(void)
{
	/* wait for judgements on what was still seen in full */
	WRITE_ONCE(tdps_live, false);
	synchronize_rcu();
	tdps_extops_unhook();
	unhook_traces();
	unhook_probes();
}
