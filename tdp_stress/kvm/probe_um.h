/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes where no code can be patched: the part of <linux/fprobe.h> that tdp_stress
 * uses. A function that can be probed tells the handlers itself, as kunit/um/stress
 * has it; they run with preemption disabled, as there. Knows nothing of KVM.
 */
#ifndef TDP_STRESS_KVM_PROBE_UM_H
#define TDP_STRESS_KVM_PROBE_UM_H

#include <linux/types.h>

/* What a wrapper hands over in the place of registers. */
struct tdps_regs {
	unsigned long arg[6];
	unsigned long ret;
};

#define tdps_arg(regs, n)	((regs)->arg[n])
#define tdps_ret(regs)		((regs)->ret)
#define TDPS_PROBE_DATA_MAX	128

struct fprobe;

typedef int (*fprobe_entry_cb)(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
			       struct tdps_regs *regs, void *data);
typedef void (*fprobe_exit_cb)(struct fprobe *fp, unsigned long ip, unsigned long ret_ip,
			       struct tdps_regs *regs, void *data);

/**
 * struct fprobe - handlers of one or more functions
 * @nmissed: always 0: nothing is missed
 * @entry_data_size: bytes that @entry_handler hands to @exit_handler
 * @entry_handler: called before the function, or NULL; not 0: no @exit_handler
 * @exit_handler: called after it, or NULL
 */
struct fprobe {
	unsigned long nmissed;
	size_t entry_data_size;
	fprobe_entry_cb entry_handler;
	fprobe_exit_cb exit_handler;
};

static inline void tdps_probe_room(struct fprobe *fp)
{
}

/* As in <linux/fprobe.h>. Addresses are those that tdps_lookup() returns. */
int register_fprobe_ips(struct fprobe *fp, unsigned long *addrs, int num);
int register_fprobe_syms(struct fprobe *fp, const char **syms, int num);
int unregister_fprobe(struct fprobe *fp);

#endif
