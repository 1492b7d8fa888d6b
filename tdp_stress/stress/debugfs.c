// SPDX-License-Identifier: GPL-2.0
/*
 * The user's view, /sys/kernel/debug/tdp_stress/, as Documentation/
 * architecture.rst describes it. Shows; decides nothing.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "../oracle/oracle.h"
#include "stress.h"

static struct dentry *dir;

static void show_stat(void *m, const char *name, u64 value)
{
	seq_printf(m, "%s %llu\n", name, value);
}

static int stats_show(struct seq_file *m, void *unused)
{
	stress_visit_stats(show_stat, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int violations_show(struct seq_file *m, void *unused)
{
	tdps_violations_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(violations);

static int flight_show(struct seq_file *m, void *unused)
{
	tdps_recorder_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(flight);

static int flight_first_show(struct seq_file *m, void *unused)
{
	tdps_recorder_show_kept(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(flight_first);

static int verdict_show(struct seq_file *m, void *unused)
{
	char text[256];

	tdps_verdict(text, sizeof(text));
	seq_printf(m, "%s\n", text);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(verdict);

static int not_checked_show(struct seq_file *m, void *unused)
{
	char text[256];

	tdps_not_checked(text, sizeof(text));
	if (*text)
		seq_printf(m, "%s\n", text);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(not_checked);

static int state_show(struct seq_file *m, void *unused)
{
	char text[32];

	torture_state(text, sizeof(text));
	seq_printf(m, "%s\n", text);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int ops_show(struct seq_file *m, void *unused)
{
	torture_ops_show(m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ops);

static ssize_t audit_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	bool now;
	int err = kstrtobool_from_user(buf, len, &now);

	if (!err && now)
		err = stress_audit_now();
	return err ?: len;
}

static const struct file_operations audit_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = audit_write,
};

int stress_debugfs_init(void)
{
	dir = debugfs_create_dir("tdp_stress", NULL);
	if (IS_ERR(dir))
		return PTR_ERR(dir);
	/* lines "name value": events, checks made, violations, times, meetings */
	debugfs_create_file("stats", 0444, dir, NULL, &stats_fops);
	/* what was found, a line each, as in the kernel log */
	debugfs_create_file("violations", 0444, dir, NULL, &violations_fops);
	/* the last events of each CPU, oldest first */
	debugfs_create_file("flight", 0444, dir, NULL, &flight_fops);
	/* the same as they were at the first violation, and names of threads; or empty */
	debugfs_create_file("flight.first", 0444, dir, NULL, &flight_first_fops);
	/* one line: "SUCCESS", "FAILURE: <ids>" or "UNSUPPORTED: why" */
	debugfs_create_file("verdict", 0444, dir, NULL, &verdict_fops);
	/* the checks that cannot be made here, one line; empty if all can */
	debugfs_create_file("not_checked", 0444, dir, NULL, &not_checked_fops);
	/* of the workers: "watching" (there are none), "running SECONDS" or "done SECONDS" */
	debugfs_create_file("state", 0444, dir, NULL, &state_fops);
	/* a line for each operation: root, level, how often, how it went, or why not */
	debugfs_create_file("ops", 0444, dir, NULL, &ops_fops);
	/* write 1: all tables are audited now; the write returns when that is done */
	debugfs_create_file("audit", 0200, dir, NULL, &audit_fops);
	return 0;
}

void stress_debugfs_exit(void)
{
	debugfs_remove(dir);
}
