// SPDX-License-Identifier: GPL-2.0
// Id: error-keeps-new-spte
// Title: the old SPTE is not restored when the external operation fails
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_frozen.error_restores_none
// History: e49ee13ad592 "Handle SEPT zap error due to page add error in premap"
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
