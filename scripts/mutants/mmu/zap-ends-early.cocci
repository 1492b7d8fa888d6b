// SPDX-License-Identifier: GPL-2.0
// Id: zap-ends-early
// Title: a zap of leaves leaves out the last page of its range
// Class: boundary
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.zap_range_ends
// Expect: Z1
// Other: L1 A1
// Reach: any zap of a range

@@
symbol end;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
-	end = min(end, tdp_mmu_max_gfn_exclusive());
+	end = min(end, tdp_mmu_max_gfn_exclusive()) - 1;
	...>
 }
