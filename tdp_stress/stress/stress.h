/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: parameters and the user's view.
 */
#ifndef TDP_STRESS_STRESS_H
#define TDP_STRESS_STRESS_H

#include <linux/types.h>

#include "../kvm/external.h"
#include "../kvm/kvm.h"
#include "../torture/torture.h"

/**
 * struct stress_params - parameters, checked when they are set
 * @audit_ms: pause between two audits, ms; 0: only on demand
 * @progress_ms: an operation that takes longer is stuck, ms
 * @frozen_max_ms: an SPTE that is frozen longer is frozen for ever, ms
 * @retry_max: a fault that is retried so often, for @progress_ms, makes no progress
 * @flight: events that the recorder keeps for each CPU
 * @checks: the checks asked for, a bit for each
 * @all_checks: all that are possible were asked for
 * @backend: who keeps the external page tables
 * @split: what a split without an external page meets
 * @vms: VMs made inside the kernel, -1: as many as fit the backend
 * @vcpus: vCPUs of each, -1: as many as CPUs, at least 2
 * @mmu_workers: threads that call the TDP MMU, -1: as many as CPUs
 * @slot_workers: threads that lead the VMs' life, -1: 1
 * @mem_mib: memory of each VM, MiB
 * @duration: seconds, 0: until the module is removed
 * @stat_interval: seconds between two lines of statistics, 0: none
 * @stutter: seconds of work and of pause in turn, 0: no pause
 * @seed: of all random choices, 0: choose one
 * @busy: one external operation in so many is BUSY, 0: none
 * @hold_ns: how long the emulated module keeps its locks, ns
 * @schedule: how threads are made to wait at schedule points
 * @delay_us: longest wait there, us
 * @points: the points where they wait, a bit for each
 * @huge_1g: 1G mirror leafs, too
 * @hugetlb: a hugetlb memslot, too
 * @others_ok: make VMs although others run on this machine
 * @stop_early: do no more after a violation
 */
struct stress_params {
	int audit_ms;
	int progress_ms;
	int frozen_max_ms;
	int retry_max;
	int flight;
	unsigned long checks;
	bool all_checks;
	int backend;
	int split;
	int vms;
	int vcpus;
	int mmu_workers;
	int slot_workers;
	int mem_mib;
	int duration;
	int stat_interval;
	int stutter;
	u64 seed;
	int busy;
	int hold_ns;
	int schedule;
	int delay_us;
	unsigned long points;
	int huge_1g;
	int hugetlb;
	int others_ok;
	int stop_early;
};

extern struct stress_params stress_params;
extern bool stress_live;	/* hooked: parameters take effect at once */

/* "name=value name=value ..." of all parameters */
#define STRESS_PARAMS_LEN	1024
#define STRESS_OPS_LEN		480	/* of ops=; printk() cuts at 1024, with all the others */

int stress_plant_start(void);
/* Put a number in the place of each -1 and of seed=0. */
void stress_params_settle(enum tdps_backend backend);
void stress_params_str(char *buf, size_t len);
void stress_again_str(char *buf, size_t len);

int stress_audit_now(void);
/* All counters of all rooms, in a stable order. */
void stress_visit_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

int stress_debugfs_init(void);
void stress_debugfs_exit(void);

/* /dev/tdp_stress, external backend or not. */
int stress_device_init(void);
void stress_device_exit(void);

#endif
