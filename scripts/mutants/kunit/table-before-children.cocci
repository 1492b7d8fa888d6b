// SPDX-License-Identifier: GPL-2.0
// Id: table-before-children
// Title: an external table is freed before its children are removed
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_external.children_before_table
// History: the order that set_external_spte() and free_external_spt() promise
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
