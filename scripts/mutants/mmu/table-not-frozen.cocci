// SPDX-License-Identifier: GPL-2.0
// Id: table-not-frozen
// Title: a mirror SPTE points to its table before the external page table has one there
// Class: freeze
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: F2 X3
// Other: F4 X1 X2 A1 Z1 T1 P1 SPLAT
// History: what FROZEN on mirror roots is for, 94faba8999b9: two faults in one empty 2M range
// Reach: a fault that links a table on a mirror root
// Another fault steps down into it, and its SEAMCALL for the child comes before
// the one for the parent.

@@
symbol kvm, iter, new_spte;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
-	__tdp_mmu_set_spte_atomic(kvm, iter, FROZEN_SPTE)
+	__tdp_mmu_set_spte_atomic(kvm, iter, is_shadow_present_pte(new_spte) &&
+				  !is_last_spte(new_spte, iter->level) ?
+				  new_spte : FROZEN_SPTE)
	...>
 }
