// SPDX-License-Identifier: GPL-2.0
// Id: root-stays-listed
// Title: a root that is freed stays in the list of roots
// Class: refcount
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: Z2 R1 SPLAT
// Other: A1 Z1 F1 T1
// Reach: the last reference to any root

@@
symbol root;
@@
 kvm_tdp_mmu_put_root(...)
 {
	<...
-	list_del_rcu(&root->link);
	...>
 }
