// SPDX-License-Identifier: GPL-2.0
/*
 * The TDP MMU's entry points: every function that tdp_mmu.h declares, as an
 * operation on a VM of our own, with the locks that KVM's own callers hold and
 * the TLB flush that they owe afterwards. Each function names the caller it
 * follows. Decides nothing about when and where.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/sched.h>
#include <linux/static_call.h>

#include "external.h"
#include "own_vm.h"

typedef bool own_nx_worker_fn(void *data);

DEFINE_STATIC_CALL_NULL(own_vcpu_load, vcpu_load);
DEFINE_STATIC_CALL_NULL(own_vcpu_put, vcpu_put);
#if TDPS_LOCKS_ALL_VCPUS
DEFINE_STATIC_CALL_NULL(own_kvm_lock_all_vcpus, kvm_lock_all_vcpus);
DEFINE_STATIC_CALL_NULL(own_kvm_unlock_all_vcpus, kvm_unlock_all_vcpus);
#endif
DEFINE_STATIC_CALL_NULL(own_kvm_make_all_cpus_request, kvm_make_all_cpus_request);
DEFINE_STATIC_CALL_NULL(own_kvm_flush_remote_tlbs, kvm_flush_remote_tlbs);
DEFINE_STATIC_CALL_NULL(own_kvm_flush_remote_tlbs_range, kvm_flush_remote_tlbs_range);
DEFINE_STATIC_CALL_NULL(own_kvm_flush_remote_tlbs_memslot, kvm_flush_remote_tlbs_memslot);
DEFINE_STATIC_CALL_NULL(own_invalidate_start, TDPS_FN_INVALIDATE_START);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_invalidate_range_add, kvm_mmu_invalidate_range_add);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_invalidate_end, kvm_mmu_invalidate_end);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_topup_memory_cache, kvm_mmu_topup_memory_cache);
DEFINE_STATIC_CALL_NULL(own_kvm_vcpu_gfn_to_memslot, kvm_vcpu_gfn_to_memslot);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_load, kvm_mmu_load);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_unload, kvm_mmu_unload);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_free_obsolete_roots, kvm_mmu_free_obsolete_roots);
DEFINE_STATIC_CALL_NULL(own_kvm_mmu_reset_context, kvm_mmu_reset_context);
DEFINE_STATIC_CALL_NULL(own_kvm_arch_vcpu_pre_fault_memory, kvm_arch_vcpu_pre_fault_memory);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_map, kvm_tdp_mmu_map);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_zap_leafs, kvm_tdp_mmu_zap_leafs);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_zap_all, kvm_tdp_mmu_zap_all);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_put_root, kvm_tdp_mmu_put_root);
DEFINE_STATIC_CALL_NULL(own_invalidate_roots, TDPS_FN_INVALIDATE_ROOTS);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_zap_invalidated_roots, kvm_tdp_mmu_zap_invalidated_roots);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_unmap_gfn_range, kvm_tdp_mmu_unmap_gfn_range);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_age_gfn_range, kvm_tdp_mmu_age_gfn_range);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_test_age_gfn, kvm_tdp_mmu_test_age_gfn);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_wrprot_slot, kvm_tdp_mmu_wrprot_slot);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_clear_dirty_slot, kvm_tdp_mmu_clear_dirty_slot);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_clear_dirty_pt_masked, kvm_tdp_mmu_clear_dirty_pt_masked);
DEFINE_STATIC_CALL_NULL(own_recover, TDPS_FN_RECOVER);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_write_protect_gfn, kvm_tdp_mmu_write_protect_gfn);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_try_split_huge_pages, kvm_tdp_mmu_try_split_huge_pages);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_get_walk, kvm_tdp_mmu_get_walk);
DEFINE_STATIC_CALL_NULL(own_kvm_tdp_mmu_fast_pf_get_last_sptep,
			kvm_tdp_mmu_fast_pf_get_last_sptep);
DEFINE_STATIC_CALL_NULL(own_kvm_nx_huge_page_recovery_worker, own_nx_worker_fn);

static const struct own_call calls[] = {
	OWN_CALL(vcpu_load),
	OWN_CALL(vcpu_put),
#if TDPS_LOCKS_ALL_VCPUS
	OWN_CALL(kvm_lock_all_vcpus),
	OWN_CALL(kvm_unlock_all_vcpus),
#endif
	OWN_CALL(kvm_make_all_cpus_request),
	OWN_CALL(kvm_flush_remote_tlbs),
	OWN_CALL(kvm_flush_remote_tlbs_range),
	OWN_CALL(kvm_flush_remote_tlbs_memslot),
	OWN_CALL_AS(invalidate_start, TDPS_FN_INVALIDATE_START),
	OWN_CALL(kvm_mmu_invalidate_range_add),
	OWN_CALL(kvm_mmu_invalidate_end),
	OWN_CALL(kvm_mmu_topup_memory_cache),
	OWN_CALL(kvm_vcpu_gfn_to_memslot),
	OWN_CALL(kvm_mmu_load),
	OWN_CALL(kvm_mmu_unload),
	OWN_CALL(kvm_mmu_free_obsolete_roots),
	OWN_CALL(kvm_mmu_reset_context),
	OWN_CALL(kvm_arch_vcpu_pre_fault_memory),
	OWN_CALL(kvm_tdp_mmu_map),
	OWN_CALL(kvm_tdp_mmu_zap_leafs),
	OWN_CALL(kvm_tdp_mmu_zap_all),
	OWN_CALL(kvm_tdp_mmu_put_root),
	OWN_CALL_AS(invalidate_roots, TDPS_FN_INVALIDATE_ROOTS),
	OWN_CALL(kvm_tdp_mmu_zap_invalidated_roots),
	OWN_CALL(kvm_tdp_mmu_unmap_gfn_range),
	OWN_CALL(kvm_tdp_mmu_age_gfn_range),
	OWN_CALL(kvm_tdp_mmu_test_age_gfn),
	OWN_CALL(kvm_tdp_mmu_wrprot_slot),
	OWN_CALL(kvm_tdp_mmu_clear_dirty_slot),
	OWN_CALL(kvm_tdp_mmu_clear_dirty_pt_masked),
	OWN_CALL_AS(recover, TDPS_FN_RECOVER),
	OWN_CALL(kvm_tdp_mmu_write_protect_gfn),
	OWN_CALL(kvm_tdp_mmu_try_split_huge_pages),
	OWN_CALL(kvm_tdp_mmu_get_walk),
	OWN_CALL(kvm_tdp_mmu_fast_pf_get_last_sptep),
	OWN_CALL_IF(kvm_nx_huge_page_recovery_worker),
};

/* --- NX huge pages --- */

static int *nx_huge_pages_param;
static int nx_huge_pages_was;
static const char *nx_missing = "not looked for yet";
static DEFINE_MUTEX(nx_mutex);	/* KVM has one recovery thread per VM; we one in all */

/*
 * A page table stands for a huge page that was not allowed only while KVM's
 * mitigation is on. Switched on as kvm.nx_huge_pages=force would, before there is
 * a VM; other people's VMs are not touched.
 */
static void nx_open(void)
{
	const bool *hard_off = (const bool *)tdps_lookup("nx_hugepage_mitigation_hard_disabled");

	nx_huge_pages_param = (int *)tdps_lookup("nx_huge_pages");
	nx_missing = NULL;
	if (!nx_huge_pages_param || !hard_off ||
	    !tdps_lookup("kvm_nx_huge_page_recovery_worker"))
		nx_missing = "this KVM has no NX huge page recovery that can be reached";
	else if (*hard_off)
		nx_missing = "kvm.nx_huge_pages=never";
	else if (!READ_ONCE(*nx_huge_pages_param) && tdps_own_others())
		nx_missing = "kvm.nx_huge_pages is off, and others have VMs";
	if (nx_missing) {
		pr_info("no NX huge pages: %s; their operations are not run\n", nx_missing);
		nx_huge_pages_param = NULL;
		return;
	}
	nx_huge_pages_was = READ_ONCE(*nx_huge_pages_param);
	WRITE_ONCE(*nx_huge_pages_param, 1);
}

/**
 * tdps_entry_open() - find the entry points
 *
 * Context: may sleep; before the first VM is made.
 *
 * Return: 0 or -ENOENT, the reason printed.
 */
int tdps_entry_open(void)
{
	int err = own_resolve(calls, ARRAY_SIZE(calls));

	if (!err)
		nx_open();
	return err;
}

/* After the last VM is gone. */
void tdps_entry_close(void)
{
	if (nx_huge_pages_param)
		WRITE_ONCE(*nx_huge_pages_param, nx_huge_pages_was);
	nx_huge_pages_param = NULL;
}

const char *tdps_entry_missing_nx(void)
{
	return nx_missing;
}

const char *tdps_entry_missing_zap_write(void)
{
	return TDPS_ZAPS_WITH_WRITE ? NULL :
		"this KVM zaps invalid roots with mmu_lock for read only";
}

/* --- helpers --- */

/*
 * Who walks tables while this thread is due to be rescheduled has to yield, as a
 * tick would have it at any time.
 */
static void want_yield(const struct tdps_target *t)
{
	if (!t->yield)
		return;
	set_tsk_need_resched(current);
	set_preempt_need_resched();
}

static void lock_mmu(struct kvm *kvm, const struct tdps_target *t, bool shared)
{
	if (shared)
		read_lock(&kvm->mmu_lock);
	else
		write_lock(&kvm->mmu_lock);
	want_yield(t);
}

static void unlock_mmu(struct kvm *kvm, bool shared)
{
	if (shared)
		read_unlock(&kvm->mmu_lock);
	else
		write_unlock(&kvm->mmu_lock);
}

#if TDPS_LOCKS_ALL_VCPUS
/* kvm->lock held */
static int lock_all_vcpus(struct kvm *kvm)
{
	return static_call(own_kvm_lock_all_vcpus)(kvm);
}

static void unlock_all_vcpus(struct kvm *kvm)
{
	static_call(own_kvm_unlock_all_vcpus)(kvm);
}
#else
/* kvm->lock held; as newer kernels have it */
static int lock_all_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		mutex_lock_nest_lock(&vcpu->mutex, &kvm->lock);
	return 0;
}

static void unlock_all_vcpus(struct kvm *kvm)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	kvm_for_each_vcpu(i, vcpu, kvm)
		mutex_unlock(&vcpu->mutex);
}
#endif

/* The region's memslot; slots_lock or SRCU held. NULL: not at the moment. */
static struct kvm_memory_slot *slot_of(struct tdps_vm *vm, enum tdps_region r)
{
	return id_to_memslot(kvm_memslots(vm->kvm), own_slot(r));
}

static s64 leafs(struct kvm *kvm, int level)
{
	return atomic64_read(&kvm->stat.pages[level - 1]);
}

static gpa_t shared_gpa(struct kvm *kvm, u64 gfn)
{
	return gfn_to_gpa(gfn | kvm_gfn_direct_bits(kvm));
}

static enum kvm_gfn_range_filter filter_of(const struct tdps_target *t)
{
	if (t->both)
		return KVM_FILTER_SHARED | KVM_FILTER_PRIVATE;
	return t->mirror ? KVM_FILTER_PRIVATE : KVM_FILTER_SHARED;
}

/* --- vCPUs --- */

/* As kvm_vcpu_ioctl() and kvm_vcpu_pre_fault_memory() do it. */
static int get_vcpu(struct own_vcpu *v)
{
	mutex_lock(&v->vcpu->mutex);
	static_call(own_vcpu_load)(v->vcpu);
	kvm_vcpu_srcu_read_lock(v->vcpu);
	return own_prepare(v);
}

static void put_vcpu(struct own_vcpu *v)
{
	kvm_vcpu_srcu_read_unlock(v->vcpu);
	static_call(own_vcpu_put)(v->vcpu);
	mutex_unlock(&v->vcpu->mutex);
}

/* Requests about interrupts, clocks and the like, which nobody here answers. */
static void drop_other_requests(struct kvm_vcpu *vcpu)
{
	const u64 ours = BIT_ULL(KVM_REQ_VM_DEAD & KVM_REQUEST_MASK) |
			 BIT_ULL(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS & KVM_REQUEST_MASK) |
			 BIT_ULL(KVM_REQ_TLB_FLUSH & KVM_REQUEST_MASK);
	u64 others = READ_ONCE(vcpu->requests) & ~ours;

	/* others may be setting bits meanwhile: one by one */
	for (; others; others &= others - 1)
		clear_bit(__ffs64(others), (unsigned long *)&vcpu->requests);
}

/**
 * own_prepare() - answer KVM's requests and load roots
 * @v: vCPU
 *
 * The part of vcpu_enter_guest() that concerns the MMU. The guest's TLB is the
 * emulated module's: a flush is remembered for the next entry.
 *
 * Context: vcpu->mutex, SRCU, vCPU loaded. May sleep.
 *
 * Return: 0; -EIO: KVM has given the VM up; -ENOMEM.
 */
int own_prepare(struct own_vcpu *v)
{
	struct kvm_vcpu *vcpu = v->vcpu;

	if (kvm_request_pending(vcpu)) {
		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;
		if (kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu))
			static_call(own_kvm_mmu_free_obsolete_roots)(vcpu);
		if (kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu))
			v->flush_due = true;
		drop_other_requests(vcpu);
	}
	if (vcpu->arch.mmu->root.hpa != INVALID_PAGE)
		return 0;
	/* kvm_mmu_load() has the hardware's TLB flushed */
	v->flush_due = true;
	return static_call(own_kvm_mmu_load)(vcpu);
}

/* --- faults --- */

static struct kvm_memory_slot *slot_at(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return static_call(own_kvm_vcpu_gfn_to_memslot)(vcpu, gfn);
}

/*
 * A fault behind no memslot is MMIO, for KVM. If a memslot comes while it is on its
 * way, and somebody else maps memory there, 7.2 and 7.3 WARN about a leaf with
 * another PFN: see Documentation/findings.rst. So such faults keep memslots from
 * coming. Tried only: who makes memslots waits for our SRCU read section.
 *
 * What has a memslot keeps it, if only as an invalid one, until SRCU is unlocked.
 *
 * Return: 1: until up_read(&vm->slots_sem); 0: there is a memslot; -EAGAIN.
 */
static int keep_no_slot(struct tdps_vm *vm, struct kvm_vcpu *vcpu, gfn_t gfn)
{
	if (slot_at(vcpu, gfn))
		return 0;
	return down_read_trylock(&vm->slots_sem) ? 1 : -EAGAIN;
}

/**
 * own_fault() - one fault, by the vCPU's own handler
 * @vm: VM
 * @v: vCPU
 * @gpa: address, with the bits that make it a shared one
 * @error_code: PFERR_*
 * @max_level: largest leaf wanted
 * @prefetch: a prefault
 *
 * kvm_mmu_do_page_fault(), which is static: the handler is called by the pointer
 * that KVM itself calls it by (its address is taken, so it may be).
 *
 * Context: as own_prepare(), roots loaded. May sleep.
 *
 * Return: RET_PF_* or -errno.
 */
int own_fault(struct tdps_vm *vm, struct own_vcpu *v, gpa_t gpa, u64 error_code, u8 max_level,
	      bool prefetch)
{
	struct kvm_vcpu *vcpu = v->vcpu;
	gfn_t gfn = gpa_to_gfn(gpa) & ~kvm_gfn_direct_bits(vcpu->kvm);
	struct kvm_page_fault fault = {
		.addr = gpa,
		.error_code = error_code,
		.exec = error_code & PFERR_FETCH_MASK,
		.write = error_code & PFERR_WRITE_MASK,
		.present = error_code & PFERR_PRESENT_MASK,
		.user = error_code & PFERR_USER_MASK,
		.prefetch = prefetch,
		.is_tdp = true,
		.nx_huge_page_workaround_enabled =
			nx_huge_pages_param && READ_ONCE(*nx_huge_pages_param),
		.max_level = max_level,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		.is_private = error_code & PFERR_PRIVATE_ACCESS,
		.pfn = KVM_PFN_ERR_FAULT,
		.gfn = gfn,
	};
	int kept = keep_no_slot(vm, vcpu, gfn), ret;

	if (kept < 0)
		return RET_PF_RETRY;
	fault.slot = slot_at(vcpu, gfn);
	ret = vcpu->arch.mmu->page_fault(vcpu, &fault);
	if (kept)
		up_read(&vm->slots_sem);
	return ret;
}

enum tdps_result own_fault_result(int r)
{
	switch (r) {
	case RET_PF_FIXED:
	case RET_PF_EMULATE:	/* the SPTE says MMIO now */
		return TDPS_DID;
	case RET_PF_RETRY:
	case -EAGAIN:
	case -EINTR:
		return TDPS_RETRY;
	case RET_PF_SPURIOUS:
		return TDPS_NOTHING;
	default:
		return r < 0 ? TDPS_REFUSED : TDPS_NOTHING;
	}
}

/*
 * Crafted leafs of different size must not meet in one place: KVM would split a
 * huge mirror leaf in a fault, which bugs the VM, or replace a table by a leaf
 * without a word to the external table. So at any time all that is done to a 2M
 * piece (TDPS_GIANT: to the whole) is about one size. Threads that agree race as
 * they like; zaps always do.
 *
 * The word is level << 16 | threads.
 */
static atomic_t *craft_mode(struct own_region *r, enum tdps_region id, u64 gfn)
{
	return &r->mode[id == TDPS_GIANT ? 0 : (gfn - r->gfn) >> KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M)];
}

static bool craft_enter(atomic_t *mode, int level)
{
	int old = atomic_read(mode), new;

	do {
		if (old && old >> 16 != level)
			return false;
		new = (old ?: level << 16) + 1;
	} while (!atomic_try_cmpxchg(mode, &old, new));
	return true;
}

static void craft_leave(atomic_t *mode)
{
	int old = atomic_read(mode), new;

	do {
		new = old - 1;
		if (!(new & 0xffff))
			new = 0;
	} while (!atomic_try_cmpxchg(mode, &old, new));
}

/*
 * mmu_lock held, so that nobody of the other sizes comes between look and map. In
 * TDPS_GIANT small leafs come only after a split: a table would never go again.
 */
static bool craft_fits(struct kvm *kvm, enum tdps_region id, u64 gfn, int level)
{
	enum tdps_seen seen, parent;
	int at;

	guard(rcu)();
	for (at = PG_LEVEL_1G; at >= level; at--) {
		seen = tdps_look(kvm, gfn, at, &parent);
		if (at > level ? seen == TDPS_SEEN_LEAF : seen == TDPS_SEEN_TABLE)
			return false;
		if (id == TDPS_GIANT && at > level && seen != TDPS_SEEN_TABLE)
			return false;
	}
	return true;
}

static int topup(struct kvm_mmu_memory_cache *cache, int least)
{
	return static_call(own_kvm_mmu_topup_memory_cache)(cache, least);
}

static int topup_caches(struct kvm_vcpu *vcpu)
{
	struct kvm_mmu_memory_cache *cache[] = {
		tdps_external_cache(vcpu),
		&vcpu->arch.mmu_shadow_page_cache,
		&vcpu->arch.mmu_page_header_cache,
	};
	int i, err = 0;

	for (i = 0; i < ARRAY_SIZE(cache) && !err; i++)
		err = cache[i] ? topup(cache[i], PT64_ROOT_MAX_LEVEL) : 0;
	return err;
}

static int craft_fault(struct tdps_vm *vm, struct own_vcpu *v, enum tdps_region id, u64 gfn,
		       int level)
{
	struct own_region *r = &vm->region[id];
	struct kvm_vcpu *vcpu = v->vcpu;
	struct kvm *kvm = vm->kvm;
	struct kvm_page_fault fault = {
		.addr = gfn_to_gpa(gfn),
		.error_code = PFERR_GUEST_FINAL_MASK | PFERR_PRIVATE_ACCESS,
		.prefetch = true,
		.is_tdp = true,
		.nx_huge_page_workaround_enabled = false,
		.max_level = level,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		/*
		 * The level of a private fault is guest_memfd's to say; without one
		 * it is taken from the host's mapping of the slot, which is what
		 * backs TDPS_CRAFT. Nothing is mapped behind TDPS_GIANT.
		 */
		.is_private = id == TDPS_GIANT,
		.gfn = gfn,
		.slot = slot_at(vcpu, gfn),
		.pfn = own_pfn(r, gfn),
		.map_writable = true,
	};
	unsigned long seq = kvm->mmu_invalidate_seq;
	int ret = topup_caches(vcpu);

	if (ret)
		return ret;
	if (!fault.slot)
		return -EFAULT;
	/* pairs with kvm_mmu_invalidate_end(), as in kvm_mmu_faultin_pfn() */
	smp_rmb();
	guard(read_lock)(&kvm->mmu_lock);
	if (mmu_invalidate_retry_gfn(kvm, seq, gfn))
		return RET_PF_RETRY;
	if (!craft_fits(kvm, id, gfn, level))
		return RET_PF_RETRY;
	return static_call(own_kvm_tdp_mmu_map)(vcpu, &fault);
}

/**
 * own_craft() - map a mirror leaf of a page frame that we choose
 * @vm: VM
 * @v: vCPU
 * @gfn: in TDPS_CRAFT or TDPS_GIANT
 * @level: size of the leaf
 *
 * As kvm_tdp_mmu_map_private_pfn(), which maps guest_memfd's pages, 4K only.
 *
 * Context: as own_prepare(), roots loaded. May sleep.
 *
 * Return: how it went.
 */
enum tdps_result own_craft(struct tdps_vm *vm, struct own_vcpu *v, u64 gfn, int level)
{
	enum tdps_region id = own_region_of(vm, gfn);
	atomic_t *mode = craft_mode(&vm->region[id], id, gfn);
	int ret;

	if (!craft_enter(mode, level))
		return TDPS_RETRY;
	ret = craft_fault(vm, v, id, gfn, level);
	craft_leave(mode);
	return own_fault_result(ret);
}

/* kvm_tdp_mmu_map(), by a fault. */
enum tdps_result tdps_entry_map(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;
	u64 err = PFERR_GUEST_FINAL_MASK | (t->write ? PFERR_WRITE_MASK : 0);

	if (!get_vcpu(v)) {
		if (t->region == TDPS_CRAFT || t->region == TDPS_GIANT)
			res = own_craft(vm, v, t->gfn, t->level);
		else if (t->mirror)
			res = own_fault_result(own_fault(vm, v, gfn_to_gpa(t->gfn),
							 err | PFERR_PRIVATE_ACCESS,
							 t->level, false));
		else
			res = own_fault_result(own_fault(vm, v, shared_gpa(vm->kvm, t->gfn), err,
							 t->level, false));
	}
	put_vcpu(v);
	return res;
}

/* An instruction fetch from memory that could be huge: KVM maps it 4K, and keeps book. */
enum tdps_result tdps_entry_map_exec(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;

	if (!get_vcpu(v))
		res = own_fault_result(own_fault(vm, v, shared_gpa(vm->kvm, t->gfn),
						 PFERR_GUEST_FINAL_MASK | PFERR_FETCH_MASK,
						 KVM_MAX_HUGEPAGE_LEVEL, false));
	put_vcpu(v);
	return res;
}

/* fast_page_fault(): a write to a leaf that is present and write-protected. */
enum tdps_result tdps_entry_fast_pf(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	u64 err = PFERR_GUEST_FINAL_MASK | PFERR_WRITE_MASK | PFERR_PRESENT_MASK;
	enum tdps_result res = TDPS_REFUSED;
	u64 fast;
	int ret;

	if (!get_vcpu(v)) {
		fast = v->vcpu->stat.pf_fast;
		ret = own_fault(vm, v, shared_gpa(vm->kvm, t->gfn), err, KVM_MAX_HUGEPAGE_LEVEL,
				false);
		res = own_fault_result(ret);
		/* fixed without mmu_lock, or found fixed: else it was an ordinary fault */
		if (res == TDPS_DID && v->vcpu->stat.pf_fast == fast)
			res = TDPS_NOTHING;
	}
	put_vcpu(v);
	return res;
}

/* KVM_PRE_FAULT_MEMORY of one page: kvm_vcpu_pre_fault_memory(). */
static enum tdps_result prefault(struct own_vcpu *v, u64 gfn)
{
	struct kvm_pre_fault_memory range = {
		.gpa = gfn_to_gpa(gfn), .size = PAGE_SIZE,
	};
	long ret = static_call(own_kvm_arch_vcpu_pre_fault_memory)(v->vcpu, &range);

	/* it may have loaded new roots */
	v->flush_due = true;
	if (ret > 0)
		return TDPS_DID;
	if (ret == -EAGAIN || ret == -EINTR)
		return TDPS_RETRY;
	return ret == -ENOENT ? TDPS_NOTHING : TDPS_REFUSED;
}

/*
 * If the vCPU's root is invalidated while it runs, 7.2 and 7.3 never come back: the
 * fault is stale, is retried, and nobody answers the request for a new root (only a
 * signal ends it). See Documentation/findings.rst.
 */
enum tdps_result tdps_entry_prefault_race(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;

	if (!get_vcpu(v))
		res = prefault(v, t->gfn);
	put_vcpu(v);
	return res;
}

/* While no root is invalidated, and no memslot comes where there is none. */
enum tdps_result tdps_entry_prefault(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;
	int kept;

	guard(rwsem_read)(&vm->roots_sem);
	if (!get_vcpu(v)) {
		kept = keep_no_slot(vm, v->vcpu, t->gfn);
		res = kept < 0 ? TDPS_RETRY : prefault(v, t->gfn);
		if (kept > 0)
			up_read(&vm->slots_sem);
	}
	put_vcpu(v);
	return res;
}

/* --- zaps --- */

/*
 * kvm_zap_gfn_range(): all kinds of root, mmu_lock for write, with the range
 * announced so that no fault maps behind the zap's back, the flush under the lock.
 */
enum tdps_result tdps_entry_zap_leafs(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	bool flush;

	guard(rwsem_read)(&vm->region[t->region].zap_sem);
	guard(srcu)(&kvm->srcu);
	lock_mmu(kvm, t, false);
	static_call(own_invalidate_start)(kvm);
	static_call(own_kvm_mmu_invalidate_range_add)(kvm, t->gfn, t->gfn + t->nr);
	flush = static_call(own_kvm_tdp_mmu_zap_leafs)(kvm, t->gfn, t->gfn + t->nr, false);
	if (flush)
		static_call(own_kvm_flush_remote_tlbs_range)(kvm, t->gfn, t->nr);
	static_call(own_kvm_mmu_invalidate_end)(kvm);
	unlock_mmu(kvm, false);
	return flush ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_unmap_gfn_range(), as a conversion or a notifier calls it: one kind of root or both. */
enum tdps_result tdps_entry_unmap(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_gfn_range range = {
		.start = t->gfn,
		.end = t->gfn + t->nr,
		.may_block = true,
		.attr_filter = filter_of(t),
	};
	bool flush;

	guard(rwsem_read)(&vm->region[t->region].zap_sem);
	guard(srcu)(&kvm->srcu);
	range.slot = slot_of(vm, t->region);
	if (!range.slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, t, false);
	static_call(own_invalidate_start)(kvm);
	static_call(own_kvm_mmu_invalidate_range_add)(kvm, range.start, range.end);
	flush = static_call(own_kvm_tdp_mmu_unmap_gfn_range)(kvm, &range, false);
	if (flush)
		static_call(own_kvm_flush_remote_tlbs)(kvm);
	static_call(own_kvm_mmu_invalidate_end)(kvm);
	unlock_mmu(kvm, false);
	return flush ? TDPS_DID : TDPS_NOTHING;
}

/*
 * kvm_mmu_zap_all(), whose caller is the end of the address space: no vCPU runs
 * then, nor may any here. Ours go on afterwards, so their TLBs are flushed, which
 * KVM's caller has no need for.
 */
enum tdps_result tdps_entry_zap_all(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;

	mutex_lock(&kvm->lock);
	if (lock_all_vcpus(kvm)) {
		mutex_unlock(&kvm->lock);
		return TDPS_RETRY;
	}
	lock_mmu(kvm, t, false);
	static_call(own_kvm_tdp_mmu_zap_all)(kvm);
	static_call(own_kvm_flush_remote_tlbs)(kvm);
	unlock_mmu(kvm, false);
	unlock_all_vcpus(kvm);
	mutex_unlock(&kvm->lock);
	return TDPS_DID;
}

static void zap_invalidated(struct kvm *kvm, bool shared)
{
	TDPS_CALL_ZAP_INVALIDATED(static_call(own_kvm_tdp_mmu_zap_invalidated_roots), kvm, shared);
}

/*
 * kvm_mmu_zap_all_fast(): slots_lock throughout, roots invalidated with mmu_lock
 * for write and the vCPUs told in the same section, zapped with it for read
 * (t->shared) or, as by kvm_mmu_uninit_tdp_mmu(), for write. Direct roots only:
 * KVM never invalidates a mirror root of a VM that goes on.
 */
enum tdps_result tdps_entry_invalidate(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;

	guard(rwsem_write)(&vm->roots_sem);
	guard(mutex)(&kvm->slots_lock);
	write_lock(&kvm->mmu_lock);
	TDPS_CALL_INVALIDATE_ROOTS(static_call(own_invalidate_roots), kvm, KVM_DIRECT_ROOTS);
	static_call(own_kvm_make_all_cpus_request)(kvm, KVM_REQ_MMU_FREE_OBSOLETE_ROOTS);
	write_unlock(&kvm->mmu_lock);
	zap_invalidated(kvm, t->shared);
	return TDPS_DID;
}

static void drop_roots(struct own_vcpu *v)
{
	struct kvm_mmu *mmu = v->vcpu->arch.mmu;
	struct kvm *kvm = v->vcpu->kvm;

	static_call(own_kvm_mmu_unload)(v->vcpu);
	if (!VALID_PAGE(tdps_mirror_root(mmu)))
		return;
	read_lock(&kvm->mmu_lock);
	static_call(own_kvm_tdp_mmu_put_root)(kvm, root_to_sp(tdps_mirror_root(mmu)));
	read_unlock(&kvm->mmu_lock);
	tdps_drop_mirror_root(mmu);
	v->flush_due = true;
}

/*
 * kvm_destroy_vcpus() and kvm_mmu_uninit_tdp_mmu(): vCPUs give their roots up
 * first, then all roots, mirror ones too, are invalidated and zapped with mmu_lock
 * for write. No vCPU may be inside meanwhile: a mirror root is reloaded only where
 * there is none.
 */
enum tdps_result tdps_entry_invalidate_all(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	u32 i;

	guard(rwsem_write)(&vm->roots_sem);
	mutex_lock(&kvm->lock);
	if (lock_all_vcpus(kvm)) {
		mutex_unlock(&kvm->lock);
		return TDPS_RETRY;
	}
	mutex_lock(&kvm->slots_lock);
	for (i = 0; i < vm->nr_vcpus + vm->nr_side; i++)
		drop_roots(&vm->vcpu[i]);
	write_lock(&kvm->mmu_lock);
	TDPS_CALL_INVALIDATE_ROOTS(static_call(own_invalidate_roots), kvm, KVM_VALID_ROOTS);
	write_unlock(&kvm->mmu_lock);
	zap_invalidated(kvm, false);
	mutex_unlock(&kvm->slots_lock);
	unlock_all_vcpus(kvm);
	mutex_unlock(&kvm->lock);
	return TDPS_DID;
}

/* --- ages and dirt: direct roots --- */

/*
 * kvm_mmu_notifier_clear_young(), test_young(): no lock but SRCU, or in older
 * kernels mmu_lock for write, no flush. Never
 * private memory: the host's mm knows nothing of it, and KVM warns.
 */
static bool age(struct tdps_vm *vm, const struct tdps_target *t, bool test)
{
	struct kvm_gfn_range range = {
		.start = t->gfn,
		.end = t->gfn + t->nr,
		.attr_filter = KVM_FILTER_SHARED,
	};
	struct kvm *kvm = vm->kvm;
	bool young;

	guard(srcu)(&kvm->srcu);
	range.slot = slot_of(vm, t->region);
	if (!range.slot)
		return false;
	tdps_age_lockless(&range);
	if (!TDPS_AGE_LOCKLESS)
		lock_mmu(kvm, t, false);
	young = test ? static_call(own_kvm_tdp_mmu_test_age_gfn)(kvm, &range) :
		       static_call(own_kvm_tdp_mmu_age_gfn_range)(kvm, &range);
	if (!TDPS_AGE_LOCKLESS)
		unlock_mmu(kvm, false);
	return young;
}

enum tdps_result tdps_entry_age(struct tdps_vm *vm, const struct tdps_target *t)
{
	return age(vm, t, false) ? TDPS_DID : TDPS_NOTHING;
}

enum tdps_result tdps_entry_test_age(struct tdps_vm *vm, const struct tdps_target *t)
{
	return age(vm, t, true) ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_mmu_slot_remove_write_access(), then the flush of kvm_mmu_slot_apply_flags() */
enum tdps_result tdps_entry_wrprot_slot(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;
	bool did;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(vm, t->region);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, t, true);
	did = static_call(own_kvm_tdp_mmu_wrprot_slot)(kvm, slot, t->level);
	unlock_mmu(kvm, true);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return did ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_mmu_slot_gfn_write_protect(), as write tracking calls it: mmu_lock for write, flush */
enum tdps_result tdps_entry_wrprot_gfn(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;
	bool did;

	guard(srcu)(&kvm->srcu);
	slot = slot_of(vm, t->region);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, t, false);
	did = static_call(own_kvm_tdp_mmu_write_protect_gfn)(kvm, slot, t->gfn, t->level);
	if (did)
		static_call(own_kvm_flush_remote_tlbs)(kvm);
	unlock_mmu(kvm, false);
	return did ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_mmu_slot_leaf_clear_dirty(), then the flush of kvm_mmu_slot_apply_flags() */
enum tdps_result tdps_entry_clear_dirty_slot(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(vm, t->region);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, t, true);
	static_call(own_kvm_tdp_mmu_clear_dirty_slot)(kvm, slot);
	unlock_mmu(kvm, true);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return TDPS_DID;
}

/* kvm_clear_dirty_log_protect() and what it calls, for 64 pages; flushed after the lock */
enum tdps_result tdps_entry_clear_dirty_masked(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;
	unsigned long mask = t->random * 0x9e3779b97f4a7c15ull | 1;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(vm, t->region);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, t, false);
	static_call(own_kvm_tdp_mmu_clear_dirty_pt_masked)(kvm, slot,
							   round_down(t->gfn, BITS_PER_LONG),
							   mask, t->write);
	unlock_mmu(kvm, false);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return TDPS_DID;
}

/* --- huge pages --- */

/* Only threads that deal with leafs of this size, in all of the region; or NULL. */
static bool craft_enter_all(struct tdps_vm *vm, enum tdps_region id, int level)
{
	struct own_region *r = &vm->region[id];
	u64 step = KVM_PAGES_PER_HPAGE(id == TDPS_GIANT ? PG_LEVEL_1G : PG_LEVEL_2M), gfn;
	int tries;

	for (gfn = r->gfn; gfn < r->gfn + r->pages; gfn += step) {
		for (tries = 0; !craft_enter(craft_mode(r, id, gfn), level); tries++) {
			if (tries == 100)
				goto undo;
			cond_resched();
		}
	}
	return true;
undo:
	while (gfn > r->gfn) {
		gfn -= step;
		craft_leave(craft_mode(r, id, gfn));
	}
	return false;
}

static void craft_leave_all(struct tdps_vm *vm, enum tdps_region id)
{
	struct own_region *r = &vm->region[id];
	u64 step = KVM_PAGES_PER_HPAGE(id == TDPS_GIANT ? PG_LEVEL_1G : PG_LEVEL_2M), gfn;

	for (gfn = r->gfn; gfn < r->gfn + r->pages; gfn += step)
		craft_leave(craft_mode(r, id, gfn));
}

static enum tdps_result recover(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;
	s64 before;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(vm, t->region);
	if (!slot || kvm_slot_dirty_track_enabled(slot))
		return TDPS_NOTHING;
	before = leafs(kvm, PG_LEVEL_2M);
	lock_mmu(kvm, t, true);
	static_call(own_recover)(kvm, slot);
	unlock_mmu(kvm, true);
	/* others change the number, too: this says how it mostly went */
	return leafs(kvm, PG_LEVEL_2M) > before ? TDPS_DID : TDPS_NOTHING;
}

/*
 * kvm_mmu_recover_huge_pages(): slots_lock, mmu_lock for read; it flushes by itself.
 * 7.2 and 7.3 map again what a zap that has yielded has passed, and if that is split
 * before the zap goes on, the notifier's pages stay mapped and KVM calls BUG() later.
 * See Documentation/findings.rst.
 */
enum tdps_result tdps_entry_recover_race(struct tdps_vm *vm, const struct tdps_target *t)
{
	enum tdps_result res;

	if (t->mirror && !craft_enter_all(vm, t->region, PG_LEVEL_2M))
		return TDPS_NOTHING;
	res = recover(vm, t);
	if (t->mirror)
		craft_leave_all(vm, t->region);
	return res;
}

/* The same, while nobody zaps there: not even the host, as far as can be seen. */
enum tdps_result tdps_entry_recover(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(rwsem_write)(&vm->region[t->region].zap_sem);
	if (READ_ONCE(vm->kvm->mmu_invalidate_in_progress))
		return TDPS_RETRY;
	return tdps_entry_recover_race(vm, t);
}

/* mmu_lock held */
static bool giant_is(struct kvm *kvm, u64 gfn, enum tdps_seen what)
{
	enum tdps_seen parent;

	guard(rcu)();
	return tdps_look(kvm, gfn, PG_LEVEL_1G, &parent) == what;
}

/*
 * slots_lock held. Whether it split something is told by the number of leafs, which
 * others change meanwhile; the one leaf of TDPS_GIANT can be looked at.
 */
static enum tdps_result split_slot(struct tdps_vm *vm, const struct tdps_target *t)
{
	bool giant = t->region == TDPS_GIANT, was, is;
	struct kvm *kvm = vm->kvm;
	struct kvm_memory_slot *slot;
	s64 before;

	slot = slot_of(vm, t->region);
	if (!slot)
		return TDPS_NOTHING;
	before = leafs(kvm, t->level);
	lock_mmu(kvm, t, t->shared);
	was = giant && giant_is(kvm, t->gfn, TDPS_SEEN_LEAF);
	static_call(own_kvm_tdp_mmu_try_split_huge_pages)(kvm, slot, t->gfn, t->gfn + t->nr,
							  t->level, t->shared);
	is = giant ? was && giant_is(kvm, t->gfn, TDPS_SEEN_TABLE) :
		     leafs(kvm, t->level) > before;
	unlock_mmu(kvm, t->shared);
	return is ? TDPS_DID : TDPS_NOTHING;
}

static enum tdps_result split_mirror(struct tdps_vm *vm, const struct tdps_target *t)
{
	atomic_t *mode = craft_mode(&vm->region[t->region], t->region, t->gfn);
	enum tdps_result res;

	if (!craft_enter(mode, t->level))
		return TDPS_NOTHING;
	res = split_slot(vm, t);
	craft_leave(mode);
	return res;
}

/*
 * kvm_mmu_slot_try_split_huge_pages() (mmu_lock for read) and
 * kvm_mmu_try_split_huge_pages() (for write): slots_lock, no flush.
 */
enum tdps_result tdps_entry_split(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(mutex)(&vm->kvm->slots_lock);
	return t->mirror ? split_mirror(vm, t) : split_slot(vm, t);
}

static u64 nx_miscounted;

u64 tdps_entry_nx_miscounted(void)
{
	return READ_ONCE(nx_miscounted);
}

/* KVM keeps a list of the tables, and how many there are. */
static void compare_nx_books(struct kvm *kvm)
{
	u64 off = abs(tdps_nx_books_off(kvm));

	if (off <= nx_miscounted)
		return;
	if (!nx_miscounted)
		pr_info("KVM's count of NX huge page splits in the TDP MMU is off by %llu from its list of them: nx.miscounted\n",
			off);
	WRITE_ONCE(nx_miscounted, off);
}

/*
 * kvm_tdp_mmu_zap_possible_nx_huge_page(), by KVM's own recovery worker: SRCU,
 * mmu_lock for read, RCU, and the books of the tables concerned are its.
 */
enum tdps_result tdps_entry_nx_recover(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct kvm *kvm = vm->kvm;
	u64 before;

	guard(mutex)(&nx_mutex);
	before = kvm->stat.nx_lpage_splits;
	if (!before)
		return TDPS_NOTHING;
	/* it is long since the last time: do not sleep until the period is over */
	kvm->arch.nx_huge_page_last = 0;
	static_call(own_kvm_nx_huge_page_recovery_worker)(kvm);
	compare_nx_books(kvm);
	return kvm->stat.nx_lpage_splits < before ? TDPS_DID : TDPS_NOTHING;
}

/* --- walks without mmu_lock --- */

/* get_sptes_lockless(): the walk of a vCPU that looks at its own direct root */
enum tdps_result tdps_entry_walk(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	u64 sptes[PT64_ROOT_MAX_LEVEL + 1];
	enum tdps_result res = TDPS_REFUSED;
	int root_level, leaf;

	if (!get_vcpu(v)) {
		kvm_tdp_mmu_walk_lockless_begin();
		leaf = static_call(own_kvm_tdp_mmu_get_walk)(v->vcpu, gfn_to_gpa(t->gfn), sptes,
							     &root_level);
		kvm_tdp_mmu_walk_lockless_end();
		if (leaf >= PG_LEVEL_4K && leaf <= root_level)
			res = TDPS_DID;
	}
	put_vcpu(v);
	return res;
}

/* The walk of fast_page_fault() */
enum tdps_result tdps_entry_last_sptep(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;
	u64 spte;

	if (!get_vcpu(v)) {
		kvm_tdp_mmu_walk_lockless_begin();
		if (static_call(own_kvm_tdp_mmu_fast_pf_get_last_sptep)(v->vcpu, t->gfn, &spte))
			res = TDPS_DID;
		kvm_tdp_mmu_walk_lockless_end();
	}
	put_vcpu(v);
	return res;
}

/* --- roots of a vCPU --- */

/*
 * kvm_mmu_reset_context(): the role is computed anew, as after CPUID or control
 * registers have changed, and the roots that fit it are looked up.
 */
enum tdps_result tdps_entry_role(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;

	if (!get_vcpu(v)) {
		static_call(own_kvm_mmu_reset_context)(v->vcpu);
		if (!own_prepare(v))
			res = TDPS_DID;
	}
	put_vcpu(v);
	return res;
}

/* kvm_mmu_unload(), kvm_mmu_load(): references to the direct root go and come */
enum tdps_result tdps_entry_reload(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res = TDPS_REFUSED;

	if (!get_vcpu(v)) {
		static_call(own_kvm_mmu_unload)(v->vcpu);
		if (!own_prepare(v))
			res = TDPS_DID;
	}
	put_vcpu(v);
	return res;
}
