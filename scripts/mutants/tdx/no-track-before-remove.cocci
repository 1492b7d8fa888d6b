// SPDX-License-Identifier: GPL-2.0
// Id: no-track-before-remove
// Title: a private page is removed without TDH.MEM.TRACK
// Class: flush
// Root: M
// Quick: yes
// File: arch/x86/kvm/vmx/tdx.c
// Expect: X2 X3
// Other: Z1 A1 SPLAT
// Reach: any zap of a private page
// The TDX module answers PAGE.REMOVE with TLB_TRACKING_NOT_DONE; on a module
// that did not check, a vCPU could keep using the page by a stale translation.

@@
expression K;
@@
tdx_sept_remove_leaf_spte(...)
{
<...
- tdx_track(K);
...>
}
