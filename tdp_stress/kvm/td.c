// SPDX-License-Identifier: GPL-2.0
/*
 * A TD's life in the external backend: a VM becomes ours, gets vCPUs, runs, and
 * is taken down when KVM destroys it, by the leaves and in the order of tdx.c.
 * Knows nothing of SPTEs.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/module.h>
#include <linux/smp.h>

#include "insight.h"
#include "td.h"

/* KVM, too, gives up on a write-back that is interrupted so often. */
#define CACHE_WB_TRIES	10000

static bool refused(const char *leaf, u64 status)
{
	if (!status)
		return false;
	pr_err("%s for a VM of ours returned 0x%016llx\n", leaf, status);
	return true;
}

/* --- making a TD --- */

static u64 td_create(struct ext_vm *vm)
{
	struct tdxm_regs regs = {
		.rax = TDH_MNG_CREATE, .rcx = page_to_phys(vm->tdr), .rdx = vm->hkid,
	};

	return ext_td_call(vm, TDPS_CALL_MNG_CREATE, &regs);
}

struct package_call {
	struct ext_vm *vm;
	u64 status;
};

/* On one CPU of each package: keys and caches are a package's. */
static u64 on_packages(struct ext_vm *vm, smp_call_func_t fn)
{
	struct package_call call = { .vm = vm };
	DECLARE_BITMAP(done, 64) = {};
	int cpu;

	guard(cpus_read_lock)();
	for_each_online_cpu(cpu) {
		if (__test_and_set_bit(tdxm_env_package(cpu) % 64, done))
			continue;
		smp_call_function_single(cpu, fn, &call, true);
		if (call.status)
			break;
	}
	return call.status;
}

static void key_config(void *arg)
{
	struct package_call *call = arg;
	struct tdxm_regs regs = {
		.rax = TDH_MNG_KEY_CONFIG, .rcx = page_to_phys(call->vm->tdr),
	};

	call->status = ext_td_call(call->vm, TDPS_CALL_MNG_KEY_CONFIG, &regs);
}

static u64 td_addcx(struct ext_vm *vm)
{
	u64 status = 0;
	int i;

	for (i = 0; i < EXT_TDCS_PAGES && !status; i++) {
		struct tdxm_regs regs = {
			.rax = TDH_MNG_ADDCX, .rcx = page_to_phys(vm->tdcs[i]),
			.rdx = page_to_phys(vm->tdr),
		};

		status = ext_td_call(vm, TDPS_CALL_MNG_ADDCX, &regs);
	}
	return status;
}

static u64 td_init(struct ext_vm *vm, struct page *page)
{
	struct tdxm_td_params *params = page_address(page);
	struct tdxm_regs regs = {
		.rax = TDH_MNG_INIT, .rcx = page_to_phys(vm->tdr), .rdx = page_to_phys(page),
	};

	memset(params, 0, sizeof(*params));
	params->max_vcpus = vm->nr_vcpus;
	params->eptp_controls = TD_PARAMS_EPTP_MT_WB |
				(vm->sept_levels - 1) << TD_PARAMS_EPTP_PWL_SHIFT;
	params->tsc_frequency = TD_PARAMS_TSC_MIN;
	return ext_td_call(vm, TDPS_CALL_MNG_INIT, &regs);
}

static int get_hkid(struct ext_vm *vm)
{
	unsigned long n = find_first_zero_bit(ext.keyids, EXT_NR_KEYIDS);

	if (n == EXT_NR_KEYIDS)
		return -ENOSPC;
	__set_bit(n, ext.keyids);
	vm->hkid = EXT_KEYID_START + n;
	return 0;
}

static int alloc_pages_of(struct page **pages, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		pages[i] = alloc_page(GFP_KERNEL_ACCOUNT);
		if (!pages[i])
			return -ENOMEM;
	}
	return 0;
}

/* Take a control page back from the module, if it has it, and free it. */
static void free_control_page(struct ext_vm *vm, struct page *page)
{
	if (!page)
		return;
	if (ext_page_type(page_to_phys(page)) != PT_NDA &&
	    refused("TDH.PHYMEM.PAGE.RECLAIM", ext_reclaim(vm, page)))
		return;	/* it is the module's for ever: better leaked than shared */
	__free_page(page);
}

static void free_td_pages(struct ext_vm *vm)
{
	int i;

	for (i = 0; i < EXT_TDCS_PAGES; i++)
		free_control_page(vm, vm->tdcs[i]);
	free_control_page(vm, vm->tdr);
}

static void cache_wb(void *arg)
{
	struct package_call *call = arg;
	int i;

	for (i = 0; i < CACHE_WB_TRIES; i++) {
		struct tdxm_regs regs = { .rax = TDH_PHYMEM_CACHE_WB, .rcx = i ? 1 : 0 };

		call->status = ext_td_call(call->vm, TDPS_CALL_PHYMEM_CACHE_WB, &regs);
		if (call->status != TDX_INTERRUPTED_RESUMABLE)
			break;
	}
	if (call->status == TDX_NO_HKID_READY_TO_WBCACHE)
		call->status = 0;
}

/* tdx_mmu_release_hkid(): from here on the TD is a heap of pages. */
static void release_hkid(struct ext_vm *vm)
{
	struct tdxm_regs done = { .rax = TDH_MNG_VPFLUSHDONE, .rcx = page_to_phys(vm->tdr) };
	struct tdxm_regs freeid = { .rax = TDH_MNG_KEY_FREEID, .rcx = page_to_phys(vm->tdr) };

	guard(mutex)(&ext.lock);
	if (refused("TDH.MNG.VPFLUSHDONE", ext_td_call(vm, TDPS_CALL_MNG_VPFLUSHDONE, &done)) ||
	    refused("TDH.PHYMEM.CACHE.WB", on_packages(vm, cache_wb)) ||
	    refused("TDH.MNG.KEY.FREEID", ext_td_call(vm, TDPS_CALL_MNG_KEY_FREEID, &freeid)))
		return;
	__clear_bit(vm->hkid - EXT_KEYID_START, ext.keyids);
	WRITE_ONCE(vm->hkid, 0);
}

static int make_td_with(struct ext_vm *vm, struct page *params)
{
	int err;

	scoped_guard(mutex, &ext.lock) {
		err = get_hkid(vm);
		if (err) {
			pr_err("no more than %d VMs of ours can live at once\n", EXT_NR_KEYIDS);
			return err;
		}
		if (refused("TDH.MNG.CREATE", td_create(vm))) {
			__clear_bit(vm->hkid - EXT_KEYID_START, ext.keyids);
			vm->hkid = 0;
			return -EIO;
		}
	}
	if (!refused("TDH.MNG.KEY.CONFIG", on_packages(vm, key_config)) &&
	    !refused("TDH.MNG.ADDCX", td_addcx(vm)) &&
	    !refused("TDH.MNG.INIT", td_init(vm, params)))
		return 0;
	release_hkid(vm);
	return -EIO;
}

static int make_td(struct ext_vm *vm)
{
	struct page *params = alloc_page(GFP_KERNEL);
	int err = params ? 0 : -ENOMEM;

	if (!err)
		err = alloc_pages_of(&vm->tdr, 1);
	if (!err)
		err = alloc_pages_of(vm->tdcs, EXT_TDCS_PAGES);
	if (!err)
		err = make_td_with(vm, params);
	if (err)
		free_td_pages(vm);
	if (params)
		__free_page(params);
	return err;
}

/* --- adoption --- */

/* Levels of the root that KVM will make: fixed for NPT, 4 for EPT up to 48 bits. */
static u8 root_levels(void)
{
	return boot_cpu_has(X86_FEATURE_SVM) && pgtable_l5_enabled() ? 5 : 4;
}

static bool has_memslots(struct kvm *kvm)
{
	int i;

	for (i = 0; i < KVM_MAX_NR_ADDRESS_SPACES; i++)
		if (!kvm_memslots_empty(__kvm_memslots(kvm, i)))
			return true;
	return false;
}

/* kvm->lock and kvm->slots_lock are held: nothing can be added meanwhile. */
static int may_adopt(struct kvm *kvm)
{
	if (ext_find(kvm))
		return -EEXIST;
	if (kvm->arch.vm_type != KVM_X86_DEFAULT_VM || kvm->vm_dead)
		return -EPROTOTYPE;
	if (kvm->created_vcpus || has_memslots(kvm))
		return -EBUSY;
	return 0;
}

/*
 * What tells KVM that the VM has mirror roots, private memory, and where shared
 * memory begins, if it knows such things. Nothing has looked at these yet: there
 * are no roots without vCPUs, and no memslots. Pre-faulting is how user space maps
 * private memory.
 */
static void turn_into_td(struct kvm *kvm)
{
	tdps_give_mirror_roots(kvm, gpa_to_gfn(ext_shared_bit()));
	/* as a TD's: MMIO is a #VE, not a misconfigured EPT entry */
	if (TDPS_MIRROR_ROOTS && boot_cpu_has(X86_FEATURE_VMX))
		kvm->arch.shadow_mmio_value = 0;
}

static struct ext_vm *new_vm(struct kvm *kvm)
{
	struct ext_vm *vm = kvzalloc(struct_size(vm, vcpu, ext.cfg.max_vcpus), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	vm->kvm = kvm;
	vm->nr_vcpus = ext.cfg.max_vcpus;
	vm->sept_levels = root_levels();
	mutex_init(&vm->td_lock);
	spin_lock_init(&vm->track_lock);
	spin_lock_init(&vm->stray_lock);
	INIT_LIST_HEAD(&vm->strays);
	mutex_init(&vm->pin_lock);
	xa_init(&vm->pins);
	return vm;
}

/**
 * tdps_external_adopt() - make a VM ours
 * @kvm: VM; the caller has a reference
 *
 * From now on it has mirror roots, and a TD in the emulated module keeps its
 * external page tables; until KVM destroys it.
 *
 * Context: may sleep; none of KVM's locks held.
 *
 * Return: 0; -EBUSY: it has vCPUs or memslots; -EEXIST: it is ours already;
 * -EOPNOTSUPP: the backend is not external; -EPROTOTYPE: no default VM;
 * -ENOSPC: no private key left; -ENOMEM; -EIO.
 */
int tdps_external_adopt(struct kvm *kvm)
{
	struct ext_vm *vm;
	int err;

	if (!ext.m)
		return -EOPNOTSUPP;
	vm = new_vm(kvm);
	if (!vm)
		return -ENOMEM;
	mutex_lock(&kvm->lock);
	mutex_lock(&kvm->slots_lock);
	err = may_adopt(kvm);
	if (!err)
		err = make_td(vm);
	if (!err) {
		ext_table_add(vm);
		ext_count(EXT_VMS);
		turn_into_td(kvm);
	}
	mutex_unlock(&kvm->slots_lock);
	mutex_unlock(&kvm->lock);
	if (err)
		kvfree(vm);
	return err;
}

/**
 * tdps_external_pin_module() - keep this module for as long as a VM lives
 * @kvm: a VM of ours
 *
 * Context: module initialized; once for each VM.
 */
void tdps_external_pin_module(struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	if (!vm)
		return;
	__module_get(THIS_MODULE);
	vm->pinned = true;
}

/* --- vCPUs --- */

static u64 vp_create(struct ext_vm *vm, struct ext_vcpu *v)
{
	struct tdxm_regs regs = {
		.rax = TDH_VP_CREATE, .rcx = page_to_phys(v->tdvpr),
		.rdx = page_to_phys(vm->tdr),
	};

	return ext_td_call(vm, TDPS_CALL_VP_CREATE, &regs);
}

static u64 vp_addcx(struct ext_vm *vm, struct ext_vcpu *v)
{
	u64 status = 0;
	int i;

	for (i = 0; i < ARRAY_SIZE(v->tdcx) && !status; i++) {
		struct tdxm_regs regs = {
			.rax = TDH_VP_ADDCX, .rcx = page_to_phys(v->tdcx[i]),
			.rdx = page_to_phys(v->tdvpr),
		};

		status = ext_td_call(vm, TDPS_CALL_VP_ADDCX, &regs);
	}
	return status;
}

/* The vCPU is associated with the CPU on which this is done. */
static u64 vp_init(struct ext_vm *vm, struct ext_vcpu *v, u32 apic_id)
{
	struct tdxm_regs regs = {
		.rax = TDH_VP_INIT | 1ULL << TDX_VERSION_SHIFT, .rcx = page_to_phys(v->tdvpr),
		.r8 = apic_id,
	};

	guard(preempt)();
	v->cpu = smp_processor_id();
	return ext_td_call(vm, TDPS_CALL_VP_INIT, &regs);
}

static void free_vcpu(struct ext_vm *vm, struct ext_vcpu *v)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(v->tdcx); i++)
		free_control_page(vm, v->tdcx[i]);
	free_control_page(vm, v->tdvpr);
	kfree_rcu(v, rcu);
}

/**
 * tdps_external_add_vcpu() - a TD vCPU for a vCPU of KVM's
 * @vcpu: vCPU of a VM of ours
 *
 * Context: may sleep; before tdps_external_finalize().
 *
 * Return: 0; -ENOENT: the VM is not ours; -EEXIST: it has one; -EBUSY: the TD is
 * finalized; -ENOSPC: more vCPUs than the backend was started for; -ENOMEM; -EIO.
 * After -EIO its pages stay with the TD until that ends.
 */
int tdps_external_add_vcpu(struct kvm_vcpu *vcpu)
{
	struct ext_vm *vm = ext_find(vcpu->kvm);
	struct ext_vcpu *v;
	int err;

	if (!vm)
		return -ENOENT;
	if (vcpu->vcpu_idx >= vm->nr_vcpus)
		return -ENOSPC;
	guard(mutex)(&vm->td_lock);
	if (vm->runnable)
		return -EBUSY;
	if (vm->vcpu[vcpu->vcpu_idx])
		return -EEXIST;
	v = kzalloc_obj(*v, GFP_KERNEL_ACCOUNT);
	if (!v)
		return -ENOMEM;
	v->cpu = -1;
	v->root = INVALID_PAGE;
	err = alloc_pages_of(&v->tdvpr, 1) ?: alloc_pages_of(v->tdcx, ARRAY_SIZE(v->tdcx));
	if (err) {
		free_vcpu(vm, v);
		return err;
	}
	WRITE_ONCE(vm->vcpu[vcpu->vcpu_idx], v);
	if (refused("TDH.VP.CREATE", vp_create(vm, v)) ||
	    refused("TDH.VP.ADDCX", vp_addcx(vm, v)) ||
	    refused("TDH.VP.INIT", vp_init(vm, v, vcpu->vcpu_id)))
		return -EIO;
	return 0;
}

/**
 * tdps_external_finalize() - the TD may run
 * @kvm: a VM of ours
 *
 * Context: may sleep.
 *
 * Return: 0; -ENOENT: not ours; -EEXIST: it was finalized before; -EIO.
 */
int tdps_external_finalize(struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);
	struct tdxm_regs regs = { .rax = TDH_MR_FINALIZE };

	if (!vm)
		return -ENOENT;
	guard(mutex)(&vm->td_lock);
	if (vm->runnable)
		return -EEXIST;
	regs.rcx = page_to_phys(vm->tdr);
	if (refused("TDH.MR.FINALIZE", ext_td_call(vm, TDPS_CALL_MR_FINALIZE, &regs)))
		return -EIO;
	WRITE_ONCE(vm->runnable, true);
	return 0;
}

/* --- running --- */

struct flush_call {
	struct ext_vm *vm;
	struct ext_vcpu *v;
};

static void vp_flush(void *arg)
{
	struct flush_call *call = arg;
	struct tdxm_regs regs = { .rax = TDH_VP_FLUSH, .rcx = page_to_phys(call->v->tdvpr) };

	ext_td_call(call->vm, TDPS_CALL_VP_FLUSH, &regs);
}

/* Context: preemption off, IRQs on. */
static void disassociate(struct ext_vm *vm, struct ext_vcpu *v)
{
	struct flush_call call = { .vm = vm, .v = v };
	int cpu = READ_ONCE(v->cpu);

	if (cpu < 0)
		return;
	/* a CPU that went offline has done it itself */
	smp_call_function_single(cpu, vp_flush, &call, true);
	WRITE_ONCE(v->cpu, -1);
}

static struct ext_vcpu *vcpu_of(struct ext_vm *vm, const struct kvm_vcpu *vcpu)
{
	return vm && vcpu->vcpu_idx < vm->nr_vcpus ? READ_ONCE(vm->vcpu[vcpu->vcpu_idx]) : NULL;
}

/**
 * tdps_external_load() - make the vCPU this CPU's
 * @vcpu: a vCPU that has a TD vCPU
 *
 * Context: preemption off, IRQs on; before every tdps_external_enter().
 */
void tdps_external_load(struct kvm_vcpu *vcpu)
{
	struct ext_vm *vm = ext_find(vcpu->kvm);
	struct ext_vcpu *v = vcpu_of(vm, vcpu);

	if (!v || v->cpu == smp_processor_id())
		return;
	disassociate(vm, v);
	WRITE_ONCE(v->cpu, smp_processor_id());
}

/* KVM's tdx_load_mmu_pgd(); a new root brings an empty TLB with it. */
static u64 load_root(struct ext_vm *vm, struct ext_vcpu *v, hpa_t root, bool *flush)
{
	struct tdxm_regs regs = {
		.rax = TDH_VP_WR, .rcx = page_to_phys(v->tdvpr), .rdx = MD_VMCS_SHARED_EPTP,
		.r8 = root, .r9 = ~0ULL,
	};
	u64 status;

	if (v->root == root)
		return 0;
	status = ext_td_call(vm, TDPS_CALL_VP_WR, &regs);
	if (status)
		return status;
	v->root = root;
	*flush = true;
	return 0;
}

/**
 * tdps_external_enter() - TDH.VP.ENTER
 * @vcpu: a vCPU that has a TD vCPU, loaded on this CPU
 * @regs: the guest's registers; exit information on return
 * @flush: KVM wants the TLB of shared memory flushed first
 *
 * Context: IRQs off, vcpu->mode is IN_GUEST_MODE, requests have been checked.
 *
 * Return: the status; OPERAND_BUSY also while the entry has to wait for a
 * removal; TDX_VCPU_ASSOCIATED: the vCPU is not this CPU's;
 * TDX_OPERAND_INVALID: it has no TD vCPU or no root.
 */
u64 tdps_external_enter(struct kvm_vcpu *vcpu, struct tdxm_regs *regs, bool flush)
{
	struct ext_vm *vm = ext_find(vcpu->kvm);
	struct ext_vcpu *v = vcpu_of(vm, vcpu);
	hpa_t root = vcpu->arch.mmu->root.hpa;
	u64 status;

	lockdep_assert_irqs_disabled();
	if (!v || !VALID_PAGE(root))
		return TDX_OPERAND_INVALID;
	if (v->cpu != smp_processor_id())
		return TDX_VCPU_ASSOCIATED;
	/* set before the vCPUs are kicked, which waits for this CPU's IRQs */
	if (atomic_read(&vm->keep_out))
		return TDX_OPERAND_BUSY | TDX_OPERAND_ID_SEPT;
	status = load_root(vm, v, root, &flush);
	if (status)
		return status;
	if (flush)
		tdxm_invept(ext.m, smp_processor_id());
	regs->rax = TDH_VP_ENTER;
	regs->rcx = page_to_phys(v->tdvpr);
	tdxm_seamcall(ext.m, regs);
	return regs->rax;
}

/*
 * This CPU goes offline: its vCPUs have to leave it, because nobody can ask it
 * to later. tdx_disable_virtualization_cpu().
 */
static void leave_cpu(struct ext_vm *vm, void *unused)
{
	int cpu = smp_processor_id();
	u32 i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		struct ext_vcpu *v = READ_ONCE(vm->vcpu[i]);
		struct flush_call call = { .vm = vm, .v = v };

		if (!v || READ_ONCE(v->cpu) != cpu)
			continue;
		vp_flush(&call);
		/* who moves the vCPU at this moment has written its own CPU */
		cmpxchg(&v->cpu, cpu, -1);
	}
}

static int cpu_offline(unsigned int cpu)
{
	guard(preempt)();
	ext_for_each(leave_cpu, NULL);
	return 0;
}

static int hotplug_state = -1;

int ext_td_start(void)
{
	int state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kvm/tdp_stress:online", NULL,
					      cpu_offline);

	if (state < 0) {
		pr_err("cannot follow CPUs that go offline (%d)\n", state);
		return state;
	}
	hotplug_state = state;
	return 0;
}

void ext_td_stop(void)
{
	if (hotplug_state >= 0)
		cpuhp_remove_state_nocalls(hotplug_state);
	hotplug_state = -1;
}

/* --- the end --- */

static void disassociate_all(struct ext_vm *vm)
{
	u32 i;

	guard(preempt)();
	for (i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpu[i])
			disassociate(vm, vm->vcpu[i]);
}

/**
 * tdps_external_pre_destroy() - KVM begins to destroy a VM of ours
 * @kvm: VM; nobody else uses it
 *
 * As tdx.c: without a page left the HKID is given back at once, and the tables
 * are reclaimed when KVM frees them. With pages left (which a TD of tdx.c never
 * has, but crafted ones are nobody's but KVM's) the TD lives on until they are
 * zapped, and tables are removed from a living TD.
 *
 * Context: may sleep.
 */
void tdps_external_pre_destroy(struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);

	guard(mutex)(&vm->td_lock);
	disassociate_all(vm);
	if (!vm->broken && !atomic64_read(&vm->leafs))
		release_hkid(vm);
}

static void free_strays(struct ext_vm *vm)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &vm->strays, lru) {
		list_del(&page->lru);
		free_control_page(vm, page);
	}
}

/* An S-EPT page that cannot be taken back now. Context: any lock of KVM's. */
void ext_stray(struct ext_vm *vm, struct page *page)
{
	ext_count(EXT_STRAY_TABLES);
	guard(spinlock)(&vm->stray_lock);
	list_add(&page->lru, &vm->strays);
}

static void unpin(struct ext_vm *vm)
{
	struct page *page;
	unsigned long gfn;

	xa_for_each(&vm->pins, gfn, page)
		unpin_user_page(page);
	xa_destroy(&vm->pins);
}

/**
 * tdps_external_destroy() - KVM has freed all tables and vCPUs of a VM of ours
 * @kvm: VM
 *
 * Context: may sleep.
 */
void tdps_external_destroy(struct kvm *kvm)
{
	struct ext_vm *vm = ext_find(kvm);
	bool pinned = vm->pinned;
	u32 i;

	if (vm->hkid) {
		ext_sweep(vm);
		release_hkid(vm);
	}
	if (!vm->hkid) {
		free_strays(vm);
		for (i = 0; i < vm->nr_vcpus; i++)
			if (vm->vcpu[i])
				free_vcpu(vm, vm->vcpu[i]);
		free_td_pages(vm);
	}
	ext_table_del(vm);
	unpin(vm);
	kvfree_rcu(vm, rcu);
	if (pinned)
		module_put(THIS_MODULE);
}

/**
 * tdps_external_gone() - KVM has destroyed a VM of our own
 * @kvm: VM; only its address is of interest
 *
 * Where KVM has mirror roots its last word was heard before. Without, there is
 * nothing to be done while it lives: the TD has no private memory.
 *
 * Context: may sleep.
 */
void tdps_external_gone(struct kvm *kvm)
{
	if (TDPS_MIRROR_ROOTS || !ext_find(kvm))
		return;
	tdps_external_pre_destroy(kvm);
	tdps_external_destroy(kvm);
}
