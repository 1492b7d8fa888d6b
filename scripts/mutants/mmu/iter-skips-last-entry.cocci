// SPDX-License-Identifier: GPL-2.0
// Id: iter-skips-last-entry
// Title: a walk leaves out the last entry of every table
// Class: boundary
// Root: B
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_split.split_range_ends
// Expect: Z1 A1
// Other: D1 L1 Z2 SPLAT
// Reach: any walk

@@
@@
 try_step_side(...)
 {
	<...
-	SPTE_ENT_PER_PAGE - 1
+	SPTE_ENT_PER_PAGE - 2
	...>
 }
