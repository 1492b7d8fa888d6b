// SPDX-License-Identifier: GPL-2.0
// Id: external-told-wrong-page
// Title: the external page table is told the neighbour's address
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: X1 X3 X2
// Other: F4 A1 SPLAT Z1 F2 T1
// Reach: any fault on a mirror root

@@
symbol set_external_spte, kvm, gfn, old_spte, new_spte, level;
expression E;
@@
 __handle_changed_spte(...)
 {
	<...
-	E = kvm_x86_call(set_external_spte)(kvm, gfn, old_spte, new_spte, level);
+	E = kvm_x86_call(set_external_spte)(kvm, gfn ^ KVM_PAGES_PER_HPAGE(level), old_spte, new_spte, level);
	...>
 }
