// SPDX-License-Identifier: GPL-2.0
/*
 * TDH.MEM.*: leaves that change a TD's private memory, and TDH.MR.EXTEND which
 * reads it. Each reads like its row in the ABI: operands, locks, states,
 * effect, outputs.
 */
#include "internal.h"

/**
 * tdxm_mem_lock_td - lock a TD and check its state, as most TDH.MEM leaves begin
 * @c: the call
 * @tdr: TDR page, an operand
 * @operand: its operand id
 * @mode: how to lock it
 * @op_states: allowed operation states, bits BIT(enum td_op_state)
 *
 * Return: TDX_SUCCESS with c->tdr and c->tdcs set, or what tdxm_td_lock() and
 * tdxm_td_state() say.
 */
u64 tdxm_mem_lock_td(struct tdxm_call *c, u64 tdr, u32 operand, enum tdxm_lock_mode mode,
		     u32 op_states)
{
	u64 status = tdxm_td_lock(c, tdr, operand, mode);

	return status ?: tdxm_td_state(c, op_states);
}

/* TDH.MEM.SEPT.ADD: RCX GPA | level of the entry, RDX TDR, R8 page for the table. */
u64 tdh_mem_sept_add(struct tdxm_call *c)
{
	u64 table = c->regs->r8, status;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 1, 4, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE));
	if (!status)
		status = tdxm_page_lock_free(c, table, 0, TDX_OPERAND_ID_R8, LOCK_PAGE);
	if (status)
		return status;

	tdxm_page_assign(c, table, PT_EPT, c->tdr->pa);
	tdxm_sept_init_table(table);
	tdxm_sept_set(c->entry, table, SEPT_NL_MAPPED, c->level);
	return TDX_SUCCESS;
}

/* A page of initial memory: readable, and no TD's. */
static u64 check_source(struct tdxm_call *c, u64 pa)
{
	if (tdxm_page_check(c->m, pa, 0) || tdxm_page_type(c->m, pa) != PT_NDA)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_R9);
	return TDX_SUCCESS;
}

static void measure(struct tdxm_tdcs *tdcs, const u64 *p, size_t words)
{
	u64 hash = tdcs->measurement;

	while (words--)
		hash = (hash ^ *p++) * 0x100000001b3ULL;
	tdcs->measurement = hash;
}

/* TDH.MEM.PAGE.ADD: RCX GPA, RDX TDR, R8 page, R9 page with the content. */
u64 tdh_mem_page_add(struct tdxm_call *c)
{
	u64 page = c->regs->r8, source = c->regs->r9, status;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE,
				  BIT(OP_STATE_INITIALIZED));
	if (!status)
		status = tdxm_sept_get(c, 0, 0, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE));
	if (!status)
		status = tdxm_page_lock_free(c, page, 0, TDX_OPERAND_ID_R8, LOCK_PAGE);
	if (!status)
		status = check_source(c, source);
	if (status)
		return status;

	/*
	 * The content ends up in the measurement only: what the host can see of
	 * a private page is ciphertext, for which the canary stands.
	 */
	measure(c->tdcs, &c->gpa, 1);
	measure(c->tdcs, tdxm_env_va(source), PAGE_SIZE / sizeof(u64));
	tdxm_page_assign_private(c, page, 0);
	tdxm_sept_set(c->entry, page, SEPT_MAPPED, 0);
	return TDX_SUCCESS;
}

/* TDH.MR.EXTEND: RCX GPA of 256 bytes, RDX TDR. */
u64 tdh_mr_extend(struct tdxm_call *c)
{
	u64 gpa = c->regs->rcx, offset = gpa & (PAGE_SIZE - 1), status;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE,
				  BIT(OP_STATE_INITIALIZED));
	if (status)
		return status;
	if (offset & 0xff)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	c->regs->rcx = gpa - offset;
	status = tdxm_sept_get(c, 0, 0, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_MAPPED));
	if (status)
		return status;

	measure(c->tdcs, &gpa, 1);
	return TDX_SUCCESS;
}

/* TDH.MEM.PAGE.AUG: RCX GPA | level, RDX TDR, R8 page of that size. */
u64 tdh_mem_page_aug(struct tdxm_call *c)
{
	u64 page = c->regs->r8, status;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, c->m->cfg.max_leaf_level, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE) | BIT(SEPT_REMOVED));
	if (!status)
		status = tdxm_page_lock_free(c, page, c->level, TDX_OPERAND_ID_R8, LOCK_PAGE);
	if (status)
		return status;

	tdxm_page_assign_private(c, page, c->level);
	if (tdxm_read(&c->m->plant) == TDXM_PLANT_X1)
		tdxm_sept_set_lying(c->entry, page, SEPT_PENDING, c->level);
	else
		tdxm_sept_set(c->entry, page, SEPT_PENDING, c->level);
	return TDX_SUCCESS;
}

/* PAMT entry of the page that an entry maps, or of the table that it links. */
static struct pamt_entry *pamt_of(struct tdxm_call *c, u64 entry)
{
	int level = tdxm_sept_is_leaf(tdxm_sept_state(entry)) ? c->level : 0;

	return tdxm_pamt_at(c->m, tdxm_sept_pa(entry), level);
}

/* TDH.MEM.RANGE.BLOCK: RCX GPA | level, RDX TDR. */
u64 tdh_mem_range_block(struct tdxm_call *c)
{
	static const u8 blocked[SEPT_NR_STATES] = {
		[SEPT_MAPPED] = SEPT_BLOCKED,
		[SEPT_PENDING] = SEPT_PENDING_BLOCKED,
		[SEPT_NL_MAPPED] = SEPT_NL_BLOCKED,
	};
	u64 status, entry, epoch;
	enum sept_state state;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, 3, LOCK_EXCLUSIVE);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_MAPPED) | BIT(SEPT_PENDING) |
					      BIT(SEPT_NL_MAPPED) | BIT(SEPT_BLOCKED) |
					      BIT(SEPT_PENDING_BLOCKED) | BIT(SEPT_NL_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	state = tdxm_sept_state(entry);
	if (tdxm_sept_is_blocked(state))
		return tdxm_sept_error(c, TDX_GPA_RANGE_ALREADY_BLOCKED, entry, c->level);

	/*
	 * Block first, then look at the epoch, with a full barrier in between: a
	 * vCPU that could still read the entry as it was is in this epoch or an
	 * older one, even where another processor is tracking just now.
	 */
	tdxm_sept_set(c->entry, tdxm_sept_pa(entry), blocked[state], c->level);
	epoch = tdxm_fetch_add(&c->tdcs->td_epoch, 0);
	tdxm_write(&pamt_of(c, entry)->bepoch, (u32)epoch);
	return TDX_SUCCESS;
}

/* TDH.MEM.RANGE.UNBLOCK: RCX GPA | level, RDX TDR; what is blocked must be tracked. */
u64 tdh_mem_range_unblock(struct tdxm_call *c)
{
	enum sept_state state;
	u64 status, entry;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, 3, LOCK_EXCLUSIVE);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_BLOCKED) | BIT(SEPT_PENDING_BLOCKED) |
					      BIT(SEPT_NL_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	state = tdxm_sept_state(entry);
	if (c->tdcs->op_state == OP_STATE_RUNNABLE &&
	    !tdxm_tlb_tracked(c->tdcs, tdxm_read(&pamt_of(c, entry)->bepoch)))
		return tdxm_sept_error(c, TDX_TLB_TRACKING_NOT_DONE, entry, c->level);

	tdxm_sept_set(c->entry, tdxm_sept_pa(entry), tdxm_sept_unblocked(state), c->level);
	return TDX_SUCCESS;
}

/* TDH.MEM.TRACK: RCX TDR. No vCPU may still be inside since the epoch before. */
u64 tdh_mem_track(struct tdxm_call *c)
{
	struct tdxm_tdcs *tdcs;
	u64 status, epoch;

	status = tdxm_mem_lock_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (status)
		return status;
	tdcs = c->tdcs;
	if (!tdxm_call_lock(c, LOCK_TD_EPOCH, &tdcs->epoch_lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_TD_EPOCH);
	epoch = tdxm_read(&tdcs->td_epoch);
	if (tdxm_load_acquire(&tdcs->refcount[1 - (epoch & 1)]))
		return TDX_PREVIOUS_TLB_EPOCH_BUSY;

	tdxm_store_release(&tdcs->td_epoch, epoch + 1);
	return TDX_SUCCESS;
}

/**
 * tdxm_tlb_tracked - has every translation that existed at an epoch gone?
 * @tdcs: the TD
 * @bepoch: the epoch at which a range was blocked, low 32 bits
 *
 * Epochs are compared in 32 bits: 2^31 of them do not pass while a page is
 * blocked. A concurrent TDH.MEM.TRACK only makes more of it true: look again then.
 *
 * Return: whether nobody can have such a translation any more.
 */
bool tdxm_tlb_tracked(struct tdxm_tdcs *tdcs, u32 bepoch)
{
	u64 epoch;
	bool tracked;

	do {
		u32 passed;

		epoch = tdxm_load_acquire(&tdcs->td_epoch);
		passed = (u32)epoch - bepoch;
		tracked = passed > 1 ||
			  (passed == 1 && !tdxm_load_acquire(&tdcs->refcount[bepoch & 1]));
	} while (epoch != tdxm_load_acquire(&tdcs->td_epoch));
	return tracked;
}

/* Has the host left the page alone? Of a huge one the first 4K page is looked at, too. */
static void check_page_content(struct tdxm_call *c, u64 pa, enum sept_state state)
{
	struct tdxm_finding f = {
		.id = "X1", .what = "private page written to by the host",
		.tdr = c->tdr->pa, .gpa = c->gpa,
		.leaf = c->number, .level = c->level, .state = state,
	};
	u64 *word = tdxm_env_va(pa);

	if (tdxm_read(&c->m->plant) == TDXM_PLANT_CANARY && tdxm_one_in(&c->lp->random, 64))
		word[17] ^= 0xffffULL << 32;
	f.pa = tdxm_page_damage(c->m, pa, c->level);
	if (f.pa != ~0ULL)
		tdxm_report(c->m, VIOLATION_X1, &f);
}

/* TDH.MEM.PAGE.REMOVE: RCX GPA | level, RDX TDR; RCX gets the page. */
u64 tdh_mem_page_remove(struct tdxm_call *c)
{
	u32 plant = tdxm_read(&c->m->plant);
	struct pamt_entry *page;
	enum sept_state state;
	u64 status, entry, pa;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, c->m->cfg.max_leaf_level, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_MAPPED) | BIT(SEPT_BLOCKED) |
					      BIT(SEPT_PENDING) | BIT(SEPT_PENDING_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	state = tdxm_sept_state(entry);
	if (plant == TDXM_PLANT_X3 && tdxm_one_in(&c->lp->random, 64))
		return tdxm_sept_error(c, TDX_EPT_ENTRY_STATE_INCORRECT, entry, c->level);
	/* Before it is finalized a TD cannot run, so it has no TLB to be tracked. */
	if (c->tdcs->op_state == OP_STATE_RUNNABLE && !tdxm_sept_is_blocked(state))
		return tdxm_sept_error(c, TDX_GPA_RANGE_NOT_BLOCKED, entry, c->level);
	pa = tdxm_sept_pa(entry);
	page = tdxm_pamt_at(c->m, pa, c->level);
	if (!tdxm_call_lock(c, LOCK_PAGE, &page->lock, LOCK_EXCLUSIVE))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, entry, c->level);
	if (c->tdcs->op_state == OP_STATE_RUNNABLE && plant != TDXM_PLANT_L1_PRIVATE &&
	    !tdxm_tlb_tracked(c->tdcs, tdxm_read(&page->bepoch)))
		return tdxm_sept_error(c, TDX_TLB_TRACKING_NOT_DONE, entry, c->level);

	check_page_content(c, pa, state);
	tdxm_sept_set(c->entry, 0, SEPT_FREE, c->level);
	tdxm_page_release(c, pa, c->level);
	c->regs->rcx = pa;
	return TDX_SUCCESS;
}
