// SPDX-License-Identifier: GPL-2.0
/*
 * SEAMCALLs and what the emulated module sees, as tracepoints tdx_stub:*. The core
 * knows no tracepoint: what it does not tell by itself is asked of it here, if
 * somebody traces.
 */
#include <linux/compiler.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "stub.h"

#define CREATE_TRACE_POINTS
#include "tracepoints.h"

static noinline void trace_call(struct tdxm_regs *regs)
{
	const struct tdxm_regs in = *regs;
	u64 begin = ktime_get_mono_fast_ns();
	bool injected = tdxm_seamcall(stub_tdxm, regs);

	trace_tdx_seamcall(&in, regs, injected, ktime_get_mono_fast_ns() - begin);
	if ((in.rax & TDX_LEAF_MASK) == TDH_MEM_TRACK && !regs->rax)
		trace_tdx_epoch(in.rcx, tdxm_td_epoch(stub_tdxm, in.rcx));
}

/**
 * stub_seamcall() - execute a SEAMCALL, and tell of it
 * @regs: see tdxm_seamcall()
 *
 * Context: see tdxm_seamcall().
 */
void stub_seamcall(struct tdxm_regs *regs)
{
	if (trace_tdx_seamcall_enabled() || trace_tdx_epoch_enabled())
		trace_call(regs);
	else
		tdxm_seamcall(stub_tdxm, regs);
}

void stub_trace_invept(void)
{
	trace_tdx_invept(raw_smp_processor_id());
}

void stub_trace_finding(const struct tdxm_finding *f)
{
	trace_tdx_finding(f);
}
