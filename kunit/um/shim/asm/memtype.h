/* SPDX-License-Identifier: GPL-2.0 */
/* What spte.c asks of the host's memory types. */
#ifndef TDP_STRESS_UM_ASM_MEMTYPE_H
#define TDP_STRESS_UM_ASM_MEMTYPE_H

static inline bool pat_enabled(void)
{
	return true;
}

static inline bool pat_pfn_immune_to_uc_mtrr(unsigned long pfn)
{
	return false;
}

#endif
