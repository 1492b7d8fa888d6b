// SPDX-License-Identifier: GPL-2.0
// Id: nx-list-unlocked
// Title: a table is listed for NX recovery without that list's lock
// Class: lock
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.unlinked_table_is_not_listed
// Expect: SPLAT R1
// Other: A1 Z1
// History: 50a9ac25985c and 21a36ac6b6c7: what tdp_mmu_pages_lock is for
// Reach: two fetches that split, or one beside NX recovery

@@
symbol kvm;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-			spin_lock(&kvm->arch.tdp_mmu_pages_lock);
	...>
 }

@@
symbol kvm;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-			spin_unlock(&kvm->arch.tdp_mmu_pages_lock);
	...>
 }
