// SPDX-License-Identifier: GPL-2.0
// Id: yield-at-same-place
// Title: a walk yields again where it has yielded before
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.split_yields_to_notifier
// Expect: P1
// Other: SPLAT
// History: "Fix yielding in TDP MMU", 20210112181041.356734-6, lineage 1af4a96025b3
// Reach: two walks that both want mmu_lock
// Two threads hand mmu_lock to each other for ever.

@@
symbol iter, true;
@@
 tdp_mmu_iter_need_resched(...)
 {
	<...
-	return iter->next_last_level_gfn != iter->yielded_gfn;
+	return true;
	...>
 }
