// SPDX-License-Identifier: GPL-2.0
/*
 * What is wanted of KVM by its name, wherever KVM is: a module, or linked here.
 * tdps_lookup() knows how a name is found.
 */
#include <linux/stringify.h>

#include "insight.h"

struct tdps_symbols tdps_sym;

/* A static call of struct kvm_x86_ops: its key, its trampoline. */
#define KEY(_op)	"__SCK__kvm_x86_" __stringify(_op)
#define TRAMP(_op)	"__SCT__kvm_x86_" __stringify(_op)

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
		{ KEY(TDPS_SET_OP), (void **)&tdps_sym.set_key },
		{ KEY(TDPS_FREE_OP), (void **)&tdps_sym.free_key },
		{ KEY(vm_pre_destroy), (void **)&tdps_sym.pre_destroy_key },
		{ KEY(vm_destroy), (void **)&tdps_sym.destroy_key },
#ifdef CONFIG_HAVE_STATIC_CALL
		/* elsewhere (UML) a static call is its key, and no code */
		{ TRAMP(TDPS_SET_OP), &tdps_sym.set_tramp },
		{ TRAMP(TDPS_FREE_OP), &tdps_sym.free_tramp },
		{ TRAMP(vm_pre_destroy), &tdps_sym.pre_destroy_tramp },
		{ TRAMP(vm_destroy), &tdps_sym.destroy_tramp },
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
