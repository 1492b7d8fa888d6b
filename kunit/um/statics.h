/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Static functions of the tree's tdp_mmu.c, by the name um_<function>, for cases
 * that only UML can have. Locks and RCU are the caller's, as KVM's callers hold them.
 */
#ifndef TDP_STRESS_UM_STATICS_H
#define TDP_STRESS_UM_STATICS_H

#include "white.h"

int um_tdp_mmu_set_spte_atomic(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte);
u64 um_tdp_mmu_set_spte(struct kvm *kvm, tdp_ptep_t sptep, u64 old_spte, u64 new_spte,
			gfn_t gfn, int level);
void um_tdp_mmu_iter_set_spte(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte);
int um___handle_changed_spte(struct kvm *kvm, struct kvm_mmu_page *sp, gfn_t gfn,
			     u64 old_spte, u64 new_spte, int level, bool shared);
int um_tdp_mmu_split_huge_page(struct kvm *kvm, struct tdp_iter *iter,
			       struct kvm_mmu_page *sp, bool shared);
struct kvm_mmu_page *um_tdp_mmu_alloc_sp(struct kvm_vcpu *vcpu);
void um_tdp_mmu_init_child_sp(struct kvm_mmu_page *child_sp, struct tdp_iter *iter);
void um_tdp_mmu_free_unused_sp(struct kvm_mmu_page *sp);

/*
 * mmu.c's, cut out of it: a fault on a present entry, without mmu_lock; one where no
 * memslot is; the look for the page that is to be mapped, and, mmu_lock held for read,
 * whether that page has been taken away meanwhile, or the root; after a conversion,
 * slots_lock and mmu_lock held for write; and what that has found out, is a part of a
 * huge page private and another not?
 */
int um_fast_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
int um_handle_noslot_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
int um_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
bool um_is_page_fault_stale(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
void um_post_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range);
bool um_mixed(struct kvm_memory_slot *slot, gfn_t gfn, int level);
/* KVM_PRE_FAULT_MEMORY of a page, of which @fault is each try; -EOPNOTSUPP: not in this KVM. */
int um_prefault(struct kvm_vcpu *vcpu, int (*fault)(struct kvm_vcpu *vcpu));
/*
 * A round of KVM's NX recovery worker: all tables that stand for an NX huge page; one
 * thread of a VM at a time. 0 or -ENOMEM.
 */
int um_recover_nx_huge_pages(struct kvm *kvm);

/*
 * Call @fn at each allocation that a split makes, locks as KVM has them; true: it
 * fails. NULL: no longer.
 */
void um_watch_alloc(bool (*fn)(void *arg), void *arg);

/* Watch this SPTE; what KVM says that it was before its last change. */
void um_watch_change(gfn_t gfn, int level);
u64 um_changed_from(void);

/* Memory of struct kvm_mmu_page in use. */
s64 um_headers(void);
void *um_header_alloc(struct kmem_cache *cache, gfp_t gfp);
void um_header_free(struct kmem_cache *cache, void *header);

#endif
