// SPDX-License-Identifier: GPL-2.0
/*
 * The bed's memory: page frames above all RAM, 1G-aligned, as many as its memslot
 * has pages. No machine has that much contiguous memory to spare, and none is
 * needed: the vCPUs never run, so nobody reads or writes there. But KVM looks at the
 * host's page tables to see how large a leaf may be, so these frames are mapped to
 * user memory as those of a device would be, by entries of 1G.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "../../tdp_stress/kvm/insight.h"
#include "vm.h"

#define GIB_PAGES	((u64)1 << 18)

static kvm_pfn_t first;
static struct file *frames_file;

static vm_fault_t frames_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	unsigned long size = PAGE_SIZE << order, addr = ALIGN_DOWN(vmf->address, size);
	struct vm_area_struct *vma = vmf->vma;
	bool write = vmf->flags & FAULT_FLAG_WRITE;
	kvm_pfn_t pfn = first + vma->vm_pgoff + ((addr - vma->vm_start) >> PAGE_SHIFT);

	if (addr < vma->vm_start || addr + size > vma->vm_end || !IS_ALIGNED(pfn, 1UL << order))
		return VM_FAULT_FALLBACK;
	if (!order)
		return vmf_insert_pfn(vma, vmf->address, pfn);
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) && order == PMD_ORDER)
		return vmf_insert_pfn_pmd(vmf, pfn, write);
	if (IS_ENABLED(CONFIG_ARCH_SUPPORTS_PUD_PFNMAP) && order == PUD_ORDER)
		return vmf_insert_pfn_pud(vmf, pfn, write);
	return VM_FAULT_FALLBACK;
}

static vm_fault_t frames_fault(struct vm_fault *vmf)
{
	return frames_huge_fault(vmf, 0);
}

static const struct vm_operations_struct frames_vm_ops = {
	.fault = frames_fault,
	.huge_fault = frames_huge_fault,
};

static int frames_mmap(struct file *file, struct vm_area_struct *vma)
{
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &frames_vm_ops;
	return 0;
}

static const struct file_operations frames_fops = {
	.owner = THIS_MODULE,
	.mmap = frames_mmap,
};

/* May sleep. -ENOENT, -EMFILE and the like; the reason is printed. */
int home_frames_open(void)
{
	const unsigned long *max = (const unsigned long *)tdps_lookup("max_pfn");

	if (!max) {
		pr_err("symbol max_pfn not found in this kernel\n");
		return -ENOENT;
	}
	first = ALIGN(*max, GIB_PAGES);
	frames_file = anon_inode_getfile("[tdp_stress_kunit]", &frames_fops, NULL, O_RDWR);
	if (IS_ERR(frames_file)) {
		pr_err("no file for the bed's memory (%ld)\n", PTR_ERR(frames_file));
		return PTR_ERR(frames_file);
	}
	return 0;
}

void home_frames_close(void)
{
	if (!IS_ERR_OR_NULL(frames_file))
		__fput_sync(frames_file);
	frames_file = NULL;
}

kvm_pfn_t home_frames_first(void)
{
	return first;
}

/**
 * home_frames_map() - make the frames user memory
 *
 * Context: may sleep; a thread with a new address space.
 *
 * Return: user address, 1G-aligned, of BED_PAGES pages, or -errno.
 */
unsigned long home_frames_map(void)
{
	unsigned long hva = vm_mmap(frames_file, HOME_FRAMES_HVA, BED_PAGES << PAGE_SHIFT,
				    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, 0);
	u64 i;
	int err;

	for (i = 0; !IS_ERR_VALUE(hva) && i < BED_PAGES; i += GIB_PAGES) {
		mmap_read_lock(current->mm);
		err = fixup_user_fault(current->mm, hva + (i << PAGE_SHIFT), FAULT_FLAG_WRITE,
				       NULL);
		mmap_read_unlock(current->mm);
		if (err)
			return err;
	}
	return hva;
}

/* In the thread that has mapped them, and no VM uses them. */
void home_frames_unmap(void)
{
	vm_munmap(HOME_FRAMES_HVA, BED_PAGES << PAGE_SHIFT);
}
