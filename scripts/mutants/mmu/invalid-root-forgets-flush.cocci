// SPDX-License-Identifier: GPL-2.0
// Id: invalid-root-forgets-flush
// Title: a zap in an invalid root makes the zap in a valid one go without its flush
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.unmap_flushes_beside_invalid_root
// Expect: L1
// Ops: map=10,unmap=10,prefault=3,invalidate_read=100
// Reach: a notifier while a fast zap has yielded
// Valid roots come first in the list, so what they ask for is forgotten again.

@@
symbol flush, root;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
-		if (!root->role.invalid)
-			flush = true;
+		flush = !root->role.invalid;
	...>
 }
