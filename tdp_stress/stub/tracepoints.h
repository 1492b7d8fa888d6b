/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints tdx_stub:*, what the emulated TDX module is asked and answers. Called
 * by trace.c. Field by field in Documentation/tracing.rst.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tdx_stub

#if !defined(TDP_STRESS_STUB_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define TDP_STRESS_STUB_TRACEPOINTS_H

#include <linux/tracepoint.h>

/* A SEAMCALL has returned. @in: registers as it was called, @out: as it returned */
TRACE_EVENT(tdx_seamcall,
	TP_PROTO(const struct tdxm_regs *in, const struct tdxm_regs *out, bool injected, u64 ns),
	TP_ARGS(in, out, injected, ns),
	TP_STRUCT__entry(
		__field(u64, td)
		__field(u64, vcpu)
		__field(u64, rcx)
		__field(u64, rdx)
		__field(u64, r8)
		__field(u64, r9)
		__field(u64, status)
		__field(u64, out_rcx)
		__field(u64, out_rdx)
		__field(u64, ns)
		__field(u16, leaf)
		__field(u8, version)
		__field(bool, injected)
		__string(name, tdxm_leaf_name(in->rax & TDX_LEAF_MASK) ?: "unknown")
	),
	TP_fast_assign(
		__entry->td = tdxm_operand_td(in);
		__entry->vcpu = tdxm_operand_vcpu(in);
		__entry->rcx = in->rcx;
		__entry->rdx = in->rdx;
		__entry->r8 = in->r8;
		__entry->r9 = in->r9;
		__entry->status = out->rax;
		__entry->out_rcx = out->rcx;
		__entry->out_rdx = out->rdx;
		__entry->ns = ns;
		__entry->leaf = in->rax & TDX_LEAF_MASK;
		__entry->version = in->rax >> TDX_VERSION_SHIFT & TDX_VERSION_MASK;
		__entry->injected = injected;
		__assign_str(name);
	),
	TP_printk("name=%s leaf=%u version=%u td=0x%llx vcpu=0x%llx rcx=0x%llx rdx=0x%llx r8=0x%llx r9=0x%llx status=0x%llx out_rcx=0x%llx out_rdx=0x%llx injected=%d ns=%llu",
		  __get_str(name), __entry->leaf, __entry->version, __entry->td, __entry->vcpu,
		  __entry->rcx, __entry->rdx, __entry->r8, __entry->r9, __entry->status,
		  __entry->out_rcx, __entry->out_rdx, __entry->injected, __entry->ns)
);

/* TDH.MEM.TRACK has succeeded: who enters from now on does so in a new epoch. */
TRACE_EVENT(tdx_epoch,
	TP_PROTO(u64 td, u64 epoch),
	TP_ARGS(td, epoch),
	TP_STRUCT__entry(
		__field(u64, td)
		__field(u64, epoch)
	),
	TP_fast_assign(
		__entry->td = td;
		__entry->epoch = epoch;
	),
	TP_printk("td=0x%llx epoch=%llu", __entry->td, __entry->epoch)
);

/* INVEPT was emulated: this CPU's vCPUs have dropped their shared translations. */
TRACE_EVENT(tdx_invept,
	TP_PROTO(u32 lp),
	TP_ARGS(lp),
	TP_STRUCT__entry(
		__field(u32, lp)
	),
	TP_fast_assign(
		__entry->lp = lp;
	),
	TP_printk("lp=%u", __entry->lp)
);

/* The module has seen a violation; see struct tdxm_finding. */
TRACE_EVENT(tdx_finding,
	TP_PROTO(const struct tdxm_finding *f),
	TP_ARGS(f),
	TP_STRUCT__entry(
		__field(u64, td)
		__field(u64, gpa)
		__field(u64, pa)
		__field(u64, status)
		__field(s32, leaf)
		__field(s32, level)
		__field(s32, state)
		__string(id, f->id)
		__string(text, f->what)
	),
	TP_fast_assign(
		__entry->td = f->tdr;
		__entry->gpa = f->gpa;
		__entry->pa = f->pa;
		__entry->status = f->status;
		__entry->leaf = f->leaf;
		__entry->level = f->level;
		__entry->state = f->state;
		__assign_str(id);
		__assign_str(text);
	),
	TP_printk("check=%s td=0x%llx gpa=0x%llx pa=0x%llx leaf=%d status=0x%llx level=%d state=%d text=%s",
		  __get_str(id), __entry->td, __entry->gpa, __entry->pa, __entry->leaf,
		  __entry->status, __entry->level, __entry->state, __get_str(text))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints
#include <trace/define_trace.h>
