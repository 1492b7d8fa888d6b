/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stub's view: found with symbol_get(tdx_stub_view), so that tdp_stress.ko
 * works without the stub, too (real TDX).
 */
#ifndef TDP_STRESS_STUB_VIEW_H
#define TDP_STRESS_STUB_VIEW_H

#include "../core/view.h"

extern const struct tdxm_view tdx_stub_view;

#endif
