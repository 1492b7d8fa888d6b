/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A TD through KVM's ioctls, for the driver and for kselftests.
 *
 * Knows the ioctls, their order and their errnos. Knows nothing of threads,
 * random choices, verdicts or debugfs: whoever uses a TD decides those.
 *
 * Every call returns 0 (or a descriptor) or a negative errno, and is announced
 * in the calling thread's struct td_watch, so that a supervisor can name the
 * call which does not return.
 */
#ifndef SELFTESTS_LIB_TD_H
#define SELFTESTS_LIB_TD_H

#include <stdatomic.h>
#include <linux/kvm.h>

#include "types.h"
#include "../../tdp_stress/uapi/td_payload.h"

#define TD_PAGE_SHIFT	12
#define TD_PAGE_SIZE	BIT(TD_PAGE_SHIFT)

/* Every call into the kernel that can fail or hang. The order is the report's. */
enum td_call {
	TD_CALL_NONE,
	TD_CALL_RUN,
	TD_CALL_PREFAULT,
	TD_CALL_PUNCH,
	TD_CALL_SET_ATTRS,
	TD_CALL_SLOT_CREATE,
	TD_CALL_SLOT_DELETE,
	TD_CALL_SLOT_MOVE,
	TD_CALL_SLOT_FLAGS,
	TD_CALL_GET_DIRTY,
	TD_CALL_CLEAR_DIRTY,
	TD_CALL_MADVISE,
	TD_CALL_MPROTECT,
	TD_CALL_MMAP,
	TD_CALL_CREATE_VM,
	TD_CALL_ADOPT_VM,
	TD_CALL_ENABLE_CAP,
	TD_CALL_CAPABILITIES,
	TD_CALL_INIT_VM,
	TD_CALL_CREATE_GMEM,
	TD_CALL_CREATE_VCPU,
	TD_CALL_LATE_VCPU,
	TD_CALL_SET_CPUID,
	TD_CALL_INIT_VCPU,
	TD_CALL_INIT_MEM,
	TD_CALL_FINALIZE,
	TD_CALL_MP_STATE,
	TD_CALL_CLOSE,
	TD_NR_CALLS
};

/* What goes on in the TD at the same time; it decides which errnos are legal. */
#define TD_ACT_ATTRS	BIT(0)	/* private/shared attributes change */
#define TD_ACT_SLOTS	BIT(1)	/* memslots come and go */
#define TD_ACT_BACKING	BIT(2)	/* the shared backing comes and goes */
#define TD_ACT_SIGNALS	BIT(3)	/* the calling thread receives signals */
#define TD_ACT_VCPUS	BIT(4)	/* vCPUs are created */

const char *td_call_name(enum td_call call);
bool td_errno_legal(enum td_call call, int err, u32 activity);
const char *td_errno_name(int err);

/**
 * struct td_watch - what a thread is doing in the kernel
 * @call: enum td_call in flight, or TD_CALL_NONE
 * @seq: changes with every start and end of a call, so that a supervisor who
 *	 samples it can tell one long call from many short ones without a clock
 */
struct td_watch {
	_Atomic u32 call;
	_Atomic u32 seq;
};

void td_watch_set(struct td_watch *watch);
void td_call_begin(enum td_call call);
int td_call_end(long ret);
int td_ioctl(enum td_call call, int fd, unsigned long request, void *arg);

/* --- the host --- */

enum td_env_status {
	TD_ENV_OK,
	TD_ENV_NO_KVM,		/* /dev/kvm is missing or may not be opened */
	TD_ENV_NO_TDX,		/* KVM offers no KVM_X86_TDX_VM */
	TD_ENV_NO_CAP,		/* KVM is too old for something we need */
	TD_ENV_NO_STRESS,	/* /dev/tdp_stress is missing or may not be opened */
};

/* What makes a VM a TD. */
enum td_kind {
	TD_KIND_TDX,		/* KVM_X86_TDX_VM: kvm_intel's tdx.c */
	TD_KIND_ADOPTED,	/* tdp_stress.ko has adopted an ordinary VM */
};

/**
 * struct td_image - code for a TD's vCPUs, which ends at the reset vector's page
 * @data: aligned to a page
 * @size: whole pages
 */
struct td_image {
	const void *data;
	u64 size;
};

/**
 * struct td_env - what all TDs share
 * @kind: what td_create() makes
 * @kvm_fd: /dev/kvm
 * @stress_fd: /dev/tdp_stress (TD_KIND_ADOPTED), else -1
 * @run_size: bytes of a vCPU's struct kvm_run mapping
 * @cpuid: KVM_GET_SUPPORTED_CPUID, physical addresses wide enough for GPAW
 * @image: what every TD runs (uapi/td_payload.h), or NULL: only the emulated TDX module
 *	   can run it, which has a guest of its own
 * @seed: of what @image does
 * @err: errno of the step that failed, or 0
 * @missing: the missing capability (TD_ENV_NO_CAP)
 */
struct td_env {
	enum td_kind kind;
	int kvm_fd;
	int stress_fd;
	size_t run_size;
	struct kvm_cpuid2 *cpuid;
	const struct td_image *image;
	u64 seed;
	int err;
	const char *missing;
};

enum td_env_status td_env_open(struct td_env *env, enum td_kind kind);
void td_env_close(struct td_env *env);

/* --- a TD --- */

/*
 * Memory of a TD, in pages from GPA 0:
 *
 *   [0, nr_pages - window)		slot TD_SLOT_MAIN, guest_memfd and shared
 *   [nr_pages - window, nr_pages)	slot TD_SLOT_WINDOW, the same, or (dirty
 *					logging) shared only: KVM refuses dirty
 *					logging with KVM_MEM_GUEST_MEMFD
 *   above, on one of TD_MOBILE_PLACES	slot TD_SLOT_MOBILE, shared only: KVM
 *					refuses to move a guest_memfd slot
 *
 *   right below 4 GiB, if there is one	slot TD_SLOT_IMAGE, guest_memfd; nobody
 *					changes it
 *
 * The guest uses [0, nr_pages), and its image.
 */
enum td_slot_id { TD_SLOT_MAIN, TD_SLOT_WINDOW, TD_SLOT_MOBILE, TD_SLOT_IMAGE, TD_NR_SLOTS };

#define TD_MOBILE_PLACES	4

/**
 * struct td_slot - one memslot, as it is or (not @present) as it will be
 * @gfn: first guest frame
 * @nr_pages: size in 4K pages
 * @hva: shared backing, @nr_pages long
 * @gmem_page: first page of guest_memfd; used with KVM_MEM_GUEST_MEMFD
 * @flags: KVM_MEM_*
 * @present: KVM has it
 */
struct td_slot {
	u64 gfn;
	u64 nr_pages;
	void *hva;
	u64 gmem_page;
	u32 flags;
	bool present;
};

/* The union in struct kvm_run, as its padding[] fixes it. */
#define TD_ANSWER_SIZE	sizeof(((struct kvm_run *)0)->padding)

/**
 * struct td_vcpu - one vCPU
 * @td: its TD
 * @index: vCPU ID, which is its APIC ID
 * @fd: descriptor, or -1
 * @run: shared with KVM
 * @answer: what td_run() left in @run for KVM to read at the next KVM_RUN; other
 *	    ioctls may write over it there
 * @script: where the guest is, if the TD has an image
 */
struct td_vcpu {
	struct td *td;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	char answer[TD_ANSWER_SIZE];
	struct td_payload script;
};

/**
 * struct td_config - what a TD looks like
 * @nr_vcpus: room for vCPUs; td_add_vcpu() creates them
 * @nr_pages: memory the guest uses, in 4K pages
 * @window_pages: size of the window slot, less than @nr_pages; 0: no window and
 *		  no mobile slot
 * @dirty_log_manual: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2
 */
struct td_config {
	unsigned int nr_vcpus;
	u64 nr_pages;
	u64 window_pages;
	bool dirty_log_manual;
};

/**
 * struct td - one TD
 * @env: the host
 * @cfg: as created
 * @vm_fd: descriptor, or -1
 * @shared_bit: TD_KIND_ADOPTED: the GPA bit that makes an address shared
 * @gmem_fd: guest_memfd, or -1: @gmem_pages, and then the image
 * @gmem_pages: pages of @gmem_fd that anything may be done with: the window has two homes
 *		in it
 * @shared: backing of shared memory, [0, nr_pages) and then the mobile slot's
 * @shared_bytes: size of @shared
 * @slots: memslots; the user serialises changes
 * @vcpus: room for cfg.nr_vcpus, the first @nr_vcpus exist
 * @nr_vcpus: vCPUs created
 * @hw_error: SEAMCALL status of a KVM_TDX_* call that failed
 * @failed: call that failed in td_create() and friends
 */
struct td {
	const struct td_env *env;
	struct td_config cfg;
	int vm_fd;
	u64 shared_bit;
	int gmem_fd;
	u64 gmem_pages;
	void *shared;
	size_t shared_bytes;
	struct td_slot slots[TD_NR_SLOTS];
	struct td_vcpu *vcpus;
	unsigned int nr_vcpus;
	u64 hw_error;
	enum td_call failed;
};

int td_create(struct td *td, const struct td_env *env, const struct td_config *cfg);
int td_add_vcpu(struct td *td);
int td_try_late_vcpu(struct td *td);
int td_init_mem(struct td *td, unsigned int vcpu, u64 gfn, u64 nr_pages,
		const void *source, bool measure);
int td_finalize(struct td *td);
void td_destroy(struct td *td);

/* --- its memory --- */

int td_slot_create(struct td *td, enum td_slot_id id);
int td_slot_delete(struct td *td, enum td_slot_id id);
int td_slot_move(struct td *td, enum td_slot_id id, u64 gfn);
int td_slot_set_flags(struct td *td, enum td_slot_id id, u32 flags);
u64 td_mobile_gfn(const struct td *td, unsigned int place);
u64 td_window_home(const struct td *td, unsigned int home);
int td_set_private(struct td *td, u64 gfn, u64 nr_pages, bool private);
int td_punch(struct td *td, u64 gmem_page, u64 nr_pages);
int td_get_dirty_log(struct td *td, enum td_slot_id id, void *bitmap);
int td_clear_dirty_log(struct td *td, enum td_slot_id id, u64 first, u32 nr_pages,
		       void *bitmap);

/* --- its vCPUs --- */

/* How KVM_RUN ended, as far as the user of the TD may care. */
enum td_exit {
	TD_EXIT_PROGRESS,	/* the guest says that it made progress */
	TD_EXIT_DEVICE,		/* other port I/O or MMIO, answered */
	TD_EXIT_FAULT,		/* private/shared mismatch, told to the handler */
	TD_EXIT_BACKING,	/* no memory behind a shared page just now */
	TD_EXIT_MAP_GPA,	/* the guest asked for a conversion, answered */
	TD_EXIT_TDX,		/* another TDVMCALL that goes to user space, answered */
	TD_EXIT_SIGNAL,		/* interrupted; a halted vCPU is made runnable */
	TD_EXIT_UNEXPECTED,	/* see td_run_result.text */
	TD_NR_EXITS
};

/* Answers to TDVMCALL<MapGPA>. */
enum td_map_answer { TD_MAP_DONE, TD_MAP_RETRY, TD_MAP_REFUSED };

/**
 * struct td_run_handler - what the user of the TD decides during KVM_RUN
 * @fault: the guest met @gfn, which it believes to be @private, and KVM does
 *	   not; make the next try succeed, or let it fail again. 0 or -errno.
 * @map_gpa: the guest asks for [@gfn, @gfn + @nr_pages) to become @private.
 *	     enum td_map_answer, or -errno if that failed.
 * @ctx: handed through
 */
struct td_run_handler {
	int (*fault)(void *ctx, struct td_vcpu *vcpu, u64 gfn, bool private);
	int (*map_gpa)(void *ctx, struct td_vcpu *vcpu, u64 gfn, u64 nr_pages,
		       bool private);
	void *ctx;
};

/**
 * struct td_run_result - how one KVM_RUN ended
 * @exit: the kind
 * @err: errno of KVM_RUN (or of the handler), 0 if it returned 0
 * @text: one clause that says what was unexpected
 */
struct td_run_result {
	enum td_exit exit;
	int err;
	char text[160];
};

void td_run(struct td_vcpu *vcpu, const struct td_run_handler *handler,
	    struct td_run_result *res);
int td_prefault(struct td_vcpu *vcpu, u64 gfn, u64 nr_pages, u64 *done);
const char *td_exit_name(enum td_exit exit);

/* --- KVM's statistics, of a VM or a vCPU --- */

s64 td_stat(int fd, const char *name);

#endif
