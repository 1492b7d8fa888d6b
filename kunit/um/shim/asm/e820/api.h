/* SPDX-License-Identifier: GPL-2.0 */
/* What spte.c asks of the host's memory map: all that a test maps is RAM. */
#ifndef TDP_STRESS_UM_ASM_E820_API_H
#define TDP_STRESS_UM_ASM_E820_API_H

#define E820_TYPE_RAM	1

static inline bool e820__mapped_raw_any(u64 start, u64 end, int type)
{
	return true;
}

#endif
