/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only the emulated TDX module can see, offered to whoever watches KVM:
 * the same table from whichever module embeds the core (tdx_stub.ko, or
 * tdp_stress.ko's external-ops backend). A real TDX module has none; then less
 * is checked, and said so.
 */
#ifndef TDP_STRESS_CORE_VIEW_H
#define TDP_STRESS_CORE_VIEW_H

#include "tdxm.h"

struct tdxm_listener {
	void (*finding)(void *ctx, const struct tdxm_finding *f);
	void *ctx;
};

/**
 * struct tdxm_view - what an emulated TDX module lets others see
 * @size: sizeof(struct tdxm_view), refused if it differs
 * @sept_read: see tdxm_sept_read()
 * @shared_given_back: see tdxm_shared_given_back()
 * @listen: set the one listener (NULL: none; waits until no call is in flight)
 * @counters: see tdxm_for_each_counter()
 * @models_shared_tlb: the shared TLB of the guest is modelled (INVEPT is seen)
 * @inject: see tdxm_inject()
 * @inject_seen: see tdxm_inject_seen()
 */
struct tdxm_view {
	u32 size;
	int (*sept_read)(u64 tdr, u64 gpa, int level, u64 *pa, u8 *state);
	void (*shared_given_back)(u64 tdr, u64 gpa, u64 size);
	int (*listen)(const struct tdxm_listener *l);
	void (*counters)(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);
	bool (*models_shared_tlb)(void);
	int (*inject)(u32 leaf, u64 status, enum tdxm_inject_mode mode, u32 value);
	int (*inject_seen)(u32 leaf, u64 *calls, u64 *fired);
};

#endif
