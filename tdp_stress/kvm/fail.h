/* SPDX-License-Identifier: GPL-2.0 */
/*
 * External operations that fail on purpose, as user space wants it. The hook asks
 * before anybody else sees the operation.
 */
#ifndef TDP_STRESS_KVM_FAIL_H
#define TDP_STRESS_KVM_FAIL_H

#include <linux/jump_label.h>

#include "../oracle/oracle.h"
#include "../uapi/tdp_stress.h"

DECLARE_STATIC_KEY_FALSE(tdps_failing);

int __tdps_fail(enum tdps_extop_kind kind, u64 vm);

/* Is this operation to fail? 0, or -errno: then nobody else is to see it. Any context. */
static inline int tdps_fail(enum tdps_extop_kind kind, u64 vm)
{
	return static_branch_unlikely(&tdps_failing) ? __tdps_fail(kind, vm) : 0;
}

/* user.c's; @owner is the open file, @vm 0: any. @i is checked but for what is named here. */
int tdps_fail_set(const void *owner, u64 vm, struct tdp_stress_inject *i);
/* Undo all of @owner's; adds up what they came to. */
void tdps_fail_reset(const void *owner, u64 *calls, u64 *fired);
void tdps_fail_vm_gone(u64 vm);
u32 tdps_fails_live(void);
u64 tdps_fails_fired(void);

#endif
