// SPDX-License-Identifier: GPL-2.0
// Id: lost-cmpxchg-keeps-old-spte
// Title: who loses the cmpxchg goes on with what he had read before
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_frozen.lost_cmpxchg_refreshes_old_spte
// History: "Update iter->old_spte if cmpxchg64 on mirror SPTE fails" (fixes 77ac7079e66d)
// A local retry compares with the same stale value for ever.

@@
symbol iter, new_spte;
expression S;
@@
 __tdp_mmu_set_spte_atomic(...)
 {
	<...
-	!try_cmpxchg64(S, &iter->old_spte, new_spte)
+	cmpxchg64(S, iter->old_spte, new_spte) != iter->old_spte
	...>
 }
