// SPDX-License-Identifier: GPL-2.0
// Id: error-leaves-frozen
// Title: the SPTE stays frozen when the external operation fails
// Class: restore
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: F1 F4 P1
// Other: X1 X3 A1 Z1 T1 F2 F3 SPLAT
// Reach: any fault that meets BUSY, or an error, of the external page table
// Everybody who comes by afterwards takes it for somebody else's and retries, for ever.

@@
symbol ret, iter, new_spte;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
-		if (ret)
-			__kvm_tdp_mmu_write_spte(iter->sptep, iter->old_spte);
-		else
+		if (!ret)
			__kvm_tdp_mmu_write_spte(iter->sptep, new_spte);
	...>
 }
