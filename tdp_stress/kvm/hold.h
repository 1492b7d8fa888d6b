/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Holding points: places in KVM's way at which user space has a thread wait. The hooks
 * say where a thread is; who is held, and for how long, is hold.c's.
 */
#ifndef TDP_STRESS_KVM_HOLD_H
#define TDP_STRESS_KVM_HOLD_H

#include <linux/jump_label.h>

#include "../oracle/oracle.h"
#include "../uapi/tdp_stress.h"

DECLARE_STATIC_KEY_FALSE(tdps_holding);

void __tdps_hold(enum tdp_stress_point point, u32 kind, const struct tdps_where *w, u64 end);

/*
 * The current thread has come to @point, about GFNs from w->gfn to before @end. May
 * spin, never sleeps, and always ends. Any context but NMI.
 */
static inline void tdps_hold(enum tdp_stress_point point, u32 kind, const struct tdps_where *w,
			     u64 end)
{
	if (static_branch_unlikely(&tdps_holding))
		__tdps_hold(point, kind, w, end);
}

/* No thread will come by any more: the VM is being destroyed. */
void tdps_hold_vm_gone(u64 vm);

#define TDPS_MAX_HOLDS		16	/* of one file */

/* user.c's; @owner is the open file. */
int tdps_hold_arm(const void *owner, u64 vm, struct tdp_stress_hold *h);
int tdps_hold_look(const void *owner, struct tdp_stress_hold_wait *w);
int tdps_hold_release(const void *owner, struct tdp_stress_hold_release *r);
void tdps_hold_release_all(const void *owner);
u32 tdps_holds_live(void);
bool tdps_holds_any(void);
u64 tdps_holds_held(void);	/* threads that were held so far */

#endif
