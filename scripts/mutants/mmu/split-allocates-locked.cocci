// SPDX-License-Identifier: GPL-2.0
// Id: split-allocates-locked
// Title: memory for a split is allocated with mmu_lock held
// Class: lock
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_allocates_unlocked
// Expect: S1 X4
// Other: SPLAT P1
// Reach: dirty log switched on with huge pages mapped
// Whoever reclaims memory to serve the allocation may want mmu_lock, too.

@@
symbol shared, kvm, sp;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	<...
-			if (shared)
-				read_unlock(&kvm->mmu_lock);
-			else
-				write_unlock(&kvm->mmu_lock);
			sp = tdp_mmu_alloc_sp_for_split();
-			if (shared)
-				read_lock(&kvm->mmu_lock);
-			else
-				write_lock(&kvm->mmu_lock);
	...>
 }
