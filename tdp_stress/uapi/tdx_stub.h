/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a user-space driver and the emulated guest agree on. The stub plays the
 * guest, so a TD's initial RCX (KVM_TDX_INIT_VCPU's data), which would be the
 * TD HOB on real hardware, tells it which memory to touch.
 */
#ifndef _UAPI_TDX_STUB_H
#define _UAPI_TDX_STUB_H

/* base GFN in bits 31:0, number of 4K pages in bits 63:32 (0: touch nothing) */
#define TDX_STUB_GUEST_LAYOUT(base_gfn, nr_pages) \
	(((unsigned long long)(nr_pages) << 32) | (unsigned int)(base_gfn))
#define TDX_STUB_GUEST_BASE_GFN(rcx)	((rcx) & 0xffffffffULL)
#define TDX_STUB_GUEST_NR_PAGES(rcx)	((rcx) >> 32)

/* Port of the TDVMCALL<IO> by which the guest reports that it made progress. */
#define TDX_STUB_PROGRESS_PORT		0x80

#endif
