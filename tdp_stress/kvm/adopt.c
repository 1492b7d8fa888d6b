// SPDX-License-Identifier: GPL-2.0
/*
 * TDP_STRESS_ADOPT_VM: says what is wrong with a VM that is to be adopted. What
 * adoption means is external.c's and td.c's.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include "kvm.h"
#include "user_vm.h"

static const char *adopt_error(int err)
{
	switch (err) {
	case -EPROTOTYPE:
		return "only live VMs of type 0 (KVM_X86_DEFAULT_VM) can be adopted";
	case -EBUSY:
		return "it has vCPUs or memslots: adopt it right after KVM_CREATE_VM";
	case -EEXIST:
		return "it was adopted before";
	case -EOPNOTSUPP:
		return "this module runs with backend=tdx: only backend=external adopts VMs";
	case -ENOSPC:
		return "too many VMs are adopted";
	case -ENOMEM:
		return "out of memory";
	default:
		return "the emulated TDX module refused";
	}
}

static int adopt(struct kvm *kvm)
{
	int err = tdps_external_adopt(kvm);

	if (err)
		return err;
	/* user space decides how long it lives: the module stays as long */
	tdps_external_pin_module(kvm);
	return tdps_external_finalize(kvm);
}

/**
 * tdps_user_adopt() - give a VM mirror roots
 * @u: the open file
 * @arg: struct tdp_stress_adopt_vm
 *
 * Context: may sleep.
 *
 * Return: 0 or -errno, the reason printed.
 */
long tdps_user_adopt(struct tdps_user *u, void *arg)
{
	struct tdp_stress_adopt_vm *a = arg;
	struct file *file;
	struct kvm *kvm;
	int err;

	if (a->flags || a->reserved) {
		tdps_user_err("adopt: flags 0x%x and reserved 0x%x must be 0", a->flags,
			      a->reserved);
		return -EINVAL;
	}
	if (!TDPS_MIRROR_ROOTS) {
		tdps_user_err("adopt: this KVM has no mirror roots to give to a VM: Linux 7.2 or newer is needed");
		return -EOPNOTSUPP;
	}
	file = user_get_kvm(a->vm_fd, &kvm);
	if (IS_ERR(file))
		return PTR_ERR(file);
	err = adopt(kvm);
	if (err)
		tdps_user_err("adopt: VM %d: %s (%d)", a->vm_fd, adopt_error(err), err);
	else
		a->shared_bit = gfn_to_gpa(kvm_gfn_direct_bits(kvm));
	fput(file);
	return err;
}
