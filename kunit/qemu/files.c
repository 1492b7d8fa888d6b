// SPDX-License-Identifier: GPL-2.0
/*
 * KVM's file operations from inside the kernel, in a test's thread: it has an
 * address space, from kunit_attach_mm(), and no file system, so that /dev/kvm is
 * not opened but its operations are called.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kvm.h>
#include <linux/uaccess.h>

#include "../../tdp_stress/kvm/insight.h"
#include "vm.h"

/**
 * home_take_file() - the file behind an fd that an ioctl has returned
 * @fd: fd, or -errno; given up
 *
 * Return: the file, to be put by __fput_sync(), or ERR_PTR().
 */
struct file *home_take_file(long fd)
{
	struct file *file;

	if (fd < 0)
		return ERR_PTR(fd);
	file = fget(fd);
	close_fd(fd);
	return file ?: ERR_PTR(-EBADF);
}

/**
 * home_ioctl() - an ioctl with an argument in memory
 * @h: home, for its scratch memory; one thread at a time
 * @file: file of KVM's
 * @cmd: ioctl
 * @arg: argument
 * @len: its size
 * @back: read @arg back
 *
 * Context: may sleep; a thread with the test's address space.
 *
 * Return: the ioctl's.
 */
long home_ioctl(struct bed_home *h, struct file *file, unsigned int cmd, void *arg, size_t len,
		bool back)
{
	void __user *user = (void __user *)h->scratch;
	long ret;

	if (len > HOME_SCRATCH || copy_to_user(user, arg, len))
		return -EFAULT;
	ret = file->f_op->unlocked_ioctl(file, cmd, h->scratch);
	if (back && ret >= 0 && copy_from_user(arg, user, len))
		return -EFAULT;
	return ret;
}

/**
 * home_make_vm() - a VM, as by KVM_CREATE_VM on /dev/kvm
 *
 * KVM does not look at the file there. The operations are called by the pointer
 * that KVM has stored to be called.
 *
 * Context: may sleep; a thread with the test's address space.
 *
 * Return: the VM's file, or ERR_PTR().
 */
struct file *home_make_vm(void)
{
	const struct file_operations *fops;

	fops = (const struct file_operations *)tdps_lookup("kvm_chardev_ops");
	if (!fops)
		return ERR_PTR(-ENOENT);
	return home_take_file(fops->unlocked_ioctl(NULL, KVM_CREATE_VM, KVM_X86_DEFAULT_VM));
}
