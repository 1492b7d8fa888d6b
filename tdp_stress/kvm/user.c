// SPDX-License-Identifier: GPL-2.0
/*
 * User space's commands about VMs: what a file descriptor stands for, what an open
 * file has configured, injection, holding points. Operations are op.c's, walks look.c's.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/static_call.h>
#include <linux/string.h>

#include "../core/view.h"
#include "fail.h"
#include "flight.h"
#include "hold.h"
#include "kvm.h"
#include "user_vm.h"

DEFINE_STATIC_CALL_NULL(tdps_file_is_kvm, file_is_kvm);

/**
 * struct tdps_user - what an open file has configured
 * @seamcalls: leafs that it has set a rule for, by number
 *
 * Holding points and external operations are found by its address.
 */
struct tdps_user {
	DECLARE_BITMAP(seamcalls, USER_NR_LEAFS);
};

static_assert((int)TDP_STRESS_INJECT_OFF == (int)TDXM_INJECT_OFF);
static_assert((int)TDP_STRESS_INJECT_RANDOM == (int)TDXM_INJECT_RANDOM);
static_assert((int)TDP_STRESS_INJECT_NTH == (int)TDXM_INJECT_NTH);
static_assert((int)TDP_STRESS_INJECT_BURST == (int)TDXM_INJECT_BURST);
static_assert((int)TDP_STRESS_INJECT_ONCE == (int)TDXM_INJECT_ONCE);
static_assert((int)TDP_STRESS_INJECT_COUNT == (int)TDXM_INJECT_COUNT);

static atomic_t open_files;

static void say_bad(struct va_format *vaf)
{
	/* whoever tries a million things wants no million lines, nor to hear of that */
	static struct ratelimit_state few =
		RATELIMIT_STATE_INIT_FLAGS(few, 5 * HZ, 10, RATELIMIT_MSG_ON_RELEASE);

	if (__ratelimit(&few))
		pr_err("ioctl: %pV\n", vaf);
}

void tdps_user_err(const char *fmt, ...)
{
	struct va_format vaf = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	vaf.va = &args;
	say_bad(&vaf);
	va_end(args);
}

/* --- VMs --- */

/**
 * user_get_kvm() - the VM behind a file descriptor
 * @fd: file descriptor
 * @kvm: out: the VM, for as long as the file is kept
 *
 * Return: its file, or ERR_PTR(): -EBADF, -ENXIO.
 */
struct file *user_get_kvm(int fd, struct kvm **kvm)
{
	struct file *file = fget(fd);

	if (!file) {
		tdps_user_err("vm_fd: file descriptor %d is not open", fd);
		return ERR_PTR(-EBADF);
	}
	if (!static_call(tdps_file_is_kvm)(file)) {
		tdps_user_err("vm_fd: file descriptor %d is no VM of KVM's", fd);
		fput(file);
		return ERR_PTR(-ENXIO);
	}
	*kvm = file->private_data;
	return file;
}

/**
 * user_get_vm() - likewise, a VM with mirror roots
 * @fd: file descriptor
 * @kvm: out: the VM, for as long as the file is kept
 *
 * Return: its file, or ERR_PTR(): -EBADF, -ENXIO, -EPROTOTYPE.
 */
struct file *user_get_vm(int fd, struct kvm **kvm)
{
	struct file *file = user_get_kvm(fd, kvm);

	if (IS_ERR(file))
		return file;
	if (tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL ? tdps_external_owns(*kvm) :
							   tdps_watched(*kvm))
		return file;
	tdps_user_err("vm_fd: VM %d has no mirror roots: adopt it (TDP_STRESS_ADOPT_VM), or make a TD",
		      fd);
	fput(file);
	return ERR_PTR(-EPROTOTYPE);
}

/**
 * user_bad_range() - is a GFN range one that a VM can have?
 * @kvm: VM
 * @gfn: first page
 * @nr: pages
 *
 * Return: 0, or -EINVAL.
 */
int user_bad_range(struct kvm *kvm, u64 gfn, u64 nr)
{
	u64 end = kvm_gfn_direct_bits(kvm);

	if (nr && gfn < end && nr <= end - gfn)
		return 0;
	tdps_user_err("gfn 0x%llx, nr 0x%llx: at least one page, below gfn 0x%llx, is wanted",
		      gfn, nr, end);
	return -EINVAL;
}

/* --- SEAMCALLs that fail --- */

static struct tdps_user *seamcall_owner[USER_NR_LEAFS];
static atomic_t seamcalls_live;
static atomic64_t seamcalls_fired;
static DEFINE_MUTEX(seamcall_mutex);	/* @seamcall_owner, and what is set for it */

/* What the wrappers in the kernel call it, or TDPS_NR_CALLS. */
static enum tdps_call call_of_leaf(u32 leaf)
{
	const char *name = tdxm_leaf_name(leaf);
	int call;

	for (call = 0; name && call < TDPS_NR_CALLS; call++)
		if (!strcmp(tdps_call_name(call), name))
			return call;
	return TDPS_NR_CALLS;
}

static void tell_oracles(u32 leaf, u64 status)
{
	enum tdps_call call = call_of_leaf(leaf);

	if (call < TDPS_NR_CALLS)
		tdps_injecting(call, status);
}

/* seamcall_mutex held; the leaf's rule is @u's, or will be. */
static int set_seamcall(struct tdps_user *u, u32 leaf, u64 status, u32 mode, u32 value,
			u64 *calls, u64 *fired)
{
	u64 was_calls, was_fired;
	int err = tdps_view->inject_seen(leaf, &was_calls, &was_fired);

	if (err)
		return err;
	/* before the first one fails */
	if (status)
		tell_oracles(leaf, status);
	err = tdps_view->inject(leaf, status, (enum tdxm_inject_mode)mode, value);
	if (err || !status)
		tell_oracles(leaf, 0);
	if (err)
		return err;
	if (seamcall_owner[leaf]) {
		*calls += was_calls;
		*fired += was_fired;
		atomic64_add(was_fired, &seamcalls_fired);
	}
	if (!seamcall_owner[leaf] && mode != TDP_STRESS_INJECT_OFF) {
		seamcall_owner[leaf] = u;
		set_bit(leaf, u->seamcalls);
		atomic_inc(&seamcalls_live);
	} else if (seamcall_owner[leaf] && mode == TDP_STRESS_INJECT_OFF) {
		seamcall_owner[leaf] = NULL;
		clear_bit(leaf, u->seamcalls);
		atomic_dec(&seamcalls_live);
	}
	return 0;
}

static void reset_seamcalls(struct tdps_user *u, u64 *calls, u64 *fired)
{
	unsigned long leaf;

	guard(mutex)(&seamcall_mutex);
	for_each_set_bit(leaf, u->seamcalls, USER_NR_LEAFS)
		set_seamcall(u, leaf, 0, TDP_STRESS_INJECT_OFF, 0, calls, fired);
}

static int inject_seamcall(struct tdps_user *u, struct tdp_stress_inject *i)
{
	int err;

	if (!tdps_view) {
		tdps_user_err("kind SEAMCALL: the TDX module is real, or there is none");
		return -EOPNOTSUPP;
	}
	if (i->what >= USER_NR_LEAFS || !tdxm_leaf_name(i->what) || i->vm_fd != -1) {
		tdps_user_err("SEAMCALL: what %u must be a leaf's number, and vm_fd %d must be -1",
			      i->what, i->vm_fd);
		return -EINVAL;
	}
	guard(mutex)(&seamcall_mutex);
	if (seamcall_owner[i->what] && seamcall_owner[i->what] != u) {
		tdps_user_err("%s: another open file has set it", tdxm_leaf_name(i->what));
		return -EBUSY;
	}
	err = set_seamcall(u, i->what, i->status, i->mode, i->value, &i->calls, &i->fired);
	if (err)
		tdps_user_err("%s: the emulated TDX module does not take mode %u, value %u, status 0x%llx (%d)",
			      tdxm_leaf_name(i->what), i->mode, i->value, i->status, err);
	return err;
}

/* --- external operations that fail --- */

static int inject_extop(struct tdps_user *u, struct tdp_stress_inject *i)
{
	struct file *file = NULL;
	struct kvm *kvm = NULL;
	int err;

	if (!TDPS_MIRROR_ROOTS) {
		tdps_user_err("kind EXTOP: this KVM has no external operations");
		return -EOPNOTSUPP;
	}
	if (i->what >= TDP_STRESS_EXTOP_FREE) {
		tdps_user_err("EXTOP: what %u must be 0 to %u", i->what,
			      TDP_STRESS_EXTOP_FREE - 1);
		return -EINVAL;
	}
	if (i->status && i->status != EBUSY && i->status != EIO) {
		tdps_user_err("EXTOP: status %llu must be %d (EBUSY) or %d (EIO)", i->status,
			      EBUSY, EIO);
		return -EINVAL;
	}
	if (i->vm_fd != -1) {
		file = user_get_vm(i->vm_fd, &kvm);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	err = tdps_fail_set(u, kvm ? tdps_vm_id(kvm) : 0, i);
	if (err)
		tdps_user_err("EXTOP %u: another open file has set it", i->what);
	if (file)
		fput(file);
	return err;
}

#define MAX_BURST	1000	/* more than KVM repeats without a look at signals */

static int check_inject(const struct tdp_stress_inject *i)
{
	bool none = i->mode == TDP_STRESS_INJECT_OFF || i->mode == TDP_STRESS_INJECT_COUNT;
	u32 least = 1, most = U32_MAX;

	if (i->flags || i->reserved || i->kind > TDP_STRESS_INJECT_RESET ||
	    i->mode > TDP_STRESS_INJECT_COUNT) {
		tdps_user_err("inject: flags 0x%x and reserved 0x%x must be 0, kind %u at most %u, mode %u at most %u",
			      i->flags, i->reserved, i->kind, TDP_STRESS_INJECT_RESET, i->mode,
			      TDP_STRESS_INJECT_COUNT);
		return -EINVAL;
	}
	if (i->kind == TDP_STRESS_INJECT_RESET) {
		if (!i->mode && !i->what && !i->value && !i->status && !i->vm_fd)
			return 0;
		tdps_user_err("inject: RESET takes nothing else");
		return -EINVAL;
	}
	if (none) {
		least = 0;
		most = 0;
	} else if (i->mode == TDP_STRESS_INJECT_BURST) {
		most = MAX_BURST;
	} else if (i->mode != TDP_STRESS_INJECT_ONCE) {
		least = 2;
	}
	if (i->value < least || i->value > most || !i->status != none) {
		tdps_user_err("inject: mode %u wants a value from %u to %u, not %u, and %s status",
			      i->mode, least, most, i->value, none ? "no" : "a");
		return -EINVAL;
	}
	return 0;
}

long tdps_user_inject(struct tdps_user *u, void *arg)
{
	struct tdp_stress_inject *i = arg;
	int err = check_inject(i);

	if (err)
		return err;
	i->calls = 0;
	i->fired = 0;
	switch (i->kind) {
	case TDP_STRESS_INJECT_SEAMCALL:
		return inject_seamcall(u, i);
	case TDP_STRESS_INJECT_EXTOP:
		return inject_extop(u, i);
	default:
		reset_seamcalls(u, &i->calls, &i->fired);
		tdps_fail_reset(u, &i->calls, &i->fired);
		return 0;
	}
}

/* --- holding points --- */

static u32 kinds_of(u32 point)
{
	switch (point) {
	case TDP_STRESS_POINT_OP_BEGIN:
	case TDP_STRESS_POINT_OP_END:
		return BIT(TDP_STRESS_MMU_LAST_SPTEP + 1) - 1;
	case TDP_STRESS_POINT_EXT_BEGIN:
	case TDP_STRESS_POINT_EXT_END:
		return BIT(TDP_STRESS_EXTOP_FREE + 1) - 1;
	default:
		return 0;
	}
}

static u64 possible_points(void)
{
	u64 ext = BIT_ULL(TDP_STRESS_POINT_EXT_BEGIN) | BIT_ULL(TDP_STRESS_POINT_EXT_END);
	u64 all = BIT_ULL(TDP_STRESS_POINT_FLUSH + 1) - 1;

	/* without checks KVM is not followed, but for what it asks the backend */
	if (!tdps_enabled)
		return TDPS_MIRROR_ROOTS && tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL ? ext : 0;
	return TDPS_MIRROR_ROOTS ? all : all & ~ext;
}

/*
 * A thread that is held is no violation of F1 and P1. What the kernel's own watchdogs
 * allow, 20 s by default, is for those to widen who widen these.
 */
static u32 max_hold_ms(void)
{
	u64 ns = min(tdps_limits.frozen_max_ns, tdps_limits.progress_ns);

	return max(1, div_u64(ns * 4 / 5, NSEC_PER_MSEC));
}

static int check_hold(const struct tdp_stress_hold *h)
{
	u32 kinds;

	if (h->flags || h->reserved || h->point > TDP_STRESS_POINT_FLUSH) {
		tdps_user_err("hold: flags 0x%x and reserved 0x%x must be 0, point %u at most %u",
			      h->flags, h->reserved, h->point, TDP_STRESS_POINT_FLUSH);
		return -EINVAL;
	}
	kinds = kinds_of(h->point);
	if (h->kinds & ~kinds || h->level > PT64_ROOT_MAX_LEVEL || !h->hold_ms ||
	    h->hold_ms > max_hold_ms()) {
		tdps_user_err("hold: kinds 0x%x must be of 0x%x, level %u at most %u, hold_ms %u 1 to %u",
			      h->kinds, kinds, h->level, PT64_ROOT_MAX_LEVEL, h->hold_ms,
			      max_hold_ms());
		return -EINVAL;
	}
	if (h->point == TDP_STRESS_POINT_FLUSH && (h->gfn || h->nr || h->level)) {
		tdps_user_err("hold: FLUSH has no gfn, nr and level");
		return -EINVAL;
	}
	if (h->level && (h->point == TDP_STRESS_POINT_OP_BEGIN ||
			 h->point == TDP_STRESS_POINT_OP_END)) {
		tdps_user_err("hold: an operation has no level");
		return -EINVAL;
	}
	return 0;
}

long tdps_user_hold(struct tdps_user *u, void *arg)
{
	struct tdp_stress_hold *h = arg;
	struct file *file;
	struct kvm *kvm;
	int err = check_hold(h);

	if (err)
		return err;
	file = user_get_vm(h->vm_fd, &kvm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (!(possible_points() & BIT_ULL(h->point))) {
		tdps_user_err("hold: no thread comes by point %u: this module runs with oracles=none",
			      h->point);
		err = -EOPNOTSUPP;
	} else if (h->gfn || h->nr) {
		err = user_bad_range(kvm, h->gfn, h->nr);
	}
	if (!err) {
		err = tdps_hold_arm(u, tdps_vm_id(kvm), h);
		if (err)
			tdps_user_err("hold: %u holding points on one file are the most",
				      TDPS_MAX_HOLDS);
	}
	fput(file);
	return err;
}

#define MAX_WAIT_MS	600000

long tdps_user_hold_wait(struct tdps_user *u, void *arg)
{
	struct tdp_stress_hold_wait *w = arg;
	unsigned long end;
	int err;

	if (w->flags || w->reserved || w->timeout_ms > MAX_WAIT_MS) {
		tdps_user_err("hold wait: flags 0x%x and reserved 0x%x must be 0, timeout_ms %u at most %u",
			      w->flags, w->reserved, w->timeout_ms, MAX_WAIT_MS);
		return -EINVAL;
	}
	/* who comes cannot wake anybody: KVM's locks are held */
	for (end = jiffies + msecs_to_jiffies(w->timeout_ms);;) {
		err = tdps_hold_look(u, w);
		if (err) {
			tdps_user_err("hold wait: this file has no holding point %u", w->id);
			return err;
		}
		if (w->state != TDP_STRESS_HOLD_ARMED)
			return 0;
		if (time_after_eq(jiffies, end))
			return -ETIMEDOUT;
		if (signal_pending(current))
			return -EINTR;
		schedule_timeout_interruptible(1);
	}
}

long tdps_user_hold_release(struct tdps_user *u, void *arg)
{
	struct tdp_stress_hold_release *r = arg;
	int err;

	if (r->flags) {
		tdps_user_err("hold release: flags 0x%x must be 0", r->flags);
		return -EINVAL;
	}
	err = tdps_hold_release(u, r);
	if (err)
		tdps_user_err("hold release: this file has no holding point %u", r->id);
	return err;
}

/* --- life --- */

struct tdps_user *tdps_user_open(void)
{
	struct tdps_user *u = kzalloc(sizeof(*u), GFP_KERNEL);

	if (u)
		atomic_inc(&open_files);
	return u;
}

void tdps_user_close(struct tdps_user *u)
{
	u64 calls = 0, fired = 0;

	/* held threads first: others may wait for them */
	tdps_hold_release_all(u);
	reset_seamcalls(u, &calls, &fired);
	tdps_fail_reset(u, &calls, &fired);
	atomic_dec(&open_files);
	kfree(u);
}

void tdps_user_query(struct tdp_stress_query *q)
{
	q->points = possible_points();
	q->nr_points = TDP_STRESS_POINT_FLUSH + 1;
	if (tdps_view) {
		q->injects |= BIT_ULL(TDP_STRESS_INJECT_SEAMCALL);
		q->features |= TDP_STRESS_FEATURE_SEPT;
	}
	if (TDPS_MIRROR_ROOTS) {
		q->injects |= BIT_ULL(TDP_STRESS_INJECT_EXTOP);
		q->features |= TDP_STRESS_FEATURE_MIRROR;
	}
	q->injects |= BIT_ULL(TDP_STRESS_INJECT_RESET);
	q->max_holds = TDPS_MAX_HOLDS;
	q->max_hold_ms = max_hold_ms();
	q->max_walk = USER_MAX_WALK;
	q->live_holds = tdps_holds_live();
	q->live_injects = tdps_fails_live() + atomic_read(&seamcalls_live);
	q->live_vms = tdps_external_live();
	if (tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL)
		q->backend = TDP_STRESS_BACKEND_EXTERNAL;
	else
		q->backend = tdps_view ? TDP_STRESS_BACKEND_TDX_EMULATED :
					 TDP_STRESS_BACKEND_TDX_REAL;
	if (tdps_enabled)
		q->features |= TDP_STRESS_FEATURE_CHECKS;
	if (IS_ENABLED(CONFIG_KVM_PROVE_MMU))
		q->features |= TDP_STRESS_FEATURE_PROVE_MMU;
	user_query_ops(q);
}

void tdps_user_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	fn(ctx, "user.files", atomic_read(&open_files));
	fn(ctx, "user.ops", user_ops_done());
	fn(ctx, "user.flights", atomic_read(&tdps_flights));
	fn(ctx, "user.holds", tdps_holds_live());
	fn(ctx, "user.held", tdps_holds_held());
	fn(ctx, "user.injects", tdps_fails_live() + atomic_read(&seamcalls_live));
	fn(ctx, "user.injected", tdps_fails_fired() + atomic64_read(&seamcalls_fired));
}

/**
 * tdps_user_init() - find what the commands need
 *
 * Context: may sleep; KVM has been found and hooked, no command comes yet. Prints why
 * it fails.
 *
 * Return: 0 or -errno.
 */
int tdps_user_init(void)
{
	void *is_kvm = (void *)tdps_lookup("file_is_kvm");

	if (!is_kvm) {
		pr_err("symbol file_is_kvm not found in this kernel's KVM: no %s\n",
		       TDP_STRESS_DEVICE);
		return -ENOENT;
	}
	static_call_update(tdps_file_is_kvm, is_kvm);
	return 0;
}

void tdps_user_exit(void)
{
	tdps_flight_stop();
}
