// SPDX-License-Identifier: GPL-2.0
// Id: table-freed-at-once
// Title: a page table is freed without waiting for those who still walk it
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: tdp_mmu_race.lockless_walk_and_free
// History: the class of 2021-03's missing rcu_dereference(): what RCU is for here

@@
symbol sp;
@@
 handle_removed_pt(...)
 {
	<...
-	call_rcu(&sp->rcu_head, tdp_mmu_free_sp_rcu_callback);
+	tdp_mmu_free_sp_rcu_callback(&sp->rcu_head);
	...>
 }
