// SPDX-License-Identifier: GPL-2.0
// Id: mirror-promote-holes
// Title: a mirror table is promoted although some of its children are not present
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: S2 X3
// Other: F4 X1 X2 Z1 A1 T1 P1 SPLAT
// What is right for a direct root, whose missing children would only have to be
// faulted in: the TDX module can merge 512 mapped leafs, and nothing less.

@@
symbol root, kvm, iter, huge_spte;
@@
 recover_huge_pages_range(...)
 {
	<...
-	if (is_mirror_sp(root) && !tdp_mmu_can_promote(kvm, &iter, huge_spte))
+	if (is_mirror_sp(root) && !tdp_mmu_can_promote(kvm, &iter, huge_spte) &&
+	    !is_shadow_present_pte(huge_spte))
		continue;
	...>
 }
