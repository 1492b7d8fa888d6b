// SPDX-License-Identifier: GPL-2.0
// Id: clear-dirty-retries-blindly
// Title: after a lost cmpxchg the dirty bit is cleared in whatever is there now
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_race.clear_dirty_and_split
// History: the re-check in clear_dirty_gfn_range(), fixes a6a0b05da9f3
// A leaf that was split meanwhile has become a table, whose entry has no dirty bit:
// what is flipped is a bit of its address or of nothing.

@@
symbol kvm, iter, dbit, retry;
@@
 clear_dirty_gfn_range(...)
 {
	<...
-	if (tdp_mmu_set_spte_atomic(kvm, &iter, iter.old_spte & ~dbit))
-		goto retry;
+	while (tdp_mmu_set_spte_atomic(kvm, &iter, iter.old_spte & ~dbit))
+		;
	...>
 }
