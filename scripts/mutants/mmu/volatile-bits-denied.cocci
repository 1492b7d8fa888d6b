// SPDX-License-Identifier: GPL-2.0
// Id: volatile-bits-denied
// Title: no SPTE is thought to have bits that change by themselves
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/spte.c
// Case: tdp_mmu_fault.removal_sees_guest_write
// Expect: D1 T1
// Other: A1 S1 L1
// History: 7c8a4742c4ab's neighbourhood: spte_has_volatile_bits() and its exceptions
// Reach: a change under mmu_lock held for write while the guest writes
// The same as writing plainly, by way of the question.

@@
symbol spte, shadow_dirty_mask, false;
@@
 spte_needs_atomic_update(...)
 {
	<...
-	return is_writable_pte(spte) && !(spte & shadow_dirty_mask);
+	return false;
	...>
 }
