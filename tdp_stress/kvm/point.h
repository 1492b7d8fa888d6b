/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Schedule points: places in KVM's way at which a thread may be made to wait, so that
 * races are looked for and not waited for. The hooks call tdps_point(); who waits
 * there, and how long, is torture/schedule.c's to know, which knows nothing of KVM.
 */
#ifndef TDP_STRESS_KVM_POINT_H
#define TDP_STRESS_KVM_POINT_H

#include <linux/bits.h>
#include <linux/jump_label.h>

/* points=: each has a name in torture/schedule.c */
enum tdps_point {
	TDPS_POINT_OP,		/* an operation begins; no lock of KVM's is held */
	TDPS_POINT_FROZEN,	/* in the frozen window, before the external operation */
	TDPS_POINT_UNFREEZE,	/* in the frozen window, after it */
	TDPS_POINT_ZAP,		/* an external removal, mmu_lock held for write */
	TDPS_POINT_FREE,	/* before an external table is freed */
	TDPS_POINT_CHANGE,	/* before an SPTE is exchanged (UML only), mmu_lock for read */
	TDPS_NR_POINTS
};

#define TDPS_ALL_POINTS	(BIT(TDPS_NR_POINTS) - 1)

DECLARE_STATIC_KEY_FALSE(tdps_scheduling);

void __tdps_point(enum tdps_point p);

/*
 * May spin, never sleeps, and always ends: a wait is bounded by the parameters
 * (delay_us), whatever other threads do. For threads that are no workers: nothing.
 */
static inline void tdps_point(enum tdps_point p)
{
	if (static_branch_unlikely(&tdps_scheduling))
		__tdps_point(p);
}

#endif
