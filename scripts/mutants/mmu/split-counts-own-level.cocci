// SPDX-License-Identifier: GPL-2.0
// Id: split-counts-own-level
// Title: the children of a split are counted as huge pages
// Class: stat
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_makes_children
// Expect: A1
// Other: Z1
// Reach: any split

@@
symbol kvm, level;
@@
 tdp_mmu_split_huge_page(...)
 {
	<...
-	kvm_update_page_stats(kvm, level - 1, SPTE_ENT_PER_PAGE);
+	kvm_update_page_stats(kvm, level, SPTE_ENT_PER_PAGE);
	...>
 }
