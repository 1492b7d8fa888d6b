// SPDX-License-Identifier: GPL-2.0
// Id: split-goes-on
// Title: a split goes on with what it saw before it dropped mmu_lock
// Class: race-recheck
// Root: D
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_starts_again
// Expect: S1 A1 R1 T1 Z1
// Other: X1 X2 X3 Z2 L1 D1 F1 F4 P1 SPLAT
// History: as 3a0f64de479c, where the memory for the new table is allocated
// Reach: a split beside a zap while memory is allocated
// The leaf may have been zapped and its page given back meanwhile, or the table that
// it was in been freed.

@@

symbol iter, true;
@@
tdp_mmu_split_huge_pages_root(...)
{
<...
  rcu_read_lock();
- iter.yielded = true;
- continue;
...>
}
