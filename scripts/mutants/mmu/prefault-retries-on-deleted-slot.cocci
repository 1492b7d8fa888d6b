// SPDX-License-Identifier: GPL-2.0
// Id: prefault-retries-on-deleted-slot
// Title: a prefault retries for as long as its memslot is being deleted
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Case: tdp_mmu_fault.prefault_gives_up_deleted_slot
// Expect: P1
// History: 3ccbf6f47098 (prefault against slot deletion)
// Reach: KVM_PRE_FAULT_MEMORY beside the end of its memslot
// It holds SRCU, which the deletion waits for.

@@
symbol fault;
@@
 kvm_mmu_faultin_pfn(...)
 {
	<...
-		if (fault->prefetch)
-			return -EAGAIN;
	...>
 }
