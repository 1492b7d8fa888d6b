// SPDX-License-Identifier: GPL-2.0
/*
 * The QEMU home: for each case a VM of the real KVM, made inside the kernel, whose
 * external page tables are the external backend's (tdp_stress/kvm/external.h). Its
 * vCPUs load roots and fault, and are never entered.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/delay.h>
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "../../tdp_stress/kvm/hold.h"
#include "../../tdp_stress/kvm/insight.h"
#include "../../tdp_stress/kvm/kvm.h"
#include "names.h"
#include "vm.h"

/* There are no holding points in this home. */
bool tdps_holds_any(void)
{
	return false;
}

/* --- a suite's life --- */

/* The suites count flushes and look at every VM there is: they want the machine. */
static int be_alone(void)
{
	bool others;

	mutex_lock(tdps_sym.kvm_lock);
	others = !list_empty(tdps_sym.vm_list);
	mutex_unlock(tdps_sym.kvm_lock);
	if (others)
		pr_err("there are other VMs on this machine: end them first\n");
	return others ? -EBUSY : 0;
}

static int start_backend(void)
{
	struct tdps_external_config cfg = {
		.max_vcpus = BED_VCPUS,
		.max_leaf_level = PG_LEVEL_1G - 1,
		.split = TDPS_SPLIT_LENIENT,
		.extra_pfn = home_frames_first(),
		.extra_pages = BED_PAGES,
	};

	return tdps_external_start(&cfg);
}

int home_open(void)
{
	int err = tdps_kvm_open(TDPS_BACKEND_EXTERNAL);

	if (err)
		return err;
	home_find_names(tdps_lookup);
	err = be_alone();
	if (!err)
		err = home_frames_open();
	if (!err)
		err = start_backend();
	if (err) {
		home_close();
		return err;
	}
	home_hooks_open();
	home_points_open();
	return 0;
}

void home_close(void)
{
	home_points_close();
	home_hooks_close();
	tdps_external_stop();
	home_frames_close();
	tdps_kvm_close();
}

/* --- a case's VM --- */

static int make_scratch(struct bed_home *h)
{
	unsigned long hva = vm_mmap(NULL, 0, HOME_SCRATCH, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, 0);

	if (IS_ERR_VALUE(hva))
		return hva;
	h->scratch = hva;
	return 0;
}

static int make_slot(struct bed *b)
{
	struct kvm_userspace_memory_region2 mem = {
		.guest_phys_addr = gfn_to_gpa(BED_GFN),
		.memory_size = BED_PAGES << PAGE_SHIFT,
		.userspace_addr = home_frames_map(),
	};
	int err;

	if (IS_ERR_VALUE((unsigned long)mem.userspace_addr))
		return (long)mem.userspace_addr;
	err = home_ioctl(b->home, b->home->file, KVM_SET_USER_MEMORY_REGION2, &mem, sizeof(mem),
			 false);
	if (err)
		return err;
	guard(mutex)(&b->kvm->slots_lock);
	b->slot = id_to_memslot(kvm_memslots(b->kvm), mem.slot);
	return b->slot ? 0 : -ENOENT;
}

static int make_vcpus(struct bed *b)
{
	struct bed_home *h = b->home;
	struct file *file;
	int err, i;

	for (i = 0; i < BED_VCPUS; i++) {
		file = home_take_file(h->file->f_op->unlocked_ioctl(h->file, KVM_CREATE_VCPU, i));
		if (IS_ERR(file))
			return PTR_ERR(file);
		h->vcpu_file[i] = file;
		b->vcpu[i] = file->private_data;
		err = tdps_external_add_vcpu(b->vcpu[i]);
		if (err)
			return err;
	}
	return 0;
}

static int make_vm(struct bed *b)
{
	struct bed_home *h = b->home;
	struct file *file;
	int err;

	file = home_make_vm();
	if (IS_ERR(file))
		return PTR_ERR(file);
	h->file = file;
	b->kvm = file->private_data;
	err = tdps_external_adopt(b->kvm);
	if (err)
		return err;
	home_watch_end(b->kvm, h);
	err = make_slot(b) ?: make_vcpus(b);
	return err ?: tdps_external_finalize(b->kvm);
}

int home_create(struct bed *b)
{
	struct home_left left;
	struct bed_home *h;
	int err = kunit_attach_mm();

	if (err)
		return err;
	h = kzalloc_obj(*h);
	if (!h)
		return -ENOMEM;
	b->home = h;
	/*
	 * A case's exit has a thread of its own. Without this reference the address
	 * space would end with the case's, and KVM would zap everything before
	 * anybody could look.
	 */
	h->mm = current->mm;
	mmget(h->mm);
	err = make_scratch(h) ?: make_vm(b);
	if (err) {
		pr_err("no VM for a case (%d)\n", err);
		home_destroy(b, &left);
	}
	return err;
}

/* Ours has to be the last reference; others are readers of the VM's statistics. */
static void end_vm(struct bed *b)
{
	struct bed_home *h = b->home;
	int i;

	for (i = 0; i < BED_VCPUS; i++)
		if (h->vcpu_file[i])
			__fput_sync(h->vcpu_file[i]);
	if (h->gmem)
		__fput_sync(h->gmem);
	flush_delayed_fput();
	while (refcount_read(&b->kvm->users_count) > 1)
		msleep(20);
	__fput_sync(h->file);
	home_watch_end(NULL, NULL);
	rcu_barrier();
}

static void unmap_all(struct bed_home *h)
{
	if (h->scratch)
		vm_munmap(h->scratch, HOME_SCRATCH);
	home_frames_unmap();
}

void home_destroy(struct bed *b, struct home_left *left)
{
	struct bed_home *h = b->home;

	*left = (struct home_left) {};
	home_points_reset();
	if (h->file)
		end_vm(b);
	if (h->ended)
		*left = h->left;
	/* a case's own thread may go on, with another VM */
	if (current->mm == h->mm)
		unmap_all(h);
	mmput(h->mm);
	kfree(h);
	b->home = NULL;
	b->kvm = NULL;
	b->slot = NULL;
	memset(b->vcpu, 0, sizeof(b->vcpu));
}

kvm_pfn_t home_first_pfn(struct bed *b)
{
	return home_frames_first();
}

/*
 * By the flag alone: KVM_SET_USER_MEMORY_REGION would make a new memslot, and split
 * and write-protect what is there, which is for cases to do.
 */
void home_log_dirty(struct bed *b, bool on)
{
	struct kvm_memory_slot *slot = b->slot;

	if (on && !slot->dirty_bitmap)
		/* twice, as KVM has it; it frees it with the memslot */
		slot->dirty_bitmap = __vcalloc(2, kvm_dirty_bitmap_bytes(slot),
					       GFP_KERNEL_ACCOUNT);
	if (on)
		slot->flags |= KVM_MEM_LOG_DIRTY_PAGES;
	else
		slot->flags &= ~KVM_MEM_LOG_DIRTY_PAGES;
}

/* Where there is no operation for ranges, as on kvm_amd, KVM falls back on the whole. */
u32 home_flushes(struct bed *b)
{
	return READ_ONCE(b->kvm->stat.generic.remote_tlb_flush_requests);
}

void home_invalidate_begin(struct bed *b, gfn_t start, gfn_t end)
{
	kvm_mmu_invalidate_start(b->kvm);
	kvm_mmu_invalidate_range_add(b->kvm, start, end);
}

void home_invalidate_end(struct bed *b, gfn_t start, gfn_t end)
{
	kvm_mmu_invalidate_end(b->kvm);
}

MODULE_DESCRIPTION("KUnit tests of KVM's TDP MMU");
MODULE_LICENSE("GPL");
