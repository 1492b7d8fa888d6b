// SPDX-License-Identifier: GPL-2.0
/*
 * Module parameters: names, units, ranges. A value out of range is refused with
 * one line that says what would be right. Starts and stops nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

#include "../oracle/oracle.h"
#include "stress.h"

struct stress_params stress_params = {
	.audit_ms = 250,
	.progress_ms = 10000,
	.frozen_max_ms = 10000,
	.retry_max = 1000,
	.flight = 1024,
	.checks = TDPS_ALL_CHECKS,
	.all_checks = true,
};

bool stress_live;

/**
 * struct uint_param - a number with a range
 * @name: its name
 * @unit: what it counts, for people
 * @value: where it is kept
 * @min: least value
 * @max: greatest value
 * @pow2: it must be a power of two
 */
struct uint_param {
	const char *name;
	const char *unit;
	unsigned int *value;
	unsigned int min;
	unsigned int max;
	bool pow2;
};

static int set_uint(const char *text, const struct kernel_param *kp)
{
	const struct uint_param *p = kp->arg;
	unsigned int value;

	if (kstrtouint(text, 0, &value) || value < p->min || value > p->max ||
	    (p->pow2 && !is_power_of_2(value))) {
		pr_err("%s=%s: must be a %s from %u to %u (%s)\n", p->name, text,
		       p->pow2 ? "power of two" : "number", p->min, p->max, p->unit);
		return -EINVAL;
	}
	*p->value = value;
	return 0;
}

static int get_uint(char *buf, const struct kernel_param *kp)
{
	const struct uint_param *p = kp->arg;

	return sysfs_emit(buf, "%u\n", *p->value);
}

static const struct kernel_param_ops uint_ops = { .set = set_uint, .get = get_uint };

enum { AUDIT_MS, PROGRESS_MS, FROZEN_MAX_MS, RETRY_MAX, FLIGHT };

static const struct uint_param uint_params[] = {
	[AUDIT_MS] = { "audit_ms", "milliseconds", &stress_params.audit_ms, 0, 60000 },
	[PROGRESS_MS] = { "progress_ms", "milliseconds", &stress_params.progress_ms, 10, 600000 },
	[FROZEN_MAX_MS] = {
		"frozen_max_ms", "milliseconds", &stress_params.frozen_max_ms, 10, 600000
	},
	[RETRY_MAX] = { "retry_max", "retries", &stress_params.retry_max, 10, 1000000 },
	[FLIGHT] = { "flight", "events", &stress_params.flight, 64, 65536, .pow2 = true },
};

module_param_cb(audit_ms, &uint_ops, (void *)&uint_params[AUDIT_MS], 0444);
MODULE_PARM_DESC(audit_ms,
		 "pause between two audits of all TDs, in milliseconds, 0 to 60000; 0: only on demand (default 250)");

module_param_cb(progress_ms, &uint_ops, (void *)&uint_params[PROGRESS_MS], 0444);
MODULE_PARM_DESC(progress_ms,
		 "an operation that does not get on for longer violates P1, in milliseconds, 10 to 600000 (default 10000)");

module_param_cb(frozen_max_ms, &uint_ops, (void *)&uint_params[FROZEN_MAX_MS], 0444);
MODULE_PARM_DESC(frozen_max_ms,
		 "an SPTE that is frozen longer violates F1, in milliseconds, 10 to 600000 (default 10000)");

module_param_cb(retry_max, &uint_ops, (void *)&uint_params[RETRY_MAX], 0444);
MODULE_PARM_DESC(retry_max,
		 "a fault of one thread at one GFN that is retried so often in a row, for progress_ms, violates P1, 10 to 1000000 (default 1000)");

module_param_cb(flight, &uint_ops, (void *)&uint_params[FLIGHT], 0444);
MODULE_PARM_DESC(flight,
		 "events that the flight recorder keeps for each CPU, a power of two, 64 to 65536 (default 1024)");

module_param_named(verbose, tdps_verbose, bool, 0644);
MODULE_PARM_DESC(verbose,
		 "print every violation in full, not only the first five of a kind (default N)");

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

void stress_params_str(char *buf, size_t len)
{
	size_t n = scnprintf(buf, len, "oracles=");

	n += oracles_str(buf + n, len - n);
	scnprintf(buf + n, len - n,
		  " audit_ms=%u progress_ms=%u frozen_max_ms=%u retry_max=%u flight=%u plant=%s verbose=%d",
		  stress_params.audit_ms, stress_params.progress_ms, stress_params.frozen_max_ms,
		  stress_params.retry_max, stress_params.flight,
		  tdps_plant == TDPS_NO_CHECK ? "none" : tdps_check_name(tdps_plant),
		  tdps_verbose);
}
