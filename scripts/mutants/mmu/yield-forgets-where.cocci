// SPDX-License-Identifier: GPL-2.0
// Id: yield-forgets-where
// Title: a walk that restarts does not note where it has yielded
// Class: retry
// Root: B
// File: arch/x86/kvm/mmu/tdp_iter.c
// Case: tdp_mmu_race.split_yields_to_notifier
// Expect: P1
// Other: SPLAT
// History: as "Fix yielding in TDP MMU", 20210112181041.356734-6
// Reach: two walks that both want mmu_lock

@@
symbol iter;
@@
 tdp_iter_restart(...)
 {
	<...
-	iter->yielded_gfn = iter->next_last_level_gfn;
	...>
 }
