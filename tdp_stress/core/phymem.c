// SPDX-License-Identifier: GPL-2.0
/*
 * TDH.PHYMEM.*: how the host gets pages back for good, and caches. Knows what
 * each kind of page must look like when it comes back.
 */
#include "internal.h"

/* TDH.PHYMEM.PAGE.WBINVD: RCX page, any HKID in its upper bits. */
u64 tdh_phymem_page_wbinvd(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx & GENMASK_ULL(c->m->cfg.phys_bits - 1, 0), status;
	struct pamt_entry *p;
	int level;

	status = tdxm_page_check(c->m, pa, TDX_OPERAND_ID_RCX);
	if (status)
		return status;
	p = tdxm_pamt_leaf(c->m, pa, &level);
	if (!tdxm_call_lock(c, LOCK_PAGE, &p->lock, LOCK_SHARED))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_RCX);
	if (PAMT_TYPE(tdxm_read(&p->type)) != PT_NDA)
		return tdxm_status(TDX_PAGE_METADATA_INCORRECT, TDX_OPERAND_ID_RCX);
	return TDX_SUCCESS;
}

/* Where in a TDCX page of a TDCS the canary starts; TDVPS pages are all canary. */
static bool tdcx_intact(struct tdxm_call *c, u64 pa)
{
	if (pa == c->tdr->tdcx[0])
		return tdxm_canary_intact(c->m, pa, sizeof(struct tdxm_tdcs), false);
	if (pa == c->tdr->tdcx[TDCS_PAGE_ROOT])
		return tdxm_sept_table_sane(pa);
	return tdxm_canary_intact(c->m, pa, 0, false);
}

static void forget_tdcx(struct tdxm_tdr *tdr, u64 pa)
{
	int i;

	for (i = 0; i < TDXM_MAX_TDCX; i++) {
		if (tdr->tdcx[i] == pa)
			tdr->tdcx[i] = 0;
	}
}

static void forget_vcpu(struct tdxm_call *c, struct tdxm_vcpu *vcpu)
{
	struct tdxm_tdcs *tdcs;

	tdxm_count_add(&c->lp->vcpus, -1);
	if (!c->tdr->tdcx[0] || vcpu->state == VCPU_UNINITIALIZED)
		return;
	tdcs = tdxm_env_va(c->tdr->tdcx[0]);
	tdxm_write(&tdcs->vcpu_pfn[vcpu->index], 0);
}

/*
 * A table may go when nothing below it is the TD's any more. The module itself
 * does not insist in teardown, but KVM promises it.
 */
static void check_table(struct tdxm_call *c, u64 pa)
{
	const struct tdxm_finding f = {
		.id = "X2", .what = "S-EPT table taken back while it maps a page of the TD",
		.tdr = c->tdr->pa, .gpa = ~0ULL, .pa = pa,
		.leaf = c->number, .level = -1, .state = -1,
	};

	if (tdxm_sept_table_has_leaf(c->m, pa, c->tdr->pa))
		tdxm_report(c->m, VIOLATION_X2, &f);
}

/* Is the control page as the module left it? */
static bool control_page_intact(struct tdxm_call *c, u64 pa, u32 type)
{
	switch (type) {
	case PT_TDR:
		return tdxm_canary_intact(c->m, pa, sizeof(struct tdxm_tdr), false);
	case PT_TDCX:
		return tdcx_intact(c, pa);
	case PT_TDVPR:
		return ((struct tdxm_vcpu *)tdxm_env_va(pa))->magic == TDXM_TDVPS_MAGIC &&
		       tdxm_canary_intact(c->m, pa, sizeof(struct tdxm_vcpu), false);
	default:
		return tdxm_sept_table_sane(pa);
	}
}

/* Where a page is not as the module and the guest left it; ~0: nowhere. */
static u64 page_damage(struct tdxm_call *c, u64 pa, int level, u32 type)
{
	if (type == PT_REG)
		return tdxm_page_damage(c->m, pa, level);
	return control_page_intact(c, pa, type) ? ~0ULL : pa;
}

/* The page is the host's again: check it, make it useless to the module. */
static void take_leave(struct tdxm_call *c, u64 pa, int level, u32 type)
{
	struct tdxm_finding f = {
		.id = "X1", .what = "page of a TD written to by the host",
		.tdr = c->tdr->pa, .gpa = ~0ULL,
		.leaf = c->number, .level = -1, .state = -1,
	};

	f.pa = page_damage(c, pa, level, type);
	if (f.pa != ~0ULL)
		tdxm_report(c->m, VIOLATION_X1, &f);
	else if (type == PT_TDVPR)
		forget_vcpu(c, tdxm_env_va(pa));
	else if (type == PT_EPT)
		check_table(c, pa);
	if (type == PT_TDCX)
		forget_tdcx(c->tdr, pa);
	if (type == PT_TDR)
		tdxm_count_add(&c->lp->tds, -1);
	*(u64 *)tdxm_env_va(pa) = 0;
	tdxm_page_release(c, pa, level);
}

/* TDH.PHYMEM.PAGE.RECLAIM: RCX page; RCX, RDX, R8 get type, owner, size. */
u64 tdh_phymem_page_reclaim(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;
	struct pamt_entry *p;
	int level;
	u32 type;

	c->regs->rcx = 0;
	c->regs->rdx = 0;
	c->regs->r8 = 0;
	status = tdxm_page_check(c->m, pa, TDX_OPERAND_ID_RCX);
	if (status)
		return status;
	p = tdxm_pamt_leaf(c->m, pa, &level);
	if (!tdxm_call_lock(c, LOCK_PAGE, &p->lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_RCX);
	type = PAMT_TYPE(tdxm_read(&p->type));
	if (type == PT_NDA || type == PT_RSVD)
		return tdxm_status(TDX_PAGE_METADATA_INCORRECT, TDX_OPERAND_ID_RCX);

	c->regs->rcx = type;
	c->regs->rdx = (u64)tdxm_read(&p->owner) << PAGE_SHIFT;
	c->regs->r8 = level;
	if (pa & (tdxm_size(level) - 1))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	if (type == PT_TDR) {
		c->tdr = tdxm_env_va(pa);
		if (c->tdr->magic != TDXM_TDR_MAGIC)
			return tdxm_control_damage(c, pa, TDX_OPERAND_ID_RCX);
	} else {
		status = tdxm_td_lock_owner(c, pa, LOCK_SHARED);
		if (status)
			return status;
	}
	if (c->tdr->lifecycle != TD_TEARDOWN)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (type == PT_TDR && tdxm_load_acquire(&c->tdr->chldcnt))
		return TDX_TD_ASSOCIATED_PAGES_EXIST;

	take_leave(c, pa, level, type);
	return TDX_SUCCESS;
}

/* Mark the write-back of this package done for all flushed HKIDs; were there any? */
static bool write_back(struct tdxm_call *c, u64 package, bool commit)
{
	bool any = false;
	u32 i;

	for (i = 0; i < c->m->cfg.nr_keyids; i++) {
		struct kot_entry *kot = &c->m->kot[i];

		if (kot->state != KOT_HKID_FLUSHED || !(tdxm_read(&kot->wbinvd_bitmap) & package))
			continue;
		any = true;
		if (commit)
			tdxm_fetch_andnot(&kot->wbinvd_bitmap, package);
	}
	return any;
}

/* TDH.PHYMEM.CACHE.WB: RCX 0 start, 1 resume; now and then it is interrupted. */
u64 tdh_phymem_cache_wb(struct tdxm_call *c)
{
	u32 package = tdxm_env_package(tdxm_env_lp()) % TDXM_MAX_PACKAGES;
	struct wbcache *wb = &c->m->wb[package];

	if (c->regs->rcx > 1)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	if (!tdxm_call_lock(c, LOCK_WBCACHE, &wb->lock, LOCK_EXCLUSIVE))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_WBCACHE);
	if (!tdxm_call_lock(c, LOCK_KOT, &c->m->kot_lock, LOCK_SHARED))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_KOT);
	if (c->regs->rcx && !wb->interrupted)
		return TDX_WBCACHE_RESUME_ERROR;
	if (!write_back(c, BIT_ULL(package), false)) {
		wb->interrupted = false;
		return TDX_NO_HKID_READY_TO_WBCACHE;
	}

	if (!c->regs->rcx)
		wb->interrupts_left = tdxm_random_next(&c->lp->random) >> 62;
	wb->interrupted = wb->interrupts_left > 0;
	if (wb->interrupted) {
		wb->interrupts_left--;
		return TDX_INTERRUPTED_RESUMABLE;
	}
	write_back(c, BIT_ULL(package), true);
	return TDX_SUCCESS;
}
