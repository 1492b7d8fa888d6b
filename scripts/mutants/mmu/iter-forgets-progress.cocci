// SPDX-License-Identifier: GPL-2.0
// Id: iter-forgets-progress
// Title: a walk that restarts begins where it began
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_frozen.error_restores_leaf
// Expect: P1 SPLAT
// Other: L1
// History: as "Fix yielding in TDP MMU": no forward progress
// Reach: a walk that yields

@@
symbol iter;
@@
 try_step_side(...)
 {
	<...
-	iter->next_last_level_gfn = iter->gfn;
	...>
 }
