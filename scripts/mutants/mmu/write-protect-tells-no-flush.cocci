// SPDX-License-Identifier: GPL-2.0
// Id: write-protect-tells-no-flush
// Title: write protection of a page does not ask for a flush
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_fault.write_protect_gfn_is_for_good
// Expect: L1 D1
// Reach: a write-protected GFN that is in a TLB

@@
symbol spte_set, true;
@@
 write_protect_gfn(...)
 {
	<...
-	spte_set = true;
	...>
 }
