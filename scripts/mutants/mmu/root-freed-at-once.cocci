// SPDX-License-Identifier: GPL-2.0
// Id: root-freed-at-once
// Title: a root is freed without waiting for those who still walk it
// Class: rcu
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: R1
// Other: SPLAT
// History: the early version of edbdb43fc96b, syzbot+094a74444165dbcd3a54
// Case: tdp_mmu_zap.root_outlives_walkers
// Reach: the last reference to an invalid root beside lockless aging

@@
symbol root, tdp_mmu_free_sp_rcu_callback;
@@
 kvm_tdp_mmu_put_root(...)
 {
	<...
-	call_rcu(&root->rcu_head, tdp_mmu_free_sp_rcu_callback);
+	tdp_mmu_free_sp_rcu_callback(&root->rcu_head);
	...>
 }
