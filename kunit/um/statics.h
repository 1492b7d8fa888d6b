/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Static functions of the tree's tdp_mmu.c, by the name um_<function>, for cases
 * that only UML can have. Locks and RCU are the caller's, as KVM's callers hold them.
 */
#ifndef TDP_STRESS_UM_STATICS_H
#define TDP_STRESS_UM_STATICS_H

#include "white.h"

int um___tdp_mmu_set_spte_atomic(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte);
int um_tdp_mmu_set_spte_atomic(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte);
u64 um_tdp_mmu_set_spte(struct kvm *kvm, tdp_ptep_t sptep, u64 old_spte, u64 new_spte,
			gfn_t gfn, int level);
void um_tdp_mmu_iter_set_spte(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte);
int um___handle_changed_spte(struct kvm *kvm, struct kvm_mmu_page *sp, gfn_t gfn,
			     u64 old_spte, u64 new_spte, int level, bool shared);
void um_handle_changed_spte(struct kvm *kvm, struct kvm_mmu_page *sp, gfn_t gfn,
			    u64 old_spte, u64 new_spte, int level, bool shared);
void um_handle_removed_pt(struct kvm *kvm, tdp_ptep_t pt, bool shared);
int um_tdp_mmu_link_sp(struct kvm *kvm, struct tdp_iter *iter, struct kvm_mmu_page *sp,
		       bool shared);
int um_tdp_mmu_split_huge_page(struct kvm *kvm, struct tdp_iter *iter,
			       struct kvm_mmu_page *sp, bool shared);
int um_tdp_mmu_split_huge_pages_root(struct kvm *kvm, struct kvm_mmu_page *root, gfn_t start,
				     gfn_t end, int target_level, bool shared);
struct kvm_mmu_page *um_tdp_mmu_alloc_sp(struct kvm_vcpu *vcpu);
void um_tdp_mmu_init_child_sp(struct kvm_mmu_page *child_sp, struct tdp_iter *iter);
void um_tdp_mmu_free_unused_sp(struct kvm_mmu_page *sp);
int um_tdp_mmu_map_handle_target_level(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
				       struct tdp_iter *iter);
bool um_tdp_mmu_iter_cond_resched(struct kvm *kvm, struct tdp_iter *iter, bool flush,
				  bool shared);
bool um_tdp_mmu_zap_leafs(struct kvm *kvm, struct kvm_mmu_page *root, gfn_t start, gfn_t end,
			  bool can_yield, bool flush);
void um_tdp_mmu_zap_root(struct kvm *kvm, struct kvm_mmu_page *root, bool shared);
void um_kvm_tdp_mmu_age_spte(struct kvm *kvm, struct tdp_iter *iter);
int um_tdp_mmu_make_huge_spte(struct kvm *kvm, struct tdp_iter *parent, u64 *huge_spte);
struct kvm_mmu_page *um_tdp_mmu_next_root(struct kvm *kvm, struct kvm_mmu_page *prev_root,
					  enum kvm_tdp_mmu_root_types types);

/* mmu.c's, cut out of it: a fault on a present entry, without mmu_lock. */
int um_fast_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);

/*
 * Let the @nth allocation that a split makes fail (1: the next), once. What mirror
 * tables need is one more than direct ones. 0: none.
 */
void um_fail_alloc(int nth);
/*
 * Call @fn at each allocation that a split makes, locks as KVM has them; true: it
 * fails. NULL: no longer.
 */
void um_watch_alloc(bool (*fn)(void *arg), void *arg);

/* Memory of struct kvm_mmu_page in use. */
s64 um_headers(void);
void *um_header_alloc(struct kmem_cache *cache, gfp_t gfp);
void um_header_free(struct kmem_cache *cache, void *header);

#endif
