// SPDX-License-Identifier: GPL-2.0
/*
 * Probes without patched code: who wants to know of a function's calls, and
 * telling them. Which functions there are is probed.c's.
 */
#include <linux/errno.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "probe.h"
#include "probed.h"

static DEFINE_MUTEX(probe_mutex);	/* changes of who wants to know */

static int attach(struct um_probed *p, struct fprobe *fp)
{
	int i;

	for (i = 0; i < UM_PROBES; i++) {
		if (p->fp[i])
			continue;
		WRITE_ONCE(p->fp[i], fp);
		return 0;
	}
	return -EBUSY;
}

static struct um_probed *find(const char *name, unsigned long addr)
{
	int i;

	for (i = 0; i < um_nr_probed; i++)
		if (name ? !strcmp(um_probed[i].name, name) :
			   (unsigned long)um_probed[i].fn == addr)
			return &um_probed[i];
	return NULL;
}

/* By name, or by address where @syms is NULL. */
static int attach_all(struct fprobe *fp, const char **syms, unsigned long *addrs, int num)
{
	struct um_probed *p;
	int i, err = 0;

	if (fp->entry_data_size > TDPS_PROBE_DATA_MAX)
		return -EINVAL;
	mutex_lock(&probe_mutex);
	for (i = 0; i < num && !err; i++) {
		p = find(syms ? syms[i] : NULL, syms ? 0 : addrs[i]);
		err = p ? attach(p, fp) : -ENOENT;
	}
	mutex_unlock(&probe_mutex);
	if (err)
		unregister_fprobe(fp);
	return err;
}

int register_fprobe_ips(struct fprobe *fp, unsigned long *addrs, int num)
{
	return attach_all(fp, NULL, addrs, num);
}

int register_fprobe_syms(struct fprobe *fp, const char **syms, int num)
{
	return attach_all(fp, syms, NULL, num);
}

/* Calls in flight may still be told of: wait for an RCU grace period, as for the real one. */
int unregister_fprobe(struct fprobe *fp)
{
	int i, at;

	guard(mutex)(&probe_mutex);
	for (i = 0; i < um_nr_probed; i++)
		for (at = 0; at < UM_PROBES; at++)
			if (um_probed[i].fp[at] == fp)
				WRITE_ONCE(um_probed[i].fp[at], NULL);
	return 0;
}

/**
 * um_call_enter() - tell of a call that begins
 * @p: the function
 * @c: the call, arguments filled in
 *
 * Context: any that the function can be called in.
 */
void um_call_enter(struct um_probed *p, struct um_call *c)
{
	struct fprobe *fp;
	int i;

	guard(preempt)();
	for (i = 0; i < UM_PROBES; i++) {
		fp = READ_ONCE(p->fp[i]);
		c->told[i] = NULL;
		if (!fp)
			continue;
		if (fp->entry_handler && fp->entry_handler(fp, (unsigned long)p->fn, 0, &c->regs,
							   c->data[i]))
			continue;
		if (fp->exit_handler)
			c->told[i] = fp;
	}
}

/**
 * um_call_leave() - tell of its end
 * @p: the function
 * @c: the call, with the function's result
 */
void um_call_leave(struct um_probed *p, struct um_call *c)
{
	struct fprobe *fp;
	int i;

	guard(preempt)();
	for (i = 0; i < UM_PROBES; i++) {
		fp = c->told[i];
		/* only for those that are still interested: the others' code may be gone */
		if (fp && READ_ONCE(p->fp[i]) == fp)
			fp->exit_handler(fp, (unsigned long)p->fn, 0, &c->regs, c->data[i]);
	}
}
