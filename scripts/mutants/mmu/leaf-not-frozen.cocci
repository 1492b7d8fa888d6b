// SPDX-License-Identifier: GPL-2.0
// Id: leaf-not-frozen
// Title: a mirror SPTE gets its new value before the external page table does
// Class: freeze
// Root: M
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: F2
// Other: X1 X2 X3 A1 Z1 Z2 T1 R1 L1 D1 S1 F1 F4 P1 SPLAT
// History: what FROZEN on mirror roots is for, 94faba8999b9
// Reach: any fault on a mirror root
// Another vCPU finds the table that is being linked, and maps a child into an
// external table that is not there yet.

@@
symbol kvm, iter, new_spte;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
-	__tdp_mmu_set_spte_atomic(kvm, iter, FROZEN_SPTE)
+	__tdp_mmu_set_spte_atomic(kvm, iter, new_spte)
	...>
 }
