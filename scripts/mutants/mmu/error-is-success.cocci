// SPDX-License-Identifier: GPL-2.0
// Id: error-is-success
// Title: an external operation that failed is reported as done
// Class: retry
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: F4
// Other: X1 X2 X3 A1 Z1 SPLAT P1 R1
// Reach: any fault that meets BUSY of the external page table
// The old SPTE is back, but a table that is not linked is counted, and lost.

@@
symbol iter, ret;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
	if (is_mirror_sptep(iter->sptep)) {
		...
	} else {
		...
	}
-	return ret;
+	return 0;
	...>
 }
