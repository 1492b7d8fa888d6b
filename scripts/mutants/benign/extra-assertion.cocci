// SPDX-License-Identifier: GPL-2.0
// Id: extra-assertion
// Title: a fault asserts that mmu_lock is held for read
// Class: check
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
symbol kvm, vcpu, fault;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
+	lockdep_assert_held_read(&kvm->mmu_lock);
	kvm_mmu_hugepage_adjust(vcpu, fault);
	...>
 }
