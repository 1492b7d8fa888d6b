// SPDX-License-Identifier: GPL-2.0
/*
 * What the stub lets another module see (view.h). Only passes on; judges
 * nothing and knows nobody by name.
 */
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>

#include "stub.h"
#include "view.h"

static const struct tdxm_listener __rcu *stub_listener;
static DEFINE_MUTEX(stub_listener_lock);

static int stub_view_sept_read(u64 tdr, u64 gpa, int level, u64 *pa, u8 *state)
{
	return tdxm_sept_read(stub_tdxm, tdr, gpa, level, pa, state);
}

static void stub_view_shared_given_back(u64 tdr, u64 gpa, u64 size)
{
	tdxm_shared_given_back(stub_tdxm, tdr, gpa, size);
}

static int stub_view_listen(const struct tdxm_listener *l)
{
	guard(mutex)(&stub_listener_lock);

	if (l && rcu_access_pointer(stub_listener))
		return -EBUSY;

	rcu_assign_pointer(stub_listener, l);
	/* The trap calls the listener with IRQs off: a grace period waits for it. */
	if (!l)
		synchronize_rcu();
	return 0;
}

static bool stub_view_models_shared_tlb(void)
{
	/* INVEPT is seen only where it traps, that is without VMX. */
	return stub_platform.fake_vmx;
}

static int stub_view_inject(u32 leaf, u64 status, enum tdxm_inject_mode mode, u32 value)
{
	return tdxm_inject(stub_tdxm, leaf, status, mode, value);
}

static int stub_view_inject_seen(u32 leaf, u64 *calls, u64 *fired)
{
	return tdxm_inject_seen(stub_tdxm, leaf, calls, fired);
}

/**
 * stub_view_finding() - pass a finding on
 * @f: the finding
 *
 * Context: any but NMI.
 */
void stub_view_finding(const struct tdxm_finding *f)
{
	const struct tdxm_listener *l;

	guard(rcu)();
	l = rcu_dereference(stub_listener);
	if (l && l->finding)
		l->finding(l->ctx, f);
}

/**
 * stub_view_counters() - all counters, the core's and the stub's own
 * @fn: called with the name and value of each, in a stable order
 * @ctx: passed to @fn
 *
 * Context: stub_tdxm exists.
 */
void stub_view_counters(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	tdxm_for_each_counter(stub_tdxm, fn, ctx);
	fn(ctx, "trap.seamcall", atomic64_read(&stub_trap_stats.seamcall));
	fn(ctx, "trap.invept", atomic64_read(&stub_trap_stats.invept));
	fn(ctx, "trap.invvpid", atomic64_read(&stub_trap_stats.invvpid));
	stub_guest_counters(fn, ctx);
}

const struct tdxm_view tdx_stub_view = {
	.size = sizeof(tdx_stub_view),
	.sept_read = stub_view_sept_read,
	.shared_given_back = stub_view_shared_given_back,
	.listen = stub_view_listen,
	.counters = stub_view_counters,
	.models_shared_tlb = stub_view_models_shared_tlb,
	.inject = stub_view_inject,
	.inject_seen = stub_view_inject_seen,
};
EXPORT_SYMBOL_GPL(tdx_stub_view);
