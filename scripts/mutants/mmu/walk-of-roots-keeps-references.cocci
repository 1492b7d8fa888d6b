// SPDX-License-Identifier: GPL-2.0
// Id: walk-of-roots-keeps-references
// Title: a walk over the roots never gives up the one before
// Class: refcount
// Root: B
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: Z2
// Other: A1 Z1 SPLAT
// Reach: anything that walks over the roots

@@
symbol prev_root, kvm;
@@
 tdp_mmu_next_root(...)
 {
	<...
-	if (prev_root)
-		kvm_tdp_mmu_put_root(kvm, prev_root);
	...>
 }
