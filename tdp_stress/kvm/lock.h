/* SPDX-License-Identifier: GPL-2.0 */
/* How the current thread holds a VM's mmu_lock. Needs no header of KVM's. */
#ifndef TDP_STRESS_KVM_LOCK_H
#define TDP_STRESS_KVM_LOCK_H

#include "../oracle/oracle.h"

struct kvm;

enum tdps_lock tdps_lockdep_of(struct kvm *kvm);
enum tdps_lock tdps_lock_of(struct kvm *kvm);

#endif
