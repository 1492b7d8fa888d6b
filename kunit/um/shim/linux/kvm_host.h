/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands for <linux/kvm_host.h> and <asm/kvm_host.h> where the TDP MMU is compiled
 * into UML: what tdp_mmu.c, tdp_iter.c, spte.c, their headers and the external
 * backend touch, and no more. Types whose layout means something (roles, formats,
 * memslots) are cut out of the tree's own headers when this is built (gen_*.h).
 * Written here are only struct kvm, kvm_arch, kvm_vcpu, kvm_vcpu_arch and
 * kvm_x86_ops, with the members in use, by KVM's names and types.
 */
#ifndef TDP_STRESS_UM_KVM_HOST_H
#define TDP_STRESS_UM_KVM_HOST_H

/* The real ones lie next to mmu.h, and would win: neutralised. */
#define __KVM_HOST_H
#define _ASM_X86_KVM_HOST_H
#define ARCH_X86_KVM_REGS_H
#define ARCH_X86_KVM_CPUID_H
#define ARCH_X86_KVM_X86_H

#include <linux/bug.h>
#include <linux/gfp.h>
#include <linux/hashtable.h>
#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/rbtree.h>
#include <linux/rculist.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/rwlock.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/types.h>

/*
 * With PREEMPT, cond_resched() leaves it to the end of an interrupt, where UML preempts
 * nobody: without locks to give up, KVM's loops would keep a CPU for ever.
 */
#undef cond_resched
#define cond_resched() ({			\
	__might_resched(__FILE__, __LINE__, 0);	\
	preempt_check_resched();		\
	0;					\
})

#include <linux/kvm.h>
#include <linux/kvm_types.h>

#include <asm/cpufeatures.h>
#include <asm/processor-flags.h>

#define KVM_VCPU_NR_REQ			64
#define KVM_REQUEST_MASK		GENMASK(7, 0)
#define KVM_REQUEST_WAIT		BIT(9)
#define KVM_REQ_VM_DEAD			(0 | KVM_REQUEST_WAIT)
#define KVM_REQ_OUTSIDE_GUEST_MODE	(1 | KVM_REQUEST_WAIT)
#define KVM_REQ_MMU_FREE_OBSOLETE_ROOTS	(2 | KVM_REQUEST_WAIT)
#define KVM_REQ_TLB_FLUSH		(3 | KVM_REQUEST_WAIT)
#define KVM_MAX_NR_ADDRESS_SPACES	2
#define UM_MAX_SLOTS			8
#define KVM_USER_MEM_SLOTS		UM_MAX_SLOTS
#define UM_MAX_VCPUS			128

/* vcpu->mode */
enum {
	OUTSIDE_GUEST_MODE,
	IN_GUEST_MODE,
	EXITING_GUEST_MODE,
	READING_SHADOW_PAGE_TABLES,
};

/* enum pg_level of x86, not UML's */
#include "gen_pgtable_types.h"

/* UML's offsets in ptrace have the names of VMCS fields in <asm/vmx.h>. */
#undef HOST_FS_BASE
#undef HOST_GS_BASE
#undef HOST_CS
#undef HOST_SS
#undef HOST_DS
#undef HOST_ES
#undef HOST_FS
#undef HOST_GS

/*
 * The generic "once" is spent by the first time, though a case expected it and
 * suppressed the warning: the code under test warns each time.
 */
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(condition)	WARN_ON(condition)

struct kvm_dirty_ring;
struct kvm_mmu_page;
struct kvm_page_fault;
struct x86_exception;

#include "gen_asm_kvm_host.h"
#include "gen_x86.h"

/**
 * struct kvm_memslots - the memslots of a VM
 * @generation: see KVM's
 * @empty: it has none
 * @um_slot: by number, where there is more than the one of the bed
 */
struct kvm_memslots {
	u64 generation;
	bool empty;
	struct kvm_memory_slot *um_slot[UM_MAX_SLOTS];
};

/* Members as KVM's; what they mean is said there. */
struct kvm_arch {
	u8 vm_type;
	u8 mmu_valid_gen;
	unsigned long n_used_mmu_pages;
	bool has_private_mem;
	bool pre_fault_allowed;
	bool disable_nx_huge_pages;
	bool shadow_root_allocated;
	bool has_mapped_host_mmio;
	gfn_t gfn_direct_bits;
	u64 shadow_mmio_value;
	int cpu_dirty_log_size;
	u64 nx_huge_page_last;
	struct kvm_possible_nx_huge_pages possible_nx_huge_pages[KVM_NR_MMU_TYPES];
	struct list_head tdp_mmu_roots;
	spinlock_t tdp_mmu_pages_lock;	/* as KVM's */
#ifdef CONFIG_KVM_PROVE_MMU
	atomic64_t tdp_mmu_pages;
#endif
};

struct kvm {
	rwlock_t mmu_lock;
	struct mutex lock;		/* as KVM's */
	struct mutex slots_lock;	/* as KVM's */
	struct srcu_struct srcu;
	struct list_head vm_list;
	struct mmu_notifier mmu_notifier;
	refcount_t users_count;
	int created_vcpus;
	bool vm_bugged;
	bool vm_dead;
	unsigned long mmu_invalidate_seq;
	long mmu_invalidate_in_progress;
	gfn_t mmu_invalidate_range_start;
	gfn_t mmu_invalidate_range_end;
	struct {
		atomic64_t pages[KVM_NR_PAGE_SIZES];
		u64 mmu_shadow_pages;
		u64 nx_lpage_splits;
	} stat;
	struct kvm_memslots memslots;
	atomic_t nr_memslots_dirty_logging;
	struct kvm_arch arch;

	/* UML's own */
	struct kvm_memslots um_smm_memslots;
	atomic_t um_flushes;		/* TLB flushes asked for */
	gfn_t um_flush_start;		/* of the last of them, without direct bits */
	gfn_t um_flush_end;
	int um_max_level;		/* what kvm_mmu_max_mapping_level() answers */
	bool (*um_is_private)(struct kvm *kvm, gfn_t gfn);	/* or NULL */
	struct kvm_vcpu *um_vcpu[UM_MAX_VCPUS];	/* those that are entered */
	int um_nr_vcpus;
};

struct kvm_vcpu_arch {
	struct kvm_mmu *mmu;
	struct kvm_mmu root_mmu;
	struct kvm_mmu guest_mmu;
#ifdef UM_HAS_kvm_pagewalk
	struct kvm_pagewalk ngpa_walk;
#else
	struct kvm_mmu nested_mmu;
	struct kvm_mmu *walk_mmu;
#endif
	u32 pkru;
	struct kvm_mmu_memory_cache mmu_pte_list_desc_cache;
	struct kvm_mmu_memory_cache mmu_shadow_page_cache;
	struct kvm_mmu_memory_cache mmu_shadowed_info_cache;
	struct kvm_mmu_memory_cache mmu_external_spt_cache;
	struct kvm_mmu_memory_cache mmu_page_header_cache;
};

struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	int vcpu_idx;
	int mode;
	u64 requests;
	int srcu_idx;
	struct mutex mutex;		/* as KVM's */
	struct {
		u64 pf_fast;
		u64 pf_mmio_spte_created;
	} stat;
	struct kvm_vcpu_arch arch;
};

void um_vm_bugged(struct kvm *kvm);

static inline void kvm_vm_bugged(struct kvm *kvm)
{
	um_vm_bugged(kvm);
}

#include "gen_linux_kvm_host.h"

static inline struct kvm_memslots *__kvm_memslots(struct kvm *kvm, int as_id)
{
	return as_id ? &kvm->um_smm_memslots : &kvm->memslots;
}

static inline bool kvm_memslots_empty(struct kvm_memslots *slots)
{
	return slots->empty;
}

static inline struct kvm_memslots *kvm_memslots(struct kvm *kvm)
{
	return &kvm->memslots;
}

static inline struct kvm_memslots *kvm_vcpu_memslots(struct kvm_vcpu *vcpu)
{
	return &vcpu->kvm->memslots;
}

static inline struct kvm_memory_slot *id_to_memslot(struct kvm_memslots *slots, int id)
{
	return READ_ONCE(slots->um_slot[id]);
}

#define kvm_for_each_vcpu(idx, vcpup, kvm)					\
	for ((idx) = 0; (idx) < READ_ONCE((kvm)->um_nr_vcpus) &&		\
			((vcpup) = (kvm)->um_vcpu[idx]); (idx)++)

static inline void kvm_vcpu_srcu_read_lock(struct kvm_vcpu *vcpu)
{
	vcpu->srcu_idx = srcu_read_lock(&vcpu->kvm->srcu);
}

static inline void kvm_vcpu_srcu_read_unlock(struct kvm_vcpu *vcpu)
{
	srcu_read_unlock(&vcpu->kvm->srcu, vcpu->srcu_idx);
}

extern struct kvm_host_values kvm_host;

/* in 7.2 <asm/kvm_host.h> declares it, since then mmu.h */
extern bool tdp_enabled;

/* Chosen by what the tree's own header declares, which tdp_mmu.c was written for. */
#include "../../../../tdp_stress/kvm/extsig.h"

/* The vendor module's: plain pointers instead of static calls. */
struct kvm_x86_ops {
	typeof(int (TDPS_SET_PARAMS)) *TDPS_SET_OP;
	typeof(void (TDPS_FREE_PARAMS)) *TDPS_FREE_OP;
	u8 (*get_mt_mask)(struct kvm_vcpu *vcpu, gfn_t gfn, bool is_mmio);
	unsigned long (*get_rflags)(struct kvm_vcpu *vcpu);
	void (*load_mmu_pgd)(struct kvm_vcpu *vcpu, hpa_t root, int level);
	gpa_t (*translate_nested_gpa)(struct kvm_vcpu *vcpu, gpa_t gpa, u64 access,
				      struct x86_exception *e, u64 pte_access);
	void (*vm_pre_destroy)(struct kvm *kvm);
	void (*vm_destroy)(struct kvm *kvm);
};

extern struct kvm_x86_ops kvm_x86_ops;

#define kvm_x86_call(func)	(kvm_x86_ops.func)
#define kvm_nested_call(func)	(kvm_x86_ops.func)

int kvm_mmu_topup_memory_cache(struct kvm_mmu_memory_cache *mc, int min);
int __kvm_mmu_topup_memory_cache(struct kvm_mmu_memory_cache *mc, int capacity, int min);
void kvm_mmu_free_memory_cache(struct kvm_mmu_memory_cache *mc);
void *kvm_mmu_memory_cache_alloc(struct kvm_mmu_memory_cache *mc);
void kvm_flush_remote_tlbs(struct kvm *kvm);
void kvm_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages);
void kvm_flush_remote_tlbs_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot);
bool kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req);
void mark_page_dirty_in_slot(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn);
void kvm_mmu_invalidate_start(struct kvm *kvm);
void kvm_mmu_invalidate_range_add(struct kvm *kvm, gfn_t start, gfn_t end);
void kvm_mmu_invalidate_end(struct kvm *kvm);
bool kvm_arch_post_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range);

/* The stress tester's (stress/kvm.c). */
struct file;
void vcpu_load(struct kvm_vcpu *vcpu);
void vcpu_put(struct kvm_vcpu *vcpu);
int kvm_lock_all_vcpus(struct kvm *kvm);
void kvm_unlock_all_vcpus(struct kvm *kvm);
struct kvm_memory_slot *kvm_vcpu_gfn_to_memslot(struct kvm_vcpu *vcpu, gfn_t gfn);
void kvm_mmu_unload(struct kvm_vcpu *vcpu);
void kvm_mmu_reset_context(struct kvm_vcpu *vcpu);
long kvm_arch_vcpu_pre_fault_memory(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range);
bool file_is_kvm(struct file *file);


static inline void kvm_account_pgtable_pages(void *virt, int nr)
{
}

static inline void kvm_prepare_memory_fault_exit(struct kvm_vcpu *vcpu, gpa_t gpa, gpa_t size,
						 bool is_write, bool is_exec, bool is_private)
{
}

/* Private GFNs are told by their address, as a TD's are; or by attributes, if there are any. */
static inline bool kvm_mem_is_private(struct kvm *kvm, gfn_t gfn)
{
	return kvm->um_is_private ? kvm->um_is_private(kvm, gfn) :
				    !(gfn & kvm->arch.gfn_direct_bits);
}

static inline void kvm_make_request(int req, struct kvm_vcpu *vcpu)
{
	/* as KVM's: whoever sees it sees what was done before */
	smp_wmb();
	set_bit(req & KVM_REQUEST_MASK, (void *)&vcpu->requests);
}

static inline bool kvm_request_pending(struct kvm_vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests);
}

static inline bool kvm_test_request(u32 req, struct kvm_vcpu *vcpu)
{
	return test_bit(req & KVM_REQUEST_MASK, (void *)&vcpu->requests);
}

static inline bool kvm_check_request(u32 req, struct kvm_vcpu *vcpu)
{
	if (!kvm_test_request(req, vcpu))
		return false;
	clear_bit(req & KVM_REQUEST_MASK, (void *)&vcpu->requests);
	/* as KVM's: pairs with the barrier of kvm_make_request() */
	smp_mb__after_atomic();
	return true;
}

/* regs.h, cpuid.h: for functions of mmu.h that nobody calls */

static inline bool kvm_is_cr4_bit_set(struct kvm_vcpu *vcpu, unsigned long bit)
{
	return false;
}

static inline unsigned long kvm_read_cr3(struct kvm_vcpu *vcpu)
{
	return 0;
}

static inline bool guest_cpu_cap_has(struct kvm_vcpu *vcpu, unsigned int feature)
{
	return false;
}

#ifndef X86_CR3_PCID_MASK
#define X86_CR3_PCID_MASK	0xfffUL
#endif

/* The host's CPU: EPT, 52 bits of physical address, no bugs. */
struct um_cpuinfo {
	u32 extended_cpuid_level;
	u8 x86_phys_bits;
	u8 x86_cache_bits;
};

extern struct um_cpuinfo um_boot_cpu_data;

#define boot_cpu_data		um_boot_cpu_data
#undef boot_cpu_has
#define boot_cpu_has(feature)	((feature) == X86_FEATURE_VMX)
#undef boot_cpu_has_bug
#define boot_cpu_has_bug(bug)	((void)(bug), false)
#undef cpu_feature_enabled
#define cpu_feature_enabled(feature)	((void)(feature), false)
#define pgtable_l5_enabled()	false
#define topology_max_packages()	1

#endif
