/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's calls out: the four static calls of mirror roots and of a VM's end, taken
 * over and put back. What a hook does is its owner's, which there is one of.
 */
#ifndef TDP_STRESS_KVM_CHAIN_H
#define TDP_STRESS_KVM_CHAIN_H

#include <linux/kvm_host.h>

#include "extsig.h"

/**
 * struct tdps_chain - functions that KVM calls
 * @set_external_spte: an entry of a mirror root changes
 * @free_external_spt: a page table of a mirror root is freed
 * @vm_pre_destroy: a VM ends, its vCPUs and tables are still there
 * @vm_destroy: both have gone
 */
struct tdps_chain {
	typeof_member(struct kvm_x86_ops, TDPS_SET_OP) set_external_spte;
	typeof_member(struct kvm_x86_ops, TDPS_FREE_OP) free_external_spt;
	typeof_member(struct kvm_x86_ops, vm_pre_destroy) vm_pre_destroy;
	typeof_member(struct kvm_x86_ops, vm_destroy) vm_destroy;
};

void tdps_chain_hook(const struct tdps_chain *hooks, bool ends);
bool tdps_chain_unhook(void);

/* What KVM would have called; on kvm_amd that is nothing, but for a VM's end. */
int tdps_chain_set_external_spte(const struct tdps_set_args *a);
void tdps_chain_free_external_spt(const struct tdps_free_args *a);
void tdps_chain_vm_pre_destroy(struct kvm *kvm);
void tdps_chain_vm_destroy(struct kvm *kvm);

#endif
