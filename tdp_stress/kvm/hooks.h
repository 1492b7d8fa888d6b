/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only: what hooks.c and seamcall.c share of probing a function.
 */
#ifndef TDP_STRESS_KVM_HOOKS_H
#define TDP_STRESS_KVM_HOOKS_H

#include "probe.h"

int hook_probe(struct fprobe *fp, const char *symbol, unsigned long need, bool *hooked);
void unhook_probe(struct fprobe *fp, bool *hooked);

/* seamcall.c */
int tdps_seamcalls_hook(void);
void tdps_seamcalls_unhook(void);

#endif
