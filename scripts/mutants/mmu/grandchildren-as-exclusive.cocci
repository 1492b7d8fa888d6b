// SPDX-License-Identifier: GPL-2.0
// Id: grandchildren-as-exclusive
// Title: tables below a removed one are taken apart as if nobody else were there
// Class: freeze
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.removed_entries_are_frozen
// Expect: SPLAT Z1 A1 X2 F3 R1
// Other: X1 X3 T1 Z2
// Reach: a table with tables below removed under mmu_lock held for read
// A fault in the lower table maps a page that nobody removes.

@@
symbol kvm, sp, gfn, old_spte, level, shared, false;
@@
 handle_removed_pt(...)
 {
	<...
-		handle_changed_spte(kvm, sp, gfn, old_spte, FROZEN_SPTE, level, shared);
+		handle_changed_spte(kvm, sp, gfn, old_spte, FROZEN_SPTE, level, false);
	...>
 }
