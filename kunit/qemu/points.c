// SPDX-License-Identifier: GPL-2.0
/*
 * Points of sched.h in the middle of the real KVM: where it calls a function that can
 * be probed, or executes PAUSE because somebody else has frozen an entry. What is
 * between, an exchange in inlined code, has no point here.
 */
#define pr_fmt(fmt) "tdp_stress_kunit: " fmt

#include <linux/kprobes.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>

#include <asm/text-patching.h>

#include "../../tdp_stress/kvm/insight.h"
#include "../../tdp_stress/kvm/probe.h"
#include "../bed/sched.h"
#include "vm.h"

/* Where the walk on this CPU is; mmu_lock or RCU keeps preemption from mattering. */
struct place {
	gfn_t gfn;
	int level;
};

static DEFINE_PER_CPU(struct place, last);

/* --- walks, and when they yield --- */

static int walk_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	*(struct tdp_iter **)data = (struct tdp_iter *)tdps_arg(regs, 0);
	return 0;
}

/*
 * The iterator has read an entry, and KVM is about to look at it. Who is held here has
 * not read it: it is read again. A walk that is to yield looks at this thread's flag
 * next.
 */
static void walk_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct tdp_iter *iter = *(struct tdp_iter **)data;

	if (!iter->valid)
		return;
	this_cpu_write(last.gfn, iter->gfn);
	this_cpu_write(last.level, iter->level);
	bed_point(BED_WALK, iter->gfn, iter->level);
	iter->old_spte = READ_ONCE(*(__force u64 *)iter->sptep);
	if (bed_wants_yield()) {
		set_tsk_need_resched(current);
		set_preempt_need_resched();
	}
}

static int yield_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	struct place *at = data;

	struct kvm *kvm = home_watched();

	if (!kvm || tdps_arg(regs, 0) != (unsigned long)&kvm->mmu_lock)
		return 1;
	*at = *this_cpu_ptr(&last);
	bed_point(BED_YIELD, at->gfn, at->level);
	return 0;
}

static void yield_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		       struct tdps_regs *regs, void *data)
{
	const struct place *at = data;

	bed_point(BED_YIELDED, at->gfn, at->level);
}

/* --- tables that are handed to RCU --- */

static unsigned long free_callback;

static int call_rcu_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
			  struct tdps_regs *regs, void *data)
{
	struct rcu_head *head = (struct rcu_head *)tdps_arg(regs, 0);
	struct kvm_mmu_page *sp = container_of(head, struct kvm_mmu_page, rcu_head);

	if (free_callback && tdps_arg(regs, 1) == free_callback)
		bed_point(BED_BEFORE_CALL_RCU, sp->gfn, sp->role.level);
	return 0;
}

/* --- entries that have been written --- */

/*
 * KVM traces a change before it counts leafs. Under mmu_lock held for read, an entry of
 * a mirror root is still frozen then: that write is not told.
 */
static void on_changed(void *unused, int as_id, gfn_t gfn, int level, u64 old_spte,
		       u64 new_spte)
{
	struct kvm *kvm = home_watched();

	if (kvm && (gfn & kvm_gfn_direct_bits(kvm) || tdps_lock_of(kvm) != TDPS_LOCK_READ))
		bed_point(BED_AFTER_WRITE, gfn, level);
}

static struct tracepoint *changed;
static bool changed_on;

static bool trace_changes(void)
{
	if (!changed_on && changed)
		changed_on = !tracepoint_probe_register(changed, on_changed, NULL);
	return changed_on;
}

static void untrace_changes(void)
{
	if (!changed_on)
		return;
	tracepoint_probe_unregister(changed, on_changed, NULL);
	tracepoint_synchronize_unregister();
	changed_on = false;
}

/* --- waiting for the owner of a frozen entry --- */

/*
 * KVM spins there with PAUSE, between two looks at the entry. Instead it calls
 * home_wait_owner(), and pauses then: from the breakpoint's own handler nobody can be
 * held, as that runs like an NMI.
 */
asmlinkage void home_wait_owner(void)
{
	bed_point(BED_WAIT_OWNER, this_cpu_read(last.gfn), this_cpu_read(last.level));
}

static const u8 pause_insn[] = { 0xf3, 0x90 };

static int at_pause(struct kprobe *p, struct pt_regs *regs)
{
	int3_emulate_push(regs, (unsigned long)p->addr + sizeof(pause_insn));
	int3_emulate_jmp(regs, (unsigned long)home_pause);
	/* the instruction has been dealt with */
	return 1;
}

/* Never called. A probe that has one is not made into a jump, which would go on at PAUSE. */
static void after_pause(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

/* As many as there are in the function, inlined loops included. */
static struct kprobe pauses[4];
static int nr_pauses;

#define FUNCTION_MAX	8192	/* bytes looked at */

static void probe_pause(unsigned long addr, const char *function)
{
	struct kprobe *p = &pauses[nr_pauses];
	char name[KSYM_SYMBOL_LEN];

	if (nr_pauses == ARRAY_SIZE(pauses) ||
	    memcmp((void *)addr, pause_insn, sizeof(pause_insn)))
		return;
	sprint_symbol_no_offset(name, addr);
	if (strncmp(name, function, strlen(function)))
		return;
	*p = (struct kprobe) {
		.addr = (kprobe_opcode_t *)addr,
		.pre_handler = at_pause,
		.post_handler = after_pause,
	};
	/* refused where these bytes are within an instruction */
	if (!register_kprobe(p))
		nr_pauses++;
}

static void find_pauses(void)
{
	static const char * const functions[] = { "handle_removed_pt", "__handle_changed_spte" };
	unsigned long addr, i;
	int f;

	nr_pauses = 0;
	for (f = 0; f < ARRAY_SIZE(functions); f++) {
		addr = tdps_lookup(functions[f]);
		for (i = 0; addr && i < FUNCTION_MAX; i++)
			probe_pause(addr + i, functions[f]);
	}
}

/* --- all of them --- */

static struct point_probe {
	const char *symbol;
	struct fprobe fp;
	bool on;
} probes[] = {
	{ "tdp_iter_start", {
		.entry_handler = walk_entry, .exit_handler = walk_exit,
		.entry_data_size = sizeof(struct tdp_iter *) } },
	{ "tdp_iter_next", {
		.entry_handler = walk_entry, .exit_handler = walk_exit,
		.entry_data_size = sizeof(struct tdp_iter *) } },
	{ "__cond_resched_rwlock_read", {
		.entry_handler = yield_entry, .exit_handler = yield_exit,
		.entry_data_size = sizeof(struct place) } },
	{ "__cond_resched_rwlock_write", {
		.entry_handler = yield_entry, .exit_handler = yield_exit,
		.entry_data_size = sizeof(struct place) } },
	{ "call_rcu", { .entry_handler = call_rcu_entry } },
};

enum { WALK_START, WALK_NEXT, YIELD_READ, YIELD_WRITE, CALL_RCU };

static bool turn_on(int first, int last)
{
	unsigned long addr;
	int i;

	for (i = first; i <= last; i++) {
		addr = probes[i].on ? 0 : tdps_lookup(probes[i].symbol);
		if (addr)
			probes[i].on = !register_fprobe_ips(&probes[i].fp, &addr, 1);
		if (!probes[i].on)
			return false;
	}
	return true;
}

/**
 * bed_has_point() - can threads be stopped there?
 * @p: the point
 *
 * Probes make every walk slower, so they are made for the cases that ask for them.
 *
 * Context: may sleep; the case's thread.
 *
 * Return: true if that point is told, until the case ends.
 */
bool bed_has_point(enum bed_point p)
{
	switch (p) {
	case BED_START:
	case BED_IN_EXTERNAL:
	case BED_AFTER_EXTERNAL:
	case BED_IN_FREE:
	case BED_RETRY:
	case BED_DONE:
		/* where KVM calls out, and what the bed itself does */
		return true;
	case BED_WALK:
		return turn_on(WALK_START, WALK_NEXT);
	case BED_YIELD:
	case BED_YIELDED:
		return turn_on(WALK_START, YIELD_WRITE);
	case BED_BEFORE_CALL_RCU:
		return free_callback && turn_on(CALL_RCU, CALL_RCU);
	case BED_AFTER_WRITE:
		return trace_changes();
	case BED_WAIT_OWNER:
		return nr_pauses;
	default:
		return false;
	}
}

/* May sleep; a case has ended. */
void home_points_reset(void)
{
	int i;

	untrace_changes();
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].on)
			unregister_fprobe(&probes[i].fp);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		probes[i].on = false;
}

/* May sleep. What cannot be probed is a point that is not there. */
void home_points_open(void)
{
	changed = (struct tracepoint *)tdps_lookup("__tracepoint_kvm_tdp_mmu_spte_changed");
	free_callback = tdps_lookup("tdp_mmu_free_sp_rcu_callback");
	find_pauses();
}

void home_points_close(void)
{
	int i;

	home_points_reset();
	for (i = 0; i < nr_pauses; i++)
		unregister_kprobe(&pauses[i]);
	nr_pauses = 0;
}
