// SPDX-License-Identifier: GPL-2.0
/*
 * TDP_STRESS_OP: the table of operations for user space, and what has to be true of a VM
 * before each is done. How KVM is called is entry.c's.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "flight.h"
#include "kvm.h"
#include "td.h"
#include "user_vm.h"

#define MAX_NR	BIT_ULL(20)	/* pages of one operation */

/* What a memslot must not have, for an operation that KVM does not do then. */
enum slot_lacks {
	LACKS_NOTHING,
	LACKS_MIRROR,	/* leafs in mirror roots: write-protection, dirt */
	LACKS_PRIVATE,	/* private GFNs, too: recovery */
};

/* How many pages an operation is done to at a time. */
enum op_range {
	RANGE_NONE,	/* it has none */
	RANGE_ANY,	/* all at once, memslots or not */
	RANGE_SLOT,	/* all at once, in one memslot */
	RANGE_EACH,	/* one after the other, in one memslot */
	RANGE_64,	/* 64 aligned ones, in one memslot */
};

/**
 * struct user_op - an operation
 * @name: what QUERY_OP calls it
 * @flags: TDP_STRESS_OP_FLAG_* that it takes
 * @roots: TDP_STRESS_ROOTS_* of which one is to be chosen; 0: there is no choice
 * @both: both may be chosen
 * @min_level: least level
 * @max_level: greatest level, 0: it takes none
 * @range: how many pages
 * @crafts: leafs of the level asked for, which the backend has to know; so the pages are
 *	multiples of such a leaf
 * @lacks: what the memslot must not have
 * @on_vm: does it, or
 * @on_vcpu: does it on a vCPU
 * @missing: why it cannot be done here, or NULL
 */
struct user_op {
	const char *name;
	u32 flags;
	u32 roots;
	bool both;
	u8 min_level;
	u8 max_level;
	enum op_range range;
	bool crafts;
	enum slot_lacks lacks;
	int (*on_vm)(struct kvm *kvm, const struct entry_args *a);
	int (*on_vcpu)(struct kvm_vcpu *vcpu, const struct entry_args *a);
	const char *(*missing)(void);
};

static bool is_external(void)
{
	return tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL;
}

static const char *only_adopted(void)
{
	return is_external() ? NULL : "not with TDs of tdx.c: backend=external only";
}

static const char *no_role(void)
{
	return is_external() ? NULL : "KVM does not compute the role of a TD's vCPU anew";
}

static bool has_gmem(const struct kvm_memory_slot *slot)
{
	return slot->flags & KVM_MEM_GUEST_MEMFD;
}

/* --- crafted leafs --- */

/* The page behind a GFN, pinned until the VM ends; SRCU held. */
static struct page *pinned_page(struct ext_vm *vm, const struct kvm_memory_slot *slot, u64 gfn)
{
	struct page *page = xa_load(&vm->pins, gfn);
	long n;
	int err;

	if (page)
		return page;
	n = pin_user_pages_fast(__gfn_to_hva_memslot(slot, gfn), 1, FOLL_WRITE | FOLL_LONGTERM,
				&page);
	if (n != 1)
		return ERR_PTR(n < 0 ? n : -EFAULT);
	err = xa_err(xa_store(&vm->pins, gfn, page, GFP_KERNEL_ACCOUNT));
	if (err) {
		unpin_user_page(page);
		return ERR_PTR(err);
	}
	return page;
}

/*
 * KVM may make one large leaf of small ones, of memory that is huge: then all of it has
 * to stay. What is not there cannot be part of it.
 */
static void pin_around(struct ext_vm *vm, const struct kvm_memory_slot *slot, u64 gfn)
{
	u64 nr = KVM_PAGES_PER_HPAGE(ext.cfg.max_leaf_level + 1), first = gfn & -nr;
	u64 end = min(first + nr, slot->base_gfn + slot->npages);

	for (gfn = max(first, slot->base_gfn); gfn < end; gfn++) {
		pinned_page(vm, slot, gfn);
		if (fatal_signal_pending(current))
			return;
		cond_resched();
	}
}

/* The frame of a leaf: all of its pages, in one piece. */
static int pin_frame(struct ext_vm *vm, const struct kvm_memory_slot *slot,
		     const struct entry_args *a, u64 *pfn)
{
	u64 nr = KVM_PAGES_PER_HPAGE(a->level), i;
	struct page *page;

	guard(mutex)(&vm->pin_lock);
	pin_around(vm, slot, a->gfn);
	for (i = 0; i < nr; i++) {
		page = pinned_page(vm, slot, a->gfn + i);
		if (IS_ERR(page))
			return PTR_ERR(page);
		if (!i)
			*pfn = page_to_pfn(page);
		else if (page_to_pfn(page) != *pfn + i)
			return -EMEDIUMTYPE;
	}
	return *pfn & (nr - 1) ? -EMEDIUMTYPE : 0;
}

static int map_craft(struct kvm_vcpu *vcpu, const struct entry_args *a)
{
	struct ext_vm *vm = ext_find(vcpu->kvm);
	struct entry_craft c = { .gfn = a->gfn, .level = a->level };
	struct kvm_memory_slot *slot = entry_slot_at(vcpu, a->gfn);
	int ret;

	if (has_gmem(slot))
		return -EOPNOTSUPP;
	ret = pin_frame(vm, slot, a, &c.pfn);
	if (ret)
		return ret;
	if (!entry_craft_enter(&vm->craft_mode, a->level))
		return TDPS_RETRY;
	ret = entry_fault_result(entry_craft(vcpu, &c));
	entry_craft_leave(&vm->craft_mode);
	return ret;
}

static bool has_crafted(struct kvm *kvm, u64 gfn, u64 nr)
{
	struct ext_vm *vm = ext_find(kvm);
	unsigned long at = gfn;

	return vm && xa_find(&vm->pins, &at, gfn + nr - 1, XA_PRESENT);
}

/* Splits and recoveries of crafted leafs keep others of another size away. */
static int at_size(struct kvm *kvm, const struct entry_args *a, int level,
		   int (*fn)(struct kvm *kvm, const struct entry_args *a))
{
	struct ext_vm *vm = ext_find(kvm);
	struct entry_args args = *a;
	int ret;

	args.mirror = has_crafted(kvm, a->gfn, a->nr);
	if (!args.mirror)
		return fn(kvm, &args);
	/* KVM does all roots, whichever are meant */
	if (!entry_craft_enter(&vm->craft_mode, level))
		return TDPS_RETRY;
	ret = fn(kvm, &args);
	entry_craft_leave(&vm->craft_mode);
	return ret;
}

static int split(struct kvm *kvm, const struct entry_args *a)
{
	return at_size(kvm, a, a->level, entry_split);
}

static int recover(struct kvm *kvm, const struct entry_args *a)
{
	return at_size(kvm, a, PG_LEVEL_2M, entry_recover);
}

/* --- the table --- */

#define OP_DIRECT	TDP_STRESS_ROOTS_DIRECT
#define OP_MIRROR	TDP_STRESS_ROOTS_MIRROR
#define OP_SHARED	TDP_STRESS_OP_FLAG_SHARED
#define OP_WRITE	TDP_STRESS_OP_FLAG_WRITE
#define OP_EXEC		TDP_STRESS_OP_FLAG_EXEC
#define OP_YIELD	TDP_STRESS_OP_FLAG_YIELD

static const struct user_op ops[] = {
	[TDP_STRESS_OP_MAP] = {
		.name = "map", .flags = OP_WRITE | OP_EXEC, .roots = OP_DIRECT | OP_MIRROR,
		.min_level = 1, .max_level = 3, .range = RANGE_EACH, .on_vcpu = entry_map,
	},
	[TDP_STRESS_OP_FAST_PF] = {
		.name = "fast_pf", .range = RANGE_EACH, .on_vcpu = entry_fast_pf,
	},
	[TDP_STRESS_OP_PREFAULT] = {
		.name = "prefault", .range = RANGE_EACH, .on_vcpu = entry_prefault,
	},
	[TDP_STRESS_OP_MAP_CRAFT] = {
		.name = "map_craft", .min_level = 1, .max_level = 3, .range = RANGE_EACH,
		.crafts = true, .on_vcpu = map_craft, .missing = only_adopted,
	},
	[TDP_STRESS_OP_ZAP_LEAFS] = {
		.name = "zap_leafs", .flags = OP_YIELD, .range = RANGE_ANY,
		.on_vm = entry_zap_leafs,
	},
	[TDP_STRESS_OP_UNMAP] = {
		.name = "unmap", .flags = OP_YIELD, .roots = OP_DIRECT | OP_MIRROR, .both = true,
		.range = RANGE_SLOT, .on_vm = entry_unmap,
	},
	[TDP_STRESS_OP_ZAP_ALL] = {
		.name = "zap_all", .flags = OP_YIELD, .on_vm = entry_zap_all,
	},
	[TDP_STRESS_OP_INVALIDATE] = {
		.name = "invalidate", .flags = OP_SHARED, .on_vm = entry_invalidate,
	},
	[TDP_STRESS_OP_INVALIDATE_ALL] = {
		.name = "invalidate_all", .on_vm = entry_invalidate_all, .missing = only_adopted,
	},
	[TDP_STRESS_OP_AGE] = {
		.name = "age", .range = RANGE_SLOT, .on_vm = entry_age,
	},
	[TDP_STRESS_OP_TEST_AGE] = {
		.name = "test_age", .range = RANGE_SLOT, .on_vm = entry_test_age,
	},
	[TDP_STRESS_OP_WRPROT_SLOT] = {
		.name = "wrprot_slot", .flags = OP_YIELD, .min_level = 1, .max_level = 3,
		.range = RANGE_SLOT, .lacks = LACKS_MIRROR, .on_vm = entry_wrprot_slot,
	},
	[TDP_STRESS_OP_WRPROT_GFN] = {
		.name = "wrprot_gfn", .flags = OP_YIELD, .min_level = 1, .max_level = 3,
		.range = RANGE_EACH, .lacks = LACKS_MIRROR, .on_vm = entry_wrprot_gfn,
	},
	[TDP_STRESS_OP_CLEAR_DIRTY_SLOT] = {
		.name = "clear_dirty_slot", .flags = OP_YIELD, .range = RANGE_SLOT,
		.lacks = LACKS_MIRROR, .on_vm = entry_clear_dirty_slot,
	},
	[TDP_STRESS_OP_CLEAR_DIRTY_MASKED] = {
		.name = "clear_dirty_masked", .flags = OP_WRITE | OP_YIELD, .range = RANGE_64,
		.lacks = LACKS_MIRROR, .on_vm = entry_clear_dirty_masked,
	},
	[TDP_STRESS_OP_SPLIT] = {
		.name = "split", .flags = OP_SHARED | OP_YIELD, .roots = OP_DIRECT | OP_MIRROR,
		.both = true, .min_level = 1, .max_level = 2, .range = RANGE_SLOT,
		.on_vm = split,
	},
	[TDP_STRESS_OP_RECOVER] = {
		.name = "recover", .flags = OP_YIELD, .roots = OP_DIRECT | OP_MIRROR,
		.both = true, .range = RANGE_SLOT, .lacks = LACKS_PRIVATE, .on_vm = recover,
	},
	[TDP_STRESS_OP_NX_RECOVER] = {
		.name = "nx_recover", .on_vm = entry_nx_recover, .missing = entry_missing_nx,
	},
	[TDP_STRESS_OP_GET_WALK] = {
		.name = "get_walk", .range = RANGE_EACH, .on_vcpu = entry_get_walk,
	},
	[TDP_STRESS_OP_LAST_SPTEP] = {
		.name = "last_sptep", .range = RANGE_EACH, .on_vcpu = entry_last_sptep,
	},
	[TDP_STRESS_OP_ROLE] = {
		.name = "role", .on_vcpu = entry_role, .missing = no_role,
	},
	[TDP_STRESS_OP_RELOAD] = {
		.name = "reload", .on_vcpu = entry_reload,
	},
};

static const char *why_not(const struct user_op *op)
{
	const char *why = tdps_kvm_only_direct();

	return why ?: op->missing ? op->missing() : NULL;
}

static u32 max_level(const struct user_op *op)
{
	if (op->crafts)
		return min(op->max_level, ext.cfg.max_leaf_level + 1);
	return op->max_level;
}

/**
 * tdps_user_query_op() - about one operation
 * @u: the open file
 * @arg: struct tdp_stress_query_op
 *
 * Return: 0, -EINVAL or -ENOENT.
 */
long tdps_user_query_op(struct tdps_user *u, void *arg)
{
	struct tdp_stress_query_op *q = arg;
	const struct user_op *op;

	if (q->flags) {
		tdps_user_err("query op: flags 0x%x must be 0", q->flags);
		return -EINVAL;
	}
	if (q->op >= ARRAY_SIZE(ops))
		return -ENOENT;
	op = &ops[q->op];
	q->op_flags = op->flags;
	q->roots = op->roots;
	q->both = op->both;
	q->needs_vcpu = !!op->on_vcpu;
	q->needs_slot = op->range > RANGE_ANY;
	q->min_level = op->min_level;
	q->max_level = max_level(op);
	strscpy_pad(q->name, op->name);
	strscpy_pad(q->why, why_not(op) ?: "");
	return 0;
}

static atomic64_t done;

u64 user_ops_done(void)
{
	return atomic64_read(&done);
}

void user_query_ops(struct tdp_stress_query *q)
{
	int i;

	q->nr_ops = ARRAY_SIZE(ops);
	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (!why_not(&ops[i]))
			q->ops |= BIT_ULL(i);
	if (!entry_missing_nx())
		q->features |= TDP_STRESS_FEATURE_NX;
	if (!is_external() || tdps_kvm_only_direct())
		return;
	q->features |= TDP_STRESS_FEATURE_ADOPT;
	if (ext.cfg.max_leaf_level)
		q->features |= TDP_STRESS_FEATURE_CRAFT;
	if (ext.cfg.max_leaf_level > 1)
		q->features |= TDP_STRESS_FEATURE_1G;
	if (ext.cfg.split == TDPS_SPLIT_LENIENT)
		q->features |= TDP_STRESS_FEATURE_MIRROR_SPLIT;
}

/* --- what is asked for --- */

static int check_fields(const struct user_op *op, const struct tdp_stress_op *o)
{
	bool masked = op->range == RANGE_64;

	if (o->flags & ~op->flags || o->reserved ||
	    (o->flags & OP_EXEC && o->roots & OP_MIRROR)) {
		tdps_user_err("%s: flags 0x%x must be of 0x%x (FLAG_EXEC: direct roots only), reserved 0x%x 0",
			      op->name, o->flags, op->flags, o->reserved);
		return -EINVAL;
	}
	if (o->level < op->min_level || o->level > max_level(op)) {
		tdps_user_err("%s: level %u must be %u to %u", op->name, o->level, op->min_level,
			      max_level(op));
		return -EINVAL;
	}
	if (o->roots & ~op->roots || !o->roots != !op->roots ||
	    (o->roots == (OP_DIRECT | OP_MIRROR) && !op->both)) {
		tdps_user_err("%s: roots 0x%x must be %s0x%x", op->name, o->roots,
			      op->roots && !op->both ? "one of " : "", op->roots);
		return -EINVAL;
	}
	if (o->vcpu && !op->on_vcpu) {
		tdps_user_err("%s: vcpu %u must be 0", op->name, o->vcpu);
		return -EINVAL;
	}
	if (!!o->mask != masked) {
		tdps_user_err("%s: mask 0x%llx must %sbe 0", op->name, o->mask,
			      masked ? "not " : "");
		return -EINVAL;
	}
	return 0;
}

static int check_range(const struct user_op *op, const struct tdp_stress_op *o, struct kvm *kvm)
{
	u64 align = op->range == RANGE_64 ? 64 : 1;

	if (op->range == RANGE_NONE) {
		if (!o->gfn && !o->nr)
			return 0;
		tdps_user_err("%s: it has no range: gfn 0x%llx and nr 0x%llx must be 0", op->name,
			      o->gfn, o->nr);
		return -EINVAL;
	}
	if (op->crafts)
		align = KVM_PAGES_PER_HPAGE(o->level);
	if (o->gfn % align || o->nr % align || o->nr > MAX_NR ||
	    (op->range == RANGE_64 && o->nr != align)) {
		tdps_user_err("%s: gfn 0x%llx and nr 0x%llx must be multiples of 0x%llx, nr at most 0x%llx",
			      op->name, o->gfn, o->nr, align,
			      op->range == RANGE_64 ? align : MAX_NR);
		return -EINVAL;
	}
	return user_bad_range(kvm, o->gfn, o->nr);
}

static bool has_private(struct kvm *kvm, const struct kvm_memory_slot *slot)
{
#ifdef CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES
	unsigned long at = slot->base_gfn;

	return xa_find(&kvm->mem_attr_array, &at, slot->base_gfn + slot->npages - 1, XA_PRESENT);
#else
	return false;
#endif
}

/* Find the memslot of the range; it may be gone, or another, when it is used. */
static int find_slot(const struct user_op *op, struct kvm *kvm, struct entry_args *a)
{
	struct kvm_memory_slot *slot;

	if (op->range < RANGE_SLOT)
		return 0;
	guard(srcu)(&kvm->srcu);
	slot = __gfn_to_memslot(kvm_memslots(kvm), a->gfn);
	if (!slot) {
		tdps_user_err("%s: no memslot at gfn 0x%llx", op->name, a->gfn);
		return -ENOENT;
	}
	if (a->gfn + a->nr > slot->base_gfn + slot->npages) {
		tdps_user_err("%s: gfn 0x%llx, nr 0x%llx: the memslot there ends before gfn 0x%lx",
			      op->name, a->gfn, a->nr,
			      (unsigned long)(slot->base_gfn + slot->npages));
		return -ERANGE;
	}
	if ((op->lacks && has_gmem(slot)) ||
	    (op->lacks == LACKS_MIRROR && has_crafted(kvm, slot->base_gfn, slot->npages)) ||
	    (op->lacks == LACKS_PRIVATE && has_private(kvm, slot))) {
		tdps_user_err("%s: KVM does not do that to a memslot with private memory, as the one at gfn 0x%llx is",
			      op->name, a->gfn);
		return -EOPNOTSUPP;
	}
	a->slot = slot->id;
	return 0;
}

static int find_vcpu(const struct user_op *op, struct kvm *kvm, u32 index,
		     struct kvm_vcpu **vcpu)
{
	if (!op->on_vcpu)
		return 0;
	*vcpu = index < KVM_MAX_VCPUS ? kvm_get_vcpu(kvm, index) : NULL;
	if (!*vcpu) {
		tdps_user_err("%s: the VM has no vCPU of index %u", op->name, index);
		return -ENOENT;
	}
	/* as kvm_arch_vcpu_pre_fault_memory() has it */
	if (op->range == RANGE_EACH && !kvm->arch.pre_fault_allowed) {
		tdps_user_err("%s: the TD is not finalized", op->name);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* --- doing it --- */

/* Once. With a memslot gone meanwhile there is nothing to do. */
static int once(const struct user_op *op, struct kvm *kvm, struct kvm_vcpu *vcpu,
		const struct entry_args *a)
{
	int ret;

	if (op->on_vm)
		return op->on_vm(kvm, a);
	ret = entry_get_vcpu(vcpu);
	if (ret)
		return ret;
	/* it stays, if only as an invalid one, until SRCU is unlocked */
	if (op->range == RANGE_EACH && !entry_slot_at(vcpu, a->gfn))
		ret = TDPS_NOTHING;
	else
		ret = op->on_vcpu(vcpu, a);
	entry_put_vcpu(vcpu);
	return ret;
}

static int each(const struct user_op *op, struct kvm *kvm, struct kvm_vcpu *vcpu,
		const struct entry_args *range, u64 *nr_done)
{
	u64 step = op->crafts ? KVM_PAGES_PER_HPAGE(range->level) : 1;
	struct entry_args a = *range;
	int ret, res = TDPS_NOTHING;

	for (a.nr = step; a.gfn < range->gfn + range->nr; a.gfn += step) {
		if (signal_pending(current))
			return *nr_done ? TDPS_RETRY : -EINTR;
		ret = once(op, kvm, vcpu, &a);
		if (ret != TDPS_DID && ret != TDPS_NOTHING)
			return ret;
		if (ret == TDPS_DID)
			res = ret;
		*nr_done += step;
		cond_resched();
	}
	return res;
}

static u64 leafs(struct kvm *kvm)
{
	u64 n = 0;
	int level;

	for (level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++)
		n += atomic64_read(&kvm->stat.pages[level - 1]) * KVM_PAGES_PER_HPAGE(level);
	return n;
}

static int run(const struct user_op *op, struct kvm *kvm, struct kvm_vcpu *vcpu,
	       const struct entry_args *a, struct tdp_stress_op *o)
{
	struct tdps_flight *f;
	u64 start;
	int ret;

	tdps_flight_start();
	f = tdps_flight_begin();
	start = ktime_get_mono_fast_ns();
	o->done = 0;
	o->leafs_before = leafs(kvm);
	ret = op->range == RANGE_EACH ? each(op, kvm, vcpu, a, &o->done) :
					once(op, kvm, vcpu, a);
	o->leafs_after = leafs(kvm);
	o->ns = ktime_get_mono_fast_ns() - start;
	o->changed = f ? f->changed : 0;
	o->yields = f ? f->yields : 0;
	tdps_flight_end(f);
	atomic64_inc(&done);
	if (ret == -EINTR && !o->done)
		return ret;
	o->result = entry_result(ret);
	o->error = ret < 0 ? -ret : 0;
	return 0;
}

static int run_in(const struct user_op *op, struct kvm *kvm, struct tdp_stress_op *o)
{
	struct entry_args a = {
		.gfn = o->gfn,
		.nr = o->nr,
		.mask = o->mask,
		.level = o->level,
		.mirror = o->roots == OP_MIRROR,
		.both = o->roots == (OP_DIRECT | OP_MIRROR),
		.shared = o->flags & OP_SHARED,
		.write = o->flags & OP_WRITE,
		.exec = o->flags & OP_EXEC,
		.yield = o->flags & OP_YIELD,
	};
	struct kvm_vcpu *vcpu = NULL;
	int err;

	if (kvm->mm != current->mm || kvm->vm_bugged || kvm->vm_dead) {
		tdps_user_err("%s: the VM %s", op->name, kvm->mm != current->mm ?
			      "belongs to another process" : "is one that KVM has given up");
		return -EIO;
	}
	err = check_range(op, o, kvm);
	if (!err)
		err = find_slot(op, kvm, &a);
	if (!err)
		err = find_vcpu(op, kvm, o->vcpu, &vcpu);
	return err ?: run(op, kvm, vcpu, &a, o);
}

/**
 * tdps_user_op() - do one operation
 * @u: the open file
 * @arg: struct tdp_stress_op
 *
 * Context: may sleep.
 *
 * Return: 0: it was done, however it went; -errno: it was not, the reason printed.
 */
long tdps_user_op(struct tdps_user *u, void *arg)
{
	struct tdp_stress_op *o = arg;
	const struct user_op *op;
	struct file *file;
	struct kvm *kvm;
	int err;

	if (o->op >= ARRAY_SIZE(ops)) {
		tdps_user_err("op: %u must be 0 to %zu", o->op, ARRAY_SIZE(ops) - 1);
		return -EINVAL;
	}
	op = &ops[o->op];
	if (why_not(op)) {
		tdps_user_err("%s: %s", op->name, why_not(op));
		return -EOPNOTSUPP;
	}
	err = check_fields(op, o);
	if (err)
		return err;
	file = user_get_vm(o->vm_fd, &kvm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = run_in(op, kvm, o);
	fput(file);
	return err;
}
