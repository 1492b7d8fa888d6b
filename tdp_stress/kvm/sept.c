// SPDX-License-Identifier: GPL-2.0
/*
 * External page tables of VMs of ours: what tdx.c does for 4K pages, and what it
 * cannot do yet: huge pages, split, promotion. Knows SPTEs and S-EPT leaves,
 * nothing of a TD's life.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "insight.h"
#include "td.h"

/* A refusal that KVM answers by asking again is given up after so many. */
#define REFUSALS	64

/*
 * tdh_do_no_vcpus(): a removal may meet a vCPU that has just entered (zero-step
 * filter) or a guest's ACCEPT. With all vCPUs out of the TD nobody is left to be
 * met, so that one more try must do.
 */
static u64 call_no_vcpus(struct ext_vm *vm, u64 leaf, gfn_t gfn, int level, u64 page)
{
	u64 status = ext_mem_call(vm, leaf, gfn, level, page);

	if (!ext_busy(status))
		return status;
	atomic_inc(&vm->keep_out);
	ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	status = ext_mem_call(vm, leaf, gfn, level, page);
	atomic_dec(&vm->keep_out);
	return status;
}

static u64 track_call(struct ext_vm *vm)
{
	struct tdxm_regs regs = { .rax = TDH_MEM_TRACK, .rcx = page_to_phys(vm->tdr) };

	return ext_td_call(vm, TDPS_CALL_MEM_TRACK, &regs);
}

/*
 * tdx_track(): after it no vCPU runs with translations from before. With
 * mmu_lock held for read several may come at once: the next epoch begins only
 * when nobody is left in the one before, hence one after the other.
 */
static u64 track(struct ext_vm *vm)
{
	u64 status;

	if (!vm->runnable)
		return 0;
	guard(spinlock)(&vm->track_lock);
	status = track_call(vm);
	if (ext_busy(status)) {
		atomic_inc(&vm->keep_out);
		ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
		status = track_call(vm);
		atomic_dec(&vm->keep_out);
	}
	ext_make_all_cpus_request(vm->kvm, KVM_REQ_OUTSIDE_GUEST_MODE);
	return status;
}

static u64 block_and_track(struct ext_vm *vm, gfn_t gfn, int level)
{
	u64 status = call_no_vcpus(vm, TDH_MEM_RANGE_BLOCK, gfn, level, 0);

	return status ?: track(vm);
}

static int map_leaf(struct ext_vm *vm, gfn_t gfn, u64 spte, int level)
{
	u64 status = ext_mem_call(vm, TDH_MEM_PAGE_AUG, gfn, level, PFN_PHYS(spte_to_pfn(spte)));

	if (ext_busy(status))
		return -EBUSY;
	if (status) {
		ext_bug(vm);
		return -EIO;
	}
	atomic64_add(KVM_PAGES_PER_HPAGE(level), &vm->leafs);
	return 0;
}

static int map_table(struct ext_vm *vm, gfn_t gfn, u64 spte, int level)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(spte);
	u64 status;

	if (!sp->external_spt || sp->role.level + 1 != level || sp->gfn != gfn) {
		ext_bug(vm);
		return -EIO;
	}
	status = ext_mem_call(vm, TDH_MEM_SEPT_ADD, gfn, level, __pa(sp->external_spt));
	if (ext_busy(status))
		return -EBUSY;
	if (status) {
		ext_bug(vm);
		return -EIO;
	}
	return 0;
}

static int remove_leaf(struct ext_vm *vm, gfn_t gfn, u64 spte, int level)
{
	struct tdxm_regs wbinvd = {
		.rax = TDH_PHYMEM_PAGE_WBINVD,
		.rcx = PFN_PHYS(spte_to_pfn(spte)) |
		       (u64)vm->hkid << clamp(boot_cpu_data.x86_phys_bits, 32, 52),
	};
	u64 status = block_and_track(vm, gfn, level);

	if (!status)
		status = call_no_vcpus(vm, TDH_MEM_PAGE_REMOVE, gfn, level, 0);
	if (!status)
		status = ext_td_call(vm, TDPS_CALL_PHYMEM_PAGE_WBINVD, &wbinvd);
	if (status) {
		ext_bug(vm);
		return -EIO;
	}
	atomic64_sub(KVM_PAGES_PER_HPAGE(level), &vm->leafs);
	return 0;
}

/**
 * tdps_external_set_spte() - KVM changes an SPTE of a mirror root
 * @kvm: a VM of ours
 * @gfn: first GFN of the entry
 * @old_spte: the entry before
 * @new_spte: the entry wanted
 * @level: of the entry, 1 is 4K
 *
 * Context: mmu_lock held.
 *
 * Return: 0; -EBUSY: KVM is to try again; -EIO: it is wrong, or not possible.
 */
int tdps_external_set_spte(struct kvm *kvm, u64 gfn, u64 old_spte, u64 new_spte, int level)
{
	bool was = is_shadow_present_pte(old_spte), is = is_shadow_present_pte(new_spte);
	struct ext_vm *vm = ext_find(kvm);

	if (!was && !is)
		return -EIO;
	if (!was && !is_last_spte(new_spte, level))
		return map_table(vm, gfn, new_spte, level);
	if (!was)
		return map_leaf(vm, gfn, new_spte, level);
	if (!is)
		return remove_leaf(vm, gfn, old_spte, level);
	ext_count(EXT_UNSUPPORTED);
	return -EIO;
}

/**
 * tdps_external_free_spt() - KVM frees a table of a mirror root
 * @kvm: a VM of ours
 * @sp: the table; its entries are gone
 *
 * Context: mmu_lock held.
 */
void tdps_external_free_spt(struct kvm *kvm, struct kvm_mmu_page *sp)
{
	struct ext_vm *vm = ext_find(kvm);
	struct page *page;

	if (!sp->external_spt)
		return;
	page = virt_to_page(sp->external_spt);
	sp->external_spt = NULL;
	if (!vm->hkid && !ext_reclaim(vm, page))
		__free_page(page);
	else
		ext_stray(vm, page);
}

void ext_sweep(struct ext_vm *vm)
{
}
