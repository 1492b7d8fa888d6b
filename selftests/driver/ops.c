// SPDX-License-Identifier: GPL-2.0
/* The table of operations and the --ops list. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.h"
#include "../lib/td.h"

#define MAX_WEIGHT	1000

const struct op ops[NR_OPS] = {
	[OP_RUN] = {
		"run", "KVM_RUN, with an answer to every exit", 100,
		/* The guest's shared and private accesses make us convert. */
		OP_BY_VCPU, 0, TD_ACT_ATTRS, op_run
	},
	[OP_PREFAULT] = {
		"prefault", "KVM_PRE_FAULT_MEMORY, on the own vCPU or on another's", 20,
		OP_BY_VCPU | OP_BY_WORKER, 0, 0, op_prefault
	},
	[OP_CYCLE] = {
		"cycle", "prefault and punch the vCPU's own range (--ops bench)", 0,
		OP_BY_VCPU, 0, 0, op_cycle
	},
	[OP_PUNCH] = {
		"punch", "PUNCH_HOLE in guest_memfd", 20, OP_BY_WORKER, 0, 0, op_punch
	},
	[OP_CONVERT] = {
		"convert", "private <-> shared from the host", 20,
		OP_BY_WORKER, 0, TD_ACT_ATTRS, op_convert
	},
	[OP_MAP_GPA] = {
		"map_gpa", "convert when the guest asks (0: refuse)", 1,
		OP_BY_GUEST, BIT(OP_RUN), TD_ACT_ATTRS, NULL
	},
	[OP_SLOT] = {
		"slot", "delete and re-add, or move, a memslot", 1,
		OP_BY_WORKER, 0, TD_ACT_SLOTS, op_slot
	},
	[OP_DIRTY_LOG] = {
		"dirty_log", "toggle, get and clear the dirty log of shared memory", 5,
		/* The window's slot is exchanged and converted for it. */
		OP_BY_WORKER, 0, TD_ACT_SLOTS | TD_ACT_ATTRS, op_dirty_log
	},
	[OP_MADVISE] = {
		"madvise", "MADV_DONTNEED and huge page advice on shared memory", 10,
		OP_BY_WORKER, 0, TD_ACT_BACKING, op_madvise
	},
	[OP_MPROTECT] = {
		"mprotect", "take and give back access to shared memory", 5,
		OP_BY_WORKER, 0, TD_ACT_BACKING, op_mprotect
	},
	[OP_REMAP] = {
		"remap", "unmap and map shared memory again", 5,
		OP_BY_WORKER, 0, TD_ACT_BACKING, op_remap
	},
	[OP_SIGNAL] = {
		"signal", "interrupt a vCPU's thread", 10,
		OP_BY_WORKER, BIT(OP_RUN), TD_ACT_SIGNALS, op_signal
	},
	[OP_VCPU_ADD] = {
		"vcpu_add", "add vCPUs while memory is initialised, and too late", 1,
		OP_BY_WORKER, 0, 0, op_vcpu_add
	},
	[OP_INIT_REGION] = {
		"init_region", "KVM_TDX_INIT_MEM_REGION in a TD that never runs", 1,
		OP_BY_WORKER, 0, 0, op_init_region
	},
	[OP_TD_CYCLE] = {
		"td_cycle", "create, run and destroy a small TD", 1,
		OP_BY_WORKER, 0, 0, op_td_cycle
	},
};

void ops_default(u32 *weight)
{
	int i;

	for (i = 0; i < NR_OPS; i++)
		weight[i] = ops[i].weight;
}

static int find(const char *name, size_t len)
{
	int i;

	for (i = 0; i < NR_OPS; i++)
		if (strlen(ops[i].name) == len && !strncmp(ops[i].name, name, len))
			return i;
	return -1;
}

/* One "name=weight" or "name" (its default, or 1) of @len characters. */
static int parse_one(const char *item, size_t len, u32 *weight, u32 *seen,
		     char *why, size_t why_size)
{
	const char *eq = memchr(item, '=', len);
	size_t name_len = eq ? (size_t)(eq - item) : len;
	int op = find(item, name_len);
	unsigned long value;
	char *end;

	if (op < 0) {
		snprintf(why, why_size, "'%.*s' is no operation; --ops help lists them",
			 (int)name_len, item);
		return -1;
	}
	if (*seen & BIT(op)) {
		snprintf(why, why_size, "'%s' is given twice", ops[op].name);
		return -1;
	}
	*seen |= BIT(op);
	if (!eq) {
		weight[op] = ops[op].weight ? ops[op].weight : 1;
		return 0;
	}
	value = strtoul(eq + 1, &end, 10);
	if (!isdigit((unsigned char)eq[1]) || end != item + len || value > MAX_WEIGHT) {
		snprintf(why, why_size, "the weight of '%s' must be a number from 0 to %d",
			 ops[op].name, MAX_WEIGHT);
		return -1;
	}
	weight[op] = value;
	return 0;
}

static int check(const u32 *weight, char *why, size_t why_size)
{
	u32 sum = 0, on = 0;
	int i, j;

	for (i = 0; i < NR_OPS; i++) {
		sum += weight[i];
		if (weight[i])
			on |= BIT(i);
	}
	if (!sum) {
		snprintf(why, why_size, "at least one weight must be above 0");
		return -1;
	}
	for (i = 0; i < NR_OPS; i++) {
		if (!weight[i] || !(ops[i].needs & ~on))
			continue;
		for (j = 0; !(ops[i].needs & ~on & BIT(j)); j++)
			;
		snprintf(why, why_size, "'%s' needs '%s' too", ops[i].name, ops[j].name);
		return -1;
	}
	return 0;
}

/**
 * ops_parse() - understand an --ops list
 * @list: "bench", or name[=weight] separated by commas; what is not in the list
 *	  gets weight 0
 * @weight: filled in
 * @why: one clause that says what is wrong
 * @why_size: bytes of @why
 *
 * Return: 0, or -1 with @why
 */
int ops_parse(const char *list, u32 *weight, char *why, size_t why_size)
{
	u32 seen = 0;
	const char *p = list;

	memset(weight, 0, NR_OPS * sizeof(*weight));
	if (!strcmp(list, "bench")) {
		weight[OP_CYCLE] = 1;
		return 0;
	}
	for (;;) {
		size_t len = strcspn(p, ",");

		if (parse_one(p, len, weight, &seen, why, why_size))
			return -1;
		if (!p[len])
			break;
		p += len + 1;
	}
	return check(weight, why, why_size);
}

void ops_help(void)
{
	int i;

	puts("operation    weight  by            what");
	for (i = 0; i < NR_OPS; i++)
		printf("%-12s %6u  %-12s  %s\n", ops[i].name, ops[i].weight,
		       ops[i].by & OP_BY_GUEST ? "guest" :
		       ops[i].by == OP_BY_VCPU ? "vCPU" :
		       ops[i].by == OP_BY_WORKER ? "worker" : "vCPU, worker",
		       ops[i].help);
	puts("bench        is cycle=1: private map and unmap as fast as it goes");
}

/* What goes on in a TD while operations of these weights run. */
u32 ops_activity(const u32 *weight)
{
	/* The supervisor's kicks are signals, too. */
	u32 activity = TD_ACT_SIGNALS;
	int i;

	for (i = 0; i < NR_OPS; i++)
		if (weight[i])
			activity |= ops[i].activity;
	return activity;
}
