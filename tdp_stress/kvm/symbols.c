// SPDX-License-Identifier: GPL-2.0
/*
 * Finding KVM: symbols by name, and a reference on the vendor module so that
 * neither it nor kvm.ko goes away while hooked. Hooks nothing.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/static_call.h>

#include "insight.h"
#include "kvm.h"

static struct module *vendor;
static enum tdps_backend backend;

DEFINE_STATIC_CALL_NULL(tdps_kallsyms, kallsyms_lookup_name);

/* kallsyms_lookup_name() is not exported; a kprobe knows where it is. */
static int find_kallsyms(void)
{
	/* disabled: only its address is wanted, nothing is patched */
	struct kprobe kp = {
		.symbol_name = "kallsyms_lookup_name", .flags = KPROBE_FLAG_DISABLED,
	};
	int err = register_kprobe(&kp);

	if (err) {
		pr_err("kallsyms_lookup_name not found (%d): the kernel needs CONFIG_KALLSYMS and CONFIG_KPROBES\n",
		       err);
		return -ENOENT;
	}
	/* a static call needs no ENDBR at its target: right on IBT hosts, too */
	static_call_update(tdps_kallsyms, (void *)kp.addr);
	unregister_kprobe(&kp);
	return 0;
}

/*
 * ftrace takes bit 0 of a callback's address for "jump, do not call": a kernel
 * whose own callbacks are at odd addresses (optimised for size, no alignment)
 * crashes at the first probe.
 */
static int check_alignment(void)
{
	static const char * const callbacks[] = {
		"kprobe_ftrace_handler", "fprobe_ftrace_entry", "ftrace_graph_func",
		"arch_ftrace_ops_list_func",
	};
	unsigned long addr;
	int i;

	for (i = 0; i < ARRAY_SIZE(callbacks); i++) {
		addr = static_call(tdps_kallsyms)(callbacks[i]);
		if (!(addr & 1))
			continue;
		pr_err("this kernel has %s at an odd address, probes crash there; it needs CONFIG_CC_OPTIMIZE_FOR_PERFORMANCE=y\n",
		       callbacks[i]);
		return -ENOEXEC;
	}
	return 0;
}

static unsigned long lookup_in(const char *module, const char *name)
{
	char full[MODULE_NAME_LEN + KSYM_NAME_LEN];

	scnprintf(full, sizeof(full), "%s:%s", module, name);
	return static_call(tdps_kallsyms)(full);
}

unsigned long tdps_lookup(const char *name)
{
	unsigned long addr = lookup_in("kvm", name);

	if (!addr)
		addr = lookup_in("kvm_intel", name);
	if (!addr)
		addr = lookup_in("kvm_amd", name);
	/* built in, or the kernel's own */
	return addr ?: static_call(tdps_kallsyms)(name);
}

/*
 * Which vendor module has filled in KVM's operations, or NULL. They live in kvm
 * itself, and stay readable as long as that is loaded.
 */
static const char *vendor_name(void)
{
	const struct kvm_x86_ops *ops = (const struct kvm_x86_ops *)tdps_lookup("kvm_x86_ops");

	/* the last thing that a vendor module clears when it goes */
	return ops && READ_ONCE(ops->enable_virtualization_cpu) ? ops->name : NULL;
}

static int no_vendor(void)
{
	if (boot_cpu_has(X86_FEATURE_SVM))
		pr_err("kvm_amd is not loaded: load it (npt=1), then this module\n");
	else if (boot_cpu_has(X86_FEATURE_VMX))
		pr_err("kvm_intel is not loaded: load it (ept=1), then this module\n");
	else
		pr_err("no kvm_amd and no kvm_intel is loaded, and this CPU has neither SVM nor VMX; backend=tdx needs tdx_stub and kvm_intel, backend=external a CPU with SVM\n");
	return -ENODEV;
}

/*
 * tdx wherever KVM has it enabled, unless external is asked for. A kvm_intel
 * that knows TDX cannot serve external even when it runs without: it dispatches
 * on the VM type, and would take a VM with mirror roots for a TD of its own.
 */
static int choose_backend(enum tdps_backend wanted)
{
	const bool *enable_tdx = (const bool *)tdps_lookup("enable_tdx");
	const char *name = vendor_name();
	bool intel = name && !strcmp(name, "kvm_intel");

	if (!name)
		return no_vendor();
	if (!intel && strcmp(name, "kvm_amd")) {
		pr_err("KVM runs on %s: only kvm_intel and kvm_amd are known\n", name);
		return -ENODEV;
	}
	backend = wanted;
	if (wanted == TDPS_BACKEND_AUTO)
		backend = intel && enable_tdx ? TDPS_BACKEND_TDX : TDPS_BACKEND_EXTERNAL;
	if (backend == TDPS_BACKEND_EXTERNAL) {
		if (!intel || !enable_tdx)
			return 0;
		pr_err("backend=external: this kvm_intel is built with TDX and would take our VMs for TDs; load tdx_stub, kvm_intel with tdx=1, and use backend=tdx, or use kvm_amd\n");
		return -EOPNOTSUPP;
	}
	if (!intel || !enable_tdx) {
		pr_err("backend=tdx: %s has no TDX support (CONFIG_KVM_INTEL_TDX of kvm_intel): use backend=external\n",
		       name);
		return -ENODEV;
	}
	if (!TDPS_HAS_TDX) {
		pr_err("backend=tdx: this module was built for a kernel without CONFIG_KVM_INTEL_TDX\n");
		return -ENODEV;
	}
	if (!*enable_tdx) {
		pr_err("kvm_intel is loaded without TDX: load it with tdx=1, on TDX hardware or after tdx_stub\n");
		return -ENODEV;
	}
	return 0;
}

/*
 * Keep the vendor module loaded: it is the owner of /dev/kvm's operations, and
 * holds on to kvm itself. A module is freed only after a grace period, so its
 * name may be looked up and its reference taken within one RCU section.
 */
static int get_vendor(enum tdps_backend wanted)
{
	const struct file_operations *fops;
	int err;

	guard(rcu)();
	if (!tdps_lookup("kvm_lock")) {
		pr_err("kvm is not loaded: load kvm and kvm_amd, or kvm and kvm_intel, first\n");
		return -ENODEV;
	}
	fops = (const struct file_operations *)tdps_lookup("kvm_chardev_ops");
	if (!fops || !tdps_lookup("kvm_x86_ops")) {
		pr_err("symbol %s not found: the kernel needs CONFIG_KALLSYMS_ALL\n",
		       fops ? "kvm_x86_ops" : "kvm_chardev_ops");
		return -ENOENT;
	}
	err = choose_backend(wanted);
	if (err)
		return err;
	vendor = READ_ONCE(fops->owner);
	if (vendor && !try_module_get(vendor)) {
		vendor = NULL;
		pr_err("%s is being loaded or unloaded: try again\n", vendor_name() ?: "kvm");
		return -EAGAIN;
	}
	return 0;
}

static int check_tdp(void)
{
	const bool *tdp_mmu = (const bool *)tdps_lookup("tdp_mmu_enabled");
	const bool *tdp = (const bool *)tdps_lookup("tdp_enabled");

	if (!tdp_mmu || !tdp) {
		pr_err("symbol %s not found in this kernel's KVM: nothing hooked\n",
		       tdp ? "tdp_mmu_enabled" : "tdp_enabled");
		return -ENOENT;
	}
	if (!*tdp) {
		pr_err("KVM runs without two-dimensional paging: load kvm_amd with npt=1, kvm_intel with ept=1\n");
		return -ENODEV;
	}
	if (!*tdp_mmu) {
		pr_err("KVM runs without the TDP MMU: load kvm with tdp_mmu=Y\n");
		return -ENODEV;
	}
	return 0;
}

static int find_symbols(void)
{
	const char *missing = tdps_find_symbols();

	if (!missing)
		return 0;
	pr_err("symbol %s not found in this kernel's KVM: nothing hooked\n", missing);
	return -ENOENT;
}

/**
 * tdps_kvm_open() - find KVM, choose the backend, keep KVM loaded
 * @wanted: the backend asked for
 *
 * Context: may sleep. Prints why it refuses.
 *
 * Return: 0; -ENODEV: no KVM, no TDX, no TDP MMU; -EOPNOTSUPP: not with this
 * kvm_intel; -ENOENT: a symbol is missing; -ENOEXEC: probes do not work in this
 * kernel; -EAGAIN: kvm_intel or kvm_amd comes or goes.
 */
int tdps_kvm_open(enum tdps_backend wanted)
{
	int err;

	err = find_kallsyms();
	if (!err)
		err = check_alignment();
	if (err)
		return err;
	err = get_vendor(wanted);
	if (err)
		return err;
	err = check_tdp();
	if (!err)
		err = find_symbols();
	if (err)
		tdps_kvm_close();
	return err;
}

void tdps_kvm_close(void)
{
	if (vendor)
		module_put(vendor);
	vendor = NULL;
}

/**
 * tdps_kvm_backend() - the backend that tdps_kvm_open() has chosen
 *
 * Return: never TDPS_BACKEND_AUTO.
 */
enum tdps_backend tdps_kvm_backend(void)
{
	return backend;
}

const char *tdps_kvm_backend_name(void)
{
	return backend == TDPS_BACKEND_TDX ? "tdx" : "external";
}

/**
 * tdps_kvm_only_direct() - has this KVM no mirror roots?
 *
 * Return: why everything about mirror roots is out of reach, a static clause;
 * NULL: it has them.
 */
const char *tdps_kvm_only_direct(void)
{
	return TDPS_MIRROR_ROOTS ? NULL : "this KVM has no mirror roots";
}
