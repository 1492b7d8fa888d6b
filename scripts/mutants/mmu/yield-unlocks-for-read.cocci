// SPDX-License-Identifier: GPL-2.0
// Id: yield-unlocks-for-read
// Title: a zap that yields gives back a lock that it holds for write as one for read
// Class: lock
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.yield_skips_nothing
// Expect: SPLAT
// Other: X4 P1 R1 A1 X1 Z1 T1 F1
// Reach: a zap of leaves that yields

@@
symbol kvm, iter, flush, false, true;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
-	tdp_mmu_iter_cond_resched(kvm, &iter, flush, false)
+	tdp_mmu_iter_cond_resched(kvm, &iter, flush, true)
	...>
 }
