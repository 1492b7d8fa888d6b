// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's external operations: each is written down as it was when KVM called, refused
 * if the case wants it so, and else done by the external backend. Knows which tables
 * the mirror has, because KVM tells of each; so an entry is found even in a table
 * that nothing links any more.
 */
#include <linux/lockdep.h>
#include <linux/spinlock.h>

#include "internal.h"

#define MAX_TABLES	2048	/* of a mirror; 1G in 4K pieces are 513 */
#define PRINT_OPS	24	/* the last ones, of a case that failed */

static struct bed_op *op_log;

static struct {
	spinlock_t lock;	/* all of it, and struct bed.fail */
	unsigned int n;
	unsigned int last;	/* where the last one was found */
	struct kvm_mmu_page *sp[MAX_TABLES];
} tables = {
	.lock = __SPIN_LOCK_UNLOCKED(tables.lock),
};

int bed_ops_alloc(void)
{
	op_log = kvcalloc(BED_LOG, sizeof(*op_log), GFP_KERNEL);
	return op_log ? 0 : -ENOMEM;
}

void bed_ops_free(void)
{
	kvfree(op_log);
	op_log = NULL;
}

void bed_ops_reset(struct bed *b)
{
	memset(op_log, 0, BED_LOG * sizeof(*op_log));
	b->op = op_log;
	atomic_set(&b->nr_ops, 0);
	tables.n = 0;
	tables.last = 0;
}

/* --- tables of the mirror --- */

static bool is_table_of(const struct kvm_mmu_page *sp, gfn_t gfn, int level)
{
	return sp->role.level == level &&
	       sp->gfn == (gfn & -(gfn_t)KVM_PAGES_PER_HPAGE(level + 1));
}

static void add_table(struct kvm_mmu_page *sp)
{
	guard(spinlock)(&tables.lock);
	if (tables.n < MAX_TABLES)
		tables.sp[tables.n++] = sp;
}

static void del_table(struct kvm_mmu_page *sp)
{
	unsigned int i;

	guard(spinlock)(&tables.lock);
	for (i = 0; i < tables.n; i++) {
		if (tables.sp[i] == sp) {
			tables.sp[i] = tables.sp[--tables.n];
			return;
		}
	}
}

static u64 *entry_in(struct kvm_mmu_page *sp, gfn_t gfn, int level)
{
	return &sp->spt[SPTE_INDEX(gfn_to_gpa(gfn), level)];
}

/*
 * The entry that KVM speaks of. Two mirror roots may have one for the same GFN: then
 * the one that is frozen, or that reads @new_spte already.
 */
static u64 *better(u64 *a, u64 *b, u64 new_spte)
{
	u64 spte = READ_ONCE(*b);

	return !a || is_frozen_spte(spte) || spte == new_spte ? b : a;
}

static u64 *find_in_roots(struct kvm *kvm, gfn_t gfn, int level, u64 new_spte)
{
	struct kvm_mmu_page *root;
	u64 *found = NULL;

	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link)
		if (is_mirror_sp(root) && root->role.level == level)
			found = better(found, entry_in(root, gfn, level), new_spte);
	return found;
}

static u64 *find_in_tables(gfn_t gfn, int level, u64 new_spte)
{
	u64 *found = NULL;
	unsigned int i;

	guard(spinlock)(&tables.lock);
	if (tables.last < tables.n && is_table_of(tables.sp[tables.last], gfn, level)) {
		found = entry_in(tables.sp[tables.last], gfn, level);
		if (is_frozen_spte(READ_ONCE(*found)))
			return found;
	}
	for (i = 0; i < tables.n; i++) {
		if (!is_table_of(tables.sp[i], gfn, level))
			continue;
		found = better(found, entry_in(tables.sp[i], gfn, level), new_spte);
		tables.last = i;
	}
	return found;
}

static u64 *find_entry(struct kvm *kvm, gfn_t gfn, int level, u64 new_spte)
{
	guard(rcu)();
	return find_in_tables(gfn, level, new_spte) ?:
	       find_in_roots(kvm, gfn, level, new_spte);
}

/* --- the log --- */

static s8 rcu_state(void)
{
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	if (debug_locks)
		return rcu_read_lock_held();
#endif
	return -1;
}

/* What does not fit in the log any more is written to @spare. */
static struct bed_op *begin(struct bed *b, struct bed_op *spare, const struct bed_op *what)
{
	u32 serial = atomic_fetch_inc(&b->nr_ops);
	struct bed_op *op = serial < BED_LOG ? &b->op[serial] : spare;

	*op = *what;
	op->serial = serial;
	op->lock = bed_lock_of(b);
	op->rcu = rcu_state();
	op->task = current;
	return op;
}

static bool fits(const struct bed_fail *f, gfn_t gfn, int level)
{
	return f->err && (!f->level || f->level == level) && (!f->gfn_too || f->gfn == gfn);
}

/* The answer that the case wants, or 0. */
static int refusal(struct bed *b, gfn_t gfn, int level)
{
	struct bed_fail *f = &b->fail;
	int err;

	guard(spinlock)(&tables.lock);
	if (!fits(f, gfn, level))
		return 0;
	err = f->err;
	if (f->skip) {
		f->skip--;
		return 0;
	}
	if (f->times && !--f->times)
		f->err = 0;
	return err;
}

/*
 * Under mmu_lock held for read KVM takes a change back, unless a table goes with it.
 * Held for write it can do so if it has not changed the entry yet (VARIANT=mirror-split).
 */
static bool can_take_back(const struct bed_op *op)
{
	return op->seen == op->old_spte ||
	       (is_frozen_spte(op->seen) && !is_frozen_spte(op->new_spte));
}

static int answer(struct bed *b, const struct bed_op *op)
{
	int err = refusal(b, op->gfn, op->level);

	if (!err) {
		tdps_external_set_split(b->strict ? TDPS_SPLIT_STRICT : TDPS_SPLIT_LENIENT);
		return tdps_external_set_spte(b->kvm, op->gfn, op->old_spte, op->new_spte,
					      op->level);
	}
	if (!can_take_back(op))
		tdps_external_break(b->kvm);
	return err;
}

/**
 * bed_set_external_spte() - what the home calls for set_external_spte
 * @a: what KVM says
 *
 * Context: mmu_lock held.
 *
 * Return: 0; or the error that the case wants, or that the external backend has.
 */
int bed_set_external_spte(const struct tdps_set_args *a)
{
	struct bed_op spare, *op, what = {
		.gfn = a->gfn, .level = a->level,
		.old_spte = a->old_spte, .new_spte = a->new_spte,
	};
	u64 *sptep = find_entry(a->kvm, a->gfn, a->level, a->new_spte);
	struct bed *b = READ_ONCE(bed_now);
	struct kvm_mmu_page *sp = NULL;
	int ret;

	if (!b || b->kvm != a->kvm)
		return tdps_external_set_spte(a->kvm, a->gfn, a->old_spte, a->new_spte, a->level);
	if (bed_is_table(a->new_spte, a->level)) {
		sp = spte_to_child_sp(a->new_spte);
		what.spt = sp->spt;
		what.external_spt = sp->external_spt;
	}
	what.seen = sptep ? READ_ONCE(*sptep) : BED_UNSEEN;
	op = begin(b, &spare, &what);
	bed_point(BED_IN_EXTERNAL, a->gfn, a->level);
	ret = answer(b, op);
	op->ret = ret;
	if (sp && !ret)
		add_table(sp);
	bed_point(BED_AFTER_EXTERNAL, a->gfn, a->level);
	op->seen_end = sptep ? READ_ONCE(*sptep) : BED_UNSEEN;
	op->nr_then = atomic_read(&b->nr_ops);
	return ret;
}

/**
 * bed_free_external_spt() - what the home calls for free_external_spt
 * @a: what KVM says
 *
 * Context: mmu_lock held.
 */
void bed_free_external_spt(const struct tdps_free_args *a)
{
	struct kvm_mmu_page *sp = a->sp;
	u64 *parent = (__force u64 *)sp->ptep;
	struct bed_op spare, *op, what = {
		.free = true, .gfn = sp->gfn, .level = sp->role.level,
		.seen = parent ? READ_ONCE(*parent) : BED_UNSEEN,
		.spt = sp->spt, .external_spt = sp->external_spt,
	};
	struct bed *b = READ_ONCE(bed_now);

	if (b && b->kvm == a->kvm) {
		op = begin(b, &spare, &what);
		bed_point(BED_IN_FREE, sp->gfn, sp->role.level);
		del_table(sp);
		tdps_external_free_spt(a->kvm, sp);
		op->nr_then = atomic_read(&b->nr_ops);
	} else {
		tdps_external_free_spt(a->kvm, sp);
	}
}

/* --- what cases ask --- */

/**
 * bed_ops_from() - how many external operations are in the log
 * @b: bed
 *
 * Context: any.
 *
 * Return: index of the next one.
 */
u32 bed_ops_from(struct bed *b)
{
	return min(atomic_read(&b->nr_ops), BED_LOG);
}

/**
 * bed_find_op() - find an external operation
 * @b: bed
 * @from: index to begin with
 * @free: free_external_spt, else set_external_spte
 * @gfn: of the entry; free: of the table
 * @level: of the entry; free: of the table
 *
 * Context: any.
 *
 * Return: index in @b->op of the first that fits, or -1.
 */
int bed_find_op(struct bed *b, u32 from, bool free, gfn_t gfn, int level)
{
	u32 i, end = bed_ops_from(b);

	for (i = from; i < end; i++)
		if (b->op[i].free == free && b->op[i].gfn == gfn && b->op[i].level == level)
			return i;
	return -1;
}

/**
 * bed_count_ops() - count calls of set_external_spte
 * @b: bed
 * @from: index to begin with
 * @to: index to end before
 *
 * Context: any.
 *
 * Return: how many, frees not counted.
 */
u32 bed_count_ops(struct bed *b, u32 from, u32 to)
{
	u32 i, n = 0;

	for (i = from; i < min(to, bed_ops_from(b)); i++)
		n += !b->op[i].free;
	return n;
}

static void print_op(struct bed *b, const struct bed_op *op)
{
	if (op->free)
		kunit_info(b->test, "op %u: free table gfn 0x%llx level %s, parent reads %s, lock %c",
			   op->serial, op->gfn, bed_level_name(op->level),
			   bed_str(b, op->seen, op->level + 1, BED_MIRROR), op->lock);
	else
		kunit_info(b->test, "op %u: set gfn 0x%llx level %s: %s -> %s = %d, entry reads %s, lock %c",
			   op->serial, op->gfn, bed_level_name(op->level),
			   bed_str(b, op->old_spte, op->level, BED_MIRROR),
			   bed_str(b, op->new_spte, op->level, BED_MIRROR), op->ret,
			   bed_str(b, op->seen, op->level, BED_MIRROR), op->lock);
}

/* Context: process; may sleep. */
void bed_ops_print(struct bed *b)
{
	u32 end = bed_ops_from(b), i = end > PRINT_OPS ? end - PRINT_OPS : 0;

	for (; i < end; i++)
		print_op(b, &b->op[i]);
}
