// SPDX-License-Identifier: GPL-2.0
// Id: split-goes-on
// Title: a split goes on with what it saw before it dropped mmu_lock
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_split.split_starts_again
// History: as 3a0f64de479c, where the memory for the new table is allocated
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
