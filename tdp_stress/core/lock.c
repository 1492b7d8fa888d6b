// SPDX-License-Identifier: GPL-2.0
/*
 * Try-locks as the TDX module has them: shared or exclusive, never waiting.
 * Knows when a lock can be had, not what to answer when it cannot.
 */
#include "internal.h"

/* Bit 31: exclusive; else the number of sharers. */
#define LOCKED_EXCLUSIVE	((u32)BIT(31))

/**
 * tdxm_trylock - try to take a lock
 * @lp: this processor, for the counters
 * @class: what the lock protects
 * @lock: the lock
 * @mode: LOCK_SHARED or LOCK_EXCLUSIVE
 *
 * Context: any; lock-free. Sharers that arrive together do not fail each other.
 * Return: whether the lock is taken now.
 */
bool tdxm_trylock(struct tdxm_lp *lp, enum tdxm_lock_class class, u32 *lock,
		  enum tdxm_lock_mode mode)
{
	u32 old = tdxm_read(lock), seen;
	bool taken;

	tdxm_count(&lp->lock_tries[class]);
	if (mode == LOCK_EXCLUSIVE) {
		taken = !old && !tdxm_cmpxchg(lock, 0, LOCKED_EXCLUSIVE);
	} else {
		for (taken = false; !taken && !(old & LOCKED_EXCLUSIVE); old = seen) {
			seen = tdxm_cmpxchg(lock, old, old + 1);
			taken = seen == old;
		}
	}
	if (!taken)
		tdxm_count(&lp->lock_busy[class]);
	return taken;
}

void tdxm_unlock(u32 *lock, enum tdxm_lock_mode mode)
{
	if (mode == LOCK_EXCLUSIVE)
		tdxm_store_release(lock, 0);
	else
		tdxm_fetch_add(lock, -1);
}

/**
 * tdxm_call_lock - try to take a lock for the rest of a leaf
 * @c: the call; tdxm_call_unlock_all() releases
 * @class: what the lock protects
 * @lock: the lock
 * @mode: LOCK_SHARED or LOCK_EXCLUSIVE
 *
 * Return: whether the lock is taken now.
 */
bool tdxm_call_lock(struct tdxm_call *c, enum tdxm_lock_class class, u32 *lock,
		    enum tdxm_lock_mode mode)
{
	if (!tdxm_trylock(c->lp, class, lock, mode))
		return false;
	c->held[c->nr_held].lock = lock;
	c->held[c->nr_held].mode = mode;
	c->nr_held++;
	return true;
}

/*
 * Release what the leaf took, after the delay that makes other processors meet
 * these locks (struct tdxm_config.hold_ns).
 */
void tdxm_call_unlock_all(struct tdxm_call *c)
{
	u32 hold_ns = c->m->cfg.hold_ns;

	if (hold_ns && (c->nr_held || c->entry))
		tdxm_env_delay(hold_ns);
	if (c->entry) {
		tdxm_entry_unlock(c->entry);
		c->entry = NULL;
	}
	while (c->nr_held) {
		c->nr_held--;
		tdxm_unlock(c->held[c->nr_held].lock, c->held[c->nr_held].mode);
	}
}

/*
 * The host's side of an S-EPT entry's lock. A host that does not get it leaves
 * TDHP behind, so that the guest cannot win for ever; whoever of the host gets
 * it next takes TDHP away.
 */
bool tdxm_entry_lock_host(struct tdxm_call *c, u64 *entry)
{
	u64 old = tdxm_read(entry), seen;

	tdxm_count(&c->lp->lock_tries[LOCK_SEPT_ENTRY]);
	while (!(old & SEPT_TDEL)) {
		seen = tdxm_cmpxchg(entry, old, (old | SEPT_TDEL) & ~SEPT_TDHP);
		if (seen == old) {
			c->entry = entry;
			return true;
		}
		old = seen;
	}
	tdxm_fetch_or(entry, SEPT_TDHP);
	tdxm_count(&c->lp->lock_busy[LOCK_SEPT_ENTRY]);
	return false;
}

/* The guest's side: TDX_SUCCESS, OPERAND_BUSY or OPERAND_BUSY_HOST_PRIORITY. */
u64 tdxm_entry_lock_guest(struct tdxm_lp *lp, u64 *entry)
{
	u64 old = tdxm_read(entry), seen;

	tdxm_count(&lp->lock_tries[LOCK_SEPT_ENTRY]);
	while (!(old & (SEPT_TDEL | SEPT_TDHP))) {
		seen = tdxm_cmpxchg(entry, old, old | SEPT_TDEL);
		if (seen == old)
			return TDX_SUCCESS;
		old = seen;
	}
	tdxm_count(&lp->lock_busy[LOCK_SEPT_ENTRY]);
	return old & SEPT_TDHP ? TDX_OPERAND_BUSY_HOST_PRIORITY : TDX_OPERAND_BUSY;
}

void tdxm_entry_unlock(u64 *entry)
{
	tdxm_fetch_andnot(entry, SEPT_TDEL);
}
