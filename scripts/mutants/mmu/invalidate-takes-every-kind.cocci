// SPDX-License-Identifier: GPL-2.0
// Id: invalidate-takes-every-kind
// Title: a memslot's end invalidates mirror roots, too
// Class: root
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.zap_invalidated_empties_root
// Expect: Z1 SPLAT X1 H1
// Other: A1 Z2 X2 X3 X4
// Reach: a memslot that is deleted or moved
// Private memory is gone from the mirror: the guest's content is lost.

@@
symbol root, root_types;
@@
 kvm_tdp_mmu_invalidate_roots(...)
 {
	<...
-		if (!tdp_mmu_root_match(root, root_types))
-			continue;
	...>
 }
