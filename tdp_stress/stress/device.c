// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tdp_stress: open files, the structures of uapi/tdp_stress.h in and out, and the
 * commands that are about no VM. What is about VMs is the KVM room's (kvm/user.h).
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/capability.h>
#include <linux/debug_locks.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../kvm/user.h"
#include "../oracle/oracle.h"
#include "stress.h"

/* --- commands that are about no VM --- */

static long do_query(struct tdps_user *u, void *arg)
{
	struct tdp_stress_query *q = arg;

	if (q->flags) {
		tdps_user_err("query: flags 0x%x must be 0", q->flags);
		return -EINVAL;
	}
	*q = (struct tdp_stress_query) { .size = q->size, .abi = TDP_STRESS_ABI_VERSION };
	tdps_user_query(q);
	if (IS_ENABLED(CONFIG_LOCKDEP) && debug_locks)
		q->features |= TDP_STRESS_FEATURE_LOCKDEP;
	if (IS_ENABLED(CONFIG_PREEMPTION))
		q->features |= TDP_STRESS_FEATURE_PREEMPT;
	if (IS_ENABLED(CONFIG_FAULT_INJECTION))
		q->features |= TDP_STRESS_FEATURE_FAULT_INJECT;
	if (stress_params.vms)
		q->features |= TDP_STRESS_FEATURE_TORTURE;
	return 0;
}

#define MAX_COUNTERS	65536

struct counters {
	struct tdp_stress_counters *c;
	struct tdp_stress_counter *to;
};

static void take_counter(void *ctx, const char *name, u64 value)
{
	struct counters *cs = ctx;
	struct tdp_stress_counter *to;

	cs->c->total++;
	if (cs->c->filled >= cs->c->max)
		return;
	to = &cs->to[cs->c->filled++];
	strscpy_pad(to->name, name);
	to->value = value;
}

static long do_counters(struct tdps_user *u, void *arg)
{
	struct counters cs = { .c = arg };
	struct tdp_stress_counters *c = arg;
	long err = 0;

	if (c->flags || c->reserved || c->max > MAX_COUNTERS) {
		tdps_user_err("counters: flags 0x%x and reserved 0x%x must be 0, max %u at most %u",
			      c->flags, c->reserved, c->max, MAX_COUNTERS);
		return -EINVAL;
	}
	c->filled = 0;
	c->total = 0;
	cs.to = kvcalloc(c->max ?: 1, sizeof(*cs.to), GFP_KERNEL_ACCOUNT);
	if (!cs.to)
		return -ENOMEM;
	stress_visit_stats(take_counter, &cs);
	if (copy_to_user(u64_to_user_ptr(c->counters), cs.to, c->filled * sizeof(*cs.to)))
		err = -EFAULT;
	kvfree(cs.to);
	return err;
}

static long do_check(struct tdps_user *u, void *arg)
{
	struct tdp_stress_check *c = arg;
	u64 before;
	int err;

	if (c->flags || c->reserved) {
		tdps_user_err("check: flags 0x%x and reserved 0x%x must be 0", c->flags,
			      c->reserved);
		return -EINVAL;
	}
	before = tdps_violations_total();
	err = stress_audit_now();
	if (err) {
		tdps_user_err("check: this module runs with oracles=none");
		return err;
	}
	c->violations = tdps_violations_total();
	c->found = c->violations - before;
	c->excused = tdps_violations_excused();
	c->checks = hweight_long(tdps_enabled);
	return 0;
}

static void take_violation(struct tdp_stress_violation *to, u32 index, const struct tdps_kept *k)
{
	*to = (struct tdp_stress_violation) {
		.index = index, .gfn = k->gfn, .level = k->level,
	};
	strscpy(to->id, tdps_check_name(k->id));
	strscpy(to->text, k->line);
}

/* One after the other: they are seldom many. */
static long do_violations(struct tdps_user *u, void *arg)
{
	struct tdp_stress_violations *v = arg;
	struct tdp_stress_violation __user *to = u64_to_user_ptr(v->violations);
	struct tdp_stress_violation *one;
	struct tdps_kept *k;
	long err = 0;
	u32 i;

	if (v->flags || v->reserved) {
		tdps_user_err("violations: flags 0x%x and reserved 0x%x must be 0", v->flags,
			      v->reserved);
		return -EINVAL;
	}
	k = kzalloc_obj(*k, GFP_KERNEL);
	one = kzalloc_obj(*one, GFP_KERNEL);
	v->filled = 0;
	for (i = 0; k && one && !err && tdps_violation_kept(i, k); i++) {
		if (i < v->first || v->filled >= v->max)
			continue;
		take_violation(one, i, k);
		if (copy_to_user(&to[v->filled++], one, sizeof(*one)))
			err = -EFAULT;
	}
	v->kept = i;
	if (!k || !one)
		err = -ENOMEM;
	kfree(one);
	kfree(k);
	return err;
}

/* --- commands --- */

/**
 * struct command - a command
 * @nr: its ioctl
 * @known: bytes of its structure that are known here
 * @least: bytes of the structure's first version
 * @fn: does it, to a copy of the structure in kernel memory
 */
struct command {
	unsigned int nr;
	u32 known;
	u32 least;
	long (*fn)(struct tdps_user *u, void *arg);
};

/* The first version of each structure ends with that field. */
#define COMMAND(nr, type, last, fn) \
	{ nr, sizeof(struct type), offsetofend(struct type, last), fn }

static const struct command commands[] = {
	COMMAND(TDP_STRESS_ADOPT_VM, tdp_stress_adopt_vm, shared_bit, tdps_user_adopt),
	COMMAND(TDP_STRESS_QUERY, tdp_stress_query, live_vms, do_query),
	COMMAND(TDP_STRESS_QUERY_OP, tdp_stress_query_op, why, tdps_user_query_op),
	COMMAND(TDP_STRESS_OP, tdp_stress_op, ns, tdps_user_op),
	COMMAND(TDP_STRESS_INJECT, tdp_stress_inject, fired, tdps_user_inject),
	COMMAND(TDP_STRESS_HOLD, tdp_stress_hold, reserved, tdps_user_hold),
	COMMAND(TDP_STRESS_HOLD_WAIT, tdp_stress_hold_wait, held_ns, tdps_user_hold_wait),
	COMMAND(TDP_STRESS_HOLD_RELEASE, tdp_stress_hold_release, state,
		tdps_user_hold_release),
	COMMAND(TDP_STRESS_WALK, tdp_stress_walk, total, tdps_user_walk),
	COMMAND(TDP_STRESS_COUNTERS, tdp_stress_counters, reserved, do_counters),
	COMMAND(TDP_STRESS_CHECK, tdp_stress_check, reserved, do_check),
	COMMAND(TDP_STRESS_VIOLATIONS, tdp_stress_violations, reserved, do_violations),
};

union any_arg {
	u32 size;
	struct tdp_stress_adopt_vm adopt_vm;
	struct tdp_stress_query query;
	struct tdp_stress_query_op query_op;
	struct tdp_stress_op op;
	struct tdp_stress_inject inject;
	struct tdp_stress_hold hold;
	struct tdp_stress_hold_wait hold_wait;
	struct tdp_stress_hold_release hold_release;
	struct tdp_stress_walk walk;
	struct tdp_stress_counters counters;
	struct tdp_stress_check check;
	struct tdp_stress_violations violations;
};

/*
 * A structure that begins with its size: what is longer than we know must be
 * zero, what is shorter is filled up with zeroes.
 */
static long get_arg(union any_arg *arg, u32 *size, const struct command *c, void __user *uarg)
{
	int err;

	if (get_user(*size, (u32 __user *)uarg))
		return -EFAULT;
	if (*size < c->least || *size > PAGE_SIZE) {
		tdps_user_err("size %u is out of range, this structure has %u bytes", *size,
			      c->known);
		return -EINVAL;
	}
	err = copy_struct_from_user(arg, c->known, uarg, *size);
	if (err == -E2BIG) {
		tdps_user_err("the structure has %u bytes, only %u are known, and the rest is not zero",
			      *size, c->known);
		return -EINVAL;
	}
	if (err)
		return err;
	/* it may have been changed since it was looked at first */
	arg->size = *size;
	return 0;
}

static long put_arg(void __user *uarg, const union any_arg *arg, u32 size, const struct command *c)
{
	return copy_to_user(uarg, arg, min(size, c->known)) ? -EFAULT : 0;
}

static long do_command(struct tdps_user *u, const struct command *c, void __user *uarg)
{
	union any_arg arg = {};
	u32 size;
	long err = get_arg(&arg, &size, c, uarg);

	/* nothing is done whose outcome could not be told */
	if (!err)
		err = put_arg(uarg, &arg, size, c);
	if (!err)
		err = c->fn(u, &arg);
	return err ?: put_arg(uarg, &arg, size, c);
}

/* --- the device --- */

static int device_open(struct inode *inode, struct file *file)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	file->private_data = tdps_user_open();
	return file->private_data ? 0 : -ENOMEM;
}

static int device_release(struct inode *inode, struct file *file)
{
	tdps_user_close(file->private_data);
	return 0;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	int i;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (cmd == TDP_STRESS_ABI)
		return TDP_STRESS_ABI_VERSION;
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].nr == cmd)
			return do_command(file->private_data, &commands[i], (void __user *)arg);
	return -ENOTTY;
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "tdp_stress",
	.mode = 0600,
	.fops = &fops,
};

static bool registered;

/**
 * stress_device_init() - offer /dev/tdp_stress
 *
 * Context: may sleep; hooked, with either backend. Prints why it fails.
 *
 * Return: 0 or -errno.
 */
int stress_device_init(void)
{
	int err = tdps_user_init();

	if (err)
		return err;
	err = misc_register(&device);
	if (err) {
		pr_err("cannot make %s (%d)\n", TDP_STRESS_DEVICE, err);
		tdps_user_exit();
	}
	registered = !err;
	return err;
}

void stress_device_exit(void)
{
	if (!registered)
		return;
	misc_deregister(&device);
	tdps_user_exit();
	registered = false;
}
