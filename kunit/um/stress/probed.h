/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The functions of KVM's that can be probed in UML. um_<name> is the wrapper of
 * <name>: callers that KVM's users stand for (tdp_stress, vm.c) call it by that name.
 */
#ifndef TDP_STRESS_KUNIT_UM_PROBED_H
#define TDP_STRESS_KUNIT_UM_PROBED_H

#include "probe.h"

extern struct um_probed um_probed[];
extern const int um_nr_probed;

#endif
