// SPDX-License-Identifier: GPL-2.0
// Id: zap-goes-on
// Title: a zap of leaves takes the first page behind its range along
// Class: boundary
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.zap_range_ends
// Expect: Z1
// Other: X1 X2 X3 H1
// Reach: any zap of a range

@@
symbol end;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
-	end = min(end, tdp_mmu_max_gfn_exclusive());
+	end = min(end + 1, tdp_mmu_max_gfn_exclusive());
	...>
 }
