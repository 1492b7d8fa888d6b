// SPDX-License-Identifier: GPL-2.0
// Id: nx-zap-of-any-table
// Title: NX recovery zaps whatever has taken its table's place
// Class: race-recheck
// Root: D
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.zap_meets_frozen_table
// Expect: T1 R1 A1 SPLAT F3
// Other: X1 X2 X3 Z1 Z2 L1 D1 S1 F1 F4 P1
// History: what kvm_tdp_mmu_zap_possible_nx_huge_page() guards against, since 6.18
// Reach: NX recovery beside a zap or a recovery
// Under mmu_lock held for read the SPTE may be frozen by now, or link another table.

@@
symbol sp, iter, false;
typedef tdp_ptep_t;
@@
 kvm_tdp_mmu_zap_possible_nx_huge_page(...)
 {
	<...
-	if ((tdp_ptep_t)sp->spt != spte_to_child_pt(iter.old_spte, iter.level))
+	if (iter.old_spte == SHADOW_NONPRESENT_VALUE)
		return false;
	...>
 }
