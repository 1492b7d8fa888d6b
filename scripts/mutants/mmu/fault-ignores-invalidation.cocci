// SPDX-License-Identifier: GPL-2.0
// Id: fault-ignores-invalidation
// Title: a fault maps a page that the host has taken back meanwhile
// Class: race-recheck
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Expect: L1 Z1 H1 T1
// Other: SPLAT X1 X3 A1
// History: what mmu_invalidate_seq is for
// Reach: a fault beside a notifier or a conversion

@@
symbol fault, vcpu, false;
@@
 is_page_fault_stale(...)
 {
	<...
-	return fault->slot && mmu_invalidate_retry_gfn(vcpu->kvm, fault->mmu_seq, fault->gfn);
+	return false;
	...>
 }
