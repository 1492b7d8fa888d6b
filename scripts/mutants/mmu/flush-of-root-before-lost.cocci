// SPDX-License-Identifier: GPL-2.0
// Id: flush-of-root-before-lost
// Title: a zap of many roots asks for a flush only if the last one needs it
// Class: flush
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.zap_removes_leafs
// Expect: L1
// Other: D1
// Reach: a zap of a range that is mapped in the first root of two

@@
symbol kvm, root, start, end, true, flush, false;
@@
 kvm_tdp_mmu_zap_leafs(...)
 {
	<...
-	tdp_mmu_zap_leafs(kvm, root, start, end, true, flush)
+	tdp_mmu_zap_leafs(kvm, root, start, end, true, false)
	...>
 }
