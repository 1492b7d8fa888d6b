/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Where a suite lives, and what the bed needs from there. A home makes a VM, has
 * KVM's headers, lets suites call KVM's functions by their own names, and calls
 * back for every external operation and at the points of sched.h that it has.
 */
#ifndef TDP_STRESS_KUNIT_HOME_H
#define TDP_STRESS_KUNIT_HOME_H

#include <linux/types.h>

/* KVM's headers of the tree under test, and its functions. */
#ifdef CONFIG_UML
#include "../um/um.h"
#else
#include "../qemu/qemu.h"
#endif
#include "../../tdp_stress/kvm/extsig.h"

struct bed;

/*
 * For KUnit's suite_init and suite_exit. May sleep. home_open() finds KVM and starts
 * the external backend (tdps_external_start(): lenient, leafs up to 1G, BED_VCPUS
 * vCPUs, the bed's memory as frames of its own); it says why it fails.
 */
int home_open(void);
void home_close(void);

/*
 * create: @b->kvm, @b->vcpu[], @b->slot; the VM has mirror roots, no log of dirty
 * pages, and is adopted by the external backend (kvm/external.h) and finalized.
 * Roots are loaded by home_load(). destroy: gives everything back and waits for
 * RCU; @left is what was not there before create. Both may sleep.
 */
struct home_left {
	s64 pages[3];		/* leafs by KVM's count: 4K, 2M, 1G */
	s64 tables;		/* page tables by KVM's count, 0 if it keeps none */
	s64 headers;		/* struct kvm_mmu_page, if the home can tell, else 0 */
	int roots;		/* still in the list */
};

int home_create(struct bed *b);
void home_destroy(struct bed *b, struct home_left *left);

/* What a vCPU does before a fault: caches topped up, both roots loaded. May sleep. */
int home_load(struct bed *b, int vcpu);
/* Drop a vCPU's references on its roots, direct and mirror. */
void home_unload(struct bed *b, int vcpu);
/* The bed's memory: the first page frame, BED_PAGES of them, 1G-aligned. */
kvm_pfn_t home_first_pfn(struct bed *b);
/* Switch dirty logging of the slot on or off, as far as the TDP MMU looks at it. */
void home_log_dirty(struct bed *b, bool on);
/* Times KVM asked for a TLB flush of the VM so far (whole or range). */
u32 home_flushes(struct bed *b);
/* kvm_mmu_invalidate_begin()/end() for a range. mmu_lock held for write. */
void home_invalidate_begin(struct bed *b, gfn_t start, gfn_t end);
void home_invalidate_end(struct bed *b, gfn_t start, gfn_t end);

/* Called by the home; see set_external_spte, free_external_spt of struct kvm_x86_ops. */
int bed_set_external_spte(const struct tdps_set_args *a);
void bed_free_external_spt(const struct tdps_free_args *a);

#endif
