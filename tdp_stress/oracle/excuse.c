// SPDX-License-Identifier: GPL-2.0
/*
 * Failures on purpose: VMs into which somebody has injected what KVM cannot remedy, and
 * statuses that SEAMCALLs return because of it. What follows is no violation. Knows
 * what was injected, not by whom.
 */

#include "internal.h"
#include "tracepoints.h"

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

/* Threads whose call was made to fail, for good, and their VMs: the latest of each slot. */
#define FAILED_BITS	4

static struct {
	struct task_struct *task;
	u64 vm;
} failed[1 << FAILED_BITS];

void tdps_excuse_init(void)
{
	memset(failed, 0, sizeof(failed));
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

/* Has tdps_excuse() been told so? 0: of any VM. */
bool tdps_is_excused(u64 vm)
{
	return READ_ONCE(any) && (!vm || is_excused(vm));
}

void tdps_excuse(u64 vm)
{
	int i;

	WRITE_ONCE(any, true);
	if (!vm || is_excused(vm))
		return;
	tdps_trace(excuse, vm);
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
	for (i = 0; i < ARRAY_SIZE(failed); i++)
		cmpxchg64(&failed[i].vm, vm, 0);
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
 * tdps_excused_here() - the VM for which a call of this thread was made to fail
 *
 * A splat may come where no operation of a VM's is under way that it could belong to.
 *
 * Context: any.
 *
 * Return: its number, or 0.
 */
u64 tdps_excused_here(void)
{
	u32 i = hash_ptr(current, FAILED_BITS);

	return READ_ONCE(failed[i].task) == current ? READ_ONCE(failed[i].vm) : 0;
}

/**
 * tdps_say_injected() - tell how a failure on purpose came about, if that is wanted
 * @what: that fails
 * @status: what it answers
 *
 * Context: any where printk() may be called.
 */
void tdps_say_injected(const char *what, u64 status)
{
	if (!READ_ONCE(tdps_verbose))
		return;
	pr_info("tdp_stress: injected: %s answers 0x%llx\n", what, status);
	dump_stack_lvl(KERN_INFO);
}

/* Does this call return what is being injected into it? */
bool tdps_is_injected(const struct tdps_seamcall *c)
{
	const struct injected *i = &injected[c->call];

	if (c->injected)
		return true;
	/* of BUSY the module fills in which operand */
	return c->status && READ_ONCE(i->status) &&
	       c->status >> 32 == READ_ONCE(i->status) >> 32 &&
	       ktime_get_mono_fast_ns() <= READ_ONCE(i->until);
}

/**
 * tdps_was_injected() - was a SEAMCALL made to fail?
 * @c: a call that has failed
 * @repeated: KVM just repeats it: nothing follows from it
 *
 * Excuses its VM, if not.
 *
 * Context: any.
 *
 * Return: true: its status is nobody's fault, and is not to be looked at.
 */
bool tdps_was_injected(const struct tdps_seamcall *c, bool repeated)
{
	struct tdps_frame *f;
	u64 vm;
	u32 i;

	if (!tdps_is_injected(c))
		return false;
	tdps_say_injected(tdps_call_name(c->call), c->status);
	if (repeated)
		return false;
	f = tdps_ctx_frame(tdps_ctx_current());
	vm = c->where.vm ?: f ? f->vm : 0;
	tdps_excuse(vm);
	i = hash_ptr(current, FAILED_BITS);
	WRITE_ONCE(failed[i].vm, vm);
	WRITE_ONCE(failed[i].task, current);
	return true;
}
