// SPDX-License-Identifier: GPL-2.0
// Id: fast-fault-allows-any-write
// Title: a fast page fault makes any leaf writable
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT T1 D1
// Other: S1
// History: the symptom of 7c8a4742c4ab: a write to a protected page is missed
// Case: tdp_mmu_fault.fast_fault_leaves_read_only
// Reach: a write to a page that is read-only for the host, or write-protected for good

@@
symbol fault, spte;
@@
 fast_page_fault(...)
 {
	<...
-	fault->write && is_mmu_writable_spte(spte)
+	fault->write
	...>
 }
