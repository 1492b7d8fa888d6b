// SPDX-License-Identifier: GPL-2.0
// Id: split-children-uncounted
// Title: the children of a split are not counted
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
	...>
 }
