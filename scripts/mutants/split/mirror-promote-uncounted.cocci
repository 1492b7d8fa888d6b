// SPDX-License-Identifier: GPL-2.0
// Id: mirror-promote-uncounted
// Title: the small pages that a promotion merges are still counted
// Class: stat
// Root: M
// Base: mirror-split
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Expect: A1
// Other: Z1 SPLAT
// Reach: recovery of a table of a mirror root
// Nobody removes them one by one, where they would be counted.

@@
symbol promoted, kvm, level;
@@
 handle_removed_pt(...)
 {
	<...
	if (promoted) {
		...
-		kvm_update_page_stats(kvm, level, -1);
		continue;
	}
	...>
 }
