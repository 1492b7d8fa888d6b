// SPDX-License-Identifier: GPL-2.0
/*
 * TDH.SYS.*: the module as a whole. It starts as boot would have left it, fully
 * initialized, so that the leaves of boot time answer "done already".
 */
#include "internal.h"

u64 tdh_sys_init(struct tdxm_call *c)
{
	if (c->regs->rcx)
		return tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RCX);
	return TDX_SYS_INIT_NOT_PENDING;
}

u64 tdh_sys_lp_init(struct tdxm_call *c)
{
	return TDX_SYS_LP_INIT_DONE;
}

u64 tdh_sys_config(struct tdxm_call *c)
{
	return TDX_SYS_CONFIG_NOT_PENDING;
}

u64 tdh_sys_key_config(struct tdxm_call *c)
{
	return TDX_SYS_KEY_CONFIG_NOT_PENDING;
}

u64 tdh_sys_tdmr_init(struct tdxm_call *c)
{
	return TDX_TDMR_ALREADY_INITIALIZED;
}

/* TDH.SYS.SHUTDOWN: only TDH.SYS.UPDATE and RDMD are answered afterwards. */
u64 tdh_sys_shutdown(struct tdxm_call *c)
{
	if (tdxm_pages_in_use(c->m))
		return TDX_SYS_STATE_INCORRECT;
	tdxm_store_release(&c->m->sys_down, 1);
	return TDX_SUCCESS;
}

/* There is no other module to hand over to: the same one is ready again. */
u64 tdh_sys_update(struct tdxm_call *c)
{
	if (!tdxm_read(&c->m->sys_down))
		return TDX_SYS_STATE_INCORRECT;
	tdxm_store_release(&c->m->sys_down, 0);
	return TDX_SUCCESS;
}

/* TDH.SYS.DISABLE: for good, whatever lives (kexec). */
u64 tdh_sys_disable(struct tdxm_call *c)
{
	tdxm_store_release(&c->m->sys_down, 1);
	return TDX_SUCCESS;
}

static bool sys_field(struct tdxm *m, u64 field, u64 *value)
{
	const struct tdxm_config *cfg = &m->cfg;

	if (field - MD_SYS_CPUID_CONFIG_LEAVES < cfg->nr_cpuid_config) {
		*value = m->cpuid_config[field - MD_SYS_CPUID_CONFIG_LEAVES];
		return true;
	}
	switch (field) {
	case MD_SYS_MAJOR_VERSION:
		*value = 1;
		return true;
	case MD_SYS_MINOR_VERSION:
		*value = 5;
		return true;
	case MD_SYS_FEATURES0:
		*value = TDX_FEATURES0_NO_RBP_MOD_BIT | TDX_FEATURES0_TOPOLOGY_BIT;
		return true;
	case MD_SYS_MAX_TDMRS:
	case MD_SYS_MAX_RESERVED_PER_TDMR:
		*value = 64;
		return true;
	case MD_SYS_PAMT_4K_ENTRY_SIZE:
		*value = sizeof(struct pamt_entry);
		return true;
	case MD_SYS_TDR_BASE_SIZE:
		*value = PAGE_SIZE;
		return true;
	case MD_SYS_TDCS_BASE_SIZE:
		*value = cfg->tdcs_pages * PAGE_SIZE;
		return true;
	case MD_SYS_TDVPS_BASE_SIZE:
		*value = cfg->tdvps_pages * PAGE_SIZE;
		return true;
	case MD_SYS_ATTRIBUTES_FIXED0:
		*value = cfg->attributes_fixed0 ?: ~0ULL;
		return true;
	case MD_SYS_ATTRIBUTES_FIXED1:
		*value = cfg->attributes_fixed1;
		return true;
	case MD_SYS_XFAM_FIXED0:
		*value = cfg->xfam_fixed0 ?: ~0ULL;
		return true;
	case MD_SYS_XFAM_FIXED1:
		*value = cfg->xfam_fixed1;
		return true;
	case MD_SYS_NUM_CPUID_CONFIG:
		*value = cfg->nr_cpuid_config;
		return true;
	case MD_SYS_MAX_VCPUS_PER_TD:
		*value = cfg->max_vcpus;
		return true;
	case MD_SYS_UPDATE_VERSION:
	case MD_SYS_PAMT_2M_ENTRY_SIZE:
	case MD_SYS_PAMT_1G_ENTRY_SIZE:
	case MD_SYS_MODULE_HV:
		*value = 0;
		return true;
	default:
		return false;
	}
}

/* TDH.SYS.RD: RDX field; R8 gets the value, 0 in case of error. */
u64 tdh_sys_rd(struct tdxm_call *c)
{
	c->regs->r8 = 0;
	if (!sys_field(c->m, c->regs->rdx, &c->regs->r8))
		return TDX_METADATA_FIELD_NOT_READABLE;
	return TDX_SUCCESS;
}
