// SPDX-License-Identifier: GPL-2.0
// Id: removed-table-still-counted
// Title: a page table that goes is not taken off the count
// Class: stat
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: A1
// Other: Z1 SPLAT
// Reach: any removal of a table

@@
symbol kvm, sp;
@@
 tdp_mmu_unlink_sp(...)
 {
	<...
-	tdp_unaccount_mmu_page(kvm, sp);
	...>
 }
