// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split-rcu-bug
// Title: the page table is looked at after RCU has been dropped
// Class: rcu
// Root: B
// Base: mirror-split
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.split_makes_children
// Expect: R1
// Reach: any split
// A bug that reviewers found in the series: whether the SPTE is a mirror one was
// asked where the page is allocated, outside of mmu_lock and RCU. By then the
// page table may have been zapped and freed. Any split shows it.

@@
symbol sp, iter;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	<...
-	bool mirror = is_mirror_sptep(iter.sptep);
	...
-	sp = tdp_mmu_alloc_sp_for_split(mirror);
+	sp = tdp_mmu_alloc_sp_for_split(is_mirror_sptep(iter.sptep));
	...>
 }
