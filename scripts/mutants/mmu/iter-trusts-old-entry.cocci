// SPDX-License-Identifier: GPL-2.0
// Id: iter-trusts-old-entry
// Title: a walk steps down by what the entry was when it got there
// Class: race-recheck
// Root: B
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: R1 A1 T1 Z1 SPLAT
// Other: X1 X2 X3 F3 D1 S1 L1
// History: the comment in try_step_down() on tables that are no longer linked
// Reach: a walk under mmu_lock held for read, or none, beside a removal

@@
symbol iter, child_pt;
@@
 try_step_down(...)
 {
	<...
-	iter->old_spte = kvm_tdp_mmu_read_spte(iter->sptep);
	child_pt = spte_to_child_pt(...);
	...>
 }
