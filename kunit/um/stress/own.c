// SPDX-License-Identifier: GPL-2.0
/*
 * VMs of our own in UML: kvm/own.c's part where there is neither /dev/kvm nor an
 * address space. The memory is page frames that the machine does not have, because
 * nobody looks into them. What only a real VM can do is named here.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/memblock.h>
#include <linux/mman.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "../../../tdp_stress/kvm/external.h"
#include "../../../tdp_stress/kvm/own_vm.h"
#include "kvm.h"

#define HUGE_PAGES	KVM_PAGES_PER_HPAGE(PG_LEVEL_2M)
#define HUGETLB_PAGES	(2 * HUGE_PAGES)
#define MAX_VMS		4

/**
 * struct um_vm - a VM of our own
 * @vm: what others see
 * @other: pages of each region that have their other frame, or NULL
 * @private: private pages of TDPS_PRIVATE
 */
struct um_vm {
	struct tdps_vm vm;
	unsigned long *other[TDPS_NR_REGIONS];
	unsigned long *private;
};

static struct um_vm *um_of(struct tdps_vm *vm)
{
	return container_of(vm, struct um_vm, vm);
}

/* --- page frames --- */

/*
 * Each VM has a piece of its own. A region has its pages there twice, because what
 * is given back comes again with other frames; a 1G leaf's are never given back.
 */
static struct {
	u64 first;		/* frame of the first VM */
	u64 each;		/* frames of a VM */
	struct um_vm *vm[MAX_VMS];	/* whose they are; changed with no worker running */
} frames;

static u64 region_pages(const struct tdps_own_config *cfg, enum tdps_region id)
{
	u64 quarter = max(round_down(cfg->mem_bytes / 4 >> PAGE_SHIFT, HUGE_PAGES), HUGE_PAGES);

	switch (id) {
	case TDPS_GIANT:
		return cfg->giant ? OWN_GIB_PAGES : 0;
	case TDPS_MOVE:
		return HUGE_PAGES;
	case TDPS_HUGETLB:
		return cfg->hugetlb ? HUGETLB_PAGES : 0;
	default:
		return min(quarter, OWN_GIB_PAGES);
	}
}

void tdps_own_frames(const struct tdps_own_config *cfg, u32 vms, u64 *pfn, u64 *pages)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < TDPS_NR_REGIONS; i++)
		if (i != TDPS_GIANT)
			sum += 2 * region_pages(cfg, i);
	sum += region_pages(cfg, TDPS_GIANT);
	frames.each = cfg->giant ? ALIGN(sum, OWN_GIB_PAGES) : sum;
	frames.first = ALIGN(max_pfn, OWN_GIB_PAGES);
	*pfn = frames.first;
	*pages = vms * frames.each;
}

static u64 take_frames(struct um_vm *um)
{
	int i;

	for (i = 0; i < MAX_VMS; i++) {
		if (frames.vm[i])
			continue;
		frames.vm[i] = um;
		return frames.first + i * frames.each;
	}
	return 0;
}

static void give_back_frames(struct um_vm *um)
{
	int i;

	for (i = 0; i < MAX_VMS; i++)
		if (frames.vm[i] == um)
			frames.vm[i] = NULL;
}

/* --- what life.c asks for --- */

int own_set_slot(struct tdps_vm *vm, enum tdps_region id, u64 gfn, u32 flags)
{
	struct own_region *r = &vm->region[id];
	struct um_vm *um = um_of(vm);
	const struct stress_memory mem = {
		.id = own_slot(id),
		.gfn = gfn,
		.pages = gfn ? r->pages : 0,
		.pfn = r->hva >> PAGE_SHIFT,
		.other_pfn = r->pages,
		.other = um->other[id],
		.private = id == TDPS_PRIVATE ? um->private : NULL,
		.host_level = r->huge ? (id == TDPS_GIANT ? PG_LEVEL_1G : PG_LEVEL_2M) :
					PG_LEVEL_4K,
		.flags = flags | (id == TDPS_PRIVATE ? KVM_MEM_GUEST_MEMFD : 0),
	};

	guard(mutex)(&vm->kvm->slots_lock);
	return stress_set_slot(vm->kvm, &mem);
}

long own_ioctl(struct tdps_vm *vm, struct file *file, unsigned int cmd, void *arg, size_t len,
	       bool back)
{
	const struct kvm_memory_attributes *attr = arg;

	if (cmd != KVM_SET_MEMORY_ATTRIBUTES)
		return -ENOTTY;
	return stress_convert(vm->kvm, attr->address >> PAGE_SHIFT, attr->size >> PAGE_SHIFT,
			      attr->attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE);
}

long own_ioctl_log(struct tdps_vm *vm, unsigned int cmd, void *arg, size_t len,
		   void __user **where, void *data, size_t data_len, bool read)
{
	return -ENOTTY;
}

int own_punch(struct tdps_vm *vm, u64 gfn, u64 nr)
{
	return stress_punch(vm->kvm, gfn, nr);
}

/* The "address" of memory is its first frame's. */
int own_madvise(unsigned long start, size_t len, int behavior)
{
	u64 pfn = start >> PAGE_SHIFT, nr = len >> PAGE_SHIFT;
	struct um_vm *um = frames.vm[(pfn - frames.first) / frames.each];
	struct own_region *r;
	int i;

	if (behavior != MADV_DONTNEED)
		return -EOPNOTSUPP;
	for (i = 0; i < TDPS_NR_REGIONS; i++) {
		r = &um->vm.region[i];
		if (pfn >= r->pfn && pfn < r->pfn + r->pages)
			return stress_discard(um->vm.kvm, own_slot(i), r->gfn + (pfn - r->pfn),
					      nr);
	}
	return -ENOMEM;
}

int own_mprotect(unsigned long start, size_t len, unsigned long prot)
{
	return -EOPNOTSUPP;
}

const char *tdps_own_lacks(tdps_entry_fn fn)
{
	static const tdps_entry_fn real[] = {
		tdps_life_log_toggle, tdps_life_log_harvest, tdps_life_pageout,
		tdps_life_collapse, tdps_life_mprotect,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(real); i++)
		if (fn == real[i])
			return "needs a real VM";
	return NULL;
}

/* --- a VM --- */

int tdps_own_open(void)
{
	return 0;
}

void tdps_own_close(void)
{
}

/* There is no address space. */
void tdps_own_use(void)
{
}

void tdps_own_unuse(void)
{
}

static unsigned long *make_bitmap(u64 pages)
{
	return kvcalloc(BITS_TO_LONGS(pages), sizeof(long), GFP_KERNEL);
}

/* TDPS_PRIVATE and what is crafted are mapped by mirror roots; @r has pages and frames. */
static int make_region(struct tdps_vm *vm, enum tdps_region id)
{
	struct own_region *r = &vm->region[id];
	struct um_vm *um = um_of(vm);
	bool crafted = id == TDPS_CRAFT || id == TDPS_GIANT;

	r->hva = r->pfn << PAGE_SHIFT;
	r->huge = id != TDPS_PRIVATE;
	if (crafted)
		r->mode = kvcalloc(r->pages / HUGE_PAGES, sizeof(*r->mode), GFP_KERNEL);
	else
		um->other[id] = make_bitmap(2 * r->pages);
	if (crafted ? !r->mode : !um->other[id])
		return -ENOMEM;
	if (id == TDPS_PRIVATE) {
		um->private = make_bitmap(r->pages);
		if (!um->private)
			return -ENOMEM;
		bitmap_fill(um->private, r->pages);
	}
	return own_set_slot(vm, id, r->gfn, 0);
}

static int make_memory(struct tdps_vm *vm, const struct tdps_own_config *cfg)
{
	/* 1G comes first, because of its alignment */
	static const enum tdps_region order[] = {
		TDPS_GIANT, TDPS_PRIVATE, TDPS_CRAFT, TDPS_SHARED, TDPS_MOVE, TDPS_HUGETLB,
	};
	u64 pfn = take_frames(um_of(vm));
	int i, err = pfn ? 0 : -ENOSPC;

	static_assert(ARRAY_SIZE(order) == TDPS_NR_REGIONS);
	for (i = 0; i < ARRAY_SIZE(order) && !err; i++) {
		struct own_region *r = &vm->region[order[i]];

		r->gfn = OWN_REGION_GFN(order[i]);
		r->pages = region_pages(cfg, order[i]);
		r->pfn = pfn;
		pfn += r->pages * (order[i] == TDPS_GIANT ? 1 : 2);
		if (r->pages)
			err = make_region(vm, order[i]);
		else
			r->missing = order[i] == TDPS_GIANT ? "not asked for (huge_1g=1)" :
							      "not asked for (hugetlb=1)";
	}
	vm->move_gfn = vm->region[TDPS_MOVE].gfn;
	return err;
}

static int make_vcpus(struct tdps_vm *vm, const struct tdps_own_config *cfg)
{
	u32 i, nr = cfg->vcpus + cfg->side_vcpus;
	struct kvm_vcpu *vcpu;
	int err = 0;

	vm->vcpu = kcalloc(nr, sizeof(*vm->vcpu), GFP_KERNEL);
	if (!vm->vcpu)
		return -ENOMEM;
	vm->nr_vcpus = cfg->vcpus;
	vm->nr_side = cfg->side_vcpus;
	for (i = 0; i < nr && !err; i++) {
		vcpu = stress_create_vcpu(vm->kvm, i);
		if (IS_ERR(vcpu))
			return PTR_ERR(vcpu);
		vm->vcpu[i].vcpu = vcpu;
		if (i < cfg->vcpus)
			err = tdps_external_add_vcpu(vcpu);
	}
	return err;
}

struct tdps_vm *tdps_own_create(const struct tdps_own_config *cfg)
{
	struct um_vm *um = kzalloc_obj(*um);
	struct tdps_vm *vm;
	int err;

	if (!um)
		return ERR_PTR(-ENOMEM);
	vm = &um->vm;
	own_init_locks(vm);
	vm->kvm = stress_create_vm();
	if (IS_ERR(vm->kvm)) {
		err = PTR_ERR(vm->kvm);
		kfree(um);
		return ERR_PTR(err);
	}
	own_begin_late(vm->kvm);
	err = tdps_external_adopt(vm->kvm);
	if (!err) {
		tdps_external_set_crafted(vm->kvm, OWN_REGION_GFN(TDPS_CRAFT),
					  OWN_REGION_GFN(TDPS_GIANT) + OWN_GIB_PAGES);
		err = make_memory(vm, cfg);
	}
	if (!err)
		err = make_vcpus(vm, cfg);
	if (!err)
		err = tdps_external_finalize(vm->kvm);
	if (!err)
		return vm;
	pr_err("no VM can be made (%d)\n", err);
	tdps_own_destroy(vm);
	return ERR_PTR(err);
}

void tdps_own_destroy(struct tdps_vm *vm)
{
	struct um_vm *um = um_of(vm);
	int i;

	stress_destroy_vm(vm->kvm);
	give_back_frames(um);
	for (i = 0; i < TDPS_NR_REGIONS; i++) {
		kvfree(vm->region[i].mode);
		kvfree(um->other[i]);
	}
	kvfree(um->private);
	kfree(vm->vcpu);
	kfree(um);
}
