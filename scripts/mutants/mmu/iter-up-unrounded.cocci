// SPDX-License-Identifier: GPL-2.0
// Id: iter-up-unrounded
// Title: a walk that steps up keeps the lower table's address
// Class: level
// Root: B
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_frozen.frozen_stays_frozen
// Expect: SPLAT Z1 A1 S1
// Other: X1 X3 T1 L1 D1 Z2 X2 H1 S2
// Reach: a walk that ends one table and goes on in the next

@@
symbol iter;
@@
 try_step_up(...)
 {
	<...
-	iter->gfn = gfn_round_for_level(iter->gfn, iter->level);
	...>
 }
