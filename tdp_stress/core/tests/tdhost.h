/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host for the core's tests, in user space and in the kernel: a machine with one
 * TDX module, and TDs built on it by SEAMCALLs in the order KVM uses. Knows the ABI
 * and, to set up states that no leaf leads to, the core's internals; knows no KVM.
 * What the machine is made of only machine_user.c or machine_kernel.c knows.
 */
#ifndef TDP_STRESS_CORE_TESTS_TDHOST_H
#define TDP_STRESS_CORE_TESTS_TDHOST_H

#include "../internal.h"

#define HOST_KEYID	32u
#define HOST_NR_KEYIDS	4u
#define HOST_TDCS_PAGES	4u
#define HOST_TDVPS_PAGES 3u
#define HOST_MAX_VCPUS	4u
#define HOST_PHYS_BITS	46

#define TEST_GPA	0x40000000ULL	/* private, 1G aligned */
#define GPA_4K(i)	(TEST_GPA + (u64)(i) * PAGE_SIZE)
#define SHARED_BIT	BIT_ULL(47)

#ifndef __KERNEL__
/* The machine in user space; its memory begins at physical address 0. */
#define HOST_PAGES	16384u
#define HOST_HOLE	8192u	/* no RAM here */
#define HOST_HOLE_PAGES	16u
#define HOST_LPS	8u
/* 2M pages that host_page() does not come to. */
#define HUGE_PA(i)	((8ULL + (i)) << 21)
#endif

#define SIZE_2M		BIT_ULL(21)
#define SIZE_1G		BIT_ULL(30)

/* How far a TD is built. */
enum td_stage {
	STAGE_CREATED,
	STAGE_KEYED,
	STAGE_TDCS,
	STAGE_INITIALIZED,
	STAGE_RUNNABLE,
};

struct host;

struct test_vcpu {
	u64 tdvpr;
	u64 tdcx[HOST_TDVPS_PAGES - 1];
	struct tdxm_vcpu *vcpu;
};

struct test_td {
	struct host *h;
	u64 tdr;
	u64 tdcx[HOST_TDCS_PAGES];
	u32 hkid;
	u32 nr_tdcx;
	u32 nr_vcpus;
	struct test_vcpu vcpu[HOST_MAX_VCPUS];
	u64 ept[64];
	u32 nr_ept;
	u64 eptp;	/* root of the shared EPT, 0: none */
	bool npt;	/* it is in AMD's format */
};

/**
 * struct host - the machine
 * @m: its TDX module
 * @guest: plays the guest in TDH.VP.ENTER; NULL: exits at once with status 77
 * @last: registers of the last call on the thread that owns the host
 * @first_pfn: first page that host_page() gives
 * @next_pfn: next one
 * @end_pfn: page after the last
 * @huge: a 2M page that host_page() does not come to
 * @memory: the machine's own
 * @findings: findings so far
 * @finding_id: id of the first of them
 * @finding: the first of them
 * @dirtied: calls of tdxm_hooks.dirtied
 * @dirtied_gpa: GPA of the last of them
 * @arg: the guest's own
 */
struct host {
	struct tdxm *m;
	u64 (*guest)(struct host *h, struct tdxm_vcpu *vcpu, struct tdxm_regs *regs);
	struct tdxm_regs last;
	u64 first_pfn, next_pfn, end_pfn;
	u64 huge;
	void *memory;
	u32 findings;
	char finding_id[4];
	struct tdxm_finding finding;
	u32 dirtied;
	u64 dirtied_gpa;
	void *arg;
};

extern const struct tdxm_config host_config;

/* @cfg: NULL: host_config; where it leaves something to the machine, it decides. */
int host_start(struct host *h, const struct tdxm_config *cfg);
int host_stop(struct host *h);
/* A page that nobody uses, full of something that is no canary; ~0: none is left. */
u64 host_page(struct host *h);
/* No TD lives any more: all pages are free again, no finding was seen. */
void host_reset(struct host *h);
/* Try-locks that somebody holds, but those of S-EPT entries. */
u32 host_locked(struct host *h);
/* Take down all TDs, in whatever state they are; pages that remain theirs. */
u64 host_sweep(struct host *h);
u64 host_counter(struct host *h, const char *name);

u64 seamcall4(struct host *h, u64 leaf, u64 rcx, u64 rdx, u64 r8, u64 r9);
/* The same from another thread: nothing of @h but the module is touched. */
u64 seamcall_on(struct host *h, struct tdxm_regs *regs, u64 leaf, u64 rcx, u64 rdx, u64 r8);

#define seamcall(h, leaf, rcx, rdx, r8)	seamcall4(h, leaf, rcx, rdx, r8, 0)

void td_params_init(struct tdxm_td_params *p);
u64 td_start(struct host *h, struct test_td *td, u32 hkid, enum td_stage stage, u32 nr_vcpus);
u64 td_add_vcpu(struct test_td *td, struct test_vcpu *v);
/* Tables for @gpa down to those with 4K entries. */
u64 td_map_tables(struct test_td *td, u64 gpa);
/* The same down to those with entries of @leaf_level. */
u64 td_map_tables_to(struct test_td *td, u64 gpa, int leaf_level);
u64 td_aug(struct test_td *td, u64 gpa, u64 pa);
u64 td_block(struct test_td *td, u64 gpa);
u64 td_track(struct test_td *td);
u64 td_remove(struct test_td *td, u64 gpa);
/* Put the entry at @level into @state; where a page is needed it is @pa. 0 or -1. */
int td_put_state(struct test_td *td, u64 gpa, int level, u64 pa, enum sept_state state);
u64 td_unblock(struct test_td *td, u64 gpa);
u64 td_demote(struct test_td *td, u64 gpa, u64 table);
u64 td_promote(struct test_td *td, u64 gpa);
u64 td_remove_table(struct test_td *td, u64 gpa);
u64 td_block_and_track(struct test_td *td, u64 gpa);
/* Block, track, remove, write back; the page, or 0 if one of them failed. */
u64 td_zap(struct test_td *td, u64 gpa);
u64 td_enter(struct test_td *td, u32 i);
struct tdxm_tdr *td_tdr(struct test_td *td);
struct tdxm_tdcs *td_tdcs(struct test_td *td);
u64 *td_entry(struct test_td *td, u64 gpa, int level);
enum sept_state td_state(struct test_td *td, u64 gpa);
enum sept_state td_state_at(struct test_td *td, u64 gpa, int level);
u64 td_pa_at(struct test_td *td, u64 gpa, int level);

/* TDH.PHYMEM.CACHE.WB until it is done or refused. */
u64 host_write_back(struct host *h);
u64 td_flush_vcpus(struct test_td *td);
u64 td_free_hkid(struct test_td *td);
u64 reclaim(struct host *h, u64 pa);
/* All of it: flush, free the HKID, reclaim everything, the TDR last. */
u64 td_stop(struct test_td *td);
/* The same once the HKID is free. */
u64 td_stop_rest(struct test_td *td);

/*
 * The machine. up: memory for @h, @cfg completed (nr_pages, nr_lps); 0 or -errno.
 * call: SEAMCALL as a CPU executes it. set_lp: go on as logical processor @lp; may
 * sleep, and nobody moves the caller away from it.
 */
int machine_up(struct host *h, struct tdxm_config *cfg);
void machine_down(struct host *h);
void machine_call(struct tdxm *m, struct tdxm_regs *regs);
void machine_set_lp(u32 lp);

/* KVM's direct root: map @gpa (without the SHARED bit) to @pa, 4K. */
void shared_map(struct test_td *td, u64 gpa, u64 spte);
u64 *shared_spte(struct test_td *td, u64 gpa);
/* The entry at @level; the tables above it are made if they are missing. */
u64 *shared_entry(struct test_td *td, u64 gpa, int level);

#endif
