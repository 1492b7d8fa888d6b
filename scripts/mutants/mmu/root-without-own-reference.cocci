// SPDX-License-Identifier: GPL-2.0
// Id: root-without-own-reference
// Title: a new root has its vCPU's reference only
// Class: refcount
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_makes_children
// Expect: SPLAT Z2 R1
// Other: A1 Z1 X1
// History: edbdb43fc96b "Preserve TDP MMU roots until explicitly invalidated", the other way
// Reach: the last vCPU gives a root up

@@
symbol root;
@@
 kvm_tdp_mmu_alloc_root(...)
 {
	<...
-	refcount_set(&root->tdp_mmu_root_count, 2);
+	refcount_set(&root->tdp_mmu_root_count, 1);
	...>
 }
