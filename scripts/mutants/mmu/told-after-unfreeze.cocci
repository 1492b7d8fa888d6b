// SPDX-License-Identifier: GPL-2.0
// Id: told-after-unfreeze
// Title: a mirror SPTE is unfrozen before the external page table is told
// Class: freeze
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: F2
// Other: F3 F4 X1 X2 X3 A1 Z1 T1 SPLAT
// Reach: any fault on a mirror root
// Another vCPU maps a child below an external table that is not there yet.

@@
symbol iter, new_spte, ret;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
+	if (is_mirror_sptep(iter->sptep))
+		__kvm_tdp_mmu_write_spte(iter->sptep, new_spte);
	ret = __handle_changed_spte(...);
	...>
 }
