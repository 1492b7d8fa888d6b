// SPDX-License-Identifier: GPL-2.0
// Id: wrprot-ends-early
// Title: write protection leaves out the last page of a slot
// Class: boundary
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_fault.wrprot_covers_slot
// Expect: D1
// Other: SPLAT
// Reach: dirty log switched on

@@
symbol slot;
@@
 kvm_tdp_mmu_wrprot_slot(...)
 {
	<...
-	slot->base_gfn + slot->npages
+	slot->base_gfn + slot->npages - 1
	...>
 }
