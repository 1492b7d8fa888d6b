// SPDX-License-Identifier: GPL-2.0
// Id: leaf-at-wrong-level
// Title: a fault whose walk has ended early maps its leaf where it stands
// Class: level
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: SPLAT S1 T1 X3
// Other: A1 F3 F4 X1 X2 Z1 D1 L1 P1
// History: 80a3e4ae962d "Map TDP MMU leaf SPTE iff target level is reached"
// Case: tdp_mmu_fault.walk_ends_early
// Reach: a fault that finds an upper entry frozen or replaced while it steps down
// A leaf of the wrong size, or in the place of a table.

@@
symbol iter, fault, retry;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-	WARN_ON_ONCE(iter.level == fault->goal_level);
-	goto retry;
	...>
 }

@@
symbol sp, fault;
@@
 tdp_mmu_map_handle_target_level(...)
 {
	<...
-	if (WARN_ON_ONCE(sp->role.level != fault->goal_level))
-		return RET_PF_RETRY;
	...>
 }
