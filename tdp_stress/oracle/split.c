// SPDX-License-Identifier: GPL-2.0
/*
 * S1, S2: a huge leaf and the page table that stands for it map the same, and
 * one replaces the other without loss. See Documentation/invariants.rst.
 */
#include "internal.h"
#include "tracepoints.h"

static const char *root_name(const struct tdps_split *s)
{
	return s->mirror ? "a mirror" : "a direct";
}

/* S1: 512 children of the level below, consecutive pages, the same permissions. */
static void check_children(const struct tdps_split *s)
{
	u32 wrong = s->wrong;

	if (tdps_planted(TDPS_S1))
		wrong++;
	if (s->table_level != s->where.level - 1)
		tdps_violation(TDPS_S1, &s->where, "split brings a page table of level %d",
			       s->table_level);
	if (wrong)
		tdps_violation(TDPS_S1, &s->where,
			       "split of 0x%llx in %s root: %u children wrong, number %u is 0x%llx instead of 0x%llx",
			       s->huge, root_name(s), wrong, s->index, s->child, s->want);
}

/* S1: the external page. What the external backend brings or refuses it counts itself. */
static void check_page(const struct tdps_split *s)
{
	if (s->mirror && !s->page && !s->ret && !s->ours)
		tdps_violation(TDPS_S1, &s->where, "split succeeded without an external page");
}

/**
 * split_seen() - S1: a huge leaf was replaced by a page table, or was to be
 * @s: what is known
 */
void split_seen(const struct tdps_split *s)
{
	if (s->ret)
		tdps_count(split_failed);
	else
		tdps_count(split_ok);
	if (!tdps_checking(TDPS_S1))
		return;
	check_children(s);
	check_page(s);
}

/**
 * merge_seen() - S2: the external page table is to merge what a table maps
 * @s: what is known
 *
 * Unlike those of a direct root the children are not faulted in anew: all have to
 * be there, and alike, when KVM asks.
 */
void merge_seen(const struct tdps_split *s)
{
	if (s->wrong && tdps_checking(TDPS_S2))
		tdps_violation(TDPS_S2, &s->where,
			       "promotion to 0x%llx: %u children do not fit, number %u is 0x%llx instead of 0x%llx",
			       s->huge, s->wrong, s->index, s->child, s->want);
}

/* S1: a split that has failed has changed nothing. */
void tdps_split_failed(const struct tdps_where *w, int err, bool linked)
{
	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(split_failed, w, err, linked);
	if (!err && tdps_checking(TDPS_F4))
		tdps_violation(TDPS_F4, w,
			       "the split succeeded although its external operation failed");
	if (tdps_checking(TDPS_S1) && linked)
		tdps_violation(TDPS_S1, w, "split failed (%d), and its page table is linked", err);
}

/* S1: memory for a split is had where one may sleep. */
void tdps_split_alloc(const struct tdps_where *w, bool rcu)
{
	if (!READ_ONCE(tdps_live))
		return;
	tdps_trace(split_alloc, w, rcu);
	if (!tdps_checking(TDPS_S1))
		return;
	if (w->lock == TDPS_LOCK_READ || w->lock == TDPS_LOCK_WRITE)
		tdps_violation(TDPS_S1, w, "page table for a split allocated with mmu_lock held");
	if (rcu)
		tdps_violation(TDPS_S1, w,
			       "page table for a split allocated in an RCU read section");
}

/* S2: a table is taken apart; tables below it belong to the same removal. */
void split_table_zap(struct tdps_ctx *ctx, const struct tdps_where *w, bool mirror)
{
	if (ctx->gone.level > w->level)
		return;
	ctx->gone.mirror = mirror;
	ctx->gone.level = w->level;
	ctx->gone.gfn = w->gfn;
	ctx->gone.leafs = 0;
	ctx->gone.mixed = false;
}

/* An entry of the table that is being taken apart, which is a mirror's? */
bool split_in_mirror(const struct tdps_ctx *ctx, const struct tdps_where *w)
{
	return ctx->gone.level >= w->level && ctx->gone.mirror;
}

static void leaf_gone(struct tdps_ctx *ctx, const struct tdps_change *c)
{
	u64 delta = c->old_spte.pfn - c->where.gfn;

	if (!ctx->gone.leafs++) {
		ctx->gone.delta = delta;
	} else if (delta != ctx->gone.delta && !ctx->gone.mixed) {
		ctx->gone.mixed = true;
		ctx->gone.odd_gfn = c->where.gfn;
	}
}

/* S2: what the leaf maps is what the table has mapped, and nothing is left of it. */
static void check_promotion(struct tdps_ctx *ctx, const struct tdps_change *c)
{
	u64 delta = c->new_spte.pfn - c->where.gfn;
	u64 mask = (1ULL << ((c->where.level - 1) * 9)) - 1;

	tdps_count(promoted);
	if (!tdps_checking(TDPS_S2))
		return;
	if (tdps_planted(TDPS_S2))
		delta++;
	if (ctx->gone.leafs && ctx->gone.mixed)
		tdps_violation(TDPS_S2, &c->where,
			       "table replaced by a leaf although its pages are not consecutive: gfn 0x%llx is elsewhere",
			       ctx->gone.odd_gfn);
	else if (ctx->gone.leafs && delta != ctx->gone.delta)
		tdps_violation(TDPS_S2, &c->where,
			       "table replaced by a leaf of other pages, 0x%llx; the first page was 0x%llx",
			       c->new_spte.raw, c->where.gfn + ctx->gone.delta);
	if (c->new_spte.pfn & mask)
		tdps_violation(TDPS_S2, &c->where,
			       "table replaced by a leaf that is not aligned, 0x%llx",
			       c->new_spte.raw);
	if (c->children)
		tdps_violation(TDPS_S2, &c->where,
			       "table replaced by a leaf, %u of its entries are still present",
			       c->children);
}

/**
 * split_spte() - S2: follow a page table that is taken apart
 * @ctx: the current thread's
 * @c: a change
 *
 * Its entries are changed one by one after tdps_table_zap(), then the change of
 * the entry that pointed to it is seen.
 */
void split_spte(struct tdps_ctx *ctx, const struct tdps_change *c)
{
	if (!ctx->gone.level)
		return;
	if (c->old_spte.leaf && !c->new_spte.present && c->where.level <= ctx->gone.level) {
		leaf_gone(ctx, c);
		return;
	}
	if (!c->old_spte.present || c->old_spte.leaf || c->where.level != ctx->gone.level + 1)
		return;
	if (c->new_spte.leaf && c->where.gfn == ctx->gone.gfn)
		check_promotion(ctx, c);
	ctx->gone.level = 0;
	ctx->merged_level = 0;
}
