// SPDX-License-Identifier: GPL-2.0
// Id: lost-cmpxchg-keeps-old-spte
// Title: who loses the cmpxchg goes on with what he had read before
// Class: retry
// Root: B
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.lost_cmpxchg_refreshes_old_spte
// Expect: P1 T1
// Other: X1 X2 X3 A1 Z1 Z2 R1 L1 D1 S1 F1 F4 SPLAT
// History: 02eaaffdd865 "Update iter->old_spte if cmpxchg64 on mirror SPTE fails" (fixes
//   77ac7079e66d)
// Reach: two faults on one SPTE; a dirty log beside the CPU
// A local retry compares with the same stale value for ever.

@@
symbol iter, new_spte;
expression S;
@@
 __tdp_mmu_set_spte_atomic(...)
 {
	<...
-	!try_cmpxchg64(S, &iter->old_spte, new_spte)
+	cmpxchg64(S, iter->old_spte, new_spte) != iter->old_spte
	...>
 }
