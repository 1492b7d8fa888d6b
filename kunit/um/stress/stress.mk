# SPDX-License-Identifier: GPL-2.0
# The stress tester in UML: tdp_stress, all of it but what finds and makes a real
# KVM's VMs, and the parts of KVM that it finds here. The suites' kernel is another.
um-stress-objs := $(addprefix um/,white.o tdp_iter.o spte.o glue.o) \
	   $(addprefix um/stress/,probe.o probed.o kvm.o own.o symbols.o point.o report.o) \
	   $(addprefix core/,$(core-objs)) $(addprefix oracle/,$(oracle-objs)) \
	   $(addprefix kvm/,external.o td.o sept.o extops.o chain.o hooks.o seamcall.o walk.o vm.o host.o lock.o \
			    names.o own_base.o life.o entry.o own_entry.o run.o \
			    hold.o fail.o flight.o paths.o calls.o) \
	   $(addprefix torture/,ops.o worker.o schedule.o guest.o stats.o) \
	   $(addprefix stress/,main.o params.o)

obj-$(CONFIG_TDP_STRESS_UML) += tdp_stress.o
tdp_stress-y := $(um-stress-objs)

# (with all of the path as the stem: kbuild finds the module's name by it)
$(addprefix $(obj)/,$(filter torture/% stress/%,$(um-stress-objs))): $(obj)/%.o: \
		$(um-project)/%.c FORCE
	$(call if_changed_rule,cc_o_c)

um-gen-stress_mmu := arch/x86/kvm/mmu/mmu.c
um-want-stress_mmu := \
	func:lpage_info_slot func:kvm_mmu_max_mapping_level func:is_obsolete_sp \
	func:is_obsolete_root func:mmu_free_root_page func:is_page_fault_stale \
	func:page_fault_can_be_fast func:fast_pf_fix_direct_spte func:fast_page_fault \
	func:walk_shadow_page_lockless_begin func:walk_shadow_page_lockless_end \
	func:kvm_mmu_faultin_pfn func:kvm_tdp_mmu_page_fault func:nx_huge_pages_to_zap \
	func:unaccount_nx_huge_page func:kvm_recover_nx_huge_pages

$(eval $(call um-gen-rule,stress_mmu))
targets += um/gen/gen_stress_mmu.h
$(addprefix $(obj)/,$(um-stress-objs)): | \
	$(addprefix $(obj)/,$(um-gen-files) um/gen/gen_stress_mmu.h)
