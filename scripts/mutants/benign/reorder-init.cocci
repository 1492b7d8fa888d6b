// SPDX-License-Identifier: GPL-2.0
// Id: reorder-init
// Title: fields of a new table are set in another order
// Class: reorder
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Nobody sees the table yet.

@@
symbol sp, role, gfn, sptep;
@@
 tdp_mmu_init_sp(...)
 {
	<...
-	sp->role = role;
	sp->gfn = gfn;
	sp->ptep = sptep;
+	sp->role = role;
	...>
 }
