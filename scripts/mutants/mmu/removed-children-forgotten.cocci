// SPDX-License-Identifier: GPL-2.0
// Id: removed-children-forgotten
// Title: what a removed table maps is not removed
// Class: external
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: X2 A1 Z1
// Other: X1 X3 R1 L1 SPLAT
// Reach: any removal of a table

@@
symbol kvm, sp, gfn, old_spte, level, shared;
@@
 handle_removed_pt(...)
 {
	<...
-		handle_changed_spte(kvm, sp, gfn, old_spte, FROZEN_SPTE, level, shared);
	...>
 }
