// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/tdp_stress: user space hands in VMs (uapi/tdp_stress.h). Checks what it
 * is given and says what is wrong with it; what adoption means is external.c's
 * and td.c's.
 */
#define pr_fmt(fmt) "tdp_stress: " fmt

#include <linux/capability.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/static_call.h>
#include <linux/uaccess.h>

#include "../uapi/tdp_stress.h"
#include "external.h"
#include "insight.h"
#include "kvm.h"

DEFINE_STATIC_CALL_NULL(tdps_file_is_kvm, file_is_kvm);

/* The first version of each structure ends here. */
#define ADOPT_MIN_SIZE	offsetofend(struct tdp_stress_adopt_vm, shared_bit)

/*
 * A structure that begins with its size: what is longer than we know must be
 * zero, what is shorter is filled up with zeroes.
 */
static int get_args(void *to, size_t known, size_t min, const void __user *from)
{
	u32 size;
	int err;

	if (get_user(size, (const u32 __user *)from))
		return -EFAULT;
	if (size < min || size > PAGE_SIZE) {
		pr_err("ioctl: size %u is out of range, this structure has %zu bytes\n", size,
		       known);
		return -EMSGSIZE;
	}
	err = copy_struct_from_user(to, known, from, size);
	if (err == -E2BIG)
		pr_err("ioctl: the structure has %u bytes, only %zu are known, and the rest is not zero\n",
		       size, known);
	return err;
}

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

static long adopt_vm(struct tdp_stress_adopt_vm __user *uarg)
{
	struct tdp_stress_adopt_vm arg;
	struct kvm *kvm;
	int err;

	if (!TDPS_MIRROR_ROOTS) {
		pr_err("adopt: this KVM has no mirror roots to give to a VM: Linux 7.2 or newer is needed\n");
		return -EOPNOTSUPP;
	}
	err = get_args(&arg, sizeof(arg), ADOPT_MIN_SIZE, uarg);
	if (err)
		return err;
	if (arg.flags || arg.reserved) {
		pr_err("adopt: flags 0x%x and reserved 0x%x must be 0\n", arg.flags, arg.reserved);
		return -EINVAL;
	}
	CLASS(fd, f)(arg.vm_fd);
	if (fd_empty(f)) {
		pr_err("adopt: file descriptor %d is not open\n", arg.vm_fd);
		return -EBADF;
	}
	if (!static_call(tdps_file_is_kvm)(fd_file(f))) {
		pr_err("adopt: file descriptor %d is no VM of KVM's\n", arg.vm_fd);
		return -ENXIO;
	}
	/* the file keeps the VM */
	kvm = fd_file(f)->private_data;
	err = adopt(kvm);
	if (err) {
		pr_err("adopt: VM %d: %s (%d)\n", arg.vm_fd, adopt_error(err), err);
		return err;
	}
	if (put_user(gfn_to_gpa(kvm_gfn_direct_bits(kvm)), &uarg->shared_bit))
		return -EFAULT;
	return 0;
}

static int device_open(struct inode *inode, struct file *file)
{
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	switch (cmd) {
	case TDP_STRESS_ABI:
		return TDP_STRESS_ABI_VERSION;
	case TDP_STRESS_ADOPT_VM:
		return adopt_vm((void __user *)arg);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations fops = {
	.owner = THIS_MODULE,
	.open = device_open,
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
 * tdps_adopt_init() - offer /dev/tdp_stress
 *
 * Context: may sleep; hooked, with either backend. Prints why it fails.
 *
 * Return: 0 or -errno.
 */
int tdps_adopt_init(void)
{
	void *is_kvm = (void *)tdps_lookup("file_is_kvm");
	int err;

	if (!is_kvm) {
		pr_err("symbol file_is_kvm not found in this kernel's KVM: no %s\n",
		       TDP_STRESS_DEVICE);
		return -ENOENT;
	}
	static_call_update(tdps_file_is_kvm, is_kvm);
	err = misc_register(&device);
	if (err)
		pr_err("cannot make %s (%d)\n", TDP_STRESS_DEVICE, err);
	registered = !err;
	return err;
}

void tdps_adopt_exit(void)
{
	if (registered)
		misc_deregister(&device);
	registered = false;
}
