// SPDX-License-Identifier: GPL-2.0
// Id: zap-without-rcu
// Title: leafs are zapped outside of an RCU read section
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_external.change_holds_locks
// History: missing rcu_dereference and unmarked access in zap and removed-pt, 2021
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
