// SPDX-License-Identifier: GPL-2.0
// Id: yield-skips-entry
// Title: a walk that has yielded goes on with the next entry
// Class: retry
// Root: B
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_zap.yield_skips_nothing
// Expect: A1 Z1 Z2
// Other: X1 X2 X3 T1 R1 L1 D1 S1 F1 F4 P1 SPLAT
// History: 3a0f64de479c "Don't advance iterator after restart due to yielding", CVE-2021-47094
// Reach: any walk that yields
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
