// SPDX-License-Identifier: GPL-2.0
// Id: recover-ignores-limits
// Title: a recovery makes huge pages that nobody allows
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: S2 T1 H1
// Other: A1 SPLAT Z1 X1 X3
// History: as 9129633d568e "Prevent installing hugepages when mem attributes are changing"
// Reach: dirty log switched off with small host pages, or mixed attributes

@@
symbol max_mapping_level, iter;
@@
 recover_huge_pages_range(...)
 {
	<...
-		if (max_mapping_level < iter.level)
-			continue;
	...>
 }
