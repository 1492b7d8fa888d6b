/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside the QEMU home: its VM and what its files share. The live suite uses it,
 * too: what that does no other home can.
 */
#ifndef TDP_STRESS_KUNIT_QEMU_VM_H
#define TDP_STRESS_KUNIT_QEMU_VM_H

#include <linux/fs.h>
#include <linux/types.h>

#include "../bed/bed.h"

/**
 * struct bed_home - the QEMU home's part of a bed
 * @file: the VM's file
 * @vcpu_file: files of its vCPUs
 * @mm: the address space of the test, which KVM maps from
 * @scratch: user memory for arguments of ioctls
 * @gmem: guest_memfd of the live suite's memslot, or NULL
 * @left: what KVM still had at the VM's very end
 * @ended: KVM has destroyed the VM, @left is filled in
 */
struct bed_home {
	struct file *file;
	struct file *vcpu_file[BED_VCPUS];
	struct mm_struct *mm;
	unsigned long scratch;
	struct file *gmem;
	struct home_left left;
	bool ended;
};

/* files.c: ioctls from inside the kernel; user memory at @h->scratch. */
#define HOME_SCRATCH	(64 << 10)

struct file *home_take_file(long fd);
long home_ioctl(struct bed_home *h, struct file *file, unsigned int cmd, void *arg, size_t len,
		bool back);
struct file *home_make_vm(void);

/* The test's address space is new: nothing is there. 1G-aligned. */
#define HOME_FRAMES_HVA	BIT(40)

/* frames.c: page frames that are no memory, and user memory that is made of them. */
int home_frames_open(void);
void home_frames_close(void);
kvm_pfn_t home_frames_first(void);
unsigned long home_frames_map(void);
void home_frames_unmap(void);

/* vcpu.c: of a vCPU that is not entered; home_put() after home_get(), whatever that says. */
int home_get(struct kvm_vcpu *v);
void home_put(struct kvm_vcpu *v);

/* hooks.c: KVM's calls out. */
void home_hooks_open(void);
void home_hooks_close(void);
/* The bed whose VM this is: what its end is told. NULL: no longer interested. */
void home_watch_end(struct kvm *kvm, struct bed_home *h);
struct kvm *home_watched(void);

/* points.c: probes in the middle of KVM. */
void home_points_open(void);
void home_points_reset(void);
void home_points_close(void);
/* pause.S calls the other one. */
void home_pause(void);
asmlinkage void home_wait_owner(void);

#endif
