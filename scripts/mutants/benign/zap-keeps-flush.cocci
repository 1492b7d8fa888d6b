// SPDX-License-Identifier: GPL-2.0
// Id: zap-keeps-flush
// Title: a zap of leaves asks for one flush too many after it has yielded
// Class: flush
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
symbol flush, false, true;
@@
 tdp_mmu_zap_leafs(...)
 {
	<...
			flush = false;
+			flush = true;
			continue;
	...>
 }
