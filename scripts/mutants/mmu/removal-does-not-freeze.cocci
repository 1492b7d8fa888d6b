// SPDX-License-Identifier: GPL-2.0
// Id: removal-does-not-freeze
// Title: who removes a table under the shared lock leaves its entries non-present
// Class: freeze
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.removal_waits_for_owner
// Expect: Z1 A1 F3 T1 R1 X2
// Other: X1 X3 SPLAT F1 Z2
// History: the comment in handle_removed_pt() on values that other threads will not overwrite
// Reach: a table removed under mmu_lock held for read, and a fault that is still in it
// A fault that got into the table before it was unlinked maps its leaf there: nobody
// ever removes that one.

@@
symbol sptep;
@@
 handle_removed_pt(...)
 {
	<...
-	kvm_tdp_mmu_write_spte_atomic(sptep, FROZEN_SPTE)
+	kvm_tdp_mmu_write_spte_atomic(sptep, SHADOW_NONPRESENT_VALUE)
	...>
 }
