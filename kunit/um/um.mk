# SPDX-License-Identifier: GPL-2.0
# The UML home: the TDP MMU of the tree behind the shim, and the project's emulated
# TDX module, external backend and oracles, which are compiled here once more.
um-project := $(src)/../tdp_stress
include $(um-project)/core/core.mk
include $(um-project)/oracle/oracle.mk
include $(um-project)/kvm/extsig.mk

um-objs := $(addprefix um/,white.o tdp_iter.o spte.o glue.o nx.o home.o symbols.o stress/probe.o) \
	   $(addprefix core/,$(core-objs) $(kunit-core-y)) $(addprefix oracle/,$(oracle-objs)) \
	   $(addprefix kvm/,external.o td.o sept.o lock.o)

obj-$(CONFIG_TDP_STRESS_KUNIT) += $(um-objs) $(kunit-objs)

# The shim comes before the tree's headers, which ccflags-y would not do.
LINUXINCLUDE := -I$(src)/um/shim -I$(obj)/um/gen $(LINUXINCLUDE)
um-extsig := $(call extsig-flags,$(srctree)/arch/x86/include/asm/kvm_host.h)
ccflags-y += -I$(srctree)/arch/x86/kvm -DTDPS_MIRROR_ROOTS=1 \
	     $(or $(um-extsig),$(call extsig-unknown,$(srctree)))
CFLAGS_oracle/rcu.o := $(oracle-rcu-flags)
CFLAGS_oracle/tracepoints.o := $(oracle-tracepoints-flags)

$(obj)/core/%.o: $(um-project)/core/%.c FORCE
	$(call if_changed_rule,cc_o_c)
$(obj)/oracle/%.o: $(um-project)/oracle/%.c FORCE
	$(call if_changed_rule,cc_o_c)
$(obj)/kvm/%.o: $(um-project)/kvm/%.c FORCE
	$(call if_changed_rule,cc_o_c)

# --- definitions cut out of the tree; '?': there may be none ---

um-gen-pgtable_types := arch/x86/include/asm/pgtable_types.h
um-want-pgtable_types := enum:pg_level

um-gen-asm_kvm_host := arch/x86/include/asm/kvm_host.h
um-want-asm_kvm_host := \
	macro:INVALID_PAGE macro:VALID_PAGE macro:KVM_MAX_HUGEPAGE_LEVEL \
	macro:KVM_NR_PAGE_SIZES macro:KVM_HPAGE_GFN_SHIFT macro:KVM_HPAGE_SHIFT \
	macro:KVM_HPAGE_SIZE macro:KVM_HPAGE_MASK macro:KVM_PAGES_PER_HPAGE \
	macro:PFERR_PRESENT_MASK macro:PFERR_WRITE_MASK macro:PFERR_USER_MASK \
	macro:PFERR_RSVD_MASK macro:PFERR_FETCH_MASK macro:PFERR_PK_MASK macro:PFERR_SGX_MASK \
	macro:PFERR_SS_MASK macro:PFERR_GUEST_FINAL_MASK macro:PFERR_GUEST_ENC_MASK \
	macro:PFERR_IMPLICIT_ACCESS macro:PFERR_PRIVATE_ACCESS \
	macro:KVM_MMU_NUM_PREV_ROOTS macro:PT64_ROOT_MAX_LEVEL macro:KVM_MMU_ROOT_INFO_INVALID \
	struct:kvm_host_values? union:kvm_mmu_page_role union:kvm_mmu_extended_role \
	union:kvm_cpu_role struct:kvm_rmap_head struct:kvm_page_format? \
	struct:rsvd_bits_validate? struct:kvm_mmu_root_info struct:kvm_pagewalk? \
	struct:kvm_mmu struct:kvm_lpage_info struct:kvm_arch_memory_slot enum:kvm_mmu_type \
	struct:kvm_possible_nx_huge_pages

um-gen-x86 := arch/x86/kvm/x86.h
um-want-x86 := struct:kvm_host_values?

um-gen-linux_kvm_host := include/linux/kvm_host.h
um-want-linux_kvm_host := \
	enum:kvm_gfn_range_filter union:kvm_mmu_notifier_arg struct:kvm_gfn_range \
	struct:kvm_memory_slot macro:KVM_BUG_ON func:gfn_to_gpa func:gpa_to_gfn \
	func:pfn_to_hpa func:kvm_slot_dirty_track_enabled func:mmu_invalidate_retry \
	func:mmu_invalidate_retry_gfn macro:KVM_PFN_ERR_MASK macro:KVM_PFN_ERR_NOSLOT_MASK \
	macro:KVM_MEMSLOT_INVALID func:mmu_invalidate_retry_gfn_unsafe \
	macro:KVM_PFN_NOSLOT macro:KVM_PFN_ERR_FAULT func:is_error_pfn \
	func:is_error_noslot_pfn func:is_noslot_pfn

um-gen-kvm_main := virt/kvm/kvm_main.c
um-want-kvm_main := \
	func:mmu_memory_cache_alloc_obj func:__kvm_mmu_topup_memory_cache \
	func:kvm_mmu_topup_memory_cache func:kvm_mmu_free_memory_cache \
	func:kvm_mmu_memory_cache_alloc func:kvm_mmu_invalidate_start \
	func:kvm_mmu_invalidate_range_add func:kvm_mmu_invalidate_end

um-gen-mmu := arch/x86/kvm/mmu/mmu.c
um-want-mmu := \
	func:mmu_topup_memory_caches func:mmu_free_memory_caches \
	macro:KVM_LPAGE_MIXED_FLAG func:lpage_info_slot func:hugepage_test_mixed \
	func:hugepage_clear_mixed func:hugepage_set_mixed func:hugepage_has_attrs \
	func:kvm_arch_post_set_memory_attributes func:kvm_handle_noslot_fault \
	func:kvm_mmu_faultin_pfn func:is_obsolete_sp func:is_page_fault_stale \
	func:kvm_tdp_page_prefault? \
	func:kvm_mmu_hugepage_adjust func:disallowed_hugepage_adjust \
	func:track_possible_nx_huge_page func:untrack_possible_nx_huge_page \
	func:page_fault_can_be_fast func:fast_pf_fix_direct_spte func:fast_page_fault \
	func:walk_shadow_page_lockless_begin func:walk_shadow_page_lockless_end \
	macro:BYTE_MASK? macro:ACC_BITS_MASK? \
	func:__update_permission_bitmask? func:update_spte_permission_bitmask?

um-gen-nx := arch/x86/kvm/mmu/mmu.c
um-want-nx := \
	func:nx_huge_pages_to_zap func:unaccount_nx_huge_page \
	func:kvm_mmu_sp_dirty_logging_enabled func:kvm_recover_nx_huge_pages

um-gen := pgtable_types asm_kvm_host x86 linux_kvm_host kvm_main mmu nx

define um-gen-rule
$(obj)/um/gen/gen_$(1).h: $(srctree)/$(um-gen-$(1)) $(src)/um/extract.awk FORCE
	$$(call if_changed,extract_$(1))
quiet_cmd_extract_$(1) = EXTRACT $$@
      cmd_extract_$(1) = awk -v want="$$(um-want-$(1))" -f $(src)/um/extract.awk $$< > $$@
endef
$(foreach g,$(um-gen),$(eval $(call um-gen-rule,$(g))))

um-gen-files := $(um-gen:%=um/gen/gen_%.h)
targets += $(um-gen-files)
$(addprefix $(obj)/,$(um-objs) $(kunit-objs)): | $(addprefix $(obj)/,$(um-gen-files))

include $(src)/um/stress/stress.mk
