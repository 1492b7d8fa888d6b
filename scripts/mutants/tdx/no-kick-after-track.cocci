// SPDX-License-Identifier: GPL-2.0
// Id: no-kick-after-track
// Title: vCPUs are not forced out of the guest after TDH.MEM.TRACK
// Class: flush
// Root: M
// Quick: full
// File: arch/x86/kvm/vmx/tdx.c
// Expect: X2 X3
// Other: Z1 A1 SPLAT
// Reach: any zap of a private page while vCPUs are in the guest
// A vCPU that stays in the guest keeps the previous epoch: PAGE.REMOVE finds
// TLB_TRACKING_NOT_DONE, or the next TRACK finds PREVIOUS_TLB_EPOCH_BUSY.

@@
expression K;
@@
tdx_track(...)
{
<...
- kvm_make_all_cpus_request(K, KVM_REQ_OUTSIDE_GUEST_MODE);
...>
}
