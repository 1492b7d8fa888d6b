// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split-off-by-one
// Title: a split mirror SPTE's children map each other's pages
// Class: boundary
// Root: M
// Base: mirror-split
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.split_allocates_unlocked
// Expect: S1 X1
// Other: X2 X3 X4 Z1 A1 T1 SPLAT
// Reach: a split of a huge mirror SPTE
// The external page table splits its leaf correctly, so mirror and external
// leafs differ from then on.

@@
symbol kvm, sp, huge_spte, i;
@@
 tdp_mmu_split_huge_page(...)
 {
	<...
-	make_small_spte(kvm, huge_spte, sp->role, i)
+	make_small_spte(kvm, huge_spte, sp->role, i ^ is_mirror_sp(sp))
	...>
 }
