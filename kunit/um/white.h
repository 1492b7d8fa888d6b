/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the files that wrap the tree's: an SPTE's place, and the points of sched.h
 * at which a script can stop a thread that works on it.
 */
#ifndef TDP_STRESS_UM_WHITE_H
#define TDP_STRESS_UM_WHITE_H

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"

#include "../bed/sched.h"

/* mmu_lock is about to be let go in a walk: for who probes what does that, if anybody. */
void um_yields(rwlock_t *lock);

/* @sptep is in a table that the caller keeps from being freed. */
static inline void um_point(enum bed_point p, tdp_ptep_t sptep)
{
	u64 *entry = (__force u64 *)sptep;
	struct kvm_mmu_page *sp = sptep_to_sp(entry);
	int level = sp->role.level;
	gfn_t pages = KVM_PAGES_PER_HPAGE(level);

	bed_point(p, sp->gfn + (entry - sp->spt) * pages, level);
}

static inline u64 um_read_spte(tdp_ptep_t sptep)
{
	um_point(BED_WALK, sptep);
	return kvm_tdp_mmu_read_spte(sptep);
}

#endif
