// SPDX-License-Identifier: GPL-2.0
// Id: reorder-checks
// Title: two independent checks change places
// Class: reorder
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
symbol iter;
@@
 wrprot_gfn_range(...)
 {
	<...
-	!is_shadow_present_pte(iter.old_spte) || !is_last_spte(iter.old_spte, iter.level) || !(iter.old_spte & PT_WRITABLE_MASK)
+	!(iter.old_spte & PT_WRITABLE_MASK) || !is_shadow_present_pte(iter.old_spte) || !is_last_spte(iter.old_spte, iter.level)
	...>
 }
