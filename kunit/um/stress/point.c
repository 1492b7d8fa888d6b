// SPDX-License-Identifier: GPL-2.0
/*
 * The points of white.c in a stress run: places to wait at random, and yields,
 * which are counted. (In a suite they are places to stop at: bed/sched.c.)
 */
#include "../../../tdp_stress/kvm/point.h"
#include "kvm.h"
#include "../../bed/sched.h"
#include "../white.h"

/* KVM lets go of mmu_lock; who wants to know has probed what does that. */
void um_yields(rwlock_t *lock)
{
	struct um_call c;

	c.regs = (struct tdps_regs) { .arg = { (unsigned long)lock }, .ret = 1 };
	um_call_enter(&um_probed[STRESS_yield_read], &c);
	um_call_leave(&um_probed[STRESS_yield_read], &c);
}

void bed_point(enum bed_point p, gfn_t gfn, int level)
{
	switch (p) {
	case BED_BEFORE_FREEZE:
	case BED_BEFORE_CMPXCHG:
		tdps_point(TDPS_POINT_CHANGE);
		break;
	default:
		break;
	}
}

/* Walks yield when they have to, as entry.c makes them. */
bool bed_wants_yield(void)
{
	return false;
}
