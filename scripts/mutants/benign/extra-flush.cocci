// SPDX-License-Identifier: GPL-2.0
// Id: extra-flush
// Title: a fault flushes after each leaf that it maps
// Class: flush
// Root: B
// Benign: yes
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Slow, and never wrong.

@@
symbol ret, wrprot, fault, vcpu, iter;
@@
 tdp_mmu_map_handle_target_level(...)
 {
	<...
	int ret = RET_PF_FIXED;
	...
-	if (wrprot && fault->write)
+	kvm_flush_remote_tlbs_gfn(vcpu->kvm, iter->gfn, iter->level);
+	if (wrprot && fault->write)
		ret = RET_PF_WRITE_PROTECTED;
	...>
 }
