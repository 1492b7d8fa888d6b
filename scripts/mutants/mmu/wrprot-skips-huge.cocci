// SPDX-License-Identifier: GPL-2.0
// Id: wrprot-skips-huge
// Title: write protection for a dirty log passes huge leaves by
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_leaf
// Expect: D1
// Other: SPLAT
// Reach: dirty log switched on with huge pages mapped
// Writes go on unseen where a huge page is mapped.

@@
symbol iter;
@@
 wrprot_gfn_range(...)
 {
	<...
-	!(iter.old_spte & PT_WRITABLE_MASK)
+	!(iter.old_spte & PT_WRITABLE_MASK) || iter.level > PG_LEVEL_4K
	...>
 }
