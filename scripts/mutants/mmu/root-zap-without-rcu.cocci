// SPDX-License-Identifier: GPL-2.0
// Id: root-zap-without-rcu
// Title: a root is zapped outside of an RCU read section
// Class: rcu
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: SPLAT R1
// Other: X1 X2
// History: missing rcu_dereference and unmarked access, 2021
// Reach: the end of a memslot, of a VM

@@
@@
 tdp_mmu_zap_root(...)
 {
	<...
-	rcu_read_lock();
	...>
 }

@@
@@
 tdp_mmu_zap_root(...)
 {
	<...
-	rcu_read_unlock();
	...>
 }
