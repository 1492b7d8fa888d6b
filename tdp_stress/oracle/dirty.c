// SPDX-License-Identifier: GPL-2.0
/*
 * D1: what the guest wrote is not forgotten: neither the dirty bits that its CPU
 * has set in direct roots, nor the pages that a dirty log has to name. Knows the
 * guest's writes as they are told, no table and no KVM. See
 * Documentation/invariants.rst.
 */

#include "internal.h"

/*
 * D1's clock ticks when something happens that others are ordered against; no
 * timer is precise enough across CPUs. Zero is before everything.
 */
static atomic64_t clock = ATOMIC64_INIT(1);

u64 tdps_token(void)
{
	/* pairs with tick(): what comes after a tick that was seen happens after it */
	return atomic64_read_acquire(&clock);
}

static u64 tick(void)
{
	return atomic64_inc_return(&clock);
}

/* --- dirty bits --- */

/*
 * GFNs whose dirty bit is known to be set, by 2M region. Fixed size, the oldest
 * of a bucket goes first: what is forgotten is not judged.
 */
#define REGION_SHIFT	9
#define REGION_GFNS	BIT(REGION_SHIFT)
#define REGION_BITS	7
#define REGION_WAYS	4

struct region {
	u64 vm;
	u64 base;		/* first GFN */
	u64 seq;		/* by then all of them were set */
	DECLARE_BITMAP(dirty, REGION_GFNS);
};

struct region_bucket {
	raw_spinlock_t lock;
	u32 next;		/* way to be used next */
	u64 changed;		/* when a leaf of these regions was last changed */
	struct region way[REGION_WAYS];
};

static struct region_bucket *regions;
/*
 * Does a guest tell what it does? Until then changes of leafs are not kept track of, so
 * that what the first ones have to tell is worth nothing.
 */
static enum { NOT_TOLD, FIRST_TOLD, TOLD } told;
static u64 forgotten;		/* what was known by then is worth nothing */

static bool is_told(void)
{
	return READ_ONCE(told) != NOT_TOLD;
}

static struct region_bucket *bucket_of(u64 vm, u64 base)
{
	return &regions[hash_64(vm ^ base, REGION_BITS)];
}

static struct region *find_region(struct region_bucket *b, u64 vm, u64 base)
{
	int i;

	for (i = 0; i < REGION_WAYS; i++)
		if (b->way[i].vm == vm && b->way[i].base == base)
			return &b->way[i];
	return NULL;
}

/*
 * Changes are kept track of by now, and what was told has to be of later than the
 * beginning of that: whoever does not see FIRST_TOLD in dirty_spte() has changed its leaf
 * before the tick.
 */
static bool is_tracked(void)
{
	/* pairs with the release below: @forgotten is what it has to be */
	if (likely(smp_load_acquire(&told) == TOLD))
		return true;
	if (cmpxchg(&told, NOT_TOLD, FIRST_TOLD) == NOT_TOLD) {
		WRITE_ONCE(forgotten, tick());
		/* pairs with the acquire above */
		smp_store_release(&told, TOLD);
	}
	return false;
}

/**
 * tdps_cpu_dirtied() - the guest's CPU has set a dirty bit
 * @vm: VM
 * @gfn: GFN without shared bits
 * @token: tdps_token() from before the access
 *
 * Context: any but NMI; the vCPU is still in the guest.
 */
void tdps_cpu_dirtied(u64 vm, u64 gfn, u64 token)
{
	u64 base = gfn & ~(REGION_GFNS - 1);
	struct region_bucket *b;
	struct region *r;

	if (!regions || !tdps_wants(TDPS_D1) || !READ_ONCE(tdps_live))
		return;
	if (!is_tracked())
		return;
	b = bucket_of(vm, base);
	guard(raw_spinlock_irqsave)(&b->lock);
	/* a change since may have been this very leaf's: is the bit still there? */
	if (b->changed > token || READ_ONCE(forgotten) > token)
		return;
	r = find_region(b, vm, base);
	if (!r) {
		r = &b->way[b->next++ % REGION_WAYS];
		*r = (struct region) { .vm = vm, .base = base };
	}
	__set_bit(gfn - base, r->dirty);
	r->seq = tick();
}

/* Bits of one region; true if one of them was known to be set before @token. */
static bool take_bits(u64 vm, u64 base, u64 first, u64 count, bool keep, u64 token)
{
	struct region_bucket *b = bucket_of(vm, base);
	struct region *r;
	bool known;

	guard(raw_spinlock_irqsave)(&b->lock);
	if (!keep)
		b->changed = tick();
	r = find_region(b, vm, base);
	if (!r)
		return false;
	known = r->seq <= token && r->seq > READ_ONCE(forgotten) &&
		find_next_bit(r->dirty, first + count, first) < first + count;
	if (!keep)
		bitmap_clear(r->dirty, first, count);
	return known;
}

/**
 * dirty_spte() - D1: a leaf of a direct root was changed
 * @c: the change
 * @f: the operation, or NULL if it is not known
 *
 * Only a change under mmu_lock held for write is judged, by an operation that
 * began when the bit was surely set. Under the shared lock two changes of one
 * leaf may be seen here in the wrong order. With two direct roots nobody knows
 * in which of them the bit was set.
 */
void dirty_spte(const struct tdps_change *c, const struct tdps_frame *f)
{
	const struct tdps_where *w = &c->where;
	u64 count = 1ULL << ((w->level - 1) * REGION_SHIFT), gfn = w->gfn, n;
	bool keep = c->new_spte.leaf && c->new_spte.dirty;
	bool known = false;

	if (!regions || w->level < 1 || w->level > 3)
		return;
	if (!is_told()) {
		smp_mb();	/* the leaf's write, then this; pairs with is_tracked() */
		if (!is_told())
			return;
	}
	if (!f) {
		/* whose leaf it was is not known: it may have been any */
		WRITE_ONCE(forgotten, tick());
		return;
	}
	for (; count; count -= n, gfn += n) {
		n = min(count, REGION_GFNS - (gfn & (REGION_GFNS - 1)));
		known |= take_bits(w->vm, gfn & ~(REGION_GFNS - 1), gfn & (REGION_GFNS - 1), n,
				   keep, f->token);
	}
	if (!known || w->lock != TDPS_LOCK_WRITE || !tdps_checking(TDPS_D1))
		return;
	if (!c->old_spte.dirty && c->alone)
		tdps_violation(TDPS_D1, w,
			       "dirty bit set by the guest's CPU was lost: 0x%llx -> 0x%llx",
			       c->old_spte.raw, c->new_spte.raw);
}

/* --- dirty logs --- */

/*
 * A write that began after a harvest had ended and was complete before the next
 * one began must be in the latter. One that overlaps a harvest must be in that
 * one or the next. More may be reported, always.
 */
struct dirty_log {
	raw_spinlock_t lock;
	u64 vm;			/* 0: gone, to be freed */
	u64 start;
	u64 npages;
	u64 end;		/* of the last harvest */
	u64 prev_end;		/* of the one before */
	bool harvesting;
	size_t bytes;		/* of all bitmaps */
	unsigned long *must;	/* written, due in the next harvest to end */
	unsigned long *during;	/* written while one was in progress */
	unsigned long *last;	/* what the last harvest said */
	unsigned long *missing;	/* what the last harvest should have said */
	unsigned long *marked;	/* KVM marked them since it began */
};

#define LOGS	16

static struct dirty_log __rcu *logs[LOGS];
static DEFINE_MUTEX(logs_lock);

static bool covers(const struct dirty_log *l, u64 vm, u64 gfn)
{
	return READ_ONCE(l->vm) == vm && gfn >= l->start && gfn - l->start < l->npages;
}

/* The log of @gfn; in an RCU read section. */
static struct dirty_log *log_of(u64 vm, u64 gfn)
{
	struct dirty_log *l;
	int i;

	for (i = 0; i < LOGS; i++) {
		l = rcu_dereference(logs[i]);
		if (l && covers(l, vm, gfn))
			return l;
	}
	return NULL;
}

/**
 * tdps_guest_wrote() - a guest write is complete
 * @vm: VM
 * @gfn: GFN without shared bits
 * @token: tdps_token() from before the write
 *
 * Context: any but NMI; the vCPU is still in the guest.
 */
void tdps_guest_wrote(u64 vm, u64 gfn, u64 token)
{
	struct dirty_log *l;
	u64 i;

	if (!tdps_wants(TDPS_D1))
		return;
	guard(rcu)();
	l = log_of(vm, gfn);
	if (!l)
		return;
	i = gfn - l->start;
	guard(raw_spinlock_irqsave)(&l->lock);
	if (token >= l->end)
		__set_bit(i, l->harvesting ? l->during : l->must);
	else if (!l->harvesting && token >= l->prev_end && !test_bit(i, l->last))
		__set_bit(i, l->must);
	/* else it has seen two harvests, and may be in either, or in the next */
}

/**
 * tdps_page_marked() - KVM has noted that a page is dirty
 * @vm: VM
 * @gfn: GFN without shared bits
 *
 * The fast page fault first makes an SPTE writable, then marks the page. Another
 * vCPU may write, and a harvest come and go, between these two steps: then the
 * page is in the next log only, which is as it should be. To be told afterwards, still
 * in the fault's RCU section: what comes later is waited for by tdps_log_end().
 *
 * Context: any but NMI.
 */
void tdps_page_marked(u64 vm, u64 gfn)
{
	struct dirty_log *l;

	guard(rcu)();
	l = log_of(vm, gfn);
	if (l)
		set_bit(gfn - l->start, l->marked);
}

static void free_log(struct dirty_log *l)
{
	tdps_mem_account(-l->bytes);
	vfree(l->must);
	kfree(l);
}

static struct dirty_log *make_log(u64 vm, u64 start, u64 npages)
{
	struct dirty_log *l = kzalloc(sizeof(*l), GFP_KERNEL);
	size_t words = BITS_TO_LONGS(npages);

	if (!l)
		return NULL;
	l->bytes = 5 * words * sizeof(long);
	l->must = vzalloc(l->bytes);
	if (!l->must) {
		kfree(l);
		return NULL;
	}
	tdps_mem_account(l->bytes);
	l->during = l->must + words;
	l->last = l->during + words;
	l->missing = l->last + words;
	l->marked = l->missing + words;
	raw_spin_lock_init(&l->lock);
	l->vm = vm;
	l->start = start;
	l->npages = npages;
	l->end = tick();
	l->prev_end = l->end;
	return l;
}

/* Forget the logs that touch the range, and those of VMs that are gone. */
static void forget_logs(u64 vm, u64 start, u64 npages)
{
	struct dirty_log *gone[LOGS], *l;
	int i, n = 0;

	for (i = 0; i < LOGS; i++) {
		l = rcu_dereference_protected(logs[i], lockdep_is_held(&logs_lock));
		if (!l || (READ_ONCE(l->vm) && (l->vm != vm || l->start >= start + npages ||
						start >= l->start + l->npages)))
			continue;
		RCU_INIT_POINTER(logs[i], NULL);
		gone[n++] = l;
	}
	if (n)
		synchronize_rcu();
	while (n)
		free_log(gone[--n]);
}

/**
 * tdps_log_reset() - logging was switched on, or is about to be switched off
 * @vm: VM
 * @start: first GFN
 * @npages: pages
 * @on: it was switched on
 *
 * Context: may sleep.
 *
 * Return: 0, or -ENOMEM or -ENOSPC: the log is not followed.
 */
int tdps_log_reset(u64 vm, u64 start, u64 npages, bool on)
{
	struct dirty_log *l;
	int i;

	if (!tdps_wants(TDPS_D1))
		return 0;
	guard(mutex)(&logs_lock);
	forget_logs(vm, start, npages);
	if (!on || !npages)
		return 0;
	for (i = 0; i < LOGS; i++)
		if (!rcu_access_pointer(logs[i]))
			break;
	if (i == LOGS) {
		tdps_count(missed);
		return -ENOSPC;
	}
	l = make_log(vm, start, npages);
	if (!l) {
		tdps_count(missed);
		return -ENOMEM;
	}
	rcu_assign_pointer(logs[i], l);
	return 0;
}

static struct dirty_log *log_exactly(u64 vm, u64 start, u64 npages)
{
	struct dirty_log *l;
	int i;

	lockdep_assert_held(&logs_lock);
	for (i = 0; i < LOGS; i++) {
		l = rcu_dereference_protected(logs[i], lockdep_is_held(&logs_lock));
		if (l && READ_ONCE(l->vm) == vm && l->start == start && l->npages == npages)
			return l;
	}
	return NULL;
}

/**
 * tdps_log_begin() - a harvest of a dirty log begins
 * @vm: VM
 * @start: first GFN
 * @npages: pages
 *
 * Context: may sleep.
 */
void tdps_log_begin(u64 vm, u64 start, u64 npages)
{
	struct dirty_log *l;

	guard(mutex)(&logs_lock);
	l = log_exactly(vm, start, npages);
	if (!l)
		return;
	guard(raw_spinlock_irqsave)(&l->lock);
	tick();
	l->harvesting = true;
	bitmap_zero(l->marked, npages);
}

/* Nobody knows what was in the log: start anew. */
static void harvest_failed(struct dirty_log *l)
{
	guard(raw_spinlock_irqsave)(&l->lock);
	bitmap_zero(l->must, l->npages);
	bitmap_zero(l->during, l->npages);
	l->end = tick();
	l->prev_end = l->end;
	l->harvesting = false;
}

/* What the log should have named and did not; the pages for the next one. */
static bool compare(struct dirty_log *l, const unsigned long *bitmap)
{
	u64 bit, n = l->npages;
	bool checked;

	guard(raw_spinlock_irqsave)(&l->lock);
	checked = !bitmap_empty(l->must, n);
	bitmap_andnot(l->missing, l->must, bitmap, n);
	if (tdps_planted(TDPS_D1)) {
		for_each_andnot_bit(bit, l->must, l->marked, n) {
			__set_bit(bit, l->missing);
			break;
		}
	}
	bitmap_andnot(l->must, l->during, bitmap, n);
	bitmap_zero(l->during, n);
	bitmap_copy(l->last, bitmap, n);
	l->prev_end = l->end;
	l->end = tick();
	l->harvesting = false;
	return checked;
}

/**
 * tdps_log_end() - a dirty log was harvested
 * @vm: VM
 * @start: first GFN
 * @npages: pages
 * @bitmap: the log; NULL: it could not be had
 *
 * Context: may sleep.
 */
void tdps_log_end(u64 vm, u64 start, u64 npages, const unsigned long *bitmap)
{
	struct tdps_where w = { .vm = vm, .level = 1 };
	struct dirty_log *l;
	u64 n, first;

	guard(mutex)(&logs_lock);
	l = log_exactly(vm, start, npages);
	if (!l || !l->harvesting)
		return;
	if (!bitmap) {
		harvest_failed(l);
		return;
	}
	if (!compare(l, bitmap) || !READ_ONCE(tdps_live) || !tdps_checking(TDPS_D1))
		return;
	if (bitmap_empty(l->missing, npages))
		return;
	/* who has made an SPTE writable without a lock has by then marked its page */
	synchronize_rcu();
	bitmap_andnot(l->missing, l->missing, l->marked, npages);
	n = bitmap_weight(l->missing, npages);
	if (!n)
		return;
	first = find_first_bit(l->missing, npages);
	w.gfn = start + first;
	tdps_violation(TDPS_D1, &w,
		       "dirty log of gfn 0x%llx to 0x%llx lacks %llu pages that the guest wrote",
		       start, start + npages, n);
}

/* --- life --- */

/* The VM is gone; its number may come back. */
void dirty_vm_gone(u64 vm)
{
	struct dirty_log *l;
	int i, way;

	if (!regions)
		return;
	for (i = 0; i < 1 << REGION_BITS; i++) {
		guard(raw_spinlock_irqsave)(&regions[i].lock);
		for (way = 0; way < REGION_WAYS; way++)
			if (regions[i].way[way].vm == vm)
				regions[i].way[way].vm = 0;
	}
	guard(rcu)();
	for (i = 0; i < LOGS; i++) {
		l = rcu_dereference(logs[i]);
		if (l && READ_ONCE(l->vm) == vm)
			WRITE_ONCE(l->vm, 0);
	}
}

int dirty_init(void)
{
	int i;

	regions = vzalloc(sizeof(*regions) << REGION_BITS);
	if (!regions)
		return -ENOMEM;
	for (i = 0; i < 1 << REGION_BITS; i++)
		raw_spin_lock_init(&regions[i].lock);
	told = NOT_TOLD;
	forgotten = 0;
	tdps_mem_account(sizeof(*regions) << REGION_BITS);
	return 0;
}

void dirty_exit(void)
{
	struct dirty_log *l;
	int i;

	for (i = 0; i < LOGS; i++) {
		l = rcu_dereference_protected(logs[i], true);
		RCU_INIT_POINTER(logs[i], NULL);
		if (l)
			free_log(l);
	}
	vfree(regions);
	regions = NULL;
}
