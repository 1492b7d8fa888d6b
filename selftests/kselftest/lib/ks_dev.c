// SPDX-License-Identifier: GPL-2.0
/*
 * The commands of /dev/tdp_stress (uapi/tdp_stress.h), as calls that return 0 or
 * -errno. Fills in sizes and descriptors; knows nothing of what is asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ks.h"

int ks_dev(struct ks *ks, unsigned long command, void *arg)
{
	return ioctl(ks->dev_fd, command, arg) < 0 ? -errno : 0;
}

static const char * const feature_names[] = {
	"mirror roots", "adoption of VMs", "huge mirror leafs", "split of huge mirror leafs",
	"1G mirror leafs",
	"NX huge pages", "lockdep", "CONFIG_KVM_PROVE_MMU", "CONFIG_PREEMPT", "fail-nth",
	"external entries", "checks", "torture",
};

static const char * const point_names[] = {
	"OP_BEGIN", "OP_END", "EXT_BEGIN", "EXT_END", "SPTE", "FLUSH",
};

static const char * const inject_names[] = { "SEAMCALLs", "external operations" };

/* The lowest of the bits, by its name. */
static const char *lack(struct ks *ks, const char *what, u64 missing, const char * const *names,
			int nr)
{
	int bit = __builtin_ctzll(missing);

	snprintf(ks->text, sizeof(ks->text), "tdp_stress.ko has %s %s here",
		 what, bit < nr ? names[bit] : "of another number");
	return ks->text;
}

/* Why an operation cannot be done: the module knows. */
static const char *lack_op(struct ks *ks, u64 missing)
{
	struct tdp_stress_query_op q = { .size = sizeof(q), .op = __builtin_ctzll(missing) };
	int ret = ks_dev(ks, TDP_STRESS_QUERY_OP, &q);

	snprintf(ks->text, sizeof(ks->text), "operation %s: %s",
		 ret ? "unknown" : q.name, ret ? strerror(-ret) : q.why);
	return ks->text;
}

/**
 * ks_lacks() - is everything there that a test needs?
 * @ks: the test
 * @features: TDP_STRESS_FEATURE_*
 * @ops: a bit for each enum tdp_stress_op_nr
 * @points: a bit for each enum tdp_stress_point
 * @injects: a bit for each enum tdp_stress_inject_kind
 *
 * Return: NULL, or why the test has to be skipped
 */
const char *ks_lacks(struct ks *ks, u64 features, u64 ops, u64 points, u64 injects)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	int ret = ks_dev(ks, TDP_STRESS_QUERY, &q);

	if (ret) {
		snprintf(ks->text, sizeof(ks->text), "TDP_STRESS_QUERY: %s", strerror(-ret));
		return ks->text;
	}
	if (features & ~q.features)
		return lack(ks, "no", features & ~q.features, feature_names,
			    ARRAY_SIZE(feature_names));
	if (ops & ~q.ops)
		return lack_op(ks, ops & ~q.ops);
	if (points & ~q.points)
		return lack(ks, "no holding point", points & ~q.points, point_names,
			    ARRAY_SIZE(point_names));
	if (injects & ~q.injects)
		return lack(ks, "no injection into", injects & ~q.injects, inject_names,
			    ARRAY_SIZE(inject_names));
	return NULL;
}

/**
 * ks_op() - do one operation
 * @ks: the test
 * @vm: to what
 * @op: what; its results are filled in
 *
 * Return: 0 if it was done, however it went, or -errno
 */
int ks_op(struct ks *ks, struct td *vm, struct tdp_stress_op *op)
{
	op->size = sizeof(*op);
	op->vm_fd = vm->vm_fd;
	return ks_dev(ks, TDP_STRESS_OP, op);
}

/**
 * ks_walk() - read both tables of a range
 * @ks: the test
 * @vm: of what
 * @roots: TDP_STRESS_ROOTS_*
 * @gfn: first page
 * @nr: pages
 * @flags: TDP_STRESS_WALK_*
 * @entries: filled in
 * @max: its length
 *
 * Return: how many there are (more than @max: the rest did not fit), or -errno
 */
int ks_walk(struct ks *ks, struct td *vm, u32 roots, u64 gfn, u64 nr, u32 flags,
	    struct tdp_stress_entry *entries, u32 max)
{
	struct tdp_stress_walk walk = {
		.size = sizeof(walk),
		.flags = flags,
		.vm_fd = vm->vm_fd,
		.roots = roots,
		.gfn = gfn,
		.nr = nr,
		.entries = (uintptr_t)entries,
		.max = max,
	};
	int ret = ks_dev(ks, TDP_STRESS_WALK, &walk);

	return ret ?: (int)walk.total;
}

/* Arm a holding point, without @hold_ms for as long as may be; returns its ID, or -errno. */
int ks_hold(struct ks *ks, struct td *vm, struct tdp_stress_hold *hold)
{
	struct tdp_stress_query q = { .size = sizeof(q) };
	int ret;

	if (!hold->hold_ms) {
		ret = ks_dev(ks, TDP_STRESS_QUERY, &q);
		if (ret)
			return ret;
		hold->hold_ms = q.max_hold_ms;
	}
	hold->size = sizeof(*hold);
	hold->vm_fd = vm->vm_fd;
	ret = ks_dev(ks, TDP_STRESS_HOLD, hold);
	return ret ?: (int)hold->id;
}

int ks_hold_wait(struct ks *ks, u32 id, u32 timeout_ms, struct tdp_stress_hold_wait *wait)
{
	*wait = (struct tdp_stress_hold_wait) {
		.size = sizeof(*wait), .id = id, .timeout_ms = timeout_ms,
	};
	return ks_dev(ks, TDP_STRESS_HOLD_WAIT, wait);
}

/* Let it go, disarm; returns the state it was in, or -errno. */
int ks_release(struct ks *ks, u32 id)
{
	struct tdp_stress_hold_release arg = { .size = sizeof(arg), .id = id };
	int ret = ks_dev(ks, TDP_STRESS_HOLD_RELEASE, &arg);

	return ret ?: (int)arg.state;
}

static int inject(struct ks *ks, struct tdp_stress_inject *arg)
{
	arg->size = sizeof(*arg);
	return ks_dev(ks, TDP_STRESS_INJECT, arg);
}

/* Let @what fail, of any VM. */
int ks_inject(struct ks *ks, u32 kind, u32 what, u32 mode, u32 value, u64 status)
{
	struct tdp_stress_inject arg = {
		.kind = kind, .mode = mode, .what = what, .value = value, .status = status,
		.vm_fd = -1,
	};

	return inject(ks, &arg);
}

/* Undo one injection: how often it has let @what fail, or -errno. */
s64 ks_injected(struct ks *ks, u32 kind, u32 what)
{
	struct tdp_stress_inject arg = {
		.kind = kind, .mode = TDP_STRESS_INJECT_OFF, .what = what, .vm_fd = -1,
	};
	int ret = inject(ks, &arg);

	return ret ?: (s64)arg.fired;
}

int ks_inject_nothing(struct ks *ks)
{
	struct tdp_stress_inject arg = { .kind = TDP_STRESS_INJECT_RESET };

	return inject(ks, &arg);
}
