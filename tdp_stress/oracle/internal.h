/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Inside this room only, and for tdp-judge, which plays judge.c's caller: what its files
 * ask of one another.
 */
#ifndef TDP_STRESS_ORACLE_INTERNAL_H
#define TDP_STRESS_ORACLE_INTERNAL_H

#include "oracle.h"

/* --- contexts (ctx.c) --- */

int tdps_ctx_init(void);
void tdps_ctx_exit(void);
struct tdps_ctx *tdps_ctx_enter(void);
void tdps_ctx_leave(struct tdps_ctx *ctx);
typedef void (*tdps_ctx_fn)(struct tdps_ctx *ctx, void *arg);
void tdps_ctx_visit_busy(tdps_ctx_fn fn, void *arg);
void tdps_ctx_visit_all(tdps_ctx_fn fn, void *arg);

/* --- recorder, verdict --- */

int tdps_recorder_init(unsigned int events_per_cpu);
void tdps_recorder_exit(void);
void tdps_recorder_keep(void);
u16 tdps_event_calls(const struct tdps_event *ev);

int tdps_verdict_init(void);
void tdps_verdict_exit(void);
void tdps_td_seen(void);
size_t tdps_mem_bytes(void);
void tdps_mem_account(size_t bytes);

void tdps_who_is_current(struct tdps_who *who);
__printf(3, 4)
void tdps_violation_anyway(enum tdps_check id, const struct tdps_where *w, const char *fmt, ...);
/* For contexts where nothing may be printed; @text is copied. */
void tdps_violation_deferred(enum tdps_check id, const struct tdps_where *w, const char *text);

#define TDPS_CALLS_LENGTH	768	/* room for what struct tdps_calls puts into words */

static inline u16 tdps_calls_now(void)
{
	return tdps_calls ? tdps_calls->here() : 0;
}

/* --- families, called by judge.c --- */

void frozen_extop_begin(struct tdps_ctx *ctx, struct tdps_extop *x);
void frozen_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret, u64 ns);
void frozen_op_end(struct tdps_frame *f, enum tdps_op op, const struct tdps_op_end *e);
void frozen_table_freed(struct tdps_ctx *ctx, const struct tdps_extop *x);
void frozen_spte(const struct tdps_change *c);
void frozen_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s);
void frozen_watch(struct tdps_ctx *ctx, u64 now);

void meet_op_begin(struct tdps_ctx *ctx, struct tdps_frame *f);
void meet_window(struct tdps_ctx *ctx);
void meet_removal(struct tdps_ctx *ctx, const struct tdps_where *w);
bool meet_still_open(const struct tdps_ctx *met, u32 serial, struct tdps_window *win);
bool meet_any_window(void);
void meet_window_opens(void);
void meet_window_closes(void);

void split_table_zap(struct tdps_ctx *ctx, const struct tdps_where *w, bool mirror);
bool split_in_mirror(const struct tdps_ctx *ctx, const struct tdps_where *w);
void split_spte(struct tdps_ctx *ctx, const struct tdps_change *c);
void split_seen(const struct tdps_split *s);
void merge_seen(const struct tdps_split *s);

int dirty_init(void);
void dirty_exit(void);
void dirty_spte(const struct tdps_change *c, const struct tdps_frame *f);
void dirty_vm_gone(u64 vm);

int external_init(void);
void external_exit(void);
bool external_is_lenient(const struct tdps_extop *x);
void external_extop_begin(struct tdps_ctx *ctx, const struct tdps_extop *x);
void external_extop_end(struct tdps_ctx *ctx, const struct tdps_extop *x, int ret);
void external_seamcall(struct tdps_ctx *ctx, const struct tdps_seamcall *c);
bool external_audit(struct tdps_audit *a, const struct tdps_audit_spte *s);
bool tdps_status_busy(u64 status);

void zap_op_end(struct tdps_frame *f, enum tdps_op op, const struct tdps_op_end *e);
void zap_audit_root(struct tdps_audit *a, const struct tdps_audit_root *r);
void zap_mapped(const struct tdps_where *w);
void zap_root_free(u64 id);
void zap_forget(void);

void transition_spte(const struct tdps_change *c);
void transition_audit_spte(struct tdps_audit *a, const struct tdps_audit_spte *s);

/**
 * struct tlb_debt - a thread has unlinked a page table, and owes a TLB flush
 * @pid: thread; 0: nobody owes anything
 * @flushes: what tlb.c had counted of this thread then
 * @where: the table
 */
struct tlb_debt {
	pid_t pid;
	u64 flushes;
	struct tdps_where where;
};

struct tlb_debt tlb_table_zap(struct tdps_ctx *ctx, const struct tdps_where *w);
void tlb_table_free(const struct tlb_debt *debt);
void tlb_flush(void);
void tlb_invalidate_end(u64 vm);
void tlb_yield(struct tdps_ctx *ctx, u64 vm);

int rcu_init_table(void);
void rcu_exit_table(void);
void rcu_table_zap(u64 table, const struct tlb_debt *debt);
bool rcu_table_free(u64 table, bool *gp_passed);

void tlb_op_end(struct tdps_ctx *ctx, struct tdps_frame *f, enum tdps_op op,
		const struct tdps_op_end *e);
void tlb_unmapped(struct tdps_ctx *ctx, const struct tdps_frame *f);
/* @own: the view of an emulated module of our own; NULL: look for tdx_stub's */
int tlb_init(const struct tdxm_view *own);
void tlb_exit(void);

void accounting_op_end(enum tdps_op op, const struct tdps_op_end *e);
void accounting_audit(struct tdps_audit *a, const s64 pages[3], s64 tables);

void progress_extop_begin(struct tdps_ctx *ctx, const struct tdps_extop *x);
void progress_op_end(struct tdps_ctx *ctx, struct tdps_frame *f, enum tdps_op op,
		     const struct tdps_op_end *e, u64 now);
void progress_watch(struct tdps_ctx *ctx, u64 now);

/* KVM gives @vm up, or has done so, because the backend refused what it cannot do. */
void splat_refused(u64 vm);
bool splat_is_refused(u64 vm);
void splat_vm_gone(u64 vm);

/* --- failures on purpose (excuse.c) --- */

bool tdps_is_excused(u64 vm);
bool tdps_excused(enum tdps_check id, const struct tdps_where *w);
void tdps_excuse_gone(u64 vm);
bool tdps_is_injected(const struct tdps_seamcall *c);
bool tdps_was_injected(const struct tdps_seamcall *c, bool repeated);
u64 tdps_excused_here(void);
void tdps_excuse_init(void);

#endif
