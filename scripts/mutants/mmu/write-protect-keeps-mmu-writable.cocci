// SPDX-License-Identifier: GPL-2.0
// Id: write-protect-keeps-mmu-writable
// Title: write protection leaves the SPTE MMU-writable
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_external.change_is_told_once
// Expect: D1 T1
// History: as 7c8a4742c4ab
// Reach: write protection of a GFN, and a write to it
// The fast page fault takes it for dirty logging and allows the write.

@@
symbol shadow_mmu_writable_mask;
@@
 write_protect_gfn(...)
 {
	<...
-	~(PT_WRITABLE_MASK | shadow_mmu_writable_mask)
+	~PT_WRITABLE_MASK
	...>
 }
