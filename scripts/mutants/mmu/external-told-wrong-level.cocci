// SPDX-License-Identifier: GPL-2.0
// Id: external-told-wrong-level
// Title: the external page table is told the level of the table above
// Class: level
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: X3 X2 S1
// Other: F4 X1 A1 SPLAT Z1 P1
// Reach: any fault on a mirror root

@@
symbol set_external_spte, kvm, gfn, old_spte, new_spte, level;
expression E;
@@
 __handle_changed_spte(...)
 {
	<...
-	E = kvm_x86_call(set_external_spte)(kvm, gfn, old_spte, new_spte, level);
+	E = kvm_x86_call(set_external_spte)(kvm, gfn, old_spte, new_spte, level + 1);
	...>
 }
