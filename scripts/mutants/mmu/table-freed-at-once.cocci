// SPDX-License-Identifier: GPL-2.0
// Id: table-freed-at-once
// Title: a page table is freed without waiting for those who still walk it
// Class: rcu
// Root: B
// Quick: full
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.lockless_walk_and_free
// Expect: R1
// Other: X1 X2 X3 A1 Z1 Z2 T1 L1 D1 S1 F1 F4 P1 SPLAT
// History: the class of 2021-03's missing rcu_dereference(): what RCU is for here
// Reach: any removal of a table

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
