// SPDX-License-Identifier: GPL-2.0
// Id: invalid-root-not-scheduled
// Title: an invalidated root is not noted for zapping
// Class: root
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_makes_children
// Expect: Z2
// Other: A1 Z1 SPLAT L1
// Reach: any invalidated root

@@
symbol root, true;
@@
 kvm_tdp_mmu_invalidate_roots(...)
 {
	<...
-			root->tdp_mmu_scheduled_root_to_zap = true;
	...>
 }
