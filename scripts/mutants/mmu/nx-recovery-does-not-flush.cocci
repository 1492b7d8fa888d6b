// SPDX-License-Identifier: GPL-2.0
// Id: nx-recovery-does-not-flush
// Title: NX recovery does not flush what it has zapped
// Class: flush
// Root: D
// Quick: yes
// File: arch/x86/kvm/mmu/mmu.c
// Case: tdp_mmu_zap.nx_recovery_flushes_before_yield
// Expect: L1 R1
// History: 33a3164161fc "Don't allow TDP MMU to yield when recovering NX pages"
// Reach: a fetch that splits, then NX recovery

@@
symbol flush, kvm, sp;
@@
 kvm_recover_nx_huge_pages(...)
 {
	<...
-				flush |= kvm_tdp_mmu_zap_possible_nx_huge_page(kvm, sp);
+				kvm_tdp_mmu_zap_possible_nx_huge_page(kvm, sp);
	...>
 }
