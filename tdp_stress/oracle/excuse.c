// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on purpose: VMs into which somebody has injected what KVM cannot remedy, and
 * statuses that SEAMCALLs return because of it. What follows is no violation. Knows
 * what was injected, not by whom.
 */
#include <linux/timekeeping.h>

#include "oracle.h"

/* What a failed external operation brings with it; not how KVM locks and waits. */
#define EXCUSED	(BIT(TDPS_F4) | BIT(TDPS_S1) | BIT(TDPS_X1) | BIT(TDPS_X2) | BIT(TDPS_X3) | \
		 BIT(TDPS_X4) | BIT(TDPS_Z1) | BIT(TDPS_A1) | BIT(TDPS_SPLAT))

/* A call may be on its way when its injection ends. */
#define LINGER_NS	NSEC_PER_SEC

/* Once there is no more room, all VMs are excused: rather too much than a false alarm. */
static u64 vms[16];
static bool too_many;
static bool any;	/* pages may be lost for good: nobody is left to be asked */

static struct injected {
	u64 status;
	u64 until;	/* monotonic ns; U64_MAX: still being injected */
} injected[TDPS_NR_CALLS];

void tdps_excuse_init(void)
{
	memset(vms, 0, sizeof(vms));
	memset(injected, 0, sizeof(injected));
	too_many = false;
	any = false;
}

static bool is_excused(u64 vm)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(vms); i++)
		if (READ_ONCE(vms[i]) == vm)
			return true;
	return READ_ONCE(too_many);
}

void tdps_excuse(u64 vm)
{
	int i;

	WRITE_ONCE(any, true);
	if (!vm || is_excused(vm))
		return;
	for (i = 0; i < ARRAY_SIZE(vms); i++)
		if (!cmpxchg64(&vms[i], 0, vm))
			return;
	WRITE_ONCE(too_many, true);
}

/* Its number may come back, as another VM's. */
void tdps_excuse_gone(u64 vm)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(vms); i++)
		cmpxchg64(&vms[i], vm, 0);
}

/**
 * tdps_excused() - does a violation follow from a failure on purpose?
 * @id: which
 * @w: where
 *
 * Context: any.
 *
 * Return: true: it is not one.
 */
bool tdps_excused(enum tdps_check id, const struct tdps_where *w)
{
	if (!READ_ONCE(any) || !(EXCUSED & BIT(id)))
		return false;
	return w->vm ? is_excused(w->vm) : id == TDPS_A1;
}

void tdps_injecting(enum tdps_call call, u64 status)
{
	struct injected *i = &injected[call];

	if (!status) {
		if (READ_ONCE(i->until) == U64_MAX)
			WRITE_ONCE(i->until, ktime_get_mono_fast_ns() + LINGER_NS);
		return;
	}
	WRITE_ONCE(i->status, status);
	WRITE_ONCE(i->until, U64_MAX);
}

/**
 * tdps_was_injected() - was a SEAMCALL made to fail?
 * @c: a call that has failed, and that KVM does not just repeat
 *
 * Excuses its VM.
 *
 * Context: any.
 *
 * Return: true: its status is nobody's fault.
 */
bool tdps_was_injected(const struct tdps_seamcall *c)
{
	const struct injected *i = &injected[c->call];
	struct tdps_frame *f;

	/* of BUSY the module fills in which operand */
	if (!READ_ONCE(i->status) || c->status >> 32 != READ_ONCE(i->status) >> 32 ||
	    ktime_get_mono_fast_ns() > READ_ONCE(i->until))
		return false;
	f = tdps_ctx_frame(tdps_ctx_current());
	tdps_excuse(c->where.vm ?: f ? f->vm : 0);
	return true;
}
