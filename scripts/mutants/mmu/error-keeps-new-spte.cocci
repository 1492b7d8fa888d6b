// SPDX-License-Identifier: GPL-2.0
// Id: error-keeps-new-spte
// Title: the old SPTE is not restored when the external operation fails
// Class: restore
// Root: M
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: F4 X1 X2 A1
// Other: X3 Z1 Z2 T1 R1 L1 D1 S1 F1 P1 SPLAT
// History: e49ee13ad592 "Handle SEPT zap error due to page add error in premap"
// Reach: BUSY, or an error, of the external page table
// The mirror says mapped, or linked to a table that is freed at once, and the
// external page table knows nothing of it.

@@
symbol iter, ret, new_spte;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
-	if (ret)
-		__kvm_tdp_mmu_write_spte(iter->sptep, iter->old_spte);
-	else
		__kvm_tdp_mmu_write_spte(iter->sptep, new_spte);
	...>
 }
