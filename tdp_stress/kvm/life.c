// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a VM of our own around the TDP MMU: memslots, dirty log, memory
 * attributes by KVM's ioctls, and what the host does to the memory behind it.
 */
#include <linux/mman.h>

#include "own_vm.h"

/* --- memslots --- */

static enum tdps_result result_of(long ret)
{
	if (!ret)
		return TDPS_DID;
	return ret == -EAGAIN || ret == -EINTR ? TDPS_RETRY : TDPS_REFUSED;
}

static u64 other_place(const struct tdps_vm *vm, u32 random)
{
	const struct own_region *r = &vm->region[TDPS_MOVE];

	/* a page to the side it has no aligned 2M any more */
	return r->gfn + random % 8 * r->pages + (random >> 8) % 2;
}

/*
 * Before mirror roots, KVM invalidates all roots of such a VM when a slot goes, and a
 * prefault whose root is invalidated never ends: see tdps_entry_prefault(). And no
 * fault may have found that there is no memslot when one comes: see keep_no_slot().
 */
static int set_slot(struct tdps_vm *vm, u64 gfn)
{
	int err;

	guard(rwsem_write)(&vm->slots_sem);
	if (!TDPS_MIRROR_ROOTS)
		down_write(&vm->roots_sem);
	err = own_set_slot(vm, TDPS_MOVE, gfn, 0);
	if (!TDPS_MIRROR_ROOTS)
		up_write(&vm->roots_sem);
	return err;
}

enum tdps_result tdps_life_slot_make(struct tdps_vm *vm, const struct tdps_target *t)
{
	u64 gfn = other_place(vm, t->random);
	int err;

	guard(mutex)(&vm->slot_lock);
	if (vm->move_gfn)
		return TDPS_NOTHING;
	err = set_slot(vm, gfn);
	if (!err)
		WRITE_ONCE(vm->move_gfn, gfn);
	return result_of(err);
}

enum tdps_result tdps_life_slot_move(struct tdps_vm *vm, const struct tdps_target *t)
{
	u64 gfn = other_place(vm, t->random);
	int err;

	guard(mutex)(&vm->slot_lock);
	if (!vm->move_gfn || gfn == vm->move_gfn)
		return TDPS_NOTHING;
	err = set_slot(vm, gfn);
	if (!err)
		WRITE_ONCE(vm->move_gfn, gfn);
	return result_of(err);
}

enum tdps_result tdps_life_slot_delete(struct tdps_vm *vm, const struct tdps_target *t)
{
	int err;

	guard(mutex)(&vm->slot_lock);
	if (!vm->move_gfn)
		return TDPS_NOTHING;
	err = set_slot(vm, 0);
	if (!err)
		WRITE_ONCE(vm->move_gfn, 0);
	return result_of(err);
}

/* --- dirty log --- */

/* With the ioctl that clears the log apart from the one that reads it, or without. */
static int set_manual(struct tdps_vm *vm, bool manual)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
		.args[0] = manual ? KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE : 0,
	};

	return own_ioctl(vm, vm->file, KVM_ENABLE_CAP, &cap, sizeof(cap), false);
}

enum tdps_result tdps_life_log_toggle(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_region *r = &vm->region[TDPS_SHARED];
	bool on;
	int err;

	guard(mutex)(&vm->slot_lock);
	/* KVM recovers huge pages when the log goes off: see tdps_entry_recover() */
	guard(rwsem_write)(&r->zap_sem);
	on = !vm->logging;
	if (on) {
		vm->manual = t->random & 1;
		err = set_manual(vm, vm->manual);
		if (err)
			return result_of(err);
	} else {
		tdps_log_reset(tdps_own_id(vm), r->gfn, r->pages, false);
	}
	err = own_set_slot(vm, TDPS_SHARED, r->gfn, on ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	if (!err)
		vm->logging = on;
	if (vm->logging)
		tdps_log_reset(tdps_own_id(vm), r->gfn, r->pages, true);
	return result_of(err);
}

static int read_log(struct tdps_vm *vm, unsigned long *bitmap, size_t len)
{
	struct kvm_dirty_log get = { .slot = own_slot(TDPS_SHARED) };
	struct kvm_clear_dirty_log clear = {
		.slot = own_slot(TDPS_SHARED),
		.num_pages = vm->region[TDPS_SHARED].pages,
	};
	int err;

	err = own_ioctl_log(vm, KVM_GET_DIRTY_LOG, &get, sizeof(get),
			    &get.dirty_bitmap, bitmap, len, true);
	if (!err && vm->manual)
		err = own_ioctl_log(vm, KVM_CLEAR_DIRTY_LOG, &clear, sizeof(clear),
				    &clear.dirty_bitmap, bitmap, len, false);
	return err;
}

enum tdps_result tdps_life_log_harvest(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_region *r = &vm->region[TDPS_SHARED];
	int err;

	guard(mutex)(&vm->slot_lock);
	if (!vm->logging)
		return TDPS_NOTHING;
	tdps_log_begin(tdps_own_id(vm), r->gfn, r->pages);
	err = read_log(vm, t->bitmap, BITS_TO_LONGS(r->pages) * sizeof(long));
	/* of a VM that KVM has given up nothing is read */
	tdps_log_end(tdps_own_id(vm), r->gfn, r->pages, err ? NULL : t->bitmap);
	return result_of(err);
}

/* --- private memory --- */

enum tdps_result tdps_life_convert(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm_memory_attributes attr = {
		.address = t->gfn << PAGE_SHIFT,
		.size = t->nr << PAGE_SHIFT,
		.attributes = t->mirror ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return result_of(own_ioctl(vm, vm->file, KVM_SET_MEMORY_ATTRIBUTES, &attr, sizeof(attr),
				   false));
}

enum tdps_result tdps_life_punch(struct tdps_vm *vm, const struct tdps_target *t)
{
	return result_of(own_punch(vm, t->gfn, t->nr));
}

/* --- the host's memory management --- */

static enum tdps_result advise(struct tdps_vm *vm, const struct tdps_target *t, int behavior)
{
	struct own_region *r = &vm->region[t->region];

	guard(rwsem_read)(&r->zap_sem);
	return result_of(own_madvise(r->hva + ((t->gfn - r->gfn) << PAGE_SHIFT),
				     t->nr << PAGE_SHIFT, behavior));
}

enum tdps_result tdps_life_discard(struct tdps_vm *vm, const struct tdps_target *t)
{
	return advise(vm, t, MADV_DONTNEED);
}

/* Ages the pages, and writes them out where there is swap. */
enum tdps_result tdps_life_pageout(struct tdps_vm *vm, const struct tdps_target *t)
{
	return advise(vm, t, t->random & 1 ? MADV_PAGEOUT : MADV_COLD);
}

/* Small pages become a huge one, by a notifier call and another page frame. */
enum tdps_result tdps_life_collapse(struct tdps_vm *vm, const struct tdps_target *t)
{
	enum tdps_result res = advise(vm, t, MADV_COLLAPSE);

	/* nothing there to collapse, or somebody uses it: as the manual page has it */
	return res == TDPS_REFUSED ? TDPS_NOTHING : res;
}

enum tdps_result tdps_life_mprotect(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_region *r = &vm->region[t->region];
	unsigned long hva = r->hva + ((t->gfn - r->gfn) << PAGE_SHIFT);
	int err;

	guard(rwsem_read)(&r->zap_sem);
	err = own_mprotect(hva, t->nr << PAGE_SHIFT, PROT_READ);
	if (!err)
		err = own_mprotect(hva, t->nr << PAGE_SHIFT, PROT_READ | PROT_WRITE);
	return result_of(err);
}
