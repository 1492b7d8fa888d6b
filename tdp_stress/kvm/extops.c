// SPDX-License-Identifier: GPL-2.0
/*
 * External operations: KVM's static calls for mirror roots and for a VM's end,
 * turned into facts and, for VMs of ours, handed to the backend. Judges nothing.
 * Built where KVM has mirror roots.
 */
#include <linux/delay.h>
#include <linux/rcupdate.h>

#include "chain.h"
#include "external.h"
#include "fail.h"
#include "hold.h"
#include "insight.h"
#include "kvm.h"
#include "point.h"

/* Threads inside the hooks: entered minus left, summed over all CPUs. */
static DEFINE_PER_CPU(unsigned long, hooks_entered);
static DEFINE_PER_CPU(unsigned long, hooks_left);

static enum tdps_extop_kind kind_of(u64 old_spte, u64 new_spte, int level)
{
	bool was = is_shadow_present_pte(old_spte), is = is_shadow_present_pte(new_spte);

	bool was_leaf = was && is_last_spte(old_spte, level);
	bool is_leaf = is && is_last_spte(new_spte, level);

	if (!was && is)
		return is_leaf ? TDPS_EXT_MAP : TDPS_EXT_LINK;
	if (was_leaf && !is)
		return TDPS_EXT_REMOVE;
	if (was_leaf && !is_leaf)
		return TDPS_EXT_SPLIT;
	if (was && !was_leaf && is_leaf)
		return TDPS_EXT_PROMOTE;
	return TDPS_EXT_OTHER;
}

/* VMs of ours are the backend's; all others are answered as without this module. */
static int answer_set(const struct tdps_set_args *a)
{
	if (tdps_external_owns(a->kvm))
		return tdps_external_set_spte(a->kvm, a->gfn, a->old_spte, a->new_spte, a->level);
	return tdps_chain_set_external_spte(a);
}

static void answer_free(const struct tdps_free_args *a)
{
	if (tdps_external_owns(a->kvm))
		tdps_external_free_spt(a->kvm, a->sp);
	else
		tdps_chain_free_external_spt(a);
}

static void look_at_extop(struct kvm *kvm, struct tdps_extop *x, struct tdps_place *at)
{
	tdps_look_at(kvm, x->where.gfn, x->where.level, at);
	x->seen = at->seen;
	x->parent = at->parent;
	if (at->sptep) {
		x->root = (u64)(unsigned long)at->root;
		x->table = (u64)(unsigned long)at->sptep & PAGE_MASK;
	}
	if ((x->kind == TDPS_EXT_LINK || x->kind == TDPS_EXT_SPLIT) &&
	    tdps_external_spt(spte_to_child_sp(x->new_spte)))
		x->page = __pa(tdps_external_spt(spte_to_child_sp(x->new_spte)));
	else if (x->kind == TDPS_EXT_REMOVE)
		x->page = PFN_PHYS(spte_to_pfn(x->old_spte));
	else if (x->kind == TDPS_EXT_MAP)
		x->page = PFN_PHYS(spte_to_pfn(x->new_spte));
}

/* Stretch the window, so that others come into it. */
static void wait_before(const struct tdps_extop *x)
{
	if (x->kind == TDPS_EXT_FREE)
		tdps_point(TDPS_POINT_FREE);
	else if (x->where.lock == TDPS_LOCK_READ)
		tdps_point(TDPS_POINT_FROZEN);
	else if (x->kind == TDPS_EXT_REMOVE)
		tdps_point(TDPS_POINT_ZAP);
}

/*
 * Under mmu_lock held for read KVM takes a change back, unless a table goes with it.
 * Held for write it can do so if it has not changed the entry yet (VARIANT=mirror-split).
 */
static bool can_take_back(const struct tdps_place *at, u64 old_spte, u64 new_spte)
{
	u64 seen = at->sptep ? READ_ONCE(*at->sptep) : 0;

	return at->sptep && (seen == old_spte ||
			     (is_frozen_spte(seen) && !is_frozen_spte(new_spte)));
}

/* User space wants this one to fail; or what the backend says. */
static int fail_or_answer(const struct tdps_set_args *a, const struct tdps_extop *x,
			  const struct tdps_place *at)
{
	int err = tdps_fail(x->kind, x->where.vm);

	if (!err)
		return answer_set(a);
	tdps_say_injected("an external operation", err);
	if (!can_take_back(at, x->old_spte, x->new_spte)) {
		tdps_excuse(x->where.vm);
		tdps_external_break(a->kvm);
	}
	return err;
}

static int follow_set(const struct tdps_set_args *a)
{
	struct tdps_extop x = {
		.where = {
			.vm = tdps_vm_id(a->kvm), .gfn = a->gfn, .level = a->level,
			.lock = tdps_lock_of(a->kvm),
		},
		.kind = kind_of(a->old_spte, a->new_spte, a->level),
		.old_spte = a->old_spte,
		.new_spte = a->new_spte,
		.detached = is_frozen_spte(a->new_spte),
		.ours = tdps_external_owns(a->kvm),
		.bugged = a->kvm->vm_bugged,
	};
	bool merge = x.kind == TDPS_EXT_PROMOTE, shape = merge || x.kind == TDPS_EXT_SPLIT;
	struct tdps_split split = {
		.where = x.where, .merge = merge, .huge = merge ? a->new_spte : a->old_spte,
	};
	gfn_t end = a->gfn + KVM_PAGES_PER_HPAGE(a->level);
	struct tdps_place at;
	struct tdps_ctx *ctx;
	int ret;

	this_cpu_inc(hooks_entered);
	/* of KVM's own, as a rule: keeps the SPTE where it is */
	rcu_read_lock();
	look_at_extop(a->kvm, &x, &at);
	if (shape)
		tdps_examine_split(merge ? a->old_spte : a->new_spte, &split);
	ctx = tdps_extop_begin(&x);
	wait_before(&x);
	tdps_hold(TDP_STRESS_POINT_EXT_BEGIN, x.kind, &x.where, end);
	ret = fail_or_answer(a, &x, &at);
	tdps_hold(TDP_STRESS_POINT_EXT_END, x.kind, &x.where, end);
	if (x.where.lock == TDPS_LOCK_READ)
		tdps_point(TDPS_POINT_UNFREEZE);
	x.after = tdps_look_again(&at, a->level);
	tdps_extop_end(ctx, &x, ret);
	if (shape && !x.bugged) {
		split.ours = x.ours;
		split.ret = ret;
		tdps_split_seen(&split);
	}
	rcu_read_unlock();
	this_cpu_inc(hooks_left);
	return ret;
}

static int hook_set_external_spte(TDPS_SET_PARAMS)
{
	const struct tdps_set_args a = TDPS_SET_ARGS;

	return follow_set(&a);
}

#define KEPT	0x74647073	/* "tdps" */

/*
 * Is the page freed in between? Its owner has no use for page_private(), and whoever gets
 * the page next finds it 0.
 */
static void mark_kept(struct page *page)
{
	if (page)
		set_page_private(page, KEPT);
}

static bool is_kept(struct page *page)
{
	if (!page || !page_count(page))
		return false;
	/* the allocator clears the mark before it gives the page a reference */
	smp_rmb();
	if (page_private(page) != KEPT)
		return false;
	set_page_private(page, 0);
	return true;
}

static void follow_free(const struct tdps_free_args *a)
{
	struct kvm_mmu_page *sp = a->sp;
	struct tdps_extop x = {
		.where = {
			.vm = tdps_vm_id(a->kvm), .gfn = sp->gfn, .level = sp->role.level,
			.lock = tdps_lock_of(a->kvm),
		},
		.kind = TDPS_EXT_FREE,
		.page = sp->external_spt ? __pa(sp->external_spt) : 0,
		.table = (u64)(unsigned long)sp->spt,
		.ours = tdps_external_owns(a->kvm),
		.bugged = a->kvm->vm_bugged,
	};
	/* the backend frees its pages later than that */
	struct page *page = x.page && !x.ours ? virt_to_page(sp->external_spt) : NULL;
	gfn_t end = sp->gfn + KVM_PAGES_PER_HPAGE(sp->role.level + 1);
	struct tdps_ctx *ctx;
	u64 parent;
	int i;

	this_cpu_inc(hooks_entered);
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
		x.children += is_shadow_present_pte(READ_ONCE(sp->spt[i]));
	/* the parent table is freed after a grace period at the earliest */
	rcu_read_lock();
	parent = sp->ptep ? READ_ONCE(*rcu_dereference(sp->ptep)) : 0;
	x.linked = is_shadow_present_pte(parent) && spte_to_child_sp(parent) == sp;
	rcu_read_unlock();

	ctx = tdps_extop_begin(&x);
	wait_before(&x);
	tdps_hold(TDP_STRESS_POINT_EXT_BEGIN, x.kind, &x.where, end);
	mark_kept(page);
	answer_free(a);
	/* what could not be reclaimed is left to nobody, on purpose */
	x.kept = is_kept(page) && !a->kvm->vm_bugged;
	tdps_hold(TDP_STRESS_POINT_EXT_END, x.kind, &x.where, end);
	tdps_extop_end(ctx, &x, 0);
	this_cpu_inc(hooks_left);
}

static void hook_free_external_spt(TDPS_FREE_PARAMS)
{
	const struct tdps_free_args a = TDPS_FREE_ARGS;

	follow_free(&a);
}

/*
 * KVM's two calls at a VM's end: the first while vCPUs and tables are still
 * there, the second when both have gone. Nobody else uses the VM any more.
 */
static void hook_vm_pre_destroy(struct kvm *kvm)
{
	this_cpu_inc(hooks_entered);
	if (tdps_external_owns(kvm))
		tdps_external_pre_destroy(kvm);
	tdps_chain_vm_pre_destroy(kvm);
	this_cpu_inc(hooks_left);
}

static void hook_vm_destroy(struct kvm *kvm)
{
	this_cpu_inc(hooks_entered);
	if (tdps_external_owns(kvm))
		tdps_external_destroy(kvm);
	tdps_hold_vm_gone(tdps_vm_id(kvm));
	tdps_fail_vm_gone(tdps_vm_id(kvm));
	tdps_chain_vm_destroy(kvm);
	this_cpu_inc(hooks_left);
}

/* The ends of VMs are of interest where they are the backend's. */
static bool hooks_ends(void)
{
	return tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL;
}

/**
 * tdps_extops_hook() - answer KVM's external operations, or follow them
 *
 * Context: may sleep; KVM has been found.
 */
void tdps_extops_hook(void)
{
	static const struct tdps_chain hooks = {
		.set_external_spte = hook_set_external_spte,
		.free_external_spt = hook_free_external_spt,
		.vm_pre_destroy = hook_vm_pre_destroy,
		.vm_destroy = hook_vm_destroy,
	};

	tdps_chain_hook(&hooks, hooks_ends());
}

static bool hooks_busy(void)
{
	unsigned long n = 0;
	int cpu;

	/* left before entered: a thread in between is seen as busy */
	for_each_possible_cpu(cpu)
		n -= READ_ONCE(*per_cpu_ptr(&hooks_left, cpu));
	/* who is counted as left has been counted as entered */
	smp_rmb();
	for_each_possible_cpu(cpu)
		n += READ_ONCE(*per_cpu_ptr(&hooks_entered, cpu));
	return n;
}

/**
 * tdps_extops_unhook() - put KVM's own back
 *
 * Context: may sleep. On return no thread is in these hooks.
 */
void tdps_extops_unhook(void)
{
	if (!tdps_chain_unhook())
		return;
	/*
	 * KVM changes its tables in an RCU read section: after a grace period
	 * nobody is on the way into those hooks. The ends of a VM may sleep and
	 * be preempted on the first and last instructions of a hook, where the
	 * count does not see them: wait for all tasks, too.
	 */
	synchronize_rcu();
	while (hooks_busy())
		msleep(20);
	if (hooks_ends())
		synchronize_rcu_tasks();
}
