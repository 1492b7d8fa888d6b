// SPDX-License-Identifier: GPL-2.0
// Id: write-protect-trusts-dirty-log
// Title: a page that is not writable now is not write-protected for good
// Class: dirty
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_fault.write_protect_gfn_is_for_good
// Expect: D1 T1
// History: 7c8a4742c4ab "Fix write-protection of PTs mapped by the TDP MMU"
// Reach: write protection of a GFN that a dirty log has write-protected before
// Its MMU-writable bit stays, so that a fast page fault makes it writable again.

@@
symbol new_spte, iter;
@@
 write_protect_gfn(...)
 {
	<...
-		if (new_spte == iter.old_spte)
+		if (!(iter.old_spte & PT_WRITABLE_MASK))
			break;
	...>
 }
