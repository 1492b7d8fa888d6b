// SPDX-License-Identifier: GPL-2.0
// Id: nx-fault-keeps-huge-pfn
// Title: a fault that goes down a level keeps the huge page's first page
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: T1 SPLAT S1 A1
// Other: D1 S2 X1 Z1 L1
// History: the "patching back" in disallowed_hugepage_adjust()
// Reach: a fault below a table that the NX mitigation has made

@@
symbol fault, page_mask;
@@
 disallowed_hugepage_adjust(...)
 {
	<...
-		fault->pfn |= fault->gfn & page_mask;
	...>
 }
