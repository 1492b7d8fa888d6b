// SPDX-License-Identifier: GPL-2.0
// Id: split-child-too-far
// Title: the children of a split map one page further than the huge leaf did
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_split.split_makes_children
// The class of a wrong index; a guest reads another page's memory.

@@
expression kvm, huge, role, i;
@@
-	make_small_spte(kvm, huge, role, i)
+	make_small_spte(kvm, huge, role, i + 1)
