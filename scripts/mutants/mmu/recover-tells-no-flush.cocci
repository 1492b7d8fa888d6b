// SPDX-License-Identifier: GPL-2.0
// Id: recover-tells-no-flush
// Title: a table is replaced by a huge leaf without a flush
// Class: flush
// Root: D
// File: arch/x86/kvm/mmu/tdp_mmu.c
// Expect: L1 R1
// Other: S2
// Reach: dirty log switched off with its pages in TLBs
// vCPUs keep the way through the table, which is freed.

@@
symbol flush, true;
@@
 recover_huge_pages_range(...)
 {
	<...
-		flush = true;
	...>
 }
