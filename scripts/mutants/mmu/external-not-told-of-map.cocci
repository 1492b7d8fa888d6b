// SPDX-License-Identifier: GPL-2.0
// Id: external-not-told-of-map
// Title: the external page table is not told of a leaf or table that comes
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: X1 X2
// Other: X3 A1 Z1 SPLAT F4 F2
// Reach: any fault on a mirror root

@@
symbol sp, was_present;
@@
 __handle_changed_spte(...)
 {
	<...
-	is_mirror_sp(sp)
+	is_mirror_sp(sp) && was_present
	...>
 }
