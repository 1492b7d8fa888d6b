// SPDX-License-Identifier: GPL-2.0
// Id: dirty-mask-shifted
// Title: clearing a dirty log clears the neighbour of each page that is named
// Class: boundary
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_seed.b_clear_dirty_pt_masked_is_not_told
// Expect: D1
// Other: SPLAT
// Reach: clearing a dirty log in chunks

@@
symbol iter, mask, gfn;
@@
 clear_dirty_pt_masked(...)
 {
	<...
-	if (iter.level > PG_LEVEL_4K || !(mask & (1UL << (iter.gfn - gfn))))
+	if (iter.level > PG_LEVEL_4K || !(mask & (1UL << ((iter.gfn - gfn) ^ 1))))
		continue;
	...>
 }
