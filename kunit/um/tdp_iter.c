// SPDX-License-Identifier: GPL-2.0
/*
 * The tree's tdp_iter.c, unmodified, with a point where a walk looks at an entry:
 * a lockless one can be stopped there.
 */
#include "white.h"

#define kvm_tdp_mmu_read_spte(sptep)	um_read_spte(sptep)

#undef pr_fmt
#include "mmu/tdp_iter.c"
