// SPDX-License-Identifier: GPL-2.0
// Id: yield-skips-entry
// Title: a walk that has yielded goes on with the next entry
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_iter.c
// Expect: tdp_mmu_zap.yield_skips_nothing
// History: 3a0f64de479c "Don't advance iterator after restart due to yielding", CVE-2021-47094
// The walk has begun anew at the top, with the entry that it has not got to, and skips
// it: where this is the root's, the tables below are never freed.

@@
expression I;
@@
tdp_iter_next(...)
{
<...
  tdp_iter_restart(I);
- return;
...>
}
