// SPDX-License-Identifier: GPL-2.0
/*
 * The checks: each looks for one violation of one invariant, and says in words what
 * it found. NULL: nothing is wrong.
 */
#include "internal.h"

/* --- what a walk finds --- */

/**
 * struct finding - the first entry that a walk objects to
 * @b: bed
 * @kind: of the root
 * @found: there is one
 * @spte: what it reads
 * @gfn: its first GFN
 * @level: its level
 */
struct finding {
	struct bed *b;
	enum bed_kind kind;
	bool found;
	u64 spte;
	gfn_t gfn;
	int level;
};

static bool find(struct finding *f, u64 spte, gfn_t gfn, int level)
{
	f->found = true;
	f->spte = spte;
	f->gfn = gfn;
	f->level = level;
	return false;
}

static const char *say_finding(struct finding *f, const char *what)
{
	if (!f->found)
		return NULL;
	return bed_say(f->b, "%s: gfn 0x%llx level %s reads %s", what, f->gfn,
		       bed_level_name(f->level), bed_str(f->b, f->spte, f->level, f->kind));
}

static bool find_frozen(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	return is_frozen_spte(spte) ? find(ctx, spte, gfn, level) : true;
}

/**
 * bed_no_frozen() - F1: no entry is frozen at rest
 * @b: bed
 * @root: in this root
 *
 * Context: process; may sleep. Nobody else uses the root.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_no_frozen(struct bed *b, struct kvm_mmu_page *root)
{
	struct finding f = { .b = b, .kind = bed_kind_of(root) };

	bed_walk(b, root, 0, U64_MAX, find_frozen, &f);
	return say_finding(&f, "F1: FROZEN at rest");
}

static bool find_leaf(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	return bed_is_leaf(spte, level) ? find(ctx, spte, gfn, level) : true;
}

/**
 * bed_nothing_left() - Z1: no leaf of a range is present
 * @b: bed
 * @root: in this root
 * @start: first GFN
 * @end: GFN after the last
 *
 * Context: process; may sleep. Nobody else uses the root.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_nothing_left(struct bed *b, struct kvm_mmu_page *root,
			     gfn_t start, gfn_t end)
{
	struct finding f = { .b = b, .kind = bed_kind_of(root) };

	bed_walk(b, root, start, end, find_leaf, &f);
	return say_finding(&f, "Z1: a leaf is left after the zap");
}

/* --- one operation --- */

static const char *say_op(struct bed *b, const struct bed_op *op, const char *what)
{
	int entry = op->free ? op->level + 1 : op->level;
	const char *seen = bed_str(b, op->seen, entry, BED_MIRROR);

	if (op->free)
		return bed_say(b, "%s: op %u frees table gfn 0x%llx level %s, parent %s, lock %c",
			       what, op->serial, op->gfn, bed_level_name(op->level), seen,
			       op->lock);
	return bed_say(b, "%s: op %u, gfn 0x%llx level %s, %s -> %s, entry %s, then %s, lock %c",
		       what, op->serial, op->gfn, bed_level_name(op->level),
		       bed_str(b, op->old_spte, op->level, BED_MIRROR),
		       bed_str(b, op->new_spte, op->level, BED_MIRROR), seen,
		       bed_str(b, op->seen_end, op->level, BED_MIRROR), op->lock);
}

static bool links(u64 spte, int level, const void *spt)
{
	return bed_is_table(spte, level) && bed_child_of(spte) == spt;
}

/*
 * mmu_lock held for write keeps the others away: the entry may have its new value, or,
 * when a split may be refused, still its old one.
 */
static bool is_window(const struct bed_op *op, u64 seen)
{
	if (is_frozen_spte(seen))
		return true;
	if (op->lock == 'r')
		return false;
	return seen == op->new_spte || (seen == op->old_spte && bed_is_leaf(seen, op->level) &&
					bed_is_table(op->new_spte, op->level));
}

/**
 * bed_in_window() - F2: an external operation happens while the entry is frozen
 * @b: bed
 * @op: the operation
 *
 * Under mmu_lock held for write the entry may have its new value instead. The parent of
 * a table that is freed does not link it any more.
 *
 * Context: process; may sleep.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_in_window(struct bed *b, const struct bed_op *op)
{
	if (op->free)
		return links(op->seen, op->level + 1, op->spt) ?
		       say_op(b, op, "F2: the table is still linked") : NULL;
	if (!is_window(op, op->seen))
		return say_op(b, op, "F2: not frozen when KVM called");
	if (!is_window(op, op->seen_end))
		return say_op(b, op, "F2: not frozen when KVM was answered");
	return NULL;
}

/* How mmu_lock has to be held, as tdx.c asserts. '*': either way. */
static char lock_wanted(const struct bed_op *op)
{
	bool was = is_shadow_present_pte(op->old_spte), is = is_shadow_present_pte(op->new_spte);

	if (op->free || (was && !is))
		return 'w';
	return was ? '*' : 'r';
}

/**
 * bed_lock_contract() - X4: mmu_lock is held as the operation wants it
 * @b: bed
 * @op: the operation
 *
 * Mapping and linking: for read; removing a leaf and freeing a table: for write; always
 * in an RCU read section.
 *
 * Context: process; may sleep.
 *
 * Return: NULL, or what is wrong. NULL, too, where lockdep cannot say.
 */
const char *bed_lock_contract(struct bed *b, const struct bed_op *op)
{
	char wanted = lock_wanted(op);

	if (op->rcu == 0)
		return say_op(b, op, "X4: outside of an RCU read section");
	if (op->lock == '?' || op->lock == wanted || (wanted == '*' && op->lock != '-'))
		return NULL;
	return say_op(b, op, wanted == 'w' ? "X4: mmu_lock has to be held for write" :
			     wanted == 'r' ? "X4: mmu_lock has to be held for read" :
					     "X4: mmu_lock has to be held");
}

/* --- mirror and external table --- */

struct agree {
	struct finding f;
	struct bed_external e;
	bool has_external;
};

static bool disagrees(struct agree *a, u64 spte, gfn_t gfn, int level)
{
	bool present = is_shadow_present_pte(spte);

	a->has_external = bed_external(a->f.b, gfn, level, &a->e) && a->e.present;
	if (present != a->has_external)
		return true;
	if (!present)
		return false;
	if (bed_is_leaf(spte, level) != a->e.leaf || a->e.blocked)
		return true;
	return a->e.leaf && a->e.pfn != spte_to_pfn(spte);
}

static bool find_disagreement(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	struct agree *a = ctx;

	if (is_frozen_spte(spte) || !disagrees(a, spte, gfn, level))
		return true;
	return find(&a->f, spte, gfn, level);
}

/**
 * bed_agree() - X1: mirror and external table say the same
 * @b: bed
 * @start: first GFN
 * @end: GFN after the last
 *
 * Context: process; may sleep. Nobody else uses the mirror root.
 *
 * Return: NULL, or what is wrong. A frozen entry is nothing to compare.
 */
const char *bed_agree(struct bed *b, gfn_t start, gfn_t end)
{
	struct agree a = { .f = { .b = b, .kind = BED_MIRROR } };

	bed_walk(b, b->root[BED_MIRROR], start, end, find_disagreement, &a);
	if (!a.f.found)
		return NULL;
	if (!a.has_external)
		return say_finding(&a.f, "X1: nothing external, and the mirror");
	return bed_say(b, "X1: gfn 0x%llx level %s: mirror %s, external %s pfn 0x%llx%s",
		       a.f.gfn, bed_level_name(a.f.level),
		       bed_str(b, a.f.spte, a.f.level, BED_MIRROR),
		       a.e.leaf ? "leaf" : "table", a.e.pfn, a.e.blocked ? ", blocked" : "");
}

/* --- order --- */

#define ORDER_TABLES	2048

/**
 * struct order_table - a table, as the operations so far have made it
 * @gfn: its first GFN
 * @level: its level
 * @ready: operations that had begun when its link was done
 * @promoted: its leafs have become one
 * @present: its entries that are in use
 * @untold: entries whose table was freed: KVM may have put a leaf there, and does not
 *	tell of that before it splits and promotes mirror leafs
 */
struct order_table {
	gfn_t gfn;
	int level;
	u32 ready;
	bool promoted;
	DECLARE_BITMAP(present, 512);
	DECLARE_BITMAP(untold, 512);
};

struct order {
	struct bed *b;
	int root_level;
	int n;
	struct order_table root;
	struct order_table *table;
};

static struct order_table *order_find(struct order *o, gfn_t gfn, int level)
{
	int i;

	if (level == o->root_level)
		return &o->root;
	gfn &= -(gfn_t)KVM_PAGES_PER_HPAGE(level + 1);
	for (i = 0; i < o->n; i++)
		if (o->table[i].level == level && o->table[i].gfn == gfn)
			return &o->table[i];
	return NULL;
}

static const char *order_add(struct order *o, const struct bed_op *op, bool full)
{
	struct order_table *t = order_find(o, op->gfn, op->level - 1);

	if (t)
		return say_op(o->b, op, "X2: linked, and there is such a table already");
	if (o->n == ORDER_TABLES)
		return say_op(o->b, op, "X2: more tables than the check can follow");
	t = &o->table[o->n++];
	memset(t, 0, sizeof(*t));
	t->gfn = op->gfn;
	t->level = op->level - 1;
	t->ready = op->nr_then;
	if (full)
		bitmap_fill(t->present, 512);
	return NULL;
}

static unsigned long order_index(gfn_t gfn, int level)
{
	return SPTE_INDEX(gfn_to_gpa(gfn), level);
}

/* The entry is no table any more; the table that it is in knows. */
static void order_del(struct order *o, struct order_table *t)
{
	struct order_table *parent = order_find(o, t->gfn, t->level + 1);
	unsigned long i = order_index(t->gfn, t->level + 1);

	if (parent && !t->promoted) {
		__clear_bit(i, parent->present);
		__set_bit(i, parent->untold);
	}
	*t = o->table[--o->n];
}

static const char *order_free(struct order *o, const struct bed_op *op)
{
	struct order_table *t = order_find(o, op->gfn, op->level);

	if (!t)
		return say_op(o->b, op, "X2: freed, and there is no such table");
	if (!t->promoted && !bitmap_empty(t->present, 512))
		return say_op(o->b, op, "X2: freed before its children");
	order_del(o, t);
	return NULL;
}

static const char *order_set(struct order *o, const struct bed_op *op)
{
	bool was = is_shadow_present_pte(op->old_spte), is = is_shadow_present_pte(op->new_spte);
	struct order_table *t = order_find(o, op->gfn, op->level), *child;
	unsigned long i = order_index(op->gfn, op->level);

	if (!t)
		return say_op(o->b, op, "X2: a child before its parent");
	if (op->serial < t->ready)
		return say_op(o->b, op, "X2: a child while its parent was being linked");
	if (was != test_bit(i, t->present) && !test_bit(i, t->untold))
		return say_op(o->b, op, was ? "X2: removed, and it was not there" :
					      "X2: mapped, and it was there already");
	if (op->ret)
		return NULL;
	__assign_bit(i, t->present, is);
	__clear_bit(i, t->untold);
	if (bed_is_table(op->old_spte, op->level)) {
		child = order_find(o, op->gfn, op->level - 1);
		if (child)
			child->promoted = true;
		return NULL;
	}
	return bed_is_table(op->new_spte, op->level) ? order_add(o, op, was) : NULL;
}

static const char *order_play(struct order *o, u32 from, u32 to)
{
	const char *wrong;
	u32 i;

	for (i = 0; i < min(to, bed_ops_from(o->b)); i++) {
		const struct bed_op *op = &o->b->op[i];

		wrong = op->free ? order_free(o, op) : order_set(o, op);
		if (wrong && i >= from)
			return wrong;
	}
	return NULL;
}

/**
 * bed_in_order() - X2: parents before children, children gone before their table
 * @b: bed
 * @from: index of the first operation to be judged
 * @to: index after the last
 *
 * Context: process; may sleep.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_in_order(struct bed *b, u32 from, u32 to)
{
	struct order o = { .b = b, .root_level = b->root[BED_MIRROR]->role.level };
	const char *wrong;

	o.table = kvcalloc(ORDER_TABLES, sizeof(*o.table), GFP_KERNEL);
	if (!o.table)
		return "X2: no memory to check the order";
	wrong = order_play(&o, from, to);
	kvfree(o.table);
	return wrong;
}

/* --- a split --- */

/* What the child has to read, from the ABI of SPTEs, not from KVM's make_small_spte(). */
static u64 small_of(u64 huge, int level, int i)
{
	u64 spte = huge + ((u64)i * KVM_PAGES_PER_HPAGE(level - 1) << PAGE_SHIFT);

	return level - 1 == PG_LEVEL_4K ? spte & ~PT_PAGE_SIZE_MASK : spte;
}

/**
 * bed_children_of() - S1: a split leaf's children map what it mapped, the same way
 * @b: bed
 * @kind: which root
 * @gfn: first GFN of the leaf that was
 * @level: its level
 * @huge: what it read
 *
 * Context: process; may sleep. Nobody else uses the root; no NX huge pages.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_children_of(struct bed *b, enum bed_kind kind, gfn_t gfn,
			    int level, u64 huge)
{
	gfn_t step = KVM_PAGES_PER_HPAGE(level - 1);
	u64 spte = bed_spte(b, kind, gfn, level), child, want;
	int i;

	if (!bed_is_table(spte, level))
		return bed_say(b, "S1: gfn 0x%llx level %s was to be split and reads %s", gfn,
			       bed_level_name(level), bed_str(b, spte, level, kind));
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		child = bed_spte(b, kind, gfn + i * step, level - 1);
		want = small_of(huge, level, i);
		if (child != want)
			return bed_say(b, "S1: child %d of 0x%llx: %s (0x%llx), not %s (0x%llx)",
				       i, gfn, bed_str(b, child, level - 1, kind), child,
				       bed_str(b, want, level - 1, kind), want);
	}
	return NULL;
}

/* --- the books --- */

struct books {
	s64 leafs[KVM_NR_PAGE_SIZES];
	s64 tables;
	s64 external;
	bool mirror;
};

static bool count_entry(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	struct books *c = ctx;

	if (bed_is_leaf(spte, level) && level <= KVM_NR_PAGE_SIZES)
		c->leafs[level - 1]++;
	c->tables += bed_is_table(spte, level);
	if (c->mirror && is_shadow_present_pte(spte))
		c->external += bed_is_table(spte, level) ? 1 : KVM_PAGES_PER_HPAGE(level);
	return true;
}

static const char *compare_books(struct bed *b, const struct books *c)
{
	s64 said, i;

	for (i = 0; i < KVM_NR_PAGE_SIZES; i++) {
		said = atomic64_read(&b->kvm->stat.pages[i]);
		if (said != c->leafs[i])
			return bed_say(b, "A1: KVM counts %lld leafs of %s, a walk finds %lld",
				       said, bed_level_name(i + 1), c->leafs[i]);
	}
#ifdef CONFIG_KVM_PROVE_MMU
	said = atomic64_read(&b->kvm->arch.tdp_mmu_pages);
	if (said != c->tables)
		return bed_say(b, "A1: KVM counts %lld page tables, a walk finds %lld",
			       said, c->tables);
#endif
	said = bed_external_pages(b);
	if (said != c->external)
		return bed_say(b, "A1: the TDX module holds %lld pages, the mirror says %lld",
			       said, c->external);
	return NULL;
}

/**
 * bed_books() - A1: counts equal what is there
 * @b: bed
 *
 * KVM's leafs of each size and page tables (where it counts them), over all roots; and
 * the pages that the TDX module holds.
 *
 * Context: process; may sleep. Nobody else uses the VM.
 *
 * Return: NULL, or what is wrong.
 */
const char *bed_books(struct bed *b)
{
	struct kvm_mmu_page *root;
	struct books c = {};

	scoped_guard(rcu) {
		bed_for_each_root(b, root) {
			c.mirror = is_mirror_sp(root);
			bed_walk(b, root, 0, U64_MAX, count_entry, &c);
		}
	}
	return compare_books(b, &c);
}
