/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM's private headers, and what differs between kernels. Chosen by what the
 * tree's headers define, never by the version alone. What does not fit fails to
 * build; stress.mk says so where it is a whole KVM that does not.
 */
#ifndef TDP_STRESS_KVM_COMPAT_H
#define TDP_STRESS_KVM_COMPAT_H

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_mmu.h"

#include "external.h"

#if TDPS_MIRROR_ROOTS
#include "extsig.h"

/* Is this one of the VMs that are looked at? */
static inline bool tdps_watched(const struct kvm *kvm)
{
	return kvm_has_mirrored_tdp(kvm);
}

static inline void *tdps_external_spt(const struct kvm_mmu_page *sp)
{
	return sp->external_spt;
}

static inline struct kvm_mmu_memory_cache *tdps_external_cache(struct kvm_vcpu *vcpu)
{
	return &vcpu->arch.mmu_external_spt_cache;
}

static inline hpa_t tdps_mirror_root(const struct kvm_mmu *mmu)
{
	return READ_ONCE(mmu->mirror_root_hpa);
}

static inline void tdps_drop_mirror_root(struct kvm_mmu *mmu)
{
	mmu->mirror_root_hpa = INVALID_PAGE;
}

/* What tells KVM that a VM has mirror roots, and where shared memory begins. */
static inline void tdps_give_mirror_roots(struct kvm *kvm, gfn_t direct_bits)
{
	kvm->arch.vm_type = KVM_X86_TDX_VM;
	kvm->arch.has_private_mem = true;
	kvm->arch.pre_fault_allowed = true;
	kvm->arch.gfn_direct_bits = direct_bits;
}

/* By how much is KVM's count of tables to recover off from its list of them? */
static inline s64 tdps_nx_books_off(struct kvm *kvm)
{
	struct kvm_possible_nx_huge_pages *nx = &kvm->arch.possible_nx_huge_pages[KVM_TDP_MMU];

	guard(spinlock)(&kvm->arch.tdp_mmu_pages_lock);
	return nx->nr_pages - list_count_nodes(&nx->pages);
}

/* Aging takes no lock. */
#define TDPS_AGE_LOCKLESS	1

static inline void tdps_age_lockless(struct kvm_gfn_range *range)
{
	range->lockless = true;
}

/* Functions that have had other names, or arguments. */
#define TDPS_FN_INVALIDATE_START	kvm_mmu_invalidate_start
#define TDPS_FN_INVALIDATE_ROOTS	kvm_tdp_mmu_invalidate_roots
#define TDPS_CALL_INVALIDATE_ROOTS(fn, kvm, which)	((fn)(kvm, which))
#define TDPS_CALL_ZAP_INVALIDATED(fn, kvm, shared)	((fn)(kvm, shared))
#define TDPS_FN_RECOVER			kvm_tdp_mmu_recover_huge_pages
#define TDPS_RECOVER_ZAPS		0
#define TDPS_FN_ZAP_NX			kvm_tdp_mmu_zap_possible_nx_huge_page
#define TDPS_ZAPS_WITH_WRITE		1
#define TDPS_LOCKS_ALL_VCPUS		1
#else
/*
 * Before mirror roots (6.12): all roots are direct, nothing is private, and only
 * VMs of our own are looked at. KVM's functions that say so came with mirror
 * roots; these answer as they would.
 */
static inline bool tdps_watched(const struct kvm *kvm)
{
	return tdps_external_owns(kvm);
}

enum kvm_tdp_mmu_root_types {
	KVM_DIRECT_ROOTS,
	KVM_VALID_ROOTS,
};

static inline bool is_mirror_sp(const struct kvm_mmu_page *sp)
{
	return false;
}

static inline gfn_t kvm_gfn_direct_bits(const struct kvm *kvm)
{
	return 0;
}

static inline bool kvm_is_addr_direct(struct kvm *kvm, gpa_t gpa)
{
	return true;
}

static inline struct kvm_mmu_page *tdp_mmu_get_root_for_fault(struct kvm_vcpu *vcpu,
							      struct kvm_page_fault *fault)
{
	return root_to_sp(vcpu->arch.mmu->root.hpa);
}

static inline void *tdps_external_spt(const struct kvm_mmu_page *sp)
{
	return NULL;
}

static inline struct kvm_mmu_memory_cache *tdps_external_cache(struct kvm_vcpu *vcpu)
{
	return NULL;
}

static inline hpa_t tdps_mirror_root(const struct kvm_mmu *mmu)
{
	return INVALID_PAGE;
}

static inline void tdps_drop_mirror_root(struct kvm_mmu *mmu)
{
}

static inline void tdps_give_mirror_roots(struct kvm *kvm, gfn_t direct_bits)
{
}

/* The list is all there is. */
static inline s64 tdps_nx_books_off(struct kvm *kvm)
{
	return 0;
}

#define TDPS_AGE_LOCKLESS	0

static inline void tdps_age_lockless(struct kvm_gfn_range *range)
{
}

#define TDPS_FN_INVALIDATE_START	kvm_mmu_invalidate_begin
#define TDPS_FN_INVALIDATE_ROOTS	kvm_tdp_mmu_invalidate_all_roots
#define TDPS_CALL_INVALIDATE_ROOTS(fn, kvm, which)	((void)(which), (fn)(kvm))
#define TDPS_CALL_ZAP_INVALIDATED(fn, kvm, shared)	((void)(shared), (fn)(kvm))
#define TDPS_FN_RECOVER			kvm_tdp_mmu_zap_collapsible_sptes
#define TDPS_RECOVER_ZAPS		1
#define TDPS_FN_ZAP_NX			kvm_tdp_mmu_zap_sp
#define TDPS_ZAPS_WITH_WRITE		0
#define TDPS_LOCKS_ALL_VCPUS		0
#endif

#ifndef EPT_VIOLATION_PROT_MASK
#define EPT_VIOLATION_PROT_MASK	EPT_VIOLATION_RWX_MASK
#endif

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
