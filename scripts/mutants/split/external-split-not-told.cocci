// SPDX-License-Identifier: GPL-2.0
// Id: external-split-not-told
// Title: a split of a huge mirror SPTE is kept from the external page table
// Class: external
// Root: M
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.mirror_split_brings_page
// Expect: S1 X1
// Other: X2 X3 X4 Z1 A1 T1 F2 SPLAT
// Reach: a split of a huge mirror SPTE
// 512 mirror leaves where the TDX module has one.

@@
symbol sp, iter;
@@
 tdp_mmu_iter_link_spte(...)
 {
	<...
-	if (!is_mirror_sp(sp)) {
+	if (!is_mirror_sp(sp) || is_large_pte(iter->old_spte)) {
		...
	}
	...>
 }
