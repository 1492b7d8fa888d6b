// SPDX-License-Identifier: GPL-2.0
// Id: mirror-promote-removes
// Title: the children of a promoted table are removed from the external table
// Class: external
// Root: M
// Base: mirror-split
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Expect: S2 X2 X3 X4
// Other: F2 F4 X1 Z1 A1 T1 P1 SPLAT
// Reach: recovery of a table of a mirror root
// They have been merged into one external leaf: there is nothing left to
// remove, and mmu_lock is held for read only.

@@
symbol kvm, old_spte, level, shared;
@@
 __handle_changed_spte(...)
 {
	<...
-	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), shared, promoted);
+	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), shared, false);
	...>
 }
