// SPDX-License-Identifier: GPL-2.0
// Id: iter-ignores-shared-bit
// Title: a walk of a direct root looks where private addresses are
// Class: root
// Root: D
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_frozen.fault_meets_frozen
// Expect: L1 Z1 A1 SPLAT
// Other: T1 D1 S1 H1 P1
// Reach: any walk of a direct root of a VM that has mirror roots
// The root's entries for the shared half are never looked at again.

@@
symbol iter;
@@
 tdp_iter_refresh_sptep(...)
 {
	<...
-	SPTE_INDEX((iter->gfn | iter->gfn_bits) << PAGE_SHIFT, iter->level)
+	SPTE_INDEX(iter->gfn << PAGE_SHIFT, iter->level)
	...>
 }
