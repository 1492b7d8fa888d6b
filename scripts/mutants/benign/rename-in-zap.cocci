// SPDX-License-Identifier: GPL-2.0
// Id: rename-in-zap
// Title: a parameter of tdp_mmu_zap_leafs() has another name
// Class: rename
// Root: B
// Benign: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c
// The same code.

@@
@@
 tdp_mmu_zap_leafs(struct kvm *kvm, struct kvm_mmu_page *root, gfn_t start, gfn_t end,
-		  bool can_yield,
+		  bool may_yield,
		  bool flush)
 {
	<...
-	can_yield
+	may_yield
	...>
 }
