// SPDX-License-Identifier: GPL-2.0
// Id: wrprot-retries-blindly
// Title: after a lost cmpxchg the SPTE becomes what was to be made of the one before
// Class: race-recheck
// Root: D
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.wrprot_and_guest_write
// Expect: D1 T1 A1
// Other: X1 X2 X3 Z1 Z2 R1 L1 S1 F1 F4 P1 SPLAT
// History: the re-check after a lost cmpxchg, as in 3354ef5a592d for clear_dirty_gfn_range()
// Reach: dirty log switched on beside the guest's writes
// A dirty bit that the CPU has set meanwhile is lost; a leaf that was split meanwhile
// is back in the place of its table.

@@
symbol kvm, iter, new_spte, retry;
@@
 wrprot_gfn_range(...)
 {
	<...
-	if (tdp_mmu_set_spte_atomic(kvm, &iter, new_spte))
-		goto retry;
+	while (tdp_mmu_set_spte_atomic(kvm, &iter, new_spte))
+		if (!kvm)
+			goto retry;
	...>
 }
