// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/tdx_stub: stats, state, inject. Knows files; what is in
 * them comes from elsewhere.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "stub.h"

#define STUB_INJECT_MAX	4096	/* bytes of one write to "inject" */

static struct dentry *stub_dir;

static void stub_stats_line(void *ctx, const char *name, u64 value)
{
	seq_printf(ctx, "%s %llu\n", name, value);
}

static int stats_show(struct seq_file *s, void *unused)
{
	stub_view_counters(stub_stats_line, s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void stub_state_td(void *ctx, const struct tdxm_td_info *td)
{
	seq_printf(ctx, "td 0x%llx hkid %u %s %s epoch %llu inside %u vcpus %u pages %llu\n",
		   td->tdr, td->hkid, td->lifecycle, td->op_state, td->epoch, td->inside,
		   td->vcpus, td->pages);
}

static void stub_state_vcpu(void *ctx, const struct tdxm_vcpu_info *v)
{
	seq_printf(ctx, "  vcpu %u tdvpr 0x%llx cpu %d epoch %llu shared_eptp 0x%llx\n", v->index,
		   v->tdvpr, v->lp, v->epoch, v->shared_eptp);
}

static int state_show(struct seq_file *s, void *unused)
{
	tdxm_list_tds(stub_tdxm, stub_state_td, stub_state_vcpu, s);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

static int stub_inject_open(struct inode *inode, struct file *file)
{
	return single_open(file, stub_inject_show, NULL);
}

/* One rule per line; the lines before a bad one have taken effect. */
static ssize_t stub_inject_write(struct file *file, const char __user *ubuf, size_t count,
				 loff_t *ppos)
{
	char *buf __free(kfree) = NULL;
	char *pos, *line;
	int ret;

	if (count > STUB_INJECT_MAX)
		return -E2BIG;
	buf = memdup_user_nul(ubuf, count);
	if (IS_ERR(buf))
		return PTR_ERR(no_free_ptr(buf));

	pos = buf;
	while ((line = strsep(&pos, "\n"))) {
		line = strim(line);
		if (!*line)
			continue;
		ret = stub_inject_line(line);
		if (ret)
			return ret;
	}
	return count;
}

static const struct file_operations stub_inject_fops = {
	.owner = THIS_MODULE,
	.open = stub_inject_open,
	.read = seq_read,
	.write = stub_inject_write,
	.llseek = seq_lseek,
	.release = single_release,
};

/**
 * stub_debugfs_init() - make the files
 *
 * Context: stub_tdxm is set. May sleep. Without debugfs there are none, and
 * nothing else changes.
 */
void stub_debugfs_init(void)
{
	stub_dir = debugfs_create_dir("tdx_stub", NULL);
	/* lines "name value", as tdxm_for_each_counter() has them: leaves, status, locks, pages */
	debugfs_create_file("stats", 0444, stub_dir, NULL, &stats_fops);
	/* TDs and vCPUs that live, a line each */
	debugfs_create_file("state", 0444, stub_dir, NULL, &state_fops);
	/* rules, also to write: LEAF STATUS MODE VALUE, as in TDH.MEM.PAGE.AUG busy nth 20 */
	debugfs_create_file("inject", 0644, stub_dir, NULL, &stub_inject_fops);
}

/**
 * stub_debugfs_exit() - remove the files; none is being read when it returns
 *
 * Context: may sleep.
 */
void stub_debugfs_exit(void)
{
	debugfs_remove(stub_dir);
}
