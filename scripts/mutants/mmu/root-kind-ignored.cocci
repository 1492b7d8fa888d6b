// SPDX-License-Identifier: GPL-2.0
// Id: root-kind-ignored
// Title: who asks for direct roots is given mirror roots, too
// Class: root
// Root: B
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.age_keeps_off_mirror
// Expect: Z1 H1
// Other: X1 X2 X3 X4 A1 SPLAT
// Reach: a conversion, a notifier

@@
symbol types, true;
@@
 tdp_mmu_root_match(...)
 {
	<...
-	return types & KVM_MIRROR_ROOTS;
+	return true;
	...>
 }
