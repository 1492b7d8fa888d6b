// SPDX-License-Identifier: GPL-2.0
// Id: mixed-attributes-ignored
// Title: a huge page is allowed where memory attributes differ
// Class: level
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Expect: H1 Z1 X1
// Other: L1 SPLAT T1
// History: 9129633d568e "Prevent installing hugepages when mem attributes are changing"
// Case: tdp_mmu_fault.mixed_attributes_forbid_huge
// Reach: a conversion of a part of a huge page, and a fault on the other

@@
symbol slot, gfn, level;
@@
 kvm_arch_post_set_memory_attributes(...)
 {
	<...
-	hugepage_set_mixed(slot, gfn, level);
+	;
	...>
 }
