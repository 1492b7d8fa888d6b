// SPDX-License-Identifier: GPL-2.0
/*
 * A TD from TDH.MNG.CREATE to TDH.MNG.KEY.FREEID: TDR, TDCS, HKID, keys,
 * operation state. Knows neither the S-EPT nor vCPUs.
 */
#include "internal.h"

/* A control page lost its magic or its canary: report it, fail the leaf. */
u64 tdxm_control_damage(struct tdxm_call *c, u64 pa, u32 operand)
{
	const struct tdxm_finding f = {
		.id = "X1", .what = "control page written to by the host",
		.tdr = (u64)tdxm_read(&tdxm_pamt(c->m, pa)->owner) << PAGE_SHIFT,
		.gpa = ~0ULL, .pa = pa, .leaf = c->number,
		.level = -1, .state = -1,
	};

	tdxm_report(c->m, VIOLATION_X1, &f);
	return tdxm_status(TDX_PAGE_METADATA_INCORRECT, operand);
}

/* The TD whose TDR page is @pa, without a lock, or NULL. */
struct tdxm_tdr *tdxm_td_peek(struct tdxm *m, u64 pa)
{
	struct pamt_entry *p = tdxm_pamt(m, pa);
	struct tdxm_tdr *tdr;

	if (!p || pa & (PAGE_SIZE - 1) || PAMT_TYPE(tdxm_load_acquire(&p->type)) != PT_TDR)
		return NULL;
	tdr = tdxm_env_va(pa);
	return tdr->magic == TDXM_TDR_MAGIC ? tdr : NULL;
}

static u64 lock_tdr(struct tdxm_call *c, u64 pa, u32 type_operand, u32 busy_operand,
		    enum tdxm_lock_mode mode)
{
	struct pamt_entry *p = tdxm_pamt(c->m, pa);

	if (!tdxm_call_lock(c, LOCK_TDR, &p->lock, mode))
		return tdxm_status(TDX_OPERAND_BUSY, busy_operand);
	if (PAMT_TYPE(tdxm_read(&p->type)) != PT_TDR)
		return tdxm_status(TDX_PAGE_METADATA_INCORRECT, type_operand);
	c->tdr = tdxm_env_va(pa);
	c->tdr_mode = mode;
	if (c->tdr->magic != TDXM_TDR_MAGIC)
		return tdxm_control_damage(c, pa, type_operand);
	return TDX_SUCCESS;
}

/**
 * tdxm_td_lock - lock the TD that an operand names
 * @c: the call
 * @pa: TDR page, an operand
 * @operand: its operand id
 * @mode: how to lock it
 *
 * Return: TDX_SUCCESS with c->tdr set; OPERAND_INVALID, OPERAND_BUSY or
 * PAGE_METADATA_INCORRECT, each with @operand.
 */
u64 tdxm_td_lock(struct tdxm_call *c, u64 pa, u32 operand, enum tdxm_lock_mode mode)
{
	u64 status = tdxm_page_check(c->m, pa, operand);

	return status ?: lock_tdr(c, pa, operand, operand, mode);
}

/* The same for the TD that owns the page @pa, which the call has locked. */
u64 tdxm_td_lock_owner(struct tdxm_call *c, u64 pa, enum tdxm_lock_mode mode)
{
	int level;
	u64 tdr = (u64)tdxm_read(&tdxm_pamt_leaf(c->m, pa, &level)->owner) << PAGE_SHIFT;

	return lock_tdr(c, tdr, TDX_OPERAND_ID_TDR, TDX_OPERAND_ID_TDR, mode);
}

static u64 map_tdcs(struct tdxm_call *c)
{
	if (c->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	if (c->tdr->nr_tdcx < c->m->cfg.tdcs_pages)
		return TDX_TDCS_NOT_ALLOCATED;
	c->tdcs = tdxm_env_va(c->tdr->tdcx[0]);
	if (c->tdcs->magic != TDXM_TDCS_MAGIC)
		return tdxm_control_damage(c, c->tdr->tdcx[0], TDX_OPERAND_ID_TDR);
	return TDX_SUCCESS;
}

/**
 * tdxm_td_state - map the TDCS and check that the leaf is allowed now
 * @c: the call, c->tdr is locked
 * @op_states: bits BIT(enum td_op_state)
 *
 * OP_STATE is locked shared, unless the TDR is locked exclusively.
 *
 * Return: TDX_SUCCESS with c->tdcs set; TD_KEYS_NOT_CONFIGURED,
 * TDCS_NOT_ALLOCATED, OPERAND_BUSY | OP_STATE, OP_STATE_INCORRECT.
 */
u64 tdxm_td_state(struct tdxm_call *c, u32 op_states)
{
	u64 status = map_tdcs(c);

	if (status)
		return status;
	if (c->tdr_mode == LOCK_SHARED &&
	    !tdxm_call_lock(c, LOCK_OP_STATE, &c->tdcs->op_state_lock, LOCK_SHARED))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_OP_STATE);
	if (!(op_states & BIT(tdxm_read(&c->tdcs->op_state))))
		return TDX_OP_STATE_INCORRECT;
	return TDX_SUCCESS;
}

static struct kot_entry *kot_entry(struct tdxm *m, u32 hkid)
{
	return &m->kot[hkid - m->cfg.keyid_start];
}

static u64 lock_kot(struct tdxm_call *c, enum tdxm_lock_mode mode)
{
	if (!tdxm_call_lock(c, LOCK_KOT, &c->m->kot_lock, mode))
		return tdxm_status(TDX_OPERAND_BUSY, TDX_OPERAND_ID_KOT);
	return TDX_SUCCESS;
}

/* TDH.MNG.CREATE: RCX page for the TDR, RDX private HKID. */
u64 tdh_mng_create(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, hkid = c->regs->rdx, status;
	struct tdxm *m = c->m;
	struct tdxm_tdr *tdr;

	status = tdxm_page_lock_free(c, pa, 0, TDX_OPERAND_ID_RCX, LOCK_TDR);
	if (status)
		return status;
	if (hkid < m->cfg.keyid_start || hkid >= (u64)m->cfg.keyid_start + m->cfg.nr_keyids)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	status = lock_kot(c, LOCK_EXCLUSIVE);
	if (status)
		return status;
	if (kot_entry(m, hkid)->state != KOT_HKID_FREE)
		return tdxm_status(TDX_HKID_NOT_FREE, TDX_OPERAND_ID_RDX);

	tdr = tdxm_env_va(pa);
	memset(tdr, 0, sizeof(*tdr));
	tdr->pa = pa;
	tdr->hkid = hkid;
	tdr->lifecycle = TD_HKID_ASSIGNED;
	tdr->serial = tdxm_fetch_add(&m->nr_tds_ever, 1);
	tdr->magic = TDXM_TDR_MAGIC;
	kot_entry(m, hkid)->state = KOT_HKID_ASSIGNED;
	tdxm_page_assign(c, pa, PT_TDR, pa);
	tdxm_canary_fill(m, pa, sizeof(*tdr));
	tdxm_count(&c->lp->tds);
	return TDX_SUCCESS;
}

/* TDH.MNG.KEY.CONFIG: RCX TDR; once on each package. */
u64 tdh_mng_key_config(struct tdxm_call *c)
{
	u64 package = BIT_ULL(tdxm_env_package(tdxm_env_lp()) % TDXM_MAX_PACKAGES), status;
	u64 all = GENMASK_ULL(c->m->cfg.nr_packages - 1, 0);

	status = tdxm_td_lock(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE);
	if (status)
		return status;
	if (c->tdr->lifecycle != TD_HKID_ASSIGNED && c->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (c->tdr->key_packages & package)
		return TDX_KEY_CONFIGURED;

	c->tdr->key_packages |= package;
	if ((c->tdr->key_packages & all) == all)
		c->tdr->lifecycle = TD_KEYS_CONFIGURED;
	return TDX_SUCCESS;
}

/* TDH.MNG.ADDCX: RCX page for the TDCS, RDX TDR. */
u64 tdh_mng_addcx(struct tdxm_call *c)
{
	u64 pa = c->regs->rcx, status;
	struct tdxm_tdcs *tdcs;
	u32 index;

	status = tdxm_td_lock(c, c->regs->rdx, TDX_OPERAND_ID_RDX, LOCK_EXCLUSIVE);
	if (status)
		return status;
	if (c->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_TD_KEYS_NOT_CONFIGURED;
	index = c->tdr->nr_tdcx;
	if (index >= c->m->cfg.tdcs_pages) {
		tdcs = tdxm_env_va(c->tdr->tdcx[0]);
		return tdcs->op_state == OP_STATE_UNINITIALIZED ? TDX_TDCX_NUM_INCORRECT :
								  TDX_OP_STATE_INCORRECT;
	}
	status = tdxm_page_lock_free(c, pa, 0, TDX_OPERAND_ID_RCX, LOCK_PAGE);
	if (status)
		return status;

	tdxm_page_assign(c, pa, PT_TDCX, c->tdr->pa);
	if (index == 0) {
		tdcs = tdxm_env_va(pa);
		memset(tdcs, 0, sizeof(*tdcs));
		tdcs->magic = TDXM_TDCS_MAGIC;
		tdxm_canary_fill(c->m, pa, sizeof(*tdcs));
	} else if (index == TDCS_PAGE_ROOT) {
		tdxm_sept_init_table(pa);
	} else {
		tdxm_canary_fill(c->m, pa, 0);
	}
	c->tdr->tdcx[index] = pa;
	c->tdr->nr_tdcx++;
	return TDX_SUCCESS;
}

static bool all_zero(const void *start, const void *end)
{
	const u8 *p;

	for (p = start; p < (const u8 *)end; p++) {
		if (*p)
			return false;
	}
	return true;
}

static bool within(u64 value, u64 fixed0, u64 fixed1)
{
	return (!fixed0 || !(value & ~(fixed0 | fixed1))) && (value & fixed1) == fixed1;
}

static u64 check_cpuid(struct tdxm_call *c, const struct tdxm_td_params *p)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(p->cpuid_values); i++) {
		bool known = i < c->m->cfg.nr_cpuid_config;

		/* The module itself decides GPAW: CPUID(0x80000008).EAX 23:16 stay 0. */
		if (known && (u32)c->m->cpuid_config[i] == 0x80000008 &&
		    p->cpuid_values[i][0] & 0xff0000)
			known = false;
		if (known || all_zero(p->cpuid_values[i], p->cpuid_values[i] + 1))
			continue;
		if (i < c->m->cfg.nr_cpuid_config)
			c->regs->rcx = c->m->cpuid_config[i];
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_CPUID_CONFIG);
	}
	return TDX_SUCCESS;
}

/* TD_PARAMS as TDH.MNG.INIT checks them; RCX gets the offending CPUID leaf. */
static u64 check_td_params(struct tdxm_call *c, const struct tdxm_td_params *p)
{
	const struct tdxm_config *cfg = &c->m->cfg;
	u64 pwl = p->eptp_controls >> TD_PARAMS_EPTP_PWL_SHIFT;
	bool wide = p->config_flags & TD_PARAMS_CONFIG_MAX_GPAW;

	if (!within(p->attributes, cfg->attributes_fixed0, cfg->attributes_fixed1))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_ATTRIBUTES);
	if (!within(p->xfam, cfg->xfam_fixed0, cfg->xfam_fixed1))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_XFAM);
	if (!p->max_vcpus || p->max_vcpus > cfg->max_vcpus)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_MAX_VCPUS);
	if (p->config_flags & ~TD_PARAMS_CONFIG_FLAGS)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_EXEC_CONTROLS);
	if ((p->eptp_controls & 7) != TD_PARAMS_EPTP_MT_WB || (pwl != 3 && pwl != 4) ||
	    (wide && pwl != 4))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_EPTP_CONTROLS);
	if (p->tsc_frequency < TD_PARAMS_TSC_MIN || p->tsc_frequency > TD_PARAMS_TSC_MAX)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_TSC_FREQUENCY);
	if (!all_zero(p->reserved0, p->reserved0 + sizeof(p->reserved0)) ||
	    !all_zero(p->reserved1, p->reserved1 + sizeof(p->reserved1)) ||
	    !all_zero(p->reserved2, p->reserved2 + ARRAY_SIZE(p->reserved2)))
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	return check_cpuid(c, p);
}

/* TDH.MNG.INIT: RCX TDR, RDX TD_PARAMS; RCX gets extended error information. */
u64 tdh_mng_init(struct tdxm_call *c)
{
	u64 params_pa = c->regs->rdx, tdr_pa = c->regs->rcx, status;
	struct tdxm_tdcs *tdcs;
	const struct tdxm_td_params *p;
	u32 pwl;

	BUILD_BUG_ON(sizeof(*p) != 1024);
	BUILD_BUG_ON(sizeof(*tdcs) > PAGE_SIZE);
	c->regs->rcx = 0;
	status = tdxm_td_lock(c, tdr_pa, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE);
	if (status)
		return status;
	status = tdxm_td_state(c, BIT(OP_STATE_UNINITIALIZED));
	if (status)
		return status;
	if (params_pa & (TD_PARAMS_ALIGN - 1) ||
	    tdxm_page_check(c->m, params_pa & ~(u64)(PAGE_SIZE - 1), 0) ||
	    tdxm_page_type(c->m, params_pa) != PT_NDA)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RDX);
	p = tdxm_env_va(params_pa);
	status = check_td_params(c, p);
	if (status)
		return status;

	tdcs = c->tdcs;
	pwl = p->eptp_controls >> TD_PARAMS_EPTP_PWL_SHIFT;
	tdcs->attributes = p->attributes;
	tdcs->xfam = p->xfam;
	tdcs->config_flags = p->config_flags;
	tdcs->max_vcpus = p->max_vcpus;
	tdcs->tsc_frequency = p->tsc_frequency;
	tdcs->sept_levels = pwl + 1;
	tdcs->shared_bit = p->config_flags & TD_PARAMS_CONFIG_MAX_GPAW ? BIT_ULL(51) : BIT_ULL(47);
	if (c->m->cfg.shared_bit)
		tdcs->shared_bit = c->m->cfg.shared_bit;
	memcpy(tdcs->cpuid, p->cpuid_values, sizeof(tdcs->cpuid));
	tdcs->td_epoch = 1;
	tdxm_store_release(&tdcs->op_state, OP_STATE_INITIALIZED);
	return TDX_SUCCESS;
}

/* CPUID(0) and CPUID(0x80000000), which nobody configures: highest leaf, vendor. */
static bool cpuid_max_leaf(struct tdxm *m, u32 leaf, u32 *regs)
{
	u32 i, max = leaf;

	if (leaf & 0x7fffffff)
		return false;
	for (i = 0; i < m->cfg.nr_cpuid_config; i++) {
		u32 l = m->cpuid_config[i];

		if ((l & 0x80000000) == leaf && l > max)
			max = l;
	}
	memset(regs, 0, 4 * sizeof(*regs));
	regs[0] = max;
	if (!leaf) {
		regs[1] = 0x756e6547;	/* "Genu" */
		regs[3] = 0x49656e69;	/* "ineI" */
		regs[2] = 0x6c65746e;	/* "ntel" */
	}
	return true;
}

static bool cpuid_values(struct tdxm_call *c, u64 field, u32 *regs)
{
	u32 leaf = (field >> 9 & 0x7f) | (field & BIT_ULL(16) ? 0x80000000 : 0);
	u32 subleaf = field & BIT_ULL(8) ? ~0U : field >> 1 & 0x7f;
	u32 i;

	for (i = 0; i < c->m->cfg.nr_cpuid_config; i++) {
		if (c->m->cpuid_config[i] != ((u64)subleaf << 32 | leaf))
			continue;
		memcpy(regs, c->tdcs->cpuid[i], sizeof(c->tdcs->cpuid[i]));
		if (leaf == 0x80000008)
			regs[0] |= (c->tdcs->shared_bit == BIT_ULL(51) ? 52 : 48) << 16;
		return true;
	}
	return subleaf == ~0U && cpuid_max_leaf(c->m, leaf, regs);
}

/* TDH.MNG.RD: RCX TDR, RDX field; R8 gets the value, 0 in case of error. */
u64 tdh_mng_rd(struct tdxm_call *c)
{
	u64 field = c->regs->rdx, status;
	u32 regs[4];

	c->regs->r8 = 0;
	status = tdxm_td_lock(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_SHARED);
	if (status)
		return status;
	status = tdxm_td_state(c, BIT(OP_STATE_INITIALIZED) | BIT(OP_STATE_RUNNABLE));
	if (status)
		return status;

	if ((field & MD_TDCS_CPUID_MASK) == MD_TDCS_CPUID_VALUES && !(field & 0xfe0000)) {
		if (!cpuid_values(c, field, regs))
			return TDX_METADATA_FIELD_NOT_READABLE;
		c->regs->r8 = field & 1 ? (u64)regs[3] << 32 | regs[2] :
					  (u64)regs[1] << 32 | regs[0];
		return TDX_SUCCESS;
	}
	switch (field) {
	case MD_TDCS_TSC_OFFSET:
		return TDX_SUCCESS;
	case MD_TDCS_TSC_MULTIPLIER:
		c->regs->r8 = BIT_ULL(48);	/* 1.0 in VMX's 16.48 format */
		return TDX_SUCCESS;
	default:
		return TDX_METADATA_FIELD_ID_INCORRECT;
	}
}

/* TDH.MR.FINALIZE: RCX TDR. */
u64 tdh_mr_finalize(struct tdxm_call *c)
{
	u64 status;

	status = tdxm_td_lock(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE);
	if (status)
		return status;
	status = tdxm_td_state(c, BIT(OP_STATE_INITIALIZED));
	if (status)
		return status;
	tdxm_store_release(&c->tdcs->op_state, OP_STATE_RUNNABLE);
	return TDX_SUCCESS;
}

/* TDH.MNG.VPFLUSHDONE: RCX TDR; no vCPU may be associated. */
u64 tdh_mng_vpflushdone(struct tdxm_call *c)
{
	struct kot_entry *kot;
	struct tdxm_tdcs *tdcs;
	u64 status;

	status = tdxm_td_lock(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE);
	if (!status)
		status = lock_kot(c, LOCK_EXCLUSIVE);
	if (status)
		return status;
	if (c->tdr->lifecycle != TD_HKID_ASSIGNED && c->tdr->lifecycle != TD_KEYS_CONFIGURED)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	if (c->tdr->nr_tdcx) {
		tdcs = tdxm_env_va(c->tdr->tdcx[0]);
		if (tdxm_load_acquire(&tdcs->num_assoc_vcpus))
			return TDX_FLUSHVP_NOT_DONE;
	}

	kot = kot_entry(c->m, c->tdr->hkid);
	kot->wbinvd_bitmap = GENMASK_ULL(c->m->cfg.nr_packages - 1, 0);
	kot->state = KOT_HKID_FLUSHED;
	c->tdr->lifecycle = TD_BLOCKED;
	return TDX_SUCCESS;
}

/* TDH.MNG.KEY.FREEID: RCX TDR; all packages must have written back. */
u64 tdh_mng_key_freeid(struct tdxm_call *c)
{
	struct kot_entry *kot;
	u64 status;

	status = tdxm_td_lock(c, c->regs->rcx, TDX_OPERAND_ID_RCX, LOCK_EXCLUSIVE);
	if (!status)
		status = lock_kot(c, LOCK_EXCLUSIVE);
	if (status)
		return status;
	if (c->tdr->lifecycle != TD_BLOCKED)
		return TDX_LIFECYCLE_STATE_INCORRECT;
	kot = kot_entry(c->m, c->tdr->hkid);
	if (kot->wbinvd_bitmap)
		return TDX_WBCACHE_NOT_COMPLETE;

	kot->state = KOT_HKID_FREE;
	c->tdr->lifecycle = TD_TEARDOWN;
	return TDX_SUCCESS;
}
