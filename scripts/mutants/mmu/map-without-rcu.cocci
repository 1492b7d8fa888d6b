// SPDX-License-Identifier: GPL-2.0
// Id: map-without-rcu
// Title: a fault walks outside of an RCU read section
// Class: rcu
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: SPLAT R1
// Other: X1 X2
// History: missing rcu_dereference and unmarked access, 2021
// Reach: any fault
// A table that is removed under mmu_lock held for read may be freed under the fault.

@@
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-	rcu_read_lock();
	...>
 }

@@
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-	rcu_read_unlock();
	...>
 }
