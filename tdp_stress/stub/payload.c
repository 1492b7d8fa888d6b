// SPDX-License-Identifier: GPL-2.0
/*
 * The guest that a TD has on real hardware, played: what selftests/payload does, in the
 * same order, from the same script (uapi/td_payload.h). To the host there is no
 * difference but in the contents of private memory, which it cannot see.
 *
 * The code runs on between two exits. Here a stay ends after a while by a call that KVM
 * answers itself, where an interrupt would have ended it.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <asm/shared/tdx.h>
#include <asm/vmx.h>

#include "../uapi/td_payload.h"
#include "guest.h"

/**
 * struct payload_state - what a vCPU's guest remembers from stay to stay
 * @p: where it is
 * @act: what it is about to do, NONE: look up the next
 * @begun: @p is valid
 */
struct payload_state {
	struct td_payload p;
	struct td_payload_act act;
	bool begun;
};

/* Room that tdxm_vcpu_guest_state() has. */
static_assert(sizeof(struct payload_state) <= 64);

static u64 payload_gpa(struct guest *g, const struct td_payload_act *act, bool shared)
{
	return (u64)act->gfn << PAGE_SHIFT | (shared ? tdxm_vcpu_shared_bit(g->vcpu) : 0);
}

/* Returns true if the access or ACCEPT has ended the stay; it is made once more then. */
static bool payload_result(struct guest *g, struct payload_state *s, u64 gpa, bool write,
			   enum tdxm_access_result res)
{
	/* MMIO is passed over: the handler of #VE goes on behind the instruction */
	if (res != TDXM_ACCESS_EPT_VIOLATION && res != TDXM_ACCESS_BUSY)
		s->act.what = TD_PAYLOAD_NONE;
	return guest_access_ends(g, gpa, write, res);
}

static bool payload_accept(struct guest *g, struct payload_state *s)
{
	u64 gpa = payload_gpa(g, &s->act, false);

	return payload_result(g, s, gpa, true, tdxm_guest_accept(g->m, g->vcpu, gpa, g->regs));
}

static bool payload_access(struct guest *g, struct payload_state *s, bool shared, bool write)
{
	u64 gpa = payload_gpa(g, &s->act, shared) + s->p.offset;
	enum tdxm_access_result res;

	res = tdxm_guest_access(g->m, g->vcpu, gpa, write, g->regs);
	if (res != TDXM_ACCESS_PENDING)
		return payload_result(g, s, gpa, write, res);
	/* #VE: its handler accepts the page, and the access is made again */
	res = tdxm_guest_accept(g->m, g->vcpu, gpa & PAGE_MASK, g->regs);
	return res != TDXM_ACCESS_OK && payload_result(g, s, gpa, write, res);
}

static bool payload_ask(struct guest *g, struct payload_state *s)
{
	bool shared = s->act.what == TD_PAYLOAD_MAP_SHARED;

	s->act.asked = true;
	guest_count(shared ? GUEST_CALL_MAP_SHARED : GUEST_CALL_MAP_PRIVATE);
	g->exit = guest_call(g, TDVMCALL_MAP_GPA, payload_gpa(g, &s->act, shared),
			     (u64)s->act.nr << PAGE_SHIFT, 0, 0);
	return true;
}

/* The answer is in the registers with which the vCPU was entered. */
static bool payload_map(struct guest *g, struct payload_state *s)
{
	u64 next;

	if (!s->act.asked)
		return payload_ask(g, s);
	next = (g->regs->r11 & ~tdxm_vcpu_shared_bit(g->vcpu)) >> PAGE_SHIFT;
	if (g->regs->r10 == TDVMCALL_STATUS_RETRY && next >= s->act.gfn &&
	    next < s->act.gfn + s->act.nr) {
		guest_count(GUEST_MAP_RETRY);
		s->act.nr -= next - s->act.gfn;
		s->act.gfn = next;
		return payload_ask(g, s);
	}
	if (g->regs->r10 == TDVMCALL_STATUS_SUCCESS) {
		guest_count(GUEST_MAP_DONE);
	} else {
		guest_count(GUEST_MAP_FAILED);
		td_payload_refused(&s->p);
	}
	s->act.what = TD_PAYLOAD_NONE;
	return false;
}

static bool payload_progress(struct guest *g, struct payload_state *s)
{
	guest_count(GUEST_CALL_IO);
	s->act.what = TD_PAYLOAD_NONE;
	g->exit = guest_call(g, EXIT_REASON_IO_INSTRUCTION, 4, 1, TD_PAYLOAD_PORT, s->act.value);
	return true;
}

/* Returns true if that has ended the stay, and how in @g->exit. */
static bool payload_act(struct guest *g, struct payload_state *s)
{
	if (s->act.what == TD_PAYLOAD_NONE) {
		td_payload_next(&s->p, &s->act);
		guest_count(GUEST_PAYLOAD_ACT);
	}
	switch (s->act.what) {
	case TD_PAYLOAD_ACCEPT:
		return payload_accept(g, s);
	case TD_PAYLOAD_WRITE:
		return payload_access(g, s, false, true);
	case TD_PAYLOAD_WRITE_SHARED:
		return payload_access(g, s, true, true);
	case TD_PAYLOAD_READ_SHARED:
		return payload_access(g, s, true, false);
	case TD_PAYLOAD_MAP_SHARED:
	case TD_PAYLOAD_MAP_PRIVATE:
		return payload_map(g, s);
	case TD_PAYLOAD_PROGRESS:
		return payload_progress(g, s);
	default:
		return payload_access(g, s, false, false);
	}
}

/**
 * guest_payload() - one stay of a vCPU that runs the payload
 * @g: the stay
 * @arg: TDH.VP.INIT's number
 *
 * Context: as stub_guest().
 * Return: status of TDH.VP.ENTER
 */
u64 guest_payload(struct guest *g, u64 arg)
{
	struct payload_state *s = tdxm_vcpu_guest_state(g->vcpu);
	u32 n = 1 + guest_random(g, READ_ONCE(stub_params.guest_accesses));

	if (!s->begun)
		td_payload_init(&s->p, arg);
	s->begun = true;
	while (n--) {
		if (payload_act(g, s))
			return g->exit;
		if (guest_interrupt_pending()) {
			guest_count(GUEST_STAY_KICKED);
			break;
		}
	}
	return guest_call_cpuid(g);
}
