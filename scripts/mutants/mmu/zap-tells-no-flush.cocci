// SPDX-License-Identifier: GPL-2.0
// Id: zap-tells-no-flush
// Title: zapped leaves are not said to need a flush
// Class: flush
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.zap_tells_of_flush
// Expect: L1
// Other: SPLAT D1
// History: as 574c3c55e969 "Fix TLB flush range when handling disconnected pt"
// Reach: any zap of pages that are in a TLB
// The guest keeps using pages that are the host's again.

@@
symbol flush, true;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
-			flush = true;
+			;
	...>
 }
