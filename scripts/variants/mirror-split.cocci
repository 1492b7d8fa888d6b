// SPDX-License-Identifier: GPL-2.0
// Id: mirror-split
// Title: huge mirror SPTEs can be split and promoted
// Quick: yes
// File: arch/x86/kvm/mmu/tdp_mmu.c arch/x86/kvm/mmu/mmu.c
// Ops: split_write=100,recover=100,map_craft=50,zap_leafs=2,unmap=1
//
// What huge pages for TDX need from the TDP MMU, against 7.2 and 7.3: mirror
// page tables are given an external page when a huge SPTE is split, and splits
// and promotions are told to the external page table, which may refuse.
//
// What set_external_spte(kvm, gfn, old, new, level) is called for in addition:
//
// split, old a present leaf, new a present page table:
//   mmu_lock is held for write, and the mirror SPTE still is old. The page for
//   the external table is spte_to_child_sp(new)->external_spt, allocated outside
//   of mmu_lock and of the RCU read section, never NULL. The operation makes 512
//   leafs of the one (block, track, demote). 0: the page is part of the external
//   table. Else: the page is KVM's, the external leaf is whole and not blocked;
//   the huge SPTE stays, and KVM goes on to the next one.
//   Mirror roots are left alone under mmu_lock held for read: blocking and
//   tracking need vCPUs to be kicked and the leaf to be left alone meanwhile.
//
// promotion, old a present page table, new a present leaf:
//   mmu_lock is held for read, the mirror SPTE is FROZEN. All 512 SPTEs in the
//   table are present leafs, one level below, that make up new, apart from
//   accessed and dirty bits. The operation makes one leaf of the 512 (block,
//   track, promote). 0: the page spte_to_child_sp(old)->external_spt is no longer
//   part of the external table; still in the frozen window, free_external_spt()
//   is called for it, and set_external_spte() is not called for the 512 leafs.
//   Else (-EBUSY: somebody is in the way): all is as before, and not blocked.
//
// Faults neither split nor promote: one that wants a smaller page than the huge
// mirror SPTE it meets is spurious, one that wants a huge page where there is a
// page table steps down into it. A guest that has to accept 4K of a pending huge
// page needs its leaf split by others.

// --- split: the external page ---

@@
typedef bool;
symbol sp;
@@
 tdp_mmu_alloc_sp_for_split(
-	void
+	bool mirror
 )
 {
	...
	if (!sp->spt) {
		...
	}
+	if (mirror) {
+		sp->external_spt = (void *)__get_free_page(GFP_KERNEL_ACCOUNT);
+		if (!sp->external_spt) {
+			tdp_mmu_free_unused_sp(sp);
+			return NULL;
+		}
+	}
	return sp;
 }

@@
iterator name for_each_tdp_pte_min_level;
symbol kvm, root, iter, sp, shared, retry;
@@
 tdp_mmu_split_huge_pages_root(...)
 {
	...
+	/* Blocking and tracking external leafs takes exclusive mmu_lock. */
+	if (shared && is_mirror_sp(root))
+		return 0;
+
	rcu_read_lock();
	for_each_tdp_pte_min_level(iter, ...) {
		...
		if (!sp) {
+			/* The page table may be looked at only until RCU is dropped. */
+			bool mirror = is_mirror_sptep(iter.sptep);
+
			rcu_read_unlock();
			...
-			sp = tdp_mmu_alloc_sp_for_split();
+			sp = tdp_mmu_alloc_sp_for_split(mirror);
			...
		}
		...
-		if (tdp_mmu_split_huge_page(kvm, &iter, sp, shared))
-			goto retry;
+		if (tdp_mmu_split_huge_page(kvm, &iter, sp, shared)) {
+			/* The external page table has refused: leave it huge. */
+			if (is_mirror_sp(sp))
+				continue;
+			goto retry;
+		}
		...
	}
	...
 }

// --- split: failure ---

@@
typedef u64;
@@
 tdp_mmu_iter_set_spte(...)
 {
	...
 }
+
+static int tdp_mmu_iter_link_spte(struct kvm *kvm, struct tdp_iter *iter, u64 new_spte)
+{
+	struct kvm_mmu_page *sp = sptep_to_sp(rcu_dereference(iter->sptep));
+	int ret;
+
+	lockdep_assert_held_write(&kvm->mmu_lock);
+
+	if (!is_mirror_sp(sp)) {
+		tdp_mmu_iter_set_spte(kvm, iter, new_spte);
+		return 0;
+	}
+
+	/*
+	 * An external page table may refuse to be split.  Nobody sees the SPTE
+	 * with mmu_lock held for write: change it last, and there is nothing to
+	 * take back.
+	 */
+	ret = __handle_changed_spte(kvm, sp, iter->gfn, iter->old_spte, new_spte,
+				    iter->level, false);
+	if (ret)
+		return ret;
+	__kvm_tdp_mmu_write_spte(iter->sptep, new_spte);
+	return 0;
+}

@@
symbol kvm, iter, spte, ret;
@@
 tdp_mmu_link_sp(...)
 {
	<...
-	tdp_mmu_iter_set_spte(kvm, iter, spte);
+	ret = tdp_mmu_iter_link_spte(kvm, iter, spte);
+	if (ret)
+		return ret;
	...>
 }

// --- faults ---

@@
symbol kvm, iter, root, ret, retry, vcpu, fault, sp, r, map_target_level, true;
@@
 kvm_tdp_mmu_map(...)
 {
	<...
(
-	if (fault->nx_huge_page_workaround_enabled)
+	if (fault->nx_huge_page_workaround_enabled || is_mirror_sp(root))
		disallowed_hugepage_adjust(...);
|
	if (iter.level == fault->goal_level)
		goto map_target_level;
+
+	/* Huge mirror SPTEs are not split here, and they serve the fault. */
+	if (is_mirror_sp(root) && is_large_pte(iter.old_spte) &&
+	    is_shadow_present_pte(iter.old_spte)) {
+		ret = RET_PF_SPURIOUS;
+		goto retry;
+	}
|
-	if (is_shadow_present_pte(iter.old_spte)) {
-		KVM_BUG_ON(is_mirror_sptep(iter.sptep), vcpu->kvm);
-		r = tdp_mmu_split_huge_page(kvm, &iter, sp, true);
-	} else {
-		r = tdp_mmu_link_sp(kvm, &iter, sp, true);
-	}
+	if (is_shadow_present_pte(iter.old_spte))
+		r = tdp_mmu_split_huge_page(kvm, &iter, sp, true);
+	else
+		r = tdp_mmu_link_sp(kvm, &iter, sp, true);
)
	...>
 }

@@
symbol spte, cur_level;
@@
 disallowed_hugepage_adjust(struct kvm_page_fault *fault, u64 spte, int cur_level)
 {
	<...
-	spte_to_child_sp(spte)->nx_huge_page_disallowed
+	(is_mirror_sp(spte_to_child_sp(spte)) ||
+	 spte_to_child_sp(spte)->nx_huge_page_disallowed)
	...>
 }

// --- promotion ---

@@
typedef tdp_ptep_t;
symbol kvm, old_spte, level, gfn, sp, pt, shared;
@@
 handle_removed_pt(struct kvm *kvm, tdp_ptep_t pt,
-	bool shared
+	bool shared, bool promoted
 )
 {
	<...
+	/* The external leafs are one by now: what is left are the accounts. */
+	if (promoted) {
+		trace_kvm_tdp_mmu_spte_changed(kvm_mmu_page_as_id(sp), gfn, level,
+					       old_spte, FROZEN_SPTE);
+		kvm_update_page_stats(kvm, level, -1);
+		continue;
+	}
	handle_changed_spte(...);
	...>
 }

@@
symbol kvm, sp, gfn, old_spte, new_spte, level, is_leaf, shared;
@@
 __handle_changed_spte(...)
 {
	<...
+	bool promoted = is_leaf && is_mirror_sp(sp);
+	int r = 0;
+
+	/* Before the table is taken apart: it may be refused. */
+	if (promoted)
+		r = kvm_x86_call(set_external_spte)(kvm, gfn, old_spte, new_spte, level);
+	if (r)
+		return r;
-	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), shared);
+	handle_removed_pt(kvm, spte_to_child_pt(old_spte, level), shared, promoted);
	...>
 }

@@
typedef tdp_ptep_t;
@@
 tdp_mmu_make_huge_spte(...)
 {
	...
 }
+
+static bool tdp_mmu_can_promote(struct kvm *kvm, struct tdp_iter *iter, u64 huge_spte)
+{
+	const u64 ignored = shadow_accessed_mask | shadow_dirty_mask;
+	tdp_ptep_t pt = spte_to_child_pt(iter->old_spte, iter->level);
+	struct kvm_mmu_page *sp = spte_to_child_sp(iter->old_spte);
+	int i;
+
+	/*
+	 * The huge SPTE has to be one that a split makes the same table of:
+	 * unlike those of a direct root, the children are not faulted in anew.
+	 * Mirror children that are present stay while mmu_lock is held for read.
+	 */
+	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
+		u64 small_spte = make_small_spte(kvm, huge_spte, sp->role, i);
+
+		if ((kvm_tdp_mmu_read_spte(pt + i) ^ small_spte) & ~ignored)
+			return false;
+	}
+
+	return true;
+}

@@
symbol kvm, iter, root, huge_spte, retry;
@@
 recover_huge_pages_range(...)
 {
	<...
-	if (tdp_mmu_set_spte_atomic(kvm, &iter, huge_spte))
-		goto retry;
+	if (is_mirror_sp(root) && !tdp_mmu_can_promote(kvm, &iter, huge_spte))
+		continue;
+	if (tdp_mmu_set_spte_atomic(kvm, &iter, huge_spte)) {
+		/* The external page table has refused: leave it small. */
+		if (is_mirror_sp(root))
+			continue;
+		goto retry;
+	}
	...>
 }
