// SPDX-License-Identifier: GPL-2.0
/*
 * Parameters of tdx_stub.ko: names, units, ranges, and one clear line for each
 * value that does not fit. Knows nothing of what the values are used for, but
 * for the three that the core takes at run time.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/ptrace.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#include "stub.h"

struct stub_params stub_params = {
	.max_vcpus		= 256,
	.guest_accesses		= 32,
	.guest_shared_pct	= 25,
	.guest_map_gpa		= 64,
	.guest_long		= 16,
	.guest_stay_us		= 100,
};

static enum tdxm_plant stub_plant;

/**
 * struct stub_param - one numeric parameter
 * @name: as the user writes it
 * @min: smallest value allowed
 * @max: largest value allowed
 * @value: where it lives
 * @changed: told of a new value once the module runs; may be NULL
 * @rare: "one in N", for which 1 (always) would stop KVM for good
 */
struct stub_param {
	const char *name;
	u64 min;
	u64 max;
	u64 *value;
	void (*changed)(void);
	bool rare;
};

static int stub_param_set(const char *val, const struct kernel_param *kp)
{
	const struct stub_param *p = kp->arg;
	u64 v;

	if (kstrtoull(val, 0, &v) || v < p->min || v > p->max || (p->rare && v == 1)) {
		pr_err("parameter %s=%.*s: a number from %llu to %llu%s is wanted\n", p->name,
		       (int)strcspn(val, "\n"), val, p->min, p->max, p->rare ? ", not 1," : "");
		return -EINVAL;
	}

	WRITE_ONCE(*p->value, v);
	if (p->changed && stub_tdxm)
		p->changed();
	return 0;
}

static int stub_param_get(char *buffer, const struct kernel_param *kp)
{
	const struct stub_param *p = kp->arg;

	return sysfs_emit(buffer, "%llu\n", READ_ONCE(*p->value));
}

static const struct kernel_param_ops stub_param_ops = {
	.set = stub_param_set,
	.get = stub_param_get,
};

static void stub_busy_changed(void)
{
	/* In range by the parameter's own check. */
	WARN_ON_ONCE(tdxm_inject_busy(stub_tdxm, stub_params.busy));
}

enum {
	PARAM_SEED,
	PARAM_BUSY,
	PARAM_HOLD_NS,
	PARAM_MAX_VCPUS,
	PARAM_GUEST_ACCESSES,
	PARAM_GUEST_SHARED_PCT,
	PARAM_GUEST_MAP_GPA,
	PARAM_GUEST_LONG,
	PARAM_GUEST_STAY_US,
	PARAM_GUEST_CARELESS,
};

static struct stub_param stub_param[] = {
	[PARAM_SEED] = { "seed", 0, U64_MAX, &stub_params.seed },
	[PARAM_BUSY] = { "busy", 0, 1000000, &stub_params.busy, stub_busy_changed, true },
	[PARAM_HOLD_NS] = { "hold_ns", 0, 100000, &stub_params.hold_ns },
	[PARAM_MAX_VCPUS] = { "max_vcpus", 1, 512, &stub_params.max_vcpus },
	[PARAM_GUEST_ACCESSES] = { "guest_accesses", 1, 4096, &stub_params.guest_accesses },
	[PARAM_GUEST_SHARED_PCT] = { "guest_shared_pct", 0, 100, &stub_params.guest_shared_pct },
	[PARAM_GUEST_MAP_GPA] = { "guest_map_gpa", 0, 1000000, &stub_params.guest_map_gpa },
	[PARAM_GUEST_LONG] = { "guest_long", 0, 1000000, &stub_params.guest_long },
	[PARAM_GUEST_STAY_US] = { "guest_stay_us", 0, 1000, &stub_params.guest_stay_us },
	[PARAM_GUEST_CARELESS] = { "guest_careless", 0, 1000000, &stub_params.guest_careless },
};

module_param_cb(seed, &stub_param_ops, &stub_param[PARAM_SEED], 0444);
__MODULE_PARM_TYPE(seed, "ullong");
MODULE_PARM_DESC(seed,
		 "seed of every random choice, 0 to 2^64-1; 0: choose one and print it (default 0)");

module_param_cb(busy, &stub_param_ops, &stub_param[PARAM_BUSY], 0644);
__MODULE_PARM_TYPE(busy, "ullong");
MODULE_PARM_DESC(busy,
		 "one SEAMCALL in so many returns BUSY where KVM copes with it, 2 to 1000000; 0: none (default 0)");

module_param_cb(hold_ns, &stub_param_ops, &stub_param[PARAM_HOLD_NS], 0444);
__MODULE_PARM_TYPE(hold_ns, "ullong");
MODULE_PARM_DESC(hold_ns,
		 "how long a leaf keeps its locks beyond its own work, in nanoseconds, 0 to 100000 (default 0)");

module_param_cb(max_vcpus, &stub_param_ops, &stub_param[PARAM_MAX_VCPUS], 0444);
__MODULE_PARM_TYPE(max_vcpus, "ullong");
MODULE_PARM_DESC(max_vcpus,
		 "vCPUs a TD may have, at least the number of present CPUs, 1 to 512 (default 256)");

module_param_cb(guest_accesses, &stub_param_ops, &stub_param[PARAM_GUEST_ACCESSES], 0644);
__MODULE_PARM_TYPE(guest_accesses, "ullong");
MODULE_PARM_DESC(guest_accesses,
		 "memory accesses the guest makes in one short stay, at most, 1 to 4096 (default 32)");

module_param_cb(guest_shared_pct, &stub_param_ops, &stub_param[PARAM_GUEST_SHARED_PCT], 0644);
__MODULE_PARM_TYPE(guest_shared_pct, "ullong");
MODULE_PARM_DESC(guest_shared_pct,
		 "share of accesses that go to shared memory, once there is some, in percent, 0 to 100 (default 25)");

module_param_cb(guest_map_gpa, &stub_param_ops, &stub_param[PARAM_GUEST_MAP_GPA], 0644);
__MODULE_PARM_TYPE(guest_map_gpa, "ullong");
MODULE_PARM_DESC(guest_map_gpa,
		 "one entry in so many converts memory by TDVMCALL<MapGPA>, 1 to 1000000; 0: none (default 64)");

module_param_cb(guest_long, &stub_param_ops, &stub_param[PARAM_GUEST_LONG], 0644);
__MODULE_PARM_TYPE(guest_long, "ullong");
MODULE_PARM_DESC(guest_long,
		 "one entry in so many is a long stay, 1 to 1000000; 0: none (default 16)");

module_param_cb(guest_stay_us, &stub_param_ops, &stub_param[PARAM_GUEST_STAY_US], 0644);
__MODULE_PARM_TYPE(guest_stay_us, "ullong");
MODULE_PARM_DESC(guest_stay_us,
		 "length of a long stay, at most, in microseconds, 1 to 1000; 0: no long stays (default 100)");

module_param_cb(guest_careless, &stub_param_ops, &stub_param[PARAM_GUEST_CARELESS], 0644);
__MODULE_PARM_TYPE(guest_careless, "ullong");
MODULE_PARM_DESC(guest_careless,
		 "one page in so many is touched before it is accepted, by which KVM ends the TD, 1 to 1000000; 0: none (default 0)");

static const char * const stub_plant_names[] = {
	[TDXM_PLANT_NONE]	= "none",
	[TDXM_PLANT_L1_PRIVATE]	= "l1_private",
	[TDXM_PLANT_L1_SHARED]	= "l1_shared",
	[TDXM_PLANT_X1]		= "x1",
	[TDXM_PLANT_X3]		= "x3",
	[TDXM_PLANT_CANARY]	= "canary",
};

static int stub_plant_set(const char *val, const struct kernel_param *kp)
{
	int i = __sysfs_match_string(stub_plant_names, ARRAY_SIZE(stub_plant_names), val);

	if (i < 0) {
		pr_err("parameter plant=%.*s: none, l1_private, l1_shared, x1, x3 or canary is wanted\n",
		       (int)strcspn(val, "\n"), val);
		return -EINVAL;
	}

	stub_plant = i;
	if (stub_tdxm)
		tdxm_plant(stub_tdxm, stub_plant);
	return 0;
}

static int stub_plant_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", stub_plant_names[stub_plant]);
}

static const struct kernel_param_ops stub_plant_ops = {
	.set = stub_plant_set,
	.get = stub_plant_get,
};

module_param_cb(plant, &stub_plant_ops, NULL, 0644);
__MODULE_PARM_TYPE(plant, "charp");
MODULE_PARM_DESC(plant,
		 "misbehave on purpose: none, l1_private, l1_shared, x1, x3 or canary (default none)");

static bool stub_param_known(const char *name)
{
	int i;

	/* Every module has these two; parse_args() handles them. */
	if (!strcmp(name, "dyndbg") || !strcmp(name, "async_probe"))
		return true;

	for (i = 0; i < THIS_MODULE->num_kp; i++) {
		if (!strcmp(name, THIS_MODULE->kp[i].name))
			return true;
	}
	return false;
}

/*
 * The argument string of the system call that is loading us, or NULL: the
 * kernel keeps no copy of it that outlives parse_args().
 */
static char *stub_load_args(void)
{
	struct pt_regs *regs = current_pt_regs();
	const char __user *uargs;

	switch (syscall_get_nr(current, regs)) {
	case __NR_finit_module:
		uargs = (const char __user *)regs->si;
		break;
	case __NR_init_module:
		uargs = (const char __user *)regs->dx;
		break;
	default:
		return NULL;
	}
	return strndup_user(uargs, PAGE_SIZE);
}

/**
 * stub_params_check() - refuse parameters that do not exist
 *
 * The kernel only warns of a parameter it does not know and loads the module
 * all the same; a mistyped name would then be a test that tests nothing.
 *
 * Context: module init. May sleep.
 * Return: 0; -EINVAL if the loader gave an unknown parameter.
 */
int stub_params_check(void)
{
	char *args = stub_load_args(), *pos, *name, *val;
	int ret = 0;

	/* A 32-bit loader uses other numbers; then the kernel's warning must do. */
	if (IS_ERR_OR_NULL(args))
		return 0;

	pos = skip_spaces(args);
	while (*pos && !ret) {
		pos = next_arg(pos, &name, &val);
		if (!strcmp(name, "--"))
			break;
		if (stub_param_known(strreplace(name, '-', '_')))
			continue;
		pr_err("unknown parameter %s; modinfo -p tdx_stub lists those there are\n", name);
		ret = -EINVAL;
	}

	kfree(args);
	if (ret)
		return ret;

	if (stub_params.max_vcpus < num_present_cpus()) {
		/* KVM refuses TDX otherwise, see __tdx_hardware_setup(). */
		pr_err("parameter max_vcpus=%llu: at least the %u CPUs present are wanted\n",
		       stub_params.max_vcpus, num_present_cpus());
		return -EINVAL;
	}

	while (!stub_params.seed)
		stub_params.seed = get_random_u64();
	return 0;
}

/**
 * stub_params_apply() - hand the parameters that act at run time to the core
 *
 * Context: module init, after stub_tdxm exists.
 */
void stub_params_apply(void)
{
	stub_busy_changed();
	tdxm_plant(stub_tdxm, stub_plant);
}
