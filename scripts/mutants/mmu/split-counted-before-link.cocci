// SPDX-License-Identifier: GPL-2.0
// Id: split-counted-before-link
// Title: the children of a split are counted although it was lost
// Class: stat
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_loses_to_split
// Expect: A1
// Other: Z1
// Reach: two splits of one page, or a split that loses to a fault

@@
symbol kvm, level, ret, out;
@@
 tdp_mmu_split_huge_page(...)
 {
	<...
+	kvm_update_page_stats(kvm, level - 1, SPTE_ENT_PER_PAGE);
	ret = tdp_mmu_link_sp(...);
	if (ret)
		goto out;
-	kvm_update_page_stats(kvm, level - 1, SPTE_ENT_PER_PAGE);
	...>
 }
