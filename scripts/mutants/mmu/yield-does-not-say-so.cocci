// SPDX-License-Identifier: GPL-2.0
// Id: yield-does-not-say-so
// Title: a walk that has yielded goes on in tables that may be gone
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_yields
// Expect: R1 A1 Z1 T1 SPLAT
// Other: X1 X2 X3 F3 P1 L1 Z2 S1 D1
// History: 3a0f64de479c's lineage: what iter->yielded is for
// Reach: a walk that yields to one who removes its tables

@@
symbol iter, true;
@@
 tdp_mmu_iter_cond_resched(...)
 {
	<...
-	iter->yielded = true;
	...>
 }
