// SPDX-License-Identifier: GPL-2.0
// Id: prefault-retries-on-dead-vm
// Title: a prefault retries for ever in a VM that KVM has given up
// Class: retry
// Root: M
// Kernel: 7.3
// File: arch/x86/kvm/mmu/mmu.c
// Expect: P1
// History: 70d77db6147b "Bail out kvm_tdp_map_page() when VM dead"
// Case: tdp_mmu_fault.prefault_ends_with_vm
// Reach: KVM_PRE_FAULT_MEMORY in a VM that is bugged

@@
symbol vcpu;
@@
 kvm_tdp_page_prefault(...)
 {
	<...
-		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
-			return -EIO;
	...>
 }
