// SPDX-License-Identifier: GPL-2.0
/*
 * Z1, Z2: a zap leaves nothing behind and touches nothing else; roots are
 * counted right and go away. See Documentation/invariants.rst.
 */

#include "internal.h"

/* Z1: operations that change leaves and tables, and zap none for good. */
static bool zaps_nothing(enum tdps_op op)
{
	switch (op) {
	case TDPS_OP_SPLIT:
	case TDPS_OP_AGE:
	case TDPS_OP_TEST_AGE:
	case TDPS_OP_WRPROT_SLOT:
	case TDPS_OP_WRPROT_GFN:
	case TDPS_OP_CLEAR_SLOT:
	case TDPS_OP_CLEAR_MASKED:
	case TDPS_OP_WALK:
	case TDPS_OP_LAST_SPTEP:
	case TDPS_OP_ALLOC_ROOT:
		return true;
	default:
		return false;
	}
}

/*
 * A fault beside the range of a zap may map a huge leaf that overlaps it, while the
 * zap has yielded: KVM compares the fault's own GFN only, because whoever takes
 * away a part of a huge page splits it first, which is a zap of all of it. So this
 * is when each huge leaf was mapped.
 *
 * @lost: when one that had to make room was mapped. What is not known any more is
 * taken for mapped: no violation rests on it.
 */
#define MAPPED_BITS	8

static struct {
	u64 vm, gfn, ns, lost;
	int level;
} mapped[1 << MAPPED_BITS];

static DEFINE_RAW_SPINLOCK(mapped_lock);

/* A huge leaf appears where there was nothing, or a table. */
void zap_mapped(const struct tdps_where *w)
{
	unsigned int i = hash_64(w->gfn ^ w->level, MAPPED_BITS);

	guard(raw_spinlock_irqsave)(&mapped_lock);
	if (mapped[i].vm != w->vm || mapped[i].gfn != w->gfn || mapped[i].level != w->level)
		mapped[i].lost = mapped[i].ns;
	mapped[i].vm = w->vm;
	mapped[i].gfn = w->gfn;
	mapped[i].level = w->level;
	mapped[i].ns = ktime_get_mono_fast_ns();
}

/**
 * tdps_mapped_since() - was this huge leaf mapped since the zap in progress began?
 * @ctx: the current thread's, in the operation that zaps
 * @w: VM, GFN and level of the leaf
 *
 * Context: mmu_lock held for write: who has mapped has said so.
 *
 * Return: true also if it cannot be told any more.
 */
bool tdps_mapped_since(struct tdps_ctx *ctx, const struct tdps_where *w)
{
	unsigned int i = hash_64(w->gfn ^ w->level, MAPPED_BITS);
	struct tdps_frame *f = tdps_ctx_frame(ctx);

	if (!f)
		return false;
	guard(raw_spinlock_irqsave)(&mapped_lock);
	if (mapped[i].lost > f->ns)
		return true;
	return mapped[i].vm == w->vm && mapped[i].gfn == w->gfn &&
	       mapped[i].level == w->level && mapped[i].ns > f->ns;
}

/* Z1: roots of a kind that the operation is not about stay as they are. */
static void check_kind(const struct tdps_frame *f, const struct tdps_where *w)
{
	if (f->mirror_zapped && !(f->roots & TDPS_ROOTS_MIRROR))
		tdps_violation(TDPS_Z1, w,
			       "%u private leaves zapped by an operation on shared memory",
			       f->mirror_zapped);
	if (f->direct_zapped && !(f->roots & TDPS_ROOTS_DIRECT))
		tdps_violation(TDPS_Z1, w,
			       "%u shared leaves zapped by an operation on private memory",
			       f->direct_zapped);
}

/* Z1: none of the range may be there any more. */
static void check_left(const struct tdps_frame *f, enum tdps_op op, const struct tdps_op_end *e)
{
	struct tdps_where w = e->where;
	u64 left = e->leafs_left + tdps_planted(TDPS_Z1);

	if (!left)
		return;
	if (e->leafs_left)
		w.gfn = e->left_gfn;
	w.level = 1;
	tdps_violation(TDPS_Z1, &w, "%llu leaves left behind by %s of gfn 0x%llx to 0x%llx",
		       left, tdps_op_name(op), f->start, f->end);
}

/* Z1 */
void zap_op_end(struct tdps_frame *f, enum tdps_op op, const struct tdps_op_end *e)
{
	const struct tdps_where w = e->where;

	/* of a VM that was given up nothing is expected any more */
	if (e->bugged)
		return;
	if (zaps_nothing(op)) {
		if ((f->mirror_zapped || f->direct_zapped) && tdps_checking(TDPS_Z1))
			tdps_violation(TDPS_Z1, &w, "%u leaves zapped by %s",
				       f->mirror_zapped + f->direct_zapped, tdps_op_name(op));
		return;
	}
	switch (op) {
	case TDPS_OP_UNMAP:
	case TDPS_OP_ZAP_LEAFS:
	case TDPS_OP_ZAP_ALL:
		if (!tdps_checking(TDPS_Z1))
			return;
		check_left(f, op, e);
		check_kind(f, &w);
		return;
	case TDPS_OP_MEMSLOT:
		if (tdps_checking(TDPS_Z1))
			check_left(f, op, e);
		return;
	case TDPS_OP_MAP:
	case TDPS_OP_RECOVER:
	case TDPS_OP_ZAP_NX:
	case TDPS_OP_ZAP_INVALID:
	case TDPS_OP_CONVERT:
		if ((f->mirror_zapped || f->direct_zapped) && tdps_checking(TDPS_Z1))
			check_kind(f, &w);
		return;
	case TDPS_OP_UNINIT:
		if (tdps_checking(TDPS_Z1) && e->pages_left > 0)
			tdps_violation(TDPS_Z1, &w, "%lld leaves left at the end of the VM",
				       e->pages_left);
		if (tdps_checking(TDPS_Z2) && e->roots_left)
			tdps_violation(TDPS_Z2, &w, "%llu roots left at the end of the VM",
				       e->roots_left);
		return;
	default:
		return;
	}
}

/*
 * Z2: when an invalid root without a vCPU was first seen. Audits are
 * serialised, so is this table.
 */
#define AGED	16

static struct {
	u64 id, ns;
	bool reported;
} aged[AGED];

/* What was known of huge leaves and roots is worth nothing any more. */
void zap_forget(void)
{
	memset(mapped, 0, sizeof(mapped));
	memset(aged, 0, sizeof(aged));
}

static void check_age(struct tdps_audit *a, const struct tdps_audit_root *r)
{
	const struct tdps_where w = {
		.vm = a->vm, .gfn = TDPS_NO_GFN, .lock = TDPS_LOCK_WRITE,
	};
	unsigned int i = hash_64(r->id, ilog2(AGED));
	u64 now = ktime_get_mono_fast_ns();

	/* a vCPU drops its obsolete root when it runs next, which may be never */
	if (!r->invalid || r->users) {
		if (aged[i].id == r->id)
			aged[i].id = 0;
		return;
	}
	if (aged[i].id != r->id) {
		aged[i].id = r->id;
		aged[i].ns = now;
		aged[i].reported = false;
		return;
	}
	if (now - aged[i].ns <= tdps_limits.progress_ns || aged[i].reported)
		return;
	aged[i].reported = true;
	tdps_violation(TDPS_Z2, &w,
		       "invalid root that no vCPU uses still has %u references after %llu ms",
		       r->count, (now - aged[i].ns) / NSEC_PER_MSEC);
}

/* It is gone; a root that comes to lie at the same address is another one. */
void zap_root_free(u64 id)
{
	unsigned int i = hash_64(id, ilog2(AGED));

	if (READ_ONCE(aged[i].id) == id)
		WRITE_ONCE(aged[i].id, 0);
}

void zap_audit_root(struct tdps_audit *a, const struct tdps_audit_root *r)
{
	const struct tdps_where w = {
		.vm = a->vm, .gfn = TDPS_NO_GFN, .lock = TDPS_LOCK_WRITE,
	};
	u32 count = r->count;
	/* a valid root is also held by the TDP MMU itself */
	u32 least = r->users + !r->invalid;

	if (!tdps_checking(TDPS_Z2))
		return;
	if (tdps_planted(TDPS_Z2))
		count = 0;
	if (count < least || !count)
		tdps_violation(TDPS_Z2, &w, "%s %s root has %u references, %u vCPUs point to it",
			       r->invalid ? "invalid" : "valid", r->mirror ? "mirror" : "direct",
			       count, r->users);
	check_age(a, r);
}
