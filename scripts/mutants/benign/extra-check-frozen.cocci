// SPDX-License-Identifier: GPL-2.0
// Id: extra-check-frozen
// Title: a change of an SPTE refuses one that is frozen once more
// Class: check
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Those who get there with one are warned about already.

@@
symbol iter, ret, kvm, new_spte;
@@
 tdp_mmu_set_spte_atomic(...)
 {
	<...
+	if (unlikely(is_frozen_spte(iter->old_spte)))
+		return -EBUSY;
	if (is_mirror_sptep(iter->sptep))
		ret = __tdp_mmu_set_spte_atomic(kvm, iter, FROZEN_SPTE);
	else
		ret = __tdp_mmu_set_spte_atomic(kvm, iter, new_spte);
	...>
 }
