/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Schedule points by name, as parameters have them. Where they are: kvm/point.h.
 */
#ifndef TDP_STRESS_TORTURE_SCHEDULE_H
#define TDP_STRESS_TORTURE_SCHEDULE_H

#include <linux/types.h>

#include "../kvm/point.h"

/* "frozen,zap" or "all"; -EINVAL: one line says what would be right. */
int tdps_parse_points(const char *text, unsigned long *points);
size_t tdps_points_str(unsigned long points, char *buf, size_t len);

#endif
