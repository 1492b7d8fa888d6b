// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of a vCPU of our own: what it touches between entry and exit. Knows
 * the layout of the memory and the guest's side of the ABI (ACCEPT); TLB, page
 * tables and locks are the core's, exits are kvm/run.c's.
 *
 * No guest code runs and IRQs are off, so a stay is short or watches for pending
 * interrupts, which would have ended it on a real CPU.
 */
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/processor.h>
#include <linux/sched/clock.h>
#ifdef CONFIG_X86_LOCAL_APIC
#include <asm/apic.h>
#endif
#include <uapi/asm/vmx.h>

#include "../core/tdxm.h"
#include "../oracle/oracle.h"
#include "worker.h"

/* How accesses went: private and shared ones, by enum tdxm_access_result. */
#define NR_RESULTS	(TDXM_ACCESS_VE + 1)

static const char * const access_names[2][NR_RESULTS] = {
	{
		[TDXM_ACCESS_OK] = "guest.private.ok",
		[TDXM_ACCESS_EPT_VIOLATION] = "guest.private.violation",
		[TDXM_ACCESS_PENDING] = "guest.private.pending",
		[TDXM_ACCESS_BUSY] = "guest.private.busy",
		[TDXM_ACCESS_VE] = "guest.private.ve",
	}, {
		[TDXM_ACCESS_OK] = "guest.shared.ok",
		[TDXM_ACCESS_EPT_VIOLATION] = "guest.shared.violation",
		[TDXM_ACCESS_PENDING] = "guest.shared.pending",
		[TDXM_ACCESS_BUSY] = "guest.shared.busy",
		[TDXM_ACCESS_VE] = "guest.shared.ve",
	},
};

static DEFINE_PER_CPU(u64 [2][NR_RESULTS], accesses);

/**
 * torture_guest_stats() - how the guests' accesses went
 * @fn: called for each kind
 * @ctx: for @fn
 */
void torture_guest_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	int cpu, shared, res;
	u64 sum;

	for (shared = 0; shared <= 1; shared++) {
		for (res = 0; res < NR_RESULTS; res++) {
			sum = 0;
			for_each_possible_cpu(cpu)
				sum += READ_ONCE(per_cpu(accesses, cpu)[shared][res]);
			fn(ctx, access_names[shared][res], sum);
		}
	}
}

#define HOT_PAGES	32	/* as in ops.c: where the workers are, too */
#define SHORT_ACCESSES	16
#define LONG_ONE_IN	16	/* stays */
#define LONG_US		100
#define BATCH		4	/* accesses between two looks at the local APIC */
/*
 * Stays until the guest begins, and ends, a loop at one instruction: the module's
 * zero-step filter then keeps it out until the pages of its last faults are there.
 */
#define LOOP_ONE_IN	64
#define LOOP_END_ONE_IN	8

/* Weights out of 16. */
static enum tdps_region pick_region(struct torture_worker *w)
{
	static const enum tdps_region region[16] = {
		TDPS_PRIVATE, TDPS_PRIVATE, TDPS_PRIVATE, TDPS_PRIVATE, TDPS_PRIVATE,
		TDPS_CRAFT, TDPS_CRAFT, TDPS_CRAFT, TDPS_CRAFT,
		TDPS_SHARED, TDPS_SHARED, TDPS_SHARED, TDPS_SHARED, TDPS_SHARED,
		TDPS_MOVE, TDPS_HUGETLB,
	};

	return region[torture_random(w, ARRAY_SIZE(region))];
}

/* A page to touch next: its GPA, shared ones with the bit that says so; 0: none. */
static u64 pick(struct torture_worker *w, u64 *gfn, bool *shared)
{
	enum tdps_region r = pick_region(w);
	u64 pages;

	if (tdps_own_missing(w->playing, r))
		return 0;
	pages = tdps_own_pages(w->playing, r);
	*gfn = tdps_own_gfn(w->playing, r);
	*gfn += torture_random(w, torture_one_in(w, 4) ? pages : min_t(u64, pages, HOT_PAGES));
	/* now and then a private page is taken for a shared one, as after a conversion */
	*shared = r == TDPS_PRIVATE ? torture_one_in(w, 16) : r != TDPS_CRAFT;
	return (*gfn << PAGE_SHIFT) | (*shared ? w->shared_bit : 0);
}

/* One access. True: it ends the stay by an EPT violation. */
static bool touch(struct torture_worker *w, struct tdxm *m, struct tdxm_vcpu *vcpu,
		  struct tdxm_regs *regs)
{
	bool write = torture_one_in(w, 2), shared;
	enum tdxm_access_result res;
	u64 gfn, gpa = pick(w, &gfn, &shared);

	if (!gpa)
		return false;
	w->token = tdps_token();
	res = tdxm_guest_access(m, vcpu, gpa, write, regs);
	if (res == TDXM_ACCESS_PENDING) {
		res = tdxm_guest_accept(m, vcpu, gpa, regs);
		if (res == TDXM_ACCESS_OK)
			res = tdxm_guest_access(m, vcpu, gpa, true, regs);
	}
	if (res == TDXM_ACCESS_OK && write && shared)
		tdps_guest_wrote(w->vm_id, gfn, w->token);
	this_cpu_inc(accesses[shared][res]);
	/* #VE: no memory there; busy: somebody is at it. A guest would come again. */
	return res == TDXM_ACCESS_EPT_VIOLATION;
}

/* Is an interrupt waiting for IRQs to be on? It would have caused a VM exit. */
static bool interrupt_pending(void)
{
#ifdef CONFIG_X86_LOCAL_APIC
	int reg;

	/* vectors 0 to 31 are exceptions */
	for (reg = 1; reg < 8; reg++)
		if (apic->read(APIC_IRR + reg * 0x10))
			return true;
#endif
	/* nobody to ask (UML): the stay ends by itself */
	return false;
}

static bool short_stay(struct torture_worker *w, struct tdxm *m, struct tdxm_vcpu *vcpu,
		       struct tdxm_regs *regs)
{
	u32 n = 1 + torture_random(w, SHORT_ACCESSES);

	while (n--)
		if (touch(w, m, vcpu, regs))
			return true;
	return false;
}

static bool long_stay(struct torture_worker *w, struct tdxm *m, struct tdxm_vcpu *vcpu,
		      struct tdxm_regs *regs)
{
	u64 end = local_clock() + (1 + torture_random(w, LONG_US)) * NSEC_PER_USEC;
	int n;

	do {
		for (n = 0; n < BATCH; n++)
			if (touch(w, m, vcpu, regs))
				return true;
		cpu_relax();
	} while (!interrupt_pending() && (s64)(end - local_clock()) > 0);
	return false;
}

/**
 * torture_guest() - play a vCPU's guest for one stay
 * @m: the emulated module
 * @vcpu: the vCPU
 * @regs: receives the exit information
 *
 * Context: IRQs off, in a worker that enters a vCPU of ours.
 *
 * Return: the status of TDH.VP.ENTER.
 */
u64 torture_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	struct torture_worker *w = torture_current();
	bool violation;

	if (!w || !w->playing)
		return EXIT_REASON_EXTERNAL_INTERRUPT;
	if (torture_one_in(w, LOOP_ONE_IN))
		tdxm_vcpu_set_rip(vcpu, 1 + torture_random(w, U32_MAX));
	else if (torture_one_in(w, LOOP_END_ONE_IN))
		tdxm_vcpu_set_rip(vcpu, 0);
	violation = torture_one_in(w, LONG_ONE_IN) ? long_stay(w, m, vcpu, regs) :
						     short_stay(w, m, vcpu, regs);
	return violation ? EXIT_REASON_EPT_VIOLATION : EXIT_REASON_EXTERNAL_INTERRUPT;
}

/* The access in flight has set a dirty bit. */
void torture_dirtied(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa)
{
	struct torture_worker *w = torture_current();

	if (w && w->playing)
		tdps_cpu_dirtied(w->vm_id, (gpa & ~w->shared_bit) >> PAGE_SHIFT, w->token);
}
