// SPDX-License-Identifier: GPL-2.0
// Id: fast-fault-writes-huge
// Title: a fast page fault makes a huge page writable under a dirty log
// Class: level
// Root: D
// File: arch/x86/kvm/mmu/mmu.c
// Expect: D1
// Other: SPLAT
// Case: tdp_mmu_fault.fast_fault_leaves_huge_to_log
// Reach: a write to a huge page that a dirty log has write-protected
// One page is marked, 512 can be written.

@@
symbol sp, fault;
@@
 fast_page_fault(...)
 {
	<...
-			if (sp->role.level > PG_LEVEL_4K && kvm_slot_dirty_track_enabled(fault->slot))
-				break;
	...>
 }
