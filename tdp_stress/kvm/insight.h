/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: KVM's symbols, SPTEs decoded, tables walked.
 */
#ifndef TDP_STRESS_KVM_INSIGHT_H
#define TDP_STRESS_KVM_INSIGHT_H

#include "../oracle/oracle.h"
#include "compat.h"
#include "lock.h"

/**
 * struct tdps_symbols - what was found in kvm.ko and kvm_intel.ko
 * @kvm_lock: guards @vm_list
 * @vm_list: all VMs
 * @mmu_page_header_cache: slab of struct kvm_mmu_page
 * @shadow_mmio_mask: bits that tell an MMIO SPTE
 * @enable_mmio_caching: MMIO SPTEs exist
 * @set_key: static call of set_external_spte
 * @set_tramp: its trampoline
 * @free_key: static call of free_external_spt
 * @free_tramp: its trampoline
 * @pre_destroy_key: static call of vm_pre_destroy
 * @pre_destroy_tramp: its trampoline
 * @destroy_key: static call of vm_destroy
 * @destroy_tramp: its trampoline
 */
struct tdps_symbols {
	struct mutex *kvm_lock;	/* KVM's own: all VMs */
	struct list_head *vm_list;
	struct kmem_cache **mmu_page_header_cache;
	u64 *shadow_mmio_mask;
	bool *enable_mmio_caching;
	struct static_call_key *set_key;
	void *set_tramp;
	struct static_call_key *free_key;
	void *free_tramp;
	struct static_call_key *pre_destroy_key;
	void *pre_destroy_tramp;
	struct static_call_key *destroy_key;
	void *destroy_tramp;
};

/* More than any table maps. */
#define TDPS_LAST_GFN	(U64_MAX >> PAGE_SHIFT)

extern struct tdps_symbols tdps_sym;

/* Address of a symbol of KVM (module or built in) or of the kernel; 0: none. */
unsigned long tdps_lookup(const char *name);
/* names.c */
const char *tdps_find_symbols(void);

static inline u64 tdps_vm_id(const struct kvm *kvm)
{
	return (u64)(unsigned long)kvm;
}

static inline struct kvm *tdps_id_vm(u64 vm)
{
	return (struct kvm *)(unsigned long)vm;
}

u64 tdps_tdr_of(struct kvm *kvm);
bool tdps_runnable(struct kvm *kvm);
bool tdps_has_hkid(struct kvm *kvm);

bool tdps_is_accessed(u64 raw);
void tdps_decode(const struct kvm *kvm, u64 raw, int level, struct tdps_spte *spte);

/**
 * struct tdps_walk - a walk over one root
 * @root: the root
 * @first: first GFN, with the bits that make it a shared one
 * @last: last GFN, likewise
 * @absent_too: also call @fn for entries that are empty
 * @fn: called for each entry; false: do not go below it
 * @arg: handed to @fn
 */
struct tdps_walk {
	struct kvm_mmu_page *root;
	gfn_t first;
	gfn_t last;
	bool absent_too;
	bool (*fn)(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level);
	void *arg;
};

void tdps_walk(struct tdps_walk *w);
enum tdps_seen tdps_look(struct kvm *kvm, gfn_t gfn, int level, enum tdps_seen *parent);
u64 tdps_count_leafs(struct kvm *kvm, struct tdps_ctx *ctx, u8 roots, bool invalid_too, int as_id,
		     gfn_t start, gfn_t end, gfn_t *first);

/**
 * struct tdps_place - an entry of a mirror root
 * @sptep: where it is, or NULL: the walk does not get there
 * @root: the root
 * @seen: what it reads
 * @parent: what the lowest entry above it reads
 */
struct tdps_place {
	u64 *sptep;
	struct kvm_mmu_page *root;
	enum tdps_seen seen;
	enum tdps_seen parent;
};

/* host.c */
bool tdps_host_visible(void);
void tdps_host_look(struct kvm *kvm, int as_id, gfn_t gfn, bool private,
		    struct tdps_host_page *page);

void tdps_walk_open(void);
void tdps_tell_tables(const struct tdps_where *w);
u16 tdps_calls_here(void);
u16 tdps_calls_site(void);
void tdps_calls_return(unsigned long ip);
int tdps_calls_str(u16 calls, char *buf, size_t len);
void tdps_look_at(struct kvm *kvm, gfn_t gfn, int level, struct tdps_place *at);
enum tdps_seen tdps_look_again(const struct tdps_place *at, int level);
int tdps_direct_roots(struct kvm *kvm, int *invalid);
bool tdps_absent_in_invalid(struct kvm *kvm, gfn_t gfn, int level);
void tdps_examine_split(u64 table_spte, struct tdps_split *s);
u32 tdps_children_left(u64 table_spte);

/* extops.c */
#if TDPS_MIRROR_ROOTS
void tdps_extops_hook(void);
void tdps_extops_unhook(void);
#else
static inline void tdps_extops_hook(void)
{
}

static inline void tdps_extops_unhook(void)
{
}
#endif

#endif
