// SPDX-License-Identifier: GPL-2.0
// Id: write-not-logged
// Title: a fault that makes a page writable does not say so in the dirty log
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/spte.c
// Case: tdp_mmu_fault.write_is_logged
// Expect: D1
// Reach: a write under a dirty log
// The page is missing in the log of a migration.

@@
symbol vcpu, slot, gfn;
@@
 make_spte(...)
 {
	<...
-		mark_page_dirty_in_slot(vcpu->kvm, slot, gfn);
	...>
 }
