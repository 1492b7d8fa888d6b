// SPDX-License-Identifier: GPL-2.0
// Id: table-not-counted
// Title: a page table that is linked is not counted
// Class: stat
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: A1
// Other: Z1 SPLAT
// Reach: any fault or split that links a table

@@
symbol kvm, sp;
@@
 tdp_mmu_link_sp(...)
 {
	<...
-	tdp_account_mmu_page(kvm, sp);
	...>
 }
