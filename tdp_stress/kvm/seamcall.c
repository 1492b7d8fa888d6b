// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's wrappers of SEAMCALLs, probed: which call there was, of which VM, and
 * what it returned. Judges nothing, and knows tdx.c's arguments only.
 */
#include "hooks.h"
#include "insight.h"
#include "kvm.h"

/* What is made of them. */
#define CALL_CHECKS	(BIT(TDPS_X2) | BIT(TDPS_X3) | BIT(TDPS_X4) | BIT(TDPS_F4))

enum call_subject {
	ON_TD,		/* the first argument is a struct tdx_td */
	ON_VP,		/* the first argument is a struct tdx_vp */
	ON_PAGE,	/* no TD is named */
};

struct call_data {
	unsigned long subject;
	u64 gpa;
	u64 pfn;
	u64 *ext1;
	u64 *ext2;
	int level;
};

static_assert(sizeof(struct call_data) <= TDPS_PROBE_DATA_MAX);

static struct call_hook {
	const char *symbol;
	enum tdps_call call;
	enum call_subject on;
	s8 gpa;			/* number of the argument, 0: none */
	s8 level;		/* likewise; with a GPA and without this: 4K */
	s8 ext;			/* first of the two pointers to extended errors */
	bool must;		/* without it none of CALL_CHECKS can be asked for */
	s8 pfn;			/* argument, of the page; 0: none, or nothing is made of it */
	s8 page;		/* likewise, a struct page * */
	struct fprobe fp;
	bool hooked;
} call_hooks[] = {
	{ "tdh_mem_sept_add", TDPS_CALL_MEM_SEPT_ADD, ON_TD, 1, 2, 4, true, .page = 3 },
	{ "tdh_mem_page_add", TDPS_CALL_MEM_PAGE_ADD, ON_TD, 1, 0, 4, true, .pfn = 2 },
	{ "tdh_mem_page_aug", TDPS_CALL_MEM_PAGE_AUG, ON_TD, 1, 2, 4, true, .pfn = 3 },
	{ "tdh_mem_range_block", TDPS_CALL_MEM_RANGE_BLOCK, ON_TD, 1, 2, 3, true },
	{ "tdh_mem_track", TDPS_CALL_MEM_TRACK, ON_TD, .must = true },
	{ "tdh_mem_page_remove", TDPS_CALL_MEM_PAGE_REMOVE, ON_TD, 1, 2, 3, true },
	{ "tdh_phymem_page_reclaim", TDPS_CALL_PHYMEM_PAGE_RECLAIM, ON_PAGE },
	{ "tdh_phymem_page_wbinvd_hkid", TDPS_CALL_PHYMEM_PAGE_WBINVD, ON_PAGE, .pfn = 1 },
	{ "tdh_phymem_page_wbinvd_tdr", TDPS_CALL_PHYMEM_PAGE_WBINVD, ON_TD },
	{ "tdh_phymem_cache_wb", TDPS_CALL_PHYMEM_CACHE_WB, ON_PAGE },
	{ "tdh_mng_create", TDPS_CALL_MNG_CREATE, ON_TD },
	{ "tdh_mng_key_config", TDPS_CALL_MNG_KEY_CONFIG, ON_TD },
	{ "tdh_mng_addcx", TDPS_CALL_MNG_ADDCX, ON_TD },
	{ "tdh_mng_init", TDPS_CALL_MNG_INIT, ON_TD },
	{ "tdh_mng_rd", TDPS_CALL_MNG_RD, ON_TD },
	{ "tdh_mng_vpflushdone", TDPS_CALL_MNG_VPFLUSHDONE, ON_TD },
	{ "tdh_mng_key_freeid", TDPS_CALL_MNG_KEY_FREEID, ON_TD },
	{ "tdh_mr_extend", TDPS_CALL_MR_EXTEND, ON_TD, 1 },
	{ "tdh_mr_finalize", TDPS_CALL_MR_FINALIZE, ON_TD },
	{ "tdh_vp_create", TDPS_CALL_VP_CREATE, ON_TD },
	{ "tdh_vp_addcx", TDPS_CALL_VP_ADDCX, ON_VP },
	{ "tdh_vp_init", TDPS_CALL_VP_INIT, ON_VP },
	{ "tdh_vp_rd", TDPS_CALL_VP_RD, ON_VP },
	{ "tdh_vp_wr", TDPS_CALL_VP_WR, ON_VP },
	{ "tdh_vp_flush", TDPS_CALL_VP_FLUSH, ON_VP },
};

static int call_entry(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct call_hook *h = container_of(fp, struct call_hook, fp);
	struct call_data *d = data;

	d->subject = tdps_arg(regs, 0);
	d->gpa = h->gpa ? tdps_arg(regs, h->gpa) : U64_MAX;
	d->pfn = h->pfn ? tdps_arg(regs, h->pfn) :
		 h->page ? page_to_pfn((struct page *)tdps_arg(regs, h->page)) : 0;
	if (h->level)
		d->level = tdps_arg(regs, h->level);
	else
		d->level = h->gpa ? PG_LEVEL_4K : 0;
	d->ext1 = h->ext ? (u64 *)tdps_arg(regs, h->ext) : NULL;
	d->ext2 = h->ext ? (u64 *)tdps_arg(regs, h->ext + 1) : NULL;
	return 0;
}

static struct kvm *subject_of(const struct call_hook *h, const struct call_data *d)
{
	switch (h->on) {
	case ON_TD:
		return tdps_tdx_kvm_of_td(d->subject);
	case ON_VP:
		return tdps_tdx_kvm_of_vp(d->subject);
	default:
		return NULL;
	}
}

static void call_exit(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
		      struct tdps_regs *regs, void *data)
{
	struct call_hook *h = container_of(fp, struct call_hook, fp);
	struct call_data *d = data;
	struct kvm *kvm = subject_of(h, d);
	struct tdps_seamcall c = {
		.where = {
			.vm = kvm ? tdps_vm_id(kvm) : 0,
			.gfn = d->gpa == U64_MAX ? TDPS_NO_GFN : gpa_to_gfn(d->gpa),
			.level = d->level,
		},
		.call = h->call,
		.status = tdps_ret(regs),
	};

	/* the caller's variables, on the stack it is about to return to */
	if (c.status && d->ext1) {
		c.ext1 = *d->ext1;
		c.ext2 = *d->ext2;
	}
	c.pa = PFN_PHYS(d->pfn);
	/* the rules about mmu_lock and tracking are about the MEM.* leaves, and one more */
	if (kvm && (h->call <= TDPS_CALL_MEM_PAGE_REMOVE || h->call == TDPS_CALL_VP_INIT)) {
		c.where.lock = tdps_lock_of(kvm);
		c.runnable = tdps_runnable(kvm);
	}
	tdps_calls_return(ret_ip);
	tdps_seamcall(&c);
	tdps_calls_return(0);
}

/**
 * tdps_seamcalls_hook() - tell of SEAMCALLs from now on
 *
 * Context: may sleep; after tdps_kvm_open() and the choice of checks.
 *
 * Return: 0 or -errno, the reason printed; some may be hooked then.
 */
int tdps_seamcalls_hook(void)
{
	int i, err = 0;

	/* the external backend reports its calls itself */
	tdps_writebacks_visible = tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL;
	if (!(tdps_enabled & CALL_CHECKS) || tdps_kvm_backend() == TDPS_BACKEND_EXTERNAL)
		return 0;
	for (i = 0; i < ARRAY_SIZE(call_hooks) && !err; i++) {
		struct call_hook *h = &call_hooks[i];

		h->fp.entry_handler = call_entry;
		h->fp.exit_handler = call_exit;
		h->fp.entry_data_size = sizeof(struct call_data);
		err = hook_probe(&h->fp, h->symbol, h->must ? CALL_CHECKS : 0, &h->hooked);
		/* of which page it says only where the page is an argument */
		if (h->call == TDPS_CALL_PHYMEM_PAGE_WBINVD && h->pfn && h->hooked)
			tdps_writebacks_visible = true;
	}
	return err;
}

/* May sleep. Handlers may still run until the next grace period of RCU. */
void tdps_seamcalls_unhook(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(call_hooks); i++)
		unhook_probe(&call_hooks[i].fp, &call_hooks[i].hooked);
}
