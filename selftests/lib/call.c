// SPDX-License-Identifier: GPL-2.0
/*
 * The calls into the kernel: their names, which errnos are legal while what
 * goes on, and the thread's announcement of the one in flight. The only file
 * that knows KVM's error contract; each line says where an errno comes from.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "td.h"

/**
 * struct legal - an errno that is no failure
 * @err: the errno
 * @during: TD_ACT_* of which one must be going on; 0: legal at all times
 */
struct legal {
	int err;
	u32 during;
};

#define MAX_LEGAL	5

static const struct {
	const char *name;
	struct legal legal[MAX_LEGAL];
} calls[TD_NR_CALLS] = {
	[TD_CALL_NONE]		= { "nothing" },
	[TD_CALL_RUN]		= { "KVM_RUN", {
		/* signal_pending() in vcpu_run(), immediate_exit */
		{ EINTR, TD_ACT_SIGNALS },
		/*
		 * kvm_mmu_prepare_memory_fault_exit() (comes with
		 * KVM_EXIT_MEMORY_FAULT: attributes differ, or a private access
		 * to a slot that is away), or kvm_handle_error_pfn(): nothing is
		 * mapped at the shared page's host address
		 */
		{ EFAULT, TD_ACT_ATTRS | TD_ACT_SLOTS | TD_ACT_BACKING },
	} },
	[TD_CALL_PREFAULT]	= { "KVM_PRE_FAULT_MEMORY", {
		{ EINTR, TD_ACT_SIGNALS },
		/* kvm_mmu_faultin_pfn(): the slot is being deleted or moved */
		{ EAGAIN, TD_ACT_SLOTS },
		/* as for KVM_RUN: attributes changed under us, no slot, no backing */
		{ EFAULT, TD_ACT_ATTRS | TD_ACT_SLOTS | TD_ACT_BACKING },
		/* kvm_tdp_page_prefault(): RET_PF_EMULATE, shared and no slot */
		{ ENOENT, TD_ACT_SLOTS },
	} },
	[TD_CALL_PUNCH]		= { "FALLOC_FL_PUNCH_HOLE" },
	[TD_CALL_SET_ATTRS]	= { "KVM_SET_MEMORY_ATTRIBUTES" },
	[TD_CALL_SLOT_CREATE]	= { "KVM_SET_USER_MEMORY_REGION2 (create)" },
	[TD_CALL_SLOT_DELETE]	= { "KVM_SET_USER_MEMORY_REGION2 (delete)" },
	[TD_CALL_SLOT_MOVE]	= { "KVM_SET_USER_MEMORY_REGION2 (move)" },
	[TD_CALL_SLOT_FLAGS]	= { "KVM_SET_USER_MEMORY_REGION2 (flags)" },
	[TD_CALL_GET_DIRTY]	= { "KVM_GET_DIRTY_LOG" },
	[TD_CALL_CLEAR_DIRTY]	= { "KVM_CLEAR_DIRTY_LOG" },
	[TD_CALL_MADVISE]	= { "madvise", {
		/* MADV_HUGEPAGE, MADV_COLLAPSE in a kernel without THP */
		{ EINVAL, 0 },
		/* madvise_collapse(): page busy, not to be isolated, or no 2M page */
		{ EAGAIN, 0 },
		{ EBUSY, 0 },
		{ ENOMEM, 0 },
	} },
	[TD_CALL_MPROTECT]	= { "mprotect" },
	[TD_CALL_MMAP]		= { "mmap" },
	[TD_CALL_CREATE_VM]	= { "KVM_CREATE_VM", {
		/* mm_take_all_locks() in mmu_notifier_register() */
		{ EINTR, TD_ACT_SIGNALS },
	} },
	[TD_CALL_ADOPT_VM]	= { "TDP_STRESS_ADOPT_VM" },
	[TD_CALL_ENABLE_CAP]	= { "KVM_ENABLE_CAP" },
	[TD_CALL_CAPABILITIES]	= { "KVM_TDX_CAPABILITIES" },
	[TD_CALL_INIT_VM]	= { "KVM_TDX_INIT_VM", {
		/* TDX_RND_NO_ENTROPY; retried by td_create() first */
		{ EAGAIN, 0 },
		/* tdx_guest_keyid_alloc(): all HKIDs are in use by other TDs */
		{ ENOSPC, 0 },
	} },
	[TD_CALL_CREATE_GMEM]	= { "KVM_CREATE_GUEST_MEMFD" },
	[TD_CALL_CREATE_VCPU]	= { "KVM_CREATE_VCPU" },
	/*
	 * On a finalised TD: tdx_vcpu_create() wants TD_STATE_INITIALIZED, or
	 * kvm->max_vcpus is reached before it is asked. Success is a failure.
	 */
	[TD_CALL_LATE_VCPU]	= { "KVM_CREATE_VCPU (finalised TD)", {
		{ EIO, 0 },
		{ EINVAL, 0 },
	} },
	[TD_CALL_SET_CPUID]	= { "KVM_SET_CPUID2" },
	/*
	 * EBUSY: up to 7.2 tdx_acquire_vm_state_locks() refuses while a vCPU is
	 * being created; from 7.3 on KVM_CREATE_VCPU holds kvm->lock throughout.
	 */
	[TD_CALL_INIT_VCPU]	= { "KVM_TDX_INIT_VCPU", {
		{ EBUSY, TD_ACT_VCPUS },
	} },
	[TD_CALL_INIT_MEM]	= { "KVM_TDX_INIT_MEM_REGION", {
		{ EBUSY, TD_ACT_VCPUS },
		{ EINTR, TD_ACT_SIGNALS },
	} },
	/* EBUSY: TDX_OPERAND_BUSY of TDH.MR.FINALIZE; retried by td_finalize() */
	[TD_CALL_FINALIZE]	= { "KVM_TDX_FINALIZE_VM", {
		{ EBUSY, 0 },
	} },
	[TD_CALL_MP_STATE]	= { "KVM_GET/SET_MP_STATE" },
	[TD_CALL_CLOSE]		= { "close" },
};

const char *td_call_name(enum td_call call)
{
	return call < TD_NR_CALLS ? calls[call].name : "?";
}

/**
 * td_errno_legal() - may @call fail with @err while @activity goes on?
 * @call: the call
 * @err: its errno, positive
 * @activity: TD_ACT_* going on in other threads
 *
 * EIO is KVM's "this VM is bugged or dead", never legal where it can mean that.
 *
 * Return: true if the errno is part of the contract and no sign of a bug
 */
bool td_errno_legal(enum td_call call, int err, u32 activity)
{
	const struct legal *l;

	if (call >= TD_NR_CALLS)
		return false;
	for (l = calls[call].legal; l < calls[call].legal + MAX_LEGAL && l->err; l++)
		if (l->err == err)
			return !l->during || (l->during & activity);
	return false;
}

const char *td_errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return name ? name : "unknown errno";
}

/* Threads without a supervisor announce to nobody. */
static _Thread_local struct td_watch unwatched;
static _Thread_local struct td_watch *watch;

/**
 * td_watch_set() - announce the calling thread's calls in @w
 * @w: must outlive the thread
 */
void td_watch_set(struct td_watch *w)
{
	watch = w;
}

void td_call_begin(enum td_call call)
{
	struct td_watch *w = watch ? watch : &unwatched;

	atomic_store_explicit(&w->call, call, memory_order_relaxed);
	/* One writer: no read-modify-write is needed. */
	atomic_store_explicit(&w->seq,
			      atomic_load_explicit(&w->seq, memory_order_relaxed) + 1,
			      memory_order_release);
}

/**
 * td_call_end() - the announced call has returned
 * @ret: what it returned; -1: errno says why
 *
 * Return: @ret, or -errno
 */
int td_call_end(long ret)
{
	int err = errno;

	td_call_begin(TD_CALL_NONE);
	return ret == -1 ? -err : (int)ret;
}

int td_ioctl(enum td_call call, int fd, unsigned long request, void *arg)
{
	td_call_begin(call);
	return td_call_end(ioctl(fd, request, arg));
}
