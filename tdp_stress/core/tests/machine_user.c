// SPDX-License-Identifier: GPL-2.0
/* The machine of tdhost.h in user space: that of env_user.c. */
#include "tdhost.h"

int machine_up(struct host *h, struct tdxm_config *cfg)
{
	if (!cfg->nr_pages)
		cfg->nr_pages = HOST_PAGES;
	if (!cfg->nr_lps)
		cfg->nr_lps = HOST_LPS;
	h->first_pfn = 16;
	h->end_pfn = cfg->nr_pages;
	h->huge = HUGE_PA(0);
	machine_set_lp(0);
	return tdxm_env_user_init(cfg->nr_pages, HOST_HOLE, HOST_HOLE_PAGES);
}

void machine_down(struct host *h)
{
	tdxm_env_user_exit();
}

void machine_call(struct tdxm *m, struct tdxm_regs *regs)
{
	tdxm_seamcall(m, regs);
}

void machine_set_lp(u32 lp)
{
	tdxm_env_user_set_lp(lp);
}
