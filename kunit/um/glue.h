/* SPDX-License-Identifier: GPL-2.0 */
/* Between glue.c and home.c: what a VM and its vCPUs need of the rest of KVM. */
#ifndef TDP_STRESS_UM_GLUE_H
#define TDP_STRESS_UM_GLUE_H

#include <linux/kvm_host.h>

int um_kvm_open(void);
void um_kvm_close(void);
void um_init_vm(struct kvm *kvm);
int um_topup(struct kvm_vcpu *vcpu);
void um_free_caches(struct kvm_vcpu *vcpu);
/* What kvm_init_mmu() does for a vCPU with TDP. */
void um_init_mmu(struct kvm_vcpu *vcpu);

#endif
