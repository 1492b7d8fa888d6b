// SPDX-License-Identifier: GPL-2.0
// Id: refused-split-is-linked
// Title: a huge mirror SPTE becomes a table although the external one has refused
// Class: restore
// Root: M
// Base: mirror-split
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_seed.d_refused_split_leaves_leaf
// Expect: S1 X1
// Other: X2 X3 X4 A1 Z1 T1 F4 SPLAT
// History: what splits of huge private pages owe to TDH.MEM.PAGE.DEMOTE
// Reach: a split that the external page table refuses
// The mirror has 512 leafs where the TDX module has one.

@@
symbol ret, kvm, sp, iter, new_spte;
@@
 tdp_mmu_iter_link_spte(...)
 {
	<...
	ret = __handle_changed_spte(...);
-	if (ret)
-		return ret;
	...>
 }
