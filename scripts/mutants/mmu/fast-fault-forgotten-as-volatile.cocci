// SPDX-License-Identifier: GPL-2.0
// Id: fast-fault-forgotten-as-volatile
// Title: a write-protected SPTE is thought to stay so without mmu_lock
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/spte.c
// Case: tdp_mmu_race.clear_masked_and_fast_fault
// Expect: D1 T1
// Other: A1 S1 L1
// History: the comment in spte_needs_atomic_update() on the fast page fault
// Reach: a fast page fault during a change under mmu_lock held for write
// A zap overwrites an SPTE that has just become writable, and reports it read-only.

@@
symbol spte, true;
@@
 spte_needs_atomic_update(...)
 {
	<...
-	if (!is_writable_pte(spte) && is_mmu_writable_spte(spte))
-		return true;
	...>
 }
