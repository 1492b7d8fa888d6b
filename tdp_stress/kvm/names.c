// SPDX-License-Identifier: GPL-2.0
/*
 * What is wanted of KVM by its name, wherever KVM is: a module, or linked here.
 * tdps_lookup() knows how a name is found.
 */
#include "insight.h"

struct tdps_symbols tdps_sym;

/**
 * tdps_find_symbols() - fill in tdps_sym
 *
 * Context: may sleep; KVM stays loaded.
 *
 * Return: NULL; the name of a symbol that this kernel's KVM has not.
 */
const char *tdps_find_symbols(void)
{
	static const struct {
		const char *name;
		void **to;
	} want[] = {
		{ "kvm_lock", (void **)&tdps_sym.kvm_lock },
		{ "vm_list", (void **)&tdps_sym.vm_list },
		{ "mmu_page_header_cache", (void **)&tdps_sym.mmu_page_header_cache },
		{ "shadow_mmio_mask", (void **)&tdps_sym.shadow_mmio_mask },
		{ "enable_mmio_caching", (void **)&tdps_sym.enable_mmio_caching },
#if TDPS_MIRROR_ROOTS
		{ "__SCK__kvm_x86_set_external_spte", (void **)&tdps_sym.set_key },
		{ "__SCK__kvm_x86_free_external_spt", (void **)&tdps_sym.free_key },
		{ "__SCK__kvm_x86_vm_pre_destroy", (void **)&tdps_sym.pre_destroy_key },
		{ "__SCK__kvm_x86_vm_destroy", (void **)&tdps_sym.destroy_key },
#ifdef CONFIG_HAVE_STATIC_CALL
		/* elsewhere (UML) a static call is its key, and no code */
		{ "__SCT__kvm_x86_set_external_spte", &tdps_sym.set_tramp },
		{ "__SCT__kvm_x86_free_external_spt", &tdps_sym.free_tramp },
		{ "__SCT__kvm_x86_vm_pre_destroy", &tdps_sym.pre_destroy_tramp },
		{ "__SCT__kvm_x86_vm_destroy", &tdps_sym.destroy_tramp },
#endif
#endif
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		*want[i].to = (void *)tdps_lookup(want[i].name);
		if (!*want[i].to)
			return want[i].name;
	}
	return NULL;
}
