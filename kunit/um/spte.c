// SPDX-License-Identifier: GPL-2.0
/* The tree's spte.c, unmodified. */
#include <linux/kvm_host.h>

#undef pr_fmt
#include "mmu/spte.c"
