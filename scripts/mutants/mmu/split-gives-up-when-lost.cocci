// SPDX-License-Identifier: GPL-2.0
// Id: split-gives-up-when-lost
// Title: a split that loses leaves the huge page as it is
// Class: retry
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.mirror_split_asks_again
// Expect: S1 D1
// Reach: dirty log switched on beside aging, faults and the CPU's own bits
// One write then marks one page dirty, and changes 511 more unseen.

@@
symbol retry;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	<...
		if (tdp_mmu_split_huge_page(...))
-			goto retry;
+			continue;
	...>
 }
