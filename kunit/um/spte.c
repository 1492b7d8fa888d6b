// SPDX-License-Identifier: GPL-2.0
/* The tree's spte.c, unmodified. */
#include <linux/init.h>
#include <linux/kvm_host.h>

#undef pr_fmt
#include "mmu/spte.c"

/* As kvm.ko, when it is loaded: else there are no MMIO SPTEs. */
static int __init um_spte_init(void)
{
	kvm_mmu_spte_module_init();
	return 0;
}
subsys_initcall(um_spte_init);
