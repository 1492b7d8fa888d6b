/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: what the files of user space's commands share.
 */
#ifndef TDP_STRESS_KVM_USER_VM_H
#define TDP_STRESS_KVM_USER_VM_H

#include <linux/file.h>

#include "entry.h"
#include "external.h"
#include "user.h"

#define USER_NR_LEAFS	128	/* leaf numbers of the ABI, with room */
#define USER_MAX_WALK	65536	/* entries */

/* @fd's file, which keeps *@kvm; or ERR_PTR(). get_vm: only if it has mirror roots. */
struct file *user_get_kvm(int fd, struct kvm **kvm);
struct file *user_get_vm(int fd, struct kvm **kvm);
int user_bad_range(struct kvm *kvm, u64 gfn, u64 nr);

/* op.c */
void user_query_ops(struct tdp_stress_query *q);
u64 user_ops_done(void);

#endif
