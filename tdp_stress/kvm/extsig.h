/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The signatures of KVM's external ops, spelled out here and nowhere else. A series
 * that changes one gets a shape: a branch below. extsig.awk reads the branches and
 * finds the one that the tree's <asm/kvm_host.h> declares, so that nothing else has
 * to know of it.
 *
 * Of an op, TDPS_SET_* or TDPS_FREE_*, a shape says
 *
 * _OP		its name in struct kvm_x86_ops
 * _PARAMS	what a function that KVM calls takes
 * _ARGS	for use in such a function: its parameters, as a struct
 * _CALL(fn, a)	a call of such a function, or a static call, with what is in a struct
 */
#ifndef TDP_STRESS_KVM_EXTSIG_H
#define TDP_STRESS_KVM_EXTSIG_H

#include <linux/kvm_types.h>

struct kvm;
struct kvm_mmu_page;

/**
 * struct tdps_set_args - an entry of a mirror root changes
 * @kvm: VM
 * @gfn: first GFN of the entry
 * @old_spte: the entry before
 * @new_spte: the entry wanted
 * @level: level of the entry
 * @shared: mmu_lock is held for read, where KVM says so; for who is called next
 */
struct tdps_set_args {
	struct kvm *kvm;
	gfn_t gfn;
	u64 old_spte;
	u64 new_spte;
	int level;
	bool shared;
};

/**
 * struct tdps_free_args - a page table of a mirror root is freed
 * @kvm: VM
 * @sp: the table; its entries are gone
 * @gfn: first GFN of the table, where KVM says so; for who is called next
 */
struct tdps_free_args {
	struct kvm *kvm;
	struct kvm_mmu_page *sp;
	gfn_t gfn;
};

#if defined(TDPS_SET_PLAIN)
/* 7.2, 7.3 */
#define TDPS_SET_OP	set_external_spte
#define TDPS_SET_PARAMS	struct kvm *kvm, gfn_t gfn, u64 old_spte, u64 new_spte, \
			enum pg_level level
#define TDPS_SET_ARGS							\
	((struct tdps_set_args) { .kvm = kvm, .gfn = gfn, .old_spte = old_spte,	\
				  .new_spte = new_spte, .level = level })
#define TDPS_SET_CALL(fn, a) ({						\
	const struct tdps_set_args *_a = (a);				\
	fn(_a->kvm, _a->gfn, _a->old_spte, _a->new_spte, _a->level);	\
})
#elif defined(TDPS_SET_SHARED)
/* agreed on in the review of 7.2's, for splits under mmu_lock held for read */
#define TDPS_SET_OP	set_external_spte
#define TDPS_SET_PARAMS	struct kvm *kvm, gfn_t gfn, u64 old_spte, u64 new_spte, \
			enum pg_level level, bool shared
#define TDPS_SET_ARGS							\
	((struct tdps_set_args) { .kvm = kvm, .gfn = gfn, .old_spte = old_spte,	\
				  .new_spte = new_spte, .level = level,	\
				  .shared = shared })
#define TDPS_SET_CALL(fn, a) ({						\
	const struct tdps_set_args *_a = (a);				\
	fn(_a->kvm, _a->gfn, _a->old_spte, _a->new_spte, _a->level, _a->shared); \
})
#else
#error "set_external_spte: no shape was chosen, see extsig.mk"
#endif

#if defined(TDPS_FREE_PLAIN)
/* 7.2, 7.3 */
#define TDPS_FREE_OP		free_external_spt
#define TDPS_FREE_PARAMS	struct kvm *kvm, struct kvm_mmu_page *sp
#define TDPS_FREE_ARGS		((struct tdps_free_args) { .kvm = kvm, .sp = sp })
#define TDPS_FREE_CALL(fn, a) ({					\
	const struct tdps_free_args *_a = (a);				\
	fn(_a->kvm, _a->sp);						\
})
#elif defined(TDPS_FREE_RECLAIM)
/* came of the review of RFC v5 of huge pages for TDX */
#define TDPS_FREE_OP		reclaim_external_spt
#define TDPS_FREE_PARAMS	struct kvm *kvm, gfn_t gfn, struct kvm_mmu_page *sp
#define TDPS_FREE_ARGS		((struct tdps_free_args) { .kvm = kvm, .sp = sp, .gfn = gfn })
#define TDPS_FREE_CALL(fn, a) ({					\
	const struct tdps_free_args *_a = (a);				\
	fn(_a->kvm, _a->gfn, _a->sp);					\
})
#else
#error "free_external_spt: no shape was chosen, see extsig.mk"
#endif

#endif
