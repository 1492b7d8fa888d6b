// SPDX-License-Identifier: GPL-2.0
/*
 * The TDP MMU's entry points: every function that tdp_mmu.h declares, as an
 * operation on any VM, with the locks that KVM's own callers hold and the TLB flush
 * that they owe afterwards. Each function names the caller it follows. Decides
 * nothing about when and where, and keeps nobody apart.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/sched.h>
#include <linux/static_call.h>

#include "entry.h"
#include "external.h"

typedef bool own_nx_worker_fn(void *data);

#if TDPS_LOCKS_ALL_VCPUS
#define VCPU_LOCKS(OWN_CALL) \
	OWN_CALL(kvm_lock_all_vcpus) \
	OWN_CALL(kvm_unlock_all_vcpus)
#else
#define VCPU_LOCKS(OWN_CALL)
#endif

/* All that is called here by name, each once: see entry.h. */
#define CALLS(OWN_CALL, OWN_CALL_AS, OWN_CALL_TYPED) \
	OWN_CALL(vcpu_load) \
	OWN_CALL(vcpu_put) \
	VCPU_LOCKS(OWN_CALL) \
	OWN_CALL(kvm_make_all_cpus_request) \
	OWN_CALL(kvm_flush_remote_tlbs) \
	OWN_CALL(kvm_flush_remote_tlbs_range) \
	OWN_CALL(kvm_flush_remote_tlbs_memslot) \
	OWN_CALL_AS(invalidate_start, TDPS_FN_INVALIDATE_START) \
	OWN_CALL(kvm_mmu_invalidate_range_add) \
	OWN_CALL(kvm_mmu_invalidate_end) \
	OWN_CALL(kvm_mmu_topup_memory_cache) \
	OWN_CALL(kvm_vcpu_gfn_to_memslot) \
	OWN_CALL(kvm_mmu_load) \
	OWN_CALL(kvm_mmu_unload) \
	OWN_CALL(kvm_mmu_free_obsolete_roots) \
	OWN_CALL(kvm_mmu_reset_context) \
	OWN_CALL(kvm_arch_vcpu_pre_fault_memory) \
	OWN_CALL(kvm_tdp_mmu_map) \
	OWN_CALL(kvm_tdp_mmu_zap_leafs) \
	OWN_CALL(kvm_tdp_mmu_zap_all) \
	OWN_CALL(kvm_tdp_mmu_put_root) \
	OWN_CALL_AS(invalidate_roots, TDPS_FN_INVALIDATE_ROOTS) \
	OWN_CALL(kvm_tdp_mmu_zap_invalidated_roots) \
	OWN_CALL(kvm_tdp_mmu_unmap_gfn_range) \
	OWN_CALL(kvm_tdp_mmu_age_gfn_range) \
	OWN_CALL(kvm_tdp_mmu_test_age_gfn) \
	OWN_CALL(kvm_tdp_mmu_wrprot_slot) \
	OWN_CALL(kvm_tdp_mmu_clear_dirty_slot) \
	OWN_CALL(kvm_tdp_mmu_clear_dirty_pt_masked) \
	OWN_CALL_AS(recover, TDPS_FN_RECOVER) \
	OWN_CALL(kvm_tdp_mmu_write_protect_gfn) \
	OWN_CALL(kvm_tdp_mmu_try_split_huge_pages) \
	OWN_CALL(kvm_tdp_mmu_get_walk) \
	OWN_CALL(kvm_tdp_mmu_fast_pf_get_last_sptep) \
	OWN_CALL_TYPED(kvm_nx_huge_page_recovery_worker, own_nx_worker_fn, true)

CALLS(OWN_DEFINE, OWN_DEFINE_AS, OWN_DEFINE_TYPED)

static const struct own_call calls[] = {
	CALLS(OWN_CALL, OWN_CALL_AS, OWN_CALL_TYPED)
};

/* --- NX huge pages --- */

static int *nx_huge_pages_param;
static const bool *nx_hard_off;
static bool nx_worker;
static DEFINE_MUTEX(nx_mutex);	/* KVM has one recovery thread per VM; we one in all */

/**
 * tdps_entry_find() - find the entry points
 *
 * Context: may sleep; KVM has been found, nobody can ask for one yet.
 *
 * Return: 0 or -ENOENT, the reason printed.
 */
int tdps_entry_find(void)
{
	const char *missing = own_resolve(calls, ARRAY_SIZE(calls));

	if (missing) {
		pr_err("symbol %s not found in this kernel's KVM: its TDP MMU cannot be called\n",
		       missing);
		return -ENOENT;
	}
	nx_huge_pages_param = (int *)tdps_lookup("nx_huge_pages");
	nx_hard_off = (const bool *)tdps_lookup("nx_hugepage_mitigation_hard_disabled");
	nx_worker = tdps_lookup("kvm_nx_huge_page_recovery_worker");
	return 0;
}

/**
 * entry_nx_param() - kvm.nx_huge_pages, where a page table may stand for a huge page
 * @why: why it cannot, a static clause; NULL: it can, once the parameter is on
 *
 * Context: after tdps_entry_find().
 *
 * Return: the parameter, or NULL.
 */
int *entry_nx_param(const char **why)
{
	*why = NULL;
	if (!nx_huge_pages_param || !nx_hard_off || !nx_worker)
		*why = "this KVM has no NX huge page recovery that can be reached";
	else if (*nx_hard_off)
		*why = "kvm.nx_huge_pages=never";
	return *why ? NULL : nx_huge_pages_param;
}

static bool nx_on(void)
{
	return nx_huge_pages_param && READ_ONCE(*nx_huge_pages_param);
}

const char *entry_missing_nx(void)
{
	const char *why;

	entry_nx_param(&why);
	return why ?: nx_on() ? NULL : "kvm.nx_huge_pages is off";
}

/* --- helpers --- */

/*
 * Who walks tables while this thread is due to be rescheduled has to yield, as a
 * tick would have it at any time.
 */
static void want_yield(const struct entry_args *a)
{
	if (!a->yield)
		return;
	set_tsk_need_resched(current);
	set_preempt_need_resched();
}

static void lock_mmu(struct kvm *kvm, const struct entry_args *a, bool shared)
{
	if (shared)
		read_lock(&kvm->mmu_lock);
	else
		write_lock(&kvm->mmu_lock);
	want_yield(a);
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

/*
 * The memslot of the range; slots_lock or SRCU held. NULL: it has gone, or has another
 * range now.
 */
static struct kvm_memory_slot *slot_of(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot = id_to_memslot(kvm_memslots(kvm), a->slot);

	if (!slot || a->gfn < slot->base_gfn ||
	    a->gfn + a->nr > slot->base_gfn + slot->npages)
		return NULL;
	return slot;
}

static s64 leafs(struct kvm *kvm, int level)
{
	return atomic64_read(&kvm->stat.pages[level - 1]);
}

static gpa_t shared_gpa(struct kvm *kvm, u64 gfn)
{
	return gfn_to_gpa(gfn | kvm_gfn_direct_bits(kvm));
}

static enum kvm_gfn_range_filter filter_of(const struct entry_args *a)
{
	if (a->both)
		return KVM_FILTER_SHARED | KVM_FILTER_PRIVATE;
	return a->mirror ? KVM_FILTER_PRIVATE : KVM_FILTER_SHARED;
}

/* --- vCPUs --- */

/**
 * entry_prepare() - load roots, if there are none or they are out of date
 * @vcpu: vCPU
 *
 * kvm_mmu_reload(), and the end of a VM that KVM has given up. All other requests are
 * left to whoever runs the vCPU.
 *
 * Context: vcpu->mutex, SRCU, vCPU loaded. May sleep.
 *
 * Return: 0; -EIO: KVM has given the VM up; -ENOMEM.
 */
int entry_prepare(struct kvm_vcpu *vcpu)
{
	if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
		return -EIO;
	if (kvm_check_request(KVM_REQ_MMU_FREE_OBSOLETE_ROOTS, vcpu))
		static_call(own_kvm_mmu_free_obsolete_roots)(vcpu);
	if (vcpu->arch.mmu->root.hpa != INVALID_PAGE)
		return 0;
	return static_call(own_kvm_mmu_load)(vcpu);
}

/**
 * entry_get_vcpu() - be the thread that has a vCPU
 * @vcpu: vCPU
 *
 * As kvm_vcpu_ioctl() and kvm_vcpu_pre_fault_memory() do it.
 *
 * Context: may sleep.
 *
 * Return: 0: until entry_put_vcpu(); -EINTR: about to be killed; or what
 * entry_prepare() says.
 */
int entry_get_vcpu(struct kvm_vcpu *vcpu)
{
	int err = mutex_lock_killable(&vcpu->mutex);

	if (err)
		return err;
	static_call(own_vcpu_load)(vcpu);
	kvm_vcpu_srcu_read_lock(vcpu);
	err = entry_prepare(vcpu);
	if (err)
		entry_put_vcpu(vcpu);
	return err;
}

void entry_put_vcpu(struct kvm_vcpu *vcpu)
{
	kvm_vcpu_srcu_read_unlock(vcpu);
	static_call(own_vcpu_put)(vcpu);
	mutex_unlock(&vcpu->mutex);
}

/* --- faults --- */

struct kvm_memory_slot *entry_slot_at(struct kvm_vcpu *vcpu, gfn_t gfn)
{
	return static_call(own_kvm_vcpu_gfn_to_memslot)(vcpu, gfn);
}

/**
 * entry_fault() - one fault, by the vCPU's own handler
 * @vcpu: vCPU
 * @gpa: address, with the bits that make it a shared one
 * @error_code: PFERR_*
 * @max_level: largest leaf wanted
 * @prefetch: a prefault
 *
 * kvm_mmu_do_page_fault(), which is static: the handler is called by the pointer
 * that KVM itself calls it by (its address is taken, so it may be).
 *
 * Context: as entry_prepare(), roots loaded. May sleep.
 *
 * Return: RET_PF_* or -errno.
 */
int entry_fault(struct kvm_vcpu *vcpu, gpa_t gpa, u64 error_code, u8 max_level, bool prefetch)
{
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
		.nx_huge_page_workaround_enabled = nx_on(),
		.max_level = max_level,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		.is_private = error_code & PFERR_PRIVATE_ACCESS,
		.pfn = KVM_PFN_ERR_FAULT,
		.gfn = gfn,
		.slot = entry_slot_at(vcpu, gfn),
	};

	return vcpu->arch.mmu->page_fault(vcpu, &fault);
}

/**
 * entry_fault_result() - what a fault's answer means
 * @ret: RET_PF_* or -errno
 *
 * Return: enum tdps_result or -errno.
 */
int entry_fault_result(int ret)
{
	switch (ret) {
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
		return ret < 0 ? ret : TDPS_NOTHING;
	}
}

/*
 * Crafted leafs of different size must not meet in one place: KVM would split a
 * huge mirror leaf in a fault, which bugs the VM, or replace a table by a leaf
 * without a word to the external table. So at any time all that is done to a piece
 * of memory is about one size. Threads that agree race as they like; zaps always do.
 *
 * The word is level << 16 | threads.
 */
bool entry_craft_enter(atomic_t *mode, int level)
{
	int old = atomic_read(mode), new;

	do {
		if (old && old >> 16 != level)
			return false;
		new = (old ?: level << 16) + 1;
	} while (!atomic_try_cmpxchg(mode, &old, new));
	return true;
}

void entry_craft_leave(atomic_t *mode)
{
	int old = atomic_read(mode), new;

	do {
		new = old - 1;
		if (!(new & 0xffff))
			new = 0;
	} while (!atomic_try_cmpxchg(mode, &old, new));
}

/*
 * mmu_lock held, so that nobody of the other sizes comes between look and map. With
 * @only_split small leafs come only after a split.
 */
static bool craft_fits(struct kvm *kvm, const struct entry_craft *c)
{
	enum tdps_seen seen, parent;
	int at;

	guard(rcu)();
	for (at = PG_LEVEL_1G; at >= c->level; at--) {
		seen = tdps_look(kvm, c->gfn, at, &parent);
		if (at > c->level ? seen == TDPS_SEEN_LEAF : seen == TDPS_SEEN_TABLE)
			return false;
		if (c->only_split && at > c->level && seen != TDPS_SEEN_TABLE)
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

/**
 * entry_craft() - map a mirror leaf of a page frame that the caller chooses
 * @vcpu: vCPU
 * @c: where, what
 *
 * As kvm_tdp_mmu_map_private_pfn(), which maps guest_memfd's pages, 4K only.
 *
 * Context: as entry_prepare(), roots loaded; entry_craft_enter() for the size. May
 * sleep. The frame is the caller's until the leaf is gone.
 *
 * Return: RET_PF_* or -errno; -EMEDIUMTYPE: the host's mapping allows a smaller leaf
 * only, which is mapped now.
 */
int entry_craft(struct kvm_vcpu *vcpu, const struct entry_craft *c)
{
	struct kvm *kvm = vcpu->kvm;
	struct kvm_page_fault fault = {
		.addr = gfn_to_gpa(c->gfn),
		.error_code = PFERR_GUEST_FINAL_MASK | PFERR_PRIVATE_ACCESS,
		.prefetch = true,
		.is_tdp = true,
		.nx_huge_page_workaround_enabled = false,
		.max_level = c->level,
		.req_level = PG_LEVEL_4K,
		.goal_level = PG_LEVEL_4K,
		/*
		 * The level of a private fault is guest_memfd's to say; without one
		 * it is taken from the host's mapping of the slot, if there is one.
		 */
		.is_private = c->private,
		.gfn = c->gfn,
		.slot = entry_slot_at(vcpu, c->gfn),
		.pfn = c->pfn,
		.map_writable = true,
	};
	unsigned long seq = kvm->mmu_invalidate_seq;
	int ret = topup_caches(vcpu);

	if (ret)
		return ret;
	if (!fault.slot)
		return -EFAULT;
	if (fault.slot->flags & KVM_MEMSLOT_INVALID)
		return RET_PF_RETRY;
	/* pairs with kvm_mmu_invalidate_end(), as in kvm_mmu_faultin_pfn() */
	smp_rmb();
	guard(read_lock)(&kvm->mmu_lock);
	if (mmu_invalidate_retry_gfn(kvm, seq, c->gfn))
		return RET_PF_RETRY;
	if (!craft_fits(kvm, c))
		return RET_PF_RETRY;
	ret = static_call(own_kvm_tdp_mmu_map)(vcpu, &fault);
	return ret == RET_PF_FIXED && fault.goal_level != c->level ? -EMEDIUMTYPE : ret;
}

/*
 * kvm_tdp_mmu_map(), by a fault. An instruction fetch from memory that could be huge
 * is mapped 4K by the NX mitigation, which keeps book.
 */
int entry_map(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	u64 err = PFERR_GUEST_FINAL_MASK | (a->write ? PFERR_WRITE_MASK : 0) |
		  (a->exec ? PFERR_FETCH_MASK : 0);
	gpa_t gpa = shared_gpa(vcpu->kvm, a->gfn);

	if (a->mirror) {
		err |= PFERR_PRIVATE_ACCESS;
		gpa = gfn_to_gpa(a->gfn);
	}
	return entry_fault_result(entry_fault(vcpu, gpa, err, a->level, false));
}

/* fast_page_fault(): a write to a leaf that is present and write-protected. */
int entry_fast_pf(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	u64 err = PFERR_GUEST_FINAL_MASK | PFERR_WRITE_MASK | PFERR_PRESENT_MASK;
	u64 fast = vcpu->stat.pf_fast;
	int ret;

	ret = entry_fault_result(entry_fault(vcpu, shared_gpa(vcpu->kvm, a->gfn), err,
					     KVM_MAX_HUGEPAGE_LEVEL, false));
	/* fixed without mmu_lock, or found fixed: else it was an ordinary fault */
	return ret == TDPS_DID && vcpu->stat.pf_fast == fast ? TDPS_NOTHING : ret;
}

/* KVM_PRE_FAULT_MEMORY of one page: kvm_vcpu_pre_fault_memory(). */
int entry_prefault(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	struct kvm_pre_fault_memory range = {
		.gpa = gfn_to_gpa(a->gfn), .size = PAGE_SIZE,
	};
	long ret = static_call(own_kvm_arch_vcpu_pre_fault_memory)(vcpu, &range);

	if (ret > 0)
		return TDPS_DID;
	if (ret == -EAGAIN || ret == -EINTR)
		return TDPS_RETRY;
	return ret == -ENOENT || !ret ? TDPS_NOTHING : ret;
}

/* --- zaps --- */

/*
 * kvm_zap_gfn_range(): all kinds of root, mmu_lock for write, with the range
 * announced so that no fault maps behind the zap's back, the flush under the lock.
 */
int entry_zap_leafs(struct kvm *kvm, const struct entry_args *a)
{
	bool flush;

	guard(srcu)(&kvm->srcu);
	lock_mmu(kvm, a, false);
	static_call(own_invalidate_start)(kvm);
	static_call(own_kvm_mmu_invalidate_range_add)(kvm, a->gfn, a->gfn + a->nr);
	flush = static_call(own_kvm_tdp_mmu_zap_leafs)(kvm, a->gfn, a->gfn + a->nr, false);
	if (flush)
		static_call(own_kvm_flush_remote_tlbs_range)(kvm, a->gfn, a->nr);
	static_call(own_kvm_mmu_invalidate_end)(kvm);
	unlock_mmu(kvm, false);
	return flush ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_unmap_gfn_range(), as a conversion or a notifier calls it: one kind of root or both. */
int entry_unmap(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_gfn_range range = {
		.start = a->gfn,
		.end = a->gfn + a->nr,
		.may_block = true,
		.attr_filter = filter_of(a),
	};
	bool flush;

	guard(srcu)(&kvm->srcu);
	range.slot = slot_of(kvm, a);
	if (!range.slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, a, false);
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
int entry_zap_all(struct kvm *kvm, const struct entry_args *a)
{
	mutex_lock(&kvm->lock);
	if (lock_all_vcpus(kvm)) {
		mutex_unlock(&kvm->lock);
		return TDPS_RETRY;
	}
	lock_mmu(kvm, a, false);
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
 * (a->shared) or, as by kvm_mmu_uninit_tdp_mmu(), for write. Direct roots only:
 * KVM never invalidates a mirror root of a VM that goes on.
 */
int entry_invalidate(struct kvm *kvm, const struct entry_args *a)
{
	guard(mutex)(&kvm->slots_lock);
	write_lock(&kvm->mmu_lock);
	TDPS_CALL_INVALIDATE_ROOTS(static_call(own_invalidate_roots), kvm, KVM_DIRECT_ROOTS);
	static_call(own_kvm_make_all_cpus_request)(kvm, KVM_REQ_MMU_FREE_OBSOLETE_ROOTS);
	write_unlock(&kvm->mmu_lock);
	zap_invalidated(kvm, a->shared);
	return TDPS_DID;
}

static void drop_roots(struct kvm_vcpu *vcpu)
{
	struct kvm_mmu *mmu = vcpu->arch.mmu;
	struct kvm *kvm = vcpu->kvm;
	struct kvm_mmu_page *root;

	static_call(own_kvm_mmu_unload)(vcpu);
	if (!VALID_PAGE(tdps_mirror_root(mmu)))
		return;
	/* as mmu_free_root_page(): who has mmu_lock for write finds both or neither */
	read_lock(&kvm->mmu_lock);
	root = root_to_sp(tdps_mirror_root(mmu));
	tdps_drop_mirror_root(mmu);
	static_call(own_kvm_tdp_mmu_put_root)(kvm, root);
	read_unlock(&kvm->mmu_lock);
}

/*
 * kvm_destroy_vcpus() and kvm_mmu_uninit_tdp_mmu(): vCPUs give their roots up
 * first, then all roots, mirror ones too, are invalidated and zapped with mmu_lock
 * for write. No vCPU may be inside meanwhile: a mirror root is reloaded only where
 * there is none.
 */
int entry_invalidate_all(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_vcpu *vcpu;
	unsigned long i;

	mutex_lock(&kvm->lock);
	if (lock_all_vcpus(kvm)) {
		mutex_unlock(&kvm->lock);
		return TDPS_RETRY;
	}
	mutex_lock(&kvm->slots_lock);
	kvm_for_each_vcpu(i, vcpu, kvm)
		drop_roots(vcpu);
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
static int age(struct kvm *kvm, const struct entry_args *a, bool test)
{
	struct kvm_gfn_range range = {
		.start = a->gfn,
		.end = a->gfn + a->nr,
		.attr_filter = KVM_FILTER_SHARED,
	};
	bool young;

	guard(srcu)(&kvm->srcu);
	range.slot = slot_of(kvm, a);
	if (!range.slot)
		return TDPS_NOTHING;
	tdps_age_lockless(&range);
	if (!TDPS_AGE_LOCKLESS)
		lock_mmu(kvm, a, false);
	young = test ? static_call(own_kvm_tdp_mmu_test_age_gfn)(kvm, &range) :
		       static_call(own_kvm_tdp_mmu_age_gfn_range)(kvm, &range);
	if (!TDPS_AGE_LOCKLESS)
		unlock_mmu(kvm, false);
	return young ? TDPS_DID : TDPS_NOTHING;
}

int entry_age(struct kvm *kvm, const struct entry_args *a)
{
	return age(kvm, a, false);
}

int entry_test_age(struct kvm *kvm, const struct entry_args *a)
{
	return age(kvm, a, true);
}

/* kvm_mmu_slot_remove_write_access(), then the flush of kvm_mmu_slot_apply_flags() */
int entry_wrprot_slot(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;
	bool did;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(kvm, a);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, a, true);
	did = static_call(own_kvm_tdp_mmu_wrprot_slot)(kvm, slot, a->level);
	unlock_mmu(kvm, true);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return did ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_mmu_slot_gfn_write_protect(), as write tracking calls it: mmu_lock for write, flush */
int entry_wrprot_gfn(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;
	bool did;

	guard(srcu)(&kvm->srcu);
	slot = slot_of(kvm, a);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, a, false);
	did = static_call(own_kvm_tdp_mmu_write_protect_gfn)(kvm, slot, a->gfn, a->level);
	if (did)
		static_call(own_kvm_flush_remote_tlbs)(kvm);
	unlock_mmu(kvm, false);
	return did ? TDPS_DID : TDPS_NOTHING;
}

/* kvm_mmu_slot_leaf_clear_dirty(), then the flush of kvm_mmu_slot_apply_flags() */
int entry_clear_dirty_slot(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(kvm, a);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, a, true);
	static_call(own_kvm_tdp_mmu_clear_dirty_slot)(kvm, slot);
	unlock_mmu(kvm, true);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return TDPS_DID;
}

/* kvm_clear_dirty_log_protect() and what it calls, for 64 pages; flushed after the lock */
int entry_clear_dirty_masked(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(kvm, a);
	if (!slot)
		return TDPS_NOTHING;
	lock_mmu(kvm, a, false);
	static_call(own_kvm_tdp_mmu_clear_dirty_pt_masked)(kvm, slot,
							   round_down(a->gfn, BITS_PER_LONG),
							   a->mask, a->write);
	unlock_mmu(kvm, false);
	static_call(own_kvm_flush_remote_tlbs_memslot)(kvm, slot);
	return TDPS_DID;
}

/* --- huge pages --- */

/*
 * kvm_mmu_recover_huge_pages(): slots_lock, mmu_lock for read; it flushes by itself.
 * 7.2 and 7.3 map again what a zap that has yielded has passed, and if that is split
 * before the zap goes on, the notifier's pages stay mapped and KVM calls BUG() later.
 * See Documentation/findings.rst.
 */
int entry_recover(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;
	s64 huge, giant;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(kvm, a);
	if (!slot || kvm_slot_dirty_track_enabled(slot))
		return TDPS_NOTHING;
	huge = leafs(kvm, PG_LEVEL_2M);
	giant = leafs(kvm, PG_LEVEL_1G);
	lock_mmu(kvm, a, true);
	static_call(own_recover)(kvm, slot);
	unlock_mmu(kvm, true);
	/* others change the number, too: this says how it mostly went */
	return leafs(kvm, PG_LEVEL_2M) > huge || leafs(kvm, PG_LEVEL_1G) > giant ?
	       TDPS_DID : TDPS_NOTHING;
}

/* The one mirror leaf that is to be split, if it is just one; mmu_lock held. */
static enum tdps_seen look_at_huge(struct kvm *kvm, const struct entry_args *a)
{
	enum tdps_seen parent;

	if (!a->mirror || a->nr != KVM_PAGES_PER_HPAGE(a->level + 1))
		return TDPS_SEEN_NOTHING;
	guard(rcu)();
	return tdps_look(kvm, a->gfn, a->level + 1, &parent);
}

/*
 * kvm_mmu_slot_try_split_huge_pages() (mmu_lock for read) and
 * kvm_mmu_try_split_huge_pages() (for write): slots_lock, no flush. Whether it split
 * something is told by the number of leafs, which others change meanwhile; where it is
 * about one mirror leaf that can be looked at.
 */
int entry_split(struct kvm *kvm, const struct entry_args *a)
{
	struct kvm_memory_slot *slot;
	enum tdps_seen was;
	s64 before;
	bool did;

	guard(mutex)(&kvm->slots_lock);
	slot = slot_of(kvm, a);
	if (!slot)
		return TDPS_NOTHING;
	before = leafs(kvm, a->level);
	lock_mmu(kvm, a, a->shared);
	was = look_at_huge(kvm, a);
	static_call(own_kvm_tdp_mmu_try_split_huge_pages)(kvm, slot, a->gfn, a->gfn + a->nr,
							  a->level, a->shared);
	did = was == TDPS_SEEN_LEAF ? look_at_huge(kvm, a) == TDPS_SEEN_TABLE :
				      leafs(kvm, a->level) > before;
	unlock_mmu(kvm, a->shared);
	return did ? TDPS_DID : TDPS_NOTHING;
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
int entry_nx_recover(struct kvm *kvm, const struct entry_args *a)
{
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
int entry_get_walk(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	u64 sptes[PT64_ROOT_MAX_LEVEL + 1];
	int root_level, leaf;

	kvm_tdp_mmu_walk_lockless_begin();
	leaf = static_call(own_kvm_tdp_mmu_get_walk)(vcpu, gfn_to_gpa(a->gfn), sptes,
						     &root_level);
	kvm_tdp_mmu_walk_lockless_end();
	return leaf >= PG_LEVEL_4K && leaf <= root_level ? TDPS_DID : -ENOENT;
}

/* The walk of fast_page_fault() */
int entry_last_sptep(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	bool found;
	u64 spte;

	kvm_tdp_mmu_walk_lockless_begin();
	found = static_call(own_kvm_tdp_mmu_fast_pf_get_last_sptep)(vcpu, a->gfn, &spte);
	kvm_tdp_mmu_walk_lockless_end();
	return found ? TDPS_DID : -ENOENT;
}

/* --- roots of a vCPU --- */

/*
 * kvm_mmu_reset_context(): the role is computed anew, as after CPUID or control
 * registers have changed, and the roots that fit it are looked up.
 */
int entry_role(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	static_call(own_kvm_mmu_reset_context)(vcpu);
	return entry_prepare(vcpu) ?: TDPS_DID;
}

/* kvm_mmu_unload(), kvm_mmu_load(): references to the direct root go and come */
int entry_reload(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	static_call(own_kvm_mmu_unload)(vcpu);
	return entry_prepare(vcpu) ?: TDPS_DID;
}
