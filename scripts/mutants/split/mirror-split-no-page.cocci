// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split-no-page
// Title: a table for a split of a mirror SPTE comes without an external page
// Class: external
// Root: M
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.mirror_split_is_told
// Expect: S1 X2 X3
// Other: X1 X4 Z1 A1 SPLAT
// Reach: a split of a huge mirror SPTE

@@
symbol mirror, sp;
@@
 tdp_mmu_alloc_sp_for_split(...)
 {
	<...
-	if (mirror) {
+	if (mirror && !sp) {
		...
	}
	...>
 }
