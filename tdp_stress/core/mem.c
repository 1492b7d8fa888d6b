// SPDX-License-Identifier: GPL-2.0
/*
 * TDH.MEM.*: leaves that change a TD's private memory, and TDH.MR.EXTEND which
 * reads it. Each reads like its row in the ABI: operands, locks, states,
 * effect, outputs.
 */
#include "internal.h"

#define ANY_INITIALIZED	(BIT(OP_STATE_INITIALIZED) | BIT(OP_STATE_RUNNABLE))

static u64 lock_td(struct tdxm_call *c, u64 tdr, u32 operand, enum tdxm_lock_mode mode,
		   u32 op_states)
{
	u64 status = tdxm_td_lock(c, tdr, operand, mode);

	return status ?: tdxm_td_state(c, op_states);
}

/* TDH.MEM.SEPT.ADD: RCX GPA | level of the entry, RDX TDR, R8 page for the table. */
u64 tdh_mem_sept_add(struct tdxm_call *c)
{
	u64 table = c->regs->r8, status;

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED, ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 1, 4, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE));
	if (!status)
		status = tdxm_page_lock_free(c, table, TDX_OPERAND_ID_R8, LOCK_PAGE);
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
	if (tdxm_page_check(c->m, pa, 0) ||
	    PAMT_TYPE(tdxm_read(&tdxm_pamt(c->m, pa)->type)) != PT_NDA)
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

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE,
			 BIT(OP_STATE_INITIALIZED));
	if (!status)
		status = tdxm_sept_get(c, 0, 0, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE));
	if (!status)
		status = tdxm_page_lock_free(c, page, TDX_OPERAND_ID_R8, LOCK_PAGE);
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
	tdxm_page_assign(c, page, PT_REG, c->tdr->pa);
	tdxm_canary_fill(c->m, page, 0);
	tdxm_sept_set(c->entry, page, SEPT_MAPPED, 0);
	return TDX_SUCCESS;
}

/* TDH.MR.EXTEND: RCX GPA of 256 bytes, RDX TDR. */
u64 tdh_mr_extend(struct tdxm_call *c)
{
	u64 gpa = c->regs->rcx, offset = gpa & (PAGE_SIZE - 1), status;

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE,
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

/* TDH.MEM.PAGE.AUG: RCX GPA | level, RDX TDR, R8 page. */
u64 tdh_mem_page_aug(struct tdxm_call *c)
{
	u64 page = c->regs->r8, status;

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED, ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, 0, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_FREE) | BIT(SEPT_REMOVED));
	if (!status)
		status = tdxm_page_lock_free(c, page, TDX_OPERAND_ID_R8, LOCK_PAGE);
	if (status)
		return status;

	tdxm_page_assign(c, page, PT_REG, c->tdr->pa);
	tdxm_canary_fill(c->m, page, 0);
	if (tdxm_read(&c->m->plant) == TDXM_PLANT_X1)
		tdxm_store_release(c->entry, SEPT_SVE | SEPT_TDEL | SEPT_PLANTED | SEPT_MT_WB |
				   (page ^ PAGE_SIZE) | (u64)SEPT_PENDING << SEPT_STATE_SHIFT);
	else
		tdxm_sept_set(c->entry, page, SEPT_PENDING, 0);
	return TDX_SUCCESS;
}

static bool is_blocked(enum sept_state state)
{
	return state == SEPT_BLOCKED || state == SEPT_PENDING_BLOCKED || state == SEPT_NL_BLOCKED;
}

/* TDH.MEM.RANGE.BLOCK: RCX GPA | level, RDX TDR. */
u64 tdh_mem_range_block(struct tdxm_call *c)
{
	static const u8 blocked[SEPT_NR_STATES] = {
		[SEPT_MAPPED] = SEPT_BLOCKED,
		[SEPT_PENDING] = SEPT_PENDING_BLOCKED,
		[SEPT_NL_MAPPED] = SEPT_NL_BLOCKED,
	};
	u64 status, entry, pa;

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED, ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, 3, LOCK_EXCLUSIVE);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_MAPPED) | BIT(SEPT_PENDING) |
					      BIT(SEPT_NL_MAPPED) | BIT(SEPT_BLOCKED) |
					      BIT(SEPT_PENDING_BLOCKED) | BIT(SEPT_NL_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	if (is_blocked(tdxm_sept_state(entry)))
		return tdxm_sept_error(c, TDX_GPA_RANGE_ALREADY_BLOCKED, entry, c->level);

	pa = tdxm_sept_pa(entry);
	tdxm_write(&tdxm_pamt(c->m, pa)->bepoch, (u32)tdxm_read(&c->tdcs->td_epoch));
	tdxm_sept_set(c->entry, pa, blocked[tdxm_sept_state(entry)], c->level);
	return TDX_SUCCESS;
}

/* TDH.MEM.TRACK: RCX TDR. No vCPU may still be inside since the epoch before. */
u64 tdh_mem_track(struct tdxm_call *c)
{
	struct tdxm_tdcs *tdcs;
	u64 status;

	status = lock_td(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED, ANY_INITIALIZED);
	if (status)
		return status;
	tdcs = c->tdcs;
	if (!tdxm_call_lock(c, LOCK_TD_EPOCH, &tdcs->epoch_lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_TD_EPOCH);
	if (tdxm_load_acquire(&tdcs->refcount[1 - (tdcs->td_epoch & 1)]))
		return TDX_PREVIOUS_TLB_EPOCH_BUSY;

	tdxm_store_release(&tdcs->td_epoch, tdcs->td_epoch + 1);
	return TDX_SUCCESS;
}

/*
 * Has every translation that existed at @bepoch gone? Epochs are compared in
 * 32 bits: 2^31 of them do not pass while a page is blocked. A concurrent
 * TDH.MEM.TRACK only makes more of it true: look again then.
 */
static bool is_tlb_tracked(struct tdxm_tdcs *tdcs, u32 bepoch)
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

static void check_page_content(struct tdxm_call *c, u64 pa, enum sept_state state)
{
	struct tdxm_finding f = {
		.id = "X1", .what = "private page written to by the host",
		.tdr = c->tdr->pa, .gpa = c->gpa, .pa = pa,
		.leaf = c->number, .level = c->level, .state = state,
	};
	u64 *word = tdxm_env_va(pa);

	if (tdxm_read(&c->m->plant) == TDXM_PLANT_CANARY && tdxm_one_in(&c->lp->random, 64))
		word[17] ^= 0xffffULL << 32;
	if (!tdxm_canary_intact(c->m, pa, 0, true))
		tdxm_report(c->m, VIOLATION_X1, &f);
}

/* TDH.MEM.PAGE.REMOVE: RCX GPA | level, RDX TDR; RCX gets the page. */
u64 tdh_mem_page_remove(struct tdxm_call *c)
{
	u32 plant = tdxm_read(&c->m->plant);
	struct pamt_entry *page;
	enum sept_state state;
	u64 status, entry, pa;

	status = lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED, ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 0, 0, LOCK_SHARED);
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
	if (c->tdcs->op_state == OP_STATE_RUNNABLE && !is_blocked(state))
		return tdxm_sept_error(c, TDX_GPA_RANGE_NOT_BLOCKED, entry, c->level);
	pa = tdxm_sept_pa(entry);
	page = tdxm_pamt(c->m, pa);
	if (!tdxm_call_lock(c, LOCK_PAGE, &page->lock, LOCK_EXCLUSIVE))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, entry, c->level);
	if (c->tdcs->op_state == OP_STATE_RUNNABLE && plant != TDXM_PLANT_L1_PRIVATE &&
	    !is_tlb_tracked(c->tdcs, tdxm_read(&page->bepoch)))
		return tdxm_sept_error(c, TDX_TLB_TRACKING_NOT_DONE, entry, c->level);

	check_page_content(c, pa, state);
	tdxm_sept_set(c->entry, 0, SEPT_FREE, c->level);
	tdxm_page_release(c, pa);
	c->regs->rcx = pa;
	return TDX_SUCCESS;
}
