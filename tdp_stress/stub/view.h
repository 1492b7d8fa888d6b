/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What only the emulated TDX module can see, offered to whoever watches KVM.
 * Optional: tdp_stress.ko finds it with symbol_get(tdx_stub_view) and works
 * without it (real TDX), then checks less and says so.
 */
#ifndef TDP_STRESS_STUB_VIEW_H
#define TDP_STRESS_STUB_VIEW_H

#include "../core/tdxm.h"

struct tdx_stub_listener {
	void (*finding)(void *ctx, const struct tdxm_finding *f);
	void *ctx;
};

/**
 * struct tdx_stub_view - the stub's optional interface
 * @size: sizeof(struct tdx_stub_view), refused if it differs
 * @sept_read: see tdxm_sept_read()
 * @shared_given_back: see tdxm_shared_given_back()
 * @listen: set the one listener (NULL: none; waits until no call is in flight)
 * @counters: see tdxm_for_each_counter()
 * @models_shared_tlb: the shared TLB of the guest is modelled (INVEPT is seen)
 */
struct tdx_stub_view {
	u32 size;
	int (*sept_read)(u64 tdr, u64 gpa, int level, u64 *pa, u8 *state);
	void (*shared_given_back)(u64 tdr, u64 gpa, u64 size);
	int (*listen)(const struct tdx_stub_listener *l);
	void (*counters)(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);
	bool (*models_shared_tlb)(void);
};

extern const struct tdx_stub_view tdx_stub_view;

#endif
