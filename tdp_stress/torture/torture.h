/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Torture: threads that do things to VMs of our own, rcutorture style. What the
 * things are is in ops.c, how KVM is called is kvm/own.h's.
 */
#ifndef TDP_STRESS_TORTURE_TORTURE_H
#define TDP_STRESS_TORTURE_TORTURE_H

#include <linux/seq_file.h>
#include <linux/types.h>

enum torture_schedule {
	TORTURE_SCHEDULE_NONE,
	TORTURE_SCHEDULE_RANDOM,	/* random waits at schedule points */
	TORTURE_SCHEDULE_PCT,		/* priorities with a few random changes */
};

/**
 * struct torture_config - what is run
 * @vms: VMs, 0: nothing is run
 * @vcpus: vCPUs of each, each with a thread that enters it
 * @mmu_workers: threads that call the TDP MMU's entry points
 * @slot_workers: threads that lead the VM's life
 * @mem_bytes: memory of each VM
 * @duration: seconds until the end, 0: until torture_stop()
 * @stat_interval: seconds between two lines of statistics, 0: none
 * @stutter: seconds of running and of pausing in turn, 0: no pause
 * @seed: of all random choices
 * @schedule: enum torture_schedule
 * @delay_us: longest wait at a schedule point, us
 * @points: schedule points to wait at, a bit for each enum tdps_point
 * @giant: 1G mirror leafs, too
 * @hugetlb: a hugetlb memslot, too
 * @stop_early: the end comes soon after the first violation, whatever @duration says
 * @finish: called once, by a thread that may sleep, when the duration is over and
 *	the VMs are gone
 */
struct torture_config {
	u32 vms;
	u32 vcpus;
	u32 mmu_workers;
	u32 slot_workers;
	u64 mem_bytes;
	u32 duration;
	u32 stat_interval;
	u32 stutter;
	u64 seed;
	enum torture_schedule schedule;
	u32 delay_us;
	unsigned long points;
	bool giant;
	bool hugetlb;
	bool stop_early;
	void (*finish)(void);
};

/*
 * start: in the context of a process, whose address space then holds the VMs'
 * memory. On an error nothing is left, and the reason is printed. stop: also
 * before start and twice. Both may sleep.
 */
int torture_start(const struct torture_config *cfg);
void torture_stop(void);

/* "watching", "running <seconds>" or "done <seconds>" */
void torture_state(char *buf, size_t len);
/* VMs that KVM gave up and that were made anew. */
u64 torture_rebuilt(void);

/* ops=: "name=weight,..."; -EINVAL: one line says what would be right. */
int torture_set_ops(const char *text);
void torture_ops_show(struct seq_file *m);
void torture_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

/* The guest of a vCPU, for struct tdps_external_config. */
struct tdxm;
struct tdxm_vcpu;
struct tdxm_regs;
u64 torture_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs);
void torture_dirtied(struct tdxm *m, struct tdxm_vcpu *vcpu, u64 gpa);

#endif
