/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the bed only: what its files want of each other. bed.c has a case's life
 * and calls KVM, ops.c answers KVM's external operations, walk.c reads tables,
 * check.c judges, str.c puts things into words, splat.c watches the kernel's log,
 * sched.c plays scripts of threads.
 */
#ifndef TDP_STRESS_KUNIT_BED_INTERNAL_H
#define TDP_STRESS_KUNIT_BED_INTERNAL_H

#include "../../tdp_stress/kvm/external.h"
#include "bed.h"
#include "sched.h"

/* The bed of the case that runs, or NULL; cases run one after the other. */
extern struct bed *bed_now;

/* ops.c */
int bed_ops_alloc(void);
void bed_ops_free(void);
void bed_ops_reset(struct bed *b);
void bed_ops_print(struct bed *b);

/* walk.c: @fn is called for each entry in [@start, @end), parents first. */
typedef bool (*bed_visit)(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level);

bool bed_walk(struct bed *b, struct kvm_mmu_page *root, gfn_t start, gfn_t end,
	      bed_visit fn, void *ctx);

static inline bool bed_is_leaf(u64 spte, int level)
{
	return is_shadow_present_pte(spte) && is_last_spte(spte, level);
}

static inline bool bed_is_table(u64 spte, int level)
{
	return is_shadow_present_pte(spte) && !is_last_spte(spte, level);
}

static inline u64 *bed_child_of(u64 spte)
{
	return __va(PFN_PHYS(spte_to_pfn(spte)));
}

static inline enum bed_kind bed_kind_of(const struct kvm_mmu_page *root)
{
	return is_mirror_sp(root) ? BED_MIRROR : BED_DIRECT;
}

/* All roots of the VM, valid or not; in an RCU read section. */
#define bed_for_each_root(b, root)						\
	list_for_each_entry_rcu(root, &(b)->kvm->arch.tdp_mmu_roots, link)

/* str.c */
const char *bed_level_name(int level);
__printf(2, 3) const char *bed_say(struct bed *b, const char *fmt, ...);

/* splat.c */
void bed_splat_init(void);
void bed_splat_begin(void);

/* sched.c */
char bed_lock_of(struct bed *b);
void bed_will_lock(char how);
void bed_has_unlocked(void);
void bed_sched_reset(void);
bool bed_sched_lost(void);
void bed_sched_print(struct bed *b);

#endif
