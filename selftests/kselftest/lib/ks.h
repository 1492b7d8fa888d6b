/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kselftests share: which backend is there, VMs with mirror roots on
 * any of them, counters, races, and the check of all invariants at the end.
 *
 * A VM is a struct td of selftests/lib, whichever backend made it. Nothing here
 * knows the harness: calls return 0 or -errno, or a sentence that says what is
 * wrong (NULL: nothing), and ks_test.h turns those into results.
 */
#ifndef KSELFTEST_KS_H
#define KSELFTEST_KS_H

#include <pthread.h>
#include <stdatomic.h>

#include "../../lib/modules.h"
#include "../../lib/rng.h"
#include "../../lib/td.h"
#include "../../../tdp_stress/uapi/tdp_stress.h"
#include "ks_guest.h"

/* Who keeps the external page tables. */
enum ks_backend {
	KS_EXTERNAL,	/* tdp_stress.ko, for VMs that it adopts */
	KS_EMULATED,	/* kvm_intel's tdx.c, on tdx_stub.ko */
	KS_REAL,	/* kvm_intel's tdx.c, on a TDX module of Intel's */
};

#define KS_HUGE_PAGES	512ULL	/* 4K pages of a 2M page */

/*
 * The VM of most tests, in 4K pages: 4M in the main slot, 4M in the window, so
 * that both hold huge pages, and the mobile slot's 4M of shared memory.
 */
#define KS_PAGES	(4 * KS_HUGE_PAGES)
#define KS_WINDOW	(2 * KS_HUGE_PAGES)
#define KS_HUGE_LEAFS	((s64)(KS_WINDOW / KS_HUGE_PAGES))
#define KS_MAIN_PAGES	(KS_PAGES - KS_WINDOW)
#define KS_VCPUS	2	/* but for fixtures with variants of that */
#define KS_MAX_VCPUS	4

/**
 * struct ks - one test
 * @backend: the backend, which is there
 * @env: KVM
 * @dev_fd: /dev/tdp_stress, for what is not about making VMs
 * @modules: counters, as they were when the test began and as they are
 * @violations: of invariants, when the test began
 * @kept: of these, those whose text the module has
 * @seed: of every random choice (TDP_STRESS_SEED)
 * @race_ms: how long a race lasts, in milliseconds (TDP_STRESS_RACE_MS)
 * @nr_vcpus: vCPUs of the VMs of ks_vm_start()
 * @text: where sentences are put together
 */
struct ks {
	enum ks_backend backend;
	struct td_env env;
	int dev_fd;
	struct modules modules;
	u64 violations;
	u32 kept;
	u64 seed;
	unsigned int race_ms;
	unsigned int nr_vcpus;
	char text[320];
};

const char *ks_open(struct ks *ks, enum ks_backend backend);
const char *ks_close(struct ks *ks);
void ks_let_go(struct ks *ks);
int ks_take_again(struct ks *ks);
const char *ks_check(struct ks *ks);
const char *ks_audit(struct ks *ks);
bool ks_idle(struct ks *ks);
u64 ks_number(const char *name, u64 otherwise, u64 max);
void ks_expect_warnings(bool begin);
bool ks_can_run(const struct ks *ks);
bool ks_tdx_counter(struct ks *ks, const char *name, u64 *value);
s64 ks_private_pages(struct ks *ks);

/* --- VMs --- */

int ks_vm_make(struct ks *ks, struct td *vm, const struct td_config *cfg);
int ks_vm_start(struct ks *ks, struct td *vm);
int ks_map(struct td *vm, unsigned int vcpu, u64 gfn, u64 nr_pages);
#define KS_ASKED	1	/* ks_enter() */
#define KS_STUCK	2
int ks_enter(struct td *vm, unsigned int vcpu);
int ks_run(struct td *vm, unsigned int vcpu, unsigned int times);
s64 ks_mapped(const struct td *vm);
void ks_poke(void *at);
void ks_touch(const struct td *vm, enum td_slot_id id, bool huge);

/* --- /dev/tdp_stress --- */

int ks_dev(struct ks *ks, unsigned long command, void *arg);
const char *ks_lacks(struct ks *ks, u64 features, u64 ops, u64 points, u64 injects);
int ks_op(struct ks *ks, struct td *vm, struct tdp_stress_op *op);
int ks_walk(struct ks *ks, struct td *vm, u32 roots, u64 gfn, u64 nr, u32 flags,
	    struct tdp_stress_entry *entries, u32 max);
int ks_hold(struct ks *ks, struct td *vm, struct tdp_stress_hold *hold);
int ks_hold_wait(struct ks *ks, u32 id, u32 timeout_ms, struct tdp_stress_hold_wait *wait);
int ks_release(struct ks *ks, u32 id);
int ks_inject(struct ks *ks, u32 kind, u32 what, u32 mode, u32 value, u64 status);
s64 ks_injected(struct ks *ks, u32 kind, u32 what);
int ks_inject_nothing(struct ks *ks);

/* --- module parameters of the machine's --- */

/* Name of the process that puts parameters back when a test has been killed. */
#define KS_GUARD	"ks-guard"

/**
 * struct ks_param - one parameter
 * @path: its file
 * @value: what it is to be
 * @old: what it was
 */
struct ks_param {
	const char *path;
	const char *value;
	char old[32];
};

/**
 * struct ks_params - those that a test changes
 * @list: parameters, in the order in which they are set
 * @nr: length of @list
 * @pipe: its end tells @guard that nobody needs them any more
 * @guard: process that puts them back; 0: there is none
 */
struct ks_params {
	struct ks_param *list;
	unsigned int nr;
	int pipe;
	pid_t guard;
};

const char *ks_params_set(struct ks_params *params, struct ks *ks);
bool ks_params_put_back(struct ks_params *params);

/* --- other programs --- */

#define KS_PROGRAM	48	/* bytes of a name */

/**
 * struct ks_victim - a test of another program
 * @program: the program's file, beside this one's
 * @test: its name
 * @but: the harness's options that leave out variants of other backends
 * @pid: of the program; 0: it does not run
 * @said: file with what it has printed
 */
struct ks_victim {
	char program[KS_PROGRAM];
	char test[KS_PROGRAM];
	char but[512];
	pid_t pid;
	int said;
};

unsigned int ks_victims(struct ks_victim *list, unsigned int max, const char *but,
			const char *variants);
int ks_victim_start(struct ks_victim *victim);
int ks_victim_kill(struct ks_victim *victim, bool test_first);
void ks_victim_last_words(const struct ks_victim *victim, char *text, size_t size);
void ks_victim_forget(struct ks_victim *victim);

/* --- races --- */

/* Where shared memory may be: in the guest's range, and in the mobile slot's places. */
#define KS_NR_GATES	(1 + TD_MOBILE_PLACES)
#define KS_GATE_GUEST	0
#define KS_GATE_MOBILE(place)	(1 + (place))

/**
 * struct ks_gates - keeps memslots from coming where a fault is under way
 * @gate: held for reading by faults, for writing by a slot that comes there
 *
 * A fault at a shared GFN that has no memslot, and a memslot that comes there, are one
 * fault too many for KVM (7.2, 7.3: WARN in kvm_tdp_mmu_map(), Documentation/
 * findings.rst). Slots that go need no gate, nor do private GFNs.
 */
struct ks_gates {
	pthread_rwlock_t gate[KS_NR_GATES];
};

/**
 * struct ks_racer - a thread that does one thing over and over
 * @name: of the thread, so that a violation names what it was at
 * @step: does it once: 0, or -errno of the call @call, or 1: nothing to do now
 * @vm: to what
 * @vcpu: the vCPU that is this thread's own
 * @activity: TD_ACT_* of the others, which say what errnos are legal
 * @least: steps that must return 0, at the end; 0 means 1
 * @gates: where faults may meet no memslot at shared GFNs; else NULL
 * @ctx: the test's own
 * @rng: this thread's random choices
 * @call: set by @step: the call that returned what it returns
 * @ok: steps that returned 0
 * @steps: all of them
 * @failure: what was wrong first
 * @race: the race's own: which one
 * @thread: the race's own: that takes the steps
 */
struct ks_racer {
	const char *name;
	int (*step)(struct ks_racer *r);
	struct td *vm;
	unsigned int vcpu;
	u32 activity;
	u64 least;
	struct ks_gates *gates;
	void *ctx;
	struct rng rng;
	enum td_call call;
	atomic_ullong ok;
	u64 steps;
	char failure[160];
	struct ks_race *race;
	pthread_t thread;
};

u64 ks_now_ms(void);
void ks_gates_init(struct ks_gates *gates);
unsigned int ks_racers(struct ks *ks, struct td *vm, struct ks_racer *racers,
		       const struct ks_racer *like);
const char *ks_race(struct ks *ks, struct ks_racer *racers, unsigned int nr);

int ks_fault_mobile(struct ks_racer *r, u64 nr);
int ks_step_map(struct ks_racer *r);
int ks_step_punch(struct ks_racer *r);
int ks_step_convert(struct ks_racer *r);
int ks_step_window(struct ks_racer *r);
int ks_step_mobile(struct ks_racer *r);
int ks_step_map_mobile(struct ks_racer *r);
int ks_step_discard(struct ks_racer *r);
int ks_step_run(struct ks_racer *r);

/* --- a guest of a real CPU's --- */

/**
 * struct ks_guest_cpu - one of its vCPUs
 * @guest: it
 * @index: which vCPU
 * @thread: is in KVM_RUN most of the time
 * @started: @thread is to be waited for
 * @ended: @thread has done what it had to
 * @refused: KVM_RUN found no memory behind a page
 */
struct ks_guest_cpu {
	struct ks_guest *guest;
	unsigned int index;
	pthread_t thread;
	bool started;
	atomic_bool ended;
	atomic_ullong refused;
};

/**
 * struct ks_guest - the small guest, see ks_guest.h
 * @vm: its VM
 * @home: its own memory, as the host has it
 * @nr: vCPUs that run it
 * @cpu: these
 * @offs: how often it was kept off its moving pages, or let go on
 * @over: its vCPUs are to be entered no more
 * @lock: @wrong
 * @wrong: what was wrong first
 */
struct ks_guest {
	struct td *vm;
	struct ks_home *home;
	unsigned int nr;
	struct ks_guest_cpu cpu[KS_GUEST_CPUS];
	u64 offs;
	atomic_bool over;
	pthread_mutex_t lock;
	char wrong[200];
};

int ks_guest_make(struct ks *ks, struct ks_guest *g, struct td *vm, unsigned int nr_cpus,
		  bool huge);
int ks_guest_start(struct ks_guest *g);
void ks_guest_stop(struct ks_guest *g);
bool ks_guest_keep_off(struct ks_guest *g, bool off);
void ks_guest_blame(struct ks_guest *g, const char *fmt, ...) __printf(2, 3);
const char *ks_guest_wrong(struct ks_guest *g);
char *ks_guest_page(const struct ks_guest *g, u64 page);
u64 ks_guest_word(const struct ks_guest *g, u64 page);
u64 ks_guest_gfn(const struct ks_guest *g, u64 page);

#endif
