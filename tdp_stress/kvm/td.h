/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the external backend only: a VM of ours, its TD, and how a SEAMCALL is
 * made and told to the oracles. external.c has the module and the table of VMs,
 * td.c a TD's life, sept.c its external page tables.
 */
#ifndef TDP_STRESS_KVM_TD_H
#define TDP_STRESS_KVM_TD_H

#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "../oracle/oracle.h"
#include "compat.h"
#include "external.h"

/* As many as today's TDX modules want. */
#define EXT_TDCS_PAGES		4
#define EXT_TDVPS_PAGES		6
#define EXT_KEYID_START		1
#define EXT_RECOVERERS		64	/* threads in that function at once, with one VM */
#define EXT_NR_KEYIDS		64	/* TDs that may live at once */

/**
 * struct ext_vcpu - a TD vCPU
 * @tdvpr: its TDVPR page
 * @tdcx: the other pages of its TDVPS
 * @cpu: the CPU it is associated with, or -1; changed with preemption off by
 *	 whoever loads it, or when nobody can any more
 * @root: SHARED_EPT_POINTER as last written
 * @rcu: frees it
 */
struct ext_vcpu {
	struct page *tdvpr;
	struct page *tdcx[EXT_TDVPS_PAGES - 1];
	int cpu;
	hpa_t root;
	struct rcu_head rcu;
};

/**
 * struct ext_vm - a VM of ours, from adoption to KVM's last word about it
 * @node: in the table of VMs, RCU
 * @kvm: the VM
 * @td_lock: creation of vCPUs, finalization and teardown, one after the other
 * @hkid: its HKID; 0: none any more
 * @runnable: finalized
 * @pinned: holds a reference on this module
 * @broken: an operation failed for good, so that KVM and the S-EPT disagree:
 *	    from now on removals make sure that the page is out, however
 * @sept_levels: levels of the S-EPT
 * @keep_out: a BUSY call is being repeated: vCPUs are not to enter
 * @track_lock: TDH.MEM.TRACK and the kick after it are one step
 * @leafs: 4K pages that are mapped
 * @crafted_start: first GFN of the crafted range
 * @crafted_end: GFN after its last
 * @refused: operations that were refused with mmu_lock held for read
 * @recoverers: threads in kvm_tdp_mmu_recover_huge_pages()
 * @stray_lock: protects @strays
 * @strays: S-EPT pages that could not be taken back while the TD lived; they go
 *	    with it
 * @pin_lock: protects changes of @pins
 * @pins: pages of user space that crafted leafs map, by GFN; until the VM ends
 * @craft_mode: user space's crafted leafs are of one size at a time, see
 *	entry_craft_enter()
 * @tdr: TDR page
 * @tdcs: TDCS pages
 * @rcu: frees it
 * @nr_vcpus: room in @vcpu
 * @vcpu: by vcpu_idx; set once, with @td_lock held
 */
struct ext_vm {
	struct hlist_node node;
	struct kvm *kvm;
	struct mutex td_lock;	/* vCPUs, finalization, teardown */
	u32 hkid;
	bool runnable;
	bool pinned;
	bool broken;
	u8 sept_levels;
	atomic_t keep_out;
	spinlock_t track_lock;	/* one epoch after the other */
	atomic64_t leafs;
	gfn_t crafted_start;
	gfn_t crafted_end;
	atomic_t refused;
	struct task_struct *recoverers[EXT_RECOVERERS];
	spinlock_t stray_lock;	/* @strays */
	struct list_head strays;
	struct mutex pin_lock;	/* @pins */
	struct xarray pins;
	atomic_t craft_mode;
	struct page *tdr;
	struct page *tdcs[EXT_TDCS_PAGES];
	struct rcu_head rcu;
	u32 nr_vcpus;
	struct ext_vcpu *vcpu[] __counted_by(nr_vcpus);
};

/* Counters of the backend; see tdps_external_stats(). */
enum ext_count {
	EXT_VMS,
	EXT_SPLIT_OWN_PAGE,
	EXT_SPLIT_KVM_PAGE,
	EXT_SPLIT_REFUSED,
	EXT_PROMOTE,
	EXT_PERMISSIONS,
	EXT_UNSUPPORTED,
	EXT_GAVE_IN,
	EXT_POOL_EMPTY,
	EXT_FORCED_OUT,
	EXT_STRAY_TABLES,
	EXT_NR_COUNTS
};

/**
 * struct ext_module - the backend
 * @m: the emulated TDX module; NULL: not started
 * @cfg: what it was started with
 * @lock: TDs' lives where they meet in the module: keys, caches
 * @keyids: HKIDs in use
 * @live: VMs of ours that are alive
 * @idle: woken when @live gets 0
 * @count: by enum ext_count
 */
struct ext_module {
	struct tdxm *m;
	struct tdps_external_config cfg;
	struct mutex lock;	/* keys and caches */
	DECLARE_BITMAP(keyids, EXT_NR_KEYIDS);
	atomic_t live;
	wait_queue_head_t idle;
	atomic64_t count[EXT_NR_COUNTS];
};

extern struct ext_module ext;

static inline void ext_count(enum ext_count what)
{
	atomic64_inc(&ext.count[what]);
}

u64 ext_shared_bit(void);
struct ext_vm *ext_find(const struct kvm *kvm);
void ext_table_add(struct ext_vm *vm);
void ext_table_del(struct ext_vm *vm);
void ext_for_each(void (*fn)(struct ext_vm *vm, void *arg), void *arg);
struct page *ext_pool_get(void);
void ext_pool_put(struct page *page);

bool ext_make_all_cpus_request(struct kvm *kvm, unsigned int req);
void ext_bug(struct ext_vm *vm);

u64 ext_seamcall(struct tdxm_regs *regs);
u64 ext_td_call(struct ext_vm *vm, enum tdps_call call, struct tdxm_regs *regs);
u64 ext_mem_call(struct ext_vm *vm, u64 leaf, gfn_t gfn, int level, u64 page);
u64 ext_reclaim(struct ext_vm *vm, struct page *page);
u64 ext_page_type(u64 pa);
void ext_stray(struct ext_vm *vm, struct page *page);

/* Of this machine, as the emulated TDX module has them: HKIDs are above them. */
static inline u32 ext_phys_bits(void)
{
	return clamp(boot_cpu_data.x86_phys_bits, 32, 52);
}

static inline bool ext_busy(u64 status)
{
	return (status & TDX_SEAMCALL_STATUS_MASK) == TDX_OPERAND_BUSY;
}

/* td.c */
int ext_td_start(void);
void ext_td_stop(void);

/* sept.c */
#if TDPS_MIRROR_ROOTS
int ext_sept_start(void);
void ext_sept_stop(void);
void ext_sweep(struct ext_vm *vm);
#else
static inline int ext_sept_start(void)
{
	return 0;
}

static inline void ext_sept_stop(void)
{
}

static inline void ext_sweep(struct ext_vm *vm)
{
}
#endif

#endif
