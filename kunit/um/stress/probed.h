/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of KVM's that can be probed in UML. Where a function has a wrapper,
 * that is what @fn is: callers that stand for KVM's users (tdp_stress) call it.
 */
#ifndef TDP_STRESS_KUNIT_UM_PROBED_H
#define TDP_STRESS_KUNIT_UM_PROBED_H

#include "probe.h"

extern struct um_probed um_probed[];
extern const int um_nr_probed;

#endif
