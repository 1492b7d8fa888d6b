/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/tdp_stress: what user space asks of tdp_stress.ko. Needs CAP_SYS_ADMIN.
 *
 * Every command but TDP_STRESS_ABI takes a structure that begins with its own
 * size, so that both sides may grow it: fields that the kernel does not know
 * have to be zero, fields that the caller does not know are zero.
 */
#ifndef _UAPI_TDP_STRESS_H
#define _UAPI_TDP_STRESS_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define TDP_STRESS_DEVICE	"/dev/tdp_stress"
#define TDP_STRESS_MAGIC	0xE7

/* Changes only if a command changes its meaning. */
#define TDP_STRESS_ABI_VERSION	1

enum {
	TDP_STRESS_CMD_ABI = 0,
	TDP_STRESS_CMD_ADOPT_VM = 1,
};

/**
 * TDP_STRESS_ABI - which ABI is this?
 *
 * Returns TDP_STRESS_ABI_VERSION. No argument.
 */
#define TDP_STRESS_ABI		_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_ABI)

/**
 * struct tdp_stress_adopt_vm - ioctl(TDP_STRESS_ADOPT_VM)
 * @size: sizeof(struct tdp_stress_adopt_vm)
 * @flags: must be 0
 * @vm_fd: a VM of KVM_CREATE_VM's, of type 0, that has neither vCPUs nor memslots
 * @reserved: must be 0
 * @shared_bit: out: the guest physical address bit that makes an address shared
 *
 * Gives the VM mirror roots: private memory (guest_memfd and
 * KVM_MEMORY_ATTRIBUTE_PRIVATE) is then mapped in a mirror page table, whose
 * external page tables an emulated TDX module keeps. KVM_PRE_FAULT_MEMORY is the
 * way to map private memory: the guest of such a VM runs on shared memory only.
 *
 * The VM stays what it is until it is destroyed. tdp_stress.ko cannot be unloaded
 * until then.
 *
 * Returns 0, or -1 with errno, and one line in the kernel log that says why:
 * EPERM (no CAP_SYS_ADMIN), EFAULT, EMSGSIZE (@size is too small), E2BIG (@size is
 * larger than known, and the rest is not zero), EINVAL (@flags or @reserved),
 * EBADF (@vm_fd is not open), ENXIO (it is no VM of KVM's), EPROTOTYPE (a VM of
 * another type, or a dead one), EBUSY (it has vCPUs or memslots), EEXIST (adopted
 * before), EOPNOTSUPP (tdp_stress.ko runs with backend=tdx), ENOSPC (too many
 * such VMs), ENOMEM, EIO (the emulated TDX module refused).
 */
struct tdp_stress_adopt_vm {
	__u32 size;
	__u32 flags;
	__s32 vm_fd;
	__u32 reserved;
	__u64 shared_bit;
};

#define TDP_STRESS_ADOPT_VM	_IO(TDP_STRESS_MAGIC, TDP_STRESS_CMD_ADOPT_VM)

#endif
