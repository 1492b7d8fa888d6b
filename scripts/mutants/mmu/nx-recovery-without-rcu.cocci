// SPDX-License-Identifier: GPL-2.0
// Id: nx-recovery-without-rcu
// Title: NX recovery zaps outside of an RCU read section
// Class: rcu
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT R1
// History: 33a3164161fc and its comment on RCU protection
// Reach: a fetch that splits, then NX recovery

@@
@@
 kvm_recover_nx_huge_pages(...)
 {
	<...
-	rcu_read_lock();
	...>
 }

@@
@@
 kvm_recover_nx_huge_pages(...)
 {
	<...
-	rcu_read_unlock();
	...>
 }
