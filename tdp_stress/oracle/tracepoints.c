// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoints of tracepoints.h: here they come into being. Calls none of them.
 */
#include "internal.h"

#define CREATE_TRACE_POINTS
#include "tracepoints.h"
