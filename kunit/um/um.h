/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a suite sees of KVM in UML: the headers of the tree under test behind the
 * shim, its functions by their own names, and the static ones (statics.h).
 */
#ifndef TDP_STRESS_UM_UM_H
#define TDP_STRESS_UM_UM_H

#include <linux/kvm_host.h>

#include "mmu.h"
#include "mmu/mmu_internal.h"
#include "mmu/spte.h"
#include "mmu/tdp_iter.h"
#include "mmu/tdp_mmu.h"

#include "statics.h"

#endif
