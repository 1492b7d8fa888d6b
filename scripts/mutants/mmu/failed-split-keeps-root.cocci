// SPDX-License-Identifier: GPL-2.0
// Id: failed-split-keeps-root
// Title: a split without memory keeps its reference to the root
// Class: refcount
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_without_memory
// Expect: Z2
// Other: A1 Z1 SPLAT
// Reach: a split whose allocation fails

@@
symbol kvm, root;
@@
 kvm_tdp_mmu_try_split_huge_pages(...)
 {
	<...
-			kvm_tdp_mmu_put_root(kvm, root);
			break;
	...>
 }
