// SPDX-License-Identifier: GPL-2.0
// Id: removal-waits-for-nobody
// Title: who removes a table does not wait for the owner of a frozen child
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_race.zap_waits_for_fault
// History: the loop in handle_removed_pt() and its comment
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
