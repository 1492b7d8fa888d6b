// SPDX-License-Identifier: GPL-2.0
/*
 * Wrappers of KVM's functions that can be probed: stress_<name>() is what those call
 * who would call <name>() in a kernel whose code can be patched. Functions that the
 * TDP MMU itself calls tell of it themselves (kvm.c).
 */
#include "kvm.h"

#define ARG(x)	((unsigned long)(x))

/* What _fn() returns, called with _args; the rest is what handlers see of these. */
#define PROBED(_type, _fn, _args, ...)					\
({									\
	struct um_call _call;						\
	_type _ret;							\
									\
	_call.regs = (struct tdps_regs) { .arg = { __VA_ARGS__ } };	\
	um_call_enter(&um_probed[STRESS_##_fn], &_call);		\
	_ret = _fn _args;						\
	_call.regs.ret = ARG(_ret);					\
	um_call_leave(&um_probed[STRESS_##_fn], &_call);		\
	_ret;								\
})

#define PROBED_VOID(_fn, _args, ...)					\
do {									\
	struct um_call _call;						\
									\
	_call.regs = (struct tdps_regs) { .arg = { __VA_ARGS__ } };	\
	um_call_enter(&um_probed[STRESS_##_fn], &_call);		\
	_fn _args;							\
	um_call_leave(&um_probed[STRESS_##_fn], &_call);		\
} while (0)

int stress_kvm_tdp_mmu_map(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return PROBED(int, kvm_tdp_mmu_map, (vcpu, fault), ARG(vcpu), ARG(fault));
}

bool stress_kvm_tdp_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range, bool flush)
{
	return PROBED(bool, kvm_tdp_mmu_unmap_gfn_range, (kvm, range, flush), ARG(kvm), ARG(range),
		      flush);
}

bool stress_kvm_tdp_mmu_zap_leafs(struct kvm *kvm, gfn_t start, gfn_t end, bool flush)
{
	return PROBED(bool, kvm_tdp_mmu_zap_leafs, (kvm, start, end, flush), ARG(kvm), start, end,
		      flush);
}

void stress_kvm_tdp_mmu_zap_all(struct kvm *kvm)
{
	PROBED_VOID(kvm_tdp_mmu_zap_all, (kvm), ARG(kvm));
}

void stress_kvm_tdp_mmu_zap_invalidated_roots(struct kvm *kvm, bool shared)
{
	PROBED_VOID(kvm_tdp_mmu_zap_invalidated_roots, (kvm, shared), ARG(kvm), shared);
}

bool stress_kvm_tdp_mmu_zap_possible_nx_huge_page(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	return PROBED(bool, kvm_tdp_mmu_zap_possible_nx_huge_page, (kvm, sp), ARG(kvm), ARG(sp));
}

void stress_kvm_tdp_mmu_invalidate_roots(struct kvm *kvm, enum kvm_tdp_mmu_root_types types)
{
	PROBED_VOID(kvm_tdp_mmu_invalidate_roots, (kvm, types), ARG(kvm), types);
}

void stress_kvm_tdp_mmu_try_split_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot,
					     gfn_t start, gfn_t end, int level, bool shared)
{
	PROBED_VOID(kvm_tdp_mmu_try_split_huge_pages, (kvm, slot, start, end, level, shared),
		    ARG(kvm), ARG(slot), start, end, level, shared);
}

bool stress_kvm_tdp_mmu_age_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return PROBED(bool, kvm_tdp_mmu_age_gfn_range, (kvm, range), ARG(kvm), ARG(range));
}

bool stress_kvm_tdp_mmu_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return PROBED(bool, kvm_tdp_mmu_test_age_gfn, (kvm, range), ARG(kvm), ARG(range));
}

bool stress_kvm_tdp_mmu_wrprot_slot(struct kvm *kvm, const struct kvm_memory_slot *slot, int level)
{
	return PROBED(bool, kvm_tdp_mmu_wrprot_slot, (kvm, slot, level), ARG(kvm), ARG(slot),
		      level);
}

bool stress_kvm_tdp_mmu_write_protect_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
					  int level)
{
	return PROBED(bool, kvm_tdp_mmu_write_protect_gfn, (kvm, slot, gfn, level), ARG(kvm),
		      ARG(slot), gfn, level);
}

void stress_kvm_tdp_mmu_clear_dirty_slot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	PROBED_VOID(kvm_tdp_mmu_clear_dirty_slot, (kvm, slot), ARG(kvm), ARG(slot));
}

void stress_kvm_tdp_mmu_clear_dirty_pt_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
					      gfn_t gfn, unsigned long mask, bool wrprot)
{
	PROBED_VOID(kvm_tdp_mmu_clear_dirty_pt_masked, (kvm, slot, gfn, mask, wrprot), ARG(kvm),
		    ARG(slot), gfn, mask, wrprot);
}

int stress_kvm_tdp_mmu_get_walk(struct kvm_vcpu *vcpu, u64 addr, u64 *sptes, int *root_level)
{
	return PROBED(int, kvm_tdp_mmu_get_walk, (vcpu, addr, sptes, root_level), ARG(vcpu), addr,
		      ARG(sptes), ARG(root_level));
}

u64 *stress_kvm_tdp_mmu_fast_pf_get_last_sptep(struct kvm_vcpu *vcpu, gfn_t gfn, u64 *spte)
{
	return PROBED(u64 *, kvm_tdp_mmu_fast_pf_get_last_sptep, (vcpu, gfn, spte), ARG(vcpu), gfn,
		      ARG(spte));
}

void stress_kvm_tdp_mmu_alloc_root(struct kvm_vcpu *vcpu, bool mirror)
{
	PROBED_VOID(kvm_tdp_mmu_alloc_root, (vcpu, mirror), ARG(vcpu), mirror);
}

void stress_kvm_mmu_uninit_tdp_mmu(struct kvm *kvm)
{
	PROBED_VOID(kvm_mmu_uninit_tdp_mmu, (kvm), ARG(kvm));
}

void stress_kvm_arch_flush_shadow_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	PROBED_VOID(kvm_arch_flush_shadow_memslot, (kvm, slot), ARG(kvm), ARG(slot));
}

bool stress_kvm_arch_pre_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return PROBED(bool, kvm_arch_pre_set_memory_attributes, (kvm, range), ARG(kvm), ARG(range));
}

void stress_kvm_arch_destroy_vm(struct kvm *kvm)
{
	PROBED_VOID(kvm_arch_destroy_vm, (kvm), ARG(kvm));
}

int stress_kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
						   const struct mmu_notifier_range *range)
{
	return PROBED(int, kvm_mmu_notifier_invalidate_range_start, (mn, range), ARG(mn),
		      ARG(range));
}

void stress_kvm_mmu_invalidate_end(struct kvm *kvm)
{
	PROBED_VOID(kvm_mmu_invalidate_end, (kvm), ARG(kvm));
}

#define WRAPPED(_fn)	{ #_fn, stress_##_fn }
#define TELLS(_fn)	{ #_fn, _fn }

struct um_probed um_probed[] = {
	/* white.c tells of this one, and takes it for the first */
	[STRESS_kvm_tdp_mmu_recover_huge_pages] = TELLS(kvm_tdp_mmu_recover_huge_pages),
	[STRESS_kvm_tdp_mmu_map] = WRAPPED(kvm_tdp_mmu_map),
	[STRESS_kvm_tdp_mmu_unmap_gfn_range] = WRAPPED(kvm_tdp_mmu_unmap_gfn_range),
	[STRESS_kvm_tdp_mmu_zap_leafs] = WRAPPED(kvm_tdp_mmu_zap_leafs),
	[STRESS_kvm_tdp_mmu_zap_all] = WRAPPED(kvm_tdp_mmu_zap_all),
	[STRESS_kvm_tdp_mmu_zap_invalidated_roots] = WRAPPED(kvm_tdp_mmu_zap_invalidated_roots),
	[STRESS_kvm_tdp_mmu_zap_possible_nx_huge_page] =
		WRAPPED(kvm_tdp_mmu_zap_possible_nx_huge_page),
	[STRESS_kvm_tdp_mmu_invalidate_roots] = WRAPPED(kvm_tdp_mmu_invalidate_roots),
	[STRESS_kvm_tdp_mmu_try_split_huge_pages] = WRAPPED(kvm_tdp_mmu_try_split_huge_pages),
	[STRESS_kvm_tdp_mmu_age_gfn_range] = WRAPPED(kvm_tdp_mmu_age_gfn_range),
	[STRESS_kvm_tdp_mmu_test_age_gfn] = WRAPPED(kvm_tdp_mmu_test_age_gfn),
	[STRESS_kvm_tdp_mmu_wrprot_slot] = WRAPPED(kvm_tdp_mmu_wrprot_slot),
	[STRESS_kvm_tdp_mmu_write_protect_gfn] = WRAPPED(kvm_tdp_mmu_write_protect_gfn),
	[STRESS_kvm_tdp_mmu_clear_dirty_slot] = WRAPPED(kvm_tdp_mmu_clear_dirty_slot),
	[STRESS_kvm_tdp_mmu_clear_dirty_pt_masked] = WRAPPED(kvm_tdp_mmu_clear_dirty_pt_masked),
	[STRESS_kvm_tdp_mmu_get_walk] = WRAPPED(kvm_tdp_mmu_get_walk),
	[STRESS_kvm_tdp_mmu_fast_pf_get_last_sptep] = WRAPPED(kvm_tdp_mmu_fast_pf_get_last_sptep),
	[STRESS_kvm_tdp_mmu_alloc_root] = WRAPPED(kvm_tdp_mmu_alloc_root),
	[STRESS_kvm_mmu_uninit_tdp_mmu] = WRAPPED(kvm_mmu_uninit_tdp_mmu),
	[STRESS_kvm_arch_flush_shadow_memslot] = WRAPPED(kvm_arch_flush_shadow_memslot),
	[STRESS_kvm_arch_pre_set_memory_attributes] = WRAPPED(kvm_arch_pre_set_memory_attributes),
	[STRESS_kvm_arch_destroy_vm] = WRAPPED(kvm_arch_destroy_vm),
	[STRESS_kvm_mmu_notifier_invalidate_range_start] =
		WRAPPED(kvm_mmu_notifier_invalidate_range_start),
	[STRESS_kvm_mmu_invalidate_end] = WRAPPED(kvm_mmu_invalidate_end),
	[STRESS_kvm_flush_remote_tlbs] = TELLS(kvm_flush_remote_tlbs),
	[STRESS_kvm_make_all_cpus_request] = TELLS(kvm_make_all_cpus_request),
	[STRESS_mark_page_dirty_in_slot] = TELLS(mark_page_dirty_in_slot),
	/* of no address: point.c tells of them */
	[STRESS_yield_read] = { "__cond_resched_rwlock_read", &um_probed[STRESS_yield_read] },
	[STRESS_yield_write] = { "__cond_resched_rwlock_write", &um_probed[STRESS_yield_write] },
};

const int um_nr_probed = ARRAY_SIZE(um_probed);
