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

struct tdps_symbols tdps_sym;
static struct module *vendor;

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
	/* built in, or the kernel's own */
	return addr ?: static_call(tdps_kallsyms)(name);
}

/*
 * Keep kvm_intel loaded: it is the owner of /dev/kvm's operations, and holds on
 * to kvm itself. A module is freed only after a grace period, so its name may
 * be looked up and its reference taken within one RCU section.
 */
static int get_vendor(void)
{
	const struct file_operations *fops;
	const bool *enable_tdx;
	int err = 0;

	if (!tdps_lookup("kvm_lock")) {
		pr_err("kvm is not loaded: load kvm and kvm_intel (tdx=1) first\n");
		return -ENODEV;
	}
	rcu_read_lock();
	enable_tdx = (const bool *)tdps_lookup("enable_tdx");
	fops = (const struct file_operations *)tdps_lookup("kvm_chardev_ops");
	if (!enable_tdx) {
		pr_err("kvm_intel is not loaded, or has no TDX support (CONFIG_KVM_INTEL_TDX)\n");
		err = -ENODEV;
	} else if (!*enable_tdx) {
		pr_err("kvm_intel is loaded without TDX: load it with tdx=1, on TDX hardware or after tdx_stub\n");
		err = -ENODEV;
	} else if (!fops) {
		pr_err("symbol kvm_chardev_ops not found: the kernel needs CONFIG_KALLSYMS_ALL\n");
		err = -ENOENT;
	} else {
		vendor = READ_ONCE(fops->owner);
		if (vendor && !try_module_get(vendor)) {
			vendor = NULL;
			pr_err("kvm_intel is being loaded or unloaded: try again\n");
			err = -EAGAIN;
		}
	}
	rcu_read_unlock();
	return err;
}

static int find_symbols(void)
{
	static const struct {
		const char *name;
		void **to;
	} want[] = {
		{ "kvm_lock", (void **)&tdps_sym.kvm_lock },
		{ "vm_list", (void **)&tdps_sym.vm_list },
		{ "mmu_page_header_cache", (void **)&tdps_sym.mmu_page_header_cache },
		{ "shadow_mmio_mask", (void **)&tdps_sym.shadow_mmio_mask },
		{ "enable_mmio_caching", (void **)&tdps_sym.enable_mmio_caching },
		{ "__SCK__kvm_x86_set_external_spte", (void **)&tdps_sym.set_key },
		{ "__SCT__kvm_x86_set_external_spte", &tdps_sym.set_tramp },
		{ "__SCK__kvm_x86_free_external_spt", (void **)&tdps_sym.free_key },
		{ "__SCT__kvm_x86_free_external_spt", &tdps_sym.free_tramp },
	};
	const bool *tdp_mmu = (const bool *)tdps_lookup("tdp_mmu_enabled");
	int i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		*want[i].to = (void *)tdps_lookup(want[i].name);
		if (!*want[i].to) {
			pr_err("symbol %s not found in this kernel's KVM: nothing hooked\n",
			       want[i].name);
			return -ENOENT;
		}
	}
	if (!tdp_mmu) {
		pr_err("symbol tdp_mmu_enabled not found in this kernel's KVM: nothing hooked\n");
		return -ENOENT;
	}
	if (!*tdp_mmu) {
		pr_err("KVM runs without the TDP MMU: load kvm with tdp_mmu=Y\n");
		return -ENODEV;
	}
	return 0;
}

/**
 * tdps_kvm_open() - find KVM and keep it loaded
 *
 * Context: may sleep. Prints why it refuses.
 *
 * Return: 0; -ENODEV: no KVM, no TDX, no TDP MMU; -ENOENT: a symbol is missing;
 * -ENOEXEC: probes do not work in this kernel; -EAGAIN: kvm_intel comes or goes.
 */
int tdps_kvm_open(void)
{
	int err;

	err = find_kallsyms();
	if (!err)
		err = check_alignment();
	if (err)
		return err;
	err = get_vendor();
	if (err)
		return err;
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
