// SPDX-License-Identifier: GPL-2.0
// Id: nx-zap-of-any-table
// Title: NX recovery zaps whatever has taken its table's place
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_race.zap_meets_frozen_table
// History: what kvm_tdp_mmu_zap_possible_nx_huge_page() guards against, since 6.18
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
