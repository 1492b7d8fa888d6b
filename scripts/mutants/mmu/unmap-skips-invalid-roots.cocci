// SPDX-License-Identifier: GPL-2.0
// Id: unmap-skips-invalid-roots
// Title: the host takes pages back that an invalid root still maps
// Class: root
// Root: D
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.unmap_reaches_invalid_root
// Expect: Z1
// Other: X1 X2 X3 A1 Z2 T1 R1 L1 D1 S1 F1 F4 P1 SPLAT
// History: d62007edf01f "Zap _all_ roots when unmapping gfn range"
// Reach: a notifier while a fast zap has yielded
// A root that is being zapped may have yielded: its SPTEs are still there, and would
// set bits of pages that are somebody else's by then.

@@
expression F;
symbol types;
@@
kvm_tdp_mmu_unmap_gfn_range(...)
{
<...
- types = F | KVM_INVALID_ROOTS;
+ types = F;
...>
}
