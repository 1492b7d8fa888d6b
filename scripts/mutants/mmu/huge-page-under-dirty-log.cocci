// SPDX-License-Identifier: GPL-2.0
// Id: huge-page-under-dirty-log
// Title: a fault maps a huge page although a dirty log is on
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT D1
// Case: tdp_mmu_fault.small_under_dirty_log
// Reach: a fault under a dirty log

@@
symbol slot;
@@
 kvm_mmu_hugepage_adjust(...)
 {
	<...
-	if (kvm_slot_dirty_track_enabled(slot))
-		return;
	...>
 }
