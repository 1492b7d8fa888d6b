/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KVM as the suites see it in the QEMU home: the headers of the tree under test,
 * and the real kvm.ko behind them. What these headers declare and kvm.ko does not
 * export is found by name when the suites are loaded (names.c); where KVM is built
 * in, the linker finds it.
 */
#ifndef TDP_STRESS_KUNIT_QEMU_H
#define TDP_STRESS_KUNIT_QEMU_H

#include <linux/kvm_host.h>

/*
 * KVM's variables, through pointers: `extern u64 shadow_dirty_mask` declares the
 * pointer, any use of the name follows it. (shadow_mmio_value is a member's name,
 * too, and has to be left out.)
 */
#ifdef MODULE
extern bool *home_tdp_enabled;	/* kvm_host.h, which comes before, has declared that one in 7.2 */

#define kvm_ad_enabled			(*home_kvm_ad_enabled)
#define tdp_enabled			(*home_tdp_enabled)
#define tdp_mmu_enabled			(*home_tdp_mmu_enabled)
#define enable_mmio_caching		(*home_enable_mmio_caching)
#define eager_page_split		(*home_eager_page_split)
#define nx_huge_pages			(*home_nx_huge_pages)
#define shadow_host_writable_mask	(*home_shadow_host_writable_mask)
#define shadow_mmu_writable_mask	(*home_shadow_mmu_writable_mask)
#define shadow_nx_mask			(*home_shadow_nx_mask)
#define shadow_user_mask		(*home_shadow_user_mask)
#define shadow_accessed_mask		(*home_shadow_accessed_mask)
#define shadow_dirty_mask		(*home_shadow_dirty_mask)
#define shadow_mmio_mask		(*home_shadow_mmio_mask)
#define shadow_mmio_access_mask		(*home_shadow_mmio_access_mask)
#define shadow_present_mask		(*home_shadow_present_mask)
#define shadow_me_value			(*home_shadow_me_value)
#define shadow_me_mask			(*home_shadow_me_mask)
#define shadow_acc_track_mask		(*home_shadow_acc_track_mask)
#define shadow_nonpresent_or_rsvd_mask	(*home_shadow_nonpresent_or_rsvd_mask)
#endif

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"

/* KVM's own callers have the vCPU loaded; see vcpu.c. */
int home_tdp_mmu_map(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault);
#define kvm_tdp_mmu_map	home_tdp_mmu_map

#endif
