/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: the TDP MMU's entry points on any VM, with the locks of
 * KVM's own callers and the TLB flush that these owe afterwards (entry.c). What must
 * not meet what is the caller's to know.
 */
#ifndef TDP_STRESS_KVM_ENTRY_H
#define TDP_STRESS_KVM_ENTRY_H

#include <linux/static_call_types.h>

#include "insight.h"
#include "own.h"

/**
 * struct entry_args - what an entry point is called for
 * @gfn: first page, without the bits that make it a shared one
 * @nr: pages
 * @mask: a bit for each of 64 pages
 * @slot: id of the memslot that has the range
 * @level: mapping level, 1 is 4K: of the leaf wanted, or split to
 * @mirror: private memory, in mirror roots; else shared, in direct roots
 * @both: both kinds of root
 * @shared: mmu_lock for read where KVM has both ways
 * @write: a write access; of dirty logs: write-protect
 * @exec: an instruction fetch
 * @yield: make the walk want to yield once
 */
struct entry_args {
	u64 gfn;
	u64 nr;
	u64 mask;
	u32 slot;
	int level;
	bool mirror;
	bool both;
	bool shared;
	bool write;
	bool exec;
	bool yield;
};

/*
 * Functions of KVM and mm by name, called through static calls. A list of them is a
 * macro, of which both the static calls and the table for own_resolve() are made: one
 * that is not in the table would do nothing when it is called.
 */
struct own_call {
	const char *name;
	struct static_call_key *key;
	void *tramp;
	bool optional;
};

#define OWN_CALL(fn) \
	{ #fn, &STATIC_CALL_KEY(own_##fn), STATIC_CALL_TRAMP_ADDR(own_##fn), false },
#define OWN_DEFINE(fn)		DEFINE_STATIC_CALL_NULL(own_##fn, fn);
/* Likewise, where its name depends on the kernel: @fn is expanded. */
#define OWN_CALL_AS(call, fn) \
	{ __stringify(fn), &STATIC_CALL_KEY(own_##call), STATIC_CALL_TRAMP_ADDR(own_##call), \
	  false },
#define OWN_DEFINE_AS(call, fn)	DEFINE_STATIC_CALL_NULL(own_##call, fn);
/* Likewise, where no header declares it, or a kernel may do without (@optional). */
#define OWN_CALL_TYPED(fn, type, optional) \
	{ #fn, &STATIC_CALL_KEY(own_##fn), STATIC_CALL_TRAMP_ADDR(own_##fn), optional },
#define OWN_DEFINE_TYPED(fn, type, optional)	DEFINE_STATIC_CALL_NULL(own_##fn, type);

const char *own_resolve(const struct own_call *call, int nr);

/* An int that is an enum tdps_result, or -errno if it was refused. */
static inline enum tdps_result entry_result(int r)
{
	return r < 0 ? TDPS_REFUSED : r;
}

/* NULL: NX huge pages can be recovered here, at the moment. */
const char *entry_missing_nx(void);
int *entry_nx_param(const char **why);

int entry_get_vcpu(struct kvm_vcpu *vcpu);
void entry_put_vcpu(struct kvm_vcpu *vcpu);
int entry_prepare(struct kvm_vcpu *vcpu);
struct kvm_memory_slot *entry_slot_at(struct kvm_vcpu *vcpu, gfn_t gfn);
int entry_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code, u8 max_level, bool prefetch);
int entry_fault_result(int ret);

bool entry_craft_enter(atomic_t *mode, int level);
void entry_craft_leave(atomic_t *mode);

/**
 * struct entry_craft - a mirror leaf of a page frame that the caller chooses
 * @gfn: first page
 * @pfn: its frame
 * @level: size of the leaf
 * @private: its size is the caller's to say; else the host's mapping decides, too
 * @only_split: a small leaf only where a larger one was split
 */
struct entry_craft {
	u64 gfn;
	u64 pfn;
	int level;
	bool private;
	bool only_split;
};

int entry_craft(struct kvm_vcpu *vcpu, const struct entry_craft *c);

/*
 * Each does one operation, for what it can be asked by struct entry_args, and returns
 * enum tdps_result or -errno. All may sleep. Those on a vCPU take its mutex.
 */
int entry_map(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_fast_pf(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_prefault(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_get_walk(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_last_sptep(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_role(struct kvm_vcpu *vcpu, const struct entry_args *a);
int entry_reload(struct kvm_vcpu *vcpu, const struct entry_args *a);

int entry_zap_leafs(struct kvm *kvm, const struct entry_args *a);
int entry_unmap(struct kvm *kvm, const struct entry_args *a);
int entry_zap_all(struct kvm *kvm, const struct entry_args *a);
int entry_invalidate(struct kvm *kvm, const struct entry_args *a);
int entry_invalidate_all(struct kvm *kvm, const struct entry_args *a);
int entry_age(struct kvm *kvm, const struct entry_args *a);
int entry_test_age(struct kvm *kvm, const struct entry_args *a);
int entry_wrprot_slot(struct kvm *kvm, const struct entry_args *a);
int entry_wrprot_gfn(struct kvm *kvm, const struct entry_args *a);
int entry_clear_dirty_slot(struct kvm *kvm, const struct entry_args *a);
int entry_clear_dirty_masked(struct kvm *kvm, const struct entry_args *a);
int entry_split(struct kvm *kvm, const struct entry_args *a);
int entry_recover(struct kvm *kvm, const struct entry_args *a);
int entry_nx_recover(struct kvm *kvm, const struct entry_args *a);

#endif
