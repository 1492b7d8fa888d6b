// SPDX-License-Identifier: GPL-2.0
/*
 * tdx_stub.ko: an emulated TDX module on a machine that has none. Order of
 * start and stop, and who may be unloaded when; everything else is elsewhere.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/topology.h>
#include <asm/processor.h>

#include "stub.h"

struct tdxm *stub_tdxm;

/* Ready for kvm_intel; and whether it is there. Protected by stub_lock. */
static DEFINE_MUTEX(stub_lock);
static bool stub_ready;
static bool stub_kvm_intel;

/**
 * stub_lock_kvm_intel() - kvm_intel is being loaded: stay for as long as it does
 * @mod: kvm_intel
 *
 * Context: module notifier. May sleep.
 * Return: 0; -EBUSY if the stub is not ready yet or on its way out.
 */
int stub_lock_kvm_intel(struct module *mod)
{
	guard(mutex)(&stub_lock);

	if (!stub_ready || !try_module_get(THIS_MODULE)) {
		pr_err("%s is refused while tdx_stub is being loaded or unloaded\n", mod->name);
		return -EBUSY;
	}
	stub_kvm_intel = true;
	return 0;
}

/**
 * stub_unlock_kvm_intel() - kvm_intel is gone, the stub may go too
 *
 * Context: module notifier. May sleep.
 */
void stub_unlock_kvm_intel(void)
{
	guard(mutex)(&stub_lock);

	if (stub_kvm_intel)
		module_put(THIS_MODULE);
	stub_kvm_intel = false;
}

static int stub_create(void)
{
	static const u64 cpuid_config[] = { STUB_CPUID_CONFIG };
	const struct tdxm_config cfg = {
		.nr_pages = stub_platform.nr_pages,
		.nr_lps = nr_cpu_ids,
		.tdcs_pages = STUB_TDCS_PAGES,
		.tdvps_pages = STUB_TDVPS_PAGES,
		.max_vcpus = stub_params.max_vcpus,
		.keyid_start = STUB_KEYID_START,
		.nr_keyids = STUB_NR_KEYIDS,
		.phys_bits = boot_cpu_data.x86_phys_bits,
		.hold_ns = stub_params.hold_ns,
		.seed = stub_params.seed,
		.shared_tlb_volatile = !stub_platform.fake_vmx,
		.nr_packages = topology_max_packages(),
		.nr_cpuid_config = ARRAY_SIZE(cpuid_config),
		.cpuid_config = cpuid_config,
		.attributes_fixed0 = STUB_ATTRS_FIXED0,
		.xfam_fixed0 = STUB_XFAM_FIXED0,
		.xfam_fixed1 = STUB_XFAM_FIXED1,
	};
	static const struct tdxm_hooks hooks = {
		.guest = stub_guest,
		.finding = stub_finding,
	};
	const char *why = tdxm_config_error(&cfg);

	if (why) {
		pr_err("this machine does not fit: %s\n", why);
		return -ERANGE;
	}

	stub_tdxm = tdxm_create(&cfg, &hooks, NULL);
	if (!stub_tdxm) {
		pr_err("out of memory for the PAMT of %llu pages\n", cfg.nr_pages);
		return -ENOMEM;
	}
	stub_params_apply();
	return 0;
}

static void stub_report_leak(void *ctx, const char *type, u64 pages)
{
	pr_err("A1: %llu pages of type %s were never given back\n", pages, type);
}

static void stub_destroy(void)
{
	struct tdxm *m = stub_tdxm;

	tdxm_for_each_page_type(m, stub_report_leak, NULL);

	/* A parameter written at this moment finds no module. */
	kernel_param_lock(THIS_MODULE);
	stub_tdxm = NULL;
	kernel_param_unlock(THIS_MODULE);

	if (tdxm_destroy(m))
		pr_err("unloaded although pages of TDs are not given back\n");
	stub_finding_exit();
}

static void stub_set_ready(bool ready)
{
	guard(mutex)(&stub_lock);
	stub_ready = ready;
}

static int __init stub_init(void)
{
	int ret;

	ret = stub_params_check();
	if (ret)
		return ret;
	ret = stub_platform_check();
	if (ret)
		return ret;
	ret = stub_create();
	if (ret)
		return ret;
	ret = stub_trap_init();
	if (ret)
		goto err_destroy;
	ret = stub_novmx_init();
	if (ret)
		goto err_trap;
	ret = stub_platform_apply();
	if (ret)
		goto err_novmx;

	stub_debugfs_init();
	stub_set_ready(true);
	pr_info("ready, %s, %llu pages, seed=%llu\n",
		stub_platform.fake_vmx ? "no VMX: TDs only" : "real VMX",
		stub_platform.nr_pages, stub_params.seed);
	return 0;

err_novmx:
	stub_novmx_exit();
err_trap:
	stub_trap_exit();
err_destroy:
	stub_destroy();
	return ret;
}
module_init(stub_init);

/* kvm_intel is not there: it holds a reference while it is. */
static void __exit stub_exit(void)
{
	stub_set_ready(false);
	stub_debugfs_exit();
	stub_platform_restore();
	stub_novmx_exit();
	stub_trap_exit();
	stub_destroy();
}
module_exit(stub_exit);

MODULE_DESCRIPTION("Emulated TDX module: runs kvm_intel's TDX code on any x86 machine");
MODULE_LICENSE("GPL");
