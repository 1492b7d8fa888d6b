// SPDX-License-Identifier: GPL-2.0
// Id: fault-tells-no-flush
// Title: a fault that replaces a table by a huge leaf does not flush
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: L1 R1
// Other: S2
// History: as 857f84743e4b and bb18842e2111, whose fault path forgot to flush
// Case: tdp_mmu_fault.huge_over_table_flushes
// Reach: a fault that maps a huge page where small ones are

@@
symbol vcpu;
expression G, L;
@@
 tdp_mmu_map_handle_target_level(...)
 {
	<...
-		kvm_flush_remote_tlbs_gfn(vcpu->kvm, G, L);
+		;
	...>
 }
