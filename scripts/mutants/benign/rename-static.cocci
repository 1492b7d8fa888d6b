// SPDX-License-Identifier: GPL-2.0
// Id: rename-static
// Title: a static function has another name
// Class: rename
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c

@@
@@
- kvm_tdp_mmu_age_spte
+ tdp_mmu_make_spte_old
 (...)
 { ... }

@@
@@
- kvm_tdp_mmu_age_spte
+ tdp_mmu_make_spte_old
 (...)
