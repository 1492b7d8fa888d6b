// SPDX-License-Identifier: GPL-2.0
// Id: mixed-attributes-past-slot
// Title: a conversion's last huge page is looked at beyond its slot
// Class: boundary
// Root: B
// File: arch/x86/kvm/mmu/mmu.c
// Expect: SPLAT
// History: CVE-2024-26991 (lpage_info overflow)
// Case: tdp_mmu_fault.mixed_attributes_end_with_slot
// Reach: a conversion at the end of a slot that ends inside of a huge page, with KASAN

@@
symbol gfn, range, nr_pages, slot;
@@
 kvm_arch_post_set_memory_attributes(...)
 {
	<...
-	gfn < range->end && (gfn + nr_pages) <= (slot->base_gfn + slot->npages)
+	gfn < range->end
	...>
 }
