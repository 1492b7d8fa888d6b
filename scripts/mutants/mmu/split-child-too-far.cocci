// SPDX-License-Identifier: GPL-2.0
// Id: split-child-too-far
// Title: the children of a split map one page further than the huge leaf did
// Class: boundary
// Root: B
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_split.split_makes_children
// Expect: S1
// Other: X1 X2 X3 A1 Z1 Z2 T1 R1 L1 D1 F1 F4 P1 SPLAT
// Reach: any split
// The class of a wrong index; a guest reads another page's memory.

@@
expression kvm, huge, role, i;
@@
-	make_small_spte(kvm, huge, role, i)
+	make_small_spte(kvm, huge, role, i + 1)
