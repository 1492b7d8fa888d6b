// SPDX-License-Identifier: GPL-2.0
// Id: fault-maps-into-invalid-root
// Title: a fault does not look whether its root was invalidated meanwhile
// Class: race-recheck
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT Z1 Z2
// Other: A1 L1 X1
// History: a955cad84cda "Retry page fault if root is invalidated by memslot update"
// Reach: a fault beside a memslot's end

@@
symbol sp, vcpu, true;
@@
 is_page_fault_stale(...)
 {
	<...
-	if (sp && is_obsolete_sp(vcpu->kvm, sp))
-		return true;
	...>
 }
