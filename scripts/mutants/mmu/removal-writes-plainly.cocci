// SPDX-License-Identifier: GPL-2.0
// Id: removal-writes-plainly
// Title: a removed table's entries are written without looking what they are by then
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: D1
// Other: T1
// History: ba3a6120a4e7 "Use atomic XCHG to write TDP MMU SPTEs with volatile bits"
// Case: tdp_mmu_fault.removal_sees_guest_write
// Reach: a table zapped under mmu_lock held for write while the guest writes
// The dirty bit that the CPU sets between reading and writing is lost.

@@
symbol old_spte, sptep, level;
@@
 handle_removed_pt(...)
 {
	<...
-			old_spte = kvm_tdp_mmu_write_spte(sptep, old_spte, FROZEN_SPTE, level);
+			__kvm_tdp_mmu_write_spte(sptep, FROZEN_SPTE);
	...>
 }
