// SPDX-License-Identifier: GPL-2.0
// Id: root-put-before-zap
// Title: a root is given up before it is zapped
// Class: refcount
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: SPLAT Z2 R1
// Other: A1 Z1
// History: the comment in kvm_tdp_mmu_zap_invalidated_roots()
// Equivalent: the walk of roots has a reference of its own on the root until it goes on to
//   the next one (tdp_mmu_next_root()): the root stays listed while it is zapped
// Reach: an invalidated root that no vCPU uses any more
// It is out of the notifiers' reach, and may be freed, while it still maps pages.

@@
symbol kvm, root, shared;
@@
 kvm_tdp_mmu_zap_invalidated_roots(...)
 {
	<...
+		kvm_tdp_mmu_put_root(kvm, root);
		tdp_mmu_zap_root(kvm, root, shared);
-		kvm_tdp_mmu_put_root(kvm, root);
	...>
 }
