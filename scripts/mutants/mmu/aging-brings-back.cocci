// SPDX-License-Identifier: GPL-2.0
// Id: aging-brings-back
// Title: aging writes the SPTE that it has read, whatever it is by now
// Class: race-recheck
// Root: D
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.age_loses_to_zap
// Expect: T1 R1 A1 Z1
// Other: X1 X2 X3 Z2 L1 D1 S1 F1 F4 P1 SPLAT
// History: as ba3a6120a4e7 "Use atomic XCHG to write TDP MMU SPTEs with volatile bits"
// Reach: aging beside a zap
// Aging takes no lock: a leaf that was zapped meanwhile is back, and its page was freed.

@@
symbol kvm, iter, new_spte;
@@
 kvm_tdp_mmu_age_spte(...)
 {
	<...
-	if (__tdp_mmu_set_spte_atomic(kvm, iter, new_spte))
-		return;
+	__kvm_tdp_mmu_write_spte(iter->sptep, new_spte);
	...>
 }
