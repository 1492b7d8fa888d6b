// SPDX-License-Identifier: GPL-2.0
// Id: external-error-ignored
// Title: the external page table's refusal is not heard
// Class: external
// Root: M
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Case: tdp_mmu_frozen.error_restores_none
// Expect: F4
// Other: X1 X2 X3 A1 Z1 SPLAT
// History: e1a31ca28c9d "external SPTE ops RET0", fixes 77ac7079e66d and 94faba8999b9: an answer
//   that is none
// Reach: BUSY of the external page table

@@
symbol r;
@@
 __handle_changed_spte(...)
 {
	<...
-		if (r)
-			return r;
	...>
 }
