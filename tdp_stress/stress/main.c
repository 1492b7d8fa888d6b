// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_stress.ko: start, audits and watchdog, stop, the last word. Knows the
 * order in which the rooms come up and go down, nothing of what they do.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/time64.h>
#include <linux/workqueue.h>

#include "../kvm/kvm.h"
#include "../kvm/own.h"
#include "../kvm/user.h"
#include "../oracle/oracle.h"
#include "stress.h"

#define WATCHDOG_MS	500
#define IDLE_MS		10000	/* for KVM to destroy the last VM */

static void finish(void);

/* Two works: the watchdog has to run while an audit waits for mmu_lock. */
static struct workqueue_struct *wq;
static struct delayed_work audit_work;
static struct delayed_work watchdog_work;
static struct delayed_work end_work;	/* duration= without VMs of our own */

static bool is_external(void)
{
	return tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL;
}

static void audit(struct work_struct *work)
{
	tdps_kvm_audit(false);
	queue_delayed_work(wq, &audit_work, msecs_to_jiffies(stress_params.audit_ms));
}

static void watchdog(struct work_struct *work)
{
	tdps_watchdog();
	queue_delayed_work(wq, &watchdog_work, msecs_to_jiffies(WATCHDOG_MS));
}

/**
 * stress_audit_now() - audit all TDs before returning
 *
 * Context: may sleep.
 *
 * Return: 0, or -EOPNOTSUPP if no oracle was asked for.
 */
int stress_audit_now(void)
{
	if (!tdps_enabled)
		return -EOPNOTSUPP;
	tdps_kvm_audit(true);
	return 0;
}

static void end(struct work_struct *work)
{
	finish();
}

static int start_work(void)
{
	wq = alloc_workqueue("tdp_stress", WQ_UNBOUND, 0);
	if (!wq)
		return -ENOMEM;
	INIT_DELAYED_WORK(&audit_work, audit);
	INIT_DELAYED_WORK(&watchdog_work, watchdog);
	INIT_DELAYED_WORK(&end_work, end);
	if (stress_params.audit_ms)
		queue_delayed_work(wq, &audit_work, msecs_to_jiffies(stress_params.audit_ms));
	queue_delayed_work(wq, &watchdog_work, msecs_to_jiffies(WATCHDOG_MS));
	return 0;
}

static void stop_work(void)
{
	if (!wq)
		return;
	cancel_delayed_work_sync(&audit_work);
	cancel_delayed_work_sync(&watchdog_work);
	cancel_delayed_work_sync(&end_work);
	destroy_workqueue(wq);
	wq = NULL;
}

static int open_oracle(void)
{
	int err = tdps_oracle_open(stress_params.flight, tdps_external_view());

	if (err == -ENOMEM)
		pr_err("not enough memory: a smaller flight= needs less\n");
	return err;
}

/* What is about mirror roots: with none of them these are not looked at. */
static void forget_mirror_roots(void)
{
	static const enum tdps_check about[] = {
		TDPS_F2, TDPS_F3, TDPS_F4, TDPS_X1, TDPS_X2, TDPS_X3, TDPS_X4, TDPS_H1,
	};
	const char *why = tdps_kvm_only_direct();
	int i;

	for (i = 0; why && i < ARRAY_SIZE(about); i++)
		tdps_not_possible(about[i], why);
}

static void decide_checks(void)
{
	tdps_limits.progress_ns = stress_params.progress_ms * (u64)NSEC_PER_MSEC;
	tdps_limits.frozen_max_ns = stress_params.frozen_max_ms * (u64)NSEC_PER_MSEC;
	tdps_limits.retry_max = stress_params.retry_max;
	tdps_enabled = stress_params.checks;
	tdps_verdict_asked(stress_params.checks, stress_params.all_checks);
	forget_mirror_roots();
	if (!tdps_view)
		tdps_not_possible(TDPS_X1, "needs tdx_stub, which is not loaded");
}

/*
 * With no oracle asked for, KVM is left alone, so that "off" means off: unless it
 * is this module that answers it.
 */
static bool hooks_wanted(void)
{
	return tdps_enabled || is_external();
}

static int start_watching(void)
{
	int err;

	if (!hooks_wanted())
		return 0;
	err = splat_init();
	if (err) {
		pr_err("cannot follow the console (%d)\n", err);
		return err;
	}
	err = tdps_kvm_hook();
	if (!err) {
		err = start_work();
		if (err)
			tdps_kvm_unhook();
	}
	if (err)
		splat_exit();
	return err;
}

static void stop_watching(void)
{
	stop_work();
	if (hooks_wanted())
		tdps_kvm_unhook();
	splat_exit();
}

/* --- the last word --- */

static void print_stat(void *unused, const char *name, u64 value)
{
	pr_info("  %s %llu\n", name, value);
}

/**
 * stress_visit_stats() - all counters of all rooms
 * @fn: called for each, in a stable order
 * @ctx: handed to @fn
 *
 * Context: may sleep.
 */
void stress_visit_stats(void (*fn)(void *ctx, const char *name, u64 value), void *ctx)
{
	tdps_visit_stats(fn, ctx);
	if (stress_params.vms)
		torture_stats(fn, ctx);
	tdps_external_stats(fn, ctx);
	tdps_user_stats(fn, ctx);
}

/* What is said; one thread at a time gets here. */
static char text[STRESS_PARAMS_LEN];
static char said[256];		/* the verdict, once it was said */

static void last_word(void)
{
	char verdict[sizeof(said)];

	if (is_external())
		tdps_unsupported(tdps_external_unsupported(),
				 "this kernel brings no external page for the split of a mirror leaf");
	tdps_verdict(verdict, sizeof(verdict));
	if (!strcmp(verdict, said))
		return;
	strscpy(said, verdict);
	stress_visit_stats(print_stat, NULL);
	tdps_not_checked(text, sizeof(text));
	if (*text)
		pr_info("not checked: %s\n", text);
	stress_params_str(text, sizeof(text));
	pr_info("parameters: %s\n", text);
	/* built in, it is the host that knows the command */
	if (IS_ENABLED(MODULE) && tdps_violations_total()) {
		stress_again_str(text, sizeof(text));
		pr_info("again: %s\n", text);
	}
	pr_alert("--- End of test: %s\n", verdict);
}

/* Nothing of ours runs any more: look once more, while there are hooks to look with. */
static void finish(void)
{
	if (tdps_enabled)
		tdps_kvm_audit(true);
	if (is_external() && !tdps_external_wait_idle(IDLE_MS))
		tdps_external_check_empty();
	last_word();
}

/* --- start --- */

static int start_backend(void)
{
	const struct stress_params *p = &stress_params;
	const struct tdps_own_config own = {
		.mem_bytes = (u64)p->mem_mib << 20,
		.giant = p->huge_1g,
		.hugetlb = p->hugetlb,
	};
	struct tdps_external_config cfg = {
		.seed = p->seed,
		.busy = p->busy,
		.hold_ns = p->hold_ns,
		.max_vcpus = p->vcpus + p->mmu_workers + p->slot_workers + 1,
		.max_leaf_level = p->huge_1g ? 2 : 1,
		.split = p->split,
		.guest = torture_guest,
		.dirtied = torture_dirtied,
	};

	if (!is_external())
		return 0;
	tdps_own_frames(&own, p->vms, &cfg.extra_pfn, &cfg.extra_pages);
	return tdps_external_start(&cfg);
}

static int check_params(void)
{
	if (stress_params.vms && !is_external()) {
		pr_err("vms=%d: only backend=external makes VMs; use vms=0, or backend=external where KVM runs without TDX\n",
		       stress_params.vms);
		return -EINVAL;
	}
	if (stress_params.vms && !stress_params.others_ok && tdps_own_others()) {
		pr_err("there are other VMs on this machine, which a bug met here may take down: stop them, or use others_ok=1, or vms=0\n");
		return -EBUSY;
	}
	return 0;
}

static int start_torture(void)
{
	const struct stress_params *p = &stress_params;
	const struct torture_config cfg = {
		.vms = p->vms,
		.vcpus = p->vcpus,
		.mmu_workers = p->mmu_workers,
		.slot_workers = p->slot_workers,
		.mem_bytes = (u64)p->mem_mib << 20,
		.duration = p->duration,
		.stat_interval = p->stat_interval,
		.stutter = p->stutter,
		.seed = p->seed,
		.schedule = p->schedule,
		.delay_us = p->delay_us,
		.points = p->points,
		.giant = p->huge_1g,
		.hugetlb = p->hugetlb,
		.stop_early = p->stop_early,
		.finish = finish,
	};

	if (!p->vms && p->duration && wq)
		queue_delayed_work(wq, &end_work, p->duration * HZ);
	return torture_start(&cfg);
}

static int __init stress_init(void)
{
	int err;

	err = tdps_kvm_open(stress_params.backend);
	if (err)
		return err;
	stress_params_settle(tdps_kvm_backend());
	err = check_params();
	if (err)
		goto close_kvm;
	err = tdps_entry_find();
	if (err)
		goto close_kvm;
	err = start_backend();
	if (err)
		goto close_kvm;
	err = open_oracle();
	if (err)
		goto stop_backend;
	decide_checks();
	err = start_watching();
	if (err)
		goto close_oracle;
	err = stress_debugfs_init();
	if (err)
		goto stop;
	err = stress_device_init();
	if (err)
		goto no_debugfs;
	stress_live = true;
	err = stress_plant_start();
	if (err)
		goto not_live;
	stress_params_str(text, sizeof(text));
	pr_info("watching KVM, backend %s%s: %s\n", tdps_kvm_backend_name(),
		tdps_kvm_only_direct() ? ", direct roots only" : "", text);
	tdps_not_checked(text, sizeof(text));
	/* with VMs of our own most of that is about what has not happened yet */
	if (*text && !stress_params.vms)
		pr_info("not checked: %s\n", text);
	err = start_torture();
	if (err)
		goto not_live;
	return 0;

not_live:
	stress_live = false;
	stress_device_exit();
no_debugfs:
	stress_debugfs_exit();
stop:
	stop_watching();
close_oracle:
	tdps_oracle_close();
stop_backend:
	if (is_external())
		tdps_external_stop();
close_kvm:
	tdps_kvm_close();
	return err;
}

static void __exit stress_exit(void)
{
	stress_live = false;
	torture_stop();
	stress_device_exit();
	stress_debugfs_exit();
	finish();
	stop_watching();
	tdps_oracle_close();
	if (is_external())
		tdps_external_stop();
	tdps_kvm_close();
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stress tester of KVM's TDP MMU: makes VMs, tortures them, watches and judges");
