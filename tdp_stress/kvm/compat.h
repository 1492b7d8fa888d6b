/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's private headers, and what differs between kernels. Chosen by what the
 * tree's headers define, never by the version alone. What does not fit fails to
 * build; stress.mk says so where it is a whole KVM that is too old.
 */
#ifndef TDP_STRESS_KVM_COMPAT_H
#define TDP_STRESS_KVM_COMPAT_H

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_mmu.h"

/* TDs of kvm_intel's own: backend=tdx. Without, only external is possible. */
#ifdef CONFIG_KVM_INTEL_TDX
#define TDPS_HAS_TDX	1
#include "vmx/tdx.h"

/* Physical address of the TDR page, 0 before KVM_TDX_INIT_VM and after the end. */
static inline u64 tdps_tdx_tdr(const struct kvm *kvm)
{
	struct page *tdr = READ_ONCE(container_of(kvm, struct kvm_tdx, kvm)->td.tdr_page);

	return tdr ? page_to_phys(tdr) : 0;
}

static inline bool tdps_tdx_runnable(const struct kvm *kvm)
{
	return READ_ONCE(container_of(kvm, struct kvm_tdx, kvm)->state) == TD_STATE_RUNNABLE;
}

static inline bool tdps_tdx_has_hkid(const struct kvm *kvm)
{
	return READ_ONCE(container_of(kvm, struct kvm_tdx, kvm)->hkid) > 0;
}

/* The VM behind the first argument of a tdh_*() wrapper. */
static inline struct kvm *tdps_tdx_kvm_of_td(unsigned long td)
{
	return &container_of((struct tdx_td *)td, struct kvm_tdx, td)->kvm;
}

static inline struct kvm *tdps_tdx_kvm_of_vp(unsigned long vp)
{
	return container_of((struct tdx_vp *)vp, struct vcpu_tdx, vp)->vcpu.kvm;
}
#else
#define TDPS_HAS_TDX	0

/* Never called: tdps_kvm_open() refuses backend=tdx. */
static inline u64 tdps_tdx_tdr(const struct kvm *kvm)
{
	return 0;
}

static inline bool tdps_tdx_runnable(const struct kvm *kvm)
{
	return false;
}

static inline bool tdps_tdx_has_hkid(const struct kvm *kvm)
{
	return false;
}

static inline struct kvm *tdps_tdx_kvm_of_td(unsigned long td)
{
	return NULL;
}

static inline struct kvm *tdps_tdx_kvm_of_vp(unsigned long vp)
{
	return NULL;
}
#endif

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
