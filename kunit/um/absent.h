/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What functions cut out of mmu.c call, and what does not exist here: shadow paging,
 * nested guests, APICs, pages that the host cannot bring.
 */
#ifndef TDP_STRESS_UM_ABSENT_H
#define TDP_STRESS_UM_ABSENT_H

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"

#define is_tdp_mmu_active(vcpu)		((vcpu)->arch.mmu->root_role.direct)

static inline u64 *fast_pf_get_last_sptep(struct kvm_vcpu *vcpu, gpa_t gpa, u64 *spte)
{
	return NULL;
}

static inline void kvm_mmu_prepare_zap_page(struct kvm *kvm, struct kvm_mmu_page *sp,
					    struct list_head *list)
{
	WARN_ON(1);
}

static inline void kvm_mmu_remote_flush_or_zap(struct kvm *kvm, struct list_head *list, bool flush)
{
	if (flush)
		kvm_flush_remote_tlbs(kvm);
}

static inline bool is_guest_mode(struct kvm_vcpu *vcpu)
{
	return false;
}

static inline bool kvm_apicv_activated(struct kvm *kvm)
{
	return false;
}

static inline int kvm_handle_error_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return -EFAULT;
}

static inline void kvm_mmu_finish_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
					     int r)
{
}

#endif
