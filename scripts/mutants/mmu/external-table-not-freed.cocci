// SPDX-License-Identifier: GPL-2.0
// Id: external-table-not-freed
// Title: a removed table's external one is not given up
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: SPLAT X2 X1
// Other: A1 Z1 X3
// Reach: any removal of a mirror table

@@
symbol sp, free_external_spt, kvm;
@@
 handle_removed_pt(...)
 {
	<...
-	if (is_mirror_sp(sp))
-		kvm_x86_call(free_external_spt)(kvm, sp);
	...>
 }
