// SPDX-License-Identifier: GPL-2.0
// Id: table-before-children
// Title: an external table is freed before its children are removed
// Class: external
// Root: M
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_external.children_before_table
// Expect: X2 X3
// Other: X1 A1 Z1 Z2 T1 R1 L1 D1 S1 F1 F4 P1 SPLAT
// History: the order that set_external_spte() and free_external_spt() promise
// Reach: any removal of a mirror table
// The TDX module refuses to give up a table that maps something.

@@
symbol kvm, sp;
@@
 handle_removed_pt(...)
 {
	<...
	tdp_mmu_unlink_sp(kvm, sp);
+	if (is_mirror_sp(sp))
+		kvm_x86_call(free_external_spt)(kvm, sp);
	...
-	if (is_mirror_sp(sp))
-		kvm_x86_call(free_external_spt)(kvm, sp);
	...>
 }
