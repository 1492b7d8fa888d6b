// SPDX-License-Identifier: GPL-2.0
/*
 * Both tables of a GFN, put into words beside a violation: the way down in KVM's own
 * tables, and what the TDX module has in the place of each mirror entry. Changes
 * nothing, judges nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "../core/view.h"
#include "insight.h"

#define ROOTS_SHOWN	4

static const char *kind_of(const struct tdps_spte *s)
{
	if (s->frozen)
		return "frozen";
	if (s->present)
		return s->leaf ? "leaf" : "table";
	return s->mmio ? "mmio" : "absent";
}

/* ", external MAPPED 0x18f3000"; false: the S-EPT has no table of that level there. */
static bool say_external(u64 tdr, gfn_t gfn, int level, char *buf, size_t size)
{
	u8 state;
	u64 pa;

	if (tdps_view->sept_read(tdr, gfn_to_gpa(gfn), level - 1, &pa, &state)) {
		scnprintf(buf, size, ", external nothing");
		return false;
	}
	scnprintf(buf, size, ", external %s 0x%llx", tdxm_sept_state_name(state), pa);
	return true;
}

/* @tdr: 0: there is nothing beside this root, or nobody to ask. */
static void tell_root(struct kvm *kvm, const struct kvm_mmu_page *root, gfn_t gfn, u64 tdr)
{
	gfn_t at = gfn | (is_mirror_sp(root) ? 0 : kvm_gfn_direct_bits(kvm));
	const char *name = is_mirror_sp(root) ? "mirror" : "direct";
	char outside[64] = "", inside[48];
	u64 *table = root->spt;
	bool more = true;
	int level;

	for (level = root->role.level; level && more; level--) {
		struct tdps_spte s = {};

		if (table)
			tdps_decode(kvm, READ_ONCE(table[SPTE_INDEX(gfn_to_gpa(at), level)]),
				    level, &s);
		if (table)
			scnprintf(inside, sizeof(inside), "%s 0x%llx", kind_of(&s), s.raw);
		else
			scnprintf(inside, sizeof(inside), "nothing");
		table = s.present && !s.leaf ? __va(s.pfn << PAGE_SHIFT) : NULL;
		/* of two ways down, the longer one is worth seeing */
		more = tdr && say_external(tdr, gfn, level, outside, sizeof(outside));
		more = more || table;
		pr_err("  gfn 0x%llx level %d now: %s%s %s%s\n", gfn, level,
		       root->role.invalid ? "invalid " : "", name, inside, outside);
	}
}

static void tell_roots(struct kvm *kvm, gfn_t gfn, u64 tdr, bool mirror)
{
	struct kvm_mmu_page *root;
	int left = ROOTS_SHOWN;

	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link,
				rcu_read_lock_held() || lockdep_is_held(&kvm->mmu_lock)) {
		if (is_mirror_sp(root) == mirror && left-- > 0)
			tell_root(kvm, root, gfn, mirror && !root->role.invalid ? tdr : 0);
	}
}

/**
 * tdps_tell_tables() - print what both tables have on the way to a GFN
 * @w: the place; its VM is alive, as the current thread is at work on it
 *
 * Only where the current thread holds mmu_lock: so the TD's tables stay.
 *
 * Context: any task context in which printk() may be called.
 */
void tdps_tell_tables(const struct tdps_where *w)
{
	struct kvm *kvm = tdps_id_vm(w->vm);
	enum tdps_lock lock;
	gfn_t gfn;
	u64 tdr;

	if (!kvm)
		return;
	lock = tdps_lock_of(kvm);
	if (lock != TDPS_LOCK_READ && lock != TDPS_LOCK_WRITE)
		return;
	gfn = w->gfn & ~kvm_gfn_direct_bits(kvm);
	tdr = tdps_view && tdps_has_hkid(kvm) ? tdps_tdr_of(kvm) : 0;
	guard(rcu)();
	tell_roots(kvm, gfn, tdr, true);
	tell_roots(kvm, gfn, tdr, false);
}
