// SPDX-License-Identifier: GPL-2.0
/*
 * The guest: what a TD does between TDH.VP.ENTER and its exit, by chance; what code
 * on real hardware would do is payload.c's. Knows
 * the guest's side of the ABI (TDVMCALL, ACCEPT) and the memory it may touch
 * (uapi/tdx_stub.h); page tables, TLB and locks are the core's.
 *
 * No guest code runs and IRQs are off, so a stay is short or watches for pending
 * interrupts, which would have ended it on a real CPU.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/processor.h>
#include <linux/sched/clock.h>
#include <asm/apic.h>
#include <asm/msr-index.h>
#include <asm/shared/tdx.h>
#include <asm/vmx.h>

#include "../uapi/td_payload.h"
#include "../uapi/tdx_stub.h"
#include "guest.h"

/* Pages that most accesses go to, so that the TLB has something to keep */
#define GUEST_WINDOW_PAGES	24
#define GUEST_WINDOW_PCT	75
/* One stay in so many moves the window */
#define GUEST_WINDOW_MOVE	64
/* One stay in so many begins or ends a loop of one instruction */
#define GUEST_RIP_CHANGE	32
/* Largest conversion, in pages, and how many ranges are shared at a time */
#define GUEST_MAP_PAGES		16
#define GUEST_RANGES		4
/* Accesses of a long stay between two looks at the local APIC */
#define GUEST_BATCH		4

/* Registers a TDVMCALL exposes to the host: RCX's bits 10 to 15, R10 to R15 */
#define GUEST_CALL_REGS		0xfc00

/**
 * struct guest_range - pages that this vCPU has made shared
 * @first: index of the first page in the layout
 * @nr: number of pages, 0: free
 */
struct guest_range {
	u32 first;
	u32 nr;
};

/**
 * struct guest_state - what a vCPU's guest remembers from stay to stay
 * @range: shared pages. A vCPU does not know of the others' ranges: it takes
 *	   theirs for private, and KVM has user space convert the page back.
 * @map: range of the MapGPA under way, nr 0: none
 * @map_next: page index from which MapGPA goes on
 * @window: index of the window's first page
 * @map_to_shared: direction of the MapGPA under way
 * @one_rip: all accesses come from one instruction, as of a string operation;
 *	     the module's zero-step filter looks at that
 * @map_unsupported: the host does not do MapGPA, do not ask again
 * @progress: written to the progress port
 *
 * Only the CPU that is inside the vCPU touches it.
 */
struct guest_state {
	struct guest_range range[GUEST_RANGES];
	struct guest_range map;
	u32 map_next;
	u32 window;
	bool map_to_shared;
	bool map_unsupported;
	bool one_rip;
	u8 progress;
};

/* Room that tdxm_vcpu_guest_state() has. */
static_assert(sizeof(struct guest_state) <= 64);

static const char * const guest_counter_names[GUEST_NR_COUNTERS] = {
	[GUEST_STAY_SHORT]	= "guest.stay.short",
	[GUEST_STAY_LONG]	= "guest.stay.long",
	[GUEST_STAY_KICKED]	= "guest.stay.kicked",
	[GUEST_ACCEPT_BUSY]	= "guest.accept_busy",
	[GUEST_CALL_IO]		= "guest.call.io",
	[GUEST_CALL_CPUID]	= "guest.call.cpuid",
	[GUEST_CALL_INFO]	= "guest.call.info",
	[GUEST_CALL_MSR]	= "guest.call.msr_read",
	[GUEST_CALL_MMIO]	= "guest.call.mmio",
	[GUEST_CALL_MAP_SHARED]	= "guest.call.map_shared",
	[GUEST_CALL_MAP_PRIVATE] = "guest.call.map_private",
	[GUEST_MAP_DONE]	= "guest.map.done",
	[GUEST_MAP_RETRY]	= "guest.map.retry",
	[GUEST_MAP_FAILED]	= "guest.map.failed",
	[GUEST_PAYLOAD_ACT]	= "guest.payload.act",
};

static atomic64_t guest_counters[GUEST_NR_COUNTERS];

void guest_count(enum guest_counter c)
{
	atomic64_inc(&guest_counters[c]);
}

/**
 * stub_guest_counters() - what the guests did, since load
 * @fn: called with the name and value of each
 * @ctx: passed to @fn
 */
void stub_guest_counters(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	int i;

	for (i = 0; i < GUEST_NR_COUNTERS; i++)
		fn(ctx, guest_counter_names[i], atomic64_read(&guest_counters[i]));
}

/* --- chance --- */

u32 guest_random(struct guest *g, u32 below)
{
	return tdxm_vcpu_random(g->vcpu) % below;
}

/* One in @n; never if @n is 0. */
static bool guest_one_in(struct guest *g, u64 n)
{
	return n && !guest_random(g, n);
}

static bool guest_percent(struct guest *g, u64 pct)
{
	return guest_random(g, 100) < pct;
}

/* --- TDVMCALLs --- */

/* TDG.VP.VMCALL with R10 = 0: the sub-function and its arguments are in R11 to R15. */
u64 guest_call(struct guest *g, u64 fn, u64 r12, u64 r13, u64 r14, u64 r15)
{
	struct tdxm_regs *regs = g->regs;

	regs->rcx = GUEST_CALL_REGS;
	regs->rdx = 0;
	regs->r8 = 0;
	regs->r9 = 0;
	regs->r10 = 0;
	regs->r11 = fn;
	regs->r12 = r12;
	regs->r13 = r13;
	regs->r14 = r14;
	regs->r15 = r15;
	return EXIT_REASON_TDCALL;
}

/* KVM answers these without user space. */
u64 guest_call_cpuid(struct guest *g)
{
	guest_count(GUEST_CALL_CPUID);
	return guest_call(g, EXIT_REASON_CPUID, 1, 0, 0, 0);
}

static u64 guest_call_info(struct guest *g)
{
	guest_count(GUEST_CALL_INFO);
	return guest_call(g, TDVMCALL_GET_TD_VM_CALL_INFO, 0, 0, 0, 0);
}

static u64 guest_call_msr_read(struct guest *g)
{
	guest_count(GUEST_CALL_MSR);
	return guest_call(g, EXIT_REASON_MSR_READ, MSR_IA32_APICBASE, 0, 0, 0);
}

/* What the guest's #VE handler does about shared memory that is not there. */
u64 guest_call_mmio(struct guest *g, u64 gpa, bool write)
{
	guest_count(GUEST_CALL_MMIO);
	return guest_call(g, EXIT_REASON_EPT_VIOLATION, sizeof(u64), write, gpa, gpa);
}

/* One byte out; user space sees that the guest is alive. */
static u64 guest_call_progress(struct guest *g)
{
	guest_count(GUEST_CALL_IO);
	return guest_call(g, EXIT_REASON_IO_INSTRUCTION, 1, 1, TDX_STUB_PROGRESS_PORT,
			  ++g->s->progress);
}

/* --- memory --- */

static u64 guest_gpa(struct guest *g, u32 page, bool shared)
{
	return ((g->base + page) << PAGE_SHIFT) | (shared ? tdxm_vcpu_shared_bit(g->vcpu) : 0);
}

static bool guest_overlap(const struct guest_range *r, u32 first, u32 nr)
{
	return r->nr && first < r->first + r->nr && r->first < first + nr;
}

static bool guest_is_shared(struct guest *g, u32 first, u32 nr)
{
	int i;

	for (i = 0; i < GUEST_RANGES; i++) {
		if (guest_overlap(&g->s->range[i], first, nr))
			return true;
	}
	return false;
}

/* A page to access next, and whether it is a shared one. */
static bool guest_pick_page(struct guest *g, u32 *page)
{
	const struct guest_range *r = &g->s->range[guest_random(g, GUEST_RANGES)];

	if (r->nr && guest_percent(g, READ_ONCE(stub_params.guest_shared_pct))) {
		*page = r->first + guest_random(g, r->nr);
		return true;
	}

	if (guest_percent(g, GUEST_WINDOW_PCT))
		*page = (g->s->window + guest_random(g, GUEST_WINDOW_PAGES)) % g->nr_pages;
	else
		*page = guest_random(g, g->nr_pages);
	return guest_is_shared(g, *page, 1);
}

/* Whether an access or ACCEPT with this result ends the stay, and how in @g->exit. */
bool guest_access_ends(struct guest *g, u64 gpa, bool write, enum tdxm_access_result res)
{
	switch (res) {
	case TDXM_ACCESS_EPT_VIOLATION:
		g->exit = EXIT_REASON_EPT_VIOLATION;
		return true;
	case TDXM_ACCESS_VE:
		g->exit = guest_call_mmio(g, gpa, write);
		return true;
	case TDXM_ACCESS_BUSY:
		/* Somebody else is at it; a guest would try again, and so does a later stay. */
		guest_count(GUEST_ACCEPT_BUSY);
		return false;
	default:
		return false;
	}
}

/*
 * One access, with what the guest does about a page that is not accepted yet or
 * is not memory. Returns true if that ends the stay, and how in @g->exit.
 */
static bool guest_access(struct guest *g)
{
	enum tdxm_access_result res;
	bool shared, write;
	u32 page;
	u64 gpa;

	shared = guest_pick_page(g, &page);
	gpa = guest_gpa(g, page, shared);
	write = guest_percent(g, 50);

	res = tdxm_guest_access(g->m, g->vcpu, gpa, write, g->regs);
	if (res == TDXM_ACCESS_PENDING &&
	    guest_one_in(g, READ_ONCE(stub_params.guest_careless)))
		res = tdxm_guest_unaccepted(g->m, g->vcpu, gpa, write, g->regs);
	if (res == TDXM_ACCESS_PENDING) {
		res = tdxm_guest_accept(g->m, g->vcpu, gpa, g->regs);
		if (res == TDXM_ACCESS_OK)
			res = tdxm_guest_access(g->m, g->vcpu, gpa, true, g->regs);
	}
	return guest_access_ends(g, gpa, write, res);
}

/* --- stays --- */

/* Is an interrupt waiting for IRQs to be on? It would have caused a VM exit. */
bool guest_interrupt_pending(void)
{
	int reg;

	/* Vectors 0 to 31 are exceptions. */
	for (reg = 1; reg < 8; reg++) {
		if (apic->read(APIC_IRR + reg * 0x10))
			return true;
	}
	return false;
}

/* Each access moves RIP, or none does: faults of many pages at one RIP then add up. */
static void guest_change_rip(struct guest *g)
{
	g->s->one_rip = !g->s->one_rip;
	tdxm_vcpu_set_rip(g->vcpu, g->s->one_rip ? 1 + guest_random(g, U32_MAX) : 0);
}

/* Both kinds of stay return true if something has ended them, see guest_access(). */
static bool guest_short_stay(struct guest *g)
{
	u32 n = 1 + guest_random(g, READ_ONCE(stub_params.guest_accesses));

	guest_count(GUEST_STAY_SHORT);
	while (n--) {
		if (guest_access(g))
			return true;
	}
	return false;
}

static bool guest_long_stay(struct guest *g, u64 max_us)
{
	u64 end = local_clock() + (1 + guest_random(g, max_us)) * NSEC_PER_USEC;
	int n;

	guest_count(GUEST_STAY_LONG);
	do {
		for (n = 0; n < GUEST_BATCH; n++) {
			if (guest_access(g))
				return true;
		}
		if (guest_interrupt_pending()) {
			/* KVM answers the call itself and opens IRQs for it. */
			guest_count(GUEST_STAY_KICKED);
			g->exit = guest_call_cpuid(g);
			return true;
		}
		cpu_relax();
	} while ((s64)(end - local_clock()) > 0);
	return false;
}

/* --- conversions --- */

/* Ask for the rest of the conversion under way. */
static u64 guest_call_map(struct guest *g)
{
	struct guest_state *s = g->s;
	u32 left = s->map.first + s->map.nr - s->map_next;

	guest_count(s->map_to_shared ? GUEST_CALL_MAP_SHARED : GUEST_CALL_MAP_PRIVATE);
	return guest_call(g, TDVMCALL_MAP_GPA, guest_gpa(g, s->map_next, s->map_to_shared),
			  (u64)left << PAGE_SHIFT, 0, 0);
}

/* Choose a conversion: a free range becomes shared, a used one private again. */
static bool guest_begin_map(struct guest *g)
{
	struct guest_state *s = g->s;
	const struct guest_range *r = &s->range[guest_random(g, GUEST_RANGES)];
	u32 first, nr;

	if (r->nr) {
		s->map = *r;
		s->map_to_shared = false;
	} else {
		first = guest_random(g, g->nr_pages);
		nr = min(1 + guest_random(g, GUEST_MAP_PAGES), g->nr_pages - first);
		if (guest_is_shared(g, first, nr))
			return false;
		s->map = (struct guest_range) { .first = first, .nr = nr };
		s->map_to_shared = true;
	}
	s->map_next = s->map.first;
	return true;
}

/* The conversion has been made: from now on the guest believes in it. */
static void guest_commit_map(struct guest_state *s)
{
	int i;

	guest_count(GUEST_MAP_DONE);
	for (i = 0; i < GUEST_RANGES; i++) {
		struct guest_range *r = &s->range[i];

		if (s->map_to_shared && !r->nr) {
			*r = s->map;
			break;
		}
		if (!s->map_to_shared && r->nr && r->first == s->map.first) {
			r->nr = 0;
			break;
		}
	}
	s->map.nr = 0;
}

/*
 * The host's answer to the MapGPA of the last stay, if there was one. Returns
 * true if it has to be asked again.
 */
static bool guest_map_answer(struct guest *g)
{
	struct guest_state *s = g->s;
	u64 next;

	if (!s->map.nr)
		return false;

	switch (g->regs->r10) {
	case TDVMCALL_STATUS_SUCCESS:
		guest_commit_map(s);
		return false;
	case TDVMCALL_STATUS_RETRY:
		/* R11: where to go on */
		next = ((g->regs->r11 & ~tdxm_vcpu_shared_bit(g->vcpu)) >> PAGE_SHIFT) - g->base;
		if (next < s->map.first || next >= s->map.first + s->map.nr)
			break;
		guest_count(GUEST_MAP_RETRY);
		s->map_next = next;
		return true;
	case TDVMCALL_STATUS_SUBFUNC_UNSUPPORTED:
		s->map_unsupported = true;
		break;
	default:
		break;
	}

	guest_count(GUEST_MAP_FAILED);
	s->map.nr = 0;
	return false;
}

/* How a stay ends that no access and no interrupt has ended. */
static u64 guest_leave(struct guest *g)
{
	if (g->nr_pages && !g->s->map_unsupported &&
	    guest_one_in(g, READ_ONCE(stub_params.guest_map_gpa)) && guest_begin_map(g))
		return guest_call_map(g);

	switch (guest_random(g, 8)) {
	case 0:
		return guest_call_info(g);
	case 1:
		return guest_call_msr_read(g);
	case 2:
	case 3:
		return guest_call_cpuid(g);
	default:
		return guest_call_progress(g);
	}
}

/**
 * stub_guest() - play the guest (struct tdxm_hooks.guest)
 * @m: the module
 * @vcpu: the vCPU that was entered
 * @regs: registers of TDH.VP.ENTER; on return those of the exit
 *
 * Context: the #UD trap. IRQs are off; must not sleep.
 * Return: status of TDH.VP.ENTER, that is, TDX_SUCCESS and the exit reason.
 */
u64 stub_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs)
{
	u64 layout = tdxm_vcpu_initial_rcx(vcpu);
	struct guest g = {
		.m = m,
		.vcpu = vcpu,
		.regs = regs,
		.s = tdxm_vcpu_guest_state(vcpu),
		.base = TDX_STUB_GUEST_BASE_GFN(layout),
		.nr_pages = TDX_STUB_GUEST_NR_PAGES(layout),
	};
	u64 max_us = READ_ONCE(stub_params.guest_stay_us);

	if (TD_PAYLOAD_IS(layout))
		return guest_payload(&g, layout);
	if (guest_map_answer(&g))
		return guest_call_map(&g);
	if (!g.nr_pages)
		return guest_leave(&g);

	if (guest_one_in(&g, GUEST_WINDOW_MOVE))
		g.s->window = guest_random(&g, g.nr_pages);
	if (guest_one_in(&g, GUEST_RIP_CHANGE))
		guest_change_rip(&g);

	if (max_us && guest_one_in(&g, READ_ONCE(stub_params.guest_long))) {
		if (guest_long_stay(&g, max_us))
			return g.exit;
	} else if (guest_short_stay(&g)) {
		return g.exit;
	}
	return guest_leave(&g);
}
