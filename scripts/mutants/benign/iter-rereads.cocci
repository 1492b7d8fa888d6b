// SPDX-License-Identifier: GPL-2.0
// Id: iter-rereads
// Title: a walk reads an entry twice before it steps aside
// Class: reorder
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_iter.c

@@
symbol iter;
@@
 try_step_side(...)
 {
	<...
	iter->old_spte = kvm_tdp_mmu_read_spte(iter->sptep);
+	iter->old_spte = kvm_tdp_mmu_read_spte(iter->sptep);
	...>
 }
