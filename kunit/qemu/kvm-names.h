/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What suites may use of KVM's and kvm.ko does not export: a list, included as often
 * as names.c does something with each, like <asm/kvm-x86-ops.h>. What is not given a
 * meaning is left out.
 */
#ifndef KVM_FUNCTION
#define KVM_FUNCTION(name) struct name
#endif
#ifndef KVM_VARIABLE
#define KVM_VARIABLE(type, name) struct name
#endif

/* tdp_mmu.c, tdp_iter.c, spte.c */
KVM_FUNCTION(kvm_tdp_mmu_alloc_root);
KVM_FUNCTION(kvm_tdp_mmu_put_root);
KVM_FUNCTION(kvm_tdp_mmu_zap_leafs);
KVM_FUNCTION(kvm_tdp_mmu_zap_possible_nx_huge_page);
KVM_FUNCTION(kvm_tdp_mmu_zap_all);
KVM_FUNCTION(kvm_tdp_mmu_invalidate_roots);
KVM_FUNCTION(kvm_tdp_mmu_zap_invalidated_roots);
KVM_FUNCTION(kvm_tdp_mmu_map);
KVM_FUNCTION(kvm_tdp_mmu_unmap_gfn_range);
KVM_FUNCTION(kvm_tdp_mmu_age_gfn_range);
KVM_FUNCTION(kvm_tdp_mmu_test_age_gfn);
KVM_FUNCTION(kvm_tdp_mmu_wrprot_slot);
KVM_FUNCTION(kvm_tdp_mmu_clear_dirty_slot);
KVM_FUNCTION(kvm_tdp_mmu_clear_dirty_pt_masked);
KVM_FUNCTION(kvm_tdp_mmu_recover_huge_pages);
KVM_FUNCTION(kvm_tdp_mmu_write_protect_gfn);
KVM_FUNCTION(kvm_tdp_mmu_try_split_huge_pages);
KVM_FUNCTION(kvm_tdp_mmu_get_walk);
KVM_FUNCTION(kvm_tdp_mmu_fast_pf_get_last_sptep);
KVM_FUNCTION(tdp_iter_start);
KVM_FUNCTION(tdp_iter_next);
KVM_FUNCTION(tdp_iter_restart);
KVM_FUNCTION(spte_to_child_pt);
KVM_FUNCTION(make_spte);
KVM_FUNCTION(make_small_spte);
KVM_FUNCTION(make_huge_spte);
KVM_FUNCTION(make_nonleaf_spte);
KVM_FUNCTION(make_mmio_spte);
KVM_FUNCTION(mark_spte_for_access_track);
KVM_FUNCTION(spte_needs_atomic_update);

/* mmu.c, x86.c */
KVM_FUNCTION(kvm_mmu_load);
KVM_FUNCTION(kvm_mmu_unload);
KVM_FUNCTION(kvm_mmu_free_obsolete_roots);
KVM_FUNCTION(kvm_mmu_reset_context);
KVM_FUNCTION(kvm_mmu_max_mapping_level);
KVM_FUNCTION(kvm_mmu_hugepage_adjust);
KVM_FUNCTION(kvm_mmu_gfn_disallow_lpage);
KVM_FUNCTION(kvm_mmu_gfn_allow_lpage);
KVM_FUNCTION(kvm_arch_vcpu_pre_fault_memory);
KVM_FUNCTION(kvm_zap_gfn_range);
KVM_FUNCTION(kvm_unmap_gfn_range);
KVM_FUNCTION(kvm_age_gfn);
KVM_FUNCTION(kvm_test_age_gfn);
KVM_FUNCTION(kvm_mmu_slot_try_split_huge_pages);
KVM_FUNCTION(kvm_mmu_slot_remove_write_access);
KVM_FUNCTION(kvm_mmu_slot_leaf_clear_dirty);
KVM_FUNCTION(kvm_mmu_recover_huge_pages);

/* kvm_main.c */
KVM_FUNCTION(kvm_mmu_topup_memory_cache);
KVM_FUNCTION(kvm_mmu_free_memory_cache);
KVM_FUNCTION(kvm_mmu_memory_cache_alloc);
KVM_FUNCTION(kvm_mmu_memory_cache_nr_free_objects);
KVM_FUNCTION(kvm_mmu_invalidate_start);
KVM_FUNCTION(kvm_mmu_invalidate_range_add);
KVM_FUNCTION(kvm_mmu_invalidate_end);
KVM_FUNCTION(kvm_flush_remote_tlbs);
KVM_FUNCTION(kvm_flush_remote_tlbs_range);
KVM_FUNCTION(kvm_flush_remote_tlbs_memslot);
KVM_FUNCTION(kvm_make_all_cpus_request);
KVM_FUNCTION(kvm_vcpu_gfn_to_memslot);
KVM_FUNCTION(gfn_to_memslot);
KVM_FUNCTION(vcpu_load);
KVM_FUNCTION(vcpu_put);

/* mm */
KVM_FUNCTION(do_madvise);

/* as in qemu.h */
KVM_VARIABLE(bool, kvm_ad_enabled);
KVM_VARIABLE(bool, tdp_enabled);
KVM_VARIABLE(bool, tdp_mmu_enabled);
KVM_VARIABLE(bool, enable_mmio_caching);
KVM_VARIABLE(bool, eager_page_split);
KVM_VARIABLE(int, nx_huge_pages);
KVM_VARIABLE(u64, shadow_host_writable_mask);
KVM_VARIABLE(u64, shadow_mmu_writable_mask);
KVM_VARIABLE(u64, shadow_nx_mask);
KVM_VARIABLE(u64, shadow_user_mask);
KVM_VARIABLE(u64, shadow_accessed_mask);
KVM_VARIABLE(u64, shadow_dirty_mask);
KVM_VARIABLE(u64, shadow_mmio_mask);
KVM_VARIABLE(u64, shadow_mmio_access_mask);
KVM_VARIABLE(u64, shadow_present_mask);
KVM_VARIABLE(u64, shadow_me_value);
KVM_VARIABLE(u64, shadow_me_mask);
KVM_VARIABLE(u64, shadow_acc_track_mask);
KVM_VARIABLE(u64, shadow_nonpresent_or_rsvd_mask);

#undef KVM_FUNCTION
#undef KVM_VARIABLE
