// SPDX-License-Identifier: GPL-2.0
// Id: root-never-put
// Title: a root that was zapped keeps the TDP MMU's reference
// Class: refcount
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: Z2
// Other: A1 Z1 SPLAT
// History: as a955cad84cda "Retry page fault if root is invalidated by memslot update"
// Reach: any invalidated root
// Its pages are never freed, and the VM's end warns.

@@
symbol kvm, root;
@@
 kvm_tdp_mmu_zap_invalidated_roots(...)
 {
	<...
-		kvm_tdp_mmu_put_root(kvm, root);
	...>
 }
