// SPDX-License-Identifier: GPL-2.0
// Id: yield-before-flush
// Title: mmu_lock is dropped with a flush pending
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_zap.flush_precedes_yield
// History: a835429cda91 "Ensure TLBs are flushed when yielding during GFN range zap"
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
