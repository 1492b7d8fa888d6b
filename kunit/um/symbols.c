// SPDX-License-Identifier: GPL-2.0
/*
 * The few things that the external backend looks up by name in a kernel, which are
 * linked here; and the functions of KVM's that it probes.
 */
#include <linux/memblock.h>
#include <linux/string.h>

#include "../../tdp_stress/kvm/insight.h"
#include "stress/probed.h"

struct um_probed um_probed[] = {
	{ "kvm_tdp_mmu_recover_huge_pages", kvm_tdp_mmu_recover_huge_pages },
};

const int um_nr_probed = ARRAY_SIZE(um_probed);

unsigned long tdps_lookup(const char *name)
{
	int i;

	if (!strcmp(name, "max_pfn"))
		return (unsigned long)&max_pfn;
	if (!strcmp(name, "kvm_make_all_cpus_request"))
		return (unsigned long)kvm_make_all_cpus_request;
	for (i = 0; i < um_nr_probed; i++)
		if (!strcmp(name, um_probed[i].name))
			return (unsigned long)um_probed[i].fn;
	return 0;
}
