/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMs of our own, made inside the kernel, and what can be done to them: every
 * entry point of the TDP MMU as a function, and vCPUs that run. For torture/,
 * which knows no KVM type: a VM is opaque, a vCPU is a number.
 */
#ifndef TDP_STRESS_KVM_OWN_H
#define TDP_STRESS_KVM_OWN_H

#include <linux/types.h>

struct tdps_vm;

/**
 * enum tdps_region - parts of a VM's memory, each a memslot of its own
 * @TDPS_PRIVATE: guest_memfd and anonymous memory: 4K mirror leafs by real faults,
 *	attribute conversions, holes
 * @TDPS_CRAFT: pinned pages without guest_memfd: 4K and 2M mirror leafs by
 *	faults that entry.c crafts, because KVM maps private memory by 4K only
 * @TDPS_GIANT: 1 GiB of contiguous pages: 1G mirror leafs, crafted likewise
 * @TDPS_SHARED: anonymous memory, huge where the host has it: direct roots
 * @TDPS_MOVE: a small slot that comes, moves and goes
 * @TDPS_HUGETLB: memory of hugetlbfs: direct roots
 * @TDPS_NR_REGIONS: how many; also: none of them
 */
enum tdps_region {
	TDPS_PRIVATE,
	TDPS_CRAFT,
	TDPS_GIANT,
	TDPS_SHARED,
	TDPS_MOVE,
	TDPS_HUGETLB,
	TDPS_NR_REGIONS
};

/**
 * struct tdps_own_config - what a VM is made with
 * @vcpus: vCPUs that run a guest
 * @side_vcpus: vCPUs whose faults worker threads play, never entered
 * @mem_bytes: memory, shared out among the regions
 * @giant: make TDPS_GIANT
 * @hugetlb: make TDPS_HUGETLB
 */
struct tdps_own_config {
	u32 vcpus;
	u32 side_vcpus;
	u64 mem_bytes;
	bool giant;
	bool hugetlb;
};

/*
 * open: in the context of a process, whose address space holds the VMs' memory
 * from then on, whatever becomes of the process. create, destroy: with that
 * address space in use, see tdps_own_use(). All may sleep and print why they fail.
 */
int tdps_own_open(void);
void tdps_own_close(void);
bool tdps_own_others(void);	/* are there other VMs on this machine? */
/*
 * Page frames that such VMs map though the machine has no memory there, for struct
 * tdps_external_config; none where the host's memory is behind their memslots.
 */
void tdps_own_frames(const struct tdps_own_config *cfg, u32 vms, u64 *pfn, u64 *pages);
void tdps_own_use(void);	/* kernel threads only, as kthread_use_mm() */
void tdps_own_unuse(void);
struct tdps_vm *tdps_own_create(const struct tdps_own_config *cfg);
void tdps_own_destroy(struct tdps_vm *vm);

u64 tdps_own_id(const struct tdps_vm *vm);
bool tdps_own_bugged(const struct tdps_vm *vm);		/* KVM has given it up */
u64 tdps_own_gfn(const struct tdps_vm *vm, enum tdps_region r);
u64 tdps_own_pages(const struct tdps_vm *vm, enum tdps_region r);
/* Does the host back the region by 2M pages? */
bool tdps_own_huge(const struct tdps_vm *vm, enum tdps_region r);
/* Why there is no such region: a static clause; NULL: it is there. */
const char *tdps_own_missing(const struct tdps_vm *vm, enum tdps_region r);
u64 tdps_own_shared_bit(const struct tdps_vm *vm);	/* of a GPA */

/* How an operation went. */
enum tdps_result {
	TDPS_DID,	/* it did what it is for */
	TDPS_RETRY,	/* KVM says: try again */
	TDPS_NOTHING,	/* there was nothing to do, or others were in the way */
	TDPS_REFUSED,	/* an error */
	TDPS_NR_RESULTS
};

/**
 * struct tdps_target - what an operation is done to
 * @side: number of the caller's side vCPU; nobody else uses it
 * @region: part of the VM's memory
 * @gfn: first page, without the bits that make it a shared one
 * @nr: pages
 * @level: mapping level, 1 is 4K: of the leaf wanted, or split to
 * @mirror: private memory, in mirror roots; else shared, in direct roots
 * @both: both kinds of root
 * @shared: mmu_lock for read where KVM has both ways
 * @write: a write access
 * @yield: make the walk want to yield once
 * @random: for choices that the operation leaves open
 * @bitmap: room for the dirty log of the region, one bit for each page
 */
struct tdps_target {
	u32 side;
	enum tdps_region region;
	u64 gfn;
	u64 nr;
	int level;
	bool mirror;
	bool both;
	bool shared;
	bool write;
	bool yield;
	u32 random;
	unsigned long *bitmap;
};

typedef enum tdps_result (*tdps_entry_fn)(struct tdps_vm *vm, const struct tdps_target *t);

/* Why @fn cannot be done to VMs of this kind: a static clause; NULL: it can. */
const char *tdps_own_lacks(tdps_entry_fn fn);

/*
 * Entry points of the TDP MMU, see entry.c for the locks. All may sleep, all
 * want the VM's address space in use.
 */
int tdps_entry_find(void);
void tdps_entry_open(void);
void tdps_entry_close(void);
const char *tdps_entry_missing_nx(void);	/* NULL: NX huge pages can be had */
/* NULL: invalid roots can be zapped with mmu_lock held for write, too. */
const char *tdps_entry_missing_zap_write(void);
/* Most that KVM's count of tables to recover was ever off from its list of them. */
u64 tdps_entry_nx_miscounted(void);

enum tdps_result tdps_entry_map(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_map_exec(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_fast_pf(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_prefault(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_prefault_race(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_zap_leafs(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_unmap(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_zap_all(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_invalidate(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_invalidate_all(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_age(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_test_age(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_wrprot_slot(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_wrprot_gfn(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_clear_dirty_slot(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_clear_dirty_masked(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_recover(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_recover_race(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_split(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_nx_recover(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_walk(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_last_sptep(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_role(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_entry_reload(struct tdps_vm *vm, const struct tdps_target *t);

/* The VM's life, by KVM's own ioctls, and its memory's, by mm's calls (life.c). */
enum tdps_result tdps_life_slot_make(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_slot_move(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_slot_delete(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_log_toggle(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_log_harvest(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_convert(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_punch(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_discard(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_pageout(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_collapse(struct tdps_vm *vm, const struct tdps_target *t);
enum tdps_result tdps_life_mprotect(struct tdps_vm *vm, const struct tdps_target *t);

/**
 * enum tdps_exit - why a vCPU's run has ended
 * @TDPS_EXIT_NONE: some stays went by
 * @TDPS_EXIT_MEMORY: the guest takes a page for private that is shared, or the other
 *	way round; user space would convert it (KVM_EXIT_MEMORY_FAULT)
 * @TDPS_EXIT_DEAD: KVM has given the VM up
 */
enum tdps_exit {
	TDPS_EXIT_NONE,
	TDPS_EXIT_MEMORY,
	TDPS_EXIT_DEAD,
};

/**
 * struct tdps_run_counts - what a vCPU's runs came to; of its thread
 * @entries: entries into the guest
 * @violations: EPT violations
 * @faults: faults handed to KVM, by enum tdps_result
 * @busy: entries that the emulated module refused as busy
 * @turned: entries that a pending request or signal has turned away
 * @other: exits that were none of these
 * @gfn: TDPS_EXIT_MEMORY: the page
 * @private: ... what the guest takes it for
 */
struct tdps_run_counts {
	u64 entries;
	u64 violations;
	u64 faults[TDPS_NR_RESULTS];
	u64 busy;
	u64 turned;
	u64 other;
	u64 gfn;
	bool private;
};

/* Enter a vCPU some times, handling what it exits for (run.c). */
enum tdps_exit tdps_run(struct tdps_vm *vm, u32 vcpu, u32 random, struct tdps_run_counts *n);

#endif
