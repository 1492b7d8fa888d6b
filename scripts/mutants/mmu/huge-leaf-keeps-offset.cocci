// SPDX-License-Identifier: GPL-2.0
// Id: huge-leaf-keeps-offset
// Title: a recovered huge leaf begins where the first small page was
// Class: boundary
// Root: D
// File: arch/x86/kvm/mmu/spte.c
// Expect: S2 T1
// Other: SPLAT A1 L1 D1
// Reach: a recovery of a table whose first entry is empty

@@
symbol huge_spte, level;
@@
 make_huge_spte(...)
 {
	<...
-	huge_spte &= KVM_HPAGE_MASK(level) | ~PAGE_MASK;
	...>
 }
