// SPDX-License-Identifier: GPL-2.0
// Id: lost-link-is-success
// Title: who loses the race to link a table believes that it is linked
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: A1 F4 S1
// Other: X1 X2 X3 Z1 T1 SPLAT R1 P1
// Reach: two faults in one empty range; BUSY of the external page table
// The table is counted and lost; a fault goes on below nothing.

@@
symbol ret, kvm, iter, spte;
@@
 tdp_mmu_link_sp(...)
 {
	<...
		ret = tdp_mmu_set_spte_atomic(kvm, iter, spte);
		if (ret)
-			return ret;
+			return 0;
	...>
 }
