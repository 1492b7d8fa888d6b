// SPDX-License-Identifier: GPL-2.0
// Id: fault-takes-leaf-for-table
// Title: a fault steps over a huge leaf instead of splitting it
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.fault_splits_leaf
// Expect: P1 S1
// Other: SPLAT
// Reach: a fetch, or a fault under a dirty log, below a huge leaf
// There is nothing to step down into: the fault retries for ever.

@@
symbol iter;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-	is_shadow_present_pte(iter.old_spte) && !is_large_pte(iter.old_spte)
+	is_shadow_present_pte(iter.old_spte)
	...>
 }
