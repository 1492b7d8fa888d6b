// SPDX-License-Identifier: GPL-2.0
// Id: root-list-unlocked
// Title: a root leaves the list of roots without the lock of that list
// Class: lock
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: SPLAT
// Other: R1 Z2
// Case: tdp_mmu_race.two_vcpus_make_roots
// Reach: two roots put, or one put and one made, at the same time under mmu_lock for read
// Two writers of one list: corruption, once in a long while.

@@
symbol kvm;
@@
 kvm_tdp_mmu_put_root(...)
 {
	<...
-	spin_lock(&kvm->arch.tdp_mmu_pages_lock);
	...>
 }

@@
symbol kvm;
@@
 kvm_tdp_mmu_put_root(...)
 {
	<...
-	spin_unlock(&kvm->arch.tdp_mmu_pages_lock);
	...>
 }
