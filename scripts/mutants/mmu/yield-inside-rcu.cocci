// SPDX-License-Identifier: GPL-2.0
// Id: yield-inside-rcu
// Title: mmu_lock is dropped in the middle of an RCU read section
// Class: rcu
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: SPLAT X4 R1
// Other: P1
// Reach: any walk that yields
// A thread that sleeps there holds up all frees, and RCU complains.

@@
@@
 tdp_mmu_iter_cond_resched(...)
 {
	<...
-	rcu_read_unlock();
	...>
 }

@@
@@
 tdp_mmu_iter_cond_resched(...)
 {
	<...
-	rcu_read_lock();
	...>
 }
