// SPDX-License-Identifier: GPL-2.0
// Id: bits-cleared-plainly
// Title: dirty bits are cleared by writing what was read before
// Class: dirty
// Root: D
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_iter.h
// Expect: D1 T1
// Other: A1 S1 L1
// History: 89212919823a "Add TDP MMU helper for clearing A/D and W bits"; as ba3a6120a4e7
// Case: tdp_mmu_race.clear_masked_and_fast_fault
// Reach: clearing a dirty log while a fast page fault makes a page writable
// The page is write-protected again behind the back of a fast page fault that has
// just made it writable, or a D bit is lost.

@@
symbol old_spte, level, sptep, mask;
@@
 tdp_mmu_clear_spte_bits(...)
 {
	<...
-	if (kvm_tdp_mmu_spte_need_atomic_update(old_spte, level))
-		return tdp_mmu_clear_spte_bits_atomic(sptep, mask);
	...>
 }
