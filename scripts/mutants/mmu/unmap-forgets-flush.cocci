// SPDX-License-Identifier: GPL-2.0
// Id: unmap-forgets-flush
// Title: an unmapping asks for a flush only if the last root needs it
// Class: flush
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: L1
// Other: D1
// Reach: a notifier, where the first root of two maps the range

@@
symbol flush, false;
expression K, R, S, E, B;
@@
 kvm_tdp_mmu_unmap_gfn_range(...)
 {
	<...
-	tdp_mmu_zap_leafs(K, R, S, E, B, flush)
+	tdp_mmu_zap_leafs(K, R, S, E, B, false)
	...>
 }
