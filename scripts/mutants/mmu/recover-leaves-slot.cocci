// SPDX-License-Identifier: GPL-2.0
// Id: recover-leaves-slot
// Title: a recovery looks at a huge page that is not all in its slot
// Class: boundary
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: SPLAT S2
// Other: A1 T1 Z1
// History: CVE-2024-26991 (lpage_info overflow) is the same class
// Case: tdp_mmu_fault.recover_stays_in_slot
// Reach: dirty log of a slot that begins or ends inside of a huge page
// What is known of the slot's huge pages is read before its beginning.

@@
symbol iter, start, end;
@@
 recover_huge_pages_range(...)
 {
	<...
-		if (iter.gfn < start || iter.gfn >= end)
-			continue;
	...>
 }
