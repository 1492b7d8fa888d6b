// SPDX-License-Identifier: GPL-2.0
/*
 * Finding KVM in UML: kvm/symbols.c's part where KVM is linked here. A function
 * that can be probed is found as its wrapper, everything else by its name. Chooses
 * nothing: the backend is external, and the KVM is the one there is.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/kallsyms.h>
#include <linux/string.h>

#include "../../../tdp_stress/kvm/insight.h"
#include "../../../tdp_stress/kvm/kvm.h"
#include "kvm.h"

struct tdps_symbols tdps_sym;

unsigned long tdps_lookup(const char *name)
{
	int i;

	for (i = 0; i < um_nr_probed; i++)
		if (!strcmp(um_probed[i].name, name))
			return (unsigned long)um_probed[i].fn;
	return kallsyms_lookup_name(name);
}

int tdps_kvm_open(enum tdps_backend wanted)
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
		{ "__SCK__kvm_x86_set_external_spte", (void **)&tdps_sym.set_key },
		{ "__SCK__kvm_x86_free_external_spt", (void **)&tdps_sym.free_key },
		{ "__SCK__kvm_x86_vm_pre_destroy", (void **)&tdps_sym.pre_destroy_key },
		{ "__SCK__kvm_x86_vm_destroy", (void **)&tdps_sym.destroy_key },
	};
	int i;

	if (wanted == TDPS_BACKEND_TDX) {
		pr_err("backend=tdx: there is no tdx.c in User Mode Linux: use backend=external\n");
		return -ENODEV;
	}
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		*want[i].to = (void *)tdps_lookup(want[i].name);
		if (!*want[i].to) {
			pr_err("symbol %s not found: the kernel needs CONFIG_KALLSYMS_ALL\n",
			       want[i].name);
			return -ENOENT;
		}
	}
	return 0;
}

void tdps_kvm_close(void)
{
}

enum tdps_backend tdps_kvm_backend(void)
{
	return TDPS_BACKEND_EXTERNAL;
}

const char *tdps_kvm_backend_name(void)
{
	return "external";
}

const char *tdps_kvm_only_direct(void)
{
	return NULL;
}
