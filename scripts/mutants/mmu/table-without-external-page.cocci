// SPDX-License-Identifier: GPL-2.0
// Id: table-without-external-page
// Title: a mirror table is linked without a page for the external one
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: SPLAT X2 X3
// Other: F4 X1 A1 Z1 P1
// Reach: any fault that links a mirror table

@@
symbol sp, vcpu;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
-		if (is_mirror_sp(sp))
-			kvm_mmu_alloc_external_spt(vcpu, sp);
	...>
 }
