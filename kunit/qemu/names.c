// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's functions and variables by their names, for suites that are a module. A
 * function of the same name is defined here, which is one jump by a static call: the
 * linker is content, an IBT host too (a direct jump needs no ENDBR), and no
 * declaration has to be repeated. Includes no header of KVM's for that reason.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/static_call.h>
#include <linux/types.h>

#include "names.h"

/* Any function; the caller has the real declaration. */
long home_any(void);

#define HOME_FUNCTIONS(X)			\
	/* tdp_mmu.c, tdp_iter.c, spte.c */	\
	X(kvm_tdp_mmu_alloc_root)		\
	X(kvm_tdp_mmu_put_root)			\
	X(kvm_tdp_mmu_zap_leafs)		\
	X(kvm_tdp_mmu_zap_possible_nx_huge_page)	\
	X(kvm_tdp_mmu_zap_all)			\
	X(kvm_tdp_mmu_invalidate_roots)		\
	X(kvm_tdp_mmu_zap_invalidated_roots)	\
	X(kvm_tdp_mmu_map)			\
	X(kvm_tdp_mmu_unmap_gfn_range)		\
	X(kvm_tdp_mmu_age_gfn_range)		\
	X(kvm_tdp_mmu_test_age_gfn)		\
	X(kvm_tdp_mmu_wrprot_slot)		\
	X(kvm_tdp_mmu_clear_dirty_slot)		\
	X(kvm_tdp_mmu_clear_dirty_pt_masked)	\
	X(kvm_tdp_mmu_recover_huge_pages)	\
	X(kvm_tdp_mmu_write_protect_gfn)	\
	X(kvm_tdp_mmu_try_split_huge_pages)	\
	X(kvm_tdp_mmu_get_walk)			\
	X(kvm_tdp_mmu_fast_pf_get_last_sptep)	\
	X(tdp_iter_start)			\
	X(tdp_iter_next)			\
	X(tdp_iter_restart)			\
	X(spte_to_child_pt)			\
	X(make_spte)				\
	X(make_small_spte)			\
	X(make_huge_spte)			\
	X(make_nonleaf_spte)			\
	X(make_mmio_spte)			\
	X(mark_spte_for_access_track)		\
	X(spte_needs_atomic_update)		\
	/* mmu.c, x86.c */			\
	X(kvm_mmu_load)				\
	X(kvm_mmu_unload)			\
	X(kvm_mmu_free_obsolete_roots)		\
	X(kvm_mmu_reset_context)		\
	X(kvm_mmu_max_mapping_level)		\
	X(kvm_mmu_hugepage_adjust)		\
	X(kvm_mmu_gfn_disallow_lpage)		\
	X(kvm_mmu_gfn_allow_lpage)		\
	X(kvm_arch_vcpu_pre_fault_memory)	\
	X(kvm_zap_gfn_range)			\
	X(kvm_unmap_gfn_range)			\
	X(kvm_age_gfn)				\
	X(kvm_test_age_gfn)			\
	X(kvm_mmu_slot_try_split_huge_pages)	\
	X(kvm_mmu_slot_remove_write_access)	\
	X(kvm_mmu_slot_leaf_clear_dirty)	\
	X(kvm_mmu_recover_huge_pages)		\
	/* kvm_main.c */			\
	X(kvm_mmu_topup_memory_cache)		\
	X(kvm_mmu_free_memory_cache)		\
	X(kvm_mmu_memory_cache_alloc)		\
	X(kvm_mmu_memory_cache_nr_free_objects)	\
	X(kvm_mmu_invalidate_start)		\
	X(kvm_mmu_invalidate_range_add)		\
	X(kvm_mmu_invalidate_end)		\
	X(kvm_flush_remote_tlbs)		\
	X(kvm_flush_remote_tlbs_range)		\
	X(kvm_flush_remote_tlbs_memslot)	\
	X(kvm_make_all_cpus_request)		\
	X(kvm_vcpu_gfn_to_memslot)		\
	X(gfn_to_memslot)			\
	X(vcpu_load)				\
	X(vcpu_put)

/* A jump to the trampoline, which objtool makes a static call like any other. */
#define DEFINE_FUNCTION(name)						\
	DEFINE_STATIC_CALL_NULL(home_##name, home_any);			\
	asm(".pushsection .text, \"ax\"\n"				\
	    ".globl " #name "\n"					\
	    ".type " #name ", @function\n"				\
	    #name ":	jmp " STATIC_CALL_TRAMP_STR(home_##name) "\n"	\
	    ".size " #name ", . - " #name "\n"				\
	    ".popsection");

HOME_FUNCTIONS(DEFINE_FUNCTION)

static const struct {
	const char *name;
	struct static_call_key *key;
	void *tramp;
} functions[] = {
#define LIST_FUNCTION(name)	\
	{ #name, &STATIC_CALL_KEY(home_##name), STATIC_CALL_TRAMP_ADDR(home_##name) },
	HOME_FUNCTIONS(LIST_FUNCTION)
};

#define HOME_VARIABLES(X)			\
	X(bool, kvm_ad_enabled)			\
	X(bool, tdp_enabled)			\
	X(bool, tdp_mmu_enabled)		\
	X(bool, enable_mmio_caching)		\
	X(bool, eager_page_split)		\
	X(int, nx_huge_pages)			\
	X(u64, shadow_host_writable_mask)	\
	X(u64, shadow_mmu_writable_mask)	\
	X(u64, shadow_nx_mask)			\
	X(u64, shadow_user_mask)		\
	X(u64, shadow_accessed_mask)		\
	X(u64, shadow_dirty_mask)		\
	X(u64, shadow_mmio_mask)		\
	X(u64, shadow_mmio_access_mask)		\
	X(u64, shadow_present_mask)		\
	X(u64, shadow_me_value)			\
	X(u64, shadow_me_mask)			\
	X(u64, shadow_acc_track_mask)		\
	X(u64, shadow_nonpresent_or_rsvd_mask)

#define DEFINE_VARIABLE(type, name)	type *home_##name;
#define DECLARE_VARIABLE(type, name)	extern type *home_##name;

/* see qemu.h */
HOME_VARIABLES(DECLARE_VARIABLE)
HOME_VARIABLES(DEFINE_VARIABLE)

static const struct {
	const char *name;
	void **to;
} variables[] = {
#define LIST_VARIABLE(type, name)	{ #name, (void **)&home_##name },
	HOME_VARIABLES(LIST_VARIABLE)
};

/* Behind a function that this KVM has not; suites made for it do not call that. */
static long not_there(void)
{
	WARN(1, "tdp_stress_kunit: a function was called that this KVM does not have\n");
	return -ENOSYS;
}

/**
 * home_find_names() - find KVM's functions and variables
 * @lookup: address of a symbol, 0: none
 *
 * What this KVM does not have is left out: a suite that uses it would not have
 * compiled with this KVM's headers.
 *
 * Context: may sleep; before anything of KVM's is used.
 */
void home_find_names(unsigned long (*lookup)(const char *name))
{
	unsigned long addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		addr = lookup(functions[i].name);
		/* ours is found if KVM has none */
		if (!addr || within_module(addr, THIS_MODULE)) {
			pr_debug("this KVM has no %s()\n", functions[i].name);
			addr = (unsigned long)not_there;
		}
		__static_call_update(functions[i].key, functions[i].tramp, (void *)addr);
	}
	for (i = 0; i < ARRAY_SIZE(variables); i++)
		*variables[i].to = (void *)lookup(variables[i].name);
}
