// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters: names, units, ranges. A value out of range is refused with
 * one line that says what would be right. Starts and stops nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/string.h>

#include "../oracle/oracle.h"
#include "../torture/schedule.h"
#include "stress.h"

struct stress_params stress_params = {
	.audit_ms = 250,
	.progress_ms = 10000,
	.frozen_max_ms = 10000,
	.retry_max = 1000,
	.flight = 1024,
	.checks = TDPS_ALL_CHECKS,
	.all_checks = true,
	.backend = TDPS_BACKEND_AUTO,
	.split = TDPS_SPLIT_LENIENT,
	.vms = -1,
	.vcpus = -1,
	.mmu_workers = -1,
	.slot_workers = -1,
	.mem_mib = 32,
	.stat_interval = 15,
	.busy = 50,
	.hold_ns = 500,
	.schedule = TORTURE_SCHEDULE_RANDOM,
	.delay_us = 50,
	.points = TDPS_ALL_POINTS,
};

bool stress_live;

/* --- numbers --- */

/**
 * struct int_param - a number with a range
 * @name: its name
 * @unit: what it counts, for people
 * @value: where it is kept
 * @min: least value
 * @max: greatest value
 * @pow2: it must be a power of two
 * @not_one: it must not be 1
 */
struct int_param {
	const char *name;
	const char *unit;
	int *value;
	int min;
	int max;
	bool pow2;
	bool not_one;
};

static int set_int(const char *text, const struct kernel_param *kp)
{
	const struct int_param *p = kp->arg;
	int value;

	if (kstrtoint(text, 0, &value) || value < p->min || value > p->max ||
	    (p->pow2 && !is_power_of_2(value)) || (p->not_one && value == 1)) {
		pr_err("%s=%s: must be a %s from %d to %d%s (%s)\n", p->name, text,
		       p->pow2 ? "power of two" : "number", p->min, p->max,
		       p->not_one ? ", but not 1" : "", p->unit);
		return -EINVAL;
	}
	*p->value = value;
	return 0;
}

static int get_int(char *buf, const struct kernel_param *kp)
{
	const struct int_param *p = kp->arg;

	return sysfs_emit(buf, "%d\n", *p->value);
}

static const struct kernel_param_ops int_ops = { .set = set_int, .get = get_int };

enum {
	AUDIT_MS, PROGRESS_MS, FROZEN_MAX_MS, RETRY_MAX, FLIGHT, VMS, VCPUS, MMU_WORKERS,
	SLOT_WORKERS, MEM_MIB, DURATION, STAT_INTERVAL, STUTTER, BUSY, HOLD_NS, DELAY_US, HUGE_1G,
	HUGETLB, OTHERS_OK, STOP_EARLY, NR_INTS
};

#define AUTO	"-1: chosen by the number of CPUs"
#define YES_NO	"0: no, 1: yes"

static const struct int_param int_params[NR_INTS] = {
	[AUDIT_MS] = { "audit_ms", "milliseconds", &stress_params.audit_ms, 0, 60000 },
	[PROGRESS_MS] = { "progress_ms", "milliseconds", &stress_params.progress_ms, 10, 600000 },
	[FROZEN_MAX_MS] = {
		"frozen_max_ms", "milliseconds", &stress_params.frozen_max_ms, 10, 600000
	},
	[RETRY_MAX] = { "retry_max", "retries", &stress_params.retry_max, 10, 1000000 },
	[FLIGHT] = { "flight", "events", &stress_params.flight, 64, 65536, .pow2 = true },
	[VMS] = { "vms", "VMs; -1: 1, but 0 with backend=tdx", &stress_params.vms, -1, 4 },
	[VCPUS] = { "vcpus", "vCPUs; " AUTO, &stress_params.vcpus, -1, 32 },
	[MMU_WORKERS] = { "mmu_workers", "threads; " AUTO, &stress_params.mmu_workers, -1, 64 },
	[SLOT_WORKERS] = { "slot_workers", "threads; -1: 1", &stress_params.slot_workers, -1, 8 },
	[MEM_MIB] = { "mem_mib", "MiB", &stress_params.mem_mib, 4, 4096 },
	[DURATION] = {
		"duration", "seconds; 0: until rmmod", &stress_params.duration, 0, 86400
	},
	[STAT_INTERVAL] = {
		"stat_interval", "seconds; 0: none", &stress_params.stat_interval, 0, 3600
	},
	[STUTTER] = { "stutter", "seconds; 0: none", &stress_params.stutter, 0, 3600 },
	[BUSY] = {
		"busy", "one call in so many; 0: none", &stress_params.busy, 0, 1000000,
		.not_one = true
	},
	[HOLD_NS] = { "hold_ns", "nanoseconds", &stress_params.hold_ns, 0, 100000 },
	[DELAY_US] = { "delay_us", "microseconds", &stress_params.delay_us, 0, 10000 },
	[HUGE_1G] = { "huge_1g", YES_NO, &stress_params.huge_1g, 0, 1 },
	[HUGETLB] = { "hugetlb", YES_NO, &stress_params.hugetlb, 0, 1 },
	[OTHERS_OK] = { "others_ok", YES_NO, &stress_params.others_ok, 0, 1 },
	[STOP_EARLY] = { "stop_early", YES_NO, &stress_params.stop_early, 0, 1 },
};

module_param_cb(audit_ms, &int_ops, (void *)&int_params[AUDIT_MS], 0444);
MODULE_PARM_DESC(audit_ms,
		 "pause between two audits of all TDs, in milliseconds, 0 to 60000; 0: only on demand (default 250)");

module_param_cb(progress_ms, &int_ops, (void *)&int_params[PROGRESS_MS], 0444);
MODULE_PARM_DESC(progress_ms,
		 "an operation that does not get on for longer violates P1, in milliseconds, 10 to 600000 (default 10000)");

module_param_cb(frozen_max_ms, &int_ops, (void *)&int_params[FROZEN_MAX_MS], 0444);
MODULE_PARM_DESC(frozen_max_ms,
		 "an SPTE that is frozen longer violates F1, in milliseconds, 10 to 600000 (default 10000)");

module_param_cb(retry_max, &int_ops, (void *)&int_params[RETRY_MAX], 0444);
MODULE_PARM_DESC(retry_max,
		 "a fault of one thread at one GFN that is retried so often in a row, for progress_ms, violates P1, 10 to 1000000 (default 1000)");

module_param_cb(flight, &int_ops, (void *)&int_params[FLIGHT], 0444);
MODULE_PARM_DESC(flight,
		 "events that the flight recorder keeps for each CPU, a power of two, 64 to 65536 (default 1024)");

module_param_named(verbose, tdps_verbose, bool, 0644);
MODULE_PARM_DESC(verbose,
		 "print every violation in full, not only the first five of a kind, and the stack of every failure that is injected (default N)");

module_param_cb(vms, &int_ops, (void *)&int_params[VMS], 0444);
MODULE_PARM_DESC(vms,
		 "VMs made inside the kernel, 0 to 4; 0: only watch, and answer for adopted VMs; -1: 1 on the external backend, else 0 (default -1)");

module_param_cb(vcpus, &int_ops, (void *)&int_params[VCPUS], 0444);
MODULE_PARM_DESC(vcpus,
		 "vCPUs of each VM, each with a thread that enters it, 0 to 32; -1: as many as CPUs, at least 2 (default -1)");

module_param_cb(mmu_workers, &int_ops, (void *)&int_params[MMU_WORKERS], 0444);
MODULE_PARM_DESC(mmu_workers,
		 "threads that call the TDP MMU's entry points, 0 to 64; -1: as many as CPUs (default -1)");

module_param_cb(slot_workers, &int_ops, (void *)&int_params[SLOT_WORKERS], 0444);
MODULE_PARM_DESC(slot_workers,
		 "threads for memslots, dirty log, attributes and roots, 0 to 8; -1: 1 (default -1)");

module_param_cb(mem_mib, &int_ops, (void *)&int_params[MEM_MIB], 0444);
MODULE_PARM_DESC(mem_mib, "memory of each VM, in MiB, 4 to 4096 (default 32)");

module_param_cb(duration, &int_ops, (void *)&int_params[DURATION], 0444);
MODULE_PARM_DESC(duration,
		 "the run ends after so many seconds, 0 to 86400, and the verdict is printed; 0: at rmmod (default 0)");

module_param_cb(stat_interval, &int_ops, (void *)&int_params[STAT_INTERVAL], 0444);
MODULE_PARM_DESC(stat_interval,
		 "seconds between two lines of statistics, 0 to 3600; 0: none (default 15)");

module_param_cb(stutter, &int_ops, (void *)&int_params[STUTTER], 0444);
MODULE_PARM_DESC(stutter,
		 "seconds of work and of pause in turn, 0 to 3600; 0: no pause (default 0)");

module_param_cb(busy, &int_ops, (void *)&int_params[BUSY], 0444);
MODULE_PARM_DESC(busy,
		 "the emulated TDX module answers BUSY to one call in so many, 2 to 1000000; 0: never (default 50)");

module_param_cb(hold_ns, &int_ops, (void *)&int_params[HOLD_NS], 0444);
MODULE_PARM_DESC(hold_ns,
		 "how long the emulated TDX module keeps its locks beyond its work, in nanoseconds, 0 to 100000 (default 500)");

module_param_cb(delay_us, &int_ops, (void *)&int_params[DELAY_US], 0444);
MODULE_PARM_DESC(delay_us,
		 "longest wait at a schedule point, in microseconds, 0 to 10000 (default 50)");

module_param_cb(huge_1g, &int_ops, (void *)&int_params[HUGE_1G], 0444);
MODULE_PARM_DESC(huge_1g,
		 "1G mirror leafs, too: 1 needs 1 GiB of contiguous memory (default 0)");

module_param_cb(hugetlb, &int_ops, (void *)&int_params[HUGETLB], 0444);
MODULE_PARM_DESC(hugetlb,
		 "a memslot of hugetlb memory, too: 1 needs three free huge pages of 2M (default 0)");

module_param_cb(others_ok, &int_ops, (void *)&int_params[OTHERS_OK], 0444);
MODULE_PARM_DESC(others_ok,
		 "make VMs although there are others on this machine: 1 (default 0)");

module_param_cb(stop_early, &int_ops, (void *)&int_params[STOP_EARLY], 0444);
MODULE_PARM_DESC(stop_early,
		 "1: threads of this module end soon after the first violation, before a broken KVM takes the kernel down (default 0)");

/* --- names --- */

/**
 * struct name_param - one of some names
 * @name: its name
 * @value: where the name's number is kept
 * @names: the names, by number
 * @nr: how many
 */
struct name_param {
	const char *name;
	int *value;
	const char * const *names;
	int nr;
};

static int set_name(const char *text, const struct kernel_param *kp)
{
	const struct name_param *p = kp->arg;
	char known[64] = "";
	size_t n = 0;
	int i;

	for (i = 0; i < p->nr; i++) {
		if (sysfs_streq(text, p->names[i])) {
			*p->value = i;
			return 0;
		}
		n += scnprintf(known + n, sizeof(known) - n, "%s%s",
			       !i ? "" : i < p->nr - 1 ? ", " : " or ", p->names[i]);
	}
	pr_err("%s=%s: must be %s\n", p->name, text, known);
	return -EINVAL;
}

static int get_name(char *buf, const struct kernel_param *kp)
{
	const struct name_param *p = kp->arg;

	return sysfs_emit(buf, "%s\n", p->names[*p->value]);
}

static const struct kernel_param_ops name_ops = { .set = set_name, .get = get_name };

static const char * const backend_names[] = {
	[TDPS_BACKEND_AUTO] = "auto",
	[TDPS_BACKEND_TDX] = "tdx",
	[TDPS_BACKEND_EXTERNAL] = "external",
};

static const char * const split_names[] = {
	[TDPS_SPLIT_STRICT] = "strict",
	[TDPS_SPLIT_LENIENT] = "lenient",
};

static const char * const schedule_names[] = {
	[TORTURE_SCHEDULE_NONE] = "none",
	[TORTURE_SCHEDULE_RANDOM] = "random",
	[TORTURE_SCHEDULE_PCT] = "pct",
};

enum { BACKEND, SPLIT, SCHEDULE, NR_NAMES };

static const struct name_param name_params[NR_NAMES] = {
	[BACKEND] = {
		"backend", &stress_params.backend, backend_names, ARRAY_SIZE(backend_names)
	},
	[SPLIT] = { "split", &stress_params.split, split_names, ARRAY_SIZE(split_names) },
	[SCHEDULE] = {
		"schedule", &stress_params.schedule, schedule_names, ARRAY_SIZE(schedule_names)
	},
};

module_param_cb(backend, &name_ops, (void *)&name_params[BACKEND], 0444);
MODULE_PARM_DESC(backend,
		 "who keeps the external page tables: tdx (kvm_intel's tdx.c), external (this module), or auto: tdx where KVM has it enabled (default auto)");

module_param_cb(split, &name_ops, (void *)&name_params[SPLIT], 0444);
MODULE_PARM_DESC(split,
		 "what the split of a huge mirror leaf meets if KVM brings no external page: strict (refusal) or lenient (the backend brings it) (default lenient)");

module_param_cb(schedule, &name_ops, (void *)&name_params[SCHEDULE], 0444);
MODULE_PARM_DESC(schedule,
		 "how threads wait at schedule points: none, random, or pct (by priorities that change at random) (default random)");

/* --- seed=, ops= --- */

static int set_seed(const char *text, const struct kernel_param *kp)
{
	u64 value;

	if (kstrtou64(text, 0, &value)) {
		pr_err("seed=%s: must be a number from 0 to 18446744073709551615; 0: choose one\n",
		       text);
		return -EINVAL;
	}
	stress_params.seed = value;
	return 0;
}

static int get_seed(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%llu\n", stress_params.seed);
}

static const struct kernel_param_ops seed_ops = { .set = set_seed, .get = get_seed };

module_param_cb(seed, &seed_ops, NULL, 0444);
MODULE_PARM_DESC(seed, "seed of all random choices, 0 to 2^64-1; 0: choose one (default 0)");

static char ops_text[STRESS_OPS_LEN];

static int set_ops(const char *text, const struct kernel_param *kp)
{
	int err;

	if (strlen(text) >= sizeof(ops_text)) {
		pr_err("ops: longer than %zu characters\n", sizeof(ops_text) - 1);
		return -EINVAL;
	}
	err = torture_set_ops(text);
	if (!err)
		strscpy(ops_text, text);
	return err;
}

static int get_ops(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", ops_text);
}

static const struct kernel_param_ops ops_ops = { .set = set_ops, .get = get_ops };

module_param_cb(ops, &ops_ops, NULL, 0444);
MODULE_PARM_DESC(ops,
		 "weights of operations, name=weight,..., weight 0 to 1000, 0: never; all=0 first: those only that follow (default: all, by their own weights)");

/* --- oracles= --- */

static void bad_check(const char *param, const char *name, size_t len)
{
	char known[96] = "";
	size_t n = 0;
	int id;

	for (id = 0; id < TDPS_NR_CHECKS; id++)
		n += scnprintf(known + n, sizeof(known) - n, " %s", tdps_check_name(id));
	pr_err("%s: '%.*s' is no invariant; known:%s\n", param, (int)len, name, known);
}

static int set_oracles(const char *text, const struct kernel_param *kp)
{
	const char *at = text;
	unsigned long checks = 0;
	bool all = false;
	size_t len;

	for (;; at += len + 1) {
		len = strcspn(at, ",\n");
		if (len == 3 && !strncasecmp(at, "all", 3)) {
			checks = TDPS_ALL_CHECKS;
			all = true;
		} else if (len == 4 && !strncasecmp(at, "none", 4)) {
			if (at != text || at[len] == ',') {
				pr_err("oracles=%s: 'none' goes with nothing else\n", text);
				return -EINVAL;
			}
		} else {
			enum tdps_check id = tdps_check_by_name(at, len);

			if (id == TDPS_NO_CHECK) {
				bad_check("oracles", at, len);
				return -EINVAL;
			}
			checks |= BIT(id);
		}
		if (at[len] != ',')
			break;
	}
	stress_params.checks = checks;
	stress_params.all_checks = all;
	return 0;
}

static size_t oracles_str(char *buf, size_t len)
{
	size_t n = 0;
	int id;

	if (stress_params.all_checks)
		return scnprintf(buf, len, "all");
	if (!stress_params.checks)
		return scnprintf(buf, len, "none");
	for (id = 0; id < TDPS_NR_CHECKS; id++)
		if (stress_params.checks & BIT(id))
			n += scnprintf(buf + n, len - n, "%s%s", n ? "," : "", tdps_check_name(id));
	return n;
}

static int get_oracles(char *buf, const struct kernel_param *kp)
{
	size_t n = oracles_str(buf, PAGE_SIZE - 1);

	buf[n++] = '\n';
	return n;
}

static const struct kernel_param_ops oracles_ops = { .set = set_oracles, .get = get_oracles };

module_param_cb(oracles, &oracles_ops, NULL, 0444);
MODULE_PARM_DESC(oracles, "invariants to check: all, none, or a list like F1,X2 (default all)");

/* --- points= --- */

static int set_points(const char *text, const struct kernel_param *kp)
{
	return tdps_parse_points(text, &stress_params.points);
}

static int get_points(char *buf, const struct kernel_param *kp)
{
	size_t n = tdps_points_str(stress_params.points, buf, PAGE_SIZE - 1);

	buf[n++] = '\n';
	return n;
}

static const struct kernel_param_ops points_ops = { .set = set_points, .get = get_points };

module_param_cb(points, &points_ops, NULL, 0444);
MODULE_PARM_DESC(points,
		 "schedule points at which threads wait: all, or a list of op, frozen, unfreeze, zap, free, change (default all)");

/* --- plant= --- */

/**
 * stress_plant_start() - the module is live: may the planted violation be made?
 *
 * Return: 0, or -EINVAL if its check does not run.
 */
int stress_plant_start(void)
{
	if (tdps_plant == TDPS_NO_CHECK)
		return 0;
	if (!tdps_wants(tdps_plant)) {
		pr_err("plant=%s: this invariant is not checked here, so nothing would see it\n",
		       tdps_check_name(tdps_plant));
		return -EINVAL;
	}
	if (tdps_plant == TDPS_SPLAT)
		splat_plant();
	return 0;
}

static int set_plant(const char *text, const struct kernel_param *kp)
{
	size_t len = strcspn(text, "\n");
	enum tdps_check id = TDPS_NO_CHECK;
	int old = tdps_plant, err = 0;

	if (len && !(len == 4 && !strncasecmp(text, "none", 4))) {
		id = tdps_check_by_name(text, len);
		if (id == TDPS_NO_CHECK) {
			bad_check("plant", text, len);
			return -EINVAL;
		}
	}
	WRITE_ONCE(tdps_plant, id);
	if (stress_live)
		err = stress_plant_start();
	if (err)
		WRITE_ONCE(tdps_plant, old);
	return err;
}

static int get_plant(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n",
			  tdps_plant == TDPS_NO_CHECK ? "none" : tdps_check_name(tdps_plant));
}

static const struct kernel_param_ops plant_ops = { .set = set_plant, .get = get_plant };

module_param_cb(plant, &plant_ops, NULL, 0644);
MODULE_PARM_DESC(plant, "invariant whose check is misled on purpose, to see that it works: none or one of those of oracles= (default none)");

/**
 * stress_params_settle() - put a number in the place of each "choose one"
 * @backend: the backend chosen
 */
void stress_params_settle(enum tdps_backend backend)
{
	struct stress_params *p = &stress_params;

	p->backend = backend;
	if (p->vms < 0)
		p->vms = backend == TDPS_BACKEND_EXTERNAL;
	if (p->vcpus < 0)
		p->vcpus = clamp(num_online_cpus(), 2, 32);
	if (p->mmu_workers < 0)
		p->mmu_workers = min(num_online_cpus(), 64);
	if (p->slot_workers < 0)
		p->slot_workers = 1;
	while (!p->seed)
		p->seed = get_random_u64();
}

static size_t settings_str(char *buf, size_t len)
{
	size_t n = 0;
	int i;

	for (i = 0; i < NR_NAMES; i++)
		n += scnprintf(buf + n, len - n, "%s=%s ", name_params[i].name,
			       name_params[i].names[*name_params[i].value]);
	n += scnprintf(buf + n, len - n, "oracles=");
	n += oracles_str(buf + n, len - n);
	n += scnprintf(buf + n, len - n, " points=");
	n += tdps_points_str(stress_params.points, buf + n, len - n);
	for (i = 0; i < NR_INTS; i++)
		n += scnprintf(buf + n, len - n, " %s=%d", int_params[i].name,
			       *int_params[i].value);
	return n + scnprintf(buf + n, len - n, " seed=%llu", stress_params.seed);
}

/**
 * stress_params_str() - all parameters, for people
 * @buf: where to
 * @len: its size
 */
void stress_params_str(char *buf, size_t len)
{
	size_t n = settings_str(buf, len);

	scnprintf(buf + n, len - n, " ops=%s plant=%s verbose=%d",
		  *ops_text ? ops_text : "all",
		  tdps_plant == TDPS_NO_CHECK ? "none" : tdps_check_name(tdps_plant),
		  tdps_verbose);
}

/**
 * stress_again_str() - the command that does the same again
 * @buf: where to
 * @len: its size
 */
void stress_again_str(char *buf, size_t len)
{
	size_t n = scnprintf(buf, len, "insmod tdp_stress.ko ");

	n += settings_str(buf + n, len - n);
	if (*ops_text)
		n += scnprintf(buf + n, len - n, " ops=%s", ops_text);
	if (tdps_plant != TDPS_NO_CHECK)
		scnprintf(buf + n, len - n, " plant=%s", tdps_check_name(tdps_plant));
}
