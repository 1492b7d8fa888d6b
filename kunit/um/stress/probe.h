/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Probes on functions where no code can be patched: a function that can be probed
 * is called through a wrapper, which tells the handlers before and after it. The
 * part of <linux/fprobe.h> that tdp_stress uses; handlers run with preemption
 * disabled, as there. Knows nothing of KVM.
 */
#ifndef TDP_STRESS_KUNIT_UM_PROBE_H
#define TDP_STRESS_KUNIT_UM_PROBE_H

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

#define UM_PROBES	2	/* on one function */

/**
 * struct um_probed - a function that can be probed
 * @name: its name
 * @fn: what callers call: its wrapper, or itself
 * @fp: who wants to know
 */
struct um_probed {
	const char *name;
	void *fn;
	struct fprobe *fp[UM_PROBES];
};

/**
 * struct um_call - a call of such a function, on the caller's stack
 * @regs: arguments and result
 * @told: the handlers that are to be told of its end
 * @data: what their entry handlers keep
 */
struct um_call {
	struct tdps_regs regs;
	struct fprobe *told[UM_PROBES];
	char data[UM_PROBES][TDPS_PROBE_DATA_MAX] __aligned(8);
};

void um_call_enter(struct um_probed *p, struct um_call *c);
void um_call_leave(struct um_probed *p, struct um_call *c);

#endif
