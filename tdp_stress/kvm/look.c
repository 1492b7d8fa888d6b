// SPDX-License-Identifier: GPL-2.0
/*
 * TDP_STRESS_WALK: both tables of a GFN range, entry by entry. Changes nothing, judges
 * nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/slab.h>
#include <linux/uaccess.h>

#include "../core/view.h"
#include "insight.h"
#include "user_vm.h"

#define WALK_FLAGS	(TDP_STRESS_WALK_ABSENT | TDP_STRESS_WALK_LEAFS)
#define WALK_ROOTS	(TDP_STRESS_ROOTS_DIRECT | TDP_STRESS_ROOTS_MIRROR)

/**
 * struct look - a walk for user space
 * @kvm: VM
 * @w: what is wanted; @filled and @total count
 * @to: room for @w->max entries
 * @root: the root at hand
 * @number: its number
 * @tdr: TDR page of the TD; 0: external entries cannot be read
 */
struct look {
	struct kvm *kvm;
	struct tdp_stress_walk *w;
	struct tdp_stress_entry *to;
	struct kvm_mmu_page *root;
	u32 number;
	u64 tdr;
};

static u32 ext_state(u8 state)
{
	switch (state) {
	case SEPT_FREE:
	case SEPT_REMOVED:
		return TDP_STRESS_EXT_FREE;
	case SEPT_NL_MAPPED:
		return TDP_STRESS_EXT_TABLE;
	case SEPT_MAPPED:
		return TDP_STRESS_EXT_MAPPED;
	case SEPT_PENDING:
		return TDP_STRESS_EXT_PENDING;
	case SEPT_BLOCKED:
	case SEPT_PENDING_BLOCKED:
	case SEPT_NL_BLOCKED:
		return TDP_STRESS_EXT_BLOCKED;
	default:
		return TDP_STRESS_EXT_OTHER;
	}
}

/* The external entry in the place of a mirror one. */
static void look_outside(const struct look *l, struct tdp_stress_entry *e)
{
	u8 state = SEPT_FREE;
	u64 pa = 0;

	if (e->roots != TDP_STRESS_ROOTS_MIRROR || !l->tdr || l->root->role.invalid)
		return;
	if (tdps_view->sept_read(l->tdr, e->gfn << PAGE_SHIFT, e->level - 1, &pa, &state))
		state = SEPT_FREE;
	e->ext_state = ext_state(state);
	if (e->ext_state != TDP_STRESS_EXT_FREE)
		e->ext_pfn = pa >> PAGE_SHIFT;
}

static u32 state_of(const struct tdps_spte *s)
{
	if (s->frozen)
		return TDP_STRESS_SPTE_FROZEN;
	if (s->present)
		return s->leaf ? TDP_STRESS_SPTE_LEAF : TDP_STRESS_SPTE_TABLE;
	return s->mmio ? TDP_STRESS_SPTE_MMIO : TDP_STRESS_SPTE_ABSENT;
}

static void fill_in(const struct look *l, struct tdp_stress_entry *e, const struct tdps_spte *s,
		    gfn_t gfn, int level)
{
	*e = (struct tdp_stress_entry) {
		.gfn = gfn & ~kvm_gfn_direct_bits(l->kvm),
		.spte = s->raw,
		.pfn = s->pfn,
		.roots = is_mirror_sp(l->root) ? TDP_STRESS_ROOTS_MIRROR :
						 TDP_STRESS_ROOTS_DIRECT,
		.root = l->number,
		.level = level,
		.state = state_of(s),
	};
	if (l->root->role.invalid)
		e->flags |= TDP_STRESS_ENTRY_INVALID_ROOT;
	if (s->leaf && s->raw & PT_WRITABLE_MASK)
		e->flags |= TDP_STRESS_ENTRY_WRITABLE;
	if (s->leaf && tdps_is_accessed(s->raw))
		e->flags |= TDP_STRESS_ENTRY_ACCESSED;
	if (s->dirty)
		e->flags |= TDP_STRESS_ENTRY_DIRTY;
	look_outside(l, e);
}

static bool on_entry(struct tdps_walk *walk, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct look *l = walk->arg;
	struct tdp_stress_walk *w = l->w;
	struct tdps_spte s;
	u32 state;

	tdps_decode(l->kvm, raw, level, &s);
	state = state_of(&s);
	if ((state == TDP_STRESS_SPTE_TABLE && w->flags & TDP_STRESS_WALK_LEAFS) ||
	    (state == TDP_STRESS_SPTE_ABSENT && !(w->flags & TDP_STRESS_WALK_ABSENT)))
		return true;
	w->total++;
	if (w->filled < w->max)
		fill_in(l, &l->to[w->filled++], &s, gfn, level);
	return true;
}

/* mmu_lock held for write: nothing changes, and the S-EPT has the tables that we walk. */
static void look_at_roots(struct look *l)
{
	gfn_t bits = kvm_gfn_direct_bits(l->kvm);
	struct kvm_mmu_page *root;

	list_for_each_entry(root, &l->kvm->arch.tdp_mmu_roots, link) {
		bool mirror = is_mirror_sp(root);
		struct tdps_walk walk = {
			.root = root,
			.first = l->w->gfn | (mirror ? 0 : bits),
			.last = (l->w->gfn + l->w->nr - 1) | (mirror ? 0 : bits),
			.absent_too = l->w->flags & TDP_STRESS_WALK_ABSENT,
			.fn = on_entry,
			.arg = l,
		};

		l->root = root;
		if (l->w->roots & (mirror ? TDP_STRESS_ROOTS_MIRROR : TDP_STRESS_ROOTS_DIRECT))
			tdps_walk(&walk);
		l->number++;
	}
}

static int look(struct kvm *kvm, struct tdp_stress_walk *w)
{
	struct look l = { .kvm = kvm, .w = w };
	int err = 0;

	w->max = min(w->max, USER_MAX_WALK);
	w->filled = 0;
	w->total = 0;
	l.to = kvcalloc(w->max ?: 1, sizeof(*l.to), GFP_KERNEL_ACCOUNT);
	if (!l.to)
		return -ENOMEM;
	scoped_guard(write_lock, &kvm->mmu_lock) {
		if (tdps_view && tdps_has_hkid(kvm))
			l.tdr = tdps_tdr_of(kvm);
		look_at_roots(&l);
	}
	if (copy_to_user(u64_to_user_ptr(w->entries), l.to, w->filled * sizeof(*l.to)))
		err = -EFAULT;
	kvfree(l.to);
	return err;
}

/**
 * tdps_user_walk() - what do the tables say?
 * @u: the open file
 * @arg: struct tdp_stress_walk
 *
 * Context: may sleep.
 *
 * Return: 0 or -errno.
 */
long tdps_user_walk(struct tdps_user *u, void *arg)
{
	struct tdp_stress_walk *w = arg;
	u32 max = w->max;
	struct file *file;
	struct kvm *kvm;
	int err;

	if (w->flags & ~WALK_FLAGS || !w->roots || w->roots & ~WALK_ROOTS) {
		tdps_user_err("walk: flags 0x%x must be of 0x%x, roots 0x%x one or both of 0x%x",
			      w->flags, (u32)WALK_FLAGS, w->roots, (u32)WALK_ROOTS);
		return -EINVAL;
	}
	file = user_get_vm(w->vm_fd, &kvm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = user_bad_range(kvm, w->gfn, w->nr);
	if (!err)
		err = look(kvm, w);
	w->max = max;
	fput(file);
	return err;
}
