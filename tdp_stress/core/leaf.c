// SPDX-License-Identifier: GPL-2.0
/*
 * The table of leaves, and how one SEAMCALL is executed: look it up, perhaps
 * fail it on purpose, run it, release its locks, count it.
 */
#include "internal.h"

#define LEAF(_number, _name, _fn, _busy, _flags)	\
	[_number] = {					\
		.name = _name,				\
		.fn = _fn,				\
		.busy_operand = TDX_OPERAND_ID_##_busy,	\
		.flags = _flags,			\
	}

#define MEM_LEAF	(LEAF_TDR_RDX | LEAF_EXT_INFO)

static const struct tdxm_leaf leaves[TDXM_LEAF_UNKNOWN] = {
	LEAF(TDH_VP_ENTER, "TDH.VP.ENTER", tdh_vp_enter, SEPT, LEAF_KVM_RETRIES),
	LEAF(TDH_MNG_ADDCX, "TDH.MNG.ADDCX", tdh_mng_addcx, RDX, 0),
	LEAF(TDH_MEM_PAGE_ADD, "TDH.MEM.PAGE.ADD", tdh_mem_page_add, RDX,
	     MEM_LEAF | LEAF_KVM_RETRIES),
	LEAF(TDH_MEM_SEPT_ADD, "TDH.MEM.SEPT.ADD", tdh_mem_sept_add, SEPT,
	     MEM_LEAF | LEAF_KVM_RETRIES),
	LEAF(TDH_VP_ADDCX, "TDH.VP.ADDCX", tdh_vp_addcx, RDX, 0),
	LEAF(TDH_MEM_PAGE_AUG, "TDH.MEM.PAGE.AUG", tdh_mem_page_aug, SEPT,
	     MEM_LEAF | LEAF_KVM_RETRIES),
	LEAF(TDH_MEM_RANGE_BLOCK, "TDH.MEM.RANGE.BLOCK", tdh_mem_range_block, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE | LEAF_GIVES_BACK),
	LEAF(TDH_MNG_KEY_CONFIG, "TDH.MNG.KEY.CONFIG", tdh_mng_key_config, RCX, 0),
	LEAF(TDH_MNG_CREATE, "TDH.MNG.CREATE", tdh_mng_create, RCX, 0),
	LEAF(TDH_VP_CREATE, "TDH.VP.CREATE", tdh_vp_create, RDX, 0),
	LEAF(TDH_MNG_RD, "TDH.MNG.RD", tdh_mng_rd, RCX, 0),
	LEAF(TDH_MEM_PAGE_DEMOTE, "TDH.MEM.PAGE.DEMOTE", tdh_mem_page_demote, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE | LEAF_INTERRUPTIBLE),
	LEAF(TDH_MR_EXTEND, "TDH.MR.EXTEND", tdh_mr_extend, RDX, MEM_LEAF),
	LEAF(TDH_MR_FINALIZE, "TDH.MR.FINALIZE", tdh_mr_finalize, RCX, 0),
	LEAF(TDH_VP_FLUSH, "TDH.VP.FLUSH", tdh_vp_flush, RCX, 0),
	LEAF(TDH_MNG_VPFLUSHDONE, "TDH.MNG.VPFLUSHDONE", tdh_mng_vpflushdone, RCX, 0),
	LEAF(TDH_MNG_KEY_FREEID, "TDH.MNG.KEY.FREEID", tdh_mng_key_freeid, RCX, 0),
	LEAF(TDH_MNG_INIT, "TDH.MNG.INIT", tdh_mng_init, RCX, 0),
	LEAF(TDH_VP_INIT, "TDH.VP.INIT", tdh_vp_init, TDR, LEAF_VERSION_1),
	LEAF(TDH_MEM_PAGE_PROMOTE, "TDH.MEM.PAGE.PROMOTE", tdh_mem_page_promote, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE | LEAF_INTERRUPTIBLE),
	LEAF(TDH_PHYMEM_PAGE_RDMD, "TDH.PHYMEM.PAGE.RDMD", tdh_phymem_page_rdmd, RCX,
	     LEAF_NO_LOCK),
	LEAF(TDH_VP_RD, "TDH.VP.RD", tdh_vp_rd, RCX, 0),
	LEAF(TDH_PHYMEM_PAGE_RECLAIM, "TDH.PHYMEM.PAGE.RECLAIM", tdh_phymem_page_reclaim, RCX, 0),
	LEAF(TDH_MEM_PAGE_REMOVE, "TDH.MEM.PAGE.REMOVE", tdh_mem_page_remove, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE | LEAF_GIVES_BACK),
	LEAF(TDH_MEM_SEPT_REMOVE, "TDH.MEM.SEPT.REMOVE", tdh_mem_sept_remove, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE | LEAF_GIVES_BACK),
	LEAF(TDH_SYS_KEY_CONFIG, "TDH.SYS.KEY.CONFIG", tdh_sys_key_config, RAX, 0),
	LEAF(TDH_SYS_INIT, "TDH.SYS.INIT", tdh_sys_init, RAX, 0),
	LEAF(TDH_SYS_RD, "TDH.SYS.RD", tdh_sys_rd, RAX, 0),
	LEAF(TDH_SYS_LP_INIT, "TDH.SYS.LP.INIT", tdh_sys_lp_init, RAX, 0),
	LEAF(TDH_SYS_TDMR_INIT, "TDH.SYS.TDMR.INIT", tdh_sys_tdmr_init, RAX, 0),
	LEAF(TDH_MEM_TRACK, "TDH.MEM.TRACK", tdh_mem_track, TD_EPOCH,
	     LEAF_RETRIED_ONCE | LEAF_GIVES_BACK),
	LEAF(TDH_MEM_RANGE_UNBLOCK, "TDH.MEM.RANGE.UNBLOCK", tdh_mem_range_unblock, SEPT,
	     MEM_LEAF | LEAF_RETRIED_ONCE),
	LEAF(TDH_PHYMEM_CACHE_WB, "TDH.PHYMEM.CACHE.WB", tdh_phymem_cache_wb, WBCACHE, 0),
	LEAF(TDH_PHYMEM_PAGE_WBINVD, "TDH.PHYMEM.PAGE.WBINVD", tdh_phymem_page_wbinvd, RCX, 0),
	LEAF(TDH_VP_WR, "TDH.VP.WR", tdh_vp_wr, RCX, 0),
	LEAF(TDH_SYS_CONFIG, "TDH.SYS.CONFIG", tdh_sys_config, RAX, 0),
	LEAF(TDH_SYS_SHUTDOWN, "TDH.SYS.SHUTDOWN", tdh_sys_shutdown, RAX, 0),
	LEAF(TDH_SYS_UPDATE, "TDH.SYS.UPDATE", tdh_sys_update, RAX, 0),
	LEAF(TDH_SYS_DISABLE, "TDH.SYS.DISABLE", tdh_sys_disable, RAX, 0),
};

/* The leaf with this number, or NULL. */
const struct tdxm_leaf *tdxm_leaf(u32 number)
{
	return number < ARRAY_SIZE(leaves) && leaves[number].fn ? &leaves[number] : NULL;
}

/**
 * tdxm_leaf_name - the ABI's name of a leaf
 * @leaf: its number
 *
 * Return: "TDH.MEM.PAGE.AUG", or NULL for an unknown leaf.
 */
const char *tdxm_leaf_name(u32 leaf)
{
	const struct tdxm_leaf *l = tdxm_leaf(leaf);

	return l ? l->name : NULL;
}

/**
 * tdxm_leaf_by_name - the number of a leaf
 * @name: the ABI's name
 *
 * Return: the number, or -1.
 */
int tdxm_leaf_by_name(const char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(leaves); i++) {
		if (leaves[i].fn && !strcmp(leaves[i].name, name))
			return i;
	}
	return -1;
}

/* Is there such a leaf, in such a version? RAX has nothing else in it. */
static const struct tdxm_leaf *lookup(u64 rax, u32 *version)
{
	const struct tdxm_leaf *l;

	*version = rax >> TDX_VERSION_SHIFT & TDX_VERSION_MASK;
	if (rax & ~(TDX_LEAF_MASK | TDX_VERSION_MASK << TDX_VERSION_SHIFT))
		return NULL;
	l = tdxm_leaf(rax & TDX_LEAF_MASK);
	if (!l || *version > (l->flags & LEAF_VERSION_1 ? 1 : 0))
		return NULL;
	return l;
}

/* After SHUTDOWN or DISABLE only these are left. */
static bool works_when_down(u32 number)
{
	return number == TDH_PHYMEM_PAGE_RDMD || number == TDH_SYS_UPDATE ||
	       number == TDH_SYS_DISABLE;
}

static u64 execute(struct tdxm_call *c)
{
	const struct tdxm_leaf *l = c->leaf;
	bool lockless = l->flags & LEAF_NO_LOCK;
	u64 status = TDX_SUCCESS, tdr = 0;

	if (unlikely(tdxm_read(&c->m->sys_down)) && !works_when_down(c->number))
		return TDX_SYS_SHUTDOWN;
	if (!lockless)
		status = tdxm_inject_check(c);
	if (l->flags & LEAF_RETRIED_ONCE)
		tdr = tdxm_retried_tdr(c);

	if (status) {
		c->injected = true;
		tdxm_count(&c->lp->leaf[c->number][LEAF_INJECTED]);
		/* Interrupted: the operands are still there, to be used again. */
		if (l->flags & LEAF_EXT_INFO && status != TDX_INTERRUPTED_RESTARTABLE) {
			c->regs->rcx = 0;
			c->regs->rdx = 0;
		}
	} else {
		status = l->fn(c);
		tdxm_call_unlock_all(c);
	}
	if (l->flags & LEAF_RETRIED_ONCE)
		tdxm_inject_note(c, tdr, status);
	return status;
}

static void count(struct tdxm *m, struct tdxm_lp *lp, u32 number, u64 status)
{
	u64 class = status & TDX_SEAMCALL_STATUS_MASK;

	tdxm_count(&lp->leaf[number][LEAF_CALLS]);
	if (class == TDX_OPERAND_BUSY)
		tdxm_count(&lp->leaf[number][LEAF_BUSY]);
	else if (class & TDX_STATUS_ERROR && class != TDX_INTERRUPTED_RESUMABLE &&
		 class != TDX_INTERRUPTED_RESTARTABLE)
		tdxm_count(&lp->leaf[number][LEAF_ERROR]);
	tdxm_count_status(m, lp, status);
}

/**
 * tdxm_seamcall - execute a SEAMCALL
 * @m: the module
 * @regs: leaf and operands; status and outputs on return
 *
 * Context: IRQs off, any CPU, any number at once; #MC for RDMD. Never waits but
 * for struct tdxm_config.hold_ns and in struct tdxm_hooks.guest.
 *
 * Return: true: its status was injected, the leaf was not executed.
 */
bool tdxm_seamcall(struct tdxm *m, struct tdxm_regs *regs)
{
	struct tdxm_lp *lp = &m->lp[tdxm_env_lp()];
	struct tdxm_call c = { .m = m, .lp = lp, .regs = regs };

	c.leaf = lookup(regs->rax, &c.version);
	if (c.leaf) {
		c.number = regs->rax & TDX_LEAF_MASK;
		regs->rax = execute(&c);
	} else {
		c.number = TDXM_LEAF_UNKNOWN;
		regs->rax = tdxm_status(TDX_OPERAND_INVALID, TDX_OPERAND_ID_RAX);
	}
	count(m, lp, c.number, regs->rax);
	return c.injected;
}

/**
 * tdxm_operand_td - the TD that a SEAMCALL is about
 * @regs: its operands, as called
 *
 * Return: TDR page as named by the operands, right or wrong; 0: they name none.
 */
u64 tdxm_operand_td(const struct tdxm_regs *regs)
{
	u32 number = regs->rax & TDX_LEAF_MASK;
	const struct tdxm_leaf *l = tdxm_leaf(number);

	if (!l)
		return 0;
	if (l->flags & LEAF_TDR_RDX)
		return regs->rdx;
	switch (number) {
	case TDH_MNG_ADDCX:
	case TDH_VP_CREATE:
		return regs->rdx;
	case TDH_MEM_TRACK:
	case TDH_MNG_CREATE:
	case TDH_MNG_KEY_CONFIG:
	case TDH_MNG_INIT:
	case TDH_MNG_RD:
	case TDH_MNG_VPFLUSHDONE:
	case TDH_MNG_KEY_FREEID:
	case TDH_MR_FINALIZE:
		return regs->rcx;
	default:
		return 0;
	}
}

/**
 * tdxm_operand_vcpu - the vCPU that a SEAMCALL is about
 * @regs: its operands, as called
 *
 * Return: TDVPR page as named by the operands, right or wrong; 0: they name none.
 */
u64 tdxm_operand_vcpu(const struct tdxm_regs *regs)
{
	switch (regs->rax & TDX_LEAF_MASK) {
	case TDH_VP_ADDCX:
		return regs->rdx;
	case TDH_VP_ENTER:
	case TDH_VP_CREATE:
	case TDH_VP_INIT:
	case TDH_VP_FLUSH:
	case TDH_VP_RD:
	case TDH_VP_WR:
		return regs->rcx;
	default:
		return 0;
	}
}
