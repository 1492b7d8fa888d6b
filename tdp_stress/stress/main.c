// SPDX-License-Identifier: GPL-2.0
/*
 * tdp_stress.ko: start, audits and watchdog, stop, the last word. Knows the
 * order in which the rooms come up and go down, nothing of what they do.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/time64.h>
#include <linux/workqueue.h>

#include "../kvm/kvm.h"
#include "../oracle/oracle.h"
#include "stress.h"

#define WATCHDOG_MS	500

/* Two works: the watchdog has to run while an audit waits for mmu_lock. */
static struct workqueue_struct *wq;
static struct delayed_work audit_work;
static struct delayed_work watchdog_work;

static void audit(struct work_struct *work)
{
	tdps_kvm_audit();
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
	tdps_kvm_audit();
	return 0;
}

static int start_work(void)
{
	wq = alloc_workqueue("tdp_stress", WQ_UNBOUND, 0);
	if (!wq)
		return -ENOMEM;
	INIT_DELAYED_WORK(&audit_work, audit);
	INIT_DELAYED_WORK(&watchdog_work, watchdog);
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
	destroy_workqueue(wq);
	wq = NULL;
}

static void close_rooms(void)
{
	tlb_exit();
	dirty_exit();
	tdps_verdict_exit();
	rcu_exit_table();
	external_exit();
	tdps_ctx_exit();
	tdps_recorder_exit();
}

static int open_rooms(void)
{
	int err;

	err = tdps_recorder_init(stress_params.flight);
	if (!err)
		err = tdps_ctx_init();
	if (!err)
		err = external_init();
	if (!err)
		err = rcu_init_table();
	if (!err)
		err = dirty_init();
	if (!err)
		err = tdps_verdict_init();
	if (err)
		pr_err("not enough memory: a smaller flight= needs less\n");
	else
		err = tlb_init(NULL);
	if (err)
		close_rooms();
	return err;
}

static void decide_checks(void)
{
	tdps_limits.progress_ns = stress_params.progress_ms * (u64)NSEC_PER_MSEC;
	tdps_limits.frozen_max_ns = stress_params.frozen_max_ms * (u64)NSEC_PER_MSEC;
	tdps_limits.retry_max = stress_params.retry_max;
	tdps_enabled = stress_params.checks;
	tdps_verdict_asked(stress_params.checks, stress_params.all_checks);
	if (!tdps_view)
		tdps_not_possible(TDPS_X1, "needs tdx_stub, which is not loaded");
}

/* With no oracle asked for, KVM is left alone, so that "off" means off. */
static int start_watching(void)
{
	int err;

	if (!tdps_enabled)
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
	if (tdps_enabled)
		tdps_kvm_unhook();
	splat_exit();
}

static int __init stress_init(void)
{
	char text[256];
	int err;

	err = tdps_kvm_open(TDPS_BACKEND_AUTO);
	if (err)
		return err;
	err = open_rooms();
	if (err)
		goto close_kvm;
	decide_checks();
	err = start_watching();
	if (err)
		goto close_rooms;
	err = stress_debugfs_init();
	if (err)
		goto stop;
	stress_live = true;
	err = stress_plant_start();
	if (err)
		goto no_debugfs;
	stress_params_str(text, sizeof(text));
	pr_info("watching KVM: %s\n", text);
	tdps_not_checked(text, sizeof(text));
	if (*text)
		pr_info("not checked: %s\n", text);
	return 0;

no_debugfs:
	stress_live = false;
	stress_debugfs_exit();
stop:
	stop_watching();
close_rooms:
	close_rooms();
close_kvm:
	tdps_kvm_close();
	return err;
}

static void print_stat(void *unused, const char *name, u64 value)
{
	pr_info("  %s %llu\n", name, value);
}

static void last_word(void)
{
	char text[256];

	tdps_visit_stats(print_stat, NULL);
	tdps_not_checked(text, sizeof(text));
	if (*text)
		pr_info("not checked: %s\n", text);
	stress_params_str(text, sizeof(text));
	pr_info("parameters: %s\n", text);
	tdps_verdict(text, sizeof(text));
	pr_alert("--- End of test: %s\n", text);
}

static void __exit stress_exit(void)
{
	stress_live = false;
	stress_debugfs_exit();
	stop_watching();
	last_word();
	close_rooms();
	tdps_kvm_close();
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stress tester of KVM's TDP MMU: watches TDs and judges");
