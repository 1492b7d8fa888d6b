// SPDX-License-Identifier: GPL-2.0
/*
 * A TD's memory: memslots, attributes, guest_memfd, dirty log. Knows the layout
 * of td.h, does not know when or why anything is changed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

#include "td.h"

static int set_region(struct td *td, enum td_call call, enum td_slot_id id,
		      const struct td_slot *slot, u64 nr_pages)
{
	struct kvm_userspace_memory_region2 r = {
		.slot = id,
		.flags = slot->flags,
		.guest_phys_addr = slot->gfn << TD_PAGE_SHIFT,
		.memory_size = nr_pages << TD_PAGE_SHIFT,
		.userspace_addr = (uintptr_t)slot->hva,
	};

	if (slot->flags & KVM_MEM_GUEST_MEMFD) {
		r.guest_memfd = td->gmem_fd;
		r.guest_memfd_offset = slot->gmem_page << TD_PAGE_SHIFT;
	}
	return td_ioctl(call, td->vm_fd, KVM_SET_USER_MEMORY_REGION2, &r);
}

/**
 * td_slot_create() - give KVM the slot as it is described in td->slots
 * @td: the TD; the caller serialises slot changes
 * @id: slot that is not present
 *
 * Return: 0 or -errno
 */
int td_slot_create(struct td *td, enum td_slot_id id)
{
	struct td_slot *slot = &td->slots[id];
	int ret = set_region(td, TD_CALL_SLOT_CREATE, id, slot, slot->nr_pages);

	if (!ret)
		slot->present = true;
	return ret;
}

/**
 * td_slot_delete() - take the slot from KVM, keep its description
 * @td: the TD; the caller serialises slot changes
 * @id: slot that is present
 *
 * Return: 0 or -errno
 */
int td_slot_delete(struct td *td, enum td_slot_id id)
{
	int ret = set_region(td, TD_CALL_SLOT_DELETE, id, &td->slots[id], 0);

	if (!ret)
		td->slots[id].present = false;
	return ret;
}

/**
 * td_slot_move() - KVM_MR_MOVE; KVM allows it for slots without guest_memfd
 * @td: the TD; the caller serialises slot changes
 * @id: slot that is present
 * @gfn: new first frame, which must differ from the old one
 *
 * Return: 0 or -errno
 */
int td_slot_move(struct td *td, enum td_slot_id id, u64 gfn)
{
	struct td_slot moved = td->slots[id];
	int ret;

	moved.gfn = gfn;
	ret = set_region(td, TD_CALL_SLOT_MOVE, id, &moved, moved.nr_pages);
	if (!ret)
		td->slots[id].gfn = gfn;
	return ret;
}

/**
 * td_slot_set_flags() - KVM_MR_FLAGS_ONLY; not for guest_memfd slots
 * @td: the TD; the caller serialises slot changes
 * @id: slot that is present
 * @flags: new flags
 *
 * Return: 0 or -errno
 */
int td_slot_set_flags(struct td *td, enum td_slot_id id, u32 flags)
{
	struct td_slot changed = td->slots[id];
	int ret;

	changed.flags = flags;
	ret = set_region(td, TD_CALL_SLOT_FLAGS, id, &changed, changed.nr_pages);
	if (!ret)
		td->slots[id].flags = flags;
	return ret;
}

/* Places do not overlap each other nor the guest's memory; 2M aligned. */
u64 td_mobile_gfn(const struct td *td, unsigned int place)
{
	u64 step = (td->slots[TD_SLOT_MOBILE].nr_pages + 511) & ~511ULL;
	u64 first = (td->cfg.nr_pages + 511) & ~511ULL;

	return first + step * place;
}

/* The window's two homes in guest_memfd: re-adding it elsewhere changes its pages. */
u64 td_window_home(const struct td *td, unsigned int home)
{
	return td->cfg.nr_pages - (home ? 0 : td->cfg.window_pages);
}

/**
 * td_set_private() - convert a range
 * @td: the TD
 * @gfn: first frame, without SHARED bit
 * @nr_pages: size in 4K pages
 * @private: to private, else to shared
 *
 * Return: 0 or -errno
 */
int td_set_private(struct td *td, u64 gfn, u64 nr_pages, bool private)
{
	struct kvm_memory_attributes attr = {
		.address = gfn << TD_PAGE_SHIFT,
		.size = nr_pages << TD_PAGE_SHIFT,
		.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return td_ioctl(TD_CALL_SET_ATTRS, td->vm_fd, KVM_SET_MEMORY_ATTRIBUTES, &attr);
}

/**
 * td_punch() - give private pages back
 * @td: the TD
 * @gmem_page: first page, counted in guest_memfd
 * @nr_pages: number of pages
 *
 * Return: 0 or -errno
 */
int td_punch(struct td *td, u64 gmem_page, u64 nr_pages)
{
	td_call_begin(TD_CALL_PUNCH);
	return td_call_end(fallocate(td->gmem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     gmem_page << TD_PAGE_SHIFT, nr_pages << TD_PAGE_SHIFT));
}

int td_get_dirty_log(struct td *td, enum td_slot_id id, void *bitmap)
{
	struct kvm_dirty_log log = { .slot = id, .dirty_bitmap = bitmap };

	return td_ioctl(TD_CALL_GET_DIRTY, td->vm_fd, KVM_GET_DIRTY_LOG, &log);
}

int td_clear_dirty_log(struct td *td, enum td_slot_id id, u64 first, u32 nr_pages,
		       void *bitmap)
{
	struct kvm_clear_dirty_log log = {
		.slot = id,
		.first_page = first,
		.num_pages = nr_pages,
		.dirty_bitmap = bitmap,
	};

	return td_ioctl(TD_CALL_CLEAR_DIRTY, td->vm_fd, KVM_CLEAR_DIRTY_LOG, &log);
}
