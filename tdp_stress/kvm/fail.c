// SPDX-License-Identifier: GPL-2.0
/*
 * External operations that fail on purpose: one rule for each kind, of the file that
 * was first. Knows no KVM type; what a failure means is the oracles' to know.
 */
#include <linux/hash.h>
#include <linux/mutex.h>

#include "fail.h"

#define NR_KINDS	TDPS_EXT_FREE	/* all but that, which cannot fail */

static_assert((int)TDP_STRESS_EXTOP_MAP == (int)TDPS_EXT_MAP);
static_assert((int)TDP_STRESS_EXTOP_LINK == (int)TDPS_EXT_LINK);
static_assert((int)TDP_STRESS_EXTOP_REMOVE == (int)TDPS_EXT_REMOVE);
static_assert((int)TDP_STRESS_EXTOP_SPLIT == (int)TDPS_EXT_SPLIT);
static_assert((int)TDP_STRESS_EXTOP_PROMOTE == (int)TDPS_EXT_PROMOTE);
static_assert((int)TDP_STRESS_EXTOP_OTHER == (int)TDPS_EXT_OTHER);
static_assert((int)TDP_STRESS_EXTOP_FREE == (int)TDPS_EXT_FREE);

/**
 * struct fail_rule - when operations of a kind fail
 * @owner: the open file; NULL: there is no rule
 * @mode: enum tdp_stress_inject_mode; written last, OFF first
 * @vm: VM, 0: any
 * @value: see enum tdp_stress_inject_mode
 * @err: errno, positive
 * @calls: calls seen
 * @fired: of these, calls that were made to fail
 */
struct fail_rule {
	const void *owner;
	u32 mode;
	u64 vm;
	u32 value;
	int err;
	atomic64_t calls;
	atomic64_t fired;
};

DEFINE_STATIC_KEY_FALSE(tdps_failing);

static struct fail_rule rules[NR_KINDS];
static DEFINE_MUTEX(rules_mutex);	/* setting and undoing */
static atomic_t live;
static atomic64_t fired_ever;

static bool fires(const struct fail_rule *r, u32 mode, u64 call)
{
	u32 value = READ_ONCE(r->value);

	switch (mode) {
	case TDP_STRESS_INJECT_RANDOM:
		/* the same calls in the same run, whoever makes them */
		return !(hash_64(call, 32) % value);
	case TDP_STRESS_INJECT_NTH:
		return call % value == 0;
	case TDP_STRESS_INJECT_BURST:
		return call <= value;
	case TDP_STRESS_INJECT_ONCE:
		return call == value;
	default:
		return false;
	}
}

int __tdps_fail(enum tdps_extop_kind kind, u64 vm)
{
	struct fail_rule *r;
	u32 mode;

	if (kind >= NR_KINDS)
		return 0;
	r = &rules[kind];
	/* pairs with tdps_fail_set() */
	mode = smp_load_acquire(&r->mode);
	if (mode == TDP_STRESS_INJECT_OFF || (READ_ONCE(r->vm) && READ_ONCE(r->vm) != vm) ||
	    !fires(r, mode, atomic64_inc_return(&r->calls)))
		return 0;
	atomic64_inc(&r->fired);
	atomic64_inc(&fired_ever);
	return -READ_ONCE(r->err);
}

/* What it came to; then there is none. */
static void undo(struct fail_rule *r, u64 *calls, u64 *fired)
{
	/* before what it came to is read */
	smp_store_release(&r->mode, TDP_STRESS_INJECT_OFF);
	*calls += atomic64_read(&r->calls);
	*fired += atomic64_read(&r->fired);
	if (!r->owner)
		return;
	r->owner = NULL;
	atomic_dec(&live);
	static_branch_dec(&tdps_failing);
}

/**
 * tdps_fail_set() - set the rule of a kind of external operation
 * @owner: the open file
 * @vm: VM, 0: any
 * @i: what is wanted, checked; @calls and @fired of the rule before are filled in
 *
 * Context: may sleep.
 *
 * Return: 0; -EBUSY: it is another file's.
 */
int tdps_fail_set(const void *owner, u64 vm, struct tdp_stress_inject *i)
{
	struct fail_rule *r = &rules[i->what];

	guard(mutex)(&rules_mutex);
	if (r->owner && r->owner != owner)
		return -EBUSY;
	undo(r, &i->calls, &i->fired);
	atomic64_set(&r->calls, 0);
	atomic64_set(&r->fired, 0);
	if (i->mode == TDP_STRESS_INJECT_OFF)
		return 0;
	r->owner = owner;
	WRITE_ONCE(r->vm, vm);
	WRITE_ONCE(r->value, i->value);
	WRITE_ONCE(r->err, i->status);
	atomic_inc(&live);
	static_branch_inc(&tdps_failing);
	/* pairs with __tdps_fail() */
	smp_store_release(&r->mode, i->mode);
	return 0;
}

void tdps_fail_reset(const void *owner, u64 *calls, u64 *fired)
{
	int i;

	guard(mutex)(&rules_mutex);
	for (i = 0; i < NR_KINDS; i++) {
		if (rules[i].owner != owner)
			continue;
		undo(&rules[i], calls, fired);
		atomic64_set(&rules[i].calls, 0);
		atomic64_set(&rules[i].fired, 0);
	}
}

/* Its number may come back, as another VM's: a rule for it never applies again. */
void tdps_fail_vm_gone(u64 vm)
{
	int i;

	for (i = 0; i < NR_KINDS; i++)
		cmpxchg64(&rules[i].vm, vm, U64_MAX);
}

u32 tdps_fails_live(void)
{
	return atomic_read(&live);
}

u64 tdps_fails_fired(void)
{
	return atomic64_read(&fired_ever);
}
