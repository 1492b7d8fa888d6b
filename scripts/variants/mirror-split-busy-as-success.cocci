// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split-busy-as-success
// Title: a refused external split is taken for success
// Base: mirror-split
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: F4 S1 A1
// Other: X1 P1 SPLAT
// The SPTE stays huge, and KVM counts 512 small pages and a page table that is
// linked nowhere.

@@
symbol ret;
@@
 tdp_mmu_iter_link_spte(...)
 {
	<...
	if (ret)
-		return ret;
+		return 0;
	...>
 }
