// SPDX-License-Identifier: GPL-2.0
// Id: dirty-bits-kept
// Title: the dirty bits of a page table's leaves are read, but not cleared
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/tdp_iter.h
// Case: tdp_mmu_frozen.frozen_stays_frozen
// Expect: D1
// Other: SPLAT
// Reach: clearing a dirty log in chunks
// The next write is not told of by a fault: the page is missing in the next log.

@@
symbol mask, sptep_atomic;
@@
 tdp_mmu_clear_spte_bits_atomic(...)
 {
	<...
-	atomic64_fetch_and(~mask, sptep_atomic)
+	atomic64_fetch_and(~0ULL, sptep_atomic)
	...>
 }

@@
symbol sptep, old_spte, mask;
@@
 tdp_mmu_clear_spte_bits(...)
 {
	<...
-	__kvm_tdp_mmu_write_spte(sptep, old_spte & ~mask);
+	__kvm_tdp_mmu_write_spte(sptep, old_spte);
	...>
 }
