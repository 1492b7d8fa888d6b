// SPDX-License-Identifier: GPL-2.0
// Id: fault-leaks-spare-table
// Title: the table of a fault that lost is lost, too
// Class: leak
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: A1
// Other: SPLAT
// Reach: two faults in one empty range; BUSY of the external page table

@@
symbol r, sp, retry;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
		if (r) {
-			tdp_mmu_free_unused_sp(sp);
			goto retry;
		}
	...>
 }
