// SPDX-License-Identifier: GPL-2.0
// Id: fault-overwrites-frozen
// Title: a fault does not look whether the SPTE is frozen
// Class: freeze
// Root: M
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.fault_meets_frozen
// Expect: F3 T1 X3 X1 SPLAT
// Other: X2 A1 Z1 Z2 R1 L1 D1 S1 F1 F4 P1
// History: f5d16bb9be68 "Don't attempt to map leaf if target SPTE is frozen"
// Reach: a fault in the frozen window of another, or of a removal
// The fault takes FROZEN for "not present" and puts its own leaf or table there;
// whoever had frozen the SPTE overwrites that in turn.

@@
symbol iter, retry;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-	if (is_frozen_spte(iter.old_spte))
-		goto retry;
	...>
 }
