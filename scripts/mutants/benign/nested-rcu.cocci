// SPDX-License-Identifier: GPL-2.0
// Id: nested-rcu
// Title: a fault takes the RCU read lock twice
// Class: rcu
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
@@
 kvm_tdp_mmu_map(...)
 {
	<...
+	rcu_read_lock();
	rcu_read_lock();
	...>
 }

@@
@@
 kvm_tdp_mmu_map(...)
 {
	<...
	rcu_read_unlock();
+	rcu_read_unlock();
	...>
 }
