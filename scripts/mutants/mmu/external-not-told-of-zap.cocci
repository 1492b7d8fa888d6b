// SPDX-License-Identifier: GPL-2.0
// Id: external-not-told-of-zap
// Title: the external page table is not told of a leaf that goes
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: X1
// Other: X2 X3 A1 Z1 SPLAT F4
// Reach: any zap of a mirror root
// The TDX module still maps the page, and the host uses it.

@@
symbol sp, is_present;
@@
 __handle_changed_spte(...)
 {
	<...
-	is_mirror_sp(sp)
+	is_mirror_sp(sp) && is_present
	...>
 }
