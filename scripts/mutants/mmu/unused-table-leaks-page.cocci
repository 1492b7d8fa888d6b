// SPDX-License-Identifier: GPL-2.0
// Id: unused-table-leaks-page
// Title: a table that could not be linked is freed without its external page
// Class: leak
// Root: M
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_external.failed_map_loses_no_page
// Expect: A1
// Other: X1 X2 X3 Z1 Z2 T1 R1 L1 D1 S1 F1 F4 P1 SPLAT
// History: why tdp_mmu_free_unused_sp() knows of external_spt
// Reach: a fault that loses to another, or meets BUSY
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
