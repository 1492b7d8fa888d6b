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
	const char *missing;

	if (wanted == TDPS_BACKEND_TDX) {
		pr_err("backend=tdx: there is no tdx.c in User Mode Linux: use backend=external\n");
		return -ENODEV;
	}
	missing = tdps_find_symbols();
	if (missing) {
		pr_err("symbol %s not found: the kernel needs CONFIG_KALLSYMS_ALL\n", missing);
		return -ENOENT;
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
