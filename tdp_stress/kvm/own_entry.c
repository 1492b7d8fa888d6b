// SPDX-License-Identifier: GPL-2.0
/*
 * The entry points on VMs of our own, for the torture: regions in the place of
 * memslots, side vCPUs, and what keeps apart what this kernel does not survive (see
 * Documentation/findings.rst). How KVM is called is entry.c's.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "external.h"
#include "own_vm.h"

/* --- NX huge pages --- */

static int *nx_switched;	/* the parameter that we have switched on, or NULL */
static int nx_was;
static const char *nx_missing = "not looked for yet";

/**
 * tdps_entry_open() - what entry points need of this KVM on VMs of our own
 *
 * A page table stands for a huge page that was not allowed only while KVM's
 * mitigation is on. Switched on as kvm.nx_huge_pages=force would, before there is
 * a VM; other people's VMs are not touched.
 *
 * Context: may sleep; after tdps_entry_find(), before the first VM is made.
 */
void tdps_entry_open(void)
{
	int *param = entry_nx_param(&nx_missing);

	if (param && !READ_ONCE(*param) && tdps_own_others())
		nx_missing = "kvm.nx_huge_pages is off, and others have VMs";
	if (nx_missing) {
		pr_info("no NX huge pages: %s; their operations are not run\n", nx_missing);
		return;
	}
	nx_switched = param;
	nx_was = READ_ONCE(*param);
	WRITE_ONCE(*param, 1);
}

/* After the last VM is gone. */
void tdps_entry_close(void)
{
	if (nx_switched)
		WRITE_ONCE(*nx_switched, nx_was);
	nx_switched = NULL;
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

/* --- targets --- */

static struct entry_args args_of(const struct tdps_target *t)
{
	return (struct entry_args) {
		.gfn = t->gfn,
		.nr = t->nr,
		.mask = t->random * 0x9e3779b97f4a7c15ull | 1,
		.slot = own_slot(t->region),
		.level = t->level,
		.mirror = t->mirror,
		.both = t->both,
		.shared = t->shared,
		.write = t->write,
		.yield = t->yield,
	};
}

static enum tdps_result on_vm(struct tdps_vm *vm, const struct tdps_target *t,
			      int (*fn)(struct kvm *kvm, const struct entry_args *a))
{
	const struct entry_args a = args_of(t);

	return entry_result(fn(vm->kvm, &a));
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
	if (entry_slot_at(vcpu, gfn))
		return 0;
	return down_read_trylock(&vm->slots_sem) ? 1 : -EAGAIN;
}

typedef int (*own_vcpu_fn)(struct kvm_vcpu *vcpu, const struct entry_args *a);

static enum tdps_result on_side(struct tdps_vm *vm, const struct tdps_target *t, own_vcpu_fn fn)
{
	struct kvm_vcpu *vcpu = own_side(vm, t->side)->vcpu;
	const struct entry_args a = args_of(t);
	int ret;

	if (entry_get_vcpu(vcpu))
		return TDPS_REFUSED;
	ret = fn(vcpu, &a);
	entry_put_vcpu(vcpu);
	return entry_result(ret);
}

/* A fault: with memslots kept from coming, if there is none. */
static enum tdps_result fault_on_side(struct tdps_vm *vm, const struct tdps_target *t,
				      const struct entry_args *a, own_vcpu_fn fn)
{
	struct kvm_vcpu *vcpu = own_side(vm, t->side)->vcpu;
	int kept, ret = TDPS_RETRY;

	if (entry_get_vcpu(vcpu))
		return TDPS_REFUSED;
	kept = keep_no_slot(vm, vcpu, a->gfn);
	if (kept >= 0)
		ret = fn(vcpu, a);
	if (kept > 0)
		up_read(&vm->slots_sem);
	entry_put_vcpu(vcpu);
	return entry_result(ret);
}

/* --- vCPUs that run --- */

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
	hpa_t was;
	int err;

	if (kvm_request_pending(vcpu)) {
		if (kvm_test_request(KVM_REQ_VM_DEAD, vcpu))
			return -EIO;
		if (kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu))
			v->flush_due = true;
	}
	was = vcpu->arch.mmu->root.hpa;
	err = entry_prepare(vcpu);
	/* kvm_mmu_load() has the hardware's TLB flushed; obsolete roots go by way of it */
	if (was == INVALID_PAGE || vcpu->arch.mmu->root.hpa != was)
		v->flush_due = true;
	if (kvm_request_pending(vcpu))
		drop_other_requests(vcpu);
	return err;
}

/**
 * own_fault() - one fault of a guest's
 * @vm: VM
 * @v: vCPU
 * @gpa: address, with the bits that make it a shared one
 * @error_code: PFERR_*
 * @max_level: largest leaf wanted
 * @prefetch: a prefault
 *
 * Context: as own_prepare(), roots loaded. May sleep.
 *
 * Return: RET_PF_* or -errno.
 */
int own_fault(struct tdps_vm *vm, struct own_vcpu *v, gpa_t gpa, u64 error_code, u8 max_level,
	      bool prefetch)
{
	gfn_t gfn = gpa_to_gfn(gpa) & ~kvm_gfn_direct_bits(vm->kvm);
	int kept = keep_no_slot(vm, v->vcpu, gfn), ret;

	if (kept < 0)
		return RET_PF_RETRY;
	ret = entry_fault(v->vcpu, gpa, error_code, max_level, prefetch);
	if (kept)
		up_read(&vm->slots_sem);
	return ret;
}

enum tdps_result own_fault_result(int r)
{
	return entry_result(entry_fault_result(r));
}

/* --- crafted leafs --- */

/* One word for each 2M; of TDPS_GIANT one for the whole. See entry_craft_enter(). */
static atomic_t *craft_mode(struct own_region *r, enum tdps_region id, u64 gfn)
{
	return &r->mode[id == TDPS_GIANT ? 0 : (gfn - r->gfn) >> KVM_HPAGE_GFN_SHIFT(PG_LEVEL_2M)];
}

/**
 * own_craft() - map a mirror leaf of a page frame that we choose
 * @vm: VM
 * @v: vCPU
 * @gfn: in TDPS_CRAFT or TDPS_GIANT
 * @level: size of the leaf
 *
 * Context: as own_prepare(), roots loaded. May sleep.
 *
 * Return: how it went.
 */
enum tdps_result own_craft(struct tdps_vm *vm, struct own_vcpu *v, u64 gfn, int level)
{
	enum tdps_region id = own_region_of(vm, gfn);
	struct own_region *r = &vm->region[id];
	atomic_t *mode = craft_mode(r, id, gfn);
	const struct entry_craft c = {
		.gfn = gfn,
		.pfn = own_pfn(r, gfn),
		.level = level,
		/* nothing is mapped behind it: a table there would never go again */
		.private = id == TDPS_GIANT,
		.only_split = id == TDPS_GIANT,
	};
	int ret;

	if (!entry_craft_enter(mode, level))
		return TDPS_RETRY;
	ret = entry_craft(v->vcpu, &c);
	entry_craft_leave(mode);
	/* (the host has broken the huge page up: a small leaf is as good) */
	return own_fault_result(ret == -EMEDIUMTYPE ? RET_PF_FIXED : ret);
}

static enum tdps_result map_crafted(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct own_vcpu *v = own_side(vm, t->side);
	enum tdps_result res;

	if (entry_get_vcpu(v->vcpu))
		return TDPS_REFUSED;
	res = own_craft(vm, v, t->gfn, t->level);
	entry_put_vcpu(v->vcpu);
	return res;
}

/* Only threads that deal with leafs of this size, in all of the region; or false. */
static bool craft_enter_all(struct tdps_vm *vm, enum tdps_region id, int level)
{
	struct own_region *r = &vm->region[id];
	u64 step = KVM_PAGES_PER_HPAGE(id == TDPS_GIANT ? PG_LEVEL_1G : PG_LEVEL_2M), gfn;
	int tries;

	for (gfn = r->gfn; gfn < r->gfn + r->pages; gfn += step) {
		for (tries = 0; !entry_craft_enter(craft_mode(r, id, gfn), level); tries++) {
			if (tries == 100)
				goto undo;
			cond_resched();
		}
	}
	return true;
undo:
	while (gfn > r->gfn) {
		gfn -= step;
		entry_craft_leave(craft_mode(r, id, gfn));
	}
	return false;
}

static void craft_leave_all(struct tdps_vm *vm, enum tdps_region id)
{
	struct own_region *r = &vm->region[id];
	u64 step = KVM_PAGES_PER_HPAGE(id == TDPS_GIANT ? PG_LEVEL_1G : PG_LEVEL_2M), gfn;

	for (gfn = r->gfn; gfn < r->gfn + r->pages; gfn += step)
		entry_craft_leave(craft_mode(r, id, gfn));
}

/* --- faults --- */

enum tdps_result tdps_entry_map(struct tdps_vm *vm, const struct tdps_target *t)
{
	const struct entry_args a = args_of(t);

	if (t->region == TDPS_CRAFT || t->region == TDPS_GIANT)
		return map_crafted(vm, t);
	return fault_on_side(vm, t, &a, entry_map);
}

enum tdps_result tdps_entry_map_exec(struct tdps_vm *vm, const struct tdps_target *t)
{
	struct entry_args a = args_of(t);

	a.mirror = false;
	a.write = false;
	a.exec = true;
	a.level = KVM_MAX_HUGEPAGE_LEVEL;
	return fault_on_side(vm, t, &a, entry_map);
}

enum tdps_result tdps_entry_fast_pf(struct tdps_vm *vm, const struct tdps_target *t)
{
	const struct entry_args a = args_of(t);

	return fault_on_side(vm, t, &a, entry_fast_pf);
}

/*
 * If the vCPU's root is invalidated while it runs, 7.2 and 7.3 never come back: the
 * fault is stale, is retried, and nobody answers the request for a new root (only a
 * signal ends it). See Documentation/findings.rst.
 */
enum tdps_result tdps_entry_prefault_race(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_side(vm, t, entry_prefault);
}

/* While no root is invalidated, and no memslot comes where there is none. */
enum tdps_result tdps_entry_prefault(struct tdps_vm *vm, const struct tdps_target *t)
{
	const struct entry_args a = args_of(t);

	guard(rwsem_read)(&vm->roots_sem);
	return fault_on_side(vm, t, &a, entry_prefault);
}

/* --- zaps --- */

enum tdps_result tdps_entry_zap_leafs(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(rwsem_read)(&vm->region[t->region].zap_sem);
	return on_vm(vm, t, entry_zap_leafs);
}

enum tdps_result tdps_entry_unmap(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(rwsem_read)(&vm->region[t->region].zap_sem);
	return on_vm(vm, t, entry_unmap);
}

enum tdps_result tdps_entry_zap_all(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_zap_all);
}

enum tdps_result tdps_entry_invalidate(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(rwsem_write)(&vm->roots_sem);
	return on_vm(vm, t, entry_invalidate);
}

enum tdps_result tdps_entry_invalidate_all(struct tdps_vm *vm, const struct tdps_target *t)
{
	guard(rwsem_write)(&vm->roots_sem);
	return on_vm(vm, t, entry_invalidate_all);
}

/* --- ages and dirt --- */

enum tdps_result tdps_entry_age(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_age);
}

enum tdps_result tdps_entry_test_age(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_test_age);
}

enum tdps_result tdps_entry_wrprot_slot(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_wrprot_slot);
}

enum tdps_result tdps_entry_wrprot_gfn(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_wrprot_gfn);
}

enum tdps_result tdps_entry_clear_dirty_slot(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_clear_dirty_slot);
}

enum tdps_result tdps_entry_clear_dirty_masked(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_clear_dirty_masked);
}

/* --- huge pages --- */

enum tdps_result tdps_entry_recover_race(struct tdps_vm *vm, const struct tdps_target *t)
{
	enum tdps_result res;

	if (t->mirror && !craft_enter_all(vm, t->region, PG_LEVEL_2M))
		return TDPS_NOTHING;
	res = on_vm(vm, t, entry_recover);
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

enum tdps_result tdps_entry_split(struct tdps_vm *vm, const struct tdps_target *t)
{
	enum tdps_result res;
	atomic_t *mode;

	if (!t->mirror)
		return on_vm(vm, t, entry_split);
	mode = craft_mode(&vm->region[t->region], t->region, t->gfn);
	if (!entry_craft_enter(mode, t->level))
		return TDPS_NOTHING;
	res = on_vm(vm, t, entry_split);
	entry_craft_leave(mode);
	return res;
}

enum tdps_result tdps_entry_nx_recover(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_vm(vm, t, entry_nx_recover);
}

/* --- walks without mmu_lock, roots of a vCPU --- */

enum tdps_result tdps_entry_walk(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_side(vm, t, entry_get_walk);
}

enum tdps_result tdps_entry_last_sptep(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_side(vm, t, entry_last_sptep);
}

enum tdps_result tdps_entry_role(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_side(vm, t, entry_role);
}

enum tdps_result tdps_entry_reload(struct tdps_vm *vm, const struct tdps_target *t)
{
	return on_side(vm, t, entry_reload);
}
