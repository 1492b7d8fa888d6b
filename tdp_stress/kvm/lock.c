// SPDX-License-Identifier: GPL-2.0
/*
 * How the current thread holds a VM's mmu_lock.
 */
#include <linux/kvm_host.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

#include "lock.h"

/**
 * tdps_lockdep_of() - how does the current thread hold mmu_lock, by lockdep?
 * @kvm: VM
 *
 * Context: any.
 *
 * Return: enum tdps_lock; TDPS_LOCK_UNKNOWN: there is no lockdep, or it has switched
 * itself off.
 */
enum tdps_lock tdps_lockdep_of(struct kvm *kvm)
{
#ifdef CONFIG_LOCKDEP
	int held = lockdep_is_held_type(&kvm->mmu_lock, 0);

	if (held == LOCK_STATE_HELD)
		return TDPS_LOCK_WRITE;
	if (held == LOCK_STATE_NOT_HELD)
		return lockdep_is_held_type(&kvm->mmu_lock, 1) == LOCK_STATE_HELD ?
		       TDPS_LOCK_READ : TDPS_LOCK_NONE;
#endif
	return TDPS_LOCK_UNKNOWN;
}

/**
 * tdps_lock_of() - how does the current thread hold mmu_lock?
 * @kvm: VM
 *
 * Lockdep knows. Without it the lock's own state has to do: it tells how the
 * lock is held by somebody, which is this thread wherever KVM's rules are kept,
 * and a reader who should be a writer is still found.
 *
 * Context: any.
 *
 * Return: enum tdps_lock.
 */
enum tdps_lock tdps_lock_of(struct kvm *kvm)
{
	enum tdps_lock lock = tdps_lockdep_of(kvm);

#if defined(CONFIG_QUEUED_RWLOCKS) && !defined(CONFIG_PREEMPT_RT)
	if (lock == TDPS_LOCK_UNKNOWN) {
		int cnts = atomic_read(&kvm->mmu_lock.raw_lock.cnts);

		if ((cnts & _QW_LOCKED) == _QW_LOCKED)
			return TDPS_LOCK_WRITE;
		return cnts >> _QR_SHIFT ? TDPS_LOCK_READ : TDPS_LOCK_NONE;
	}
#endif
	return lock;
}
