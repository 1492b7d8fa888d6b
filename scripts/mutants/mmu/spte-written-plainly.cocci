// SPDX-License-Identifier: GPL-2.0
// Id: spte-written-plainly
// Title: an SPTE with volatile bits is written without an exchange
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/tdp_iter.h
// Case: tdp_mmu_fault.removal_sees_guest_write
// Expect: D1 T1
// Other: A1 S1 L1
// History: ba3a6120a4e7 "Use atomic XCHG to write TDP MMU SPTEs with volatile bits"
// Reach: a change under mmu_lock held for write while the guest writes
// What the CPU, or a fast page fault, made of the SPTE since it was read is lost.

@@
symbol old_spte, level, sptep, new_spte;
@@
 kvm_tdp_mmu_write_spte(...)
 {
	<...
-	if (kvm_tdp_mmu_spte_need_atomic_update(old_spte, level))
-		return kvm_tdp_mmu_write_spte_atomic(sptep, new_spte);
	...>
 }
