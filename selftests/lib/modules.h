/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tdx_stub.ko and tdp_stress.ko say about themselves in debugfs. Either
 * may be missing. Knows file and counter names, judges what they mean.
 */
#ifndef SELFTESTS_LIB_MODULES_H
#define SELFTESTS_LIB_MODULES_H

#include "types.h"

enum module_id { MODULE_STUB, MODULE_STRESS, NR_MODULES };

#define COUNTER_NAME	56

struct counter {
	char name[COUNTER_NAME];
	u64 value;
};

/**
 * struct counters - one reading of a stats file
 * @list: in the file's order
 * @nr: number of them; 0: the module is not there
 */
struct counters {
	struct counter *list;
	size_t nr;
};

/**
 * struct modules - both modules
 * @enabled: not --no-modules
 * @before: reading before the run; counters are not reset by one
 * @now: latest reading
 */
struct modules {
	bool enabled;
	struct counters before[NR_MODULES];
	struct counters now[NR_MODULES];
};

/**
 * struct module_sums - what a progress line shows, since the run began
 * @have: the module is there
 * @busy: SEAMCALLs that returned BUSY
 * @aug: TDH.MEM.PAGE.AUG that succeeded
 * @removed: TDH.MEM.PAGE.REMOVE that succeeded
 * @frozen: frozen windows seen
 * @audits: audits done
 * @violations: of both modules
 */
struct module_sums {
	bool have[NR_MODULES];
	u64 busy, aug, removed, frozen, audits, violations;
};

/**
 * struct module_violation - an invariant that was violated since the run began
 * @id: the module that says so
 * @name: its counter
 * @nr: how often; 0: none has been looked for yet
 * @next: the counter to look at next
 */
struct module_violation {
	enum module_id id;
	const char *name;
	u64 nr;
	size_t next;
};

void modules_open(struct modules *m, bool enabled);
void modules_restart(struct modules *m, enum module_id id);
void modules_close(struct modules *m);
void modules_read(struct modules *m);
void modules_sum(const struct modules *m, struct module_sums *sums);
const char *module_name(enum module_id id);
bool modules_have(const struct modules *m, enum module_id id);
bool modules_value(const struct modules *m, enum module_id id, const char *name, u64 *value);
bool modules_tdx_value(const struct modules *m, const char *name, u64 *value);
u64 modules_delta(const struct modules *m, enum module_id id, const char *name);
bool modules_next_violation(const struct modules *m, struct module_violation *v);
int modules_audit(struct modules *m);
bool modules_verdict(struct modules *m, char *line, size_t size);
bool modules_idle(struct modules *m, char *why, size_t size);

#endif
