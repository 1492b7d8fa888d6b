// SPDX-License-Identifier: GPL-2.0
// Id: fast-fault-not-logged
// Title: a fast page fault does not mark its page dirty
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: D1
// Case: tdp_mmu_fault.fast_fault_is_logged
// Reach: a write to a page that a dirty log has write-protected

@@
symbol new_spte, old_spte, vcpu, fault;
@@
 fast_pf_fix_direct_spte(...)
 {
	<...
-	if (is_writable_pte(new_spte) && !is_writable_pte(old_spte))
-		mark_page_dirty_in_slot(vcpu->kvm, fault->slot, fault->gfn);
	...>
 }
