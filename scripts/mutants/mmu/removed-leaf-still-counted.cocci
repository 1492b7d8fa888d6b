// SPDX-License-Identifier: GPL-2.0
// Id: removed-leaf-still-counted
// Title: a leaf that goes is not taken off the statistics
// Class: stat
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.freeze_tell_unfreeze
// Expect: A1
// Other: Z1
// Reach: any zap

@@
symbol is_leaf, was_leaf;
@@
 __handle_changed_spte(...)
 {
	<...
-	if (is_leaf != was_leaf)
+	if (is_leaf && !was_leaf)
		kvm_update_page_stats(...);
	...>
 }
