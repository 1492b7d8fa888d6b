// SPDX-License-Identifier: GPL-2.0
/*
 * The points of white.c in a stress run: places to wait at random, and yields,
 * which are counted. (In a suite they are places to stop at: bed/sched.c.)
 */
#include "../../../tdp_stress/torture/schedule.h"
#include "kvm.h"
#include "../../bed/sched.h"

/* KVM has let go of mmu_lock; who counts has probed what does that. */
static void tell_yield(void)
{
	struct um_call c;

	c.regs = (struct tdps_regs) { .ret = 1 };
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
	case BED_YIELDED:
		tell_yield();
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
