// SPDX-License-Identifier: GPL-2.0
// Id: fault-overwrites-frozen
// Title: a fault does not look whether the SPTE is frozen
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_frozen.fault_meets_frozen
// History: f5d16bb9be68 "Don't attempt to map leaf if target SPTE is frozen"
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
