// SPDX-License-Identifier: GPL-2.0
// Id: fault-flushes-one-page
// Title: a fault that replaces a table by a huge leaf flushes its first page only
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_fault.huge_over_table_flushes
// History: 574c3c55e969 "Fix TLB flush range when handling disconnected pt": the same range,
//   of a table that goes, and its wrong part
// Reach: a fault that maps a huge page where small ones are, in a guest of Hyper-V
// vCPUs keep the way through the table, which is freed.

@@
symbol vcpu, iter;
@@
 tdp_mmu_map_handle_target_level(...)
 {
	<...
-	kvm_flush_remote_tlbs_gfn(vcpu->kvm, iter->gfn, iter->level)
+	kvm_flush_remote_tlbs_gfn(vcpu->kvm, iter->gfn, PG_LEVEL_4K)
	...>
 }
