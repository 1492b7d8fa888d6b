/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's private headers, and what differs between kernels. Chosen by what the
 * tree's headers define (stress.mk looks), never by the version alone. What does
 * not fit fails to build, with the reason.
 */
#ifndef TDP_STRESS_KVM_COMPAT_H
#define TDP_STRESS_KVM_COMPAT_H

#include <linux/kvm_host.h>

#ifdef TDPS_NO_MIRROR_ROOTS
#error "tdp_stress: this KVM has no mirror roots as in 7.2 or newer (set_external_spte)"
#endif
#ifndef CONFIG_KVM_INTEL_TDX
#error "tdp_stress: this kernel is built without CONFIG_KVM_INTEL_TDX"
#endif

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_mmu.h"
#include "vmx/tdx.h"

/* Page tables are counted only in a kernel that proves its MMU. */
static inline s64 tdps_tables_counted(struct kvm *kvm)
{
#ifdef CONFIG_KVM_PROVE_MMU
	return atomic64_read(&kvm->arch.tdp_mmu_pages);
#else
	return -1;
#endif
}

#endif
