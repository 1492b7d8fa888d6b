// SPDX-License-Identifier: GPL-2.0
// Id: unmap-ignores-filter
// Title: the host's notifier unmaps private memory, too
// Class: root
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_zap.unmap_filters
// Expect: Z1
// Other: X1 X2 X3 A1 SPLAT
// Reach: a conversion, a notifier
// Private content of the guest is lost for good.

@@
expression F;
symbol types;
@@
 kvm_tdp_mmu_unmap_gfn_range(...)
 {
	<...
-	types = F | KVM_INVALID_ROOTS;
+	types = KVM_ALL_ROOTS;
	...>
 }
