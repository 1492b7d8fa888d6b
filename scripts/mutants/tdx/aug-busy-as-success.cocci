// SPDX-License-Identifier: GPL-2.0
// Id: aug-busy-as-success
// Title: TDH.MEM.PAGE.AUG's BUSY is taken for success
// Class: restore
// Root: M
// Quick: full
// File: arch/x86/kvm/vmx/tdx.c
// Expect: F4
// Other: X1 X2 X3 Z1 A1 SPLAT
// Reach: a private fault beside another SEAMCALL of the TD
// The mirror says mapped, the S-EPT says free: the fault is never resolved and
// the next removal finds an entry that is not there.

@@
expression E;
@@
tdx_mem_page_aug(...)
{
<...
  if (\( tdx_operand_busy(E) \| unlikely(tdx_operand_busy(E)) \))
-	return -EBUSY;
+	return 0;
...>
}
