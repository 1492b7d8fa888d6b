// SPDX-License-Identifier: GPL-2.0
/*
 * What KVM has to believe of the CPU while kvm_intel is loaded. Without VMX all
 * that kvm_intel asks about it is made up, and VMs that would really need VMX
 * are refused; with VMX only posted interrupts are added, where the CPU (Bochs)
 * has none: KVM asks for them before it offers TDX, but a TD's VMCS belongs to
 * the TDX module.
 *
 * With platform.c the only file that names symbols of kvm_intel. Works through
 * probes, because it must act between the loading of kvm_intel and its init.
 */
#include <linux/kprobes.h>
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/ptrace.h>
#include <linux/string.h>
#include <asm/vmx.h>

#include "vmx/capabilities.h"
#include "vmx/vmx.h"

/* KVM's headers come with their own */
#undef pr_fmt
#include "stub.h"

/* VMCS revision identifier of a CPU that does not exist */
#define STUB_VMCS_REVISION	0x7464

/*
 * Return to the caller of the probed function with @value, without having run
 * it: its first instruction is probed, so the return address is on top.
 */
static noinline notrace void stub_just_return(void)
{
	barrier();
}
NOKPROBE_SYMBOL(stub_just_return);

static int stub_return(struct pt_regs *regs, unsigned long value)
{
	regs_set_return_value(regs, value);
	instruction_pointer_set(regs, (unsigned long)stub_just_return);
	return 1;	/* IP was changed, do not single-step */
}

/*
 * A probe with a post handler is neither optimised into a jump nor put on
 * ftrace without IPMODIFY; both would ignore the new IP.
 */
static void stub_post(struct kprobe *p, struct pt_regs *regs, unsigned long flags)
{
}

static int stub_return_true(struct kprobe *p, struct pt_regs *regs)
{
	return stub_return(regs, true);
}

static int stub_return_0(struct kprobe *p, struct pt_regs *regs)
{
	return stub_return(regs, 0);
}

/* An ordinary VM's VMCS instructions would be #UD, and that is BUG() in KVM. */
static int stub_return_eopnotsupp(struct kprobe *p, struct pt_regs *regs)
{
	pr_err_ratelimited("this CPU has no VMX, only VMs of type KVM_X86_TDX_VM can be made\n");
	return stub_return(regs, -EOPNOTSUPP);
}

/* setup_vmcs_config(vmcs_conf, vmx_cap): what tdx_hardware_setup() insists on. */
static int stub_setup_vmcs_config(struct kprobe *p, struct pt_regs *regs)
{
	struct vmcs_config *conf = (struct vmcs_config *)regs->di;
	struct vmx_capability *cap = (struct vmx_capability *)regs->si;
	bool *nested = (bool *)stub_symbol("kvm_intel:nested");

	/* Nested VMX would read MSRs that are not there. */
	if (nested && *nested) {
		pr_info("kvm_intel: nested=0, there is no VMX to nest\n");
		*nested = false;
	}

	*conf = (struct vmcs_config) {
		.basic = VMX_BASIC_TRUE_CTLS | VMX_BASIC_INOUT |
			 (u64)X86_MEMTYPE_WB << 50 | (u64)PAGE_SIZE << 32 | STUB_VMCS_REVISION,
		.pin_based_exec_ctrl = KVM_REQUIRED_VMX_PIN_BASED_VM_EXEC_CONTROL |
				       PIN_BASED_VIRTUAL_NMIS | PIN_BASED_POSTED_INTR,
		.cpu_based_exec_ctrl = KVM_REQUIRED_VMX_CPU_BASED_VM_EXEC_CONTROL |
				       CPU_BASED_TPR_SHADOW | CPU_BASED_USE_MSR_BITMAPS |
				       CPU_BASED_NMI_WINDOW_EXITING |
				       CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		.cpu_based_2nd_exec_ctrl = SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_ENABLE_VPID |
					   SECONDARY_EXEC_UNRESTRICTED_GUEST |
					   SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |
					   SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |
					   SECONDARY_EXEC_APIC_REGISTER_VIRT |
					   SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY |
					   SECONDARY_EXEC_TSC_SCALING |
					   SECONDARY_EXEC_ENABLE_INVPCID,
		.vmexit_ctrl = KVM_REQUIRED_VMX_VM_EXIT_CONTROLS | VM_EXIT_LOAD_IA32_EFER |
			       VM_EXIT_LOAD_IA32_PAT,
		.vmentry_ctrl = KVM_REQUIRED_VMX_VM_ENTRY_CONTROLS | VM_ENTRY_LOAD_IA32_EFER |
				VM_ENTRY_LOAD_IA32_PAT,
	};
	*cap = (struct vmx_capability) {
		.ept = VMX_EPT_EXECUTE_ONLY_BIT | VMX_EPT_PAGE_WALK_4_BIT |
		       VMX_EPT_PAGE_WALK_5_BIT | VMX_EPTP_WB_BIT | VMX_EPT_2MB_PAGE_BIT |
		       VMX_EPT_1GB_PAGE_BIT | VMX_EPT_INVEPT_BIT | VMX_EPT_AD_BIT |
		       VMX_EPT_EXTENT_CONTEXT_BIT | VMX_EPT_EXTENT_GLOBAL_BIT,
		.vpid = VMX_VPID_INVVPID_BIT | VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT |
			VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT,
	};
	return stub_return(regs, 0);
}

static int stub_vmcs_config_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(struct vmcs_config **)ri->data = (struct vmcs_config *)regs->di;
	return 0;
}

/* Real VMX: what setup_vmcs_config() found, plus what APICv wants. */
static int stub_vmcs_config_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct vmcs_config *conf = *(struct vmcs_config **)ri->data;

	if (regs_return_value(regs) || conf->pin_based_exec_ctrl & PIN_BASED_POSTED_INTR)
		return 0;

	pr_info_once("kvm_intel: posted interrupts added, this CPU has none\n");
	conf->pin_based_exec_ctrl |= PIN_BASED_POSTED_INTR;
	conf->cpu_based_2nd_exec_ctrl |= SECONDARY_EXEC_APIC_REGISTER_VIRT |
					 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	return 0;
}

/*
 * Every CPU with TDX has 52 physical address bits, and KVM relies on it: it
 * bounds its walks by them, and the SHARED bit of a GPA is bit 47 or 51. On a
 * CPU with fewer (QEMU's TCG: 40) it would never zap a TD's shared memory. The
 * bits above those of memory are the KeyID's, as on a machine with TDX.
 */
#define STUB_MAXPHYADDR		52

static struct kvm_host_values *stub_kvm_host;
static u8 stub_old_maxphyaddr;

static int stub_widen_host(void)
{
	unsigned long addr = stub_symbol("kvm:kvm_host");

	if (!addr || stub_symbol_room(addr) < sizeof(*stub_kvm_host)) {
		pr_err("kvm's kvm_host is not the one tdx_stub was built for, kvm_intel is not loaded\n");
		return -ENOENT;
	}

	stub_kvm_host = (struct kvm_host_values *)addr;
	stub_old_maxphyaddr = stub_kvm_host->maxphyaddr;
	stub_kvm_host->maxphyaddr = STUB_MAXPHYADDR;
	return 0;
}

/* kvm is still there: kvm_intel, which uses it, is only about to go. */
static void stub_restore_host(void)
{
	if (stub_kvm_host)
		stub_kvm_host->maxphyaddr = stub_old_maxphyaddr;
	stub_kvm_host = NULL;
}

/**
 * struct stub_probe - one function of kvm_intel that is not run
 * @symbol: its name, with the module's
 * @handler: what happens instead
 * @instead: index of the probe that does as well where the compiler inlined
 *	     this one; its own index if there is none
 * @kp: the probe, made afresh for each load of kvm_intel
 * @on: registered
 */
struct stub_probe {
	const char *symbol;
	kprobe_pre_handler_t handler;
	int instead;
	struct kprobe kp;
	bool on;
};

static struct stub_probe stub_probes[] = {
	{ "kvm_intel:setup_vmcs_config", stub_setup_vmcs_config, 0 },
	{ "kvm_intel:vmx_check_processor_compat", stub_return_0, 1 },
	{ "kvm_intel:__kvm_is_vmx_supported", stub_return_true, 3 },
	{ "kvm_intel:kvm_is_vmx_supported", stub_return_true, 2 },
	{ "kvm_intel:vmx_vm_init", stub_return_eopnotsupp, 4 },
};

static struct kretprobe stub_krp;
static bool stub_krp_on;

static void stub_probes_off(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(stub_probes); i++) {
		if (stub_probes[i].on)
			unregister_kprobe(&stub_probes[i].kp);
		stub_probes[i].on = false;
	}

	if (stub_krp_on)
		unregister_kretprobe(&stub_krp);
	stub_krp_on = false;
}

static int stub_fake_probes_on(void)
{
	int i, ret;

	for (i = 0; i < ARRAY_SIZE(stub_probes); i++) {
		struct stub_probe *p = &stub_probes[i];

		p->kp = (struct kprobe) {
			.symbol_name = p->symbol,
			.pre_handler = p->handler,
			.post_handler = stub_post,
		};
		ret = register_kprobe(&p->kp);
		p->on = !ret;
		/* The compiler may have inlined one of a pair, not both. */
		if (ret && (ret != -ENOENT || p->instead == i ||
			    (p->instead < i && !stub_probes[p->instead].on))) {
			pr_err("%s cannot be probed (%d), kvm_intel is not loaded\n", p->symbol,
			       ret);
			return ret;
		}
	}
	return 0;
}

static int stub_real_probe_on(void)
{
	int ret;

	stub_krp = (struct kretprobe) {
		.kp.symbol_name = "kvm_intel:setup_vmcs_config",
		.entry_handler = stub_vmcs_config_entry,
		.handler = stub_vmcs_config_return,
		.data_size = sizeof(struct vmcs_config *),
	};
	ret = register_kretprobe(&stub_krp);
	stub_krp_on = !ret;
	if (ret)
		pr_err("%s cannot be probed (%d), kvm_intel is not loaded\n",
		       stub_krp.kp.symbol_name, ret);
	return ret;
}

/* The module that is coming must have the layout of our headers. */
static int stub_check_layout(void)
{
	unsigned long conf = stub_symbol("kvm_intel:vmcs_config");
	unsigned long cap = stub_symbol("kvm_intel:vmx_capability");

	if (conf && cap && stub_symbol_room(conf) >= sizeof(struct vmcs_config) &&
	    stub_symbol_room(cap) >= sizeof(struct vmx_capability))
		return 0;

	pr_err("kvm_intel's vmcs_config is not the one tdx_stub was built for, kvm_intel is not loaded\n");
	return -ENOENT;
}

static void stub_gone(void)
{
	stub_probes_off();
	stub_restore_host();
	stub_unlock_kvm_intel();
}

static int stub_coming(struct module *mod)
{
	int ret;

	ret = stub_lock_kvm_intel(mod);
	if (ret)
		return ret;

	ret = stub_check_layout();
	if (!ret)
		ret = stub_widen_host();
	if (!ret)
		ret = stub_platform.fake_vmx ? stub_fake_probes_on() : stub_real_probe_on();
	if (ret)
		stub_gone();
	return ret;
}

static int stub_module_coming(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;

	if (event != MODULE_STATE_COMING || strcmp(mod->name, "kvm_intel"))
		return NOTIFY_DONE;

	/* An error fails the load of kvm_intel. */
	return notifier_from_errno(stub_coming(mod));
}

/* Also after an init of kvm_intel that failed. */
static int stub_module_going(struct notifier_block *nb, unsigned long event, void *data)
{
	struct module *mod = data;

	if (event == MODULE_STATE_GOING && !strcmp(mod->name, "kvm_intel"))
		stub_gone();
	return NOTIFY_DONE;
}

/* After kprobes, jump labels and static calls have prepared the module's text. */
static struct notifier_block stub_coming_nb = {
	.notifier_call = stub_module_coming,
	.priority = -1,
};

/*
 * Before kprobes: it kills the probes of a module that goes, and disarms them
 * a second time when they are unregistered after that; its count of users of
 * ftrace is then wrong, and the next load of kvm_intel calls address 0.
 */
static struct notifier_block stub_going_nb = {
	.notifier_call = stub_module_going,
	.priority = 1,
};

/**
 * stub_novmx_init() - wait for kvm_intel
 *
 * Context: module init. May sleep.
 * Return: 0 or register_module_notifier()'s error.
 */
int stub_novmx_init(void)
{
	int ret;

	ret = register_module_notifier(&stub_going_nb);
	if (ret)
		return ret;
	ret = register_module_notifier(&stub_coming_nb);
	if (ret)
		unregister_module_notifier(&stub_going_nb);
	return ret;
}

/**
 * stub_novmx_exit() - wait no more
 *
 * Context: kvm_intel is not loaded. May sleep.
 */
void stub_novmx_exit(void)
{
	unregister_module_notifier(&stub_coming_nb);
	unregister_module_notifier(&stub_going_nb);
}
