// SPDX-License-Identifier: GPL-2.0
// Id: rename-static
// Title: a static function has another name
// Class: rename
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
@@
- tdp_mmu_max_gfn_exclusive
+ tdp_mmu_end_of_gfns
 (...)
 { ... }

@@
@@
- tdp_mmu_max_gfn_exclusive()
+ tdp_mmu_end_of_gfns()
