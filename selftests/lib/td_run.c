// SPDX-License-Identifier: GPL-2.0
/*
 * Running a vCPU: every way KVM_RUN may end for a TD, and the answer that the
 * GHCI asks of user space. What a conversion means to the test is the
 * handler's business.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/kvm_para.h>

#include "td.h"
#include "../../tdp_stress/uapi/tdx_stub.h"

#define GUEST	"the guest says: "

static const char * const exit_names[TD_NR_EXITS] = {
	[TD_EXIT_PROGRESS]	= "progress",
	[TD_EXIT_DEVICE]	= "device",
	[TD_EXIT_FAULT]		= "memory_fault",
	[TD_EXIT_BACKING]	= "no_backing",
	[TD_EXIT_MAP_GPA]	= "map_gpa",
	[TD_EXIT_TDX]		= "tdx",
	[TD_EXIT_SIGNAL]	= "signal",
	[TD_EXIT_UNEXPECTED]	= "unexpected",
};

const char *td_exit_name(enum td_exit exit)
{
	return exit < TD_NR_EXITS ? exit_names[exit] : "?";
}

static void unexpected(struct td_run_result *res, const char *fmt, unsigned long long a,
		       unsigned long long b)
{
	res->exit = TD_EXIT_UNEXPECTED;
	snprintf(res->text, sizeof(res->text), fmt, a, b);
}

static void handler_failed(struct td_run_result *res, const char *what, int err)
{
	res->exit = TD_EXIT_UNEXPECTED;
	res->err = -err;
	snprintf(res->text, sizeof(res->text), "%s failed: %s", what, td_errno_name(-err));
}

/* --- the guest's script, where the TD has an image --- */

static struct td_payload_act next_visible(struct td_vcpu *vcpu)
{
	struct td_payload_act act;

	do {
		td_payload_next(&vcpu->script, &act);
	} while (!td_payload_visible(&act));
	return act;
}

/* What the guest says that it has found. */
static void guest_is_bad(u32 value, struct td_run_result *res)
{
	static const char * const what[] = {
		[TD_PAYLOAD_BAD_ACCEPT] = "TDG.MEM.PAGE.ACCEPT returned 0x%llx in bits 55:32",
		[TD_PAYLOAD_BAD_VE] = "it got a #VE of exit reason %llu",
		[TD_PAYLOAD_BAD_MEMORY] = "private memory at GFN 0x%llx has what it never wrote",
		[TD_PAYLOAD_BAD_ARG] = "TDH.VP.INIT gave it 0x%llx, which is no number of ours",
	};
	u32 id = value >> 24;

	if (id < ARRAY_SIZE(what) && what[id])
		unexpected(res, what[id], value & 0xffffff, 0);
	else
		unexpected(res, "it wrote 0x%llx to the port for what is wrong", value, 0);
	memmove(res->text + strlen(GUEST), res->text, sizeof(res->text) - strlen(GUEST));
	memcpy(res->text, GUEST, strlen(GUEST));
	res->text[sizeof(res->text) - 1] = '\0';
}

static void follow_port(struct td_vcpu *vcpu, u32 port, u32 value, struct td_run_result *res)
{
	struct td_payload_act act;

	if (port == TD_PAYLOAD_BAD_PORT)
		return guest_is_bad(value, res);
	act = next_visible(vcpu);
	res->exit = TD_EXIT_PROGRESS;
	if (port != TD_PAYLOAD_PORT || act.what != TD_PAYLOAD_PROGRESS || act.value != value)
		unexpected(res, "the guest left its script: it wrote 0x%llx to port 0x%llx", value,
			   port);
}

static bool follow_map(struct td_vcpu *vcpu, struct td_run_result *res)
{
	struct kvm_run *run = vcpu->run;
	u64 gfn = run->hypercall.args[0] >> TD_PAGE_SHIFT;
	bool private = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED;
	struct td_payload_act act;

	if (!vcpu->td->env->image)
		return true;
	act = next_visible(vcpu);
	if (act.what == (private ? TD_PAYLOAD_MAP_PRIVATE : TD_PAYLOAD_MAP_SHARED) &&
	    act.gfn == gfn && act.nr == run->hypercall.args[1])
		return true;
	unexpected(res, "the guest left its script: it converts GFN 0x%llx, %llu pages", gfn,
		   run->hypercall.args[1]);
	return false;
}

/* Port input and MMIO reads yield ones, as an empty bus does. */
static void answer_io(struct td_vcpu *vcpu, struct td_run_result *res)
{
	struct kvm_run *run = vcpu->run;
	u8 *data = (u8 *)run + run->io.data_offset;
	u32 value = 0;

	if (vcpu->td->env->image && run->io.direction == KVM_EXIT_IO_OUT) {
		memcpy(&value, data, run->io.size < sizeof(value) ? run->io.size : sizeof(value));
		return follow_port(vcpu, run->io.port, value, res);
	}
	if (run->io.direction == KVM_EXIT_IO_IN)
		memset(data, 0xff, (size_t)run->io.size * run->io.count);
	res->exit = run->io.port == TDX_STUB_PROGRESS_PORT ? TD_EXIT_PROGRESS : TD_EXIT_DEVICE;
}

static void answer_mmio(struct td_vcpu *vcpu, struct td_run_result *res)
{
	if (!vcpu->run->mmio.is_write)
		memset(vcpu->run->mmio.data, 0xff, sizeof(vcpu->run->mmio.data));
	res->exit = TD_EXIT_DEVICE;
}

static void answer_hypercall(struct td_vcpu *vcpu, const struct td_run_handler *handler,
			     struct td_run_result *res)
{
	/* What KVM hands to the guest: see tdx_complete_vmcall_map_gpa(). */
	static const u64 answers[] = {
		[TD_MAP_DONE] = 0, [TD_MAP_RETRY] = EAGAIN, [TD_MAP_REFUSED] = EINVAL,
	};
	struct td_payload before = vcpu->script;
	struct kvm_run *run = vcpu->run;
	int ret;

	if (run->hypercall.nr != KVM_HC_MAP_GPA_RANGE) {
		unexpected(res, "hypercall %llu, wanted KVM_HC_MAP_GPA_RANGE (%llu)",
			   run->hypercall.nr, KVM_HC_MAP_GPA_RANGE);
		return;
	}
	if (!follow_map(vcpu, res))
		return;
	res->exit = TD_EXIT_MAP_GPA;
	ret = handler->map_gpa(handler->ctx, vcpu, run->hypercall.args[0] >> TD_PAGE_SHIFT,
			       run->hypercall.args[1],
			       run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED);
	if (ret < 0) {
		handler_failed(res, "conversion for TDVMCALL<MapGPA>", ret);
		ret = TD_MAP_REFUSED;
	}
	run->hypercall.ret = answers[ret];
	/* asked again if it is to be, and by the same script */
	if (ret == TD_MAP_RETRY)
		vcpu->script = before;
	else if (ret == TD_MAP_REFUSED)
		td_payload_refused(&vcpu->script);
}

static void answer_fault(struct td_vcpu *vcpu, const struct td_run_handler *handler,
			 struct td_run_result *res)
{
	struct kvm_run *run = vcpu->run;
	int ret;

	if (run->memory_fault.flags & ~KVM_MEMORY_EXIT_FLAG_PRIVATE) {
		unexpected(res, "KVM_EXIT_MEMORY_FAULT with flags 0x%llx at GPA 0x%llx",
			   run->memory_fault.flags, run->memory_fault.gpa);
		return;
	}
	res->exit = TD_EXIT_FAULT;
	ret = handler->fault(handler->ctx, vcpu, run->memory_fault.gpa >> TD_PAGE_SHIFT,
			     run->memory_fault.flags & KVM_MEMORY_EXIT_FLAG_PRIVATE);
	if (ret < 0)
		handler_failed(res, "conversion for KVM_EXIT_MEMORY_FAULT", ret);
}

/*
 * There is no device that could interrupt a halted guest: whoever sends the
 * signal stands in for it.
 */
static void wake_if_halted(struct td_vcpu *vcpu, struct td_run_result *res)
{
	struct kvm_mp_state state;
	int ret;

	res->exit = TD_EXIT_SIGNAL;
	vcpu->run->immediate_exit = 0;
	ret = td_ioctl(TD_CALL_MP_STATE, vcpu->fd, KVM_GET_MP_STATE, &state);
	if (!ret && state.mp_state == KVM_MP_STATE_HALTED) {
		state.mp_state = KVM_MP_STATE_RUNNABLE;
		ret = td_ioctl(TD_CALL_MP_STATE, vcpu->fd, KVM_SET_MP_STATE, &state);
	}
	if (ret)
		handler_failed(res, "waking the vCPU", ret);
}

static void judge_error(struct td_vcpu *vcpu, const struct td_run_handler *handler,
			struct td_run_result *res)
{
	struct kvm_run *run = vcpu->run;

	if (res->err == EINTR) {
		wake_if_halted(vcpu, res);
	} else if (res->err == EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT) {
		answer_fault(vcpu, handler, res);
	} else if (res->err == EFAULT && run->exit_reason == KVM_EXIT_UNKNOWN) {
		/* kvm_handle_error_pfn() leaves the exit reason alone. */
		res->exit = TD_EXIT_BACKING;
	} else {
		unexpected(res, "errno %llu with exit reason %llu", res->err, run->exit_reason);
		if (res->err == EIO)
			strcat(res->text, ": KVM declared the VM bugged or dead");
	}
}

static void judge_exit(struct td_vcpu *vcpu, const struct td_run_handler *handler,
		       struct td_run_result *res)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return answer_io(vcpu, res);
	case KVM_EXIT_MMIO:
		return answer_mmio(vcpu, res);
	case KVM_EXIT_HYPERCALL:
		return answer_hypercall(vcpu, handler, res);
	case KVM_EXIT_TDX:
		/* KVM's default answer, "not supported", is right for all of them. */
		res->exit = TD_EXIT_TDX;
		return;
	case KVM_EXIT_HLT:
		/* Without an in-kernel APIC only; a TD cannot have that. */
		return unexpected(res, "KVM_EXIT_HLT on vCPU %llu", vcpu->index, 0);
	case KVM_EXIT_INTERNAL_ERROR:
		return unexpected(res, "KVM_EXIT_INTERNAL_ERROR, suberror %llu, data 0x%llx",
				  run->internal.suberror,
				  run->internal.ndata ? run->internal.data[0] : 0);
	case KVM_EXIT_SYSTEM_EVENT:
		return unexpected(res, "KVM_EXIT_SYSTEM_EVENT type %llu, data 0x%llx",
				  run->system_event.type,
				  run->system_event.ndata ? run->system_event.data[0] : 0);
	case KVM_EXIT_FAIL_ENTRY:
		return unexpected(res, "KVM_EXIT_FAIL_ENTRY, reason 0x%llx on CPU %llu",
				  run->fail_entry.hardware_entry_failure_reason,
				  run->fail_entry.cpu);
	default:
		return unexpected(res, "exit reason %llu on vCPU %llu", run->exit_reason,
				  vcpu->index);
	}
}

/**
 * td_run() - one KVM_RUN and the answer to what it ended with
 * @vcpu: the vCPU
 * @handler: decides about conversions
 * @res: how it ended
 *
 * Nobody else may be in an ioctl of the vCPU's until this returns, or what
 * KVM_RUN ended with could be lost.
 */
void td_run(struct td_vcpu *vcpu, const struct td_run_handler *handler,
	    struct td_run_result *res)
{
	memcpy(vcpu->run->padding, vcpu->answer, sizeof(vcpu->answer));
	res->err = -td_ioctl(TD_CALL_RUN, vcpu->fd, KVM_RUN, NULL);
	res->text[0] = '\0';
	if (res->err)
		judge_error(vcpu, handler, res);
	else
		judge_exit(vcpu, handler, res);
	memcpy(vcpu->answer, vcpu->run->padding, sizeof(vcpu->answer));
}

/**
 * td_prefault() - KVM_PRE_FAULT_MEMORY
 * @vcpu: any vCPU of a finalised TD whose td_run() is not going on
 * @gfn: first frame, without SHARED bit: the attributes decide
 * @nr_pages: number of pages
 * @done: set to the number of pages that are mapped now; may be NULL
 *
 * Return: 0 if at least one page was mapped, or -errno
 */
int td_prefault(struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, u64 *done)
{
	struct kvm_pre_fault_memory range = {
		.gpa = gfn << TD_PAGE_SHIFT,
		.size = nr_pages << TD_PAGE_SHIFT,
	};

	int ret = td_ioctl(TD_CALL_PREFAULT, vcpu->fd, KVM_PRE_FAULT_MEMORY, &range);

	if (done)
		*done = nr_pages - (range.size >> TD_PAGE_SHIFT);
	return ret;
}
