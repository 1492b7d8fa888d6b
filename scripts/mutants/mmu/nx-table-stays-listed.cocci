// SPDX-License-Identifier: GPL-2.0
// Id: nx-table-stays-listed
// Title: a table that goes stays in the list of those NX recovery may zap
// Class: list
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: R1 SPLAT
// Other: A1 Z1 T1
// History: 21a36ac6b6c7's symptom: list corruption, use after free
// Reach: a fetch that splits, then a zap, then NX recovery

@@
symbol kvm, sp;
@@
 tdp_mmu_unlink_sp(...)
 {
	<...
-	untrack_possible_nx_huge_page(kvm, sp, KVM_TDP_MMU);
	...>
 }
