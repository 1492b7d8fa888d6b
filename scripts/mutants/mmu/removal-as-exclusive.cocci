// SPDX-License-Identifier: GPL-2.0
// Id: removal-as-exclusive
// Title: a table is always taken apart as if nobody else were there
// Class: freeze
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.removal_waits_for_owner
// Expect: Z1 A1 X2 F3 R1 SPLAT
// Other: X1 X3 T1 Z2
// Reach: a table removed under mmu_lock held for read beside a fault in it

@@
symbol kvm, old_spte, level, shared, false;
@@
 __handle_changed_spte(...)
 {
	<...
-	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), shared);
+	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), false);
	...>
 }
