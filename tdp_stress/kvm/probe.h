/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels about fprobes: their handlers' view of the
 * registers. Chosen by what the headers define; knows nothing of KVM.
 */
#ifndef TDP_STRESS_KVM_PROBE_H
#define TDP_STRESS_KVM_PROBE_H

#ifdef CONFIG_UML
/* No code is patched there: functions that can be probed tell it themselves. */
#include "probe_um.h"
#else
#include <linux/fprobe.h>

#ifdef MAX_FPROBE_DATA_SIZE
/* fprobes on function graph */
#define tdps_regs	ftrace_regs
#define tdps_arg(regs, n)	ftrace_regs_get_argument(regs, n)
#define tdps_ret(regs)	ftrace_regs_get_return_value(regs)
#define TDPS_PROBE_DATA_MAX	MAX_FPROBE_DATA_SIZE

static inline void tdps_probe_room(struct fprobe *fp)
{
}
#else
/* fprobes on rethook: it has a limit of its own to calls that are in flight at once */
#define tdps_regs	pt_regs
#define tdps_arg(regs, n)	regs_get_kernel_argument(regs, n)
#define tdps_ret(regs)	regs_return_value(regs)
#define TDPS_PROBE_DATA_MAX	PAGE_SIZE
#define TDPS_PROBE_CALLS	256

static inline void tdps_probe_room(struct fprobe *fp)
{
	fp->nr_maxactive = TDPS_PROBE_CALLS;
}
#endif
#endif /* CONFIG_UML */

#endif
