// SPDX-License-Identifier: GPL-2.0
// Id: fault-compares-seq-as-int
// Title: a fault keeps half of the number of invalidations, and takes it for negative
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Case: tdp_mmu_fault.stale_by_invalidations
// Expect: P1
// History: ba6e3fe25543 "Grab mmu_invalidate_seq in kvm_faultin_pfn()", which mended by the way
//   what a955cad84cda had brought: is_page_fault_stale(..., int mmu_seq)
// Reach: a fault in a VM that has seen 2^31 notifiers and conversions
// It is stale whatever happens, and retries for ever.

@@
symbol vcpu, fault;
@@
 is_page_fault_stale(...)
 {
	<...
-	mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, fault->gfn)
+	mmu_invalidate_retry_gfn(vcpu->kvm, (int)fault->mmu_seq, fault->gfn)
	...>
 }
