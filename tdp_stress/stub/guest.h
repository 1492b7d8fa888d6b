/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What both of the stub's guests are made of: the one that does anything (guest.c)
 * and the one that follows the payload's script (payload.c).
 */
#ifndef TDX_STUB_GUEST_H
#define TDX_STUB_GUEST_H

#include "stub.h"

struct guest_state;

/**
 * struct guest - one stay
 * @m: the module
 * @vcpu: the vCPU
 * @regs: registers at entry, then at exit
 * @s: the vCPU's memory (guest.c)
 * @base: first GFN of the layout (guest.c)
 * @nr_pages: pages of the layout, 0: touch nothing (guest.c)
 * @exit: status of TDH.VP.ENTER, once the stay is over
 */
struct guest {
	struct tdxm *m;
	struct tdxm_vcpu *vcpu;
	struct tdxm_regs *regs;
	struct guest_state *s;
	u64 base;
	u32 nr_pages;
	u64 exit;
};

enum guest_counter {
	GUEST_STAY_SHORT,
	GUEST_STAY_LONG,
	GUEST_STAY_KICKED,
	GUEST_ACCEPT_BUSY,
	GUEST_CALL_IO,
	GUEST_CALL_CPUID,
	GUEST_CALL_INFO,
	GUEST_CALL_MSR,
	GUEST_CALL_MMIO,
	GUEST_CALL_MAP_SHARED,
	GUEST_CALL_MAP_PRIVATE,
	GUEST_MAP_DONE,
	GUEST_MAP_RETRY,
	GUEST_MAP_FAILED,
	GUEST_PAYLOAD_ACT,
	GUEST_NR_COUNTERS
};

void guest_count(enum guest_counter c);
u32 guest_random(struct guest *g, u32 below);
bool guest_interrupt_pending(void);
u64 guest_call(struct guest *g, u64 fn, u64 r12, u64 r13, u64 r14, u64 r15);
u64 guest_call_cpuid(struct guest *g);
u64 guest_call_mmio(struct guest *g, u64 gpa, bool write);
bool guest_access_ends(struct guest *g, u64 gpa, bool write, enum tdxm_access_result res);

/* payload.c */
u64 guest_payload(struct guest *g, u64 arg);

#endif
