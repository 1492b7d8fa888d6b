// SPDX-License-Identifier: GPL-2.0
/*
 * Leaves that change the shape of the Secure EPT: TDH.MEM.PAGE.DEMOTE and
 * PROMOTE, which split and merge pages, and TDH.MEM.SEPT.REMOVE, which takes an
 * empty table away. A TDX 1.5 module without dynamic PAMT: no PAMT pages come
 * with a DEMOTE or go with a PROMOTE. No L2 VMs, so no other S-EPT to follow.
 */
#include "internal.h"

/*
 * Once the TD can run, what is taken apart must be out of everybody's reach: the
 * entry blocked, and no vCPU left that has seen it otherwise. @page is the PAMT
 * entry with the epoch at which it was blocked.
 */
static u64 check_unreachable(struct tdxm_call *c, u64 entry, const struct pamt_entry *page)
{
	if (tdxm_read(&c->tdcs->op_state) != OP_STATE_RUNNABLE)
		return TDX_SUCCESS;
	if (!tdxm_sept_is_blocked(tdxm_sept_state(entry)))
		return tdxm_sept_error(c, TDX_GPA_RANGE_NOT_BLOCKED, entry, c->level);
	if (!tdxm_tlb_tracked(c->tdcs, tdxm_read(&page->bepoch)))
		return tdxm_sept_error(c, TDX_TLB_TRACKING_NOT_DONE, entry, c->level);
	return TDX_SUCCESS;
}

/* Planted: one child in 512 seems to be its neighbour (TDXM_PLANT_SPLIT). */
static void plant_split(struct tdxm_call *c, u64 table, u64 pa, enum sept_state state)
{
	u64 i = tdxm_random_next(&c->lp->random) >> 55;
	u64 *child = (u64 *)tdxm_env_va(table) + i;

	tdxm_sept_set_lying(child, pa + i * tdxm_size(c->level - 1), state,
			    c->level - 1);
	tdxm_entry_unlock(child);
}

/*
 * TDH.MEM.PAGE.DEMOTE: RCX GPA | level of the huge page, RDX TDR, R8 page for the
 * table. The children are MAPPED or PENDING, and like the table not blocked.
 */
u64 tdh_mem_page_demote(struct tdxm_call *c)
{
	u64 table = c->regs->r8, status, entry, pa;
	struct pamt_entry *page;
	enum sept_state state;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 1, c->m->cfg.max_leaf_level, LOCK_SHARED);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_MAPPED) | BIT(SEPT_BLOCKED) |
					      BIT(SEPT_PENDING) | BIT(SEPT_PENDING_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	state = tdxm_sept_unblocked(tdxm_sept_state(entry));
	pa = tdxm_sept_pa(entry);
	page = tdxm_pamt_at(c->m, pa, c->level);
	status = check_unreachable(c, entry, page);
	if (!status)
		status = tdxm_page_lock_free(c, table, 0, TDX_OPERAND_ID_R8, LOCK_PAGE);
	if (status)
		return status;
	if (!tdxm_call_lock(c, LOCK_PAGE, &page->lock, LOCK_EXCLUSIVE))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, entry, c->level);

	tdxm_sept_fill_table(table, pa, state, c->level - 1);
	if (tdxm_read(&c->m->plant) == TDXM_PLANT_SPLIT)
		plant_split(c, table, pa, state);
	tdxm_page_split(c, pa, c->level);
	tdxm_page_assign(c, table, PT_EPT, c->tdr->pa);
	tdxm_sept_set(c->entry, table, SEPT_NL_MAPPED, c->level);
	return TDX_SUCCESS;
}

/*
 * Can the pages of a table be one page? All MAPPED or all PENDING, in one piece,
 * aligned to the size they are to have. *@first gets the first entry.
 */
static u64 check_children(struct tdxm_call *c, u64 table, u64 *first)
{
	u64 *p = tdxm_env_va(table), pa, size = tdxm_size(c->level - 1);
	enum sept_state state;
	int i;

	*first = tdxm_read(&p[0]);
	state = tdxm_sept_state(*first);
	pa = tdxm_sept_pa(*first);
	if (state != SEPT_MAPPED && state != SEPT_PENDING)
		return TDX_EPT_INVALID_PROMOTE_CONDITIONS;
	if (pa & (512 * size - 1))
		return TDX_EPT_INVALID_PROMOTE_CONDITIONS;
	for (i = 0; i < 512; i++, pa += size) {
		u64 child = tdxm_read(&p[i]);

		if (child & SEPT_TDEL)
			return TDX_OPERAND_BUSY;
		if (tdxm_sept_state(child) != state || tdxm_sept_pa(child) != pa)
			return TDX_EPT_INVALID_PROMOTE_CONDITIONS;
	}
	return TDX_SUCCESS;
}

/* A table that is about to go: its page locked, nobody below it. */
static u64 lock_table(struct tdxm_call *c, u64 entry)
{
	struct pamt_entry *page = tdxm_pamt(c->m, tdxm_sept_pa(entry));

	if (!tdxm_call_lock(c, LOCK_PAGE, &page->lock, LOCK_EXCLUSIVE))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, entry, c->level);
	return check_unreachable(c, entry, page);
}

/*
 * TDH.MEM.PAGE.PROMOTE: RCX GPA | level of the table's entry, RDX TDR; RCX gets
 * the table. The huge page is MAPPED or PENDING and not blocked.
 *
 * The module has the tree locked shared. Here that is so once the TD can run:
 * before, the table need not be blocked, so that other leaves could be below it.
 */
u64 tdh_mem_page_promote(struct tdxm_call *c)
{
	u64 status, entry, first, table, pa;
	struct pamt_entry *page;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 1, c->m->cfg.max_leaf_level,
				       tdxm_read(&c->tdcs->op_state) == OP_STATE_RUNNABLE ?
				       LOCK_SHARED : LOCK_EXCLUSIVE);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_NL_MAPPED) | BIT(SEPT_NL_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	status = lock_table(c, entry);
	if (status)
		return status;
	table = tdxm_sept_pa(entry);
	status = check_children(c, table, &first);
	if (status)
		return tdxm_sept_error(c, status, entry, c->level);
	pa = tdxm_sept_pa(first);
	page = tdxm_pamt_at(c->m, pa, c->level);
	if (!tdxm_call_lock(c, LOCK_PAGE, &page->lock, LOCK_EXCLUSIVE))
		return tdxm_sept_error(c, TDX_OPERAND_BUSY, entry, c->level);

	tdxm_page_merge(c, pa, c->level);
	tdxm_sept_set(c->entry, pa, tdxm_sept_state(first), c->level);
	tdxm_page_release(c, table, 0);
	c->regs->rcx = table;
	return TDX_SUCCESS;
}

static bool table_is_free(u64 table)
{
	u64 *p = tdxm_env_va(table);
	int i;

	for (i = 0; i < 512; i++) {
		if (tdxm_sept_state(tdxm_read(&p[i])) != SEPT_FREE)
			return false;
	}
	return true;
}

/* TDH.MEM.SEPT.REMOVE: RCX GPA | level of the table's entry, RDX TDR; RCX gets the table. */
u64 tdh_mem_sept_remove(struct tdxm_call *c)
{
	struct tdxm_finding f = {
		.id = "X1", .what = "S-EPT table written to by the host",
		.leaf = c->number, .state = -1,
	};
	u64 status, entry, table;

	status = tdxm_mem_lock_td(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_SHARED,
				  ANY_INITIALIZED);
	if (!status)
		status = tdxm_sept_get(c, 1, 4, LOCK_EXCLUSIVE);
	if (!status)
		status = tdxm_sept_lock_entry(c, BIT(SEPT_NL_MAPPED) | BIT(SEPT_NL_BLOCKED));
	if (status)
		return status;
	entry = tdxm_read(c->entry);
	status = lock_table(c, entry);
	if (status)
		return status;
	table = tdxm_sept_pa(entry);
	if (!table_is_free(table))
		return tdxm_sept_error(c, TDX_EPT_PAGE_NOT_FREE, entry, c->level);

	if (!tdxm_sept_table_sane(table)) {
		f.tdr = c->tdr->pa;
		f.gpa = c->gpa;
		f.pa = table;
		f.level = c->level;
		tdxm_report(c->m, VIOLATION_X1, &f);
	}
	tdxm_sept_set(c->entry, 0, SEPT_FREE, c->level);
	tdxm_page_release(c, table, 0);
	c->regs->rcx = table;
	return TDX_SUCCESS;
}
