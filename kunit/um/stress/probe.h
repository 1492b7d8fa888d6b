/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes on functions where no code can be patched: a function that can be probed
 * is called through a wrapper, which tells the handlers before and after it. Knows
 * nothing of KVM.
 */
#ifndef TDP_STRESS_KUNIT_UM_PROBE_H
#define TDP_STRESS_KUNIT_UM_PROBE_H

#include "../../../tdp_stress/kvm/probe_um.h"

#define UM_PROBES	2	/* on one function */

/**
 * struct um_probed - a function that can be probed
 * @name: its name
 * @fn: what callers call: its wrapper, or itself
 * @fp: who wants to know
 */
struct um_probed {
	const char *name;
	void *fn;
	struct fprobe *fp[UM_PROBES];
};

/**
 * struct um_call - a call of such a function, on the caller's stack
 * @regs: arguments and result
 * @told: the handlers that are to be told of its end
 * @data: what their entry handlers keep
 */
struct um_call {
	struct tdps_regs regs;
	struct fprobe *told[UM_PROBES];
	char data[UM_PROBES][TDPS_PROBE_DATA_MAX] __aligned(8);
};

void um_call_enter(struct um_probed *p, struct um_call *c);
void um_call_leave(struct um_probed *p, struct um_call *c);

#endif
