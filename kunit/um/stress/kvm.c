// SPDX-License-Identifier: GPL-2.0
/*
 * What is left of KVM around the TDP MMU where the stress tester runs in UML: VMs,
 * vCPUs, memslots, faults, requests. Functions of mmu.c that have neither host nor
 * guest in them are the tree's (gen_stress_mmu.h); the others follow those that they
 * name. There is no host's page table: what is behind a slot is said when it is made.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/bitmap.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/smp.h>
#include <linux/static_call_types.h>
#include <linux/vmalloc.h>

#include "../absent.h"
#include "../glue.h"
#include "../white.h"
#include "kvm.h"
#include "mmu/mmutrace.h"

/* As KVM's own, by name. */
DEFINE_MUTEX(kvm_lock);
LIST_HEAD(vm_list);
bool nx_hugepage_mitigation_hard_disabled;
static unsigned int nx_huge_pages_recovery_ratio = 60;

/**
 * struct stress_slot - a memslot
 * @slot: KVM's
 * @mem: what is behind it
 */
struct stress_slot {
	struct kvm_memory_slot slot;
	struct stress_memory mem;
};

#define HUGE_PAGES	KVM_PAGES_PER_HPAGE(PG_LEVEL_2M)

static const struct stress_memory *memory_of(const struct kvm_memory_slot *slot)
{
	return &container_of(slot, struct stress_slot, slot)->mem;
}

/* A call of a function that the TDP MMU makes itself. */
static void tell(int which, unsigned long arg0, unsigned long arg1, unsigned long arg2)
{
	struct um_call c;

	c.regs = (struct tdps_regs) { .arg = { arg0, arg1, arg2 } };
	um_call_enter(&um_probed[which], &c);
	um_call_leave(&um_probed[which], &c);
}

/* --- requests and flushes: kvm_main.c --- */

static void ack_kick(void *unused)
{
}

/* kvm_make_vcpus_request_mask(): whoever is inside has seen it on return. */
bool kvm_make_all_cpus_request(struct kvm *kvm, unsigned int req)
{
	struct kvm_vcpu *vcpu;
	bool inside = false;
	unsigned long i;

	tell(STRESS_kvm_make_all_cpus_request, (unsigned long)kvm, req, 0);
	guard(preempt)();
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (req != KVM_REQ_OUTSIDE_GUEST_MODE)
			kvm_make_request(req, vcpu);
		/* a full barrier, as kvm_vcpu_exiting_guest_mode() */
		if (cmpxchg(&vcpu->mode, IN_GUEST_MODE, EXITING_GUEST_MODE) != OUTSIDE_GUEST_MODE)
			inside = true;
	}
	if (inside)
		smp_call_function(ack_kick, NULL, true);
	return inside;
}

void kvm_flush_remote_tlbs(struct kvm *kvm)
{
	tell(STRESS_kvm_flush_remote_tlbs, (unsigned long)kvm, 0, 0);
	kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);
}

void kvm_flush_remote_tlbs_range(struct kvm *kvm, gfn_t gfn, u64 nr_pages)
{
	kvm_flush_remote_tlbs(kvm);
}

void kvm_flush_remote_tlbs_memslot(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
	kvm_flush_remote_tlbs(kvm);
}

void um_vm_bugged(struct kvm *kvm)
{
	kvm->vm_bugged = true;
	kvm->vm_dead = true;
	kvm_make_all_cpus_request(kvm, KVM_REQ_VM_DEAD);
}

void mark_page_dirty_in_slot(struct kvm *kvm, const struct kvm_memory_slot *slot, gfn_t gfn)
{
	tell(STRESS_mark_page_dirty_in_slot, (unsigned long)kvm, (unsigned long)slot, gfn);
	if (slot && kvm_slot_dirty_track_enabled(slot))
		set_bit(gfn - slot->base_gfn, slot->dirty_bitmap);
}

/* --- faults: mmu.c --- */

#define max_huge_page_level			KVM_MAX_HUGEPAGE_LEVEL

/* Calls from here are seen, too. */
#define kvm_tdp_mmu_map				stress_kvm_tdp_mmu_map
#define kvm_tdp_mmu_fast_pf_get_last_sptep	stress_kvm_tdp_mmu_fast_pf_get_last_sptep
#define kvm_tdp_mmu_zap_possible_nx_huge_page	stress_kvm_tdp_mmu_zap_possible_nx_huge_page

static inline int mmu_topup_memory_caches(struct kvm_vcpu *vcpu, bool indirect)
{
	return um_topup(vcpu);
}

/* Of shadow paging and of what guests do; nobody comes here. */
static inline bool kvm_memslot_is_gmem_only(const struct kvm_memory_slot *slot)
{
	return false;
}

/* How large the host maps a page. */
static int host_pfn_mapping_level(struct kvm *kvm, gfn_t gfn, const struct kvm_memory_slot *slot)
{
	return memory_of(slot)->host_level;
}

/* guest_memfd's pages are small; those of crafted faults are what the fault says. */
static u8 kvm_gmem_max_mapping_level(struct kvm *kvm, struct kvm_page_fault *fault,
				     const struct kvm_memory_slot *slot, gfn_t gfn,
				     bool is_private)
{
	return fault ? fault->max_level : PG_LEVEL_4K;
}

/* Shared memory and guest_memfd are given back each for itself. */
static u64 turn_of(const struct stress_memory *mem, u64 page, bool private)
{
	return page + (private ? mem->other_pfn : 0);
}

static int __kvm_mmu_faultin_pfn(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	const struct stress_memory *mem = memory_of(fault->slot);
	u64 page = fault->gfn - mem->gfn;

	if (fault->is_private)
		fault->max_level = PG_LEVEL_4K;
	fault->pfn = mem->pfn + page;
	if (mem->other && test_bit(turn_of(mem, page, fault->is_private), mem->other))
		fault->pfn += mem->other_pfn;
	fault->map_writable = true;
	return RET_PF_CONTINUE;
}

static int kvm_handle_noslot_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault,
				   unsigned int access)
{
	if (fault->is_private) {
		kvm_mmu_prepare_memory_fault_exit(vcpu, fault);
		return -EFAULT;
	}
	fault->slot = NULL;
	fault->pfn = KVM_PFN_NOSLOT;
	fault->map_writable = false;
	return RET_PF_CONTINUE;
}

static bool page_fault_handle_page_track(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return false;
}

static struct kvm_memory_slot *slot_at(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_memory_slot *slot;
	int i;

	for (i = 0; i < UM_MAX_SLOTS; i++) {
		slot = id_to_memslot(kvm_memslots(kvm), i);
		if (slot && gfn >= slot->base_gfn && gfn < slot->base_gfn + slot->npages)
			return slot;
	}
	return NULL;
}

struct kvm_memory_slot *kvm_vcpu_gfn_to_memslot(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return slot_at(vcpu->kvm, gfn);
}

static bool kvm_mmu_sp_dirty_logging_enabled(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	struct kvm_memory_slot *slot = slot_at(kvm, sp->gfn);

	return slot && kvm_slot_dirty_track_enabled(slot);
}

static int recovery_yields(rwlock_t *lock)
{
	um_yields(lock);
	return cond_resched_rwlock_read(lock);
}

#undef cond_resched_rwlock_read
#define cond_resched_rwlock_read(lock)		recovery_yields(lock)

#include "gen_stress_mmu.h"

/* kvm_tdp_page_fault() */
static int tdp_page_fault(struct kvm_vcpu *vcpu, struct kvm_page_fault *fault)
{
	return kvm_tdp_mmu_page_fault(vcpu, fault);
}

static int do_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code)
{
	struct kvm_page_fault fault = {
		.addr = gpa,
		.error_code = error_code,
		.prefetch = true,
		.is_tdp = true,
		.nx_huge_page_workaround_enabled = is_nx_huge_page_enabled(vcpu->kvm),
		.max_level = KVM_MAX_HUGEPAGE_LEVEL,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		.is_private = error_code & PFERR_PRIVATE_ACCESS,
		.pfn = KVM_PFN_ERR_FAULT,
		.gfn = gpa_to_gfn(gpa) & ~kvm_gfn_direct_bits(vcpu->kvm),
	};

	fault.slot = slot_at(vcpu->kvm, fault.gfn);
	return tdp_page_fault(vcpu, &fault);
}

/* Of one page, as kvm_tdp_page_prefault(). */
long kvm_arch_vcpu_pre_fault_memory(struct kvm_vcpu *vcpu, struct kvm_pre_fault_memory *range)
{
	u64 error_code = PFERR_GUEST_FINAL_MASK, bits = 0;
	int r = 0;

	if (kvm_mem_is_private(vcpu->kvm, gpa_to_gfn(range->gpa)))
		error_code |= PFERR_PRIVATE_ACCESS;
	else
		bits = gfn_to_gpa(kvm_gfn_direct_bits(vcpu->kvm));
	if (!VALID_PAGE(vcpu->arch.mmu->root.hpa))
		r = kvm_mmu_load(vcpu);
	if (r)
		return r;
	do {
		if (signal_pending(current))
			return -EINTR;
		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;
		cond_resched();
		r = do_page_fault(vcpu, range->gpa | bits, error_code);
	} while (r == RET_PF_RETRY);
	if (r < 0)
		return r;
	return r == RET_PF_FIXED || r == RET_PF_SPURIOUS ? PAGE_SIZE : -ENOENT;
}

/* --- NX huge pages --- */

bool kvm_nx_huge_page_recovery_worker(void *data)
{
	int i;

	for (i = 0; i < KVM_NR_MMU_TYPES; i++)
		kvm_recover_nx_huge_pages(data, i);
	return true;
}

/* --- roots of a vCPU --- */

int kvm_mmu_load(struct kvm_vcpu *vcpu)
{
	int err = um_topup(vcpu);

	if (err)
		return err;
	/* mmu_alloc_direct_roots() */
	if (!VALID_PAGE(vcpu->arch.mmu->mirror_root_hpa))
		stress_kvm_tdp_mmu_alloc_root(vcpu, true);
	stress_kvm_tdp_mmu_alloc_root(vcpu, false);
	return 0;
}

static void free_root(struct kvm_vcpu *vcpu, hpa_t *root)
{
	LIST_HEAD(none);

	guard(read_lock)(&vcpu->kvm->mmu_lock);
	mmu_free_root_page(vcpu->kvm, root, &none);
}

void kvm_mmu_unload(struct kvm_vcpu *vcpu)
{
	free_root(vcpu, &vcpu->arch.mmu->root.hpa);
}

void kvm_mmu_free_obsolete_roots(struct kvm_vcpu *vcpu)
{
	if (is_obsolete_root(vcpu->kvm, vcpu->arch.mmu->root.hpa))
		kvm_mmu_unload(vcpu);
}

/* The role stays what it is: there is no guest to change it. */
void kvm_mmu_reset_context(struct kvm_vcpu *vcpu)
{
	kvm_mmu_unload(vcpu);
}

void vcpu_load(struct kvm_vcpu *vcpu)
{
}

void vcpu_put(struct kvm_vcpu *vcpu)
{
}

int kvm_lock_all_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i, j;

	lockdep_assert_held(&kvm->lock);
	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (mutex_trylock_nest_lock(&vcpu->mutex, &kvm->lock))
			continue;
		for (j = 0; j < i; j++)
			mutex_unlock(&kvm->um_vcpu[j]->mutex);
		return -EBUSY;
	}
	return 0;
}

void kvm_unlock_all_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		mutex_unlock(&vcpu->mutex);
}

/* --- memslots --- */

static bool is_private(struct kvm *kvm, gfn_t gfn)
{
	struct kvm_memory_slot *slot = slot_at(kvm, gfn);

	if (!slot || !memory_of(slot)->private)
		return false;
	return test_bit(gfn - slot->base_gfn, memory_of(slot)->private);
}

/* kvm_alloc_memslot_metadata(): where a huge leaf would reach out of the slot. */
static int make_lpage_info(struct kvm_memory_slot *slot)
{
	struct kvm_lpage_info *info;
	u64 pages, first, nr, i;
	int level;

	for (level = PG_LEVEL_2M; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
		pages = KVM_PAGES_PER_HPAGE(level);
		first = slot->base_gfn / pages;
		nr = (slot->base_gfn + slot->npages - 1) / pages - first + 1;
		info = kvcalloc(nr, sizeof(*info), GFP_KERNEL);
		if (!info)
			return -ENOMEM;
		slot->arch.lpage_info[level - 2] = info;
		if (slot->base_gfn % pages)
			info[0].disallow_lpage = 1;
		if ((slot->base_gfn + slot->npages) % pages)
			info[nr - 1].disallow_lpage = 1;
		if ((slot->base_gfn ^ slot->userspace_addr >> PAGE_SHIFT) & (pages - 1))
			for (i = 0; i < nr; i++)
				info[i].disallow_lpage = 1;
	}
	return 0;
}

static void free_slot(struct kvm_memory_slot *slot)
{
	int i;

	if (!slot)
		return;
	for (i = 0; i < KVM_NR_PAGE_SIZES - 1; i++)
		kvfree(slot->arch.lpage_info[i]);
	kvfree(slot->dirty_bitmap);
	kvfree(container_of(slot, struct stress_slot, slot));
}

static struct kvm_memory_slot *new_slot(const struct stress_memory *mem)
{
	struct stress_slot *s = kvzalloc_obj(*s);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->mem = *mem;
	s->slot.base_gfn = mem->gfn;
	s->slot.npages = mem->pages;
	s->slot.userspace_addr = mem->pfn << PAGE_SHIFT;
	s->slot.flags = mem->flags;
	s->slot.id = mem->id;
	err = make_lpage_info(&s->slot);
	if (!err && (mem->flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		s->slot.dirty_bitmap = kvcalloc(BITS_TO_LONGS(mem->pages), sizeof(long),
						GFP_KERNEL);
		err = s->slot.dirty_bitmap ? 0 : -ENOMEM;
	}
	if (!err)
		return &s->slot;
	free_slot(&s->slot);
	return ERR_PTR(err);
}

/* Nobody walks by the old one on return. */
static void swap_slot(struct kvm *kvm, u32 id, struct kvm_memory_slot *slot)
{
	/* what is in it, before it is found */
	smp_store_release(&kvm->memslots.um_slot[id], slot);
	synchronize_srcu(&kvm->srcu);
}

/* kvm_mmu_zap_memslot(), as for a VM that is not of the default type */
void kvm_arch_flush_shadow_memslot(struct kvm *kvm, struct kvm_memory_slot *slot)
{
	struct kvm_gfn_range range = {
		.slot = slot,
		.start = slot->base_gfn,
		.end = slot->base_gfn + slot->npages,
		.may_block = true,
		.attr_filter = KVM_FILTER_PRIVATE | KVM_FILTER_SHARED,
	};

	write_lock(&kvm->mmu_lock);
	if (stress_kvm_tdp_mmu_unmap_gfn_range(kvm, &range, false))
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
}

/**
 * stress_set_slot() - make, move or delete a memslot
 * @kvm: VM
 * @mem: what it is to be; 0 pages: it goes
 *
 * kvm_set_memslot(): the old one is made invalid first, so that no fault maps by it
 * any more, and zapped.
 *
 * Context: slots_lock held. May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int stress_set_slot(struct kvm *kvm, const struct stress_memory *mem)
{
	struct kvm_memory_slot *old = id_to_memslot(kvm_memslots(kvm), mem->id);
	struct kvm_memory_slot *slot = mem->pages ? new_slot(mem) : NULL;
	struct kvm_memory_slot *invalid = NULL;

	if (IS_ERR(slot))
		return PTR_ERR(slot);
	if (old) {
		struct stress_memory gone = *memory_of(old);

		gone.flags |= KVM_MEMSLOT_INVALID;
		invalid = new_slot(&gone);
		if (IS_ERR(invalid)) {
			free_slot(slot);
			return PTR_ERR(invalid);
		}
		swap_slot(kvm, mem->id, invalid);
		stress_kvm_arch_flush_shadow_memslot(kvm, invalid);
	}
	kvm->memslots.empty = false;
	swap_slot(kvm, mem->id, slot);
	free_slot(old);
	free_slot(invalid);
	return 0;
}

/* --- memory comes and goes --- */

/* kvm_handle_hva_range(): all slots whose memory is in the range, shared mappings. */
int kvm_mmu_notifier_invalidate_range_start(struct mmu_notifier *mn,
					    const struct mmu_notifier_range *range)
{
	struct kvm *kvm = container_of(mn, struct kvm, mmu_notifier);
	struct kvm_gfn_range gfns = { .may_block = true, .attr_filter = KVM_FILTER_SHARED };
	struct kvm_memory_slot *slot;
	unsigned long end;
	bool flush = false;
	int i;

	guard(srcu)(&kvm->srcu);
	write_lock(&kvm->mmu_lock);
	kvm_mmu_invalidate_start(kvm);
	for (i = 0; i < UM_MAX_SLOTS; i++) {
		slot = id_to_memslot(kvm_memslots(kvm), i);
		end = slot ? slot->userspace_addr + (slot->npages << PAGE_SHIFT) : 0;
		if (range->start >= end || range->end <= slot->userspace_addr)
			continue;
		gfns.slot = slot;
		gfns.start = slot->base_gfn +
			((max(range->start, slot->userspace_addr) - slot->userspace_addr) >>
			 PAGE_SHIFT);
		gfns.end = slot->base_gfn +
			((min(range->end, end) - slot->userspace_addr) >> PAGE_SHIFT);
		kvm_mmu_invalidate_range_add(kvm, gfns.start, gfns.end);
		flush |= stress_kvm_tdp_mmu_unmap_gfn_range(kvm, &gfns, false);
	}
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
	return 0;
}

static void invalidate_end(struct kvm *kvm)
{
	write_lock(&kvm->mmu_lock);
	stress_kvm_mmu_invalidate_end(kvm);
	write_unlock(&kvm->mmu_lock);
}

/* Other frames are behind the pages from now on. */
static void change_frames(const struct stress_memory *mem, u64 page, u64 nr)
{
	for (; nr; nr--, page++)
		change_bit(page, mem->other);
}

/**
 * stress_discard() - the host takes pages back and has others instead
 * @kvm: VM
 * @id: memslot
 * @gfn: first GFN
 * @nr: pages; made up to whole 2M where the host has these
 *
 * MADV_DONTNEED and the next touch. Two at a time change pages twice.
 *
 * Context: may sleep.
 *
 * Return: 0, -ENOENT.
 */
int stress_discard(struct kvm *kvm, u32 id, gfn_t gfn, u64 nr)
{
	struct mmu_notifier_range range = {};
	const struct stress_memory *mem;
	struct kvm_memory_slot *slot;
	u64 page, end;

	guard(srcu)(&kvm->srcu);
	slot = id_to_memslot(kvm_memslots(kvm), id);
	if (!slot || !memory_of(slot)->other)
		return -ENOENT;
	mem = memory_of(slot);
	page = gfn - slot->base_gfn;
	end = page + nr;
	if (mem->host_level > PG_LEVEL_4K) {
		page = round_down(page, HUGE_PAGES);
		end = round_up(end, HUGE_PAGES);
	}
	range.start = slot->userspace_addr + (page << PAGE_SHIFT);
	range.end = slot->userspace_addr + (end << PAGE_SHIFT);
	stress_kvm_mmu_notifier_invalidate_range_start(&kvm->mmu_notifier, &range);
	change_frames(mem, turn_of(mem, page, false), end - page);
	invalidate_end(kvm);
	return 0;
}

static bool unmap(struct kvm *kvm, struct kvm_gfn_range *range)
{
	return stress_kvm_tdp_mmu_unmap_gfn_range(kvm, range, false);
}

/* As the real one; no huge page is mapped of memory that can be private. */
bool kvm_arch_pre_set_memory_attributes(struct kvm *kvm, struct kvm_gfn_range *range)
{
	range->attr_filter = range->arg.attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE ?
			     KVM_FILTER_SHARED : KVM_FILTER_PRIVATE;
	return unmap(kvm, range);
}

/* @zap: mappings of a range; nothing is mapped there until invalidate_end(). */
static void invalidate(struct kvm *kvm, struct kvm_gfn_range *range,
		       bool (*zap)(struct kvm *kvm, struct kvm_gfn_range *range))
{
	range->may_block = true;
	write_lock(&kvm->mmu_lock);
	kvm_mmu_invalidate_start(kvm);
	kvm_mmu_invalidate_range_add(kvm, range->start, range->end);
	if (zap(kvm, range))
		kvm_flush_remote_tlbs(kvm);
	write_unlock(&kvm->mmu_lock);
}

/**
 * stress_convert() - KVM_SET_MEMORY_ATTRIBUTES
 * @kvm: VM
 * @gfn: first GFN
 * @nr: pages, all in one slot
 * @private: what they become
 *
 * kvm_vm_set_mem_attributes(): what is mapped as the other kind goes.
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOENT: no such memory.
 */
int stress_convert(struct kvm *kvm, gfn_t gfn, u64 nr, bool private)
{
	struct kvm_gfn_range range = {
		.start = gfn, .end = gfn + nr,
		.arg.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};
	struct kvm_memory_slot *slot;
	u64 i;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_at(kvm, gfn);
	if (!slot || !memory_of(slot)->private)
		return -ENOENT;
	range.slot = slot;
	invalidate(kvm, &range, stress_kvm_arch_pre_set_memory_attributes);
	for (i = gfn - slot->base_gfn; i < gfn - slot->base_gfn + nr; i++)
		assign_bit(i, memory_of(slot)->private, private);
	invalidate_end(kvm);
	return 0;
}

/**
 * stress_punch() - FALLOC_FL_PUNCH_HOLE of the guest_memfd behind a slot
 * @kvm: VM
 * @gfn: first GFN
 * @nr: pages, all in one slot
 *
 * kvm_gmem_punch_hole(): private mappings go, and the pages with them.
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOENT: no such memory.
 */
int stress_punch(struct kvm *kvm, gfn_t gfn, u64 nr)
{
	struct kvm_gfn_range range = {
		.start = gfn, .end = gfn + nr, .attr_filter = KVM_FILTER_PRIVATE,
	};
	const struct stress_memory *mem;
	struct kvm_memory_slot *slot;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_at(kvm, gfn);
	if (!slot || !memory_of(slot)->private)
		return -ENOENT;
	range.slot = slot;
	invalidate(kvm, &range, unmap);
	mem = memory_of(slot);
	change_frames(mem, turn_of(mem, gfn - slot->base_gfn, true), nr);
	invalidate_end(kvm);
	return 0;
}

/* --- VMs --- */

/* KVM's static calls: through these, so that they can be updated. */
#define SET_KEY		__PASTE(__SCK__kvm_x86_, TDPS_SET_OP)
#define FREE_KEY	__PASTE(__SCK__kvm_x86_, TDPS_FREE_OP)
struct static_call_key SET_KEY;
struct static_call_key FREE_KEY;
struct static_call_key __SCK__kvm_x86_vm_pre_destroy;
struct static_call_key __SCK__kvm_x86_vm_destroy;

static int set_external_spte(TDPS_SET_PARAMS)
{
	typeof(kvm_x86_ops.TDPS_SET_OP) fn = READ_ONCE(SET_KEY.func);
	const struct tdps_set_args a = TDPS_SET_ARGS;

	return fn ? TDPS_SET_CALL(fn, &a) : 0;
}

static void free_external_spt(TDPS_FREE_PARAMS)
{
	typeof(kvm_x86_ops.TDPS_FREE_OP) fn = READ_ONCE(FREE_KEY.func);
	const struct tdps_free_args a = TDPS_FREE_ARGS;

	if (fn)
		TDPS_FREE_CALL(fn, &a);
}

static void vm_op(struct static_call_key *key, struct kvm *kvm)
{
	void (*fn)(struct kvm *kvm) = READ_ONCE(key->func);

	if (fn)
		fn(kvm);
}

struct kvm *stress_create_vm(void)
{
	struct kvm *kvm = kvzalloc_obj(*kvm);
	int err;

	if (!kvm)
		return ERR_PTR(-ENOMEM);
	err = init_srcu_struct(&kvm->srcu);
	if (err) {
		kvfree(kvm);
		return ERR_PTR(err);
	}
	um_init_vm(kvm);
	kvm->um_is_private = is_private;
	mutex_lock(&kvm_lock);
	list_add(&kvm->vm_list, &vm_list);
	mutex_unlock(&kvm_lock);
	return kvm;
}

struct kvm_vcpu *stress_create_vcpu(struct kvm *kvm, int id)
{
	struct kvm_vcpu *vcpu;

	if (id >= UM_MAX_VCPUS)
		return ERR_PTR(-EINVAL);
	vcpu = kvzalloc_obj(*vcpu);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->kvm = kvm;
	vcpu->vcpu_id = id;
	vcpu->vcpu_idx = kvm->um_nr_vcpus;
	mutex_init(&vcpu->mutex);
	um_init_mmu(vcpu);
	vcpu->arch.mmu->page_fault = tdp_page_fault;
	kvm->um_vcpu[vcpu->vcpu_idx] = vcpu;
	/* pairs with whoever goes through them */
	smp_store_release(&kvm->um_nr_vcpus, kvm->um_nr_vcpus + 1);
	kvm->created_vcpus++;
	return vcpu;
}

/* kvm_destroy_vcpus() */
static void destroy_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		free_root(vcpu, &vcpu->arch.mmu->root.hpa);
		free_root(vcpu, &vcpu->arch.mmu->mirror_root_hpa);
		um_free_caches(vcpu);
	}
	for (i = 0; i < kvm->um_nr_vcpus; i++)
		kvfree(kvm->um_vcpu[i]);
	kvm->um_nr_vcpus = 0;
}

void kvm_arch_destroy_vm(struct kvm *kvm)
{
	vm_op(&__SCK__kvm_x86_vm_pre_destroy, kvm);
	destroy_vcpus(kvm);
	stress_kvm_mmu_uninit_tdp_mmu(kvm);
	vm_op(&__SCK__kvm_x86_vm_destroy, kvm);
}

/* kvm_destroy_vm(); before it the address space goes, and with it what is mapped. */
void stress_destroy_vm(struct kvm *kvm)
{
	int i;

	refcount_set(&kvm->users_count, 0);
	mutex_lock(&kvm_lock);
	list_del(&kvm->vm_list);
	mutex_unlock(&kvm_lock);
	write_lock(&kvm->mmu_lock);
	stress_kvm_tdp_mmu_zap_all(kvm);
	write_unlock(&kvm->mmu_lock);
	stress_kvm_arch_destroy_vm(kvm);
	for (i = 0; i < UM_MAX_SLOTS; i++)
		free_slot(kvm->memslots.um_slot[i]);
	cleanup_srcu_struct(&kvm->srcu);
	/* callbacks that name the VM */
	rcu_barrier();
	kvfree(kvm);
}

/* No file is a VM's here: nobody in user space can hand one in. */
bool file_is_kvm(struct file *file)
{
	return false;
}

static int __init stress_kvm_init(void)
{
	int err = um_kvm_open();

	kvm_x86_ops.TDPS_SET_OP = set_external_spte;
	kvm_x86_ops.TDPS_FREE_OP = free_external_spt;
	return err;
}
subsys_initcall(stress_kvm_init);
