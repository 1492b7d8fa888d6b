/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of tdx_stub.ko tell each other. Knows the core by its public
 * header; knows no symbol of KVM or of the TDX host code.
 */
#ifndef TDP_STRESS_STUB_STUB_H
#define TDP_STRESS_STUB_STUB_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/notifier.h>
#include <linux/types.h>

#include "../core/tdxm.h"

#undef pr_fmt
#define pr_fmt(fmt) "tdx_stub: " fmt

struct module;
struct seq_file;

/* --- main.c --- */

/*
 * The emulated module. Set once, before the trap and the user interfaces that
 * read it exist; gone only after the last of them is.
 */
extern struct tdxm *stub_tdxm;

int stub_lock_kvm_intel(struct module *mod);
void stub_unlock_kvm_intel(void);

/* --- params.c --- */

/*
 * Module parameters, see their descriptions in params.c.
 *
 * All may be read at any time with READ_ONCE(); the ones marked "run time" may
 * change under the reader.
 */
struct stub_params {
	u64 seed;
	u64 busy;		/* run time: 1 in N, 0 never */
	u64 hold_ns;
	u64 max_vcpus;
	u64 guest_accesses;	/* run time */
	u64 guest_shared_pct;	/* run time: percent */
	u64 guest_map_gpa;	/* run time: 1 in N, 0 never */
	u64 guest_long;		/* run time: 1 in N, 0 never */
	u64 guest_stay_us;	/* run time: microseconds */
	u64 guest_careless;	/* run time: 1 in N, 0 never */
};

extern struct stub_params stub_params;

int stub_params_check(void);
void stub_params_apply(void);

/* --- platform.c --- */

/**
 * struct stub_platform - what was found out about the host
 * @fake_vmx: the CPU has no VMX, novmx.c stands in for it
 * @nr_pages: 4K pages from physical address 0 to the end of memory
 */
struct stub_platform {
	bool fake_vmx;
	u64 nr_pages;
};

extern struct stub_platform stub_platform;

/* What the emulated TDX module claims to be; see platform.c */
#define STUB_TDCS_PAGES		6
#define STUB_TDVPS_PAGES	6
#define STUB_GLOBAL_KEYID	64
#define STUB_KEYID_START	(STUB_GLOBAL_KEYID + 1)
#define STUB_NR_KEYIDS		63
/* Attributes and extended features a TD may have: SEPT_VE_DISABLE; any, x87 and SSE always */
#define STUB_ATTRS_FIXED0	BIT_ULL(28)
#define STUB_XFAM_FIXED0	~0ULL
#define STUB_XFAM_FIXED1	3ULL
/* The one CPUID leaf that can be configured: address widths; it has no subleaf */
#define STUB_CPUID_CONFIG	0xffffffff80000008ULL

int stub_platform_check(void);
int stub_platform_apply(void);
void stub_platform_restore(void);
unsigned long stub_symbol(const char *name);
unsigned long stub_symbol_room(unsigned long addr);

/* --- novmx.c --- */

int stub_novmx_init(void);
void stub_novmx_exit(void);

/* --- trap.c --- */

/*
 * Instructions emulated since load. Statistics only: one counter per CPU would be
 * exact too, but nobody adds up.
 */
struct stub_trap_stats {
	atomic64_t seamcall, invept, invvpid;
};

extern struct stub_trap_stats stub_trap_stats;

int stub_trap_init(void);
void stub_trap_exit(void);

/* --- trace.c --- */

void stub_seamcall(struct tdxm_regs *regs);
void stub_trace_invept(void);
void stub_trace_finding(const struct tdxm_finding *f);

/* --- guest.c --- */

u64 stub_guest(struct tdxm *m, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs);
void stub_guest_counters(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

/* --- finding.c --- */

void stub_finding(struct tdxm *m, const struct tdxm_finding *f);
void stub_finding_exit(void);

/* --- inject.c --- */

int stub_inject_show(struct seq_file *s, void *unused);
int stub_inject_line(char *line);

/* --- debugfs.c --- */

void stub_debugfs_init(void);
void stub_debugfs_exit(void);

/* --- view.c: see view.h --- */

void stub_view_finding(const struct tdxm_finding *f);
void stub_view_counters(void (*fn)(void *ctx, const char *name, u64 value), void *ctx);

#endif
