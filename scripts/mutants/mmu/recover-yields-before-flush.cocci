// SPDX-License-Identifier: GPL-2.0
// Id: recover-yields-before-flush
// Title: a recovery drops mmu_lock with a flush pending
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: L1 R1
// Other: S2
// History: as a835429cda91 "Ensure TLBs are flushed when yielding during GFN range zap"
// Reach: recovery of more than one huge page that has to yield

@@
symbol kvm, iter, flush, true, false;
@@
 recover_huge_pages_range(...)
 {
	<...
-	tdp_mmu_iter_cond_resched(kvm, &iter, flush, true)
+	tdp_mmu_iter_cond_resched(kvm, &iter, false, true)
	...>
 }
