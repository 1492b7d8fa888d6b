// SPDX-License-Identifier: GPL-2.0
/*
 * Statuses on demand: which call of which leaf fails without a reason. Keeps
 * what the host relies on: of two leaves with LEAF_RETRIED_ONCE in a row on a TD at
 * most the first is BUSY or interrupted by injection.
 */
#include "internal.h"

/* The host calls the leaf again, and may count on more luck. */
static bool is_retried(u64 status)
{
	u64 class = status & TDX_SEAMCALL_STATUS_MASK;

	return class == TDX_OPERAND_BUSY || class == TDX_INTERRUPTED_RESTARTABLE;
}

/* The TDR operand of a leaf that KVM retries once; registers change meanwhile. */
u64 tdxm_retried_tdr(const struct tdxm_call *c)
{
	return c->leaf->flags & LEAF_TDR_RDX ? c->regs->rdx : c->regs->rcx;
}

static struct tdxm_tdcs *retried_tdcs(struct tdxm_call *c, u64 pa)
{
	struct tdxm_tdr *tdr;

	if (!(c->leaf->flags & LEAF_RETRIED_ONCE))
		return NULL;
	tdr = tdxm_td_peek(c->m, pa);
	return tdr && tdr->tdcx[0] ? tdxm_env_va(tdr->tdcx[0]) : NULL;
}

/* Does the rule apply to this call? Each call is looked at once. */
static bool rule_fires(struct tdxm_call *c, struct inject_rule *rule, u32 mode)
{
	u32 value = tdxm_read(&rule->value);
	u64 left;

	switch (mode) {
	case TDXM_INJECT_RANDOM:
		return tdxm_one_in(&c->lp->random, value);
	case TDXM_INJECT_NTH:
		return (tdxm_fetch_add(&rule->counter, 1) + 1) % value == 0;
	case TDXM_INJECT_BURST:
		left = tdxm_read(&rule->counter);
		while (left) {
			u64 seen = tdxm_cmpxchg(&rule->counter, left, left - 1);

			if (seen == left)
				return true;
			left = seen;
		}
		return false;
	case TDXM_INJECT_ONCE:
		return tdxm_fetch_add(&rule->counter, 1) + 1 == value;
	default:
		return false;
	}
}

static bool count_rule(struct tdxm_call *c, struct inject_rule *rule, u32 mode)
{
	bool fires = rule_fires(c, rule, mode);

	tdxm_fetch_add(&rule->calls, 1);
	if (fires)
		tdxm_fetch_add(&rule->fired, 1);
	return fires;
}

/**
 * tdxm_inject_check - is this call to fail by injection?
 * @c: the call, nothing is locked yet
 *
 * Return: the status, or TDX_SUCCESS: execute the leaf.
 */
u64 tdxm_inject_check(struct tdxm_call *c)
{
	struct inject_rule *rule = &c->m->inject[c->number];
	u32 mode = tdxm_load_acquire(&rule->mode), one_in = tdxm_read(&c->m->busy_one_in);
	u64 rule_status = tdxm_read(&rule->status), status = TDX_SUCCESS;
	struct tdxm_tdcs *tdcs;
	bool owed;

	if (!mode && !one_in)
		return TDX_SUCCESS;
	tdcs = retried_tdcs(c, tdxm_retried_tdr(c));
	owed = tdcs && tdxm_read(&tdcs->busy_owed);

	if (mode && !(owed && is_retried(rule_status)) && count_rule(c, rule, mode))
		status = rule_status;
	else if (one_in && !owed && c->leaf->flags & (LEAF_KVM_RETRIES | LEAF_RETRIED_ONCE) &&
		 tdxm_one_in(&c->lp->random, one_in))
		status = c->leaf->flags & LEAF_INTERRUPTIBLE && tdxm_one_in(&c->lp->random, 2) ?
			 TDX_INTERRUPTED_RESTARTABLE : TDX_OPERAND_BUSY;
	if (status == TDX_OPERAND_BUSY)
		status |= c->leaf->busy_operand;
	return status;
}

/*
 * Remember how a leaf went that is retried once: after a BUSY the next one is the
 * retry; after another failure of one that gives back a page KVM and the S-EPT
 * disagree about that page.
 */
void tdxm_inject_note(struct tdxm_call *c, u64 tdr, u64 status)
{
	struct tdxm_tdcs *tdcs = retried_tdcs(c, tdr);

	if (!tdcs)
		return;
	tdxm_write(&tdcs->busy_owed, is_retried(status));
	if (status && !is_retried(status) && c->leaf->flags & LEAF_GIVES_BACK)
		tdxm_write(&tdcs->distrust, 1);
}

/**
 * tdxm_inject - set the injection rule of a leaf
 * @m: the module
 * @leaf: its number
 * @status: status to return; for TDX_OPERAND_BUSY the operand id is added
 * @mode: when
 * @value: see enum tdxm_inject_mode; ignored for TDXM_INJECT_OFF
 *
 * Context: any; calls in flight see the old rule or the new one.
 * Return: 0; -EINVAL for an unknown leaf, mode or value, a zero status or a leaf
 * that must always work (RDMD); -EPERM if a leaf that is retried once were to be
 * BUSY or interrupted several times in a row.
 */
int tdxm_inject(struct tdxm *m, u32 leaf, u64 status, enum tdxm_inject_mode mode, u32 value)
{
	const struct tdxm_leaf *l = tdxm_leaf(leaf);
	struct inject_rule *rule;

	if (!l || l->flags & LEAF_NO_LOCK || (u32)mode > TDXM_INJECT_COUNT)
		return -EINVAL;
	if (mode != TDXM_INJECT_OFF && mode != TDXM_INJECT_COUNT && (!status || !value))
		return -EINVAL;
	if (mode == TDXM_INJECT_BURST && value > 1 && is_retried(status) &&
	    l->flags & LEAF_RETRIED_ONCE)
		return -EPERM;

	rule = &m->inject[leaf];
	tdxm_store_release(&rule->mode, TDXM_INJECT_OFF);
	tdxm_write(&rule->status, status);
	tdxm_write(&rule->value, value);
	tdxm_write(&rule->counter, mode == TDXM_INJECT_BURST ? value : 0);
	tdxm_write(&rule->calls, 0);
	tdxm_write(&rule->fired, 0);
	tdxm_store_release(&rule->mode, mode);
	return 0;
}

/**
 * tdxm_inject_seen - what a leaf's rule has come to since it was set
 * @m: the module
 * @leaf: its number
 * @calls: out: calls that could have failed by it
 * @fired: out: calls that did
 *
 * Return: 0; -EINVAL for a leaf that can have no rule.
 */
int tdxm_inject_seen(struct tdxm *m, u32 leaf, u64 *calls, u64 *fired)
{
	const struct tdxm_leaf *l = tdxm_leaf(leaf);

	if (!l || l->flags & LEAF_NO_LOCK)
		return -EINVAL;
	*calls = tdxm_read(&m->inject[leaf].calls);
	*fired = tdxm_read(&m->inject[leaf].fired);
	return 0;
}

/**
 * tdxm_inject_busy - let leaves be BUSY now and then
 * @m: the module
 * @one_in: one call in so many, 2 or more; 0: off
 *
 * Return: 0, or -EINVAL for 1, with which nothing would ever succeed.
 */
int tdxm_inject_busy(struct tdxm *m, u32 one_in)
{
	if (one_in == 1)
		return -EINVAL;
	tdxm_write(&m->busy_one_in, one_in);
	return 0;
}

/**
 * tdxm_plant - misbehave on purpose, from now on
 * @m: the module
 * @plant: how; TDXM_PLANT_NONE: behave
 */
void tdxm_plant(struct tdxm *m, enum tdxm_plant plant)
{
	tdxm_write(&m->plant, (u32)plant);
}
