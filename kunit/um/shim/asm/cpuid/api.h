/* SPDX-License-Identifier: GPL-2.0 */
/* What spte.c asks of the host's CPU: physical addresses have 52 bits. */
#ifndef TDP_STRESS_UM_ASM_CPUID_API_H
#define TDP_STRESS_UM_ASM_CPUID_API_H

static inline u32 cpuid_eax(u32 op)
{
	return 52;
}

#endif
