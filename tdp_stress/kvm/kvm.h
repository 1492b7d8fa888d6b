/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tdp_stress.ko asks of the room that knows KVM: find it, hook it, audit
 * its VMs. No KVM type gets out.
 */
#ifndef TDP_STRESS_KVM_KVM_H
#define TDP_STRESS_KVM_KVM_H

int tdps_kvm_open(void);
void tdps_kvm_close(void);
int tdps_kvm_hook(void);
void tdps_kvm_unhook(void);
void tdps_kvm_audit(void);

#endif
