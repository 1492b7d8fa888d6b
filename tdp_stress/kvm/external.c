// SPDX-License-Identifier: GPL-2.0
/*
 * The external-ops backend as a whole: the emulated TDX module it keeps, the
 * table of VMs that are ours, the pool of pages for splits, counters, and the
 * view for the oracles. Knows neither a TD's life (td.c) nor SPTEs (sept.c).
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/mm.h>
#include <linux/rculist.h>
#include <linux/static_call.h>
#include <linux/topology.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../core/view.h"
#include "insight.h"
#include "td.h"

struct ext_module ext = {
	.lock = __MUTEX_INITIALIZER(ext.lock),
	.idle = __WAIT_QUEUE_HEAD_INITIALIZER(ext.idle),
};

/* --- VMs of ours --- */

#define TABLE_BITS	6

static DEFINE_HASHTABLE(table, TABLE_BITS);
static DEFINE_SPINLOCK(table_lock);

/**
 * ext_find() - the backend's part of a VM
 * @kvm: a VM that the caller uses, so that it is not about to be destroyed
 *
 * Context: any, lock-free.
 *
 * Return: NULL if it is not ours.
 */
struct ext_vm *ext_find(const struct kvm *kvm)
{
	struct ext_vm *vm;

	guard(rcu)();
	hash_for_each_possible_rcu(table, vm, node, (unsigned long)kvm)
		if (vm->kvm == kvm)
			return vm;
	return NULL;
}

void ext_table_add(struct ext_vm *vm)
{
	guard(spinlock)(&table_lock);
	hash_add_rcu(table, &vm->node, (unsigned long)vm->kvm);
	atomic_inc(&ext.live);
}

void ext_table_del(struct ext_vm *vm)
{
	scoped_guard(spinlock, &table_lock)
		hash_del_rcu(&vm->node);
	if (atomic_dec_and_test(&ext.live))
		wake_up_all(&ext.idle);
}

/* Context: any; @fn must not sleep. */
void ext_for_each(void (*fn)(struct ext_vm *vm, void *arg), void *arg)
{
	struct ext_vm *vm;
	int i;

	guard(rcu)();
	hash_for_each_rcu(table, i, vm, node)
		fn(vm, arg);
}

/**
 * tdps_external_owns() - is this a VM of ours?
 * @kvm: a VM that the caller uses
 *
 * Context: any, lock-free.
 *
 * Return: true if its external page tables are the backend's.
 */
bool tdps_external_owns(const struct kvm *kvm)
{
	return atomic_read(&ext.live) && ext_find(kvm);
}

/**
 * tdps_external_tdr() - the TD behind a VM
 * @kvm: a VM that the caller uses
 *
 * Context: any, lock-free.
 *
 * Return: physical address of the TDR page, 0 if the VM is not ours.
 */
u64 tdps_external_tdr(const struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	return vm ? page_to_phys(vm->tdr) : 0;
}

bool tdps_external_runnable(const struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	return vm && READ_ONCE(vm->runnable);
}

bool tdps_external_has_hkid(const struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	return vm && READ_ONCE(vm->hkid);
}

/**
 * tdps_external_set_crafted() - name the GFNs whose mirror leafs are crafted
 * @kvm: a VM of ours
 * @start: first GFN
 * @end: GFN after the last
 *
 * Context: before the first such leaf.
 */
void tdps_external_set_crafted(struct kvm *kvm, u64 start, u64 end)
{
	struct ext_vm *vm = ext_find(kvm);

	if (!vm)
		return;
	WRITE_ONCE(vm->crafted_start, start);
	WRITE_ONCE(vm->crafted_end, end);
}

bool tdps_external_is_crafted(const struct kvm *kvm, u64 gfn)
{
	struct ext_vm *vm = ext_find(kvm);

	return vm && ((gfn >= READ_ONCE(vm->crafted_start) && gfn < READ_ONCE(vm->crafted_end)) ||
		      xa_load(&vm->pins, gfn));
}

u32 tdps_external_live(void)
{
	return atomic_read(&ext.live);
}

/**
 * tdps_external_wait_idle() - wait until KVM has destroyed all VMs of ours
 * @ms: how long, in milliseconds
 *
 * KVM destroys a VM some time after its last file was closed; until then the
 * hooks have to stay.
 *
 * Context: may sleep.
 *
 * Return: 0, or -ETIMEDOUT.
 */
int tdps_external_wait_idle(unsigned int ms)
{
	return wait_event_timeout(ext.idle, !atomic_read(&ext.live), msecs_to_jiffies(ms)) ?
	       0 : -ETIMEDOUT;
}

/* --- pages for splits: nothing may sleep where they are wanted --- */

#define POOL_PAGES	64

static struct {
	spinlock_t lock;	/* all of it */
	unsigned int n;
	struct page *page[POOL_PAGES];
} pool = {
	.lock = __SPIN_LOCK_UNLOCKED(pool.lock),
};

static bool pool_add(struct page *page)
{
	guard(spinlock)(&pool.lock);
	if (pool.n == POOL_PAGES)
		return false;
	pool.page[pool.n++] = page;
	return true;
}

static void pool_fill(struct work_struct *unused)
{
	struct page *page;

	while (READ_ONCE(pool.n) < POOL_PAGES) {
		page = alloc_page(GFP_KERNEL_ACCOUNT);
		if (!page)
			return;
		if (!pool_add(page))
			__free_page(page);
	}
}

static DECLARE_WORK(pool_work, pool_fill);

/* Context: any lock of KVM's held. NULL: none left, more are on their way. */
struct page *ext_pool_get(void)
{
	struct page *page = NULL;

	scoped_guard(spinlock, &pool.lock) {
		if (pool.n)
			page = pool.page[--pool.n];
	}
	if (READ_ONCE(pool.n) < POOL_PAGES / 2)
		queue_work(system_dfl_wq, &pool_work);
	if (!page)
		page = alloc_page(GFP_NOWAIT);
	if (!page)
		ext_count(EXT_POOL_EMPTY);
	return page;
}

void ext_pool_put(struct page *page)
{
	if (!pool_add(page))
		__free_page(page);
}

static void pool_drain(void)
{
	cancel_work_sync(&pool_work);
	while (pool.n)
		__free_page(pool.page[--pool.n]);
}

/* --- KVM's functions: by static calls, which need no ENDBR at the target --- */

DEFINE_STATIC_CALL_NULL(tdps_make_all_cpus_request, kvm_make_all_cpus_request);

bool ext_make_all_cpus_request(struct kvm *kvm, unsigned int req)
{
	return static_call(tdps_make_all_cpus_request)(kvm, req);
}

/* kvm_vm_bugged(), without its warning: what went wrong is the oracles' to say. */
void ext_bug(struct ext_vm *vm)
{
	WRITE_ONCE(vm->broken, true);
	vm->kvm->vm_bugged = true;
	vm->kvm->vm_dead = true;
	ext_make_all_cpus_request(vm->kvm, KVM_REQ_VM_DEAD);
}

/**
 * tdps_external_break() - an operation was refused by somebody before the backend
 * @kvm: a VM of ours
 *
 * Context: mmu_lock held.
 */
void tdps_external_break(struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	if (vm)
		WRITE_ONCE(vm->broken, true);
}

/**
 * tdps_external_set_split() - what a split without an external page meets from now on
 * @split: see enum tdps_split_mode
 *
 * Context: nobody is in an operation of the backend's.
 */
void tdps_external_set_split(enum tdps_split_mode split)
{
	WRITE_ONCE(ext.cfg.split, split);
}

/* --- SEAMCALLs --- */

/* The emulated module expects what the instruction would find: IRQs off. */
u64 ext_seamcall(struct tdxm_regs *regs)
{
	unsigned long flags;

	local_irq_save(flags);
	tdxm_seamcall(ext.m, regs);
	local_irq_restore(flags);
	return regs->rax;
}

/* A call that names no GPA; what KVM's wrappers report, likewise. */
u64 ext_td_call(struct ext_vm *vm, enum tdps_call call, struct tdxm_regs *regs)
{
	u64 operand = regs->rcx, status = ext_seamcall(regs);
	struct tdps_seamcall c = {
		.where = { .vm = tdps_vm_id(vm->kvm), .gfn = TDPS_NO_GFN },
		.call = call,
		.status = status,
	};

	/* without the HKID */
	if (call == TDPS_CALL_PHYMEM_PAGE_WBINVD)
		c.pa = operand & GENMASK_ULL(ext_phys_bits() - 1, 0);
	if (call == TDPS_CALL_MEM_TRACK) {
		c.where.lock = tdps_lock_of(vm->kvm);
		c.runnable = vm->runnable;
	}
	tdps_seamcall(&c);
	return status;
}

/* TDPS_NR_CALLS: one that the oracles do not know yet. */
static enum tdps_call call_of(u64 leaf)
{
	switch (leaf) {
	case TDH_MEM_SEPT_ADD:
		return TDPS_CALL_MEM_SEPT_ADD;
	case TDH_MEM_PAGE_AUG:
		return TDPS_CALL_MEM_PAGE_AUG;
	case TDH_MEM_RANGE_BLOCK:
		return TDPS_CALL_MEM_RANGE_BLOCK;
	case TDH_MEM_PAGE_REMOVE:
		return TDPS_CALL_MEM_PAGE_REMOVE;
	case TDH_MEM_RANGE_UNBLOCK:
		return TDPS_CALL_MEM_RANGE_UNBLOCK;
	case TDH_MEM_PAGE_DEMOTE:
		return TDPS_CALL_MEM_PAGE_DEMOTE;
	case TDH_MEM_PAGE_PROMOTE:
		return TDPS_CALL_MEM_PAGE_PROMOTE;
	case TDH_MEM_SEPT_REMOVE:
		return TDPS_CALL_MEM_SEPT_REMOVE;
	default:
		return TDPS_NR_CALLS;
	}
}

/**
 * ext_mem_call() - a TDH.MEM.* leaf about one S-EPT entry
 * @vm: VM
 * @leaf: which
 * @gfn: first GFN of the entry
 * @level: level of the entry, KVM's numbers: 1 is 4K
 * @page: page to be handed in, physical address, 0: none
 *
 * Context: mmu_lock held, or nobody else uses the VM.
 *
 * Return: the status.
 */
u64 ext_mem_call(struct ext_vm *vm, u64 leaf, gfn_t gfn, int level, u64 page)
{
	struct tdxm_regs regs = {
		.rax = leaf, .rcx = gfn_to_gpa(gfn) | (level - 1),
		.rdx = page_to_phys(vm->tdr), .r8 = page,
	};
	u64 status = ext_seamcall(&regs);
	struct tdps_seamcall c = {
		.where = {
			.vm = tdps_vm_id(vm->kvm), .gfn = gfn, .level = level,
			.lock = tdps_lock_of(vm->kvm),
		},
		.call = call_of(leaf),
		.status = status,
		.runnable = vm->runnable,
		.pa = page,
	};

	if (status) {
		c.ext1 = regs.rcx;
		c.ext2 = regs.rdx;
	}
	if (!WARN_ON_ONCE(c.call == TDPS_NR_CALLS))
		tdps_seamcall(&c);
	return status;
}

u64 ext_reclaim(struct ext_vm *vm, struct page *page)
{
	struct tdxm_regs regs = { .rax = TDH_PHYMEM_PAGE_RECLAIM, .rcx = page_to_phys(page) };

	return ext_td_call(vm, TDPS_CALL_PHYMEM_PAGE_RECLAIM, &regs);
}

/* PT_* of a page: what the module thinks it is. */
u64 ext_page_type(u64 pa)
{
	struct tdxm_regs regs = { .rax = TDH_PHYMEM_PAGE_RDMD, .rcx = pa };

	return ext_seamcall(&regs) ? PT_RSVD : regs.rcx;
}

/* --- what the oracles may see --- */

static const struct tdxm_listener __rcu *listener;

static int view_sept_read(u64 tdr, u64 gpa, int level, u64 *pa, u8 *state)
{
	return tdxm_sept_read(ext.m, tdr, gpa, level, pa, state);
}

static void view_shared_given_back(u64 tdr, u64 gpa, u64 size)
{
	tdxm_shared_given_back(ext.m, tdr, gpa, size);
}

static int view_listen(const struct tdxm_listener *l)
{
	if (l && rcu_access_pointer(listener))
		return -EBUSY;
	rcu_assign_pointer(listener, l);
	/* the listener is called with IRQs off: a grace period waits for it */
	if (!l)
		synchronize_rcu();
	return 0;
}

static void view_counters(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	if (ext.m)
		tdxm_for_each_counter(ext.m, fn, ctx);
}

/* KVM's flushes come with the entry: none is missed. */
static bool view_models_shared_tlb(void)
{
	return true;
}

static int view_inject(u32 leaf, u64 status, enum tdxm_inject_mode mode, u32 value)
{
	return tdxm_inject(ext.m, leaf, status, mode, value);
}

static int view_inject_seen(u32 leaf, u64 *calls, u64 *fired)
{
	return tdxm_inject_seen(ext.m, leaf, calls, fired);
}

static const struct tdxm_view view = {
	.size = sizeof(view),
	.sept_read = view_sept_read,
	.shared_given_back = view_shared_given_back,
	.listen = view_listen,
	.counters = view_counters,
	.models_shared_tlb = view_models_shared_tlb,
	.inject = view_inject,
	.inject_seen = view_inject_seen,
};

const struct tdxm_view *tdps_external_view(void)
{
	return ext.m ? &view : NULL;
}

struct tdxm *tdps_external_module(void)
{
	return ext.m;
}

static void on_finding(struct tdxm *m, const struct tdxm_finding *f)
{
	const struct tdxm_listener *l;

	guard(rcu)();
	l = rcu_dereference(listener);
	if (l && l->finding)
		l->finding(l->ctx, f);
}

/* --- counters --- */

static const char * const count_names[EXT_NR_COUNTS] = {
	[EXT_VMS] = "backend.vms",
	[EXT_SPLIT_OWN_PAGE] = "backend.split.lenient",
	[EXT_SPLIT_KVM_PAGE] = "backend.split.external_page",
	[EXT_SPLIT_REFUSED] = "backend.split.refused",
	[EXT_PROMOTE] = "backend.promote",
	[EXT_PERMISSIONS] = "backend.permissions",
	[EXT_UNSUPPORTED] = "backend.unsupported",
	[EXT_GAVE_IN] = "backend.gave_in",
	[EXT_POOL_EMPTY] = "backend.pool_empty",
	[EXT_FORCED_OUT] = "backend.forced_out",
	[EXT_STRAY_TABLES] = "backend.stray_tables",
};

struct stats_out {
	void (*fn)(void *ctx, const char *name, u64 value);
	void *ctx;
};

static void core_counter(void *ctx, const char *name, u64 value)
{
	struct stats_out *out = ctx;
	char text[64];

	scnprintf(text, sizeof(text), "tdx.%s", name);
	out->fn(out->ctx, text, value);
}

/**
 * tdps_external_stats() - all counters: backend.*, and the module's as tdx.*
 * @fn: called for each, in a stable order
 * @ctx: for @fn
 *
 * Context: may sleep. Nothing is said if the backend was not started.
 */
void tdps_external_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	struct stats_out out = { .fn = fn, .ctx = ctx };
	int i;

	if (!ext.m)
		return;
	for (i = 0; i < EXT_NR_COUNTS; i++)
		fn(ctx, count_names[i], atomic64_read(&ext.count[i]));
	fn(ctx, "backend.live", atomic_read(&ext.live));
	tdxm_for_each_counter(ext.m, core_counter, &out);
}

u64 tdps_external_unsupported(void)
{
	return atomic64_read(&ext.count[EXT_UNSUPPORTED]);
}

/* --- start and stop --- */

/*
 * The GPA bit that makes an address shared: a TD's bit 47, or where the CPU cannot
 * address that the highest it can, because KVM's walks end there.
 */
u64 ext_shared_bit(void)
{
	return BIT_ULL(min_t(unsigned int, boot_cpu_data.x86_phys_bits, 48) - 1);
}

u64 tdps_external_base_gfn(void)
{
	return TDPS_MIRROR_ROOTS ? 0 : gpa_to_gfn(ext_shared_bit());
}

/* For those who enter no vCPU: nobody comes here. */
static u64 no_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	return TDX_OPERAND_INVALID;
}

static int find_symbols(u64 *nr_pages)
{
	void *request = (void *)tdps_lookup("kvm_make_all_cpus_request");
	const unsigned long *max = (const unsigned long *)tdps_lookup("max_pfn");

	if (!request || !max) {
		pr_err("symbol %s not found in this kernel: nothing hooked\n",
		       request ? "max_pfn" : "kvm_make_all_cpus_request");
		return -ENOENT;
	}
	static_call_update(tdps_make_all_cpus_request, request);
	*nr_pages = *max;
	return 0;
}

/**
 * tdps_external_start() - make the emulated TDX module
 * @cfg: what it is made with, copied
 *
 * Context: may sleep; after tdps_kvm_open(), before tdps_kvm_hook(). Prints why
 * it refuses, and what it costs.
 *
 * Return: 0; -ENOMEM; -ERANGE: the machine or @cfg does not fit; -ENOENT: a
 * function of KVM's is missing.
 */
int tdps_external_start(const struct tdps_external_config *cfg)
{
	struct tdxm_config mcfg = {
		.nr_lps = nr_cpu_ids,
		.tdcs_pages = EXT_TDCS_PAGES,
		.tdvps_pages = EXT_TDVPS_PAGES,
		.max_vcpus = cfg->max_vcpus,
		.keyid_start = EXT_KEYID_START,
		.nr_keyids = EXT_NR_KEYIDS,
		.phys_bits = ext_phys_bits(),
		.hold_ns = cfg->hold_ns,
		.seed = cfg->seed,
		.shared_bit = ext_shared_bit(),
		.nr_packages = topology_max_packages(),
		.max_leaf_level = cfg->max_leaf_level,
		.extra_pfn = cfg->extra_pfn,
		.extra_pages = cfg->extra_pages,
		.shared_format = boot_cpu_has(X86_FEATURE_SVM) ? TDXM_SHARED_NPT :
								 TDXM_SHARED_EPT,
	};
	const struct tdxm_hooks hooks = {
		.guest = cfg->guest ?: no_guest,
		.finding = on_finding,
		.dirtied = cfg->dirtied,
	};
	const char *why;
	int err;

	err = find_symbols(&mcfg.nr_pages);
	if (err)
		return err;
	mcfg.nr_pages = max(mcfg.nr_pages, cfg->extra_pfn + cfg->extra_pages);
	why = tdxm_config_error(&mcfg);
	if (why) {
		pr_err("backend=external does not fit this machine: %s\n", why);
		return -ERANGE;
	}
	ext.cfg = *cfg;
	memset(ext.count, 0, sizeof(ext.count));
	bitmap_zero(ext.keyids, EXT_NR_KEYIDS);
	ext.m = tdxm_create(&mcfg, &hooks, NULL);
	if (!ext.m) {
		pr_err("out of memory for the emulated TDX module: 16 bytes for each of %llu pages\n",
		       mcfg.nr_pages);
		return -ENOMEM;
	}
	if (tdxm_inject_busy(ext.m, cfg->busy)) {
		pr_err("busy=%u is not possible: 0 or at least 2\n", cfg->busy);
		err = -ERANGE;
		goto destroy;
	}
	err = ext_td_start();
	if (!err)
		err = ext_sept_start();
	if (err)
		goto stop_td;
	pool_fill(NULL);
	pr_info("emulated TDX module: %llu MiB of metadata for %llu pages of memory\n",
		mcfg.nr_pages * 16 >> 20, mcfg.nr_pages);
	return 0;

stop_td:
	ext_td_stop();
destroy:
	tdxm_destroy(ext.m);
	ext.m = NULL;
	return err;
}

static void report_leak(void *ctx, const char *type, u64 pages)
{
	static const struct tdps_where nowhere = { .gfn = TDPS_NO_GFN };

	tdps_violation(TDPS_A1, &nowhere,
		       "%llu pages of type %s were never given back by the TDX module",
		       pages, type);
}

/**
 * tdps_external_check_empty() - with no VM left, no page may be a TD's
 *
 * Context: may sleep; the last VM of ours is gone, the oracles are still there.
 */
void tdps_external_check_empty(void)
{
	if (ext.m && !atomic_read(&ext.live))
		tdxm_for_each_page_type(ext.m, report_leak, NULL);
}

/**
 * tdps_external_stop() - unmake the emulated TDX module
 *
 * Context: may sleep; after tdps_kvm_unhook(), with no VM of ours left.
 */
void tdps_external_stop(void)
{
	struct tdxm *m = ext.m;

	if (!m)
		return;
	ext_sept_stop();
	ext_td_stop();
	pool_drain();
	ext.m = NULL;
	if (tdxm_destroy(m))
		pr_err("A1: unloaded although pages of TDs were not given back\n");
}
