// SPDX-License-Identifier: GPL-2.0
// Id: zap-without-rcu
// Title: leafs are zapped outside of an RCU read section
// Class: rcu
// Root: B
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_external.change_holds_locks
// Expect: R1 SPLAT
// Other: X1 X2 X3 A1 Z1 Z2 T1 L1 D1 S1 F1 F4 P1
// History: missing rcu_dereference and unmarked access in zap and removed-pt, 2021
// Reach: any zap of leaves
// mmu_lock is held for write, so that nothing breaks at once: page tables that a
// walk under mmu_lock held for read has unlinked may be freed under this one.

@@
@@
 tdp_mmu_zap_leafs(...)
 {
	...
-	rcu_read_lock();
	...
-	rcu_read_unlock();
	...
 }
