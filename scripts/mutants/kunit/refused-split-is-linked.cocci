// SPDX-License-Identifier: GPL-2.0
// Id: refused-split-is-linked
// Title: a huge mirror SPTE becomes a table although the external one has refused
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_seed.d_refused_split_leaves_leaf
// History: what splits of huge private pages owe to TDH.MEM.PAGE.DEMOTE
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
