/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tdp_stress.ko asks of the room that knows KVM: find it, hook it, audit
 * its VMs. No KVM type gets out.
 */
#ifndef TDP_STRESS_KVM_KVM_H
#define TDP_STRESS_KVM_KVM_H

#include <linux/types.h>

/**
 * enum tdps_backend - who keeps the external page tables
 * @TDPS_BACKEND_AUTO: tdx where KVM has it enabled, else external
 * @TDPS_BACKEND_TDX: kvm_intel's tdx.c; this module only watches
 * @TDPS_BACKEND_EXTERNAL: this module, see external.h
 */
enum tdps_backend {
	TDPS_BACKEND_AUTO,
	TDPS_BACKEND_TDX,
	TDPS_BACKEND_EXTERNAL,
};

int tdps_kvm_open(enum tdps_backend wanted);
/* What was chosen, never AUTO; after tdps_kvm_open(). */
enum tdps_backend tdps_kvm_backend(void);
const char *tdps_kvm_backend_name(void);
/* "this KVM has no mirror roots", or NULL. */
const char *tdps_kvm_only_direct(void);
void tdps_kvm_close(void);
int tdps_kvm_hook(void);
void tdps_kvm_unhook(void);
void tdps_kvm_audit(bool now);

#endif
