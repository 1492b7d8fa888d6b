// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the TDP MMU's tables. Changes nothing. The caller holds mmu_lock, or
 * is in an RCU read section, whichever its question needs.
 */
#include "insight.h"

/* Masks that KVM has chosen for this CPU; 0: it has none, or they are not known. */
static u64 accessed_mask, dirty_mask, nx_mask, host_writable_mask, mmu_writable_mask;

static u64 mask_by_name(const char *name)
{
	const u64 *mask = (const u64 *)tdps_lookup(name);

	return mask ? *mask : 0;
}

/* Before anything is decoded; KVM has been found. */
void tdps_walk_open(void)
{
	accessed_mask = mask_by_name("shadow_accessed_mask");
	dirty_mask = mask_by_name("shadow_dirty_mask");
	nx_mask = mask_by_name("shadow_nx_mask");
	host_writable_mask = mask_by_name("shadow_host_writable_mask");
	mmu_writable_mask = mask_by_name("shadow_mmu_writable_mask");
}

void tdps_decode(const struct kvm *kvm, u64 raw, int level, struct tdps_spte *spte)
{
	spte->raw = raw;
	spte->present = is_shadow_present_pte(raw);
	spte->leaf = spte->present && is_last_spte(raw, level);
	spte->frozen = is_frozen_spte(raw);
	spte->dirty = spte->leaf && (raw & dirty_mask);
	spte->pfn = spte->present ? spte_to_pfn(raw) : 0;
	/* is_mmio_spte(), with KVM's variables found by name */
	spte->mmio = kvm && *tdps_sym.enable_mmio_caching &&
		     (raw & *tdps_sym.shadow_mmio_mask) == kvm->arch.shadow_mmio_value;
}

/* Of a leaf: has the CPU set its accessed bit? */
bool tdps_is_accessed(u64 raw)
{
	return raw & accessed_mask;
}

static bool is_table(u64 raw, int level)
{
	return is_shadow_present_pte(raw) && !is_last_spte(raw, level);
}

static u64 *child_of(u64 raw)
{
	return __va(spte_to_pfn(raw) << PAGE_SHIFT);
}

/* Recursion is as deep as the tables: five levels. */
static void walk_table(struct tdps_walk *w, u64 *table, int level, gfn_t base)
{
	gfn_t step = KVM_PAGES_PER_HPAGE(level), gfn;
	unsigned int i = w->first > base ? (w->first - base) / step : 0;
	u64 raw;

	for (; i < SPTE_ENT_PER_PAGE; i++) {
		gfn = base + i * step;
		if (gfn > w->last)
			return;
		raw = READ_ONCE(table[i]);
		if (raw == SHADOW_NONPRESENT_VALUE && !w->absent_too)
			continue;
		if (w->fn(w, &table[i], raw, gfn, level) && is_table(raw, level))
			walk_table(w, child_of(raw), level - 1, gfn);
	}
}

/**
 * tdps_walk() - visit the entries of a root, parents before children
 * @w: what to visit
 *
 * Context: mmu_lock held or RCU read section; @w->root stays.
 */
void tdps_walk(struct tdps_walk *w)
{
	walk_table(w, w->root->spt, w->root->role.level, 0);
}

static enum tdps_seen seen(u64 raw, int level)
{
	if (is_frozen_spte(raw))
		return TDPS_SEEN_FROZEN;
	if (!is_shadow_present_pte(raw))
		return TDPS_SEEN_ABSENT;
	return is_last_spte(raw, level) ? TDPS_SEEN_LEAF : TDPS_SEEN_TABLE;
}

static void look_in(struct kvm_mmu_page *root, gfn_t gfn, int level, struct tdps_place *at)
{
	u64 *table = root->spt, *sptep, raw;
	enum tdps_seen s;
	int l;

	*at = (struct tdps_place) { .root = root, .parent = TDPS_SEEN_TABLE };
	for (l = root->role.level; l >= level; l--) {
		sptep = &table[SPTE_INDEX(gfn << PAGE_SHIFT, l)];
		raw = READ_ONCE(*sptep);
		s = seen(raw, l);
		if (l == level) {
			at->sptep = sptep;
			at->seen = s;
			return;
		}
		if (s != TDPS_SEEN_TABLE) {
			at->parent = s;
			return;
		}
		table = child_of(raw);
	}
}

/* What an entry that was found before reads now; in the same RCU read section. */
enum tdps_seen tdps_look_again(const struct tdps_place *at, int level)
{
	return at->sptep ? seen(READ_ONCE(*at->sptep), level) : TDPS_SEEN_NOTHING;
}

/**
 * tdps_look_at() - find an entry of a mirror root
 * @kvm: VM
 * @gfn: GFN
 * @level: 1 is 4K
 * @at: filled in
 *
 * Of several mirror roots the one that gets farthest answers.
 *
 * Context: mmu_lock held and RCU read section.
 */
void tdps_look_at(struct kvm *kvm, gfn_t gfn, int level, struct tdps_place *at)
{
	struct kvm_mmu_page *root;
	struct tdps_place place;

	*at = (struct tdps_place) {};
	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link,
				rcu_read_lock_held() || lockdep_is_held(&kvm->mmu_lock)) {
		if (!is_mirror_sp(root) || root->role.invalid)
			continue;
		look_in(root, gfn, level, &place);
		if (place.seen == TDPS_SEEN_FROZEN || at->seen == TDPS_SEEN_NOTHING)
			*at = place;
	}
}

/**
 * tdps_look() - what does the mirror say?
 * @kvm: VM
 * @gfn: GFN
 * @level: 1 is 4K
 * @parent: what the lowest entry above it reads
 *
 * Context: mmu_lock held and RCU read section.
 *
 * Return: what the entry reads.
 */
enum tdps_seen tdps_look(struct kvm *kvm, gfn_t gfn, int level, enum tdps_seen *parent)
{
	struct tdps_place at;

	tdps_look_at(kvm, gfn, level, &at);
	*parent = at.parent;
	return at.seen;
}

/* Direct roots of the VM, and how many of these are invalid; mmu_lock held. */
int tdps_direct_roots(struct kvm *kvm, int *invalid)
{
	struct kvm_mmu_page *root;
	int n = 0;

	*invalid = 0;
	guard(rcu)();
	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link) {
		if (is_mirror_sp(root))
			continue;
		n++;
		*invalid += root->role.invalid;
	}
	return n;
}

/**
 * tdps_absent_in_invalid() - may it be in an invalid root that a leaf was just zapped?
 * @kvm: VM
 * @gfn: GFN, without the bits that make it a shared one
 * @level: level of the leaf
 *
 * Context: mmu_lock held for write.
 *
 * Return: true if such a direct root has nothing there, but a page table around it.
 */
bool tdps_absent_in_invalid(struct kvm *kvm, gfn_t gfn, int level)
{
	struct kvm_mmu_page *root;
	struct tdps_place at;

	guard(rcu)();
	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link) {
		if (is_mirror_sp(root) || !root->role.invalid)
			continue;
		look_in(root, gfn | kvm_gfn_direct_bits(kvm), level, &at);
		if (at.seen == TDPS_SEEN_ABSENT)
			return true;
	}
	return false;
}

/* --- splits and promotions --- */

/* make_small_spte(), but for execution: see right_child() */
static u64 small_spte(u64 huge, int level, int index)
{
	u64 spte = huge | (index * KVM_PAGES_PER_HPAGE(level)) << PAGE_SHIFT;

	return level == PG_LEVEL_4K ? spte & ~PT_PAGE_SIZE_MASK : spte;
}

/* EPT: bits 2 (supervisor) and 10 (user) say that it may be executed. */
#define EPT_EXECUTE	(BIT_ULL(2) | BIT_ULL(10))

/*
 * Others may have got at the children of a direct leaf before they are looked at
 * here: the CPU and aging change A and D, a fast page fault gives write access,
 * and under the shared lock all that may be done under it is done: a fault that
 * finds its page write-protected may make it writable by its own right. A fast page
 * fault on the huge leaf, after the children were made of it, is lost even with
 * mmu_lock held for write; the next write is another one.
 */
static bool right_child(const struct tdps_split *s, u64 child, u64 want)
{
	u64 differ = child ^ want, free = 0;
	bool racy = s->reachable && s->where.lock != TDPS_LOCK_WRITE;

	if (!is_shadow_present_pte(child))
		return racy;
	/* a 4K page may be executed even where the NX mitigation forbids it a huge one */
	if (s->table_level == PG_LEVEL_4K)
		free |= nx_mask ? want & nx_mask : ~want & EPT_EXECUTE;
	if (s->merge)
		free |= accessed_mask | dirty_mask;
	if (s->reachable)
		free |= accessed_mask | dirty_mask | PT_WRITABLE_MASK;
	if (racy)
		free |= child & (host_writable_mask | mmu_writable_mask);
	return !(differ & ~free);
}

/**
 * tdps_examine_split() - does the page table say what the leaf has said?
 * @table_spte: SPTE that points to the table
 * @s: @where, @huge and @reachable are set; what is found out is filled in
 *
 * Context: the table cannot be freed.
 */
void tdps_examine_split(u64 table_spte, struct tdps_split *s)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(table_spte);
	u64 child, want;
	int i;

	s->mirror = is_mirror_sp(sp);
	s->table_level = sp->role.level;
	if (s->mirror && tdps_external_spt(sp))
		s->page = __pa(tdps_external_spt(sp));
	for (i = 0; i < SPTE_ENT_PER_PAGE; i++) {
		child = READ_ONCE(sp->spt[i]);
		want = small_spte(s->huge, s->table_level, i);
		if (right_child(s, child, want) || s->wrong++)
			continue;
		s->index = i;
		s->child = child;
		s->want = want;
	}
}

/* Present entries of the table behind an SPTE; the table cannot be freed. */
u32 tdps_children_left(u64 table_spte)
{
	struct kvm_mmu_page *sp = spte_to_child_sp(table_spte);
	u32 n = 0;
	int i;

	for (i = 0; i < SPTE_ENT_PER_PAGE; i++)
		n += is_shadow_present_pte(READ_ONCE(sp->spt[i]));
	return n;
}

struct leafs {
	struct tdps_ctx *ctx;
	struct kvm *kvm;
	gfn_t start;
	gfn_t end;
	u64 count;
	gfn_t first;
};

/*
 * A huge leaf that reaches out of the range, and that others have mapped since; or
 * what it was split into.
 */
static bool is_others(const struct leafs *l, gfn_t gfn, int level)
{
	struct tdps_where w = {
		.vm = tdps_vm_id(l->kvm), .level = max(level, (int)PG_LEVEL_2M),
	};
	gfn_t size = KVM_PAGES_PER_HPAGE(w.level);

	w.gfn = gfn & ~kvm_gfn_direct_bits(l->kvm) & -size;
	if (w.gfn >= l->start && w.gfn + size <= l->end)
		return false;
	return tdps_mapped_since(l->ctx, &w);
}

static bool count_leaf(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct leafs *l = w->arg;

	if (!is_shadow_present_pte(raw) || !is_last_spte(raw, level))
		return true;
	if (is_others(l, gfn, level))
		return true;
	if (!l->count++)
		l->first = gfn;
	return true;
}

/**
 * tdps_count_leafs() - present leaves of a GFN range
 * @kvm: VM
 * @ctx: the current thread's, in the operation that zaps
 * @roots: kinds of root, TDPS_ROOTS_*
 * @invalid_too: look at invalid ones, too
 * @as_id: address space, or -1 for all
 * @start: first GFN
 * @end: GFN after the last
 * @first: GFN of the first leaf found
 *
 * Context: nobody maps there meanwhile, as with mmu_lock held for write.
 *
 * Return: how many.
 */
u64 tdps_count_leafs(struct kvm *kvm, struct tdps_ctx *ctx, u8 roots, bool invalid_too, int as_id,
		     gfn_t start, gfn_t end, gfn_t *first)
{
	gfn_t bits = kvm_gfn_direct_bits(kvm);
	struct kvm_mmu_page *root;
	struct leafs l = { .ctx = ctx, .kvm = kvm, .start = start };

	guard(rcu)();
	/* an alias bit is no part of the GFN: nothing is mapped at or above it */
	if (bits)
		end = min(end, bits);
	if (end <= start)
		return 0;
	l.end = end;
	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link) {
		struct tdps_walk w = {
			.root = root,
			.first = start,
			.last = end - 1,
			.fn = count_leaf,
			.arg = &l,
		};

		if (!(roots & (is_mirror_sp(root) ? TDPS_ROOTS_MIRROR : TDPS_ROOTS_DIRECT)))
			continue;
		if (as_id >= 0 && kvm_mmu_page_as_id(root) != as_id)
			continue;
		if (root->role.invalid && !invalid_too)
			continue;
		if (!is_mirror_sp(root)) {
			w.first |= bits;
			w.last |= bits;
		}
		tdps_walk(&w);
	}
	*first = l.first & ~bits;
	return l.count;
}
