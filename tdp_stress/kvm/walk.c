// SPDX-License-Identifier: GPL-2.0
/*
 * Reading the TDP MMU's tables. Changes nothing. The caller holds mmu_lock, or
 * is in an RCU read section, whichever its question needs.
 */
#include "insight.h"

void tdps_decode(const struct kvm *kvm, u64 raw, int level, struct tdps_spte *spte)
{
	spte->raw = raw;
	spte->present = is_shadow_present_pte(raw);
	spte->leaf = spte->present && is_last_spte(raw, level);
	spte->frozen = is_frozen_spte(raw);
	spte->pfn = spte->present ? spte_to_pfn(raw) : 0;
	/* is_mmio_spte(), with KVM's variables found by name */
	spte->mmio = kvm && *tdps_sym.enable_mmio_caching &&
		     (raw & *tdps_sym.shadow_mmio_mask) == kvm->arch.shadow_mmio_value;
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

static enum tdps_seen look_in(struct kvm_mmu_page *root, gfn_t gfn, int level,
			      enum tdps_seen *parent)
{
	u64 *table = root->spt;
	enum tdps_seen s;
	int at;
	u64 raw;

	*parent = TDPS_SEEN_TABLE;
	for (at = root->role.level; at >= level; at--) {
		raw = READ_ONCE(table[SPTE_INDEX(gfn << PAGE_SHIFT, at)]);
		s = seen(raw, at);
		if (at == level)
			return s;
		if (s != TDPS_SEEN_TABLE) {
			*parent = s;
			return TDPS_SEEN_NOTHING;
		}
		table = child_of(raw);
	}
	return TDPS_SEEN_NOTHING;
}

/**
 * tdps_look() - what does the mirror say?
 * @kvm: VM
 * @gfn: GFN
 * @level: 1 is 4K
 * @parent: what the lowest entry above it reads
 *
 * Of several mirror roots the one that gets farthest answers.
 *
 * Context: mmu_lock held and RCU read section.
 *
 * Return: what the entry reads.
 */
enum tdps_seen tdps_look(struct kvm *kvm, gfn_t gfn, int level, enum tdps_seen *parent)
{
	enum tdps_seen best = TDPS_SEEN_NOTHING, s, p;
	struct kvm_mmu_page *root;

	*parent = TDPS_SEEN_NOTHING;
	list_for_each_entry_rcu(root, &kvm->arch.tdp_mmu_roots, link,
				rcu_read_lock_held() || lockdep_is_held(&kvm->mmu_lock)) {
		if (!is_mirror_sp(root) || root->role.invalid)
			continue;
		s = look_in(root, gfn, level, &p);
		if (s == TDPS_SEEN_FROZEN || best == TDPS_SEEN_NOTHING) {
			best = s;
			*parent = p;
		}
	}
	return best;
}

struct leafs {
	u64 count;
	gfn_t first;
};

static bool count_leaf(struct tdps_walk *w, u64 *sptep, u64 raw, gfn_t gfn, int level)
{
	struct leafs *l = w->arg;

	if (is_shadow_present_pte(raw) && is_last_spte(raw, level) && !l->count++)
		l->first = gfn;
	return true;
}

/**
 * tdps_count_leafs() - present leaves of a GFN range
 * @kvm: VM
 * @roots: kinds of root, TDPS_ROOTS_*; invalid ones are looked at, too
 * @as_id: address space, or -1 for all
 * @start: first GFN
 * @end: GFN after the last
 * @first: GFN of the first leaf found
 *
 * Context: mmu_lock held for write.
 *
 * Return: how many.
 */
u64 tdps_count_leafs(struct kvm *kvm, u8 roots, int as_id, gfn_t start, gfn_t end, gfn_t *first)
{
	gfn_t bits = kvm_gfn_direct_bits(kvm);
	struct kvm_mmu_page *root;
	struct leafs l = {};

	/* an alias bit is no part of the GFN: nothing is mapped at or above it */
	if (bits)
		end = min(end, bits);
	if (end <= start)
		return 0;
	list_for_each_entry(root, &kvm->arch.tdp_mmu_roots, link) {
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
		if (!is_mirror_sp(root)) {
			w.first |= bits;
			w.last |= bits;
		}
		tdps_walk(&w);
	}
	*first = l.first & ~bits;
	return l.count;
}
