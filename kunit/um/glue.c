// SPDX-License-Identifier: GPL-2.0
/*
 * What the TDP MMU takes from the rest of KVM. Functions of mmu.c and kvm_main.c
 * that matter are the tree's, cut out of it when this is built (gen_mmu.h,
 * gen_kvm_main.h); written here is what has no meaning without a guest.
 */
#include <linux/rcupdate.h>

#include "absent.h"
#include "glue.h"
#include "white.h"
#include "statics.h"

#define CREATE_TRACE_POINTS
#include "mmu/mmutrace.h"

bool tdp_enabled = true;
bool tdp_mmu_enabled = true;
bool eager_page_split = true;
int nx_huge_pages;
struct kvm_host_values kvm_host = { .maxphyaddr = 52 };
struct kvm_x86_ops kvm_x86_ops;
struct kmem_cache *mmu_page_header_cache;
struct um_cpuinfo um_boot_cpu_data = {
	.extended_cpuid_level = 0x80000008,
	.x86_phys_bits = 52,
	.x86_cache_bits = 52,
};

/* --- memory of struct kvm_mmu_page, counted --- */

static atomic64_t headers;

s64 um_headers(void)
{
	return atomic64_read(&headers);
}

void *um_header_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	void *header = kmem_cache_alloc(cache, gfp);

	if (header)
		atomic64_inc(&headers);
	return header;
}

void um_header_free(struct kmem_cache *cache, void *header)
{
	atomic64_dec(&headers);
	kmem_cache_free(cache, header);
}

#undef kmem_cache_alloc
#undef kmem_cache_free
#define kmem_cache_alloc(cache, gfp)	um_header_alloc(cache, gfp)
#define kmem_cache_free(cache, header)	um_header_free(cache, header)

#include "gen_kvm_main.h"

/* of shadow paging's caches, kept empty */
#define PTE_PREFETCH_NUM	8

/* Memory attributes: private or nothing, as the case says. */
static unsigned long kvm_get_memory_attributes(struct kvm *kvm, gfn_t gfn)
{
	return kvm_mem_is_private(kvm, gfn) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;
}

static bool kvm_range_has_memory_attributes(struct kvm *kvm, gfn_t start, gfn_t end,
					    unsigned long mask, unsigned long attrs)
{
	for (; start < end; start++)
		if ((kvm_get_memory_attributes(kvm, start) & mask) != attrs)
			return false;
	return true;
}

#define kvm_arch_has_private_mem(kvm)	((kvm)->arch.has_private_mem)

/* What emulation would be told of an access to MMIO. */
static void vcpu_cache_mmio_info(struct kvm_vcpu *vcpu, gva_t gva, gfn_t gfn, unsigned int access)
{
}

/* A prefault repeats whatever the case says a fault is. */
static int (*each_fault)(struct kvm_vcpu *vcpu);

static int glue_tdp_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return each_fault(vcpu);
}

#define kvm_tdp_page_fault	glue_tdp_page_fault

static __maybe_unused int kvm_mmu_do_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 err,
						bool prefetch, int *emulation_type, u8 *level)
{
	return vcpu->arch.mmu->page_fault(vcpu, NULL);
}

/* The one change of an SPTE that a fault makes without mmu_lock. */
static __always_inline bool glue_try_cmpxchg64(u64 *sptep, u64 *old, u64 new)
{
	um_point(BED_BEFORE_CMPXCHG, (__force tdp_ptep_t)sptep);
	return try_cmpxchg64(sptep, old, new);
}

/* The host brings whatever page is asked for. */
static int __kvm_mmu_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	fault->pfn = fault->gfn;
	return RET_PF_CONTINUE;
}

#undef try_cmpxchg64
#define try_cmpxchg64(sptep, old, new)	glue_try_cmpxchg64(sptep, old, new)

#include "gen_mmu.h"

int um_fast_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return fast_page_fault(vcpu, fault);
}

int um_handle_noslot_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return kvm_handle_noslot_fault(vcpu, fault, ACC_ALL);
}

int um_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return kvm_mmu_faultin_pfn(vcpu, fault, ACC_ALL);
}

bool um_is_page_fault_stale(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return is_page_fault_stale(vcpu, fault);
}

int um_prefault(struct kvm_vcpu *vcpu, int (*fault)(struct kvm_vcpu *vcpu))
{
#ifdef UM_HAS_kvm_tdp_page_prefault
	each_fault = fault;
	vcpu->arch.mmu->page_fault = kvm_tdp_page_fault;
	return kvm_tdp_page_prefault(vcpu, 0, PFERR_GUEST_FINAL_MASK, NULL);
#else
	return -EOPNOTSUPP;
#endif
}

void um_post_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range)
{
	kvm_arch_post_set_memory_attributes(kvm, range);
}

bool um_mixed(struct kvm_memory_slot *slot, gfn_t gfn, int level)
{
	return hugepage_test_mixed(slot, gfn, level);
}

int um_topup(struct kvm_vcpu *vcpu)
{
	return mmu_topup_memory_caches(vcpu, false);
}

void um_free_caches(struct kvm_vcpu *vcpu)
{
	mmu_free_memory_caches(vcpu);
}

/**
 * um_init_vm() - make a VM, as kvm_create_vm() and kvm_mmu_init_vm() do
 * @kvm: VM, all zeroes but for what the caller has that not every VM has (SRCU)
 *
 * Its life ends with kvm_mmu_uninit_tdp_mmu().
 *
 * Context: any; nobody else knows of the VM yet.
 */
void um_init_vm(struct kvm *kvm)
{
	int i;

	rwlock_init(&kvm->mmu_lock);
	mutex_init(&kvm->lock);
	mutex_init(&kvm->slots_lock);
	refcount_set(&kvm->users_count, 1);
	kvm->mmu_invalidate_range_start = INVALID_GPA;
	kvm->mmu_invalidate_range_end = INVALID_GPA;
	kvm->memslots.empty = true;
	kvm->um_smm_memslots.empty = true;
	kvm->um_max_level = KVM_MAX_HUGEPAGE_LEVEL;
	kvm->arch.vm_type = KVM_X86_DEFAULT_VM;
	kvm->arch.shadow_mmio_value = shadow_mmio_value;
	for (i = 0; i < KVM_NR_MMU_TYPES; i++)
		INIT_LIST_HEAD(&kvm->arch.possible_nx_huge_pages[i].pages);
	kvm_mmu_init_tdp_mmu(kvm);
}

void um_init_mmu(struct kvm_vcpu *vcpu)
{
	struct kvm_mmu *mmu = &vcpu->arch.root_mmu;
	union kvm_mmu_page_role *role = &mmu->root_role;

	vcpu->arch.mmu = mmu;
	role->level = 4;
	role->direct = true;
	role->access = ACC_ALL;
	role->cr0_wp = true;
	role->efer_nx = true;
	role->ad_disabled = !kvm_ad_enabled;
	mmu->root.hpa = INVALID_PAGE;
	mmu->mirror_root_hpa = INVALID_PAGE;
#ifdef UM_HAS_update_spte_permission_bitmask
	update_spte_permission_bitmask(mmu, true, shadow_xs_mask);
#endif
	/* as kvm_mmu_create() */
	vcpu->arch.mmu_page_header_cache.kmem_cache = mmu_page_header_cache;
	vcpu->arch.mmu_page_header_cache.gfp_zero = __GFP_ZERO;
	vcpu->arch.mmu_shadow_page_cache.init_value = SHADOW_NONPRESENT_VALUE;
	if (!vcpu->arch.mmu_shadow_page_cache.init_value)
		vcpu->arch.mmu_shadow_page_cache.gfp_zero = __GFP_ZERO;
}

/* --- what has no meaning without a guest, or a host's page tables; stress/kvm.c has both --- */

void __weak um_vm_bugged(struct kvm *kvm)
{
	kvm->vm_bugged = true;
	kvm->vm_dead = true;
}

static void flush(struct kvm *kvm, gfn_t start, gfn_t end)
{
	WRITE_ONCE(kvm->um_flush_start, start);
	WRITE_ONCE(kvm->um_flush_end, end);
	atomic_inc(&kvm->um_flushes);
}

void __weak kvm_flush_remote_tlbs(struct kvm *kvm)
{
	flush(kvm, 0, ~0ULL);
}

void __weak kvm_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages)
{
	flush(kvm, gfn, gfn + nr_pages);
}

void __weak kvm_flush_remote_tlbs_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	flush(kvm, slot->base_gfn, slot->base_gfn + slot->npages);
}

/* No vCPU is ever entered: all of them are out of the guest already. */
bool __weak kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req)
{
	return true;
}

void __weak mark_page_dirty_in_slot(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn)
{
	if (slot && slot->dirty_bitmap)
		set_bit(gfn - slot->base_gfn, slot->dirty_bitmap);
}

int mmu_try_to_unsync_pages(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn,
			    bool synchronizing, bool prefetch)
{
	return 0;
}

/* How the host maps the page, and what attributes and memslots allow: all as wanted. */
int __weak kvm_mmu_max_mapping_level(struct kvm *kvm, struct kvm_page_fault *fault,
				     const struct kvm_memory_slot *slot, gfn_t gfn)
{
	return min_t(int, kvm->um_max_level, fault ? fault->max_level : KVM_MAX_HUGEPAGE_LEVEL);
}

#ifdef UM_HAS_kvm_pagewalk
void __kvm_mmu_refresh_passthrough_bits(struct kvm_vcpu *vcpu, struct kvm_pagewalk *w)
{
}
#else
void __kvm_mmu_refresh_passthrough_bits(struct kvm_vcpu *vcpu, struct kvm_mmu *mmu)
{
}
#endif

/* Write-back, as VMX sees it where it ignores the guest's PAT. */
static u8 get_mt_mask(struct kvm_vcpu *vcpu, gfn_t gfn, bool is_mmio)
{
	return 6 << VMX_EPT_MT_EPTE_SHIFT;
}

/* --- as kvm_intel, when it is loaded --- */

int um_kvm_open(void)
{
	mmu_page_header_cache = KMEM_CACHE(kvm_mmu_page, SLAB_ACCOUNT);
	if (!mmu_page_header_cache)
		return -ENOMEM;
	kvm_x86_ops.get_mt_mask = get_mt_mask;
	kvm_mmu_reset_all_pte_masks();
	kvm_mmu_set_ept_masks(true);
	return 0;
}

void um_kvm_close(void)
{
	rcu_barrier();
	kmem_cache_destroy(mmu_page_header_cache);
	mmu_page_header_cache = NULL;
}
