// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the page tables under a root, by itself: without KVM's iterator, which is
 * under test. GFNs are without the direct bits.
 */
#include "internal.h"

/**
 * bed_gfn() - a GFN as a root knows it
 * @b: bed
 * @kind: of the root
 * @gfn: without direct bits
 *
 * Context: any.
 *
 * Return: with the direct bits, for a direct root.
 */
gfn_t bed_gfn(struct bed *b, enum bed_kind kind, gfn_t gfn)
{
	return kind == BED_DIRECT ? gfn | kvm_gfn_direct_bits(b->kvm) : gfn;
}

struct walk {
	struct bed *b;
	gfn_t direct;	/* the VM's direct bits */
	gfn_t bits;	/* what of them GFNs of this root have */
	gfn_t start, end;
	bed_visit fn;
	void *ctx;
};

/* @raw: GFN of the table's first entry, with the direct bits where they are. */
static bool walk_table(struct walk *w, u64 *table, gfn_t raw, int level)
{
	gfn_t step = KVM_PAGES_PER_HPAGE(level), gfn;
	u64 spte;
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++, raw += step) {
		/* the other half of the root */
		if (step <= w->direct && (raw & w->direct) != w->bits)
			continue;
		gfn = raw & ~w->direct;
		if (gfn >= w->end || gfn + step <= w->start)
			continue;
		spte = READ_ONCE(table[i]);
		if (!w->fn(w->ctx, &table[i], spte, gfn, level))
			return false;
		if (bed_is_table(spte, level) &&
		    !walk_table(w, bed_child_of(spte), raw, level - 1))
			return false;
	}
	return true;
}

/*
 * Context: any; an RCU read section keeps the tables, not their contents.
 * Return: false if @fn has said so, which ends the walk.
 */
bool bed_walk(struct bed *b, struct kvm_mmu_page *root, gfn_t start, gfn_t end,
	      bed_visit fn, void *ctx)
{
	struct walk w = {
		.b = b, .direct = kvm_gfn_direct_bits(b->kvm),
		.bits = bed_gfn(b, bed_kind_of(root), 0),
		.start = start, .end = end, .fn = fn, .ctx = ctx,
	};

	guard(rcu)();
	return walk_table(&w, root->spt, 0, root->role.level);
}

/**
 * bed_sptep() - find an entry
 * @b: bed
 * @root: in which root
 * @gfn: GFN, without direct bits
 * @level: level of the entry
 *
 * Context: any. The pointer is good for as long as the table is.
 *
 * Return: NULL if the walk does not get there.
 */
u64 *bed_sptep(struct bed *b, struct kvm_mmu_page *root, gfn_t gfn, int level)
{
	gpa_t gpa = gfn_to_gpa(bed_gfn(b, bed_kind_of(root), gfn));
	u64 *table = root->spt, *sptep;
	int l;
	u64 spte;

	guard(rcu)();
	for (l = root->role.level; l >= level; l--) {
		sptep = &table[SPTE_INDEX(gpa, l)];
		if (l == level)
			return sptep;
		spte = READ_ONCE(*sptep);
		if (!bed_is_table(spte, l))
			break;
		table = bed_child_of(spte);
	}
	return NULL;
}

/**
 * bed_spte() - read an entry of a valid root
 * @b: bed
 * @kind: which root
 * @gfn: GFN, without direct bits
 * @level: level of the entry
 *
 * Context: any.
 *
 * Return: its value; 0 if the walk does not get there.
 */
u64 bed_spte(struct bed *b, enum bed_kind kind, gfn_t gfn, int level)
{
	u64 *sptep;

	guard(rcu)();
	sptep = bed_sptep(b, b->root[kind], gfn, level);
	return sptep ? READ_ONCE(*sptep) : 0;
}

static bool count_leaf(void *ctx, u64 *sptep, u64 spte, gfn_t gfn, int level)
{
	u64 *n = ctx;

	*n += bed_is_leaf(spte, level);
	return true;
}

/**
 * bed_leafs() - count the present leafs of a root
 * @b: bed
 * @root: the root
 * @start: first GFN
 * @end: GFN after the last
 *
 * Context: any.
 *
 * Return: leafs of any level that map something in the range.
 */
u64 bed_leafs(struct bed *b, struct kvm_mmu_page *root, gfn_t start, gfn_t end)
{
	u64 n = 0;

	bed_walk(b, root, start, end, count_leaf, &n);
	return n;
}
