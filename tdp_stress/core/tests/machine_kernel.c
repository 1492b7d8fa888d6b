// SPDX-License-Identifier: GPL-2.0
/*
 * The machine of tdhost.h in the kernel: one piece of real memory, half of it 4K
 * pages and half of it one 2M page; the PAMT reaches to its end. The real CPUs.
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/irqflags.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "tdhost.h"

#define ORDER_2M	(21 - PAGE_SHIFT)
#define ORDER		(ORDER_2M + 1)

int machine_up(struct host *h, struct tdxm_config *cfg)
{
	struct page *memory = alloc_pages(GFP_KERNEL, ORDER);

	if (!memory)
		return -ENOMEM;
	h->memory = memory;
	h->first_pfn = page_to_pfn(memory);
	h->end_pfn = h->first_pfn + BIT(ORDER_2M);
	h->huge = h->end_pfn << PAGE_SHIFT;
	if (!cfg->nr_pages)
		cfg->nr_pages = h->first_pfn + BIT(ORDER);
	if (!cfg->nr_lps)
		cfg->nr_lps = nr_cpu_ids;
	return 0;
}

void machine_down(struct host *h)
{
	__free_pages(h->memory, ORDER);
}

void machine_call(struct tdxm *m, struct tdxm_regs *regs)
{
	unsigned long flags;

	local_irq_save(flags);
	tdxm_seamcall(m, regs);
	local_irq_restore(flags);
}

void machine_set_lp(u32 lp)
{
	set_cpus_allowed_ptr(current, cpumask_of(lp));
}
