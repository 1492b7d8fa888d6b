// SPDX-License-Identifier: GPL-2.0
/*
 * Which TDs and vCPUs there are, for an observer who holds no lock: all that is
 * read may be old by the time it is told, and every page is looked up in the
 * PAMT before it is believed.
 */
#include "internal.h"

static const char * const lifecycle_names[] = {
	[TD_HKID_ASSIGNED]	= "hkid_assigned",
	[TD_KEYS_CONFIGURED]	= "keys_configured",
	[TD_BLOCKED]		= "blocked",
	[TD_TEARDOWN]		= "teardown",
};

static const char * const op_state_names[] = {
	[OP_STATE_UNINITIALIZED] = "uninitialized",
	[OP_STATE_INITIALIZED]	= "initialized",
	[OP_STATE_RUNNABLE]	= "runnable",
};

static const char *name_of(const char * const *names, u32 n, u32 i)
{
	return i < n ? names[i] : "unknown";
}

/* The page's contents if the PAMT says that it is of @type, or NULL. */
static const void *page_of(struct tdxm *m, u64 pa, u32 type)
{
	struct pamt_entry *p = tdxm_pamt(m, pa);

	if (!p || PAMT_TYPE(tdxm_load_acquire(&p->type)) != type)
		return NULL;
	return tdxm_env_va(pa);
}

static void vcpu_state(struct tdxm *m, const struct tdxm_tdcs *tdcs, u32 i,
		       void (*vcpu_fn)(void *ctx, const struct tdxm_vcpu_info *v), void *ctx)
{
	u64 pa = (u64)tdxm_read(&tdcs->vcpu_pfn[i]) << PAGE_SHIFT;
	const struct tdxm_vcpu *vcpu = pa ? page_of(m, pa, PT_TDVPR) : NULL;
	u32 lp;

	if (!vcpu)
		return;
	lp = tdxm_read(&vcpu->assoc_lp);
	vcpu_fn(ctx, &(const struct tdxm_vcpu_info) {
		.tdvpr = pa,
		.index = i,
		.lp = lp == TDXM_NO_LP ? -1 : (int)lp,
		.epoch = tdxm_read(&vcpu->epoch),
		.shared_eptp = tdxm_read(&vcpu->shared_eptp),
	});
}

static void td_state(struct tdxm *m, u64 pa,
		     void (*td_fn)(void *ctx, const struct tdxm_td_info *td),
		     void (*vcpu_fn)(void *ctx, const struct tdxm_vcpu_info *v), void *ctx)
{
	const struct tdxm_tdr *tdr = tdxm_td_peek(m, pa);
	const struct tdxm_tdcs *tdcs;
	struct tdxm_td_info td;
	u32 i;

	if (!tdr)
		return;
	tdcs = page_of(m, tdxm_read(&tdr->tdcx[0]) & ~(u64)(PAGE_SIZE - 1), PT_TDCX);
	td = (struct tdxm_td_info) {
		.tdr = pa,
		.hkid = tdxm_read(&tdr->hkid),
		.pages = tdxm_read(&tdr->chldcnt),
		.lifecycle = name_of(lifecycle_names, ARRAY_SIZE(lifecycle_names),
				     tdxm_read(&tdr->lifecycle)),
		.op_state = op_state_names[OP_STATE_UNINITIALIZED],
	};
	if (tdcs) {
		td.op_state = name_of(op_state_names, ARRAY_SIZE(op_state_names),
				      tdxm_read(&tdcs->op_state));
		td.epoch = tdxm_read(&tdcs->td_epoch);
		td.inside = tdxm_read(&tdcs->refcount[0]) + tdxm_read(&tdcs->refcount[1]);
		td.vcpus = tdxm_read(&tdcs->num_vcpus);
	}
	td_fn(ctx, &td);
	for (i = 0; tdcs && i < td.vcpus && i < TDXM_MAX_VCPUS; i++)
		vcpu_state(m, tdcs, i, vcpu_fn, ctx);
}

/**
 * tdxm_td_epoch - the TLB tracking epoch of a TD
 * @m: the module
 * @tdr: its TDR page
 *
 * Context: any; may run beside SEAMCALLs, then it may be stale.
 * Return: the epoch, which begins with 1; 0: there is no such TD.
 */
u64 tdxm_td_epoch(struct tdxm *m, u64 tdr)
{
	const struct tdxm_tdr *t = tdxm_td_peek(m, tdr);
	const struct tdxm_tdcs *tdcs;

	if (!t)
		return 0;
	tdcs = page_of(m, tdxm_read(&t->tdcx[0]) & ~(u64)(PAGE_SIZE - 1), PT_TDCX);
	return tdcs ? tdxm_read(&tdcs->td_epoch) : 0;
}

/**
 * tdxm_list_tds - tell of all TDs, and after each its vCPUs
 * @m: the module
 * @td_fn: called with each TD; what it points to is valid during the call
 * @vcpu_fn: called with each vCPU
 * @ctx: passed to both
 *
 * Looks at every page of the PAMT.
 *
 * Context: any; may run beside SEAMCALLs, then what is told may be stale.
 */
void tdxm_list_tds(struct tdxm *m, void (*td_fn)(void *ctx, const struct tdxm_td_info *td),
		   void (*vcpu_fn)(void *ctx, const struct tdxm_vcpu_info *v), void *ctx)
{
	u64 pfn;

	for (pfn = 0; pfn < m->cfg.nr_pages; pfn++)
		td_state(m, pfn << PAGE_SHIFT, td_fn, vcpu_fn, ctx);
}
