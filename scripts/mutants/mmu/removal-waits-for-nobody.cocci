// SPDX-License-Identifier: GPL-2.0
// Id: removal-waits-for-nobody
// Title: who removes a table does not wait for the owner of a frozen child
// Class: freeze
// Root: M
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.zap_waits_for_fault
// Expect: F3 X1 X2 A1 Z1 SPLAT
// Other: X3 Z2 T1 R1 L1 D1 S1 F1 F4 P1
// History: the loop in handle_removed_pt() and its comment
// Reach: a table removed under mmu_lock held for read beside a fault in it
// The owner writes its leaf into a table that is gone, and the page that it maps is
// never removed from the external page table.

@@
symbol old_spte;
@@
 handle_removed_pt(...)
 {
	<...
-	if (!is_frozen_spte(old_spte))
-		break;
+	break;
	...>
 }
