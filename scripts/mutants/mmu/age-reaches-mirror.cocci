// SPDX-License-Identifier: GPL-2.0
// Id: age-reaches-mirror
// Title: aging does not keep off mirror roots
// Class: root
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.age_keeps_off_mirror
// Expect: SPLAT
// Other: T1 F3
// Reach: the host asks whether a page was used
// Accessed bits of a mirror SPTE say nothing, and it is changed without a word to the
// external page table.

@@
expression F;
symbol types;
@@
 __kvm_tdp_mmu_age_gfn_range(...)
 {
	<...
-	types = F;
+	types = KVM_VALID_ROOTS;
	...>
 }
