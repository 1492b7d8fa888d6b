// SPDX-License-Identifier: GPL-2.0
/*
 * What VMs of our own have in common, wherever and from whatever they are made:
 * KVM's functions by name, and what others may ask of a VM.
 */
#include <linux/static_call.h>

#include "external.h"
#include "own_vm.h"

/**
 * own_resolve() - find functions by name
 * @call: what is wanted
 * @nr: how many
 *
 * Context: may sleep; none of them is being called.
 *
 * Return: the first that is missing and must not be, or NULL.
 */
const char *own_resolve(const struct own_call *call, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		void *fn = (void *)tdps_lookup(call[i].name);

		if (fn)
			__static_call_update(call[i].key, call[i].tramp, fn);
		else if (!call[i].optional)
			return call[i].name;
	}
	return NULL;
}

void own_init_locks(struct tdps_vm *vm)
{
	int i;

	mutex_init(&vm->slot_lock);
	init_rwsem(&vm->roots_sem);
	init_rwsem(&vm->slots_sem);
	for (i = 0; i < TDPS_NR_REGIONS; i++)
		init_rwsem(&vm->region[i].zap_sem);
}

void own_begin_late(struct kvm *kvm)
{
	guard(write_lock)(&kvm->mmu_lock);
	kvm->mmu_invalidate_seq = BIT(31) - OWN_EARLY_SEQS;
}

bool tdps_own_others(void)
{
	bool others;

	mutex_lock(tdps_sym.kvm_lock);
	others = !list_empty(tdps_sym.vm_list);
	mutex_unlock(tdps_sym.kvm_lock);
	return others;
}

u64 tdps_own_id(const struct tdps_vm *vm)
{
	return tdps_vm_id(vm->kvm);
}

bool tdps_own_bugged(const struct tdps_vm *vm)
{
	return READ_ONCE(vm->kvm->vm_bugged) || READ_ONCE(vm->kvm->vm_dead);
}

u64 tdps_own_gfn(const struct tdps_vm *vm, enum tdps_region r)
{
	return vm->region[r].gfn;
}

u64 tdps_own_pages(const struct tdps_vm *vm, enum tdps_region r)
{
	return vm->region[r].pages;
}

bool tdps_own_huge(const struct tdps_vm *vm, enum tdps_region r)
{
	return vm->region[r].huge;
}

const char *tdps_own_missing(const struct tdps_vm *vm, enum tdps_region r)
{
	return vm->region[r].missing;
}

u64 tdps_own_shared_bit(const struct tdps_vm *vm)
{
	return kvm_gfn_direct_bits(vm->kvm) << PAGE_SHIFT;
}

enum tdps_region own_region_of(const struct tdps_vm *vm, u64 gfn)
{
	gfn &= ~tdps_external_base_gfn();
	return gfn < OWN_REGION_GFN(0) ? TDPS_NR_REGIONS :
		min_t(u64, (gfn - OWN_REGION_GFN(0)) / OWN_GIB_PAGES, TDPS_NR_REGIONS);
}
