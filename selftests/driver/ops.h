/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations: a table, so that a new one is one line there and one
 * function. Nothing else knows them one by one.
 */
#ifndef DRIVER_OPS_H
#define DRIVER_OPS_H

#include "../lib/types.h"

struct worker;

enum op_id {
	OP_RUN,
	OP_PREFAULT,
	OP_CYCLE,
	OP_PUNCH,
	OP_CONVERT,
	OP_MAP_GPA,
	OP_SLOT,
	OP_DIRTY_LOG,
	OP_MADVISE,
	OP_MPROTECT,
	OP_REMAP,
	OP_SIGNAL,
	OP_VCPU_ADD,
	OP_INIT_REGION,
	OP_TD_CYCLE,
	NR_OPS
};

enum op_result {
	OP_OK,
	OP_RETRY,	/* a legal errno: whoever wants it done tries again */
	OP_SKIP,	/* what it works on was in use by another worker */
	OP_FAILED,	/* already reported */
};

/* Who performs it. */
#define OP_BY_VCPU	BIT(0)	/* a vCPU's thread, on its own vCPU */
#define OP_BY_WORKER	BIT(1)	/* a worker, on any TD */
#define OP_BY_GUEST	BIT(2)	/* the guest asks for it, its vCPU's thread answers */

/**
 * struct op - one operation
 * @name: as in --ops and in thread names; at most 11 characters
 * @help: one line
 * @weight: default weight
 * @by: OP_BY_*
 * @needs: bit mask of operations without which it makes no sense
 * @activity: TD_ACT_*: what it does to others
 * @fn: perform it once; NULL for OP_BY_GUEST alone
 */
struct op {
	const char *name;
	const char *help;
	u32 weight;
	u32 by;
	u32 needs;
	u32 activity;
	enum op_result (*fn)(struct worker *w);
};

extern const struct op ops[NR_OPS];

void ops_default(u32 *weight);
int ops_parse(const char *list, u32 *weight, char *why, size_t why_size);
void ops_help(void);
u32 ops_activity(const u32 *weight);

/* op_vcpu.c */
enum op_result op_run(struct worker *w);
enum op_result op_signal(struct worker *w);
/* op_mem.c */
enum op_result op_prefault(struct worker *w);
enum op_result op_cycle(struct worker *w);
enum op_result op_punch(struct worker *w);
enum op_result op_convert(struct worker *w);
/* op_slot.c */
enum op_result op_slot(struct worker *w);
enum op_result op_dirty_log(struct worker *w);
/* op_backing.c */
enum op_result op_madvise(struct worker *w);
enum op_result op_mprotect(struct worker *w);
enum op_result op_remap(struct worker *w);
/* op_life.c */
enum op_result op_vcpu_add(struct worker *w);
enum op_result op_init_region(struct worker *w);
enum op_result op_td_cycle(struct worker *w);

#endif
