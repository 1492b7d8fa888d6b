/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: what own.c, own_entry.c, life.c and run.c share of a VM of
 * our own.
 */
#ifndef TDP_STRESS_KVM_OWN_VM_H
#define TDP_STRESS_KVM_OWN_VM_H

#include <linux/mutex.h>
#include <linux/rwsem.h>
#include "entry.h"

/*
 * Where the regions are, in GFNs. Each has room for 1 GiB; TDPS_CRAFT and
 * TDPS_GIANT are neighbours, because one range is crafted.
 */
#define OWN_REGION_GFN(n)	((4ull + (n)) << (30 - PAGE_SHIFT))
#define OWN_GIB_PAGES	(1ull << (30 - PAGE_SHIFT))

/**
 * struct own_region - a part of the VM's memory
 * @missing: why it is not there, or NULL
 * @gfn: first GFN
 * @pages: pages
 * @hva: user address of the first page, aligned to 2M
 * @map_hva: user address of the whole mapping
 * @map_len: its length, bytes
 * @huge: the host has 2M pages there
 * @pfn: TDPS_CRAFT, TDPS_GIANT: page frame of each page, or of the first
 * @page: TDPS_CRAFT: the pinned pages; NULL: the frames follow one another
 * @mode: TDPS_CRAFT, TDPS_GIANT: who is at work on each 2M (see
 *	entry_craft_enter())
 * @zap_sem: zaps, for reading, against what maps without a look at invalidations in
 *	progress, for writing (see tdps_entry_recover())
 */
struct own_region {
	const char *missing;
	u64 gfn;
	u64 pages;
	unsigned long hva;
	unsigned long map_hva;
	unsigned long map_len;
	bool huge;
	u64 pfn;
	struct page **page;
	atomic_t *mode;
	struct rw_semaphore zap_sem;
};

/* Page frame of a page in TDPS_CRAFT or TDPS_GIANT. */
static inline u64 own_pfn(const struct own_region *r, u64 gfn)
{
	return r->page ? page_to_pfn(r->page[gfn - r->gfn]) : r->pfn + (gfn - r->gfn);
}

/**
 * struct own_vcpu - a vCPU
 * @file: its file
 * @vcpu: KVM's
 * @flush_due: its roots are new: the guest's TLB has to go before the next entry.
 *	Under vcpu->mutex.
 */
struct own_vcpu {
	struct file *file;
	struct kvm_vcpu *vcpu;
	bool flush_due;
};

#define OWN_SCRATCH	16

/**
 * struct tdps_vm - a VM of our own
 * @kvm: KVM's
 * @file: its file
 * @gmem: guest_memfd of TDPS_PRIVATE
 * @region: its memory
 * @nr_vcpus: vCPUs that run a guest
 * @nr_side: side vCPUs, after these in @vcpu
 * @vcpu: all vCPUs
 * @scratch_hva: user memory for arguments of ioctls, OWN_SCRATCH pieces
 * @scratch_len: length of a piece, bytes
 * @scratch_lock: each for its piece
 * @slot_lock: serialises the changes of memslots that are ours to decide, below
 * @roots_sem: prefaults for read, invalidations of roots for write, see
 *	tdps_entry_prefault()
 * @slots_sem: faults behind no memslot for read, memslots that come for write, see
 *	keep_no_slot() in own_entry.c
 * @move_gfn: where TDPS_MOVE is, 0: nowhere
 * @logging: the dirty log of TDPS_SHARED is on
 * @manual: the log is cleared by an ioctl of its own
 */
struct tdps_vm {
	struct kvm *kvm;
	struct file *file;
	struct file *gmem;
	struct own_region region[TDPS_NR_REGIONS];
	u32 nr_vcpus;
	u32 nr_side;
	struct own_vcpu *vcpu;
	unsigned long scratch_hva;
	unsigned long scratch_len;
	struct mutex scratch_lock[OWN_SCRATCH];	/* each for its piece of scratch_hva */
	struct mutex slot_lock;			/* memslots that come, move, are logged */
	struct rw_semaphore roots_sem;
	struct rw_semaphore slots_sem;
	u64 move_gfn;
	bool logging;
	bool manual;
};

/* Memslot of a region: its number. */
static inline u32 own_slot(enum tdps_region r)
{
	return r;
}

static inline struct own_vcpu *own_side(struct tdps_vm *vm, u32 side)
{
	return &vm->vcpu[vm->nr_vcpus + side % vm->nr_side];
}

void own_init_locks(struct tdps_vm *vm);

/*
 * As jiffies begin shortly before they wrap: what is too narrow for the number of
 * invalidations shows in seconds, and not after weeks. @kvm is new.
 */
#define OWN_EARLY_SEQS	64
void own_begin_late(struct kvm *kvm);

/* An ioctl of @file with @arg in user memory; @arg is read back if @back. */
long own_ioctl(struct tdps_vm *vm, struct file *file, unsigned int cmd, void *arg, size_t len,
	       bool back);
/* Likewise, with up to a dirty log's length of user memory at *@extra. */
long own_ioctl_log(struct tdps_vm *vm, unsigned int cmd, void *arg, size_t len,
		   void __user **where, void *data, size_t data_len, bool read);
int own_set_slot(struct tdps_vm *vm, enum tdps_region r, u64 gfn, u32 flags);
/* A hole in the guest_memfd of TDPS_PRIVATE. */
int own_punch(struct tdps_vm *vm, u64 gfn, u64 nr);
int own_madvise(unsigned long start, size_t len, int behavior);
int own_mprotect(unsigned long start, size_t len, unsigned long prot);

/*
 * Make the vCPU fit for a fault or an entry: answer KVM's requests, load roots.
 * vcpu->mutex held, vcpu loaded, SRCU held. May sleep. -EIO: the VM is dead.
 */
int own_prepare(struct own_vcpu *v);
/* A fault of this vCPU, as kvm_mmu_do_page_fault(); same context. RET_PF_* or -errno. */
int own_fault(struct tdps_vm *vm, struct own_vcpu *v, gpa_t gpa, u64 error_code, u8 max_level,
	      bool prefetch);
enum tdps_result own_craft(struct tdps_vm *vm, struct own_vcpu *v, u64 gfn, int level);
enum tdps_result own_fault_result(int r);
enum tdps_region own_region_of(const struct tdps_vm *vm, u64 gfn);

#endif
