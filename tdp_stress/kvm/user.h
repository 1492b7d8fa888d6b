/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What /dev/tdp_stress asks of the room that knows KVM: the commands about VMs. The
 * structures are those of uapi/tdp_stress.h, in kernel memory, with a size that fits;
 * all else about them is checked here, and printed by tdps_user_err(). No KVM type
 * gets out.
 */
#ifndef TDP_STRESS_KVM_USER_H
#define TDP_STRESS_KVM_USER_H

#include <linux/types.h>

#include "../uapi/tdp_stress.h"

/* What an open file has configured, one address for each. */
struct tdps_user;

int tdps_user_init(void);
void tdps_user_exit(void);
struct tdps_user *tdps_user_open(void);		/* NULL: no memory */
/* When it returns, nothing of what @u has configured is in force. May sleep. */
void tdps_user_close(struct tdps_user *u);

/*
 * One command each. All may sleep, in the context of the process that asks. 0 or
 * -errno, as the structure's kernel-doc has it, with nothing done.
 */
long tdps_user_adopt(struct tdps_user *u, void *arg);
long tdps_user_query_op(struct tdps_user *u, void *arg);
long tdps_user_op(struct tdps_user *u, void *arg);
long tdps_user_inject(struct tdps_user *u, void *arg);
long tdps_user_hold(struct tdps_user *u, void *arg);
long tdps_user_hold_wait(struct tdps_user *u, void *arg);
long tdps_user_hold_release(struct tdps_user *u, void *arg);
long tdps_user_walk(struct tdps_user *u, void *arg);

/* The part of TDP_STRESS_QUERY that is about KVM; all else is the caller's. */
void tdps_user_query(struct tdp_stress_query *q);
void tdps_user_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

/* One line that says what is wrong, and what would be right; not too many of them. */
__printf(1, 2) void tdps_user_err(const char *fmt, ...);

#endif
