// SPDX-License-Identifier: GPL-2.0
// Id: wrprot-without-rcu
// Title: a slot is write-protected outside of an RCU read section
// Class: rcu
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_leaf
// Expect: SPLAT R1
// History: missing rcu_dereference and unmarked access, 2021
// Reach: dirty log switched on

@@
@@
 wrprot_gfn_range(...)
 {
	<...
-	rcu_read_lock();
	...>
 }

@@
@@
 wrprot_gfn_range(...)
 {
	<...
-	rcu_read_unlock();
	...>
 }
