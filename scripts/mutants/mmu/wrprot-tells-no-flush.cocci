// SPDX-License-Identifier: GPL-2.0
// Id: wrprot-tells-no-flush
// Title: write protection of a slot does not ask for a flush
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_race.wrprot_and_guest_write
// Expect: L1 D1
// Reach: dirty log switched on while vCPUs have the pages in their TLBs
// vCPUs go on writing by their TLBs, and the log knows nothing of it.

@@
symbol spte_set, true;
@@
 wrprot_gfn_range(...)
 {
	<...
-	spte_set = true;
	...>
 }
