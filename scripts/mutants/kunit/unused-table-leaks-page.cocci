// SPDX-License-Identifier: GPL-2.0
// Id: unused-table-leaks-page
// Title: a table that could not be linked is freed without its external page
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_external.failed_map_loses_no_page
// History: why tdp_mmu_free_unused_sp() knows of external_spt
// Nothing breaks, and the host has a page less after each fault that loses.

@@
symbol sp;
@@
 tdp_mmu_free_unused_sp(...)
 {
	...
-	free_page((unsigned long)sp->external_spt);
	...
 }
