// SPDX-License-Identifier: GPL-2.0
// Id: mirror-promote-holes
// Title: a table with empty or foreign entries is promoted
// Class: race-recheck
// Root: M
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Expect: S2 X3 X1
// Other: X2 X4 Z1 A1 T1 F4 SPLAT
// Reach: recovery of a table that is not all mapped

@@
symbol pt, i, small_spte, ignored, false;
@@
 tdp_mmu_can_promote(...)
 {
	<...
-		if ((kvm_tdp_mmu_read_spte(pt + i) ^ small_spte) & ~ignored)
-			return false;
	...>
 }
