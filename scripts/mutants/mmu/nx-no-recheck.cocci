// SPDX-License-Identifier: GPL-2.0
// Id: nx-no-recheck
// Title: a table is listed for NX recovery though it may be gone
// Class: race-recheck
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: R1 SPLAT
// Other: A1 Z1 T1
// History: 21a36ac6b6c7 "Re-check under lock that TDP MMU SP hugepage is disallowed"
// Case: tdp_mmu_race.unlinked_table_is_not_listed
// Reach: a fetch that links a table, which is zapped before it is listed

@@
symbol sp;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-			if (sp->nx_huge_page_disallowed)
				track_possible_nx_huge_page(...);
	...>
 }
