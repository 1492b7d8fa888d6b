// SPDX-License-Identifier: GPL-2.0
// Id: mirror-fault-promotes
// Title: a fault replaces a table of a mirror root by a huge leaf
// Class: level
// Root: M
// Base: mirror-split
// File: arch/x86/kvm/mmu/mmu.c
// Ops: map_craft=100,split_write=50,recover=10,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.mirror_fault_keeps_table
// Expect: S2 X1 X3
// Other: X2 X4 F2 F4 A1 Z1 T1 P1 SPLAT
// History: "Prevent hugepage promotion for mirror roots in fault path", RFC v5
//   20260129011517.3545883-1
// Reach: a fault for a huge page where a mirror root has a table
// Nobody looks whether the table is all mapped, and to one page.

@@
symbol spte;
@@
 disallowed_hugepage_adjust(...)
 {
	<...
-	(is_mirror_sp(spte_to_child_sp(spte)) ||
-	 spte_to_child_sp(spte)->nx_huge_page_disallowed)
+	spte_to_child_sp(spte)->nx_huge_page_disallowed
	...>
 }
