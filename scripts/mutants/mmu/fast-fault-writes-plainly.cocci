// SPDX-License-Identifier: GPL-2.0
// Id: fast-fault-writes-plainly
// Title: a fast page fault writes its SPTE whatever it is by then
// Class: race-recheck
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: T1 A1 Z1 R1 D1
// Other: L1 X1 S1 SPLAT F3
// History: as ba3a6120a4e7, the other side
// Case: tdp_mmu_fault.fast_fault_loses_to_zap
// Reach: a fast page fault beside a zap, a split, an aging
// A zapped page is mapped again, and no lock is held.

@@
symbol sptep, old_spte, new_spte, false;
@@
 fast_pf_fix_direct_spte(...)
 {
	<...
-	if (!try_cmpxchg64(sptep, &old_spte, new_spte))
-		return false;
+	WRITE_ONCE(*sptep, new_spte);
	...>
 }
