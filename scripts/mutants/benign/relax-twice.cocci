// SPDX-License-Identifier: GPL-2.0
// Id: relax-twice
// Title: who waits for a frozen entry relaxes twice before looking again
// Class: retry
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
@@
 handle_removed_pt(...)
 {
	<...
+	cpu_relax();
	cpu_relax();
	...>
 }
