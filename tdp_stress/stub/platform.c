// SPDX-License-Identifier: GPL-2.0
/*
 * What makes a host look TDX-capable to kvm_intel, and its exact undo. With
 * novmx.c the only file that names symbols of the TDX host code; knows nothing
 * of SEAMCALLs.
 *
 * tdx_init() and tdx_enable() (arch/x86/virt/vmx/tdx/tdx.c) are __init and gone.
 * So their results are written instead: what the module reports of itself, the
 * key IDs, "initialized", and the CPU feature that kvm_intel tests.
 */
#include <linux/context_tracking.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/isolation.h>
#include <linux/static_call.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>
#include <asm/tdx.h>
#include <asm/tdx_global_metadata.h>

#include "stub.h"

/* NO_RBP_MOD, TOPOLOGY_ENUM: TDX_FEATURES0 of the TDX module's global metadata */
#define STUB_FEATURES0		(BIT_ULL(18) | BIT_ULL(20))

/* arch/x86/virt/hw.c's own, not in any header. */
struct x86_virt_ops {
	int feature;
	int (*enable_virtualization_cpu)(void);
	int (*disable_virtualization_cpu)(void);
	void (*emergency_disable_virtualization_cpu)(void);
};

struct stub_platform stub_platform;

/**
 * struct stub_poke - one object of the kernel that the stub changes
 * @name: its symbol
 * @size: its size in bytes, checked against the room the symbol has
 * @fake_vmx_only: not changed where there is real VMX
 * @addr: where it is, 0 if not looked up
 * @new: what the stub writes
 * @old: what was there, valid if @done
 * @done: the stub has written it
 */
struct stub_poke {
	const char *name;
	size_t size;
	bool fake_vmx_only;
	unsigned long addr;
	const void *new;
	void *old;
	bool done;
};

static struct tdx_sys_info new_sysinfo, old_sysinfo;
static struct x86_virt_ops new_virt_ops, old_virt_ops;
static const u32 new_global_keyid = STUB_GLOBAL_KEYID;
static const u32 new_keyid_start = STUB_KEYID_START;
static const u32 new_nr_keyids = STUB_NR_KEYIDS;
static u32 old_global_keyid, old_keyid_start, old_nr_keyids;
static const bool new_initialized = true;
static bool old_initialized;

/* In the order of writing; undone in reverse. "initialized" opens the door. */
static struct stub_poke stub_pokes[] = {
	{ "virt_ops", sizeof(struct x86_virt_ops), true, 0, &new_virt_ops, &old_virt_ops },
	{ "tdx_sysinfo", sizeof(struct tdx_sys_info), false, 0, &new_sysinfo, &old_sysinfo },
	{ "tdx_global_keyid", sizeof(u32), false, 0, &new_global_keyid, &old_global_keyid },
	{ "tdx_guest_keyid_start", sizeof(u32), false, 0, &new_keyid_start, &old_keyid_start },
	{ "tdx_nr_guest_keyids", sizeof(u32), false, 0, &new_nr_keyids, &old_nr_keyids },
	/* Its first member is bool initialized, the only one used after boot. */
	{ "tdx_module_state", sizeof(bool), false, 0, &new_initialized, &old_initialized },
};

static unsigned long stub_no_symbol(const char *name)
{
	return 0;
}

static int stub_no_size(unsigned long addr, unsigned long *size, unsigned long *offset)
{
	return 0;
}

/*
 * Called through static calls: these functions are not exported, so on a host
 * with IBT they have no ENDBR and must not be called through a pointer.
 */
DEFINE_STATIC_CALL(stub_lookup_name, stub_no_symbol);
DEFINE_STATIC_CALL(stub_lookup_size, stub_no_size);

static int stub_resolve_kallsyms(void)
{
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long size_fn;
	int ret;

	ret = register_kprobe(&kp);
	if (ret) {
		pr_err("kallsyms_lookup_name cannot be probed (%d), CONFIG_KPROBES=y and CONFIG_KALLSYMS=y are needed\n",
		       ret);
		return -ENOENT;
	}
	static_call_update(stub_lookup_name, (typeof(stub_no_symbol) *)kp.addr);
	unregister_kprobe(&kp);

	size_fn = stub_symbol("kallsyms_lookup_size_offset");
	if (!size_fn) {
		pr_err("no symbol kallsyms_lookup_size_offset in this kernel\n");
		return -ENOENT;
	}
	static_call_update(stub_lookup_size, (typeof(stub_no_size) *)size_fn);
	return 0;
}

/**
 * stub_symbol() - address of a kernel symbol that is not exported
 * @name: "symbol" or "module:symbol"
 *
 * Context: may sleep.
 * Return: its address, 0 if there is none.
 */
unsigned long stub_symbol(const char *name)
{
	return static_call(stub_lookup_name)(name);
}

/**
 * stub_symbol_room() - how large the object at a symbol can be at most
 * @addr: what stub_symbol() returned
 *
 * Return: bytes up to the next symbol.
 */
unsigned long stub_symbol_room(unsigned long addr)
{
	unsigned long size, offset;

	if (!static_call(stub_lookup_size)(addr, &size, &offset))
		return 0;
	return size - offset;
}

/*
 * Write to kernel data that is read-only since boot (__ro_after_init), through
 * a second, writable mapping of its page. The objects are small and of this
 * kernel image, so two pages always hold one.
 */
static int stub_write(unsigned long addr, const void *from, size_t size)
{
	unsigned int offset = offset_in_page(addr);
	phys_addr_t pa = __pa_symbol(addr - offset);
	struct page *pages[2] = { phys_to_page(pa), phys_to_page(pa + PAGE_SIZE) };
	void *va = vmap(pages, PFN_UP(offset + size), VM_MAP, PAGE_KERNEL);

	if (!va)
		return -ENOMEM;
	memcpy(va + offset, from, size);
	vunmap(va);
	return 0;
}

static_assert(sizeof(struct tdx_sys_info) <= PAGE_SIZE);

static int stub_find_pokes(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(stub_pokes); i++) {
		struct stub_poke *p = &stub_pokes[i];

		if (p->fake_vmx_only && !stub_platform.fake_vmx)
			continue;
		p->addr = stub_symbol(p->name);
		if (!p->addr) {
			pr_err("no symbol %s in this kernel, CONFIG_KALLSYMS_ALL=y and Linux 7.2 or newer are needed\n",
			       p->name);
			return -ENOENT;
		}
		if (stub_symbol_room(p->addr) < p->size) {
			pr_err("symbol %s has %lu bytes, %zu are wanted: built against another kernel\n",
			       p->name, stub_symbol_room(p->addr), p->size);
			return -ENOENT;
		}
	}
	return 0;
}

static bool stub_kvm_intel_present(void)
{
	/* vmx_vm_init: built in; __this_module: loaded as a module, in any state. */
	return stub_symbol("vmx_vm_init") || stub_symbol("kvm_intel:__this_module");
}

static bool stub_kvm_amd_present(void)
{
	return stub_symbol("svm_vm_init") || stub_symbol("kvm_amd:__this_module");
}

/* Refusals that need no more than a look at the host. */
static int stub_refuse(void)
{
	unsigned long state;

	if (!stub_symbol("tdx_get_sysinfo")) {
		pr_err("this kernel has no TDX host support, CONFIG_INTEL_TDX_HOST=y is needed (tdp_stress.ko backend=external works without it)\n");
		return -EOPNOTSUPP;
	}

	state = stub_symbol("tdx_module_state");
	if (boot_cpu_has(X86_FEATURE_TDX_HOST_PLATFORM) ||
	    (state && *(const bool *)state)) {
		pr_err("this machine has real TDX, nothing to emulate; use tdp_stress.ko alone\n");
		return -EEXIST;
	}

	if (stub_kvm_intel_present()) {
		pr_err("kvm_intel is loaded or built in; load tdx_stub first, then kvm_intel with tdx=1\n");
		return -EBUSY;
	}

	if (stub_platform.fake_vmx && stub_kvm_amd_present()) {
		pr_err("kvm_amd is loaded or built in; tdx_stub stands in for the CPU's virtualization, unload kvm_amd first\n");
		return -EBUSY;
	}

	if (stub_symbol("kprobe_ftrace_handler") & 1) {
		/* ftrace takes bit 0 of a callback for "jump, do not call". */
		pr_err("this kernel has functions at odd addresses, ftrace crashes with them; CONFIG_CC_OPTIMIZE_FOR_PERFORMANCE=y is needed\n");
		return -ENOEXEC;
	}

	if (context_tracking_enabled()) {
		/*
		 * TDH.VP.ENTER runs while RCU takes the CPU to be in the guest,
		 * where the #UD's handler may not run.
		 */
		pr_err("context tracking is on; boot without nohz_full= and CONFIG_CONTEXT_TRACKING_USER_FORCE\n");
		return -EPERM;
	}
	return 0;
}

/**
 * stub_platform_check() - find out what the host is; refuse if it is no good
 *
 * Changes nothing. Each refusal prints one line.
 *
 * Context: module init. May sleep.
 * Return: 0; -EOPNOTSUPP: no TDX host support in this kernel; -EEXIST: real
 * TDX; -EBUSY: kvm_intel (or kvm_amd) is there already; -ENOEXEC: functions at
 * odd addresses; -EPERM: context tracking; -ENOENT: a symbol is missing or of
 * another size.
 */
int stub_platform_check(void)
{
	const struct x86_virt_ops *ops;
	unsigned long max_pfn_addr;
	int ret;

	stub_platform.fake_vmx = !boot_cpu_has(X86_FEATURE_VMX);

	ret = stub_resolve_kallsyms();
	if (ret)
		return ret;
	ret = stub_refuse();
	if (ret)
		return ret;
	ret = stub_find_pokes();
	if (ret)
		return ret;

	ops = (const struct x86_virt_ops *)stub_pokes[0].addr;
	if (ops && ops->feature && ops->feature != X86_FEATURE_SVM) {
		pr_err("symbol virt_ops does not look like struct x86_virt_ops: built against another kernel\n");
		return -ENOENT;
	}

	max_pfn_addr = stub_symbol("max_pfn");
	if (!max_pfn_addr) {
		pr_err("no symbol max_pfn in this kernel, CONFIG_KALLSYMS_ALL=y is needed\n");
		return -ENOENT;
	}
	stub_platform.nr_pages = *(const unsigned long *)max_pfn_addr;
	return 0;
}

/* Without VMX there is nothing to switch on; CR4.VMXE would fault. */
static int stub_virt_nop(void)
{
	return 0;
}

static void stub_virt_emergency_nop(void)
{
}

static void stub_fill(void)
{
	new_virt_ops = (struct x86_virt_ops) {
		.feature = X86_FEATURE_VMX,
		.enable_virtualization_cpu = stub_virt_nop,
		.disable_virtualization_cpu = stub_virt_nop,
		.emergency_disable_virtualization_cpu = stub_virt_emergency_nop,
	};

	new_sysinfo = (struct tdx_sys_info) {
		.version = { .major_version = 1, .minor_version = 5 },
		.features = { .tdx_features0 = STUB_FEATURES0 },
		.td_ctrl = {
			.tdr_base_size = PAGE_SIZE,
			.tdcs_base_size = STUB_TDCS_PAGES * PAGE_SIZE,
			.tdvps_base_size = STUB_TDVPS_PAGES * PAGE_SIZE,
		},
		.td_conf = {
			.attributes_fixed0 = STUB_ATTRS_FIXED0,
			.xfam_fixed0 = STUB_XFAM_FIXED0,
			.xfam_fixed1 = STUB_XFAM_FIXED1,
			.num_cpuid_config = 1,
			.max_vcpus_per_td = stub_params.max_vcpus,
			.cpuid_config_leaves = { STUB_CPUID_CONFIG },
		},
	};
}

/**
 * stub_platform_apply() - make the host look TDX-capable
 *
 * Context: module init, kvm_intel is not there and cannot come. May sleep.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int stub_platform_apply(void)
{
	int i;

	stub_fill();

	for (i = 0; i < ARRAY_SIZE(stub_pokes); i++) {
		struct stub_poke *p = &stub_pokes[i];

		if (!p->addr)
			continue;
		memcpy(p->old, (const void *)p->addr, p->size);
		if (stub_write(p->addr, p->new, p->size)) {
			pr_err("out of memory while writing %s\n", p->name);
			stub_platform_restore();
			return -ENOMEM;
		}
		p->done = true;
	}

	/* kvm_intel's alternatives are patched from boot_cpu_data when it is loaded. */
	set_cpu_cap(&boot_cpu_data, X86_FEATURE_TDX_HOST_PLATFORM);
	/* /proc/cpuinfo */
	for_each_possible_cpu(i)
		set_cpu_cap(&cpu_data(i), X86_FEATURE_TDX_HOST_PLATFORM);
	return 0;
}

/**
 * stub_platform_restore() - take back all that stub_platform_apply() changed
 *
 * Prints a line for everything that could not be restored.
 *
 * Context: kvm_intel is gone. May sleep.
 */
void stub_platform_restore(void)
{
	int i;

	clear_bit(X86_FEATURE_TDX_HOST_PLATFORM, (unsigned long *)boot_cpu_data.x86_capability);
	for_each_possible_cpu(i)
		clear_bit(X86_FEATURE_TDX_HOST_PLATFORM,
			  (unsigned long *)cpu_data(i).x86_capability);

	for (i = ARRAY_SIZE(stub_pokes) - 1; i >= 0; i--) {
		struct stub_poke *p = &stub_pokes[i];

		if (!p->done)
			continue;
		if (memcmp((const void *)p->addr, p->new, p->size))
			pr_warn("%s was changed by someone else\n", p->name);
		if (stub_write(p->addr, p->old, p->size) ||
		    memcmp((const void *)p->addr, p->old, p->size))
			pr_err("could not restore %s\n", p->name);
		p->done = false;
	}
}
