// SPDX-License-Identifier: GPL-2.0
// Id: child-stays-large
// Title: the 4K children of a split have a huge page's bit
// Class: level
// Root: B
// File: arch/x86/kvm/mmu/spte.c
// Case: tdp_mmu_split.split_makes_children
// Expect: S1
// Other: SPLAT D1 A1 T1 X3 X1
// Reach: any split to 4K

@@
symbol child_spte;
@@
 make_small_spte(...)
 {
	<...
-		child_spte &= ~PT_PAGE_SIZE_MASK;
	...>
 }
