/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: the KVM that the stress tester finds in UML. The TDP MMU is
 * the tree's (white.c), as are the functions of mmu.c and kvm_main.c that have
 * neither host nor guest in them; what is left of KVM around them is kvm.c's.
 */
#ifndef TDP_STRESS_KUNIT_UM_STRESS_KVM_H
#define TDP_STRESS_KUNIT_UM_STRESS_KVM_H

#include <linux/kvm_host.h>
#include <linux/mmu_notifier.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_mmu.h"

#include "probed.h"

/* Functions that can be probed, as they are in um_probed[]. */
enum {
	STRESS_kvm_tdp_mmu_recover_huge_pages,
	STRESS_kvm_tdp_mmu_map,
	STRESS_kvm_tdp_mmu_unmap_gfn_range,
	STRESS_kvm_tdp_mmu_zap_leafs,
	STRESS_kvm_tdp_mmu_zap_all,
	STRESS_kvm_tdp_mmu_zap_invalidated_roots,
	STRESS_kvm_tdp_mmu_zap_possible_nx_huge_page,
	STRESS_kvm_tdp_mmu_invalidate_roots,
	STRESS_kvm_tdp_mmu_try_split_huge_pages,
	STRESS_kvm_tdp_mmu_age_gfn_range,
	STRESS_kvm_tdp_mmu_test_age_gfn,
	STRESS_kvm_tdp_mmu_wrprot_slot,
	STRESS_kvm_tdp_mmu_write_protect_gfn,
	STRESS_kvm_tdp_mmu_clear_dirty_slot,
	STRESS_kvm_tdp_mmu_clear_dirty_pt_masked,
	STRESS_kvm_tdp_mmu_get_walk,
	STRESS_kvm_tdp_mmu_fast_pf_get_last_sptep,
	STRESS_kvm_tdp_mmu_alloc_root,
	STRESS_kvm_mmu_uninit_tdp_mmu,
	STRESS_kvm_arch_flush_shadow_memslot,
	STRESS_kvm_arch_pre_set_memory_attributes,
	STRESS_kvm_arch_destroy_vm,
	STRESS_kvm_mmu_notifier_invalidate_range_start,
	STRESS_kvm_mmu_invalidate_end,
	STRESS_kvm_flush_remote_tlbs,
	STRESS_kvm_make_all_cpus_request,
	STRESS_mark_page_dirty_in_slot,
	STRESS_yield_read,
	STRESS_yield_write,
};

int stress_kvm_tdp_mmu_map(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
bool stress_kvm_tdp_mmu_unmap_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range, bool flush);
bool stress_kvm_tdp_mmu_zap_leafs(struct kvm *kvm, gfn_t start, gfn_t end, bool flush);
void stress_kvm_tdp_mmu_zap_all(struct kvm *kvm);
void stress_kvm_tdp_mmu_zap_invalidated_roots(struct kvm *kvm, bool shared);
bool stress_kvm_tdp_mmu_zap_possible_nx_huge_page(struct kvm *kvm, struct kvm_mmu_page *sp);
void stress_kvm_tdp_mmu_invalidate_roots(struct kvm *kvm, enum kvm_tdp_mmu_root_types types);
void stress_kvm_tdp_mmu_try_split_huge_pages(struct kvm *kvm, const struct kvm_memory_slot *slot,
					     gfn_t start, gfn_t end, int level, bool shared);
bool stress_kvm_tdp_mmu_age_gfn_range(struct kvm *kvm, struct kvm_gfn_range *range);
bool stress_kvm_tdp_mmu_test_age_gfn(struct kvm *kvm, struct kvm_gfn_range *range);
bool stress_kvm_tdp_mmu_wrprot_slot(struct kvm *kvm, const struct kvm_memory_slot *slot, int level);
bool stress_kvm_tdp_mmu_write_protect_gfn(struct kvm *kvm, struct kvm_memory_slot *slot, gfn_t gfn,
					  int level);
void stress_kvm_tdp_mmu_clear_dirty_slot(struct kvm *kvm, const struct kvm_memory_slot *slot);
void stress_kvm_tdp_mmu_clear_dirty_pt_masked(struct kvm *kvm, struct kvm_memory_slot *slot,
					      gfn_t gfn, unsigned long mask, bool wrprot);
int stress_kvm_tdp_mmu_get_walk(struct kvm_vcpu *vcpu, u64 addr, u64 *sptes, int *root_level);
u64 *stress_kvm_tdp_mmu_fast_pf_get_last_sptep(struct kvm_vcpu *vcpu, gfn_t gfn, u64 *spte);
void stress_kvm_tdp_mmu_alloc_root(struct kvm_vcpu *vcpu, bool mirror);
void stress_kvm_mmu_uninit_tdp_mmu(struct kvm *kvm);
void stress_kvm_arch_flush_shadow_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);
bool stress_kvm_arch_pre_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range);
void stress_kvm_arch_destroy_vm(struct kvm *kvm);
int stress_kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
						   const struct mmu_notifier_range *range);
void stress_kvm_mmu_invalidate_end(struct kvm *kvm);

bool kvm_nx_huge_page_recovery_worker(void *data);
void kvm_arch_flush_shadow_memslot(struct kvm *kvm, struct kvm_memory_slot *slot);
bool kvm_arch_pre_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range);
void kvm_arch_destroy_vm(struct kvm *kvm);
int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					    const struct mmu_notifier_range *range);

/*
 * A VM and its vCPUs, as kvm_create_vm(), kvm_vm_ioctl_create_vcpu() and
 * kvm_destroy_vm() make and end them. All may sleep; ERR_PTR() or -errno.
 */
struct kvm *stress_create_vm(void);
struct kvm_vcpu *stress_create_vcpu(struct kvm *kvm, int id);
void stress_destroy_vm(struct kvm *kvm);

/**
 * struct stress_memory - what is behind a memslot
 * @id: number of the slot
 * @gfn: first GFN
 * @pages: pages, 0: there is no such slot
 * @pfn: their page frames, one after the other, from this on: nobody's memory
 * @other_pfn: distance to other frames, which take turns with the first
 * @other: pages that have the other frame, a bit for each: as many for shared memory,
 *	then for guest_memfd; NULL: none ever
 * @private: pages that attributes say are private, likewise
 * @host_level: how large the host maps them
 * @flags: KVM_MEM_*
 */
struct stress_memory {
	u32 id;
	gfn_t gfn;
	u64 pages;
	u64 pfn;
	u64 other_pfn;
	unsigned long *other;
	unsigned long *private;
	int host_level;
	u32 flags;
};

int stress_set_slot(struct kvm *kvm, const struct stress_memory *mem);
int stress_discard(struct kvm *kvm, u32 id, gfn_t gfn, u64 nr);
int stress_convert(struct kvm *kvm, gfn_t gfn, u64 nr, bool private);
int stress_punch(struct kvm *kvm, gfn_t gfn, u64 nr);

#endif
