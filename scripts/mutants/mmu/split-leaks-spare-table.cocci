// SPDX-License-Identifier: GPL-2.0
// Id: split-leaks-spare-table
// Title: the table that a split did not need is lost
// Class: leak
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_loses_to_split
// Expect: A1
// Other: SPLAT
// Reach: a split that finds the last huge page gone

@@
symbol sp;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	<...
-	if (sp)
-		tdp_mmu_free_unused_sp(sp);
	...>
 }
