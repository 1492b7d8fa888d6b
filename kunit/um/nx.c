// SPDX-License-Identifier: GPL-2.0
/*
 * NX recovery, which is the tree's mmu.c's, cut out of it: for the suites, which stop
 * it where it yields. (The stress tester has one in which calls are seen: stress/kvm.c.)
 */
#include "absent.h"
#include "statics.h"

static unsigned int nx_huge_pages_recovery_ratio;

static struct kvm_memory_slot *__gfn_to_memslot(struct kvm_memslots *slots, gfn_t gfn)
{
	struct kvm_memory_slot *slot;
	int i;

	for (i = 0; i < UM_MAX_SLOTS; i++) {
		slot = id_to_memslot(slots, i);
		if (slot && gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot;
	}
	return NULL;
}

static int yields(rwlock_t *lock, const struct kvm_mmu_page *sp)
{
	bed_point(BED_YIELD, sp->gfn, sp->role.level);
	read_unlock(lock);
	cond_resched();
	read_lock(lock);
	bed_point(BED_YIELDED, sp->gfn, sp->role.level);
	return 1;
}

#undef rwlock_needbreak
#define rwlock_needbreak(lock)			bed_wants_yield()
#undef need_resched
#define need_resched()				false
#undef cond_resched_rwlock_read
#define cond_resched_rwlock_read(lock)		yields(lock, sp)
#define kvm_memslots_for_spte_role(kvm, role)	__kvm_memslots(kvm, (role).smm)

#include "gen_nx.h"

int um_recover_nx_huge_pages(struct kvm *kvm)
{
	/* a bed's VM has none, see home.c */
	int err = init_srcu_struct(&kvm->srcu);

	if (err)
		return err;
	nx_huge_pages_recovery_ratio = 1;	/* all of them */
	kvm_recover_nx_huge_pages(kvm, KVM_TDP_MMU);
	cleanup_srcu_struct(&kvm->srcu);
	return 0;
}
