// SPDX-License-Identifier: GPL-2.0
// Id: yield-before-flush
// Title: mmu_lock is dropped with a flush pending
// Class: flush
// Root: B
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.flush_precedes_yield
// Expect: L1
// Other: X1 X2 X3 A1 Z1 Z2 T1 R1 D1 S1 F1 F4 P1 SPLAT
// History: a835429cda91 "Ensure TLBs are flushed when yielding during GFN range zap"
// Reach: a zap of leaves that yields
// Who gets mmu_lock then believes that what is not mapped is not in any TLB either.

@@
expression K, I, F;
symbol false;
@@
tdp_mmu_zap_leafs(...)
{
<...
- tdp_mmu_iter_cond_resched(K, I, F, false)
+ tdp_mmu_iter_cond_resched(K, I, false, false)
...>
}
