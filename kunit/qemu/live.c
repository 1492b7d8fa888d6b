// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's own ways to change its tables: page faults of vCPUs, ioctls, guest_memfd and
 * MMU notifiers. Judges nothing.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <linux/mman.h>

#include "live.h"
#include "vm.h"

/* the test's address space is new: nothing is there */
#define LIVE_HVA	(BIT(40) + BIT(36))

static const struct live_slot {
	gfn_t gfn;
	u64 pages;
	unsigned long hva;
	u32 flags;
} slots[] = {
	[LIVE_GMEM] = { LIVE_GMEM_GFN, LIVE_GMEM_PAGES, LIVE_HVA, KVM_MEM_GUEST_MEMFD },
	[LIVE_PLAIN] = { LIVE_PLAIN_GFN, LIVE_PLAIN_PAGES, HOME_FRAMES_HVA, 0 },
};

/* Of a memslot that is where it was made. */
static unsigned long to_hva(gfn_t gfn)
{
	const struct live_slot *s = &slots[gfn >= LIVE_PLAIN_GFN ? LIVE_PLAIN : LIVE_GMEM];

	return s->hva + ((gfn - s->gfn) << PAGE_SHIFT);
}

static u64 to_gpa(struct bed *b, enum bed_kind kind, gfn_t gfn)
{
	return gfn_to_gpa(bed_gfn(b, kind, gfn));
}

/* KVM wants an fd, for the time of the call. */
static int lend_fd(struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd >= 0)
		fd_install(fd, get_file(file));
	return fd;
}

int live_slot(struct bed *b, enum live_part part, gfn_t gfn, u32 flags)
{
	const struct live_slot *s = &slots[part];
	struct bed_home *h = b->home;
	struct kvm_userspace_memory_region2 mem = {
		.slot = 1 + part,	/* after the bed's */
		.flags = s->flags | flags,
		.guest_phys_addr = gfn_to_gpa(gfn),
		.memory_size = gfn ? s->pages << PAGE_SHIFT : 0,
		.userspace_addr = s->hva,
	};
	int fd = lend_fd(h->gmem), err;

	if (fd < 0)
		return fd;
	mem.guest_memfd = fd;
	err = home_ioctl(h, h->file, KVM_SET_USER_MEMORY_REGION2, &mem, sizeof(mem), false);
	close_fd(fd);
	return err;
}

int live_make(struct bed *b)
{
	struct kvm_create_guest_memfd args = { .size = LIVE_GMEM_PAGES << PAGE_SHIFT };
	struct bed_home *h = b->home;
	struct file *gmem;
	unsigned long hva;

	gmem = home_take_file(home_ioctl(h, h->file, KVM_CREATE_GUEST_MEMFD, &args, sizeof(args),
					 false));
	if (IS_ERR(gmem))
		return PTR_ERR(gmem);
	h->gmem = gmem;
	hva = vm_mmap(NULL, LIVE_HVA, args.size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, 0);
	if (IS_ERR_VALUE(hva))
		return hva;
	/* or the host would unmap 2M where it takes a page away */
	return do_madvise(current->mm, hva, args.size, MADV_NOHUGEPAGE) ?:
	       live_slot(b, LIVE_GMEM, LIVE_GMEM_GFN, 0) ?:
	       live_slot(b, LIVE_PLAIN, LIVE_PLAIN_GFN, 0);
}

int live_fault(struct bed *b, int vcpu, enum bed_kind kind, gfn_t gfn, bool write, u8 max_level)
{
	struct kvm_vcpu *v = b->vcpu[vcpu];
	struct kvm_page_fault fault = {
		.addr = to_gpa(b, kind, gfn),
		.error_code = PFERR_GUEST_FINAL_MASK | (write ? PFERR_WRITE_MASK : 0) |
			      (kind == BED_MIRROR ? PFERR_PRIVATE_ACCESS : 0),
		.write = write,
		.is_tdp = true,
		.is_private = kind == BED_MIRROR,
		.max_level = max_level,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		.pfn = KVM_PFN_ERR_FAULT,
		.gfn = gfn,
	};
	int ret = home_get(v);

	if (!ret) {
		fault.slot = kvm_vcpu_gfn_to_memslot(v, gfn);
		/* by the pointer that KVM itself calls it by */
		ret = v->arch.mmu->page_fault(v, &fault);
	}
	home_put(v);
	return ret;
}

long live_prefault(struct bed *b, int vcpu, gfn_t gfn, u64 pages)
{
	struct kvm_pre_fault_memory range;
	struct kvm_vcpu *v = b->vcpu[vcpu];
	long ret = home_get(v), done = 0;

	/* KVM's own loop, one step of it at a time */
	while (!ret && done < pages) {
		range = (struct kvm_pre_fault_memory) {
			.gpa = gfn_to_gpa(gfn + done), .size = (pages - done) << PAGE_SHIFT,
		};
		ret = kvm_arch_vcpu_pre_fault_memory(v, &range);
		if (ret > 0) {
			done += ret >> PAGE_SHIFT;
			ret = 0;
		}
	}
	home_put(v);
	return ret ?: done;
}

int live_convert(struct bed *b, gfn_t gfn, u64 pages, bool private)
{
	struct kvm_memory_attributes attr = {
		.address = gfn_to_gpa(gfn),
		.size = pages << PAGE_SHIFT,
		.attributes = private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0,
	};

	return home_ioctl(b->home, b->home->file, KVM_SET_MEMORY_ATTRIBUTES, &attr, sizeof(attr),
			  false);
}

int live_punch(struct bed *b, gfn_t gfn, u64 pages)
{
	return vfs_fallocate(b->home->gmem, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (gfn - LIVE_GMEM_GFN) << PAGE_SHIFT, pages << PAGE_SHIFT);
}

int live_discard(struct bed *b, gfn_t gfn, u64 pages)
{
	unsigned long hva = to_hva(gfn);
	struct vm_area_struct *vma;

	if (gfn < LIVE_PLAIN_GFN)
		return do_madvise(current->mm, hva, pages << PAGE_SHIFT, MADV_DONTNEED);
	/* the bed's memory is a device's, whose driver takes it back */
	guard(mmap_read_lock)(current->mm);
	vma = vma_lookup(current->mm, hva);
	if (!vma)
		return -EFAULT;
	zap_special_vma_range(vma, hva, pages << PAGE_SHIFT);
	return 0;
}

long live_log(struct bed *b, gfn_t *first, gfn_t *last)
{
	unsigned long len = LIVE_PLAIN_PAGES / BITS_PER_BYTE;
	unsigned long room = b->home->scratch + PAGE_SIZE;
	struct kvm_dirty_log log = {
		.slot = 1 + LIVE_PLAIN, .dirty_bitmap = (void __user *)room,
	};
	unsigned long *bitmap;
	long ret;

	BUILD_BUG_ON(PAGE_SIZE + LIVE_PLAIN_PAGES / BITS_PER_BYTE > HOME_SCRATCH);
	bitmap = kunit_kzalloc(b->test, len, GFP_KERNEL);
	if (!bitmap)
		return -ENOMEM;
	ret = home_ioctl(b->home, b->home->file, KVM_GET_DIRTY_LOG, &log, sizeof(log), false);
	if (ret)
		return ret;
	if (copy_from_user(bitmap, (void __user *)room, len))
		return -EFAULT;
	*first = LIVE_PLAIN_GFN + find_first_bit(bitmap, LIVE_PLAIN_PAGES);
	*last = LIVE_PLAIN_GFN + find_last_bit(bitmap, LIVE_PLAIN_PAGES);
	return bitmap_weight(bitmap, LIVE_PLAIN_PAGES);
}
