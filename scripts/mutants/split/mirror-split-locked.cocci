// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split-locked
// Title: the pages for a split are allocated with mmu_lock held
// Class: lock
// Root: B
// Base: mirror-split
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
// Case: tdp_mmu_split.split_makes_children
// Expect: S1 X4
// Other: SPLAT P1
// Reach: any split
// Whoever reclaims memory to serve the allocation may want mmu_lock, too.

@@
symbol kvm, sp, shared, mirror;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	<...
-	if (shared)
-		read_unlock(&kvm->mmu_lock);
-	else
-		write_unlock(&kvm->mmu_lock);
	sp = tdp_mmu_alloc_sp_for_split(mirror);
-	if (shared)
-		read_lock(&kvm->mmu_lock);
-	else
-		write_lock(&kvm->mmu_lock);
	...>
 }
